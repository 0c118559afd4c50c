"""BMP and TIFF files of rare kinds, written number by number, so that no library decides what they are."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# A picture as `drawing` of test_decode.py, 64 x 48, coded by x265 through libheif.
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
    "ACJpbG9jAAAAAERAAAEAAQAAAAABoQABAAAAAAAAAP8AAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRt"
    "AAAAAAABAAAA/WlwcnAAAADdaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMA"
    "AAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5j"
    "bHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAAEAAAAABAAAAMAAAAAEAAAAAAAAAAv////AAAAACAAAAEHBp"
    "eGkAAAAAAwgICAAAABhpcG1hAAAAAAAAAAEAAQWBAgMFhAAAAQdtZGF0AAAA+ygBrwng4yvw2cj2//vaj/+/Y7L7TEM0wA7rbVKE"
    "7Ld1d+GHlC6ufIX5MIkkeH9SziTfLnlK1V5SR2xInj0CtaRFK1NOPqh4l1Q2DX9LOe78mtj93QTGwEY/zlh8cWKO4AkcgZhHJz/p"
    "li2k280X+0fF40EkpcDM9cICQvSBvIJ4bHOeENjJEL4N/klpuDQZF+HdqfuhEiy2udYyKfybawUQj4tAprb9U4krPDQ2/sT5h9JB"
    "6GUTKC3rVFsWyV42t0F3xjN/Nve6ioR8BPEvrsMDGxNIRzuWIoT6+HTKt/hv/+0d6S4Za93xhP+0XHdrko/Hr5OZvAW0dIlo"
)


def colours(size: tuple[int, int] = (40, 32)) -> NDArray[np.uint8]:
    """uint8 [h, w, 3], every pixel another."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    return np.stack([x * 6 % 256, y * 8 % 256, (x + y) * 3 % 256], axis=2).astype(np.uint8)


def tiff(
    samples: NDArray[Any], *, photometric: int = 2, planar: int = 1, tile: int = 0, deflate: bool = False,
    order: str = "<", extra: dict[int, int] | None = None, claim: tuple[int, int] | None = None,
) -> bytes:  # fmt: skip
    """One page of [h, w, channels]; `extra` whole numbers by tag, `claim` another (width, height) than it has."""
    height, width, count = samples.shape
    planes = [samples] if planar == 1 else [samples[..., index : index + 1] for index in range(count)]
    parts = [_bytes(part, order) for plane in planes for part in (_tiles(plane, tile) if tile else [plane])]
    if deflate:
        parts = [zlib.compress(part) for part in parts]
    places = [8 + sum(map(len, parts[:index])) for index in range(len(parts))]
    kind = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    across, down = claim or (width, height)
    tags: dict[int, tuple[str, list[int]]] = {
        256: ("I", [across]), 257: ("I", [down]), 258: ("H", [8 * samples.dtype.itemsize] * count),
        259: ("H", [8 if deflate else 1]), 262: ("H", [photometric]), 277: ("H", [count]), 284: ("H", [planar]),
        339: ("H", [kind] * count), (324 if tile else 273): ("I", places),
        (325 if tile else 279): ("I", [len(part) for part in parts]),
    }  # fmt: skip
    tags |= {322: ("I", [tile]), 323: ("I", [tile])} if tile else {278: ("I", [down])}
    if count > {0: 1, 1: 1, 2: 3, 5: 4}[photometric]:
        tags[338] = ("H", [2])
    tags |= {tag: ("I", [value]) for tag, value in (extra or {}).items()}
    return _with_tags(b"".join(parts), tags, order)


def _tiles(plane: NDArray[Any], side: int) -> list[NDArray[Any]]:
    out = []
    for top in range(0, plane.shape[0], side):
        for left in range(0, plane.shape[1], side):
            part = plane[top : top + side, left : left + side]
            out.append(np.pad(part, ((0, side - part.shape[0]), (0, side - part.shape[1]), (0, 0))))
    return out


def _bytes(values: NDArray[Any], order: str) -> bytes:
    return values.astype(values.dtype.newbyteorder(order)).tobytes()  # type: ignore[call-overload,no-any-return]


def _with_tags(body: bytes, tags: dict[int, tuple[str, list[int]]], order: str) -> bytes:
    body += b"\0" * (len(body) % 2)
    position = 8 + len(body)
    rows, beyond = struct.pack(f"{order}H", len(tags)), b""
    for tag, (form, values) in sorted(tags.items()):
        packed = struct.pack(order + form * len(values), *values)
        if len(packed) > 4:
            place = position + 2 + 12 * len(tags) + 4 + len(beyond)
            beyond += packed + b"\0" * (len(packed) % 2)
            packed = struct.pack(f"{order}I", place)
        rows += struct.pack(f"{order}HHI", tag, 3 if form == "H" else 4, len(values)) + packed.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", position)
    return head + body + rows + b"\0" * 4 + beyond


def bmp(
    body: bytes, size: tuple[int, int], bits: int, *, compression: int = 0, palette: bytes = b"", header: int = 40,
    masks: tuple[int, ...] = (), upside_down: bool = False,
) -> bytes:  # fmt: skip
    """A BMP with a header of 12 (OS/2), 40, 64 (OS/2 2) or 108 bytes; masks lie in or behind it."""
    width, height = size
    behind = struct.pack(f"<{len(masks)}I", *masks)
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, width, -height if upside_down else height, 1, bits, compression,
                           len(body), 2835, 2835, 0, 0)  # fmt: skip
        if header > 40:
            info, behind = info + behind.ljust(header - 40, b"\0"), b""
    offset = 14 + len(info) + len(behind) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + info + behind + palette + body


def masked(rgb: NDArray[np.uint8], masks: tuple[int, ...], bits: int) -> bytes:
    """Rows from the bottom of a BMP whose colours lie behind masks; what a mask cannot hold is cut off."""
    numbers = np.zeros(rgb.shape[:2], np.uint64)
    for channel, mask in enumerate(masks[:3]):
        shift = (mask & -mask).bit_length() - 1
        maximum = mask >> shift
        numbers |= (np.rint(rgb[..., channel] / 255 * maximum).astype(np.uint64)) << np.uint64(shift)
    return numbers[::-1].astype("<u2" if bits == 16 else "<u4").tobytes()


def indexed(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], bytes, NDArray[np.uint8]]:
    """Places in a palette of 16 [h, w], the palette as B, G, R, 0, and the colours that come out [h, w, 3]."""
    image = Image.fromarray(rgb).quantize(16)
    palette = bytes(image.getpalette() or [])[:48].ljust(48, b"\0")
    rows = b"".join(bytes(reversed(palette[index : index + 3])) + b"\0" for index in range(0, 48, 3))
    return np.asarray(image), rows, np.asarray(image.convert("RGB"))


def run_lengths(index: NDArray[np.uint8], bits: int) -> bytes:
    """RLE8 or RLE4 of a BMP: runs of one colour."""
    out = b""
    for row in index[::-1].tolist():
        place = 0
        while place < len(row):
            count = 1
            while place + count < len(row) and count < 255 and row[place + count] == row[place]:
                count += 1
            out += bytes([count, row[place] if bits == 8 else row[place] << 4 | row[place]])
            place += count
        out += b"\0\0"
    return out + b"\0\1"
