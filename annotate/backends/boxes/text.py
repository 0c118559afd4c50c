"""PaddleOCR's text detector (DB), as exported by deepghs: locates text, does not read it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from annotate.algorithms.tag_rules import Label
from annotate.algorithms.text_boxes import TextBoxes, read_heat
from annotate.backends.contract import ModelInfo, Picture
from annotate.backends.model_files import weights
from annotate.backends.model_files.registry import Installed
from annotate.backends.runtime import onnx_session
from annotate.backends.runtime.device import Batch, Network
from annotate.backends.runtime.inputs import Fit, InputSpec, on_white
from annotate.backends.runtime.onnx_session import AUTO
from ingest.errors import BadInput

MODEL_FILE = "model.onnx"
MULTIPLE = 64
SIDE_MAX = 4096  # pixels; larger pictures are refused: their heat map would fill the memory
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


class PaddleText:
    """A PictureModel that answers with the text boxes of a picture. Pictures keep their size."""

    labels = (Label("text", "object"),)

    def __init__(
        self, path: Path, *, name: str = "", heat_min: float = 0.3, box_min: float = 0.7, grow: float = 2.0,
        revision: str = "", licence: str = "", threads: int = 0, device: str = AUTO,
    ) -> None:  # fmt: skip
        """`path`: the model's folder, or the file. Raises BadInput when the file is missing, damaged or not this kind
        of network."""
        name = name or path.name
        if path.suffix != ".onnx":
            path = path / MODEL_FILE
        if not path.is_file():
            raise BadInput(f"{path} is missing. Install the model {name} again.")
        opened = onnx_session.open_session(path, threads=threads, device=device)
        shapes = [graph_input.shape for graph_input in opened.session.get_inputs()]
        if len(shapes) != 1 or len(shapes[0]) != 4 or any(isinstance(side, int) for side in shapes[0][2:]):
            raise BadInput(f"{path}: not a text detector: it takes {shapes}, not [n, 3, any, any].")
        # MULTIPLE tells the reader that input sizes follow the pictures' sizes; `fit` below does the padding.
        spec = InputSpec(SIDE_MAX, SIDE_MAX, Fit.MULTIPLE, mean=CLIP_MEAN, std=CLIP_STD, multiple=MULTIPLE)
        self._path, self._heat_min, self._box_min, self._grow = path, heat_min, box_min, grow
        self.network = Network(opened, spec)
        self.device = opened.device
        self.info = ModelInfo(
            task="text", name=name, revision=revision, sha256=weights.sha256_of(path), licence=licence,
            settings={"heat_min": heat_min, "box_min": box_min, "grow": grow},
        )  # fmt: skip

    def fit(self, picture: Picture) -> Picture:
        """Pad the picture with black on the right and below, to sides that are multiples of 64. Raises BadInput beyond
        SIDE_MAX."""
        rgb = on_white(picture)
        height, width = rgb.shape[:2]
        if max(height, width) > SIDE_MAX:
            raise BadInput(f"it has {width} x {height} pixels; text detection takes up to {SIDE_MAX} per side")
        down, across = -height % MULTIPLE, -width % MULTIPLE
        return np.pad(rgb, ((0, down), (0, across), (0, 0)))

    def answer(self, batch: Batch, sizes: Sequence[tuple[int, int]]) -> list[TextBoxes]:
        """Detect the text boxes of fitted bytes uint8 [n, h, w, 3]; `sizes` are the (width, height) of the pictures."""
        heats = np.asarray(self.network.run(batch, self.network.outputs[:1])[0], np.float32)
        if heats.ndim != 4 or not heats.shape[1] or heats.shape[2:] != tuple(batch.shape[1:3]):
            raise BadInput(f"{self._path}: output {heats.shape} is not a heat map of the input's size.")
        if not np.isfinite(heats).all():
            raise BadInput(f"{self._path}: the output holds values that are not numbers. Download it again.")
        return [
            read_heat(heat[0, :height, :width], heat_min=self._heat_min, box_min=self._box_min, grow=self._grow)
            for heat, (width, height) in zip(heats, sizes, strict=True)
        ]


def open_installed(installed: Installed, *, device: str = AUTO, threads: int = 0) -> PaddleText:
    """Open the model in a folder of the models folder."""
    return PaddleText(
        installed.path,
        name=installed.name,
        revision=str(installed.card.get("revision", "")),
        licence=str(installed.card.get("licence", "")),
        device=device,
        threads=threads,
    )
