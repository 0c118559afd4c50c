"""The head network: locates the face in a head crop, crops the head again, and computes its vector and tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotate.algorithms import head_place
from annotate.algorithms.face_features import HEAD_SIDE_PX
from annotate.backends.contract import Picture
from annotate.backends.model_files import weights
from annotate.backends.runtime import onnx_session

PLACE = "head_place"  # a separate face network, so that the detector does not affect the vectors
PLACE_INPUTS, PLACE_OUTPUTS = ["pictures"], ["heat", "shape"]
HEADS = "heads"
HEADS_INPUTS, HEADS_OUTPUTS = ["heads"], ["vectors", "tags"]


@dataclass(frozen=True, slots=True)
class Answer:
    """Output of the head network for a head and its mirror image: a vector of length 1 and a score per tag."""

    vector: NDArray[np.float32]
    tags: NDArray[np.float32]


class HeadPlacer:
    """Locates the face in a head crop exactly and crops the head again."""

    def __init__(self) -> None:
        """Raises BadInput when the network is missing or damaged."""
        weights_file = weights.read(PLACE, (weights.BUILTIN,))
        # Takes milliseconds on a CPU: not worth GPU memory.
        opened = onnx_session.open_session(weights_file.path, threads=1, device=onnx_session.CPU)
        onnx_session.check_names(
            opened, weights_file.path, inputs=PLACE_INPUTS, outputs=PLACE_OUTPUTS, what="face network of Koma"
        )
        self._session = opened.session
        self.sha256 = weights_file.sha256

    def settle(self, crop: Picture) -> Picture:
        """Return the aligned head uint8 RGB [n, n, 3] of a crop by `cut_head`, or of any picture of one head."""
        planes = []
        for view in head_place.views(crop):
            heat, shape = self._session.run(PLACE_OUTPUTS, {"pictures": view})
            planes.append((heat[0], shape[0]))
        return head_place.settled(crop, head_place.place_of(planes))


class HeadReader:
    """The head network; its card lists the tags and their thresholds."""

    def __init__(self) -> None:
        """Raises BadInput when the network is missing or damaged."""
        weights_file = weights.read(HEADS, (weights.BUILTIN,))
        opened = onnx_session.open_session(weights_file.path, threads=1, device=onnx_session.CPU)
        onnx_session.check_names(
            opened, weights_file.path, inputs=HEADS_INPUTS, outputs=HEADS_OUTPUTS, what="head network of Koma"
        )
        self._session = opened.session
        self.card: dict[str, Any] = weights_file.card
        self.sha256 = weights_file.sha256
        self.vector_length = int(opened.session.get_outputs()[0].shape[1])

    def read(self, head: Picture) -> Answer:
        """Run the network on a settled head uint8 RGB [64, 64, 3]; one at a time, so that results never depend on a
        batch."""
        if head.shape != (HEAD_SIDE_PX, HEAD_SIDE_PX, 3):
            raise ValueError(f"a settled head is {HEAD_SIDE_PX} pixels square, not {head.shape}")
        vectors, tags = self._session.run(HEADS_OUTPUTS, {"heads": np.stack([head, head[:, ::-1]])})
        together = vectors.sum(axis=0)
        length = max(float(np.linalg.norm(together)), 1e-6)
        return Answer((together / length).astype(np.float32), tags.mean(axis=0).astype(np.float32))
