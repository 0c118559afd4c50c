"""Compare two embedders on a collection's faces: agreement, and questions for people.

A sample of the faces is compared, so that 100,000 take as long as a few thousand: faces named by people (evenly by
character) and an even sample of the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from annotate.algorithms import clustering
from annotate.algorithms import difference_clustering as by_difference
from annotate.algorithms import embedder_agreement as agreement
from annotate.algorithms.embedder_agreement import NOBODY, Across, Seen
from annotate.backends.contract import Embedder
from annotate.backends.embedders.known_embedders import DifferenceEmbedder, attentive
from annotate.evaluation.on_collection import vectors
from annotate.evaluation.on_collection.characters import evenly, named_faces
from annotate.evaluation.on_collection.characters import people as named_people
from annotate.evaluation.on_collection.progress import Progress
from annotate.evaluation.scores import Scores, rounded
from annotate.models import Face, FaceState, NamedBy
from ingest.errors import BadInput
from ingest.models import Collection, FrameState

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
SAMPLE = 3_000  # faces: shares are accurate to two percentage points
A_PERSON = 40  # named faces of one character
QUESTIONS = 400
PAIRS = 24
GROUPING = "optics"  # for embedders that compare by a network, as in the stage


@dataclass(frozen=True, slots=True)
class EmbedderScores(Scores):
    """Result of a comparison; pairs of figures are (first, second).

    Of `of` faces, `faces` were compared. `questions`: (face, character, reference face, whether the first says so), by
    key; `pairs`: (face, face, whether the first groups them). Shares are 0 to 1; None: cannot be computed.
    """

    first: str
    second: str
    faces: int
    of: int
    named: int
    people: int
    waiting: int
    rand: float = field(metadata=rounded(4))
    nearest_same: float = field(metadata=rounded(4))
    person_same: float = field(metadata=rounded(4))
    right: tuple[float | None, float | None] = field(metadata=rounded(4))
    rand_people: tuple[float | None, float | None] = field(metadata=rounded(4))
    groups: tuple[int, int]
    questions: tuple[tuple[int, int, int, bool], ...] = ()
    pairs: tuple[tuple[int, int, bool], ...] = ()

    def lines(self) -> list[str]:
        def both(shares: Sequence[float | None]) -> str:
            return " and ".join("–" if share is None else f"{100 * share:.1f} %" for share in shares)

        return [
            f"{self.first} and {self.second} on {self.faces:,} of {self.of:,} faces, {self.named:,} named by people",
            f"  similar groups: {self.rand:.3f} (adjusted Rand index of {self.groups[0]:,} and {self.groups[1]:,})",
            f"  same nearest face: {100 * self.nearest_same:.1f} %",
            f"  same character by the nearest named face: {100 * self.person_same:.1f} %",
            f"  named faces whose nearest named face is the same character: {both(self.right)}",
            f"  open questions: {len(self.questions):,}",
        ]


@dataclass(frozen=True, slots=True)
class _Faces:
    """The compared faces, by key; `person` is a character's key or NOBODY."""

    keys: list[int]
    person: IntArray
    shot_keys: IntArray
    waiting: npt.NDArray[np.bool_]
    of: int


def compare(collection: Collection, embedders: tuple[Embedder, Embedder], progress: Progress) -> EmbedderScores:
    """Compute missing vectors, then compare. Raises BadInput for fewer than two faces, or the same embedder twice."""
    names = [f"{model.info.name} {model.info.revision}".strip() for model in embedders]
    if embedders[0].info == embedders[1].info:
        raise BadInput("Choose two different embedders.")
    chosen = _sample(collection)
    described = [vectors.describe(collection, chosen.keys, model, progress) for model in embedders]
    common_keys = set(described[0].keys) & set(described[1].keys)
    places = np.array([place for place, key in enumerate(chosen.keys) if key in common_keys], np.int64)
    if len(places) < 2:
        raise BadInput("There are fewer than two faces with a crop to compare. Run “Find faces” first.")
    person, shot_keys, waiting = chosen.person[places], chosen.shot_keys[places], chosen.waiting[places]
    keys = [chosen.keys[place] for place in places]
    looks: list[Seen] = []
    groups: list[IntArray] = []
    for embedder, own_vectors in zip(embedders, described):
        watched = attentive(embedder, progress.alive)
        rows = own_vectors.vectors[np.array([key in common_keys for key in own_vectors.keys], bool)]
        progress.alive()
        looks.append(agreement.recognise(across_of(watched, rows), len(rows), keep_apart=shot_keys, person=person))
        groups.append(groups_of(watched, rows))
    first, second = looks
    known = person != NOBODY
    doubts = agreement.doubts(first, second, waiting=waiting)[:QUESTIONS]
    parted = agreement.parted(first, second, (groups[0], groups[1]))[:PAIRS]
    return EmbedderScores(
        first=names[0], second=names[1], faces=len(keys), of=chosen.of, named=int(known.sum()),
        people=len(np.unique(person[known])), waiting=int(waiting.sum()),
        groups=(len(np.unique(groups[0])), len(np.unique(groups[1]))),
        rand=agreement.rand_index(groups[0], groups[1]),
        nearest_same=agreement.same_share(first.nearest, second.nearest),
        person_same=agreement.same_share(first.person[waiting], second.person[waiting]),
        right=(agreement.right_share(first, person), agreement.right_share(second, person)),
        rand_people=(_rand_people(groups[0], person), _rand_people(groups[1], person)),
        questions=tuple((keys[model.face], model.person, keys[model.reference], model.by_first) for model in doubts),
        pairs=tuple((keys[model.face], keys[model.other], model.by_first) for model in parted),
        remarks=[note for own_vectors in described for note in own_vectors.unreadable[:5]],
    )  # fmt: skip


def across_of(embedder: Embedder, rows: FloatArray) -> Across:
    """Return the distances between rows of vectors [N, d], in the embedder's metric."""
    if isinstance(embedder, DifferenceEmbedder):
        differences = embedder.differences
        return lambda chosen, others: by_difference.across_of(rows[chosen], rows[others], differences)
    squares = (rows.astype(np.float64) ** 2).sum(axis=1)

    def euclidean(chosen: IntArray, others: IntArray) -> FloatArray:
        squared = squares[chosen][:, None] + squares[others][None] - 2.0 * (rows[chosen] @ rows[others].T)
        return np.asarray(np.sqrt(np.maximum(squared, 0.0)), np.float32)

    return euclidean


def groups_of(embedder: Embedder, rows: FloatArray) -> IntArray:
    """Return groups [N] as the stage forms them, but from vectors alone; a face without a group has its own."""
    if not isinstance(embedder, DifferenceEmbedder):
        return clustering.cluster(clustering.learn_projection(rows).apply(rows)).label
    groups = by_difference.group(
        rows, embedder.differences, embedder.clusterings[GROUPING], threshold=embedder.threshold
    )
    alone = np.flatnonzero(groups == by_difference.NOBODY)
    groups[alone] = groups.max(initial=-1) + 1 + np.arange(len(alone))
    return groups


def _rand_people(groups: IntArray, person: IntArray) -> float | None:
    """Adjusted Rand index of groups and characters, on faces named by people; None with fewer than two of those."""
    known = person != NOBODY
    return agreement.rand_index(groups[known], person[known]) if len(np.unique(person[known])) > 1 else None


def _sample(collection: Collection) -> _Faces:
    """Return at most SAMPLE faces: up to half of them named by people, the rest evenly from the unreviewed ones."""
    of: dict[int, list[Any]] = {}
    for named_face in named_people(collection):
        of.setdefault(named_face.person, []).append(named_face)
    a_person = max(1, min(A_PERSON, SAMPLE // 2 // max(1, len(of))))
    named = [named_face for person in sorted(of) for named_face in evenly(of[person], a_person)][: SAMPLE // 2]
    faces = Face.objects.filter(collection=collection, state=FaceState.FACE, frame__state=FrameState.KEPT)
    faces = faces.exclude(crop="").exclude(named_by=NamedBy.PERSON)
    open_keys = list(faces.order_by("pk").values_list("pk", flat=True))
    places = np.linspace(0, len(open_keys) - 1, min(len(open_keys), SAMPLE - len(named))).round().astype(int)
    picked = [open_keys[place] for place in np.unique(places)]
    shots: dict[int, int] = {}
    for start in range(0, len(picked), vectors.CHUNK):
        part = faces.filter(pk__in=picked[start : start + vectors.CHUNK])
        for pk, shot, frame in part.values_list("pk", "frame__shot_id", "frame_id"):
            shots[pk] = -frame if shot is None else shot
    rows = [(named_face.face, named_face.person, named_face.shot_key, False) for named_face in named]
    rows += [(key, NOBODY, shots[key], True) for key in picked if key in shots]
    rows.sort()
    person, shot_keys = (np.array([row[column] for row in rows], np.int64) for column in (1, 2))
    waiting = np.array([row[3] for row in rows], bool)
    face_count = len(open_keys) + named_faces(collection).count()
    return _Faces([row[0] for row in rows], person, shot_keys, waiting, face_count)
