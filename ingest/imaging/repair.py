"""Repairs files with intact pixels that decoders refuse, and finds the readable part of damaged ones."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ingest import humane

PNG = b"\x89PNG\r\n\x1a\n"
JUNK_MAX = 64  # bytes before a picture; with more it is another kind of file
READABLE_MIN = 0.25  # share of the rows; a picture with fewer is of no use for training
PROFILE_BYTES_MAX = 16 * 2**20
_HEADS = (PNG, b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
# Chunks of a PNG that affect its pixels; texts, times, positions and unknown chunks do not.
_PIXEL_CHUNKS = frozenset((b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"acTL", b"fcTL", b"fdAT"))
_COLOUR_CHUNKS = frozenset((b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"eXIf", b"sBIT"))


def repaired(data: bytes) -> tuple[bytes, list[str]]:
    """Remove junk before the first byte and damaged metadata chunks of a PNG; returns the bytes and notes.

    Returns the same object if there is nothing to remove.
    """
    notes: list[str] = []
    start = _start(data)
    if start:
        data = data[start:]
        notes.append(f"{humane.count(start, 'byte')} before the picture ignored")
    if data.startswith(PNG):
        cleaned = PNG + b"".join(
            _chunk(kind, body) for kind, body, sound in _chunks(data) if _is_needed_chunk(kind, body, sound=sound)
        )
        if len(cleaned) < len(data):
            data = cleaned
            notes.append("damaged or too large metadata ignored")
    return data, notes


def patched(data: bytes) -> bytes:
    """Correct the checksums of a damaged PNG or add the end of a JPEG, so that decoders read most of it."""
    if data.startswith(PNG):
        return PNG + b"".join(_chunk(kind, body) for kind, body, _ in _chunks(data) if kind in _PIXEL_CHUNKS)
    return data + b"\xff\xd9" if data.startswith(b"\xff\xd8") else data


def readable_rows(rgb: NDArray[np.uint8], *, blocks: int = 1) -> int:
    """Number of readable rows from the top of a partly decoded picture uint8[h, w, 3].

    Decoders fill missing rows with a single colour. The incomplete row of blocks (`blocks` pixels high) does not count;
    missing blocks of a JPEG are middle grey.
    """
    flat = np.abs(rgb.astype(np.int16) - rgb[:, :1]).max(axis=(1, 2)) <= 2
    rows = np.flatnonzero(~flat)
    last = int(rows[-1]) if len(rows) else 0
    if last + 1 < len(rgb):
        return max(0, (last - 1) // blocks * blocks if blocks > 1 else last)
    top = last // blocks * blocks
    is_missing_block = np.abs(rgb[-2:, -2:].astype(np.int16) - 128).max() <= 2
    return top if blocks > 1 and is_missing_block else last + 1


def significant_bits(data: bytes) -> int:
    """Significant bits of the first channel according to a PNG's sBIT chunk; 0 if it has none."""
    if data.startswith(PNG):
        for kind, body, sound in _chunks(data):
            if kind == b"sBIT" and body and sound:
                return body[0]
            if kind == b"IDAT":
                break
    return 0


def has_known_signature(data: bytes) -> bool:
    """Whether the data begin with the signature of a png, jpg or gif."""
    return data.startswith(_HEADS)


def _start(data: bytes) -> int:
    if has_known_signature(data):
        return 0
    places = [position for head in _HEADS if 0 < (position := data.find(head, 0, JUNK_MAX + len(head))) <= JUNK_MAX]
    return min(places, default=0)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Yield kind, body and whether the checksum is correct, up to the end of the file."""
    offset = len(PNG)
    while offset + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, offset)
        body = data[offset + 8 : offset + 8 + size]
        checksum_offset = offset + 8 + size
        sound = (
            len(data) >= checksum_offset + 4
            and zlib.crc32(kind + body) == struct.unpack_from(">I", data, checksum_offset)[0]
        )
        yield kind, body, sound
        if kind == b"IEND":
            return
        offset = checksum_offset + 4


def _is_needed_chunk(kind: bytes, body: bytes, *, sound: bool) -> bool:
    if kind in _PIXEL_CHUNKS:
        return True
    if not sound or kind not in _COLOUR_CHUNKS:
        return False
    if kind != b"iCCP":
        return True
    try:
        packed = body.split(b"\0", 1)[1][1:]
        unpacker = zlib.decompressobj()
        unpacker.decompress(packed, PROFILE_BYTES_MAX)
    except (IndexError, zlib.error):
        return False
    return unpacker.eof


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
