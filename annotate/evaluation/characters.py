"""Evaluation of few-shot naming on face pictures: one folder per character, some faces named, the rest predicted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from annotate.algorithms import difference_clustering, matching
from annotate.backends.contract import Embedder
from annotate.backends.embedders.known_embedders import DifferenceEmbedder, balanced
from annotate.evaluation.mistakes import WORST, Mistake
from annotate.evaluation.scores import Scores, rounded
from ingest.errors import BadInput
from ingest.imaging.formats import PICTURE_SUFFIXES

FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]
Guess = Callable[[Rows, Rows], Rows]  # named rows, rows to predict -> predicted characters

NOTES_SHOWN = 20
TWIN_DISTANCE_MAX = 4  # bits of 64: the same picture saved twice


@dataclass(frozen=True, slots=True)
class CharacterScores(Scores):
    """Result of `evaluate characters`."""

    model: str
    characters: int
    faces: int
    twins_removed: int
    accuracy: dict[int, float] = field(metadata=rounded(4))
    ms_per_face: float = field(metadata=rounded(2))
    unreadable: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        head = (
            f"{self.model}: {self.characters} characters, {self.faces:,} faces "
            f"({self.twins_removed:,} near-twins removed), {self.ms_per_face:.1f} ms per face"
        )
        return [head, *(f"  {shots} named: {100 * right:.1f} % right" for shots, right in self.accuracy.items())]

    def notes(self) -> list[str]:
        return [*self.remarks, *self.unreadable[:NOTES_SHOWN]]


@dataclass(frozen=True, slots=True)
class FaceLabel:
    """A face in reports: its file or its row's keys, and its character's name."""

    picture: str
    person: str
    frame: int = 0
    face: int = 0


def measure(
    folder: Path,
    *,
    shots: Sequence[int],
    draws: int,
    open_picture: Callable[[Path], ByteArray],
    embedder: Embedder,
) -> CharacterScores:
    """Measure naming on the folder's sub-folders of head pictures, one per character.

    `open_picture` returns uint8 RGB [height, width, 3] and may raise OSError or ValueError: such files are reported and
    not counted. Draw `n` uses random seed `n`, so that two runs and two models get the same named faces. Raises
    BadInput when there are too few characters or pictures.
    """
    heads: list[ByteArray] = []
    labels: list[int] = []
    paths: list[str] = []
    unreadable: list[str] = []
    for person, (_, files) in enumerate(_people(folder)):
        for path in files:
            try:
                heads.append(open_picture(path))
            except (OSError, ValueError) as error:
                unreadable.append(f"{path.relative_to(folder)}: {error}")
                continue
            labels.append(person)
            paths.append(path.relative_to(folder).as_posix())
    if not heads:
        raise BadInput(f"none of the pictures below {folder} could be read; first: {unreadable[:1]}")
    distinct = without_twins([dhash(head) for head in heads])
    names = np.asarray(labels, np.int64)[distinct]
    started = time.perf_counter()
    features = balanced(embedder, embedder.embed([heads[row] for row in distinct]))
    took = time.perf_counter() - started
    guess = by_differences(features, names, embedder) if isinstance(embedder, DifferenceEmbedder) else None
    face_labels = [FaceLabel(paths[row], paths[row].split("/")[0]) for row in distinct]
    wrong = worst(features, names, face_labels, shots=max(shots), draws=draws, guess=guess)
    return CharacterScores(
        characters=len(np.unique(names)),
        faces=len(distinct),
        twins_removed=len(heads) - len(distinct),
        accuracy={count: accuracy(features, names, shots=count, draws=draws, guess=guess) for count in shots},
        ms_per_face=1000.0 * took / len(distinct),
        model=f"{embedder.info.name} {embedder.info.revision}".strip(),
        unreadable=unreadable,
        wrong=wrong,
    )


def by_differences(features: FloatArray, names: Rows, embedder: DifferenceEmbedder) -> Guess:
    """Give each face the name of the least different named face. Raises BadInput for too many faces."""
    if len(features) > difference_clustering.SQUARE_MAX:
        raise BadInput(
            f"{embedder.info.name} compares each face with each: measure it on at most "
            f"{difference_clustering.SQUARE_MAX:,} pictures, not {len(features):,}."
        )
    square = difference_clustering.square_of(features, embedder.differences)

    def guess(named: Rows, queries: Rows) -> Rows:
        return np.asarray(names[named][square[np.ix_(queries, named)].argmin(axis=1)], np.int64)

    return guess


def accuracy(
    features: FloatArray,
    names: Rows,
    *,
    shots: int,
    draws: int,
    guess: Guess | None = None,
    keep_apart: Rows | None = None,
) -> float:
    """Return the mean share (0 to 1) of unnamed faces with the right name, over `draws` random choices of `shots` named
    faces per character.

    `features` are weighted for naming. `guess` predicts names from rows; without it the application's model does, which
    has seen all of `features`, as in a collection. With `apart` [N] (the shot of each
    face in its film) no face is predicted from a named one of its shot. Raises BadInput when a character has too few
    faces to leave one to predict, or when no face is left.
    """
    people, counts = np.unique(names, return_counts=True)
    if len(people) < 2:
        raise BadInput("naming needs at least two characters, one sub-folder each")
    if counts.min() <= shots:
        raise BadInput(
            f"{shots} named faces need more than {shots} pictures of each character; the smallest has {counts.min()}"
        )
    drawn = _drawn(features, names, shots, draws, guess, keep_apart)
    shares = [(guessed == true).mean() for _, true, guessed in drawn if len(true)]
    if not shares:
        raise BadInput(f"with {shots} named faces a character no face of another shot is left to be asked")
    return float(np.mean(shares))


Drawn = tuple[Rows, Rows, Rows]


def _drawn(
    features: FloatArray, names: Rows, shots: int, draws: int, guess: Guess | None, keep_apart: Rows | None = None
) -> Iterator[Drawn]:
    """For each draw: the predicted rows, their true characters and the predicted ones."""
    people = np.unique(names)
    places = np.unique(np.linspace(0, len(names) - 1, min(len(names), matching.SAMPLE_MAX)).round().astype(int))
    population = matching.population_of(features[places]) if guess is None else None
    for draw in range(draws):
        random = np.random.default_rng(draw)
        named = np.concatenate([random.permutation(np.flatnonzero(names == person))[:shots] for person in people])
        queries = np.setdiff1d(np.arange(len(names)), named)
        if keep_apart is not None:
            queries = queries[~np.isin(keep_apart[queries], keep_apart[named])]
        if guess is not None:
            yield queries, names[queries], guess(named, queries)
            continue
        model = matching.fit(features[named], names[named], population=population)
        guessed = model.labels[matching.scores(model, features[queries]).argmax(axis=1)]
        yield queries, names[queries], guessed


def worst(
    features: FloatArray,
    names: Rows,
    face_labels: Sequence[FaceLabel],
    *,
    shots: int,
    draws: int,
    guess: Guess | None = None,
    keep_apart: Rows | None = None,
) -> tuple[Mistake, ...]:
    """Return the faces that were named wrongly in most draws, with their most frequent wrong name."""
    wrong: dict[int, Counter[int]] = {}
    asked_times: Counter[int] = Counter()
    for queries, true, guessed in _drawn(features, names, shots, draws, guess, keep_apart):
        asked_times.update(queries.tolist())
        for place in np.flatnonzero(true != guessed):
            wrong.setdefault(int(queries[place]), Counter())[int(guessed[place])] += 1
    people = {int(names[row]): face_labels[row].person for row in range(len(face_labels))}
    order = sorted(wrong, key=lambda row: (-wrong[row].total() / asked_times[row], face_labels[row].picture))[:WORST]
    return tuple(
        Mistake(
            (face_labels[row].picture,),
            f"named {people[wrong[row].most_common(1)[0][0]]}, is {face_labels[row].person} "
            f"({wrong[row].total()} of {asked_times[row]} draws wrong)",
            frame=face_labels[row].frame,
            face=face_labels[row].face,
        )
        for row in order
    )


def dhash(picture: ByteArray) -> ByteArray:
    """Return the difference hash: 64 bits in 8 bytes, each whether a cell of the 9x8 grey thumbnail is brighter than
    its left neighbour.
    """
    grey = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (9, 8), interpolation=cv2.INTER_AREA)
    return np.packbits((grey[:, 1:] > grey[:, :-1]).ravel())


def without_twins(hashes: Sequence[ByteArray]) -> npt.NDArray[np.int64]:
    """Return the rows that remain when near-duplicates of earlier kept rows are removed."""
    distinct: list[int] = []
    rows = np.unpackbits(np.stack(hashes), axis=1)
    for row in range(len(rows)):
        if not distinct or (rows[distinct] != rows[row]).sum(axis=1).min() > TWIN_DISTANCE_MAX:
            distinct.append(row)
    return np.asarray(distinct, np.int64)


def _people(folder: Path) -> list[tuple[str, list[Path]]]:
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder; give a folder with one folder of pictures per character")
    people = []
    for inner in sorted(folder.iterdir()):
        if inner.is_dir() and not inner.name.startswith("."):
            files = sorted(path for path in inner.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
            if files:
                people.append((inner.name, files))
    if len(people) < 2:
        raise BadInput(f"{folder} holds {len(people)} folders of pictures; naming needs at least two characters")
    return people
