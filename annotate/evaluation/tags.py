"""Evaluation of a tagger or classifier on pictures with known tags: per tag, overall, best thresholds."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotate.algorithms.tag_rules import AcceptedTags, tag_name
from annotate.backends.contract import Picture, Scorer
from annotate.evaluation.mistakes import WORST, Mistake
from annotate.evaluation.scores import JsonFields, Scores, named, rounded
from annotate.evaluation.tag_truth import read_truth
from ingest.errors import BadInput

BINS = 1000  # steps of a threshold
SHOWN = 40  # tags in the table
NOTES_SHOWN = 20
CURVE = 50  # points that are kept of the curve

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judge:
    """The measured model: `scores(picture)` returns a score (0 to 1) for each label."""

    name: str
    device: str
    accepted_tags: AcceptedTags
    scores: Callable[[Picture], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Measured(JsonFields):
    """Precision, recall and F1, each 0 to 1."""

    precision: float = field(metadata=rounded(4))
    recall: float = field(metadata=rounded(4))
    f1: float = field(metadata=rounded(4))

    @classmethod
    def of(cls, right: float, predicted: float, true: float) -> Measured:
        """Compute them from numbers of right, predicted and true answers; without predictions the precision is 0."""
        precision, recall = right / predicted if predicted else 0.0, right / true if true else 0.0
        return cls(precision, recall, 2 * right / (predicted + true) if predicted + true else 0.0)


@dataclass(frozen=True, slots=True)
class TagRow(JsonFields):
    """One tag: in how many pictures it is true, predicted, and both; its figures; the threshold of its best F1."""

    name: str
    true: int
    predicted: int
    right: int
    measured: Measured
    best_threshold: float
    best_f1: float

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "true": self.true,
            "told": self.predicted,
            "right": self.right,
            **self.measured.as_json(),
            "best_threshold": round(self.best_threshold, 3),
            "best_f1": round(self.best_f1, 4),
        }


@dataclass(frozen=True, slots=True)
class TagScores(Scores):
    """Result of `evaluate tags`. `micro` weighs all answers equally, `macro` is the mean over the true tags.

    Tags of the ground truth that the model has no label for are counted, not measured. Labels of categories that do not
    occur in the ground truth (often ratings) are never counted as wrong. `curve`: (threshold, precision, recall) with
    one threshold for all.
    """

    model: str
    device: str
    pictures: int
    tags: int
    unknown: int = field(metadata=named("unknown_tags"))
    micro: Measured
    macro: Measured
    best_threshold: float = field(metadata=rounded(3))
    best_f1: float = field(metadata=rounded(4))
    ms_per_picture: float = field(metadata=rounded(2))
    rows: tuple[TagRow, ...] = field(metadata=named("per_tag"))
    curve: tuple[tuple[float, float, float], ...] = field(default=(), metadata=rounded(4))

    def lines(self) -> list[str]:
        text_lines = [
            f"{self.model} on {self.device}: {self.pictures:,} pictures, {self.tags:,} tags, "
            f"{self.ms_per_picture:.1f} ms per picture",
            f"  {'':30} {'true':>6} {'model':>6} {'precision':>9} {'recall':>7} {'F1':>6} {'best at':>8} {'F1':>6}",
        ]
        everything = (("all answers", self.micro), ("mean of the tags", self.macro))
        for name, measured in everything:
            best = f" {self.best_threshold:8.3f} {self.best_f1:6.3f}" if measured is self.micro else ""
            text_lines.append(f"  {name:30} {'':6} {'':6} {_figures(measured)}{best}")
        for row in self.rows[:SHOWN]:
            text_lines.append(
                f"  {row.name[:30]:30} {row.true:6,} {row.predicted:6,} {_figures(row.measured)} "
                f"{row.best_threshold:8.3f} {row.best_f1:6.3f}"
            )
        if len(self.rows) > SHOWN:
            text_lines.append(f"  and {len(self.rows) - SHOWN:,} more tags; --json lists all")
        return text_lines


def judge_of(scorer: Scorer) -> Judge:
    """Return a tagger or classifier that is run picture by picture."""

    def scores(picture: Picture) -> NDArray[np.float32]:
        return scorer.answer(scorer.fit(picture)[None], [(picture.shape[1], picture.shape[0])])[0]

    name = f"{scorer.info.name} {scorer.info.revision}".strip()
    return Judge(name, scorer.device, AcceptedTags(scorer.labels, scorer.rules), scores)


def measure(folder: Path, judge: Judge, *, open_picture: Callable[[Path], Picture]) -> TagScores:
    """Run the model on each listed picture, one at a time; only that is timed, not the reading of files.

    `open_picture` may raise OSError or ValueError: such pictures are reported and left out. Raises BadInput for a
    folder without ground truth, or when the model has no label for any of its tags.
    """
    truth = read_truth(folder)
    labels, rules = judge.accepted_tags.labels, judge.accepted_tags.rules
    names = [tag_name(label) if label.name and label.category not in rules.ladders else "" for label in labels]
    true_names = {name for tags in truth.tags.values() for name in tags}
    valid_names = {name: label.category for label, name in zip(labels, names) if name}
    # Tags of rating steps and series have no output of their own, so no threshold.
    valid_names |= {f"{subject}:{step}": subject for subject, steps in rules.ladders.items() for _, step in steps}
    valid_names |= {name: "copyright" for series in rules.implies.values() for name in series}
    named = {category for name, category in valid_names.items() if name in true_names}
    counted = np.array([bool(name) and label.category in named for label, name in zip(labels, names)], bool)
    tally = _Tally(names, counted, true_names)
    left_out = []
    spent = 0.0
    for file, true in sorted(truth.tags.items()):
        try:
            picture = open_picture(folder / file)
        except (OSError, ValueError) as error:
            left_out.append(f"{file}: {error}")
            continue
        try:
            if not tally.pictures:
                judge.scores(picture)  # the first call also sets the model up
            started = time.perf_counter()
            scores = judge.scores(picture)
        except BadInput as error:  # a model may refuse a picture
            left_out.append(f"{file}: {error}")
            continue
        spent += time.perf_counter() - started
        following = judge.accepted_tags.accepted(scores)
        score_by_tag = {tag_name(label): score for label, score in following if label.category in named}
        tally.add(file, true, score_by_tag, scores)
    if not tally.pictures:
        raise BadInput(f"{folder}: none of its {len(truth.tags):,} pictures could be read: {left_out[0]}")
    known = true_names & valid_names.keys()
    if not known:
        some_names = ", ".join(sorted(true_names)[:3])
        raise BadInput(
            f"{folder}: {judge.name} has no label for any of its tags ({some_names}, ...). Choose another model."
        )
    if truth.untold:
        left_out.append(
            f"{len(truth.untold):,} pictures have no known tags and were not measured, first {truth.untold[0]!r}"
        )
    unknown = true_names - valid_names.keys()
    if unknown:
        left_out.append(f"{len(unknown):,} tags are not labels of the model, for example {sorted(unknown)[0]!r}")
    return tally.result(judge, known, len(unknown), 1000 * spent / tally.pictures, left_out)


class _Tally:
    """Counts over the pictures; memory: two numbers per threshold step and true tag."""

    def __init__(self, names: Sequence[str], counted: NDArray[np.bool_], true_names: Collection[str]) -> None:
        self.names, self.counted = names, counted
        self._traced = counted & np.array([name in true_names for name in names], bool)
        self.pictures = 0
        self.true: dict[str, int] = {}
        self.predicted: dict[str, int] = {}
        self.right: dict[str, int] = {}
        self._place = {name: column for column, name in enumerate(names) if name}
        self._hits: dict[str, NDArray[np.int64]] = {}  # steps of the scores where the tag is true
        self._all: dict[int, NDArray[np.int64]] = {}  # and of all pictures, by label
        self._every = np.zeros((2, BINS + 1), np.int64)  # false, true: of all counted labels
        self._wrong: list[tuple[float, str, str]] = []

    def add(self, file: str, true: frozenset[str], score_by_tag: dict[str, float], scores: NDArray[np.float32]) -> None:
        """Add one picture: its true tags, the predicted ones with scores, and the raw scores."""
        self.pictures += 1
        for name in true:
            self.true[name] = self.true.get(name, 0) + 1
        for name in score_by_tag:
            self.predicted[name] = self.predicted.get(name, 0) + 1
            if name in true:
                self.right[name] = self.right.get(name, 0) + 1
        steps = np.clip(np.floor(scores.astype(np.float64) * BINS), 0, BINS).astype(np.int64)
        is_true = np.zeros(len(scores), bool)
        is_true[[self._place[name] for name in true if name in self._place]] = True
        for kind in (False, True):
            chosen = self.counted & (is_true == kind)
            self._every[int(kind)] += np.bincount(steps[chosen], minlength=BINS + 1)
        for column in np.flatnonzero(is_true).tolist():
            name = self.names[column]
            self._hits.setdefault(name, np.zeros(BINS + 1, np.int64))[steps[column]] += 1
        for column in np.flatnonzero(self._traced).tolist():
            self._all.setdefault(column, np.zeros(BINS + 1, np.int64))[steps[column]] += 1
        self._note(file, true, score_by_tag, scores)

    def _note(
        self, file: str, true: frozenset[str], score_by_tag: dict[str, float], scores: NDArray[np.float32]
    ) -> None:
        """Keep the most confident wrong answers and the least confident true tags seen so far."""
        wrong = [
            (score, file, f"{name} was predicted ({score:.2f}), but is not true")
            for name, score in score_by_tag.items()
            if name not in true
        ]
        for name in true - score_by_tag.keys():
            if name in self._place:
                score = float(scores[self._place[name]])
                wrong.append((1 - score, file, f"{name} is true, but got only {score:.2f}"))
        self._wrong = sorted([*self._wrong, *wrong], key=lambda entry: (-entry[0], entry[1], entry[2]))[:WORST]

    def result(
        self, judge: Judge, known: set[str], unknown: int, ms_per_picture: float, left_out: list[str]
    ) -> TagScores:
        """Return all figures; `known` tags are true somewhere and labels of the model."""
        rows = sorted((self._row(name) for name in known), key=lambda row: (-row.true, row.name))
        micro = Measured.of(
            sum(self.right.values()), sum(self.predicted.values()), sum(self.true[name] for name in known)
        )
        curve = _curve(self._every[1], self._every[0])
        best = max(curve, key=lambda point: _f1(point[1], point[2]), default=(0.0, 0.0, 0.0))
        return TagScores(
            model=judge.name, device=judge.device, pictures=self.pictures, tags=len(rows), unknown=unknown, micro=micro,
            macro=_mean([row.measured for row in rows]), best_threshold=best[0], best_f1=_f1(best[1], best[2]),
            ms_per_picture=ms_per_picture, rows=tuple(rows),
            curve=tuple(curve[:: max(1, len(curve) // CURVE)]),
            wrong=tuple(Mistake((file,), words) for _, file, words in self._wrong), remarks=left_out[:NOTES_SHOWN],
        )  # fmt: skip

    def _row(self, name: str) -> TagRow:
        true, predicted, right = self.true[name], self.predicted.get(name, 0), self.right.get(name, 0)
        hits = self._hits.get(name, np.zeros(BINS + 1, np.int64))
        every = self._all.get(self._place.get(name, -1), hits)
        points = _curve(hits, every - hits, true=true)
        best = max(points, key=lambda point: _f1(point[1], point[2]), default=(0.0, 0.0, 0.0))
        return TagRow(name, true, predicted, right, Measured.of(right, predicted, true), best[0], _f1(best[1], best[2]))


def _curve(
    right: NDArray[np.int64], wrong: NDArray[np.int64], *, true: int | None = None
) -> list[tuple[float, float, float]]:
    """Return (threshold, precision, recall) for each step with predictions, from counts [BINS + 1] by step.

    The lowest step holds scores of practically 0 and is not a threshold.
    """
    hits, misses = np.cumsum(right[::-1])[::-1], np.cumsum(wrong[::-1])[::-1]
    total = max(1, int(right.sum()) if true is None else true)
    steps = [step for step in np.flatnonzero(right + wrong).tolist() if step]
    return [(step / BINS, float(hits[step] / (hits[step] + misses[step])), float(hits[step] / total)) for step in steps]


def _mean(measured: Sequence[Measured]) -> Measured:
    return Measured(
        float(np.mean([measured_tag.precision for measured_tag in measured])),
        float(np.mean([measured_tag.recall for measured_tag in measured])),
        float(np.mean([measured_tag.f1 for measured_tag in measured])),
    )


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _figures(measured: Measured) -> str:
    return f"{measured.precision:9.3f} {measured.recall:7.3f} {measured.f1:6.3f}"
