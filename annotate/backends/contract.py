"""What a detector, an embedder and a scorer give to the stages, whatever runs inside them.

A backend MUST give the same answer for the same pixels, MUST NOT know the database, and raises BadInput where a weights
file or a picture cannot be used. Pictures are uint8 RGB [h, w, 3].
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
    "CaptionTold",
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
    """Which model said something, exactly: the natural key of a model version, its licence and its thresholds."""

    task: str  # faces, tags, embedding, boxes, class, mask, text
    name: str
    revision: str
    sha256: str = ""  # of the weights file; empty for pure algorithms
    licence: str = ""
    settings: dict[str, Any] = field(default_factory=dict)


@runtime_checkable
class PictureModel(Protocol[Answer]):
    """A network that looks at whole pictures. One reader decodes each picture once and feeds every such model.

    A model with an attribute `network` (`device.Network`) gets its batch as bytes that lie on the device already
    (`device.Staged`) and hands them to `network.run`, which takes plain bytes as well. One with an attribute `fitting`
    (`reading.Fitting`, picklable) lets processes fit its pictures; `fit` does the same. Where `answer(batch, sizes)` is
    `said(computed(batch), sizes)`, the processor reads a GPU's output while that works on the next batch.
    """

    info: ModelInfo
    device: str

    def fit(self, picture: Picture) -> Picture:
        """The bytes [h, w, 3] that go to the device; called in threads, so it MUST NOT touch shared state."""

    def answer(self, batch: Batch, sizes: Sequence[tuple[int, int]]) -> list[Answer]:
        """One answer a picture of fitted bytes [n, h, w, 3]; `sizes` are the (width, height) of the pictures."""


@runtime_checkable
class Scorer(PictureModel[NDArray[np.float32]], Protocol):
    """A tagger or a classifier: its answer is a score (0 to 1) for each label; `rules` say which labels follow."""

    labels: tuple[Label, ...]
    rules: Rules


@runtime_checkable
class FaceDetector(Protocol):
    """Finds faces. `device` says in words where it runs."""

    info: ModelInfo
    device: str

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        """One answer a picture, in order: boxes in its pixels and inside it, best score first."""


@runtime_checkable
class Embedder(Protocol):
    """Turns face crops into vectors whose distance tells people apart."""

    info: ModelInfo
    device: str
    length: int

    def embed(self, crops: Sequence[Picture]) -> NDArray[np.float32]:
        """Vectors float32 [n, length] of square head crops, in order."""


@runtime_checkable
class Upscaler(Protocol):
    """Makes pictures larger, `factor` times as wide and high with each pass. May be called from several threads."""

    info: ModelInfo
    device: str
    factor: int

    def upscale(self, picture: Picture, *, times: int) -> Picture:
        """The picture after `times` passes: [h * factor**times, w * factor**times, 3]; BadInput when too large."""


@dataclass(frozen=True, slots=True)
class CaptionAsk:
    """One picture to be described: what is asked, and the picture as JPEG."""

    prompt: str
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class CaptionTold:
    """The words of a model as one clean line, or in words why there are none. `cut`: it had more to say.

    `postponed`: the time for all was over before it had its own, so it is worth asking again.
    """

    text: str = ""
    problem: str = ""
    cut: bool = False
    postponed: bool = False


@runtime_checkable
class Captioner(Protocol):
    """Writes sentences about pictures. What it says is text from outside, cleaned but never to be trusted."""

    info: ModelInfo
    device: str
    in_flight: int  # how many asks it works on at once

    def caption(self, asks: Sequence[CaptionAsk]) -> list[CaptionTold]:
        """One answer an ask, in order. A single picture's failure is told in its answer."""

    @property
    def broken(self) -> str:
        """In words why no further ask can succeed (gone, refuses the key); empty while it works."""
