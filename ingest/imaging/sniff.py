"""Tells a film's container by its first bytes, so that neither a file's name nor its text decides what opens it."""

from __future__ import annotations

import stat
from pathlib import Path

from ingest.errors import BadInput


class UnreadableVideo(BadInput):
    """A film cannot be read. The text says which file, what is wrong and what to do, for the user."""


HEAD = 4096
_MOV_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")


def demuxer_of(path: Path) -> str:
    """The name of the one demuxer that may open `path`. Raises UnreadableVideo for anything that is no film."""
    try:
        kind = path.stat()
    except OSError as error:
        raise UnreadableVideo(f"{path.name}: cannot be read: {error.strerror}.") from error
    if not stat.S_ISREG(kind.st_mode):
        raise UnreadableVideo(f"{path.name}: is not a plain file.")
    if kind.st_size == 0:
        raise UnreadableVideo(f"{path.name}: the file is empty (0 bytes); copy it again from where it came.")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise UnreadableVideo(f"{path.name}: cannot be read: {error.strerror}.") from error
    name = _by_content(head)
    if name is None:
        raise UnreadableVideo(
            f"{path.name}: {_what_it_is(head)}; add mkv, mp4, mov, webm, avi, ts, mpg, wmv, flv or ogv."
        )
    return name


def _by_content(head: bytes) -> str | None:
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska,webm"
    if head[4:8] in _MOV_BOXES:
        return "mov,mp4,m4a,3gp,3g2,mj2"
    if head.startswith(b"RIFF") and head[8:12] in (b"AVI ", b"AVIX", b"AVI\x19"):
        return "avi"
    if head.startswith(b"\x00\x00\x01\xba"):
        return "mpeg"
    if head.startswith(b"FLV\x01"):
        return "flv"
    if head.startswith(_ASF):
        return "asf"
    if head.startswith(b"OggS"):
        return "ogg"
    # Transport packets of 188 bytes (192 with a time stamp before each) that all begin with the same byte.
    for size, first in ((188, 0), (192, 4)):
        marks = [head[at : at + 1] for at in range(first, len(head), size)]
        if len(marks) >= 3 and set(marks[:8]) == {b"G"}:
            return "mpegts"
    return None


def _what_it_is(head: bytes) -> str:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"#extm3u"):
        return "is a playlist (m3u8), not a film, and playlists are never followed"
    if text.startswith((b"ffconcat", b"file ")):
        return "is a list of files to join, not a film, and lists are never followed"
    if text.startswith((b"<?xml", b"<mpd", b"<smil")):
        return "is an XML text (a streaming manifest?), not a film, and manifests are never followed"
    if head.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8")) or head[8:12] == b"WEBP":
        return "is a picture, not a film (give it a picture's ending, such as png or jpg)"
    if b"\x00" not in head:
        return "is a text file, not a film"
    return "is not a film of a known kind"
