"""Heads for the head network: people redrawn by many hands with the tags of each drawing, and changed crops.

Crops are a zip with `face/*.png`, aligned: the face box's middle lies at (0.50, 0.55) and its side is 0.62 of the crop.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from annotate.algorithms.face_features import cut_head
from training.head_tags import lab, truth
from training.redrawn import Pixels, by_hand, missed, plan, recoloured, redraw, somebody

FloatArray = NDArray[np.float32]
CROP_MIDDLE, CROP_FACE = (0.50, 0.55), 0.62
COLOUR_SCALE = 50.0


@dataclass(frozen=True)
class Drawn:
    """Redrawn heads uint8 [n, 64, 64, 3], `people` [n]; answers and asked [n, tags]; LAB of hair, eyes, skin [n, 9]."""

    heads: Pixels
    people: NDArray[np.int64]
    answers: FloatArray
    is_labelled: FloatArray
    colours: FloatArray


def drawn(first: int, people: int, *, hands: int, processes: int = 1) -> Drawn:
    """`people` from the number `first` on, each redrawn by `hands` hands; the same numbers give the same heads."""
    numbers = range(first, first + people)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:  # a fork of threads can hang
        parts = list(pool.map(partial(_redrawn, hands=hands), numbers, chunksize=8))
    heads, answers, is_labelled, colours = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Drawn(heads, np.repeat(np.arange(first, first + people), hands), answers, is_labelled, colours)


def _redrawn(number: int, *, hands: int) -> tuple[Pixels, FloatArray, FloatArray, FloatArray]:
    who = somebody(number)
    heads, answers, is_labelled = [], [], []
    for hand in range(hands):
        seed = [number, hand, 5]
        tags, known = truth(plan(np.random.default_rng(seed), who), tone=who.tone)
        heads.append(redraw(np.random.default_rng(seed), who))
        answers.append(tags)
        is_labelled.append(known)
    colours = np.concatenate([lab(who.hair), lab(who.eyes), lab(who.skin)]) / COLOUR_SCALE - np.tile([1, 0, 0], 3)
    repeated = np.repeat(colours[None].astype(np.float32), hands, axis=0)
    return np.stack(heads), np.stack(answers), np.stack(is_labelled), repeated


def cropped(path: Path, *, hands: int) -> tuple[Pixels, NDArray[np.int64]]:
    """Each face of the zip changed by `hands` hands: heads uint8 [n, 64, 64, 3] and the face's number [n]."""
    heads = [hands_of(number, face, hands=hands) for number, face in enumerate(faces_of(path))]
    return np.concatenate(heads), np.repeat(np.arange(len(heads)), hands)


def hands_of(number: int, face: Pixels, *, hands: int) -> Pixels:
    """A face of the zip as other hands might draw it: head crops uint8 [hands, 64, 64, 3]."""
    heads = []
    for hand in range(hands):
        random = np.random.default_rng([number, hand, 6])
        seen = face if random.random() < 0.5 else np.ascontiguousarray(face[:, ::-1])
        side, half = seen.shape[0], CROP_FACE * seen.shape[0] / 2
        x, y = CROP_MIDDLE[0] * side, CROP_MIDDLE[1] * side
        head = cut_head(seen, missed(random, (x - half, y - half, x + half, y + half)))
        heads.append(by_hand(random, recoloured(random, head)))
    return np.stack(heads)


def faces_of(path: Path) -> Iterator[Pixels]:
    """The distinct faces uint8 RGB of the zip in the order of their names."""
    seen: set[bytes] = set()
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if not name.startswith("face/") or not name.endswith(".png"):
                continue
            face = cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_COLOR)
            if face is None:
                continue
            small = cv2.resize(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY), (9, 8), interpolation=cv2.INTER_AREA)
            bits = np.packbits((small[:, 1:] > small[:, :-1]).ravel()).tobytes()
            if bits not in seen:
                seen.add(bits)
                yield np.ascontiguousarray(np.asarray(face, np.uint8)[:, :, ::-1])
