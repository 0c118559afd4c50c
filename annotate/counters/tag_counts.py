"""What is counted of tags: frames by tag and what is said of it."""

from __future__ import annotations

from annotate.models.counts import TagCount
from ingest.counting import Counted, Watch

TAGS = Counted(
    TagCount,
    recount=(
        "SELECT fr.collection_id, t.tag_id, t.state, COUNT(*) AS n "
        "FROM annotate_frametag t JOIN ingest_frame fr ON fr.id = t.frame_id "
        "GROUP BY fr.collection_id, t.tag_id, t.state"
    ),
    watches=(
        Watch(
            "annotate_frametag",
            ("frame_id", "tag_id", "state"),
            deltas=(
                "SELECT fr.collection_id, t.tag_id, t.state, t.sign AS n "
                "FROM {signed} t JOIN ingest_frame fr ON fr.id = t.frame_id"
            ),
        ),
    ),
)
