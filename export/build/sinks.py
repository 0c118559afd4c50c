"""Output of datasets: a folder that appears atomically, or a ZIP with UTF-8 names and no timestamps."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from export.algorithms.filenames import PART, REPLACED, unfinished_name
from ingest.errors import BadInput, KomaError
from ingest.imaging.store import check_room, full, no_room

_ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest date of the ZIP format: same files, same bytes
_COPY_BYTES = 1 << 20
_MANIFEST = "dataset.json"
_INSIDE = ".koma-building"


class FolderSink:
    """Files below one folder that is not in place yet: whoever builds it says which are complete, and moves it at last.

    Nothing is ever written outside it.
    """

    def __init__(self, root: Path, *, reserve_bytes: int = 0) -> None:
        """`reserve_bytes`: disk space that writes must leave free."""
        self.root = root
        self.reserve_bytes = reserve_bytes
        self._folders: set[Path] = set()

    def write(self, path: str, data: bytes) -> None:
        """Write one file at a relative path with `/`. Raises BadInput for a path that leads outside, StoreFull."""
        self._write(path, len(data), lambda target: target.write_bytes(data))

    def copy(self, source: Path, path: str) -> int:
        """Copy a file to a relative path and return its bytes. Raises FileNotFoundError, BadInput, StoreFull."""
        size = source.stat().st_size
        self._write(path, size, lambda target: shutil.copyfile(source, target))
        return size

    def replace(self, path: str, data: bytes) -> None:
        """Write over a file of a dataset that is in place already: it has the old bytes or the new ones at any time."""
        target = self.path(path)
        temp = target.with_name(f".{hashlib.blake2s(target.name.encode(), digest_size=12).hexdigest()}.part")
        try:
            temp.write_bytes(data)
            temp.replace(target)
        except OSError as error:
            temp.unlink(missing_ok=True)
            if no_room(error):
                raise full(self.root, error) from error
            raise

    def _write(self, path: str, size: int, create: Callable[[Path], object]) -> None:
        target = self.path(path)
        try:
            if self.reserve_bytes:
                check_room(self.root, size, reserve_bytes=self.reserve_bytes)
            if target.parent not in self._folders:
                target.parent.mkdir(parents=True, exist_ok=True)
                self._folders.add(target.parent)
            create(target)
        except OSError as error:
            if no_room(error):
                target.unlink(missing_ok=True)
                raise full(self.root, error) from error
            raise

    def has(self, path: str) -> bool:
        """Return whether the complete file exists."""
        return self.path(path).is_file()

    def path(self, path: str) -> Path:
        """Resolve a relative path. Raises BadInput if it would lie outside the folder."""
        parts = path.split("/")
        if not path or any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
            raise BadInput(f"{path!r} is outside the dataset; nothing was written there.")
        return self.root.joinpath(*parts)


def move_whole(built: Path, target: Path) -> None:
    """Move a built folder into place atomically, synced beforehand; an older dataset there is replaced.

    Raises KomaError when something other than a dataset of Koma is in the way.
    """
    check_place(target)
    os.sync()  # once for all files: syncing each of thousands takes minutes on a slow disk
    target.parent.mkdir(parents=True, exist_ok=True)
    if built.parent == target:
        _move_contents(built, target)
        return
    aside = target.with_name(unfinished_name(target.name, REPLACED))  # may be there from a process that died
    if target.exists():
        shutil.rmtree(aside, ignore_errors=True)
        target.rename(aside)
    try:
        built.rename(target)
    except OSError:
        if aside.exists():
            aside.rename(target)
        raise
    sync_folder(target.parent)
    if aside.exists():
        shutil.rmtree(aside)


def check_place(target: Path) -> None:
    """Raise KomaError if something other than a dataset of Koma is at `target`."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise KomaError(f"{target} exists and is not a folder; nothing was changed there. Choose another place.")
    if not target.exists() or (target / _MANIFEST).is_file():
        return
    if any(entry.name != _INSIDE for entry in target.iterdir()):
        raise KomaError(
            f"{target} contains files that are not a Koma dataset; nothing was changed there. Choose an empty folder."
        )


def building_place(target: Path) -> Path:
    """Return where to build what will be moved to `target`: beside it, or inside it if only that is writable.

    Inside is needed for a container's mounted folder, which can be neither renamed nor written beside.
    """
    parent = target.parent
    while not parent.exists():
        parent = parent.parent
    if target.is_dir() and (target.is_mount() or not os.access(parent, os.W_OK)):
        return target / _INSIDE
    return target.with_name(unfinished_name(target.name, "building"))


def _move_contents(built: Path, target: Path) -> None:
    """Move the contents as atomically as a mounted folder allows: the manifest is removed first and written last."""
    (target / _MANIFEST).unlink(missing_ok=True)
    for entry in target.iterdir():
        if entry != built:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    for entry in sorted(built.iterdir(), key=lambda entry: entry.name == _MANIFEST):
        entry.rename(target / entry.name)
    built.rmdir()
    sync_folder(target)


def share(place: Path, *, umask: int) -> None:
    """Set the permissions of a finished dataset (or its ZIP) by this umask; Koma's own files have 0600."""
    for root, folders, files in os.walk(place):
        for path in [Path(root), *(Path(root, name) for name in folders)]:
            path.chmod(0o777 & ~umask)
        for path in (Path(root, name) for name in files):
            if not path.is_symlink():
                path.chmod(0o666 & ~umask)
    if place.is_file():
        place.chmod(0o666 & ~umask)


def zip_folder(
    folder: Path,
    target: Path,
    *,
    top: str,
    each: Callable[[int], None] = lambda bytes_done: None,
    reserve_bytes: int = 0,
) -> int:
    """Pack a folder into a zip at `target` below the folder name `top`; returns its size in bytes.

    Stored without compression (pictures do not shrink), sorted, without times: the same files give the same bytes.
    `each` hears the bytes done after every file and may raise to stop. Raises StoreFull, also when less than
    `reserve_bytes` would stay free.
    """
    temp = target.with_name(unfinished_name(target.name, PART))
    target.parent.mkdir(parents=True, exist_ok=True)
    done = 0
    if reserve_bytes:
        check_room(target.parent, sum(path.stat().st_size for path in files_below(folder)), reserve_bytes=reserve_bytes)
    try:
        with zipfile.ZipFile(temp, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            for path in files_below(folder):
                info = zipfile.ZipInfo(f"{top}/{path.relative_to(folder).as_posix()}", _ZIP_DATE)
                info.external_attr = 0o100644 << 16
                info.file_size = path.stat().st_size  # lets zipfile choose zip64 for a file of 2 GiB and more
                with path.open("rb") as source, archive.open(info, "w") as entry:
                    shutil.copyfileobj(source, entry, _COPY_BYTES)
                done += info.file_size
                each(done)
        with temp.open("rb") as file:
            os.fsync(file.fileno())
        temp.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        temp.unlink(missing_ok=True)
        if no_room(error):
            raise full(target.parent, error) from error
        raise
    except BaseException:
        temp.unlink(missing_ok=True)
        raise
    return target.stat().st_size


def files_below(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder, sorted by path, without links."""
    paths = []
    for root, _, names in os.walk(folder):
        paths += [Path(root, name) for name in names]
    yield from sorted(path for path in paths if not path.is_symlink())


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that a rename in it survives a power failure."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
