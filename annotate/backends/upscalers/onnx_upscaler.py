"""Upscaling networks as ONNX files: Real-ESRGAN (BGR, `image.1` to `image`) and CDC (RGB, `input` to `output`)."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotate.backends.contract import ModelInfo, Picture
from annotate.backends.model_files import weights
from annotate.backends.model_files.registry import CARD, Installed
from annotate.backends.runtime.onnx_session import AUTO, RUN_ERRORS, check_names, first_line, open_session
from annotate.backends.upscalers.tiles import OVERLAP, TILE, check_size, enlarge, padded_to
from ingest.errors import BadInput

PROBE = 16  # side of the picture that determines the factor
FACTOR_MAX = 8
FACTOR_USUAL = 4
TILE_LEAST, TILE_MOST = 32, 2048


@dataclass(frozen=True, slots=True)
class Interface:
    """Interface of a family's graphs: input and output names, channel order, the multiple for sides, tiles.

    CDC's tiles are those of the reference. Real-ESRGAN has none there: its network needs 1.2 GB for 256 pixels, 3.2 GB
    for 512.
    """

    what: str
    input: str
    output: str
    bgr: bool
    multiple: int
    tile: int = TILE
    overlap: int = OVERLAP


INTERFACES = {
    "real_esrgan": Interface("Real-ESRGAN upscaler", "image.1", "image", bgr=True, multiple=1, tile=256, overlap=32),
    "cdc": Interface("CDC upscaler", "input", "output", bgr=False, multiple=16),
}


class OnnxUpscaler:
    """An upscaler with one of INTERFACES. Input values are 0..1; six-dimensional outputs [1, 3, s, h, s, w] are read as
    [1, 3, sh, sw].

    Unlike the reference, which truncates for CDC, results are rounded for both.
    """

    def __init__(
        self,
        path: Path,
        interface: Interface,
        info: ModelInfo,
        *,
        device: str = AUTO,
        threads: int = 0,
        tile: int = 0,
    ) -> None:
        """Raises BadInput when the file is not such a graph. `tile`: 0 for the interface's; smaller needs less
        memory."""
        tile = tile or interface.tile
        overlap = min(interface.overlap, tile // 4)
        self._path, self._interface, self._tile, self._overlap = path, interface, tile, overlap
        opened = open_session(path, threads=threads, device=device)
        check_names(opened, path, inputs=[interface.input], outputs=[interface.output], what=interface.what)
        self._session = opened.session
        self._half = "float16" in opened.session.get_inputs()[0].type
        self._one_at_a_time = threading.Lock()  # two large tiles at once would need twice the memory
        self.device = opened.device
        self.factor = self._find_factor()
        settings = info.settings | {"factor": self.factor, "tile": tile, "overlap": overlap}
        self.info = ModelInfo(info.task, info.name, info.revision, info.sha256, info.licence, settings)

    def upscale(self, picture: Picture, *, times: int) -> Picture:
        """See the contract."""
        check_size(picture, factor=self.factor, times=times)
        for _ in range(times):
            picture = enlarge(picture, self._net, factor=self.factor, tile=self._tile, overlap=self._overlap)
        return picture

    def _net(self, tile: Picture) -> NDArray[np.float32]:
        height, width = tile.shape[:2]
        answer = self._run(padded_to(tile, self._interface.multiple))
        return answer[: height * self.factor, : width * self.factor]

    def _run(self, tile: Picture) -> NDArray[np.float32]:
        """Upscale bytes [h, w, 3] to values 0..1, both RGB, larger by the factor."""
        ordered = tile[..., ::-1] if self._interface.bgr else tile
        values = np.ascontiguousarray(ordered.transpose(2, 0, 1)[None]).astype(np.float32) / np.float32(255)
        try:
            with self._one_at_a_time:
                (answer,) = self._session.run(
                    [self._interface.output],
                    {self._interface.input: values.astype(np.float16) if self._half else values},
                )
        except RUN_ERRORS as error:
            reason = first_line(error)
            raise BadInput(
                f"{self._path.name} could not upscale {tile.shape[1]} x {tile.shape[0]} pixels on {self.device} "
                f'({reason}). If memory ran out, put "options": {{"tile": 128}} into its {CARD}.'
            ) from error
        if answer.ndim == 6:  # sub-pixels not yet interleaved: [1, 3, s, h, s, w]
            _, colours, down, high, across, wide = answer.shape
            answer = answer.reshape(1, colours, down * high, across * wide)
        if answer.ndim != 4 or answer.shape[:2] != (1, 3):
            raise self._wrong(f"its output has the shape {answer.shape}")
        if not np.isfinite(answer).all():
            raise self._wrong("its output holds values that are not numbers")
        picture: NDArray[np.float32] = answer[0].transpose(1, 2, 0).astype(np.float32)
        return picture[..., ::-1] if self._interface.bgr else picture

    def _find_factor(self) -> int:
        height, width = self._run(np.zeros((PROBE, PROBE, 3), np.uint8)).shape[:2]
        factor = int(height) // PROBE
        if (height, width) != (factor * PROBE, factor * PROBE) or not 2 <= factor <= FACTOR_MAX:
            raise self._wrong(f"{PROBE} x {PROBE} pixels become {width} x {height}")
        return factor

    def _wrong(self, why: str) -> BadInput:
        return BadInput(f"{self._path}: not a {self._interface.what} model: {why}. Install it again.")


def open_installed(installed: Installed, *, device: str = AUTO, threads: int = 0) -> OnnxUpscaler:
    """Open a model of either family; the folder must hold exactly one .onnx file."""
    path = graph_of(installed)
    info = ModelInfo(
        task="upscale",
        name=installed.name,
        revision=str(installed.card.get("revision", "")),
        sha256=weights.sha256_of(path),
        licence=str(installed.card.get("licence", "")),
    )
    options = installed.card.get("options")
    tile = options.get("tile", 0) if isinstance(options, dict) else 0
    if not isinstance(tile, int) or (tile and not TILE_LEAST <= tile <= TILE_MOST):
        raise BadInput(
            f'{installed.path / CARD}: "tile" must be a whole number from {TILE_LEAST} to {TILE_MOST} pixels.'
        )
    return OnnxUpscaler(path, INTERFACES[installed.family.name], info, device=device, threads=threads, tile=tile)


def graph_of(installed: Installed) -> Path:
    """Return the .onnx file of a model's folder. Raises BadInput when there is none or more than one."""
    graphs = sorted(installed.path.glob("*.onnx"))
    if len(graphs) != 1:
        raise BadInput(f"{installed.path} must hold exactly one .onnx file; it holds {len(graphs)}. Install it again.")
    return graphs[0]


def stated_factor(installed: Installed) -> int:
    """Return the factor stated by the card or by a name (`..._X4_320`, `..._x4plus`), without loading the model; else
    4."""
    factor: Any = installed.card.get("factor")
    if isinstance(factor, int) and 2 <= factor <= FACTOR_MAX:
        return factor
    match = re.search(r"[xX]([2-8])(?![0-9])", f"{installed.name} {graph_of(installed).stem}")
    return int(match.group(1)) if match else FACTOR_USUAL
