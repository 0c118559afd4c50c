"""Evaluation of duplicate detection: how well copies are distinguished from other pictures.

Ground truth: a groups.json, or a folder per set of copies; for a folder of single pictures, copies are generated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from annotate.backends.contract import Picture, Scorer
from annotate.evaluation.characters import dhash
from annotate.evaluation.copies import COPIES
from annotate.evaluation.mistakes import Mistake
from annotate.evaluation.scores import NOT_IN_JSON, JsonFields, Scores, rounded
from ingest import outside_json
from ingest.algorithms.descriptors import as_vectors
from ingest.algorithms.near_duplicates import DEFAULT_THRESHOLD
from ingest.errors import BadInput
from ingest.imaging.formats import PICTURE_SUFFIXES
from ingest.imaging.still import descriptor_of

F32 = NDArray[np.float32]
TRUTH = "groups.json"
FORM = '{"name of the group": ["a.png", "b.jpg"], ...}'
BUILTIN, DHASH = "builtin", "dhash"
BINS = 1000  # of the similarity -1 to 1
WORST = 12
BATCH = 16
LONGEST = 1280  # pixels: larger pictures are copied at this size, as descriptors see far less


@dataclass(frozen=True, slots=True)
class Describer:
    """Computes unit vectors float32 [n, D] of pictures; their dot product is the similarity, 1 for equal ones."""

    name: str
    threshold: float
    describe: Callable[[Sequence[Picture]], F32]


@dataclass(frozen=True, slots=True)
class Kind(JsonFields):
    """Results of one kind of copy: share found at the threshold, and the similarity that 95 % of the copies reach."""

    name: str
    pairs: int
    share_found: float = field(metadata=rounded(4, key="found"))
    percentile5: float = field(metadata=NOT_IN_JSON)


@dataclass(frozen=True, slots=True)
class DuplicateScores(Scores):
    """Result of `evaluate duplicates`. `curve`: (threshold, precision, recall).

    Pairs are (name, name, similarity). Precision is over pairs, so it depends on how many different pictures the folder
    has.
    """

    model: str
    pictures: int
    copies: int
    threshold: float
    precision: float = field(metadata=rounded(4))
    recall: float = field(metadata=rounded(4))
    f1: float = field(init=False, metadata=rounded(4))
    best_threshold: float = field(metadata=rounded(4))
    best_f1: float = field(metadata=rounded(4))
    ms_per_picture: float = field(metadata=rounded(2))
    kinds: tuple[Kind, ...]
    curve: tuple[tuple[float, float, float], ...] = field(metadata=rounded(4))
    missed: tuple[tuple[str, str, float], ...] = ()
    false: tuple[tuple[str, str, float], ...] = ()
    unreadable: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        object.__setattr__(self, "f1", _f1(self.precision, self.recall))  # as frozen dataclasses do themselves

    def lines(self) -> list[str]:
        text_lines = [
            f"{self.model}: {self.copies:,} pairs of copies among {self.pictures:,} pictures; at {self.threshold:g} "
            f"recall {self.recall:.1%}, precision {self.precision:.1%}; best F1 {self.best_f1:.3f} at "
            f"{self.best_threshold:.3f}; {self.ms_per_picture:.1f} ms per picture"
        ]
        width = max((len(kind.name) for kind in self.kinds), default=0)
        text_lines += [
            f"  {kind.name:<{width}}  {kind.share_found:>6.1%}  5th percentile {kind.percentile5:.3f}"
            for kind in self.kinds
        ]
        for word, pairs in (("missed", self.missed), ("false", self.false)):
            text_lines += [f"  {word}: {first} and {second}, {similarity:.3f}" for first, second, similarity in pairs]
        return text_lines

    def mistakes(self) -> tuple[Mistake, ...]:
        labelled_pairs = [("not found", pair) for pair in self.missed] + [
            ("taken for a copy", pair) for pair in self.false
        ]
        return tuple(
            Mistake(_files(first, second), f"{words}: {first} and {second}, {similarity:.3f}")
            for words, (first, second, similarity) in labelled_pairs
        )

    def notes(self) -> list[str]:
        return self.unreadable[:WORST]


def describer(name: str, scorer: Scorer | None = None) -> Describer:
    """Return the describer of this name: `builtin`, the descriptor of the stage Similar frames; `dhash`; or the scores
    of a tagger or classifier.

    Raises BadInput for another name.
    """
    if name == BUILTIN:
        return Describer("builtin descriptor", DEFAULT_THRESHOLD, _builtin)
    if name == DHASH:
        return Describer("dHash, 64 bits", 1 - 2 * 4 / 64, _dhash)  # 4 bits apart
    if scorer is None:
        raise BadInput(f"There is no model {name!r} that describes pictures: choose builtin, dhash or a tagger.")
    builtin = scorer

    def scores(pictures: Sequence[Picture]) -> F32:
        answers = []
        for picture in pictures:
            size = (picture.shape[1], picture.shape[0])
            answers.append(builtin.answer(builtin.fit(picture)[None], [size])[0])
        return _unit(np.stack(answers))

    return Describer(f"{builtin.info.name} {builtin.info.revision}".strip(), DEFAULT_THRESHOLD, scores)


def measure(folder: Path, model: Describer, *, open_picture: Callable[[Path], Picture]) -> DuplicateScores:
    """Compute vectors of all pictures (and of copies of single ones) and compare all pairs.

    `open_picture` returns uint8 RGB [height, width, 3] and may raise OSError or ValueError: such files are reported and
    not counted. Memory: the vectors and one block of pairs. Raises BadInput when there is nothing to compare.
    """
    groups = _groups(folder)
    single = all(len(files) == 1 for files in groups.values())
    vectors: list[F32] = []
    names: list[str] = []
    group: list[int] = []
    kind: list[int] = []  # 0: an original, else the number of the kind of copy
    unreadable: list[str] = []
    spent = 0.0
    for number, files in enumerate(groups.values()):
        for path in files:
            try:
                picture = open_picture(path)
            except (OSError, ValueError) as error:
                unreadable.append(f"{path.relative_to(folder)}: {error}")
                continue
            pictures_of_mistakes = [picture]
            if single:
                small = _bounded(picture)
                pictures_of_mistakes += [make(small) for make in COPIES.values()]
            started = time.perf_counter()
            vectors.append(model.describe(pictures_of_mistakes))
            spent += time.perf_counter() - started
            name = str(path.relative_to(folder))
            names += [name, *(f"{name} ({what})" for what in (COPIES if single else ()))]
            group += [number] * len(pictures_of_mistakes)
            kind += range(len(pictures_of_mistakes))
    if len(set(group)) < 2:
        raise BadInput(f"{folder}: fewer than two sets of pictures could be read, so nothing can be compared.")
    together = np.concatenate(vectors)
    return _scores(
        model, together, names, np.array(group), np.array(kind), single=single, unreadable=unreadable,
        ms_per_picture=1000 * spent / len(together),
    )  # fmt: skip


def _scores(
    model: Describer,
    vectors: F32,
    names: list[str],
    group: NDArray[np.int64],
    kind: NDArray[np.int64],
    *,
    single: bool,
    unreadable: list[str],
    ms_per_picture: float,
) -> DuplicateScores:
    same, other = np.zeros(BINS + 1, np.int64), np.zeros(BINS + 1, np.int64)
    missed: list[tuple[str, str, float]] = []
    false: list[tuple[str, str, float]] = []
    of_kind: list[list[float]] = [[] for _ in COPIES]
    for left, right, similarity in _pairs(vectors, kind, single=single):
        true = group[left] == group[right]
        bins = np.rint((similarity + 1) / 2 * BINS).astype(np.int64)
        same += np.bincount(bins[true], minlength=BINS + 1)
        other += np.bincount(bins[~true], minlength=BINS + 1)
        for place in np.flatnonzero(true)[np.argsort(similarity[true])[:WORST]]:
            if similarity[place] < model.threshold:
                missed.append((names[left[place]], names[right[place]], round(float(similarity[place]), 4)))
        for place in np.flatnonzero(~true)[np.argsort(-similarity[~true])[:WORST]]:
            if similarity[place] >= model.threshold:
                false.append((names[left[place]], names[right[place]], round(float(similarity[place]), 4)))
        if single:
            for place in np.flatnonzero(true):
                of_kind[kind[right[place]] - 1].append(float(similarity[place]))
    if not same.sum():
        raise BadInput("No group has two pictures, so there are no copies to find.")
    curve = _curve(same, other)
    best = max(curve, key=lambda point: _f1(point[1], point[2]))
    nearest_point = min(curve, key=lambda point: abs(point[0] - model.threshold))
    kinds = tuple(
        Kind(name, len(values), float(np.mean(np.array(values) >= model.threshold)), float(np.percentile(values, 5)))
        for name, values in zip(COPIES, of_kind)
        if values
    )
    return DuplicateScores(
        model=model.name,
        pictures=int((kind == 0).sum()) if single else len(vectors),
        copies=int(same.sum()),
        threshold=model.threshold,
        precision=nearest_point[1],
        recall=nearest_point[2],
        best_threshold=best[0],
        best_f1=_f1(best[1], best[2]),
        ms_per_picture=ms_per_picture,
        kinds=kinds,
        curve=curve,
        missed=tuple(sorted(missed, key=lambda pair: pair[2])[:WORST]),
        false=tuple(sorted(false, key=lambda pair: -pair[2])[:WORST]),
        unreadable=unreadable,
    )


def _pairs(
    vectors: F32, kind: NDArray[np.int64], *, single: bool
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], F32]]:
    """Yield rows, rows and similarity of all pairs once.

    Of single pictures only an original is compared with others' copies: pairs of two copies add no information.
    """
    rows = np.flatnonzero(kind == 0) if single else np.arange(len(vectors))
    for row in rows.tolist():
        after = np.arange(row + 1, len(vectors)) if not single else np.arange(len(vectors))
        if single:
            after = after[(kind > 0) | (after > row)]
        if len(after):
            similarity = np.clip(vectors[after] @ vectors[row], -1, 1).astype(np.float32)
            yield np.full(len(after), row), after, similarity


def _curve(same: NDArray[np.int64], other: NDArray[np.int64]) -> tuple[tuple[float, float, float], ...]:
    """Return precision and recall for each threshold at which something changes."""
    hits, wrong = np.cumsum(same[::-1])[::-1], np.cumsum(other[::-1])[::-1]
    points: list[tuple[float, float, float]] = []
    for place in np.flatnonzero(same + other):
        taken = int(hits[place] + wrong[place])
        points.append((float(2 * place / BINS - 1), float(hits[place] / taken), float(hits[place] / same.sum())))
    points.append((1.001, 1.0, 0.0))
    return tuple(points)


def _groups(folder: Path) -> dict[str, list[Path]]:
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder. Give a folder of pictures.")
    if (folder / TRUTH).is_file():
        return _groups_from_file(folder)
    inner = {path.name: _pictures(path) for path in sorted(folder.iterdir()) if path.is_dir() and path.name[0] != "."}
    inner = {name: files for name, files in inner.items() if files}
    flat = _pictures(folder)
    if any(len(files) > 1 for files in inner.values()) and not flat:
        return inner
    if len(flat) < 2:
        raise BadInput(
            f"{folder} holds {len(flat)} pictures. Give a folder of different pictures, of folders with copies, or one "
            f"with a {TRUTH}: {FORM}."
        )
    return {path.name: [path] for path in flat}


def _groups_from_file(folder: Path) -> dict[str, list[Path]]:
    path = folder / TRUTH
    try:
        parsed = outside_json.read(path)
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read as JSON: {error}. It must hold {FORM}.") from error
    if not isinstance(parsed, dict) or not parsed or not all(isinstance(files, list) for files in parsed.values()):
        raise BadInput(f"{path} must hold {FORM}.")
    groups: dict[str, list[Path]] = {}
    for name, files in parsed.items():
        for file in files:
            if not isinstance(file, str) or Path(file).name != file or file in (".", ".."):
                raise BadInput(f"{path}: {file!r} in group {name!r} must be a file name without a folder.")
            if not (folder / file).is_file():
                raise BadInput(f"{path}: {file!r} in group {name!r} is missing in {folder}.")
        groups[str(name)] = [folder / file for file in files]
    return groups


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in PICTURE_SUFFIXES)


def _bounded(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    share = min(1.0, LONGEST / max(height, width))
    size = (max(2, round(width * share)), max(2, round(height * share)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _builtin(pictures: Sequence[Picture]) -> F32:
    return _unit(as_vectors(np.stack([descriptor_of(picture) for picture in pictures])))


def _dhash(pictures: Sequence[Picture]) -> F32:
    bits = np.unpackbits(np.stack([dhash(picture) for picture in pictures]), axis=1)
    return _unit(bits.astype(np.float32) * 2 - 1)


def _unit(vectors: F32) -> F32:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9), np.float32)


def _files(*names: str) -> tuple[str, ...]:
    """The files of names such as "a.png (dimmed to 60 %)", each once."""
    kinds = tuple(f" ({kind})" for kind in COPIES)
    return tuple(dict.fromkeys(next((n.removesuffix(kind) for kind in kinds if n.endswith(kind)), n) for n in names))


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
