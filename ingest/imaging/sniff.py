"""Detects a film's container by its first bytes, so that neither its name nor other content selects the demuxer."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from ingest.errors import BadInput


class UnreadableVideo(BadInput):
    """A film cannot be read. The text, meant for the user, says which one, why and what to do."""


HEAD = 64 * 1024  # bytes that are examined: a recording may begin at any point
_MOV_BOXES = frozenset(b"ftyp moov mdat wide free skip pnot styp sidx moof uuid pdin meta emsg prft".split())
_MOV_FILMS = frozenset(b"ftyp moov mdat moof styp".split())  # at least one of these makes it a film
_BOXES_READ = 16
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_EBML = b"\x1a\x45\xdf\xa3"
_MPEG_PACK = b"\x00\x00\x01\xba"
# Sizes of transport packets and the offset of their sync byte: plain, with a leading time stamp (Blu-ray, recorders),
# with trailing error correction (broadcast).
TS_PACKETS = ((188, 0), (192, 4), (204, 0))
_TS_MARKS = 5  # consecutive packets that must begin with the sync byte
_TS_SYNC = 0x47
_AACS_UNIT = 6144  # bytes: Blu-ray encrypts units of 32 packets after their first 16 bytes


@dataclass(frozen=True, slots=True)
class Container:
    """The demuxer that may open a file, and the number of bytes to skip before its header."""

    demuxer: str
    skip: int = 0


def container_of(path: Path) -> Container:
    """The container of a file by its content. Raises UnreadableVideo if it is not a film."""
    try:
        kind = path.stat()
    except OSError as error:
        raise UnreadableVideo(f"{path.name}: cannot be read: {error.strerror}.") from error
    if not stat.S_ISREG(kind.st_mode):
        raise UnreadableVideo(f"{path.name}: is not a regular file.")
    if kind.st_size == 0:
        raise UnreadableVideo(f"{path.name}: the file is empty. Copy it again.")
    try:
        with path.open("rb") as file:
            first_bytes = file.read(HEAD)
    except OSError as error:
        raise UnreadableVideo(f"{path.name}: cannot be read: {error.strerror}.") from error
    container = _by_content(first_bytes)
    if container is None:
        raise UnreadableVideo(
            f"{path.name}: {_kind_text(first_bytes)}. Supported: mkv, mp4, mov, webm, avi, ts, mpg, wmv, flv and ogv."
        )
    return container


def _by_content(first_bytes: bytes) -> Container | None:
    if first_bytes.startswith(_EBML):
        return Container("matroska,webm")
    if _is_mov(first_bytes):
        return Container("mov,mp4,m4a,3gp,3g2,mj2")
    if first_bytes.startswith(b"RIFF") and first_bytes[8:12] in (b"AVI ", b"AVIX", b"AVI\x19"):
        return Container("avi")
    if first_bytes.startswith(_MPEG_PACK):
        return Container("mpeg")
    if first_bytes.startswith(b"FLV\x01"):
        return Container("flv")
    if first_bytes.startswith(_ASF):
        return Container("asf")
    if first_bytes.startswith(b"OggS"):
        return Container("ogg")
    if _foreign_kind_text(first_bytes):
        return None  # clearly something else: do not search it for a film
    if transport_packets(first_bytes) is not None:
        return Container("mpegts")  # the demuxer finds the first packet
    # Other containers store offsets from the first byte, so leading junk makes them unreadable anyway.
    for signature, demuxer in ((_EBML, "matroska,webm"), (_MPEG_PACK, "mpeg")):
        position = first_bytes.find(signature)
        if position > 0 and (
            signature != _EBML
            or b"webm" in first_bytes[position : position + 64]
            or b"matroska" in first_bytes[position : position + 64]
        ):
            return Container(demuxer, skip=position)
    return None


def _is_mov(first_bytes: bytes) -> bool:
    """Whether the file begins with known boxes, at least one of them specific to films."""
    offset = 0
    for _ in range(_BOXES_READ):
        if len(first_bytes) < offset + 8:
            break
        size, name = int.from_bytes(first_bytes[offset : offset + 4], "big"), first_bytes[offset + 4 : offset + 8]
        if name not in _MOV_BOXES:
            return False
        if name in _MOV_FILMS:
            return True
        if size == 1 and len(first_bytes) >= offset + 16:
            size = int.from_bytes(first_bytes[offset + 8 : offset + 16], "big")
        if size < 8:
            return size == 0  # to the end of the file
        offset += size
    return offset > 0  # `wide`, `free`... as large as what was read


def transport_packets(first_bytes: bytes) -> tuple[int, int] | None:
    """Packet size of a transport stream and offset of the first complete packet; None for other files."""
    for size, first in TS_PACKETS:
        marks_needed = min(_TS_MARKS, len(first_bytes) // size)
        if marks_needed < 3:
            continue
        for position in range(min(len(first_bytes), HEAD) - size * (marks_needed - 1)):
            if first_bytes[position] == _TS_SYNC and all(
                first_bytes[position + n * size] == _TS_SYNC for n in range(1, marks_needed)
            ):
                return size, max(0, position - first)
    return None


def _kind_text(first_bytes: bytes) -> str:
    if what := _foreign_kind_text(first_bytes):
        return what
    if _is_encrypted_disc(first_bytes):
        return "is encrypted (an unchanged copy of a Blu-ray disc) and cannot be decoded; decrypt it first"
    if b"\x00" not in first_bytes:
        return "is a text file, not a film"
    return "is not a film in a known format"


def _foreign_kind_text(first_bytes: bytes) -> str:
    text = first_bytes.lstrip(b"\xef\xbb\xbf \t\r\n")[:64].lower()
    if text.startswith(b"#extm3u"):
        return "is a playlist (m3u8), not a film; playlists are not supported"
    if text.startswith((b"ffconcat", b"file ")):
        return "is a list of files to join, not a film; lists are not supported"
    if text.startswith((b"<?xml", b"<mpd", b"<smil")):
        return "is an XML text (a streaming manifest?), not a film; manifests are not supported"
    if first_bytes.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8")) or first_bytes[8:12] == b"WEBP":
        return "is a picture, not a film; rename it with a picture's suffix, such as png or jpg"
    if first_bytes.startswith((b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"\x1f\x8b")):
        return "is an archive, not a film; unpack it first"
    return ""


def _is_encrypted_disc(first_bytes: bytes) -> bool:
    """Whether only every 32nd time-stamped packet begins with a readable sync byte."""
    units = range(4, len(first_bytes) - 192, _AACS_UNIT)
    clear = [first_bytes[position] == _TS_SYNC for position in units]
    inside = [first_bytes[position + 192] == _TS_SYNC for position in units]
    return len(clear) >= 4 and all(clear) and not any(inside)
