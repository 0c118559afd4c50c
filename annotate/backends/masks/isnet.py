"""ISNet for anime: segmentation of the pixels that belong to characters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from annotate.backends.contract import ModelInfo, Picture
from annotate.backends.model_files import weights
from annotate.backends.model_files.registry import Installed
from annotate.backends.runtime import onnx_session
from annotate.backends.runtime.device import Batch, Network
from annotate.backends.runtime.inputs import Fit, InputSpec, Resample, on_white
from annotate.backends.runtime.onnx_session import AUTO
from ingest.errors import BadInput

MODEL_FILES = ("model.onnx", "isnetis.onnx")
SIDE = 1024
Mask = NDArray[np.float32]


class IsnetMask:
    """A PictureModel that answers with a mask float32 [h, w] in the picture's size, 0 (background) to 1 (character)."""

    def __init__(
        self, folder: Path, *, revision: str = "", licence: str = "", threads: int = 0, device: str = AUTO
    ) -> None:
        """Raises BadInput when the file is missing, damaged or not this kind of network."""
        path = next((folder / name for name in MODEL_FILES if (folder / name).is_file()), None)
        if path is None:
            raise BadInput(f"{folder} holds no {MODEL_FILES[0]}. Install the model {folder.name} again.")
        opened = onnx_session.open_session(path, threads=threads, device=device)
        shapes = [graph_input.shape for graph_input in opened.session.get_inputs()]
        if len(shapes) != 1 or len(shapes[0]) != 4 or any(isinstance(s, int) and s != SIDE for s in shapes[0][2:]):
            raise BadInput(f"{path}: not an ISNet: it takes {shapes}, not [n, 3, {SIDE}, {SIDE}].")
        self._path = path
        self.network = Network(opened, InputSpec(SIDE, SIDE, Fit.LETTERBOX, Resample.BILINEAR, fill=0))
        self.device = opened.device
        self.info = ModelInfo(
            task="mask", name=folder.name, revision=revision, sha256=weights.sha256_of(path), licence=licence
        )

    def fit(self, picture: Picture) -> Picture:
        """Prepare bytes [SIDE, SIDE, 3]: the longer side scaled to SIDE, aspect ratio kept, padded with black."""
        rgb = on_white(picture)
        left, top, width, height = placed(rgb.shape[1], rgb.shape[0])
        canvas = np.zeros((SIDE, SIDE, 3), np.uint8)
        canvas[top : top + height, left : left + width] = cv2.resize(
            rgb, (width, height), interpolation=cv2.INTER_LINEAR
        )
        return canvas

    def answer(self, batch: Batch, sizes: Sequence[tuple[int, int]]) -> list[Mask]:
        """Compute masks in the size of each picture; `sizes` are (width, height)."""
        planes = np.asarray(self.network.run(batch, self.network.outputs[:1])[0], np.float32)
        if planes.shape != (len(sizes), 1, SIDE, SIDE):
            raise BadInput(f"{self._path}: output {planes.shape} is not a mask [n, 1, {SIDE}, {SIDE}].")
        if not np.isfinite(planes).all():
            raise BadInput(f"{self._path}: the output holds values that are not numbers. Download it again.")
        return [restored(plane[0], size) for plane, size in zip(planes, sizes, strict=True)]

    def mask(self, picture: Picture) -> Mask:
        """Compute the mask of one picture."""
        return self.answer(self.fit(picture)[None], [(picture.shape[1], picture.shape[0])])[0]


def placed(width: int, height: int) -> tuple[int, int, int, int]:
    """Return where a picture lies in the square: left, top, width, height."""
    if height > width:
        wide, high = max(1, SIDE * width // height), SIDE
    else:
        wide, high = SIDE, max(1, SIDE * height // width)
    return (SIDE - wide) // 2, (SIDE - high) // 2, wide, high


def restored(plane: Mask, size: tuple[int, int]) -> Mask:
    """Crop a mask [SIDE, SIDE] to the picture's part and resize it to `size` (width, height), 0 to 1."""
    left, top, width, height = placed(*size)
    part = np.ascontiguousarray(plane[top : top + height, left : left + width])
    return np.asarray(np.clip(cv2.resize(part, size, interpolation=cv2.INTER_LINEAR), 0, 1), np.float32)


def open_installed(installed: Installed, *, device: str = AUTO, threads: int = 0) -> IsnetMask:
    """Open the model in a folder of the models folder."""
    return IsnetMask(
        installed.path,
        revision=str(installed.card.get("revision", "")),
        licence=str(installed.card.get("licence", "")),
        device=device,
        threads=threads,
    )
