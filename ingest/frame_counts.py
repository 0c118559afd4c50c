"""What is counted of frames, and what changes it."""

from __future__ import annotations

from ingest.counting import Counted, Watch
from ingest.models.counts import FrameCount

_KEYS = "collection_id, episode_id, state, reason, COALESCE(face_count, 0) > 0 AS with_faces"

FRAMES = Counted(
    FrameCount,
    recount=(
        "SELECT collection_id, episode_id, state, reason, with_faces, COUNT(*) AS n "
        f"FROM (SELECT {_KEYS} FROM ingest_frame) rows_of GROUP BY collection_id, episode_id, state, reason, with_faces"
    ),
    watches=(
        Watch(
            "ingest_frame",
            ("collection_id", "episode_id", "state", "reason", "face_count"),
            deltas=f"SELECT {_KEYS}, sign AS n FROM {{signed}} signed",
        ),
    ),
)
