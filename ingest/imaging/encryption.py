"""Distinguishes encrypted films from damaged ones by the flags in their container; nothing is decrypted."""

from __future__ import annotations

from pathlib import Path

from ingest.imaging.sniff import transport_packets

_TS_READ = 2 << 20  # bytes of a transport stream that are examined
_MOOV_MAX = 64 << 20  # a larger index is not searched completely
_BOXES_MAX = 10_000
_TAIL = 4 << 20  # bytes of other containers that are examined


def is_encrypted(path: Path, demuxer: str) -> bool:
    """Whether the container marks its video as encrypted. Reads a few megabytes; raises OSError."""
    if demuxer.startswith("mov"):
        return _is_mov_encrypted(path)
    with path.open("rb") as file:
        first_bytes = file.read(_TS_READ if demuxer == "mpegts" else _TAIL)
    if demuxer == "mpegts":
        return _is_mpegts_encrypted(first_bytes)
    if demuxer == "mpeg":
        return _is_mpeg_encrypted(first_bytes)
    if demuxer.startswith("matroska"):
        # ContentEncryption inside ContentEncoding (ids 0x5035, 0x6240), before the first cluster.
        tracks = (
            first_bytes[: first_bytes.find(b"\x1f\x43\xb6\x75")] if b"\x1f\x43\xb6\x75" in first_bytes else first_bytes
        )
        return b"\x62\x40" in tracks and b"\x50\x35" in tracks
    return False


def _is_mov_encrypted(path: Path) -> bool:
    """Whether video sample entries are named `encv`, as in common encryption (ISO/IEC 23001-7)."""
    with path.open("rb") as file:
        end = file.seek(0, 2)
        offset = 0
        for _ in range(_BOXES_MAX):
            file.seek(offset)
            header = file.read(16)
            if len(header) < 8:
                return False
            size = int.from_bytes(header[:4], "big")
            if size == 1 and len(header) == 16:
                size = int.from_bytes(header[8:16], "big")
            if size == 0:
                size = end - offset
            if size < 8:
                return False
            if header[4:8] == b"moov":
                file.seek(offset)
                index = file.read(min(size, _MOOV_MAX))
                return b"encv" in index and b"sinf" in index
            offset += size
    return False


def _is_mpegts_encrypted(first_bytes: bytes) -> bool:
    """Whether most packets with a payload have their scrambling bits set (ISO/IEC 13818-1, 2.4.3.2)."""
    place = transport_packets(first_bytes)
    if place is None:
        return False
    size, first = place
    sync_offset = 4 if size == 192 else 0
    loaded = scrambled = 0
    for position in range(first + sync_offset, len(first_bytes) - 4, size):
        if first_bytes[position] == 0x47 and first_bytes[position + 3] & 0x10:
            loaded += 1
            scrambled += bool(first_bytes[position + 3] & 0xC0)
    return loaded >= 8 and scrambled > loaded / 2


def _is_mpeg_encrypted(first_bytes: bytes) -> bool:
    """Whether most video packets have their scrambling bits set, as on a DVD (ISO/IEC 13818-1, 2.4.3.7)."""
    packets = scrambled = 0
    position = first_bytes.find(b"\x00\x00\x01\xe0")
    while position >= 0 and position + 7 <= len(first_bytes):
        if first_bytes[position + 6] & 0xC0 == 0x80:
            packets += 1
            scrambled += bool(first_bytes[position + 6] & 0x30)
        position = first_bytes.find(b"\x00\x00\x01\xe0", position + 4)
    return packets >= 4 and scrambled > packets / 2
