"""Evaluation of few-shot naming on a collection's named faces: some serve as references, the rest is predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.db.models import QuerySet

from annotate.backends.contract import Embedder
from annotate.backends.embedders.known_embedders import DifferenceEmbedder, attentive, balanced
from annotate.evaluation.characters import (
    CharacterScores,
    FaceLabel,
    Guess,
    accuracy,
    by_differences,
    dhash,
    without_twins,
    worst,
)
from annotate.evaluation.on_collection import vectors
from annotate.evaluation.on_collection.progress import Progress
from annotate.models import Face, FaceState, NamedBy
from ingest.errors import BadInput
from ingest.imaging.decode import UnreadablePicture
from ingest.models import Collection, FrameState

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
FACES_MAX = 3_000  # limits the matrix of embedders that compare by a network
PEOPLE_MAX = 100
NOTHING = "Fewer than two characters have faces named by people. Name faces of at least two, then measure."
A_PERSON = (30, 200)  # faces per character: as many if there are, never more


@dataclass(frozen=True, slots=True)
class Named:
    """A face named by a person, with its row's keys; `person` is the identity, whatever the outfit."""

    face: int
    person: int
    name: str
    frame: int
    shot_key: int  # the shot (None: one of its own): its faces are nearly the same drawing
    crop: str


def named_faces(collection: Collection) -> QuerySet[Face]:
    """Return the faces named by a person that have a crop, in kept frames."""
    return (
        Face.objects.named()
        .filter(collection=collection, named_by=NamedBy.PERSON, frame__state=FrameState.KEPT, state=FaceState.FACE)
        .exclude(crop="")
    )


def people(collection: Collection) -> list[Named]:
    """The characters, each once per face."""
    rows = named_faces(collection).values_list(
        "pk", "character_id", "character__name", "character__parent_id", "character__parent__name", "frame_id",
        "frame__shot_id", "crop",
    )  # fmt: skip
    people_rows = [
        Named(pk, parent or character, parent_name or name, frame, shot if shot is not None else -frame, crop)
        for pk, character, name, parent, parent_name, frame, shot, crop in rows
    ]
    return sorted(people_rows, key=lambda named: (named.person, named.face))


def evenly(rows: Sequence[Named], count: int) -> list[Named]:
    """Return at most `count` items, evenly spaced."""
    places = np.linspace(0, len(rows) - 1, min(len(rows), count)).round().astype(int)
    return [rows[place] for place in places]


def sampled(named_faces: Sequence[Named]) -> tuple[list[Named], list[str]]:
    """Sample at most FACES_MAX faces of the PEOPLE_MAX characters with most faces, evenly; with remarks on the rest."""
    of: dict[int, list[Named]] = {}
    for named in named_faces:
        of.setdefault(named.person, []).append(named)
    largest = sorted(of, key=lambda person: (-len(of[person]), person))[:PEOPLE_MAX]
    a_person = int(np.clip(FACES_MAX // max(1, len(largest)), *A_PERSON))
    chosen = [named for person in sorted(largest) for named in evenly(of[person], a_person)]
    remarks = [f"People named {len(named_faces):,} faces of {len(of):,} characters."]
    if len(chosen) < len(named_faces):
        remarks.append(
            f"Measured on {len(chosen):,} of them: {len(largest):,} characters, "
            f"at most {a_person:,} faces per character, spread evenly."
        )
    return chosen, remarks


def measure(
    collection: Collection, embedder: Embedder, progress: Progress, *, shots: Sequence[int], draws: int
) -> CharacterScores:
    """Measure naming on a collection's reviewed names, as `evaluate characters` does on a folder.

    Near-duplicates are removed, and faces of one shot are never both named and predicted. A number of named faces is
    skipped where fewer than two characters have more. Raises BadInput where nothing is left.
    """
    chosen, remarks = sampled(people(collection))
    if len({named.person for named in chosen}) < 2:
        raise BadInput(NOTHING)
    rows, twins = _without_twins(chosen, progress, remarks)
    seen = vectors.describe(collection, [named.face for named in rows], embedder, progress)
    remarks += seen.unreadable[:5]
    if not seen.embedded:
        remarks.append("All of them were analyzed before, so no time was measured.")
    described_keys = set(seen.keys)
    rows = [named for named in rows if named.face in described_keys]
    names, shot_keys = (np.array([getattr(named, name) for named in rows], np.int64) for name in ("person", "shot_key"))
    watched = attentive(embedder, progress.alive)
    features = balanced(embedder, seen.vectors)
    guess = by_differences(features, names, watched) if isinstance(watched, DifferenceEmbedder) else None
    shares: dict[int, float] = {}
    enough, few = list[str](), list[str]()
    last: IntArray | None = None
    for count in sorted(set(shots)):
        progress.alive()
        inside = _with_more(names, count)
        people_left = len(np.unique(names[inside]))
        if people_left < 2:
            few.append(str(count))
            continue
        try:
            shares[count] = accuracy(
                features[inside], names[inside], shots=count, draws=draws, guess=_within(guess, inside),
                keep_apart=shot_keys[inside],
            )  # fmt: skip
        except BadInput as problem:
            remarks.append(f"{count} named: {problem.message}.")
            continue
        enough.append(f"{people_left:,} with more than {count}")
        last = inside
    if enough:
        remarks.append(f"Characters measured, by number of faces: {', '.join(enough)}.")
    if few:
        remarks.append(
            f"Fewer than two characters have more than {' or '.join(few)} faces: not measured with so many named."
        )
    if last is None:
        raise BadInput(f"Too few faces are named to measure. {' '.join(remarks)}")
    face_labels = [FaceLabel(f"face {named.face}", named.name, named.frame, named.face) for named in rows]
    return CharacterScores(
        characters=len(np.unique(names)),
        faces=len(rows),
        twins_removed=twins,
        accuracy=shares,
        ms_per_face=seen.ms_per_face,
        model=f"{embedder.info.name} {embedder.info.revision}".strip(),
        wrong=worst(
            features[last], names[last], [face_labels[row] for row in last], shots=max(shares), draws=draws,
            guess=_within(guess, last), keep_apart=shot_keys[last],
        ),
        remarks=tuple(remarks),
    )  # fmt: skip


def _without_twins(chosen: list[Named], progress: Progress, remarks: list[str]) -> tuple[list[Named], int]:
    """Return the rows with a readable crop that are not near-duplicates of earlier ones of their character, and the
    number removed.
    """
    progress.expect(len(chosen))
    hashes: dict[int, list[npt.NDArray[np.uint8]]] = {}
    readable: dict[int, list[Named]] = {}
    broken = 0
    for named in chosen:
        progress.step()
        try:
            hashed = dhash(vectors.read_head(named.crop, named.face))
        except (OSError, UnreadablePicture):
            broken += 1
            continue
        hashes.setdefault(named.person, []).append(hashed)
        readable.setdefault(named.person, []).append(named)
    if broken:
        remarks.append(f"{broken:,} crops could not be read; those faces were left out. Run “Find faces” again.")
    if not readable:
        raise BadInput("None of the named faces' crops can be read. Run “Find faces” again.")
    distinct = [rows[place] for person, rows in readable.items() for place in without_twins(hashes[person])]
    return distinct, sum(map(len, readable.values())) - len(distinct)


def _with_more(names: IntArray, count: int) -> IntArray:
    """Rows of the characters with more than `count` rows."""
    people_found, sizes = np.unique(names, return_counts=True)
    return np.flatnonzero(np.isin(names, people_found[sizes > count]))


def _within(guess: Guess | None, rows: IntArray) -> Guess | None:
    """The prediction function for a part of the rows, renumbered."""
    if guess is None:
        return None
    return lambda named, queries: guess(rows[named], rows[queries])
