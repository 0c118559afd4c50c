"""Tiny films and pictures for tests, encoded on the spot."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image


def film(path: Path, *, seconds: float = 1.0, shade: int = 0, width: int = 160, height: int = 90) -> Path:
    """A short H.264 film of moving bars; another `shade`, another file."""
    container = av.open(str(path), "w", format="matroska" if path.suffix == ".mkv" else "mp4")
    stream = container.add_stream("libx264", rate=24, options={"crf": "30", "preset": "ultrafast"})
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.time_base = Fraction(1, 24)
    for number in range(int(seconds * 24)):
        picture = np.full((height, width, 3), (shade, 90, 160), np.uint8)
        left = number * 2 % (width - 20)
        picture[20:60, left : left + 20] = (230, 200, 40)
        for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
            container.mux(packet)
    for packet in stream.encode():
        container.mux(packet)
    container.close()
    return path


def png(*, shade: int = 0, size: tuple[int, int] = (48, 32)) -> bytes:
    """A PNG whose pixels depend on `shade`."""
    rng = np.random.default_rng(shade)
    out = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (size[1], size[0], 3), np.uint8)).save(out, "PNG")
    return out.getvalue()


def huge_png(side: int, *, alpha: int = 0x8000) -> bytes:
    """A square PNG of RGBA with 16 bits, whose file is small: written a row at a time, which no library does."""
    row = np.zeros((side, 4), ">u2")
    row[:, 3] = alpha
    packer, data = zlib.compressobj(1), io.BytesIO()
    for y in range(side):
        row[:, 0] = 256 * (y // 64 % 256)
        data.write(packer.compress(b"\0" + row.tobytes()))
    data.write(packer.flush())

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 16, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", data.getvalue()) + chunk(b"IEND", b"")


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    """A zip of the members in their order."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path
