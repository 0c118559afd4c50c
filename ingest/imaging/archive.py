"""Reads untrusted zips: every member is checked by its directory entry before any byte is unpacked.

Nothing is ever written under a name from the archive; members are returned as bytes.
"""

from __future__ import annotations

import itertools
import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from ingest.algorithms.normal_form import normal
from ingest.imaging.names import plain_text

MEMBERS_MAX = 200_000
DIRECTORY_BYTES_MAX = 64 * 2**20  # Python holds the list of all members in memory
MEMBER_BYTES_MAX = 512 * 2**20
TOTAL_BYTES_MAX = 200 * 2**30
RATIO_MAX = 200  # unpacked to packed size; a blank bitmap exceeds it, but is small: see the next line
RATIO_FREE_BYTES = 64 * 2**20  # members below this size may exceed the ratio
NAME_BYTES_MAX = 400
LOCAL_HEADER_BYTES = 30  # in front of each member's name and data
_ENDINGS_OF_ARCHIVES = (".zip", ".cbz", ".7z", ".rar", ".cbr", ".tar", ".gz", ".xz", ".bz2", ".zst")
_LEFTOVERS = ("__macosx", ".ds_store", "thumbs.db", "desktop.ini")
_BROKEN = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, OSError, EOFError, ValueError, KeyError, IndexError),
    *(struct.error, NotImplementedError, RuntimeError, OverflowError, MemoryError, UnicodeError),
)


class BadArchive(Exception):
    """The archive cannot be used. The text, meant for the user, says why and what to do."""


class BadMember(Exception):
    """One member cannot be used; the others may be."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that are checked with the directory alone."""

    members_max: int = MEMBERS_MAX
    directory_bytes_max: int = DIRECTORY_BYTES_MAX
    member_bytes_max: int = MEMBER_BYTES_MAX
    total_bytes_max: int = TOTAL_BYTES_MAX
    ratio_max: int = RATIO_MAX
    ratio_free_bytes: int = RATIO_FREE_BYTES
    archives: re.Pattern[str] | None = None  # names of members that may be archives, since the caller only copies them


@dataclass(frozen=True, slots=True)
class Member:
    """A file in the archive that may be read. `name` is relative, separated by `/`, NFC, unique, without `..`."""

    name: str
    size: int
    index: int  # in the archive's directory


@dataclass(frozen=True, slots=True)
class Refused:
    """A member that is not read, and the reason; `leftover` is True for files that operating systems add."""

    name: str
    reason: str
    leftover: bool = False


class ZipReader:
    """An open zip, to be used as a context manager; `members` and `refused` together are all its files."""

    def __init__(self, path: Path, *, name: str, limits: Limits | None = None) -> None:
        """`name` is shown to the user. Raises BadArchive."""
        self._limits = limits or Limits()
        self._display_name = plain_text(name)
        self.members: list[Member] = []
        self.refused: list[Refused] = []
        try:
            _check_directory(path, self._display_name, self._limits)
            self._zip = zipfile.ZipFile(path)
        except _BROKEN as error:
            raise BadArchive(
                f"{self._display_name}: this is not a zip, or it is damaged or incomplete. Create the zip again."
            ) from error
        try:
            self._infos = self._zip.infolist()
            self._sort_members()
        except BadArchive:
            self._zip.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def read(self, member: Member) -> bytes:
        """The bytes of a member, at most its declared size. Raises BadMember."""
        info = self._infos[member.index]
        try:
            with self._zip.open(info) as file:
                data = file.read(info.file_size + 1)
                if len(data) > info.file_size or file.read(1):
                    raise BadMember(f"{member.name}: it is larger than declared. Create the zip again.")
        except _BROKEN as error:
            why = plain_text(str(error) or type(error).__name__, bytes_max=100)
            raise BadMember(f"{member.name}: it cannot be unpacked ({why}). Create the zip again.") from error
        if len(data) != info.file_size:
            raise BadMember(f"{member.name}: it is incomplete. Create the zip again.")
        return data

    @contextmanager
    def open(self, member: Member) -> Iterator[IO[bytes]]:
        """A member as a stream, if it may not fit in memory; zipfile checks size and checksum. Raises BadMember."""
        try:
            with self._zip.open(self._infos[member.index]) as file:
                yield file
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise BadMember(f"{member.name}: it cannot be unpacked ({error}). Copy the file again.") from error

    def _sort_members(self) -> None:
        total = 0
        spans: list[tuple[int, int]] = []
        seen: set[str] = set()
        for index, info in enumerate(self._infos):
            name, problem = _checked_name(info)
            if not problem and info.is_dir():  # zipfile fails here for a member without a name
                continue
            problem = problem or _refusal_reason(info, name, self._limits)
            name_parts = [part.lower() for part in name.split("/")]
            leftover = any(p in _LEFTOVERS or p.startswith("._") for p in name_parts)
            if problem is None and name in seen:
                problem = "the archive contains this name twice; the first one is used"
            if problem is not None or leftover:
                reason = "added by an operating system" if leftover else problem or ""
                self.refused.append(Refused(plain_text(name, bytes_max=NAME_BYTES_MAX), reason, leftover))
                continue
            seen.add(name)
            total += info.file_size
            spans.append((info.header_offset, info.compress_size))
            self.members.append(Member(name, info.file_size, index))
        if total > self._limits.total_bytes_max:
            raise BadArchive(
                f"{self._display_name}: it would unpack to {total:,} bytes, more than the limit of "
                f"{self._limits.total_bytes_max:,}. Split it."
            )
        spans.sort()
        for (start, size), (following, _) in itertools.pairwise(spans):
            if start + LOCAL_HEADER_BYTES + size > following:
                raise BadArchive(f"{self._display_name}: its members overlap, as in a zip bomb. It was refused.")


def read_all(
    path: Path, *, name: str, limits: Limits | None = None, endings: frozenset[str] | None = None
) -> Iterator[tuple[Member, bytes] | Refused]:
    """Yield each member with its bytes in the archive's order, then refused ones. `endings`: lower case, no dots."""
    with ZipReader(path, name=name, limits=limits) as reader:
        for member in reader.members:
            if endings is not None and member.name.rpartition(".")[2].lower() not in endings:
                yield Refused(member.name, "its name is not that of a picture")
                continue
            try:
                yield member, reader.read(member)
            except BadMember as error:
                yield Refused(member.name, str(error))
        yield from reader.refused


def _check_directory(path: Path, display_name: str, limits: Limits) -> None:
    """Check the end record first: a directory of millions of members must not reach Python's reader."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 65_557 - 20))
        tail = file.read()
        end_record = tail.rfind(b"PK\x05\x06")
        if end_record < 0 or len(tail) - end_record < 22:
            raise BadArchive(f"{display_name}: this is not a zip, or it is incomplete. Copy or create it again.")
        count, directory = struct.unpack("<HL", tail[end_record + 10 : end_record + 16])
        locator = tail[end_record - 20 : end_record] if end_record >= 20 else b""
        if locator[:4] == b"PK\x06\x07":
            file.seek(struct.unpack("<Q", locator[8:16])[0])
            record = file.read(56)
            if record[:4] == b"PK\x06\x06" and len(record) == 56:
                count, directory = struct.unpack("<QQ", record[32:48])
    if count > limits.members_max or directory > limits.directory_bytes_max:
        raise BadArchive(f"{display_name}: it contains {count:,} files; the limit is {limits.members_max:,}. Split it.")


def _checked_name(info: zipfile.ZipInfo) -> tuple[str, str | None]:
    """The member's name, decoded and separated by `/`, and the problem with it, if any."""
    if "\0" in info.orig_filename:
        return info.orig_filename, "its name contains a zero byte"
    name = normal(_decode_name(info).replace("\\", "/"))
    if name.startswith("/") or (len(name) > 1 and name[1] == ":" and name[0].isalpha()):
        return name, "its name is an absolute path"
    name_parts = name.split("/")
    if ".." in name_parts:
        return name, "its name points outside the archive"
    name = "/".join(part for part in name_parts if part not in ("", "."))
    if not name:
        return info.orig_filename, "it has no name"
    if len(name.encode("utf-8", "replace")) > NAME_BYTES_MAX:
        return name, f"its name is longer than {NAME_BYTES_MAX} bytes"
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in name):
        return name, "its name contains control characters"
    return name, None


def _decode_name(info: zipfile.ZipInfo) -> str:
    """Without the UTF-8 flag, names are UTF-8 or Japanese Windows more often than the standard's cp437."""
    if info.flag_bits & 0x800:
        return info.filename
    try:
        raw_name = info.orig_filename.encode("cp437")
    except UnicodeEncodeError:
        return info.filename
    extra = _unicode_path(info.extra, raw_name)
    if extra is not None:
        return extra
    for encoding in ("utf-8", "cp932"):
        try:
            return raw_name.decode(encoding)
        except UnicodeDecodeError:
            continue
    return info.orig_filename


def _unicode_path(extra: bytes, raw: bytes) -> str | None:
    """The UTF-8 name in Info-ZIP's extra field 0x7075, if its checksum matches the raw name."""
    offset = 0
    while offset + 4 <= len(extra):
        field_id, size = struct.unpack("<HH", extra[offset : offset + 4])
        field_data = extra[offset + 4 : offset + 4 + size]
        if (
            field_id == 0x7075
            and len(field_data) > 5
            and field_data[0] == 1
            and struct.unpack("<L", field_data[1:5])[0] == zlib.crc32(raw)
        ):
            try:
                return field_data[5:].decode("utf-8")
            except UnicodeDecodeError:
                return None
        offset += 4 + size
    return None


def _refusal_reason(info: zipfile.ZipInfo, name: str, limits: Limits) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "it is a link"
    if kind not in (0, stat.S_IFREG):
        return "it is a device, pipe or socket"
    if info.flag_bits & 0x41:
        return "it is encrypted; create the zip without a password"
    copied = limits.archives is not None and limits.archives.fullmatch(name)
    if not copied and name.lower().endswith(_ENDINGS_OF_ARCHIVES):
        return "archives in archives are not opened; add it separately"
    if info.file_size > limits.member_bytes_max:
        return f"it is larger than the limit of {limits.member_bytes_max:,} bytes"
    if info.file_size > limits.ratio_free_bytes and info.file_size > limits.ratio_max * max(1, info.compress_size):
        return f"it unpacks to more than {limits.ratio_max} times its size, as in a zip bomb"
    return None
