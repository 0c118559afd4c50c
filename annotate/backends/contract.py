"""The interfaces through which stages use detectors, embedders, scorers and other models.

A backend MUST give the same answer for the same pixels, MUST NOT access the database, and raises BadInput when a
weights file or a picture cannot be used. Pictures are uint8 RGB [h, w, 3].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from annotate.algorithms.face_pyramid import Detections
from annotate.algorithms.tag_rules import Label, Rules

if TYPE_CHECKING:
    from annotate.backends.runtime.device import Batch

Answer = TypeVar("Answer")
Picture = NDArray[np.uint8]

__all__ = [
    "CaptionAsk",
    "CaptionResult",
    "Captioner",
    "Detections",
    "Embedder",
    "FaceDetector",
    "Label",
    "ModelInfo",
    "Picture",
    "PictureModel",
    "Rules",
    "Scorer",
    "Upscaler",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Exact identity of a model: the natural key of a model version, its licence and its thresholds."""

    task: str  # faces, tags, embedding, boxes, class, mask, text
    name: str
    revision: str
    sha256: str = ""  # of the weights file; empty for pure algorithms
    licence: str = ""
    settings: dict[str, Any] = field(default_factory=dict)


@runtime_checkable
class PictureModel(Protocol[Answer]):
    """A network that takes complete pictures. One reader decodes each picture once and feeds all such models.

    A model with an attribute `network` (`device.Network`) receives batches already copied to the device
    (`device.Staged`) and passes them to `network.run`, which also takes plain bytes. One with an attribute `fitting`
    (`decoding.Fitting`, picklable) allows decoding processes to prepare its pictures; `fit` does the same. Where
    `answer(batch, sizes)` is `answers_of(computed(batch), sizes)`, the CPU decodes a GPU's output while the GPU runs
    the next batch.
    """

    info: ModelInfo
    device: str

    def fit(self, picture: Picture) -> Picture:
        """Prepare the bytes [h, w, 3] for the device; called in threads, so it MUST NOT touch shared state."""

    def answer(self, batch: Batch, sizes: Sequence[tuple[int, int]]) -> list[Answer]:
        """Return one answer per picture of fitted bytes [n, h, w, 3]; `sizes` are the pictures' (width, height)."""


@runtime_checkable
class Scorer(PictureModel[NDArray[np.float32]], Protocol):
    """A tagger or classifier: its answer is a score (0 to 1) per label; `rules` say which labels are accepted."""

    labels: tuple[Label, ...]
    rules: Rules


@runtime_checkable
class FaceDetector(Protocol):
    """A face detector. `device` names where it runs."""

    info: ModelInfo
    device: str

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        """Return one answer per picture, in order: boxes in pixels within the picture, best score first."""


@runtime_checkable
class Embedder(Protocol):
    """Turns face crops into vectors whose distance distinguishes characters."""

    info: ModelInfo
    device: str
    length: int

    def embed(self, crops: Sequence[Picture]) -> NDArray[np.float32]:
        """Return the vectors float32 [n, length] of square head crops, in order."""


@runtime_checkable
class Upscaler(Protocol):
    """Enlarges pictures by `factor` per pass in width and height. May be called from several threads."""

    info: ModelInfo
    device: str
    factor: int

    def upscale(self, picture: Picture, *, times: int) -> Picture:
        """Upscale in `times` passes to [h * factor**times, w * factor**times, 3]. Raises BadInput when too large."""


@dataclass(frozen=True, slots=True)
class CaptionAsk:
    """A caption request: the prompt, and the picture as JPEG."""

    prompt: str
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class CaptionResult:
    """A caption as one clean line, or the problem. `cut`: the model reached its length limit.

    `postponed`: the batch ran out of time before this picture's turn, so a retry is worthwhile.
    """

    text: str = ""
    problem: str = ""
    cut: bool = False
    postponed: bool = False


@runtime_checkable
class Captioner(Protocol):
    """Writes captions of pictures. They are external text: cleaned, but never to be trusted."""

    info: ModelInfo
    device: str
    in_flight: int  # concurrent requests

    def caption(self, asks: Sequence[CaptionAsk]) -> list[CaptionResult]:
        """Return one answer per request, in order. The failure of a single picture is reported in its answer."""

    @property
    def broken(self) -> str:
        """The reason why no further request can succeed (unreachable, key refused); empty while it works."""
