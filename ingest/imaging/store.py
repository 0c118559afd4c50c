"""Content-addressed files below one root: written completely or not at all, named by their SHA-256, never changed.

Names have the form `ab/cd/<sha256>.<ending>`; no other name is ever opened, whatever a row contains.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ingest.imaging.formats import MEDIA_TYPES

TEMP_AGE_MAX_S = 24 * 3600  # a temp file this old belongs to a process that died
ENDINGS = frozenset({*MEDIA_TYPES, "bin", "gz", "json", "npy"})
_NAME = re.compile(r"([0-9a-f]{2})/([0-9a-f]{2})/([0-9a-f]{64})\.([a-z0-9]{1,5})")
_TEMP = "temp"
_ASIDE = "aside"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # full disk, quota, file size limit
_CHUNK_BYTES = 1 << 20


class StoreFull(OSError):
    """The disk is full; no partial file remains. The text is meant for the user."""


class UnknownName(ValueError):
    """A name that is not of the store's form."""


class Store:
    """Files below `root`. Processes may write the same content at once, since either rename leaves the same bytes."""

    def __init__(self, root: Path, *, reserve_bytes: int = 0) -> None:
        """`reserve_bytes` stay free on the disk; files that would take them are refused."""
        self.root = Path(root)
        self.reserve_bytes = reserve_bytes

    def put(self, data: bytes, suffix: str) -> str:
        """Write bytes durably and return the name; `suffix` with or without a dot. Raises StoreFull, ValueError."""
        return self.put_many([(data, suffix)])[0]

    def put_many(self, items: Iterable[tuple[bytes, str]]) -> list[str]:
        """As `put` for several (bytes, suffix), with one sync per folder; all are durable on return."""
        names: list[str] = []
        folders: set[Path] = set()
        for data, suffix in items:
            name = name_for(hashlib.sha256(data).hexdigest(), suffix)
            names.append(name)
            target = self.path(name)
            if not _renewed(target, len(data)):
                self._write(target, data)
                folders.add(target.parent)
        for folder in folders:
            _sync_folder(folder)
        return names

    def put_file(self, source: Path, suffix: str) -> str:
        """As `put` for a file of any size, which is copied. Raises StoreFull, ValueError, FileNotFoundError."""
        with source.open("rb") as file:
            name = name_for(hashlib.file_digest(file, "sha256").hexdigest(), suffix)
        target, size = self.path(name), source.stat().st_size
        if not _renewed(target, size):
            self._place(target, size, lambda file: _copy(source, file))
            _sync_folder(target.parent)
        return name

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """The path of a temporary file, which is deleted at the end; after a kill by `sweep`."""
        path = self.root / _TEMP / secrets.token_hex(16)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def path(self, name: str) -> Path:
        """The path of a name, whether or not the file exists. Raises UnknownName."""
        match = _NAME.fullmatch(name)
        if match is None or not match[3].startswith(match[1] + match[2]) or match[4] not in ENDINGS:
            raise UnknownName("This is not the name of a stored file.")
        return self.root / match[1] / match[2] / f"{match[3]}.{match[4]}"

    def open(self, name: str) -> BinaryIO:
        """Open for reading. Raises UnknownName, FileNotFoundError."""
        return self.path(name).open("rb")

    def read(self, name: str) -> bytes:
        """All bytes of a file. Raises UnknownName, FileNotFoundError."""
        return self.path(name).read_bytes()

    def exists(self, name: str) -> bool:
        """Whether the file exists; existing files are complete."""
        return self.path(name).is_file()

    def remove(self, name: str) -> bool:
        """Delete a file that no row refers to; False if it did not exist."""
        try:
            self.path(name).unlink()
        except FileNotFoundError:
            return False
        return True

    def names(self, *, after: str = "") -> Iterator[tuple[str, str]]:
        """Yield (folder, name) of all files in order of folders; with `after` only of later folders.

        Files that are added or deleted meanwhile may be missing. Other files are ignored.
        """
        for outer in _folders(self.root):
            if after and outer < after[:2]:
                continue
            for inner in _folders(self.root / outer):
                folder = f"{outer}/{inner}"
                if after and folder <= after:
                    continue
                for name in sorted(path.name for path in (self.root / folder).iterdir()):
                    if _NAME.fullmatch(f"{folder}/{name}"):
                        yield folder, f"{folder}/{name}"

    def age_s(self, name: str) -> float:
        """Seconds since the file was last `put`; -1 if it does not exist."""
        try:
            return max(0.0, time.time() - self.path(name).stat().st_mtime)
        except FileNotFoundError:
            return -1.0

    def set_aside(self, name: str) -> Path | None:
        """Move a file out of the store temporarily; None if it does not exist. Then `bring_back` or unlink it."""
        path = self.path(name)
        aside = self.root / _ASIDE / path.name
        aside.parent.mkdir(parents=True, exist_ok=True)
        try:
            return path.rename(aside)
        except FileNotFoundError:
            return None

    def bring_back(self, aside: Path) -> None:
        """Undo `set_aside`; a file that was put under its name meanwhile has the same bytes."""
        name = aside.name
        aside.replace(self.path(f"{name[:2]}/{name[2:4]}/{name}"))

    def left_aside(self) -> list[Path]:
        """Files that a killed process had set aside."""
        folder = self.root / _ASIDE
        return list(folder.iterdir()) if folder.is_dir() else []

    def is_sound(self, name: str) -> bool:
        """Whether the content of a file matches its name; False if it does not exist."""
        digest = hashlib.sha256()
        try:
            with self.open(name) as file:
                while chunk := file.read(_CHUNK_BYTES):
                    digest.update(chunk)
        except FileNotFoundError:
            return False
        return digest.hexdigest() == name[6:70]

    def sweep(self, *, age_s: float = TEMP_AGE_MAX_S) -> int:
        """Delete temporary files older than `age_s` seconds; returns their number."""
        folder = self.root / _TEMP
        if not folder.is_dir():
            return 0
        newest_mtime = time.time() - age_s
        removed = 0
        for entry in os.scandir(folder):
            try:
                if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime <= newest_mtime:
                    Path(entry.path).unlink()
                    removed += 1
            except FileNotFoundError:  # deleted by another sweep
                continue
        return removed

    def _write(self, target: Path, data: bytes) -> None:
        self._place(target, len(data), lambda file: file.write(data))

    def _place(self, target: Path, size: int, fill: Callable[[BinaryIO], object]) -> None:
        temp = self.root / _TEMP / secrets.token_hex(16)
        try:
            self._check_room(size)
            temp.parent.mkdir(parents=True, exist_ok=True)
            with temp.open("xb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            target.parent.mkdir(parents=True, exist_ok=True)
            temp.replace(target)
        except OSError as error:
            temp.unlink(missing_ok=True)
            if error.errno in _NO_ROOM:
                raise full(self.root, error) from error
            raise

    def _check_room(self, size: int) -> None:
        if self.reserve_bytes:
            check_room(self.root, size, reserve_bytes=self.reserve_bytes)


def name_for(sha256: str, suffix: str) -> str:
    """The name of content with this hash. Raises ValueError for an unsupported suffix."""
    ending = suffix.lower().lstrip(".").replace("jpeg", "jpg")
    if ending not in ENDINGS:
        raise ValueError(f"The store does not support the suffix {suffix!r}.")
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}.{ending}"


def full(root: Path, error: OSError | None = None) -> StoreFull:
    """The error for a full disk, with the system's message of `error`."""
    why = f" ({os.strerror(error.errno)})" if error is not None and error.errno else ""
    return StoreFull(
        f"The server's disk is full{why}. No partial file was kept. "
        "Free some space, or move KOMA_DATA_DIR or KOMA_EXPORT_DIR, then press Resume or Retry."
    )


def check_room(root: Path, size: int, *, reserve_bytes: int) -> None:
    """Raise StoreFull if `size` more bytes would leave less than `reserve_bytes` free."""
    if free_bytes(root) - size < reserve_bytes:
        raise full(root)


def free_bytes(root: Path) -> int:
    """Bytes that this process may write on the disk of `root`, which need not exist yet."""
    folder = Path(root).absolute()
    while not folder.exists():
        folder = folder.parent
    stats = os.statvfs(folder)
    return stats.f_bavail * stats.f_frsize


def no_room(error: OSError) -> bool:
    """Whether the error means a full disk, an exceeded quota or a file size limit."""
    return error.errno in _NO_ROOM


def _copy(source: Path, target: BinaryIO) -> None:
    with source.open("rb") as file:
        shutil.copyfileobj(file, target, _CHUNK_BYTES)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1


def _renewed(path: Path, size: int) -> bool:
    """Whether the complete file exists; its age is reset, so that no sweep deletes it as unused."""
    if _size(path) != size:
        return False
    try:
        os.utime(path)
    except FileNotFoundError:  # deleted at this moment: write it again
        return False
    return True


def _folders(root: Path) -> list[str]:
    if not root.is_dir():
        return []
    return sorted(entry.name for entry in os.scandir(root) if len(entry.name) == 2 and entry.is_dir())


def _sync_folder(folder: Path) -> None:
    """Sync a folder, so that a rename in it survives a power failure."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
