"""Matching of a picture's faces with names that came with it, and which names count if faces contradict them.

People stand above files, files above taggers: where a file names somebody, taggers are not asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PERSON, COPY, TAG, FILE, TAGGER = "person", "copy", "tag", "file", "tagger"
RANKS = {PERSON: 0, COPY: 1, TAG: 2, FILE: 3, TAGGER: 4}
SAME_FACE_IOU = 0.4  # a file's box and a detector's own of one face: other detectors draw faces larger or smaller

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Named:
    """A character (by key) that is on a picture according to `origin`, and its face box where that is known."""

    character: int
    origin: str
    score: float = 1.0
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class SeenFace:
    """A face of the picture: `answered` when a person said who it is or that it is nobody; then `character` is that."""

    key: int
    box: Box
    answered: bool = False
    character: int | None = None
    ruled_out: frozenset[int] = frozenset()


def ranked(names: Iterable[Named], *, parents: dict[int, int] | None = None) -> list[Named]:
    """One entry a character, by rank then score; taggers only where nobody above names anybody, a character only where
    none of its outfits (`parents`: outfit to character) is named."""
    best: dict[int, Named] = {}
    for name in names:
        known = best.get(name.character)
        if known is None or _order(name) < _order(known):
            best[name.character] = name
    ranking = sorted(best.values(), key=_order)
    if any(name.origin in (COPY, FILE) for name in ranking):
        ranking = [name for name in ranking if name.origin != TAGGER]
    dressed = {(parents or {}).get(name.character) for name in ranking}
    return [name for name in ranking if name.character not in dressed]


def _order(name: Named) -> tuple[int, float, int]:
    return RANKS[name.origin], -name.score, name.character


def named_faces(names: Sequence[Named], faces: Sequence[SeenFace]) -> dict[int, Named]:
    """The faces that are named by the evidence plainly, by key: where boxes fit, and where one name is left for the one
    face that is left. `names` as `ranked` gives them."""
    open_faces = [face for face in faces if not face.answered]
    taken = {face.character for face in faces if face.answered}
    left = [name for name in names if name.character not in taken]
    named: dict[int, Named] = {}
    for name in left:
        box = name.box
        if box is None:
            continue
        free = [face for face in open_faces if face.key not in named and name.character not in face.ruled_out]
        overlaps = {face.key: overlap(face.box, box) for face in free}
        best = max(free, key=lambda face: overlaps[face.key], default=None)
        if best is not None and overlaps[best.key] >= SAME_FACE_IOU:
            named[best.key] = name
    rest = [name for name in left if name not in named.values()]
    free = [face for face in open_faces if face.key not in named]
    if len(rest) == len(free) == 1 and len(names) == len(faces) and rest[0].character not in free[0].ruled_out:
        named[free[0].key] = rest[0]
    return named


def candidates(names: Sequence[Named], faces: Sequence[SeenFace]) -> dict[int, list[int]]:
    """For each face that nobody answered: who it may be by the names that people have given to no other face, the
    likeliest first. Faces without any are left out."""
    taken = {face.character for face in faces if face.answered}
    choices = {}
    for face in faces:
        may = [n.character for n in names if n.character not in taken and n.character not in face.ruled_out]
        if may and not face.answered:
            choices[face.key] = may
    return choices


def counting(names: Sequence[Named], faces: Sequence[SeenFace]) -> set[int]:
    """The characters that count for the picture. A person's word always does; of the others those that a face may still
    be, and as many more as there are names beyond the faces (somebody seen from behind)."""
    characters = {name.character for name in names if name.origin == PERSON}
    taken = {face.character for face in faces if face.answered}
    spare = max(0, len(names) - len(faces))
    open_faces = [face for face in faces if not face.answered]
    for name in names:
        if name.character in characters:
            continue
        if name.character in taken or any(name.character not in face.ruled_out for face in open_faces):
            characters.add(name.character)
        elif spare:
            characters.add(name.character)
            spare -= 1
    return characters


def overlap(first: Box, other: Box) -> float:
    """Compute the intersection over union, 0 to 1."""
    width = min(first[2], other[2]) - max(first[0], other[0])
    height = min(first[3], other[3]) - max(first[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (_area(first) + _area(other) - both)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
