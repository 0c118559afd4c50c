"""Characters of frames (rows of FrameCharacter) and which of them apply, given the labels of the frames' faces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from annotate.actions.batches import batches
from annotate.algorithms.name_evidence import PERSON, Named, SeenFace, candidates, counting, ranked
from annotate.models import Character, Face, FaceState, FrameCharacter, NamedBy, TagState
from ingest.actions.history import Recorder


def faces_of(frames: Iterable[int]) -> dict[int, list[SeenFace]]:
    """Real faces by frame key, without those not in the cast: no name could apply to them."""
    faces: dict[int, list[SeenFace]] = {}
    rows = Face.objects.filter(frame__in=list(frames), state=FaceState.FACE).order_by("frame_id", "left", "pk")
    columns = ("pk", "frame_id", "left", "top", "right", "bottom", "named_by", "character_id", "not_characters")
    for key, frame, left, top, right, bottom, by, character, ruled_out in rows.values_list(*columns):
        answered = by == NamedBy.PERSON
        face = SeenFace(
            key, (left, top, right, bottom), answered, character if answered else None, frozenset(ruled_out)
        )
        faces.setdefault(frame, []).append(face)
    return faces


def stored(frames: Iterable[int]) -> dict[int, list[Named]]:
    """The stored evidence by frame key, the highest rank first, whether or not it applies now."""
    names: dict[int, list[Named]] = {}
    rows = FrameCharacter.objects.filter(frame__in=list(frames)).exclude(origin=PERSON, state=TagState.NO)
    for frame, character, origin, score, box in rows.values_list("frame_id", "character_id", "origin", "score", "box"):
        place = (box[0], box[1], box[2], box[3]) if isinstance(box, list) and len(box) == 4 else None
        names.setdefault(frame, []).append(Named(character, origin, score, place))
    return {frame: ranked(names) for frame, names in names.items()}


def states(names: Sequence[Named], faces: Sequence[SeenFace]) -> dict[int, str]:
    """Yes or no by character key: whether it applies to the picture."""
    count = counting(names, faces)
    return {name.character: TagState.YES if name.character in count else TagState.NO for name in names}


def candidate_names(frames: Iterable[int]) -> dict[int, list[str]]:
    """Candidate names by face key for the unlabelled faces of frames, from files and tags, the likeliest first."""
    names = stored(frames)
    if not names:
        return {}
    faces = faces_of(names)
    keys: dict[int, list[int]] = {}
    for frame, evidence in names.items():
        keys |= candidates(evidence, faces.get(frame, []))
    called = dict(
        Character.objects.filter(pk__in={k for character_keys in keys.values() for k in character_keys}).values_list(
            "pk", "name"
        )
    )
    return {face: [called[key] for key in character_keys if key in called] for face, character_keys in keys.items()}


def settle(record: Recorder, frames: Iterable[int]) -> None:
    """Update which characters of frames apply after labels of faces changed; inside the same operation."""
    keys = sorted(set(frames))
    for part in batches(keys):
        names = stored(part)
        if not names:
            continue
        faces = faces_of(names)
        new_states = {frame: states(evidence, faces.get(frame, [])) for frame, evidence in names.items()}
        rows = FrameCharacter.objects.select_for_update().filter(frame__in=names).exclude(origin=PERSON)
        for row in rows.order_by("pk"):
            state = new_states[row.frame_id].get(row.character_id, row.state)
            if state != row.state:
                before = {"state": row.state}
                row.state = state
                row.save(update_fields=["state"])
                record.changed(row, before=before, frame_id=row.frame_id)
