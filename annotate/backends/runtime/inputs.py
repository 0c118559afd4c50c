"""Exact preparation of pictures as network input, matching each model's training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]


class Fit(StrEnum):
    """How a picture is brought to the network's size."""

    STRETCH = "stretch"  # resized to width x height, aspect ratio ignored
    PAD_SQUARE = "pad_square"  # padded to the square of its longer side, centred, then resized
    LETTERBOX = "letterbox"  # resized to fit with its aspect ratio, then padded, centred
    MULTIPLE = "multiple"  # shrunk (never enlarged) to fit; each side rounded up to a multiple of `multiple`


class Resample(StrEnum):
    """Pillow's filters, and OpenCV's area mean."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    LANCZOS = "lanczos"
    AREA = "area"


PILLOW = {
    Resample.NEAREST: Image.Resampling.NEAREST,
    Resample.BILINEAR: Image.Resampling.BILINEAR,
    Resample.BICUBIC: Image.Resampling.BICUBIC,
    Resample.LANCZOS: Image.Resampling.LANCZOS,
}


THIN, ROWS = 4, 256  # pictures taller than THIN widths are narrowed ROWS rows at a time


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The input of a network: size, fit, filter, padding, channel order, layout, and (value * scale - mean) / std.

    `fit` works on bytes in threads; `tensor` is the arithmetic, which a device may do instead of the CPU.
    """

    width: int
    height: int
    fit_by: Fit = Fit.STRETCH
    resample: Resample = Resample.BILINEAR
    fill: int = 255  # grey level of the padding
    bgr: bool = False
    nchw: bool = True
    scale: float = 1 / 255
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    multiple: int = 32

    def fit(self, picture: Picture) -> Picture:
        """Fit uint8 [h, w, 3] RGB or [h, w, 4] RGBA (composited on white) to contiguous uint8 [h, w, 3] RGB."""
        rgb = on_white(picture)
        if self.fit_by == Fit.PAD_SQUARE:
            high, wide = rgb.shape[:2]
            if high < wide and self.width == self.height and self.resample != Resample.AREA:
                # Pillow resizes rows first: padding after that step saves a third of the time, and the bytes are the
                # same.
                how, square = PILLOW[self.resample], Image.new("RGB", (self.width, wide), (self.fill,) * 3)
                square.paste(Image.fromarray(rgb).resize((self.width, high), how), (0, (wide - high) // 2))
                return np.array(square.resize((self.width, self.height), how), np.uint8)
            if high > THIN * wide and self.width == self.height and self.resample != Resample.AREA:
                return self._tall(rgb)
            rgb = padded(rgb, max(high, wide), max(high, wide), fill=self.fill)
        elif self.fit_by == Fit.LETTERBOX:
            height, width = rgb.shape[:2]
            # In integers: as floats, 512 / 540 * 540 is less than 512.
            wide, high = self.width, max(1, height * self.width // width)
            if high > self.height:
                wide, high = max(1, width * self.height // height), self.height
            return padded(resized(rgb, wide, high, self.resample), self.width, self.height, fill=self.fill)
        elif self.fit_by == Fit.MULTIPLE:
            height, width = rgb.shape[:2]
            share = min(1.0, self.width / width, self.height / height)
            step = self.multiple
            wide, high = (math.ceil(side * share / step) * step for side in (width, height))
            return resized(rgb, wide, high, self.resample)
        return resized(rgb, self.width, self.height, self.resample)

    def _tall(self, rgb: Picture) -> Picture:
        """Fit a very tall picture to the square. The padded square would fill the memory, so rows are narrowed in
        chunks and then shortened; the bytes are the same."""
        high, how = rgb.shape[0], PILLOW[self.resample]
        narrow = Image.new("RGB", (self.width, high))
        for top in range(0, high, ROWS):
            rows = rgb[top : top + ROWS]
            band = Image.fromarray(padded(rows, high, len(rows), fill=self.fill))
            narrow.paste(band.resize((self.width, len(rows)), how), (0, top))
        return np.array(narrow.resize((self.width, self.height), how), np.uint8)

    def tensor(self, batch: Picture) -> NDArray[np.float32]:
        """Convert bytes [n, h, w, 3] RGB to the session's input: float32 [n, h, w, 3] or [n, 3, h, w]."""
        values = (batch[..., ::-1] if self.bgr else batch).astype(np.float32)
        if self.scale != 1:
            values *= np.float32(self.scale)
        if self.mean != (0.0, 0.0, 0.0):
            values -= np.array(self.mean, np.float32)
        if self.std != (1.0, 1.0, 1.0):
            values /= np.array(self.std, np.float32)
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2) if self.nchw else values)


def on_white(picture: Picture) -> Picture:
    """Composite a picture with alpha on white, rounded, and return RGB. Raises ValueError for anything but bytes."""
    if picture.ndim != 3 or picture.shape[2] not in (3, 4) or picture.dtype != np.uint8:
        raise ValueError(f"a picture must be uint8 [h, w, 3] or [h, w, 4], not {picture.dtype} {picture.shape}")
    if picture.shape[2] == 3:
        return picture
    alpha = picture[:, :, 3:].astype(np.uint16)
    return ((picture[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def padded(rgb: Picture, width: int, height: int, *, fill: int) -> Picture:
    """Centre the picture on a grey canvas: left = (width - w) // 2, top = (height - h) // 2."""
    high, wide = rgb.shape[:2]
    if (wide, high) == (width, height):
        return np.ascontiguousarray(rgb)
    canvas = np.full((height, width, 3), fill, np.uint8)
    top, left = (height - high) // 2, (width - wide) // 2
    canvas[top : top + high, left : left + wide] = rgb
    return canvas


def resized(rgb: Picture, width: int, height: int, resample: Resample) -> Picture:
    """Resize to bytes [height, width, 3]; a picture of that size is returned unchanged."""
    if rgb.shape[:2] == (height, width):
        return np.ascontiguousarray(rgb)
    if resample == Resample.AREA:
        return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return np.array(Image.fromarray(rgb).resize((width, height), PILLOW[resample]), np.uint8)
