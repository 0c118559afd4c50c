"""Evaluation of a face detector on a folder of pictures with a boxes.json of the true faces."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotate.algorithms import boxes
from annotate.backends.contract import FaceDetector, Picture
from annotate.evaluation.mistakes import WORST, Mistake, relative_boxes
from annotate.evaluation.scores import NOT_IN_JSON, Scores, rounded
from ingest import outside_json
from ingest.errors import BadInput
from ingest.imaging.formats import PICTURE_SUFFIXES

TRUTH = "boxes.json"
NAMES_SHOWN = 20
FORM = '{"name.png": {"boxes": [[left, top, right, bottom], ...]}}, in pixels'


@dataclass(frozen=True, slots=True)
class FaceScores(Scores):
    """Result of `evaluate faces`; `missed` and `alarms` name the pictures with errors."""

    pictures: int
    faces: int
    hits_iou30: int
    hits_iou50: int
    false_positives_iou30: int
    ms_per_picture: float = field(metadata=rounded(2))
    model: str
    device: str
    missed: dict[str, int] = field(default_factory=dict, metadata=NOT_IN_JSON)
    alarms: dict[str, int] = field(default_factory=dict, metadata=NOT_IN_JSON)

    def lines(self) -> list[str]:
        text_lines = [
            f"{self.model} on {self.device}: {self.hits_iou30} of {self.faces} faces at IoU 0.3, "
            f"{self.hits_iou50} at IoU 0.5, {self.false_positives_iou30} false positives in {self.pictures:,} "
            f"pictures, {self.ms_per_picture:.1f} ms per picture"
        ]
        for word, which in (("missed", self.missed), ("false positives", self.alarms)):
            worst = sorted(which.items(), key=lambda item: (-item[1], item[0]))[:NAMES_SHOWN]
            text_lines += [f"  {word}: {number} in {name}" for name, number in worst]
        return text_lines


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A picture with its true boxes float32 [n, 4] in pixels (left, top, right, bottom); `frame`: its row's key, if
    any.
    """

    name: str
    picture: Picture
    faces: NDArray[np.float32]
    frame: int = 0


def read_truth(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Read true boxes float32 [n, 4] in pixels by file name. Raises BadInput naming the wrong entry."""
    path = folder / TRUTH
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder. Give a folder with pictures and a {TRUTH}.")
    if not path.is_file():
        raise BadInput(f"{path} is missing. It must hold {FORM}.")
    try:
        listed = outside_json.read(path)
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read as JSON: {error}. It must hold {FORM}.") from error
    if not isinstance(listed, dict) or not listed:
        raise BadInput(f"{path} lists no pictures. It must hold {FORM}.")
    return {name: _boxes(path, name, entry) for name, entry in listed.items()}


def _boxes(path: Path, name: str, entry: Any) -> NDArray[np.float32]:
    if Path(name).name != name or name in {".", ".."}:
        raise BadInput(f"{path}: {name!r} must be a file name without a folder.")
    rows = entry.get("boxes") if isinstance(entry, dict) else entry
    try:
        boxes = np.array(rows, dtype=np.float32).reshape(-1, 4) if rows is not None else None
    except (TypeError, ValueError):
        boxes = None
    if boxes is None or not np.isfinite(boxes).all() or (boxes[:, 2:] <= boxes[:, :2]).any():
        raise BadInput(f"{path}: the boxes of {name!r} must be rows of left, top, right, bottom with right > left.")
    return boxes


def measure(folder: Path, detector: FaceDetector, *, open_picture: Callable[[Path], Picture]) -> FaceScores:
    """Run the detector on each listed picture; see `score`.

    Raises BadInput for an invalid boxes.json or a missing picture, and whatever `open_picture` raises.
    """
    truth = read_truth(folder)
    absent = sorted(name for name in truth if not (folder / name).is_file())
    if absent:
        raise BadInput(f"{folder}: {len(absent)} of the {len(truth)} listed pictures are missing, first {absent[0]!r}.")

    def labelled_pictures() -> Iterator[LabelledPicture]:
        for name, faces in sorted(truth.items()):
            yield LabelledPicture(name, open_picture(folder / name), faces)

    others = sorted(p.name for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES and p.name not in truth)
    remarks = (
        [f"{len(others):,} pictures are not in {TRUTH} and were not measured, first {others[0]!r}"] if others else []
    )
    return score(labelled_pictures(), detector, remarks=remarks)


def score(
    labelled_pictures: Iterable[LabelledPicture], detector: FaceDetector, *, remarks: Sequence[str] = ()
) -> FaceScores:
    """Run the detector on each picture and count hits at IoU 0.3 and 0.5; `told` is read at the end.

    Only the detector is timed, not the reading of files. A face detected twice counts as one hit and one false
    positive.
    """
    pictures = true = hits30 = hits50 = alarms30 = 0
    missed: dict[str, int] = {}
    alarms: dict[str, int] = {}
    wrong: list[Mistake] = []
    spent = 0.0
    for labelled in labelled_pictures:
        if not pictures:
            detector.detect([labelled.picture])  # the first call also initializes the model
        started = time.perf_counter()
        detections = detector.detect([labelled.picture])[0]
        spent += time.perf_counter() - started
        loose = boxes.match(labelled.faces, detections.boxes, min_iou=0.3)
        pictures += 1
        true += len(labelled.faces)
        hits30 += len(loose.pairs)
        hits50 += len(boxes.match(labelled.faces, detections.boxes, min_iou=0.5).pairs)
        alarms30 += len(loose.extra)
        if loose.missed:
            missed[labelled.name] = len(loose.missed)
        if loose.extra:
            alarms[labelled.name] = len(loose.extra)
        if loose.missed or loose.extra:
            height, width = labelled.picture.shape[:2]
            wrong.append(
                Mistake(
                    (labelled.name,),
                    f"{len(loose.missed)} missed, {len(loose.extra)} false",
                    missed=relative_boxes(labelled.faces[list(loose.missed)], width, height),
                    false=relative_boxes(detections.boxes[list(loose.extra)], width, height),
                    frame=labelled.frame,
                )
            )
            wrong = sorted(wrong, key=lambda labelled: -len(labelled.missed) - len(labelled.false))[:WORST]
    return FaceScores(
        pictures=pictures,
        faces=true,
        hits_iou30=hits30,
        hits_iou50=hits50,
        false_positives_iou30=alarms30,
        ms_per_picture=1000 * spent / max(1, pictures),
        model=f"{detector.info.name} {detector.info.revision}".strip(),
        device=detector.device,
        missed=missed,
        alarms=alarms,
        wrong=tuple(wrong),
        remarks=tuple(remarks),
    )
