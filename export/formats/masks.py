"""Masks of exported pictures: paths that no trainer mistakes for pictures, and encoding."""

from __future__ import annotations

import io
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from export.algorithms.crops import Crop
from export.formats.pictures import cut

FOLDER = ".masks"  # trainers and dataset loaders skip names that begin with a dot
VISIBLE_FOLDER = "masks"  # for trainers that are told where masks are; beside the folder of the pictures
LABEL = "-masklabel"  # OneTrainer looks for NAME-masklabel.png beside NAME
Bytes = NDArray[np.uint8]


class Masker(Protocol):
    """Segments characters; called from several threads. `identity` identifies the model."""

    identity: str

    def mask(self, rgb: Bytes) -> Bytes:
        """uint8 [h, w] of uint8 RGB [h, w, 3]: 0 background to 255 character."""


def place(base: str, form: str) -> str:
    """Return the path of the mask of the picture `base` (without extension) in the form `folder` or `onetrainer`."""
    return f"{FOLDER}/{base}.png" if form == "folder" else f"{base}{LABEL}.png"


def is_mask(parts: tuple[str, ...]) -> bool:
    """Return whether a path below a dataset is that of a mask."""
    return (
        FOLDER in parts[:-1]
        or (len(parts) > 1 and parts[0] == VISIBLE_FOLDER)
        or parts[-1].rpartition(".")[0].endswith(LABEL)
    )


def mask_bytes(mask: Bytes, size: tuple[int, int], crop: Crop | None) -> bytes:
    """Encode a grey PNG of `size` (width, height) from the mask [h, w] of the full picture, cropped like the
    picture."""
    if crop is not None:
        mask = cut(np.repeat(mask[:, :, None], 3, axis=2), crop)[:, :, 0]
    height, width = mask.shape
    if (width, height) != size:
        smaller = size[0] <= width and size[1] <= height
        mask = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR))
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(mask), "L").save(out, "PNG")
    return out.getvalue()


def size_of(picture: bytes) -> tuple[int, int]:
    """Return (width, height) of an encoded picture."""
    with Image.open(io.BytesIO(picture)) as image:
        return (image.width, image.height)
