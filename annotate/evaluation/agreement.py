"""Compare two models on a collection: agreement, and the frames on which they disagree.

Reads stored answers; no model runs. Over a large collection an even sample of frames is compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from django.db.models import Count

from annotate.actions import tags
from annotate.actions.model_versions import labels_of
from annotate.algorithms import boxes, packing
from annotate.algorithms.agreement import Agreement
from annotate.algorithms.tag_rules import tag_name
from annotate.models import FrameTag, ModelAnswer, ModelVersion, Tag, TagAlias, TagState
from annotate.tagging.from_pixels import COMPUTED
from annotate.tagging.stored_scores import SCORED, stored_version
from ingest.errors import BadInput
from ingest.models import Collection, FrameState

SAMPLE = 2000  # frames: about a second; agreement is accurate to 2 percentage points
QUESTIONS = 400  # disagreements kept, the widest first
CHUNK = 200
ALIASES = 500  # names per query
SAME_BOX_IOU = 0.5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model version with answers in a collection."""

    version: int
    task: str
    name: str
    frames: int


@dataclass(frozen=True, slots=True)
class Row:
    """The counts of one label."""

    name: str
    agreement: Agreement

    @property
    def precision(self) -> float | None:
        """Where the first side is people: the share of the second's labels that people accepted; None without any."""
        positive = self.agreement.both + self.agreement.only_second
        return self.agreement.both / positive if positive else None

    @property
    def recall(self) -> float | None:
        """The share of the accepted labels that the second gave; None without any."""
        true = self.agreement.both + self.agreement.only_first
        return self.agreement.both / true if true else None


@dataclass(frozen=True, slots=True)
class Question:
    """A frame and a label on which the two disagree; scores (0 to 1) below the stored minimum are 0."""

    frame: int
    name: str
    first: float
    second: float

    @property
    def gap(self) -> float:
        return abs(self.first - self.second)


@dataclass(frozen=True, slots=True)
class BoxDifference:
    """A box that only one of the two detected: (left, top, right, bottom) from 0 to 1, label, score."""

    frame: int
    by_first: bool
    box: tuple[float, float, float, float]
    label: str
    score: float

    @property
    def width(self) -> float:
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Result of a comparison: `common` frames have answers of both, `compared` of these were read.

    Rows are sorted by falling number of disagreements.
    """

    common: int
    compared: int
    total: Agreement
    rows: tuple[Row, ...]
    questions: tuple[Question, ...] = ()
    differences: tuple[BoxDifference, ...] = ()


def candidates(collection: Collection) -> list[Candidate]:
    """Return the versions with answers in the collection: taggers first, then by task and name.

    Within a task the computed answers come last, so that two models are compared by default.
    """
    rows = (
        ModelAnswer.objects.filter(frame__collection=collection)
        .values_list("model_version", "model_version__task", "model_version__name", "model_version__revision")
        .order_by()
        .annotate(n=Count("pk"))
    )
    ordered = []
    for pk, task, name, revision, n in rows:
        called = revision if revision.startswith(name) else f"{name} {revision}".strip()
        order = (task not in SCORED, task == "class", task, name == COMPUTED.name, called, pk)
        ordered.append((order, Candidate(pk, task, called, n)))
    return [candidate for _, candidate in sorted(ordered, key=lambda row: row[0])]


def compare(collection: Collection, first: ModelVersion, second: ModelVersion) -> Comparison:
    """Compare two versions of one task on kept frames, each with its own thresholds.

    Reads at most SAMPLE frames, evenly spaced.
    """
    frames = _common(collection, first, second)
    picked = _sample(frames)
    if first.task in SCORED:
        return _labels(frames, picked, first, second)
    return _boxes(frames, picked, first, second)


def open_questions(collection: Collection, comparison: Comparison, *, label: str = "") -> list[Question]:
    """Return the questions without a person's answer, widest gap first; of one label if given."""
    questions = [question for question in comparison.questions if label in ("", question.name)]
    words = FrameTag.objects.filter(
        by_person=True, frame__in={question.frame for question in questions}, frame__collection=collection
    )
    labelled = set(words.values_list("frame_id", "tag__name"))
    return [question for question in questions if (question.frame, question.name) not in labelled]


def against_people(collection: Collection, version: ModelVersion) -> list[Row]:
    """Compare a version (second) with people's labels (first).

    Of more than SAMPLE such frames an even sample is used.
    """
    if version.task not in SCORED:
        return []
    spoken = FrameTag.objects.filter(frame__collection=collection, frame__state=FrameState.KEPT, by_person=True)
    frames = _sample(list(spoken.order_by("frame_id").values_list("frame_id", flat=True).distinct()))
    words: dict[int, dict[str, bool]] = {}
    for start in range(0, len(frames), CHUNK):
        rows = spoken.filter(frame__in=frames[start : start + CHUNK])
        for frame, name, state in rows.values_list("frame_id", "tag__name", "state"):
            words.setdefault(frame, {})[name] = state == TagState.YES
    reader = _Reader(version)
    by_label: dict[str, Agreement] = {}
    for frame, data in _answers(version, frames):
        if (answer := reader.read(data)) is None:
            continue
        for name, yes in words[frame].items():
            if name in reader.names:
                model = name in answer[0]
                single = Agreement(int(yes and model), int(yes and not model), int(model and not yes), 1)
                by_label[name] = by_label.get(name, Agreement(0, 0, 0, 0)) + single
    return _sorted(by_label)


class _Reader:
    """Unpacks scores to labels by the version's own rules, named as in the vocabulary."""

    def __init__(self, version: ModelVersion) -> None:
        self._scored_version = stored_version(version)
        tag_names = [tag_name(label) if label.name else "" for label in self._scored_version.accepted_tags.labels]
        self._spelled = _spelled({name for name in tag_names if name})
        self._names = [self._spelled.get(name, "") for name in tag_names]
        self.names = set(self._names) - {""}

    def read(self, data: bytes) -> tuple[dict[str, float], dict[str, float]] | None:
        """Return the accepted labels and all stored scores; None for bytes of another version (a restored backup)."""
        try:
            scores = self._scored_version.unpack(data)
        except ValueError:
            return None
        followed = (
            (self._spelled.get(tag_name(label)), score)
            for label, score in self._scored_version.accepted_tags.accepted(scores)
        )
        score_by_tag = {name: score for name, score in followed if name}
        return score_by_tag, {
            self._names[column]: float(scores[column]) for column in np.flatnonzero(scores) if self._names[column]
        }


def _spelled(names: set[str]) -> dict[str, str]:
    """Map the model's label names to the vocabulary's, aliases resolved; without names that are not valid tags."""
    spellings: dict[str, str] = {}
    for start in range(0, len(ordered := sorted(names)), ALIASES):
        part = ordered[start : start + ALIASES]
        known = set(Tag.objects.filter(name__in=part).values_list("name", flat=True))
        aliases = dict(TagAlias.objects.filter(name__in=part).values_list("name", "tag__name"))
        for name in part:
            spellings[name] = name if name in known else aliases.get(name, name)
    return {name: spelling for name, spelling in spellings.items() if _is_valid_name(spelling)}


def _is_valid_name(name: str) -> bool:
    try:
        return tags.clean_name(name) == name
    except BadInput:
        return False


def _sample(frames: list[int]) -> list[int]:
    """Return at most SAMPLE frames, evenly spaced."""
    places = np.linspace(0, len(frames) - 1, min(SAMPLE, len(frames))).round().astype(int)
    return [frames[place] for place in places]


def _common(collection: Collection, first: ModelVersion, second: ModelVersion) -> list[int]:
    answers = ModelAnswer.objects.filter(frame__collection=collection, frame__state=FrameState.KEPT)
    first_frames = set(answers.filter(model_version=first).values_list("frame_id", flat=True))
    return sorted(first_frames.intersection(answers.filter(model_version=second).values_list("frame_id", flat=True)))


def _answers(version: ModelVersion, frames: list[int]) -> Iterator[tuple[int, bytes]]:
    for start in range(0, len(frames), CHUNK):
        rows = ModelAnswer.objects.filter(model_version=version, frame__in=frames[start : start + CHUNK])
        for frame, data in rows.order_by("frame_id").values_list("frame_id", "data"):
            yield frame, bytes(data)


def _pairs(first: ModelVersion, second: ModelVersion, frames: list[int]) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield frames with the answers of both; a frame that was deleted meanwhile is skipped."""
    for start in range(0, len(frames), CHUNK):
        part = frames[start : start + CHUNK]
        first_answers, two = dict(_answers(first, part)), dict(_answers(second, part))
        yield from (
            (frame, first_answers[frame], two[frame]) for frame in part if frame in first_answers and frame in two
        )


def _labels(frames: list[int], picked: list[int], first: ModelVersion, second: ModelVersion) -> Comparison:
    readers = (_Reader(first), _Reader(second))
    shared = readers[0].names & readers[1].names  # a label that only one of them knows is not a disagreement
    by_label: dict[str, Agreement] = {}
    questions: list[Question] = []
    for frame, first_answer, two in _pairs(first, second, picked):
        left, right = readers[0].read(first_answer), readers[1].read(two)
        if left is None or right is None:
            continue
        (first_names, all_one), (second_names, all_two) = left, right
        for name in (first_names.keys() | second_names.keys()) & shared:
            here = (name in first_names, name in second_names)
            counts = Agreement(int(all(here)), int(here == (True, False)), int(here == (False, True)), 0)
            by_label[name] = by_label.get(name, Agreement(0, 0, 0, len(picked))) + counts
            if counts.disagreed:
                questions.append(Question(frame, name, all_one.get(name, 0.0), all_two.get(name, 0.0)))
    questions.sort(key=lambda first_answer: (-first_answer.gap, first_answer.frame, first_answer.name))
    return Comparison(
        len(frames), len(picked), _total(by_label), tuple(_sorted(by_label)), tuple(questions[:QUESTIONS])
    )


def _boxes(frames: list[int], picked: list[int], first: ModelVersion, second: ModelVersion) -> Comparison:
    names = tuple([label.name for label in labels_of(version)] for version in (first, second))
    by_kind: dict[str, Agreement] = {}
    differences: list[BoxDifference] = []
    for frame, first_answer, two in _pairs(first, second, picked):
        try:
            left, right = packing.unpack_boxes(first_answer), packing.unpack_boxes(two)
        except ValueError:  # bytes from a restored backup
            continue
        for name in _kinds(left[2], names[0]) | _kinds(right[2], names[1]):
            is_left_kind = np.array([_kind(number, names[0]) == name for number in left[2]], bool)
            other = np.array([_kind(number, names[1]) == name for number in right[2]], bool)
            matched = boxes.match(left[0][is_left_kind], right[0][other], min_iou=SAME_BOX_IOU)
            counts = Agreement(len(matched.pairs), len(matched.missed), len(matched.extra), 0)
            counts += Agreement(0, 0, 0, counts.both + counts.disagreed)
            by_kind[name] = by_kind.get(name, Agreement(0, 0, 0, 0)) + counts
            for by_first, places, (where, scores, _), own_names in (
                (True, matched.missed, left, is_left_kind), (False, matched.extra, right, other),
            ):  # fmt: skip
                for place in places:
                    left_, top, right_, bottom = (float(value) for value in where[own_names][place])
                    differences.append(
                        BoxDifference(
                            frame, by_first, (left_, top, right_, bottom), name, float(scores[own_names][place])
                        )
                    )
    differences.sort(key=lambda first_answer: (-first_answer.score, first_answer.frame))
    return Comparison(
        len(frames), len(picked), _total(by_kind), tuple(_sorted(by_kind)), differences=tuple(differences[:QUESTIONS])
    )


def _kind(number: int, names: list[str]) -> str:
    return names[number] if number < len(names) else "box"


def _kinds(numbers: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], names: list[str]) -> set[str]:
    return {_kind(int(number), names) for number in np.unique(numbers)}


def _total(by_name: dict[str, Agreement]) -> Agreement:
    return sum(by_name.values(), start=Agreement(0, 0, 0, 0))


def _sorted(by_name: dict[str, Agreement]) -> list[Row]:
    rows = [Row(name, agreement) for name, agreement in by_name.items()]
    return sorted(rows, key=lambda row: (-row.agreement.disagreed, row.name))
