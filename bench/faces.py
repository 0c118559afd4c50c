"""How long the built-in face detector takes for a 1280x720 frame on one core.

    python -m bench.faces [--rounds 8]

The frames are drawn scenes with none to four people and, where the test data is there, frames of the real clip.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from annotate.backends.boxes.builtin import BuiltinFaces
from annotate.backends.runtime.onnx_session import CPU
from bench import report
from demo_film.crops import random_scene

SIZE = (1280, 720)
SETTINGS = (("faces from 32 pixels (the default)", False, 40), ("faces from 16 pixels (builtin-small)", True, 80))
CLIP = Path(os.environ.get("KOMA_TEST_DATA", "../shared/data")) / "video" / "real_cuts_ep01.mp4"
CLIP_FRAMES = (160, 300, 480, 800, 1100, 1400)


def drawn_frames(count: int) -> list[NDArray[np.uint8]]:
    """Drawn scenes of SIZE, the same at each run."""
    rng = np.random.default_rng(4711)
    return [random_scene(rng, SIZE)[0] for _ in range(count)]


def clip_frames() -> list[NDArray[np.uint8]]:
    """Frames of the real clip as uint8 RGB; none where it is absent."""
    if not CLIP.is_file():
        return []
    with av.open(str(CLIP)) as film:
        return [
            np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            for number, frame in enumerate(film.decode(video=0))
            if number in CLIP_FRAMES
        ]


def spent(detector: BuiltinFaces, frames: list[NDArray[np.uint8]], *, rounds: int) -> list[float]:
    """Processor milliseconds of each detection, after a round that warms up."""
    taken = []
    for turn in range(rounds + 1):
        for frame in frames:
            started = time.process_time()
            detector.detect([frame])
            if turn:
                taken.append(1000 * (time.process_time() - started))
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--dry", action="store_true", help="print the table, leave docs/benchmarks.md alone")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    kinds = [(name, frames) for name, frames in (("drawn", drawn_frames(8)), ("real film", clip_frames())) if frames]
    rows = []
    for words, small, goal in SETTINGS:
        detector = BuiltinFaces(small_faces=small, threads=1, device=CPU)
        for kind, frames in kinds:
            taken = spent(detector, frames, rounds=options.rounds)
            faces_per_frame = sum(len(detector.detect([frame])[0].boxes) for frame in frames) / len(frames)
            middle, late = statistics.median(taken), float(np.percentile(taken, 95))
            rows.append((words, kind, len(frames), f"{faces_per_frame:.1f}", f"{middle:.1f}", f"{late:.1f}", goal))
    header = ("setting", "frames", "number", "faces found a frame", "median ms", "95th percentile", "goal")
    text = f"Processor time of one thread a 1280x720 frame, {options.rounds} rounds.\n\n" + report.table(header, rows)
    print(text) if options.dry else report.write("Built-in face detector: speed", text)


if __name__ == "__main__":
    main()
