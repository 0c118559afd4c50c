"""python -m bench.characters [--write]: few-shot naming of real characters by many artists, and the time per face."""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path

import cv2
import numpy as np

from annotate.algorithms.face_features import describe_head
from annotate.backends.embedders.builtin import BuiltinEmbedder
from annotate.evaluation import characters
from bench.report import ROOT, table, write
from ingest.imaging.decode import UnreadablePicture, read_picture

TEST_DATA = Path(os.environ.get("KOMA_TEST_DATA", ROOT.parent / "shared" / "data"))
SHOTS = (1, 5, 10, 20)
WANTED = (75, 88, 93, 95)
cv2.setNumThreads(1)  # as in every process of Koma
DRAWS = 20
TIMED, ROUNDS = 60, 5


def open_picture(path: Path) -> np.ndarray:
    """As `evaluate characters` reads it."""
    try:
        return read_picture(path, name=path.name).rgb
    except UnreadablePicture as error:
        raise ValueError(str(error)) from error


def milliseconds(folder: Path, embedder: BuiltinEmbedder) -> tuple[float, float]:
    """Processor time per face of the whole embedder and of the colour description alone; median of ROUNDS."""
    paths = sorted(folder.glob("*/*"))
    heads = [open_picture(path) for path in paths[:: max(1, len(paths) // TIMED)]]
    total_ms, colours = [], []
    for _ in range(ROUNDS):
        started = time.process_time()
        embedder.embed(heads)
        between = time.process_time()
        for head in heads:
            describe_head(head)
        total_ms.append(1000 * (between - started) / len(heads))
        colours.append(1000 * (time.process_time() - between) / len(heads))
    return statistics.median(total_ms), statistics.median(colours)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=TEST_DATA / "characters")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    embedder = BuiltinEmbedder()
    scores = characters.measure(options.folder, shots=SHOTS, draws=DRAWS, open_picture=open_picture, embedder=embedder)
    total_ms, colours = milliseconds(options.folder, embedder)
    rows = [
        ("goal", *(f"{value} %" for value in WANTED), "8"),
        (scores.model, *(f"{100 * scores.accuracy[shots]:.1f} %" for shots in SHOTS), f"{total_ms:.1f}"),
    ]
    text = table(("embedder", *(f"{shots} named" for shots in SHOTS), "ms per face, CPU time"), rows)
    text = (
        f"{scores.characters} characters by many artists, {scores.faces} faces after {scores.twins_removed} near-twins "
        f"were taken out; faces of each named at random, the rest asked; mean of {DRAWS} draws. Nothing was trained on "
        "these characters; the constants of naming were chosen on the first three of them, among others.\n\n"
        f"{text}\n\nOf a face's time, the description of its colours takes {colours:.1f} ms."
    )
    print(text)
    if options.write:
        write("Characters: few-shot naming", text)


if __name__ == "__main__":
    main()
