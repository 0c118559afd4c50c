"""How many poses of drawn films the stage *Similar frames* keeps, and how often; writes into docs/benchmarks.md.

python -m bench.poses [--seeds 20 7 11] [--sheet FOLDER]

Poses are those of the script: arms and views of people in one framing. Views are rounded to steps of 24 degrees and
count as one pose within a step, as does a camera that moves over one drawing. `--sheet` also draws contact sheets of
what is kept by both rules.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.extraction import CLIP
from bench.report import table, write
from demo_film.film import FPS, draw_episode
from demo_film.script import Plan, make_script
from ingest.algorithms.best_copy import preference
from ingest.algorithms.near_duplicates import Groups, find_groups
from ingest.algorithms.pose_groups import find_pose_groups
from ingest.algorithms.poses import is_same_drawing, small_picture
from ingest.algorithms.quality import overall
from ingest.imaging.encode import encode_preview
from ingest.imaging.extraction import Extracted, ExtractParams, extract

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]
F32 = NDArray[np.float32]
SECONDS = 60
SIZE = (640, 360)
SEEDS = (20, 7, 11, 31, 32)
TILE = (240, 135)
STEP_DEGREES = 16


@dataclass
class Film:
    """The frames of a film that extraction keeps, with their previews as stored."""

    frames: list[Extracted]
    previews: list[U8]

    @staticmethod
    def of(path: Path) -> Film:
        frames = [frame for frame in extract(path, ExtractParams(full_pictures=False)) if not frame.reason]
        stored = [np.frombuffer(encode_preview(frame.preview), np.uint8) for frame in frames]
        return Film(frames, [np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8) for data in stored])

    def ranks(self) -> F32:
        quality = np.asarray([overall(frame.measures) for frame in self.frames])
        sides = np.full(len(quality), min(self.frames[0].width, self.frames[0].height), np.float32)
        return preference(quality, sides, worked_on=np.zeros(len(quality), bool))


class Comparison:
    """Compares previews; counts the pairs and the seconds of processor time."""

    def __init__(self, previews: list[U8]) -> None:
        began = time.process_time()
        self.pictures = [small_picture(preview) for preview in previews]
        self.reading_s = time.process_time() - began
        self.pairs, self.comparing_s = 0, 0.0

    def __call__(self, rows: I64, others: I64, similarity: F32) -> NDArray[np.bool_]:
        began = time.process_time()
        pairs = zip(rows.tolist(), others.tolist(), strict=True)
        same = [is_same_drawing(self.pictures[a], self.pictures[b]) for a, b in pairs]
        self.comparing_s += time.process_time() - began
        self.pairs += len(same)
        return np.asarray(same, dtype=bool)


def pose_of_frame(seed: int) -> list[Hashable]:
    """For each frame of a drawn film the pose that it shows."""
    plans, _, _ = make_script(seed, round(SECONDS * FPS))
    return [_pose(plan, beat) for plan in plans for beat, (_, length) in enumerate(plan.beats) for _ in range(length)]


def _pose(plan: Plan, beat: int) -> Hashable:
    framing = (
        plan.kind,
        plan.place,
        plan.ground,
        plan.camera,
        tuple((a.person.key, a.costume, a.x) for a in plan.actors),
    )
    poses = () if plan.camera != "still" else plan.beats[beat][0]
    return framing, tuple((pose.arms, round(pose.yaw / STEP_DEGREES / 1.5)) for pose in poses)


def scored(seed: int, film: Film, groups: Groups) -> tuple[int, int]:
    """Numbers of poses, and of those of which a frame is kept."""
    pose_of = pose_of_frame(seed)
    poses = [pose_of[frame.index] for frame in film.frames]
    return len(set(poses)), len({poses[row] for row in np.flatnonzero(groups.is_representative)})


def rules(film: Film) -> tuple[Groups, Groups, Comparison]:
    """Groups by the threshold alone and by poses."""
    descriptors, ranks = np.stack([frame.descriptor for frame in film.frames]), film.ranks()
    comparison = Comparison(film.previews)
    return find_groups(descriptors, ranks), find_pose_groups(descriptors, ranks, comparison), comparison


def draw_sheet(path: Path, film: Film, groups: Groups, *, columns: int = 6) -> None:
    """A contact sheet of the kept frames with their times."""
    tiles = []
    for row in np.flatnonzero(groups.is_representative):
        tile = cv2.resize(film.previews[row][..., ::-1], TILE, interpolation=cv2.INTER_AREA)
        text = f"{film.frames[row].time_s:.2f} s"
        tiles.append(cv2.putText(tile, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 255), 1, cv2.LINE_AA))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    cv2.imwrite(
        str(path), np.vstack([np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)])
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS)
    parser.add_argument("--sheet", type=Path, help="folder for contact sheets")
    options = parser.parse_args()
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in options.seeds:
            path = Path(folder) / f"{seed}.mp4"
            draw_episode(path, seed=seed, seconds=SECONDS, size=SIZE)
            rows.append(_row(f"drawn, seed {seed}", Film.of(path), seed, options.sheet))
    if CLIP.exists():
        rows.append(_row("real cuts", Film.of(CLIP), None, options.sheet))
    header = [
        "film",
        "frames",
        "threshold: kept",
        "poses",
        "poses: kept",
        "poses",
        "frames a pose",
        "pairs",
        "ms a pair",
        "ms a preview",
    ]
    write("Similar frames: poses kept", table(header, rows))


def _row(name: str, film: Film, seed: int | None, sheets: Path | None) -> list[object]:
    by_threshold, by_pose, comparison = rules(film)
    if sheets is not None:
        sheets.mkdir(parents=True, exist_ok=True)
        for rule, groups in (("threshold", by_threshold), ("poses", by_pose)):
            draw_sheet(sheets / f"{name.replace(', ', '_').replace(' ', '_')}_{rule}.png", film, groups)
    cells: list[object] = [name, len(film.frames)]
    for groups in (by_threshold, by_pose):
        poses, covered = scored(seed, film, groups) if seed is not None else (0, 0)
        cells += [int(groups.is_representative.sum()), f"{covered} of {poses}" if poses else "-"]
    cells.append(f"{int(by_pose.is_representative.sum()) / poses:.2f}" if poses else "-")
    pair_ms = 1000 * comparison.comparing_s / max(1, comparison.pairs)
    return [*cells, comparison.pairs, f"{pair_ms:.1f}", f"{1000 * comparison.reading_s / len(film.frames):.2f}"]


if __name__ == "__main__":
    main()
