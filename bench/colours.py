"""python -m bench.colours [--seeds 11 21 ...] [--write]: how often the names of hair and eye colours are right.

Drawn films know their colours. Faces of real pictures are labelled in `face_colours.json`: the first digits of a file's
SHA-256, a box in pixels, every name that people would use (`[]`: nobody can tell; eyes may be `shut`), and whether the
thresholds were chosen on it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import cv2
import numpy as np

from annotate.algorithms.colour_names import EYES, HAIR
from annotate.algorithms.colour_vote import Ballot
from annotate.algorithms.computed_tags import computed_tags
from annotate.algorithms.face_colours import FaceColours, Named, face_colours
from annotate.algorithms.face_features import Box
from annotate.backends.boxes.builtin import BuiltinFaces
from annotate.backends.contract import Picture
from annotate.backends.runtime.onnx_session import CPU
from bench.report import ROOT, table, write
from demo_film.film import draw_episode
from ingest.imaging.decode import read_picture

TEST_DATA = Path(os.environ.get("KOMA_TEST_DATA", ROOT.parent / "shared" / "data"))
LABELS = Path(__file__).with_name("face_colours.json")
SEEDS = (11, 21, 31, 41)
SECONDS, SIZE = 75.0, (960, 540)
OVERLAP_MIN = 0.3
SHUT = "shut"
cv2.setNumThreads(1)  # as in every process of Koma

Counts = dict[tuple[str, str], Counter[str]]  # by part and by hair or eyes


def count(counts: Counter[str], named: Named | None, names: list[str] | str) -> None:
    """Count one answer: right, wrong, nothing said, or said where nobody can tell."""
    if names == []:
        counts["cannot tell"] += 1
        counts["said anyway"] += named is not None
    elif named is None:
        counts["nothing said"] += 1
    else:
        counts["right" if named.name in names else "wrong"] += 1


def real_faces() -> Iterator[tuple[dict[str, Any], Picture]]:
    """Yield the labelled faces with their pictures; none where the test data is absent."""
    labels = defaultdict(list)
    for label in json.loads(LABELS.read_text(encoding="utf-8")):
        labels[label["sha256"]].append(label)
    for path in sorted(path for path in TEST_DATA.rglob("*.*") if path.suffix in (".png", ".jpg", ".mp4")):
        of_file = labels.get(hashlib.sha256(path.read_bytes()).hexdigest()[:16], [])
        if not of_file or path.suffix != ".mp4":
            for label in of_file:
                yield label, read_picture(path, name=path.name).rgb
            continue
        with av.open(str(path)) as film:
            for number, frame in enumerate(film.decode(video=0)):
                for label in of_file:
                    if label["frame"] == number:
                        yield label, np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def drawn_faces(seed: int, detector: BuiltinFaces) -> Iterator[tuple[list[str], str, Picture, Box]]:
    """Yield each drawing's faces as they are detected: true tags, who it is, picture, box in pixels."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        truth = draw_episode(path, seed=seed, seconds=SECONDS, size=SIZE)
        middles = {drawing.runs[0][0] + (drawing.runs[0][1] - drawing.runs[0][0]) // 2 for drawing in truth.drawings}
        with av.open(str(path)) as film:
            for number, frame in enumerate(film.decode(video=0)):
                if number not in middles:
                    continue
                picture = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
                for detected in detector.detect([picture])[0].boxes:
                    left, top, right, bottom = (float(value) for value in detected)
                    box = (left, top, right, bottom)
                    for seen, relative in truth.faces_at(number):
                        true = tuple(value * side for value, side in zip(relative, (*SIZE, *SIZE), strict=True))
                        if overlap(box, true) > OVERLAP_MIN:
                            yield seen.tags, f"{seed} {seen.key} {seen.costume}", picture, box


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (both - width * height)


def measure(seeds: list[int]) -> tuple[Counts, Counter[str], float]:
    """Return the counts by part, those of colourless pictures, and processor milliseconds per face."""
    counts: Counts = defaultdict(Counter)
    colourless: Counter[str] = Counter()
    spent, faces = 0.0, 0

    def timed(picture: Picture, box: Box) -> FaceColours:
        nonlocal spent, faces
        started = time.process_time()
        colours = face_colours(picture, box)
        spent, faces = spent + time.process_time() - started, faces + 1
        return colours

    def colour_range(part: str, picture: Picture) -> None:
        for kind, version in (("colour", picture), ("grey", grey(picture))):
            tags = computed_tags(version, []).tags
            colourless[f"{part}, {kind}"] += 1
            colourless[f"{part}, {kind}, tagged"] += "monochrome" in tags or "greyscale" in tags

    for label, picture in real_faces():
        colours = timed(picture, tuple(label["box"]))
        count(counts["real: " + label["part"], "hair"], colours.hair, label["hair"])
        count(counts["real: " + label["part"], "eyes"], colours.eyes, label["eyes"])
        colour_range("real", picture)
    detector = BuiltinFaces(threads=1, device=CPU)
    drawn = []
    for seed in seeds:
        for tags, who, picture, box in drawn_faces(seed, detector):
            drawn.append((tags, who, timed(picture, box)))
            colour_range("drawn", picture)
    for kind, names in (("hair", HAIR.names), ("eyes", EYES.names)):
        votes = ((who, getattr(colours, kind)) for _, who, colours in drawn)
        voted = Ballot((who, named) for who, named in votes if named is not None).winners()
        for tags, who, colours in drawn:
            true = [name for name in names if f"{name}_{kind}" in tags]
            named = getattr(colours, kind)
            count(counts["drawn: each face", kind], named, true)
            count(counts["drawn: after the vote", kind], named and voted.get(who, named), true)
    return counts, colourless, 1000 * spent / max(faces, 1)


def grey(picture: Picture) -> Picture:
    """Return the picture without colour, as RGB."""
    return np.asarray(cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="*", type=int, default=list(SEEDS), help="of the drawn films")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    counts, colourless, milliseconds = measure(options.seeds)
    rows = []
    for (part, kind), n in sorted(counts.items()):
        wrong_share = 100 * n["wrong"] / max(1, n["right"] + n["wrong"])
        cannot_tell = f"{n['said anyway']} of {n['cannot tell']}"
        rows.append((part, kind, n["right"], n["wrong"], f"{wrong_share:.1f} %", n["nothing said"], cannot_tell))
    header = (
        "faces",
        "colour of",
        "right",
        "wrong",
        "wrong of those said",
        "nothing said",
        "said where nobody can tell",
    )
    lines = [
        f"{kind}: {colourless[kind + ', tagged']} of {total} called monochrome or greyscale"
        for kind, total in sorted(colourless.items())
        if not kind.endswith("tagged")
    ]
    text = f"{table(header, rows)}\n\n{'; '.join(lines)}. {milliseconds:.1f} ms of processor time per face."
    print(text)
    if options.write:
        write("Colours of hair and eyes", text)


if __name__ == "__main__":
    main()
