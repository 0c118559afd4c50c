"""python -m bench.face_recall [--half choosing] [--thresholds .4 .45] [--write]: faces found and false finds, by kind.

`face_boxes.json` holds boxes of the posters' faces, marked by eye before any detector was run: a file's name, the first
digits of its SHA-256, the half it belongs to (an even number in the first eight digits: `choosing`), its faces with
their kinds, and boxes in which a find counts neither way (statues, masks, animals, faces too dark or cut to tell).
Thresholds and weights are chosen on one half and reported on the other.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from annotate.algorithms import boxes
from annotate.backends.boxes.builtin import BuiltinFaces
from annotate.backends.contract import FaceDetector, Picture
from annotate.backends.model_files import weights
from annotate.backends.runtime.onnx_session import CPU
from annotate.evaluation.faces import read_truth
from bench import report

DATA = Path(os.environ.get("KOMA_TEST_DATA", "../shared/data"))
LABELS = Path(__file__).with_name("face_boxes.json")
HALVES = ("choosing", "reporting")
IOU_MIN = 0.3
CLOSE_UP = 0.62  # a close-up's face takes this share of the picture's height
CLOSE_UP_SIDE_MIN = 40  # pixels; smaller faces are no close-ups
KINDS = {
    "frontal": "frontal, up to three-quarter",
    "profile": "profile",
    "turned": "turned by 90 to 180 degrees",
    "monochrome": "monochrome panel",
    "glasses": "glasses, dark or clear",
    "caricature": "old or caricature",
    "covered": "half covered, cut or dark",
    "small": "20 px wide and below",
}


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture with its true boxes float32 [n, 4] in pixels, their kinds, and boxes [m, 4] that count neither way."""

    name: str
    picture: Picture
    faces: boxes.Boxes
    kinds: list[list[str]]
    unclear: boxes.Boxes


@dataclass(slots=True)
class Counts:
    """Faces, faces found and false finds of a set of pictures; `kinds` counts (kind, found)."""

    pictures: int = 0
    faces: int = 0
    hits: int = 0
    false_finds: int = 0
    seconds: float = 0.0
    kinds: Counter[tuple[str, bool]] = field(default_factory=Counter)

    def add(self, labelled: Labelled, detector: FaceDetector) -> None:
        """Detect the faces of one picture and count."""
        started = time.process_time()
        detections = detector.detect([labelled.picture])[0]
        self.seconds += time.process_time() - started
        matched = boxes.match(labelled.faces, detections.boxes, min_iou=IOU_MIN)
        self.pictures += 1
        self.faces += len(labelled.faces)
        self.hits += len(matched.pairs)
        self.false_finds += sum(not _lies_in(detections.boxes[index], labelled.unclear) for index in matched.extra)
        for index, kinds in enumerate(labelled.kinds):
            self.kinds.update((kind, index not in matched.missed) for kind in kinds)


def _lies_in(box: boxes.Boxes, areas: boxes.Boxes) -> bool:
    x, y = (box[:2] + box[2:]) / 2
    return bool(((areas[:, 0] <= x) & (x <= areas[:, 2]) & (areas[:, 1] <= y) & (y <= areas[:, 3])).any())


def _rows(values: object) -> boxes.Boxes:
    return np.array(values, np.float32).reshape(-1, 4)


def _read(path: Path) -> Picture:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise SystemExit(f"{path} cannot be read.")
    return np.ascontiguousarray(picture[..., ::-1], np.uint8)


def posters(half: str) -> Iterator[Labelled]:
    """The posters of a half. Raises SystemExit if a file is missing or another one than was marked."""
    for row in json.loads(LABELS.read_text(encoding="utf-8")):
        if row["half"] != half:
            continue
        path = DATA / "faces" / "real_posters" / row["picture"]
        if not path.is_file() or not hashlib.sha256(path.read_bytes()).hexdigest().startswith(row["sha256"]):
            raise SystemExit(f"{path} is missing or is not the file whose faces were marked.")
        faces = row["faces"]
        yield Labelled(
            row["picture"], _read(path), _rows([face["box"] for face in faces]), [face["kinds"] for face in faces],
            _rows(row["unclear"]),
        )  # fmt: skip


def turned(labelled: Labelled, quarters: int) -> Labelled:
    """The picture turned to the left by this many quarters, with its boxes."""
    width = labelled.picture.shape[1]

    def turn(rows: boxes.Boxes) -> boxes.Boxes:
        left, top, right, bottom = rows.T
        return np.stack([top, width - right, bottom, width - left], 1)

    quarter = Labelled(
        labelled.name, np.ascontiguousarray(np.rot90(labelled.picture)), turn(labelled.faces), labelled.kinds,
        turn(labelled.unclear),
    )  # fmt: skip
    return quarter if quarters == 1 else turned(quarter, quarters - 1)


def close_ups(labelled: Labelled) -> Iterator[Labelled]:
    """A cut of the picture around each face, as high as CLOSE_UP says and 16:9 as far as the picture reaches."""
    height, width = labelled.picture.shape[:2]
    for box, kinds in zip(labelled.faces, labelled.kinds):
        left, top, right, bottom = box.tolist()
        if bottom - top < CLOSE_UP_SIDE_MIN:
            continue
        half = (bottom - top) / CLOSE_UP / 2
        x, y = (left + right) / 2, (top + bottom) / 2
        x0, y0 = max(0, round(x - half * 16 / 9)), max(0, round(y - half))
        x1, y1 = min(width, round(x + half * 16 / 9)), min(height, round(y + half))
        part = cv2.resize(labelled.picture[y0:y1, x0:x1], None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
        shift = np.array([x0, y0, x0, y0], np.float32)
        others = labelled.faces[(labelled.faces != box).any(axis=1)]
        yield Labelled(
            labelled.name, np.asarray(part, np.uint8), _rows((box - shift) * 4), [kinds],
            _rows([(other - shift) * 4 for other in np.concatenate([others, labelled.unclear])]),
        )  # fmt: skip


def illustrations() -> Iterator[Labelled]:
    """The 512x512 illustrations with their boxes."""
    folder = DATA / "faces" / "eval_illustrations"
    for name, faces in sorted(read_truth(folder).items()):
        yield Labelled(name, _read(folder / name), faces, [[] for _ in faces], _rows([]))


def backgrounds() -> Iterator[Labelled]:
    """Pictures without faces."""
    for path in sorted((DATA / "backgrounds").iterdir()):
        if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"):
            yield Labelled(path.name, _read(path), _rows([]), [], _rows([]))


def measure(pictures: Iterator[Labelled], detector: FaceDetector) -> Counts:
    """Count over all pictures."""
    counts = Counts()
    for labelled in pictures:
        counts.add(labelled, detector)
    return counts


def share(hits: int, total: int) -> str:
    """Hits of total with the share and its 95 % interval (Wilson)."""
    if not total:
        return "-"
    z, part = 1.96, hits / total
    middle = (part + z * z / (2 * total)) / (1 + z * z / total)
    reach = z / (1 + z * z / total) * math.sqrt(part * (1 - part) / total + z * z / (4 * total * total))
    return (
        f"{hits} of {total}, {100 * part:.0f} % ({max(0, 100 * (middle - reach)):.0f} to {100 * (middle + reach):.0f})"
    )


def sets(halves: Sequence[str]) -> dict[str, list[Labelled]]:
    """The pictures to measure on, by name."""
    marked = [labelled for half in halves for labelled in posters(half)]
    return {
        "posters": marked,
        "posters, turned by 90 degrees": [turned(labelled, 1) for labelled in marked],
        "posters, turned by 180 degrees": [turned(labelled, 2) for labelled in marked],
        "close-ups of their faces": [cut for labelled in marked for cut in close_ups(labelled)],
        "illustrations": list(illustrations()),
        "backgrounds": list(backgrounds()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=HALVES, nargs="+", default=["reporting"])
    parser.add_argument("--weights", type=Path, default=weights.BUILTIN, help="folder of faces.onnx and faces.json")
    parser.add_argument("--thresholds", type=float, nargs="+", help="default: the threshold of faces.json")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    pictures = sets(options.half)
    totals, kinds = [], []
    for small in (False, True):
        for threshold in options.thresholds or [None]:
            detector = BuiltinFaces((options.weights,), small_faces=small, threshold=threshold, threads=1, device=CPU)
            setting = ("builtin-small" if small else "builtin") + ("" if threshold is None else f", {threshold:g}")
            for name, of_set in pictures.items():
                counts = measure(iter(of_set), detector)
                milliseconds = f"{1000 * counts.seconds / counts.pictures:.0f}"
                totals.append((setting, name, counts.pictures, share(counts.hits, counts.faces), counts.false_finds,
                               milliseconds))  # fmt: skip
                if name == "posters":
                    of_kinds = [(counts.kinds[kind, True], counts.kinds[kind, False]) for kind in KINDS]
                    kinds.append((setting, *(share(hits, hits + missed) for hits, missed in of_kinds)))
    columns = ("model", "pictures", "number", "faces found at IoU 0.3", "false finds", "ms per picture")
    by_kind = list(zip(("posters: kind of face", *KINDS.values()), *kinds, strict=True))
    text = (
        f"Half: {' and '.join(options.half)}. 95 % intervals in brackets (Wilson). A face may be of two kinds. "
        "Processor time of one thread.\n\n"
        f"{report.table(columns, totals)}\n\n{report.table(by_kind[0], by_kind[1:])}"
    )
    print(text)
    if options.write:
        report.write("Built-in face detector: recall", text)


if __name__ == "__main__":
    main()
