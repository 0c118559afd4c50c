"""Trains the built-in face detector and writes faces.onnx with faces.json.

    python -m training.faces --crops face_crops_64px.zip --out annotate/backends/builtin

Threshold and checkpoint are chosen on a part of the material that is held out before training; no evaluation picture
is read.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_sample_image
from torch.utils.data import DataLoader, IterableDataset

from training.drawing_scenes import draw_places, draw_scenes
from training.export_onnx import write_onnx
from training.face_net import FaceNet, loss, restore, start_from, targets
from training.gathered import read_gathered
from training.scenery import Picture
from training.synthesis import Material, canvas, contact_sheet, read_material
from training.validation import Validation, choose_threshold, find, make_validation

SIDES = (13.5, 84.0)
SIDE_MIN = 16.0  # smaller faces are useless for training sets and resemble leaves and windows
LONGEST = 704  # of the first copy of a picture: faces from 32 pixels of 1280 have 18 there
FRESH = 3  # each canvas is used this many times, mirrored at random


class Canvases(IterableDataset[tuple[NDArray[np.uint8], NDArray[np.float32]]]):  # type: ignore[misc]
    """Endless batches from another process: pictures uint8 [b, s, s, 3], target planes float32 [b, 6, s/8, s/8]."""

    def __init__(self, material: Material, *, size: int, batch: int, seed: int) -> None:
        self.material, self.size, self.batch, self.seed = material, size, batch, seed

    def __iter__(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
        cv2.setNumThreads(1)
        rng = np.random.default_rng(self.seed)
        pool: list[tuple[NDArray[np.uint8], NDArray[np.float32]]] = []
        while True:
            fresh = [canvas(rng, self.size, self.material, sides=SIDES) for _ in range(max(1, self.batch // FRESH))]
            pool.extend(fresh)
            again = [pool[int(rng.integers(len(pool)))] for _ in range(self.batch - len(fresh))]
            yield self._batch(rng, fresh + again)
            del pool[: max(0, len(pool) - 6000)]

    def _batch(
        self, rng: np.random.Generator, canvases: list[tuple[NDArray[np.uint8], NDArray[np.float32]]]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        pictures, planes = [], []
        for picture, truth in canvases:
            if rng.random() < 0.5:
                picture = picture[:, ::-1]
                truth = truth * np.array([-1, 1, 1, 1], np.float32) + np.array([self.size, 0, 0, 0], np.float32)
            pictures.append(picture)
            planes.append(targets(truth, self.size))
        return np.ascontiguousarray(np.stack(pictures)), np.stack(planes)


def average_into(average: FaceNet, net: FaceNet, decay: float) -> None:
    """Move the average weights towards the net's (exponential moving average)."""
    with torch.no_grad():
        for averaged, latest in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
            if averaged.dtype.is_floating_point:
                averaged.lerp_(latest, 1 - decay)
            else:
                averaged.copy_(latest)


def _face_free(rng: np.random.Generator, material: Material, count: int) -> Iterator[Picture]:
    """`count` composed pictures and as many of the gathered scenery in full size, as in the application."""
    for _ in range(count):
        yield material.ground(rng, 384)
    if material.gathered is not None:
        for place in rng.permutation(len(material.gathered.scenery))[:count].tolist():
            yield material.gathered.full_picture(place)


def mine_false_alarms(net: FaceNet, material: Material, *, pictures: int, seed: int, crops_max: int = 4000) -> None:
    """Add false alarms of the net in face-free pictures to `material.hard`, at their detected size."""
    rng = np.random.default_rng(seed)
    alarms = 0
    for picture in _face_free(rng, material, pictures):
        height, width = picture.shape[:2]
        detections = find(net, picture, threshold=0.24)
        for left, top, right, bottom in detections.boxes[:6].tolist():
            side = max(right - left, bottom - top)
            scale = min(1.0, float(rng.uniform(SIDES[0], SIDES[1])) / side)
            reach = min(64 / scale, height / 2, width / 2)
            x = min(max((left + right) / 2, reach), width - reach)
            y = min(max((top + bottom) / 2, reach), height - reach)
            part = picture[max(0, int(y - reach)) : int(y + reach), max(0, int(x - reach)) : int(x + reach)]
            material.hard.append(cv2.resize(part, (128, 128), interpolation=cv2.INTER_AREA))
            alarms += 1
    del material.hard[: max(0, len(material.hard) - crops_max)]
    print(f"mined {alarms} alarms in {pictures} composed face-free pictures and the gathered ones", flush=True)


def photo_cuts(name: str, count: int, *, seed: int) -> list[Picture]:
    """Squares of 320 pixels, cut and scaled out of one of scikit-learn's two sample photographs."""
    photo = load_sample_image(name)
    rng = np.random.default_rng(seed)
    cuts = []
    for _ in range(count):
        side = int(rng.uniform(100, min(photo.shape[:2])))
        y, x = int(rng.integers(photo.shape[0] - side + 1)), int(rng.integers(photo.shape[1] - side + 1))
        cuts.append(cv2.resize(photo[y : y + side, x : x + side], (320, 320), interpolation=cv2.INTER_AREA))
    return cuts


@dataclass(slots=True)
class Best:
    """The averaged net with the best validation figures so far, with its threshold."""

    net: FaceNet
    threshold: float
    figures: dict[str, float]


class Trainer:
    """A net, its running average, and the optimiser's schedule over all rounds."""

    def __init__(self, options: argparse.Namespace, material: Material) -> None:
        torch.manual_seed(options.seed)
        self.options = options
        self.net = FaceNet()
        if options.start and options.start.suffix == ".onnx":
            rng = np.random.default_rng(options.seed)
            canvases = [canvas(rng, options.size, material, sides=SIDES)[0] for _ in range(256)]
            restore(self.net, options.start, torch.from_numpy(np.stack(canvases)))
        elif options.start:
            start_from(self.net, options.start, larger=options.larger)
        self.average = copy.deepcopy(self.net).eval()
        self.rule = torch.optim.AdamW(self.net.parameters(), lr=options.rate, weight_decay=0.02)
        self.done = 0
        self.started = time.monotonic()

    @property
    def progress(self) -> float:
        """Part of the training that is over, by steps or, where a time is given, by the clock."""
        if self.options.minutes:
            return (time.monotonic() - self.started) / 60 / float(self.options.minutes)
        return float(self.done / self.options.steps)

    def step(self, pictures: torch.Tensor, planes: torch.Tensor) -> float:
        """One batch; returns its loss. The rate rises for 150 steps and then falls along a cosine."""
        fall = 0.5 + 0.5 * math.cos(math.pi * min(1.0, self.progress))
        for group in self.rule.param_groups:
            group["lr"] = self.options.rate * min(1.0, (self.done + 1) / 150) * fall + 1e-5
        self.net.train()
        with torch.autocast("cpu", torch.bfloat16):
            answer = self.net.logits(pictures)
        value = loss(answer.float(), planes)
        self.rule.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.rule.step()
        self.done += 1
        average_into(self.average, self.net, min(0.998, (self.done + 1) / (self.done + 20)))
        return float(value.item())

    def round(self, material: Material, checks: Validation, *, number: int, until: float) -> Best | None:
        """Trains to the progress `until`; returns the best of the checks made on the way."""
        canvases = Canvases(
            material, size=self.options.size, batch=self.options.batch, seed=self.options.seed * 1000 + number
        )
        best: Best | None = None
        total = 0.0
        for pictures, planes in DataLoader(canvases, batch_size=None, num_workers=1, prefetch_factor=6):
            total += self.step(pictures, planes)
            if self.done % 100 == 0:
                spent = time.monotonic() - self.started
                print(f"step {self.done}, {self.progress:.0%}, loss {total / 100:.3f} {spent:.0f} s", flush=True)
                total = 0.0
            if self.options.saved and self.done % self.options.saved == 0:
                torch.save(self.average.state_dict(), self.options.out / f"average_{self.done}.pt")
            over = self.progress >= until
            if self.done % self.options.check == 0 or over:
                threshold, figures = choose_threshold(self.average, checks, side_min=SIDE_MIN)
                print(f"step {self.done}: threshold {threshold:.2f} {figures}", flush=True)
                if best is None or figures["f1"] >= best.figures["f1"]:
                    best = Best(copy.deepcopy(self.average), threshold, figures)
            if over:
                break
        return best


def train(material: Material, checks: Validation, options: argparse.Namespace) -> Best:
    """Trains in rounds with mining between them; the checkpoint is the best of the last round, which used all mined
    decoys."""
    trainer = Trainer(options, material)
    if options.steps == 0:
        return Best(trainer.average, *choose_threshold(trainer.average, checks, side_min=SIDE_MIN))
    best: Best | None = None
    if options.start:
        mine_false_alarms(trainer.average, material, pictures=options.mined, seed=options.seed * 77 + 50)
    until = 0.0
    for number, share in enumerate(options.rounds):
        last = number == len(options.rounds) - 1
        until = 1.0 if last else until + share
        best = trainer.round(material, checks, number=number, until=until) or best
        torch.save(trainer.average.state_dict(), options.out / "average.pt")
        if not last:
            mine_false_alarms(trainer.average, material, pictures=options.mined, seed=options.seed * 77 + number)
    if best is None:
        raise SystemExit("no step was trained: the shares of --rounds are too small")
    return best


def write_model(best: Best, folder: Path) -> dict[str, Any]:
    """Writes faces.onnx and faces.json (its threshold, hash and interface) and returns the latter's content."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "faces.onnx"
    torch.save(best.net.state_dict(), folder / "faces.pt")
    write_onnx(best.net, weights)
    card: dict[str, Any] = {
        "name": "koma-faces",
        "version": 3,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "input": "pictures uint8 [n, h, w, 3] RGB, h and w multiples of 16",
        "outputs": "heat float32 [n, h/8, w/8]; shape float32 [n, 4, h/8, w/8]",
        "stride": 8,
        "unit_side": 32.0,
        "side_min": SIDE_MIN,
        "longest": LONGEST,
        "second_look": True,
        "refined": True,
        "threshold": round(best.threshold, 3),
        "validation": {name: round(value, 4) for name, value in best.figures.items()},
    }
    (folder / "faces.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return card


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crops", type=Path, help="zip with face/ and not_face/; left out: drawings only")
    parser.add_argument(
        "--scenery", type=Path, help="folder that training.gathered made: face-free scenery and objects"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for faces.onnx and faces.json")
    parser.add_argument("--steps", type=int, default=4200, help="0: only choose the threshold of --start")
    parser.add_argument("--minutes", type=float, help="train for this long instead of a number of steps")
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--size", type=int, default=144)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument(
        "--rounds", type=float, nargs="+", default=[0.5, 0.25, 0.25], help="shares of the steps between minings"
    )
    parser.add_argument(
        "--mined", type=int, default=1500, help="face-free pictures of each kind searched after each round"
    )
    parser.add_argument("--scenes", type=int, default=700, help="drawn scenes to cut canvases from")
    parser.add_argument("--check", type=int, default=350, help="steps between validations")
    parser.add_argument("--saved", type=int, default=0, help="steps between saved checkpoints (0: none)")
    parser.add_argument(
        "--checked", type=int, default=1200, help="face-free validation pictures; faces in 6/20 as many"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=Path, help="faces.pt or faces.onnx of an earlier run to go on from")
    parser.add_argument("--larger", type=float, default=1.0, help="boxes are to be this much larger than --start's")
    parser.add_argument("--sheet", type=Path, help="only write a picture of sample canvases")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    learn, hold = read_material(options.crops) if options.crops else (Material(), Material())
    learn.scenes = draw_scenes(options.scenes, seed=options.seed)
    learn.places = draw_places(options.scenes // 2, seed=options.seed)
    hold.scenes, hold.places = draw_scenes(100, seed=70_001), draw_places(60, seed=70_002)
    if options.crops:
        learn.places += photo_cuts("china.jpg", 100, seed=options.seed)
        hold.places += photo_cuts("flower.jpg", 30, seed=options.seed)
    if options.scenery:
        learn.gathered, hold.gathered = read_gathered(options.scenery)
    if options.sheet:
        rng = np.random.default_rng(options.seed)
        sheet = contact_sheet([canvas(rng, options.size, learn, sides=SIDES) for _ in range(70)], 10)
        cv2.imwrite(str(options.sheet), sheet[..., ::-1])
        return
    checks = make_validation(hold, seed=90_001, with_faces=options.checked // 20, without=options.checked)
    print(json.dumps(write_model(train(learn, checks, options), options.out)))


if __name__ == "__main__":
    main()
