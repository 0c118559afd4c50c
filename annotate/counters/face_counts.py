"""What is counted of faces, and what changes it: the faces themselves, and the state of their frames."""

from __future__ import annotations

from annotate.models.counts import FaceCount, NamedFrameCount
from ingest.counting import Counted, Watch

_FACE = ("frame_id", "collection_id", "state", "character_id", "named_by")
_FRAME = ("id", "collection_id", "episode_id", "state")
_NAMED = "state = 'face' AND character_id IS NOT NULL"
# A frame as it was and as it is, only where that moves its faces to another group.
_MOVED = (
    "(SELECT id, collection_id, episode_id, state, SUM(sign) AS sign FROM {signed} signed "
    "GROUP BY id, collection_id, episode_id, state HAVING SUM(sign) <> 0)"
)

FACES = Counted(
    FaceCount,
    recount=(
        "SELECT f.collection_id, fr.episode_id, fr.state AS frame_state, f.state, "
        "COALESCE(f.character_id, 0) AS character_id, f.named_by, COUNT(*) AS n "
        "FROM annotate_face f JOIN ingest_frame fr ON fr.id = f.frame_id "
        "GROUP BY f.collection_id, fr.episode_id, fr.state, f.state, COALESCE(f.character_id, 0), f.named_by"
    ),
    watches=(
        Watch(
            "annotate_face",
            _FACE,
            deltas=(
                "SELECT f.collection_id, fr.episode_id, fr.state AS frame_state, f.state, "
                "COALESCE(f.character_id, 0) AS character_id, f.named_by, f.sign AS n "
                "FROM {signed} f JOIN ingest_frame fr ON fr.id = f.frame_id"
            ),
        ),
        Watch(
            "ingest_frame",
            _FRAME,
            deltas=(
                "SELECT f.collection_id, m.episode_id, m.state AS frame_state, f.state, "
                "COALESCE(f.character_id, 0) AS character_id, f.named_by, m.sign AS n "
                f"FROM {_MOVED} m JOIN annotate_face f ON f.frame_id = m.id"
            ),
            events=("update",),
        ),
    ),
)

NAMED_FRAMES = Counted(
    NamedFrameCount,
    recount=(
        "SELECT fr.collection_id, fr.episode_id, fr.state AS frame_state, COUNT(*) AS n FROM ingest_frame fr "
        f"WHERE EXISTS (SELECT 1 FROM annotate_face WHERE frame_id = fr.id AND {_NAMED}) "
        "GROUP BY fr.collection_id, fr.episode_id, fr.state"
    ),
    watches=(
        Watch(
            "annotate_face",
            _FACE,
            # Named faces on the frame now, and before this change: it counts from the first to the last of them.
            deltas=(
                "SELECT collection_id, episode_id, frame_state, "
                "CASE WHEN now > 0 THEN 1 ELSE 0 END - CASE WHEN now > moved THEN 1 ELSE 0 END AS n FROM ("
                "SELECT fr.collection_id, fr.episode_id, fr.state AS frame_state, c.moved, "
                f"(SELECT COUNT(*) FROM annotate_face WHERE frame_id = fr.id AND {_NAMED}) AS now FROM ("
                f"SELECT frame_id, SUM(CASE WHEN {_NAMED} THEN sign ELSE 0 END) AS moved "
                f"FROM {{signed}} signed GROUP BY frame_id HAVING SUM(CASE WHEN {_NAMED} THEN sign ELSE 0 END) <> 0"
                ") c JOIN ingest_frame fr ON fr.id = c.frame_id) changed"
            ),
        ),
        Watch(
            "ingest_frame",
            _FRAME,
            deltas=(
                "SELECT m.collection_id, m.episode_id, m.state AS frame_state, m.sign AS n "
                f"FROM {_MOVED} m WHERE EXISTS (SELECT 1 FROM annotate_face WHERE frame_id = m.id AND {_NAMED})"
            ),
            events=("update",),
        ),
    ),
)
