"""Content-addressed files below one root: written whole or not at all, named by their SHA-256, never changed after.

Names look like `ab/cd/<sha256>.<ending>`; nothing else is ever opened, so a name from a hostile row leads nowhere.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from ingest.imaging.formats import MEDIA_TYPES

TEMP_AGE_MAX_S = 24 * 3600  # a temp file this old belongs to a process that died
ENDINGS = frozenset({*MEDIA_TYPES, "bin", "json", "npy"})
_NAME = re.compile(r"([0-9a-f]{2})/([0-9a-f]{2})/([0-9a-f]{64})\.([a-z0-9]{1,5})")
_TEMP = "temp"
_ASIDE = "aside"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # full disk, quota, file size limit
_CHUNK_BYTES = 1 << 20


class StoreFull(OSError):
    """No room for a file; nothing half-written stays. The text is meant for the user."""


class UnknownName(ValueError):
    """A name that the store never gives out."""


class Store:
    """Files below `root`. Two processes may write the same content at once: either rename leaves the same bytes."""

    def __init__(self, root: Path, *, reserve_bytes: int = 0) -> None:
        """`reserve_bytes`: refuse to write when the disk would keep less than this free."""
        self.root = Path(root)
        self.reserve_bytes = reserve_bytes

    def put(self, data: bytes, suffix: str) -> str:
        """Write bytes durably, return the name. `suffix` with or without its dot. Raises StoreFull, ValueError."""
        return self.put_many([(data, suffix)])[0]

    def put_many(self, items: Iterable[tuple[bytes, str]]) -> list[str]:
        """As `put` for several files, with one sync a folder; at return all are durable. Raises as `put`."""
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

    def path(self, name: str) -> Path:
        """The file behind a name (it may be absent). Raises UnknownName for anything but the store's own names."""
        match = _NAME.fullmatch(name)
        if match is None or not match[3].startswith(match[1] + match[2]) or match[4] not in ENDINGS:
            raise UnknownName("This is no name of a stored file.")
        return self.root / match[1] / match[2] / f"{match[3]}.{match[4]}"

    def open(self, name: str) -> BinaryIO:
        """Open for reading. Raises UnknownName, FileNotFoundError."""
        return self.path(name).open("rb")

    def read(self, name: str) -> bytes:
        """All bytes of a file. Raises UnknownName, FileNotFoundError."""
        return self.path(name).read_bytes()

    def exists(self, name: str) -> bool:
        """True when the file is there, whole."""
        return self.path(name).is_file()

    def remove(self, name: str) -> bool:
        """Delete a file that no row names any more; False when it was gone."""
        try:
            self.path(name).unlink()
        except FileNotFoundError:
            return False
        return True

    def names(self, *, after: str = "") -> Iterator[tuple[str, str]]:
        """Folders and names of all files in them, in order of the folders; with `after` only those of later folders.

        Files that come or go meanwhile may be among them or not. What is no name of the store's is passed over.
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
        """Seconds since the file was written, or `put` again; below 0 when it is gone."""
        try:
            return max(0.0, time.time() - self.path(name).stat().st_mtime)
        except FileNotFoundError:
            return -1.0

    def set_aside(self, name: str) -> Path | None:
        """Take a file out of the store for a moment; None when it is gone. `bring_back` it then, or unlink it."""
        path = self.path(name)
        aside = self.root / _ASIDE / path.name
        aside.parent.mkdir(parents=True, exist_ok=True)
        try:
            return path.rename(aside)
        except FileNotFoundError:
            return None

    def bring_back(self, aside: Path) -> None:
        """Undo `set_aside`; a file that was put under its name meanwhile holds the same bytes."""
        name = aside.name
        aside.replace(self.path(f"{name[:2]}/{name[2:4]}/{name}"))

    def left_aside(self) -> list[Path]:
        """What a killed process had set aside."""
        folder = self.root / _ASIDE
        return list(folder.iterdir()) if folder.is_dir() else []

    def is_sound(self, name: str) -> bool:
        """Read a file again and compare with its name."""
        digest = hashlib.sha256()
        try:
            with self.open(name) as file:
                while chunk := file.read(_CHUNK_BYTES):
                    digest.update(chunk)
        except FileNotFoundError:
            return False
        return digest.hexdigest() == name[6:70]

    def sweep(self, *, age_s: float = TEMP_AGE_MAX_S) -> int:
        """Delete temp files of dead processes; returns how many."""
        folder = self.root / _TEMP
        if not folder.is_dir():
            return 0
        oldest = time.time() - age_s
        removed = 0
        for entry in os.scandir(folder):
            try:
                if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime <= oldest:
                    Path(entry.path).unlink()
                    removed += 1
            except FileNotFoundError:  # another sweep was quicker
                continue
        return removed

    def _write(self, target: Path, data: bytes) -> None:
        temp = self.root / _TEMP / secrets.token_hex(16)
        try:
            self._check_room(len(data))
            temp.parent.mkdir(parents=True, exist_ok=True)
            with temp.open("xb") as file:
                file.write(data)
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
    """The name of content with this hash. Raises ValueError for an ending that the store does not keep."""
    ending = suffix.lower().lstrip(".").replace("jpeg", "jpg")
    if ending not in ENDINGS:
        raise ValueError(f"The store keeps no files ending in {suffix!r}.")
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}.{ending}"


def full(root: Path, error: OSError | None = None) -> StoreFull:
    """The message for a full disk; `error` gives the system's own words."""
    why = f" ({os.strerror(error.errno)})" if error is not None and error.errno else ""
    return StoreFull(
        f"There is no room left on the server's disk{why}. Nothing half-written was kept. "
        "Free some space or move KOMA_DATA_DIR, then press Resume or Try again."
    )


def check_room(root: Path, size: int, *, reserve_bytes: int) -> None:
    """Raise StoreFull when `size` more bytes would leave less than `reserve_bytes` free."""
    if free_bytes(root) - size < reserve_bytes:
        raise full(root)


def free_bytes(root: Path) -> int:
    """Bytes that this process may still write on the disk of `root`, which need not exist yet."""
    folder = Path(root).absolute()
    while not folder.exists():
        folder = folder.parent
    stats = os.statvfs(folder)
    return stats.f_bavail * stats.f_frsize


def no_room(error: OSError) -> bool:
    """True for the errors of a full disk, a full quota and a file size limit."""
    return error.errno in _NO_ROOM


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1


def _renewed(path: Path, size: int) -> bool:
    """Whether the whole file is there; it is as young as a new one then, so that nobody takes it for forgotten."""
    if _size(path) != size:
        return False
    try:
        os.utime(path)
    except FileNotFoundError:  # taken away at this moment: it is written again
        return False
    return True


def _folders(root: Path) -> list[str]:
    if not root.is_dir():
        return []
    return sorted(entry.name for entry in os.scandir(root) if len(entry.name) == 2 and entry.is_dir())


def _sync_folder(folder: Path) -> None:
    """A rename survives a power cut only when its folder was synced."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
