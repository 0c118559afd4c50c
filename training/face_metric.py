"""Learns the metric of the built-in embedder: `python -m training.face_metric --crops face_crops_64px.zip`.

Writes `annotate/backends/builtin/face_metric.npz` and its card. Half of the variation that it learns to ignore is that
of drawn people in a film; a quarter that of one person drawn by many hands; a quarter that of crops of other drawings
changed by another hand. Without `--crops` only the first two are used.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from annotate.algorithms import face_features, metric
from annotate.backends.taggers.heads import HeadPlacer
from demo_film.crops import random_head
from training.head_material import faces_of, hands_of
from training.redrawn import redraw, somebody

OUT = Path(__file__).resolve().parent.parent / "annotate" / "backends" / "builtin" / "face_metric.npz"
FIRST_PERSON = 500_000
HEAD_PX, CROP_PX = 128, 96
CROP_HANDS = 2
SHARES = (0.5, 0.25, 0.25)  # films, hands, crops
# Boxes of detectors are inexact: shifted by a share of the face's width, and smaller or larger.
BOX_NOISE = 0.05
SCALE_NOISE = 0.13

Pixels = NDArray[np.uint8]
Rows = NDArray[np.float32]


def in_films(person: int, *, views: int) -> list[Pixels]:
    """Head crops of one drawn person in several views, expressions, clothes and lights."""
    crops = []
    for view in range(views):
        random = np.random.default_rng([person, view, 5])
        head = random_head(random, HEAD_PX, identity=FIRST_PERSON + person, back_views=False, room=2.2)
        if head.box is None:
            continue
        box = np.array(head.box)
        middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * np.exp(random.normal(-0.04, SCALE_NOISE))
        box = np.concatenate([middle - half, middle + half]) + random.normal(0, BOX_NOISE, 4) * (box[2] - box[0])
        left, top, right, bottom = (float(value) for value in box)
        crops.append(face_features.cut_head(head.picture, (left, top, right, bottom), side_px=CROP_PX))
    return crops


def by_hands(person: int, *, views: int) -> list[Pixels]:
    """Head crops of one person by many hands."""
    who = somebody(person)
    return [redraw(np.random.default_rng([person, hand, 5]), who) for hand in range(views)]


def described(crops: Iterable[Pixels]) -> Rows:
    """Descriptors [n, D] of crops, normalised as by the embedder."""
    placer = HeadPlacer()
    return face_features.describe_heads(placer.settle(crop) for crop in crops)


def _person(number: int, *, kind: str, views: int) -> Rows:
    cv2.setNumThreads(1)
    return described((in_films if kind == "films" else by_hands)(number, views=views))


def _face(task: tuple[int, Pixels]) -> Rows:
    cv2.setNumThreads(1)
    return described(hands_of(*task, hands=CROP_HANDS))


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, learn, write; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m training.face_metric")
    parser.add_argument("--people", type=int, default=240)
    parser.add_argument("--views", type=int, default=8)
    parser.add_argument("--crops", type=Path, help="zip with face/*.png")
    parser.add_argument("--faces", type=int, default=2600, help="crops to take")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(arguments)
    parts: list[list[Rows]] = []
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        for kind in ("films", "hands"):
            work = partial(_person, kind=kind, views=options.views)
            parts.append(list(pool.map(work, range(options.people), chunksize=4)))
        if options.crops:
            faces = list(islice(enumerate(faces_of(options.crops)), options.faces))
            parts.append(list(pool.map(_face, faces, chunksize=16)))
    sources = []
    for rows, share in zip(parts, SHARES, strict=False):
        owner = np.repeat(np.arange(len(rows)), [len(part) for part in rows])
        sources.append((np.concatenate(rows), owner, share))
    learned = metric.learn(sources)
    data = io.BytesIO()
    np.savez(data, directions=learned.directions.astype(np.float16), shrink=learned.shrink)
    options.out.write_bytes(data.getvalue())
    made_by = f"python -m training.face_metric --people {options.people} --views {options.views}"
    counts = [len(rows) for rows, _, _ in sources]
    description = (
        f"{counts[0]} heads of {options.people} people as in films and {counts[1]} heads of {options.people} people "
    )
    description += "by many hands, drawn by this project's own code"
    if options.crops:
        made_by += f" --crops face_crops_64px.zip --faces {options.faces}"
        description += f"; {counts[2]} changed crops of {len(parts[2])} drawn faces by others, whose rights are unclear"
    card = {
        "name": "builtin",
        "version": f"{face_features.FEATURES_VERSION} metric-2",
        "sha256": hashlib.sha256(data.getvalue()).hexdigest(),
        "licence": "MIT",
        "trained_on": description,
        "made_by": made_by,
    }
    options.out.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    print(f"{options.out}: {description}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
