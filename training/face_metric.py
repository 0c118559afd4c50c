"""Learns the metric of the built-in embedder from drawn people: `python -m training.face_metric [--people N]`.

Writes `annotate/backends/builtin/face_metric.npz` and its card. Nothing but our own drawings goes in.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotate.algorithms import face_features, metric
from drawing.crops import random_head

OUT = Path(__file__).resolve().parent.parent / "annotate" / "backends" / "builtin" / "face_metric.npz"
FIRST_PERSON = 500_000
HEAD_PX = 128
# Detectors do not hit the box exactly: they are off by a share of the face's width, and smaller or larger.
BOX_NOISE = 0.05
SCALE_NOISE = 0.13


def heads_of(person: int, views: int) -> NDArray[np.float32]:
    """Descriptions [<= views, D] of one drawn person in several views, expressions, clothes and lights."""
    rows = []
    for view in range(views):
        random = np.random.default_rng([person, view, 5])
        head = random_head(random, HEAD_PX, identity=FIRST_PERSON + person, back_views=False, room=2.2)
        if head.box is None:
            continue
        box = np.array(head.box)
        middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * np.exp(random.normal(-0.04, SCALE_NOISE))
        box = np.concatenate([middle - half, middle + half]) + random.normal(0, BOX_NOISE, 4) * (box[2] - box[0])
        left, top, right, bottom = (float(value) for value in box)
        rows.append(face_features.describe_face(head.picture, (left, top, right, bottom)))
    return np.stack(rows)


def _one(task: tuple[int, int]) -> NDArray[np.float32]:
    return heads_of(*task)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, learn, write; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m training.face_metric")
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--views", type=int, default=12)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(arguments)
    with ProcessPoolExecutor(options.processes) as pool:
        drawn = list(pool.map(_one, [(person, options.views) for person in range(options.people)]))
    features = np.concatenate(drawn)
    people = np.repeat(np.arange(len(drawn)), [len(rows) for rows in drawn])
    learned = metric.learn(features, people)
    data = io.BytesIO()
    np.savez(data, directions=learned.directions.astype(np.float16), shrink=learned.shrink)
    options.out.write_bytes(data.getvalue())
    card = {
        "name": "builtin",
        "version": f"{face_features.FEATURES_VERSION} metric-1",
        "sha256": hashlib.sha256(data.getvalue()).hexdigest(),
        "licence": "MIT",
        "trained_on": f"{len(features)} heads of {len(drawn)} people drawn by this project's own code; nothing else",
        "made_by": f"python -m training.face_metric --people {options.people} --views {options.views}",
    }
    options.out.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    print(f"{options.out}: {len(features)} heads of {len(drawn)} people")
    return 0


if __name__ == "__main__":
    sys.exit(main())
