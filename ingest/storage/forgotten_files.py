"""Deletes files of the store that no row refers to: crops of moved or deleted boxes, files of killed workers.

A file is written before the row that refers to it, so recent files are left alone; writing the same content again makes
its file recent. What looks unreferenced is set aside, checked once more, and only then deleted. The history counts as a
reference: an undo restores the crop that a box had.
"""

from __future__ import annotations

import fcntl
import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from django.conf import settings

from ingest.imaging.store import Store
from ingest.storage import stored_files
from ingest.storage.stored_files import store

logger = logging.getLogger(__name__)

AGE_MIN_S = 24 * 3600  # far longer than any stage or restoring keeps a file without a row
FILES_MAX = 20_000  # looked at in one sweep, which goes on where the last one ended
BATCH = stored_files.BATCH


@dataclass(frozen=True, slots=True)
class Swept:
    """Files that were checked, the unreferenced ones and their bytes, the folder after which to resume."""

    seen: int = 0
    forgotten: int = 0
    size: int = 0
    last: str = ""


def sweep() -> Swept:
    """Delete unreferenced files in a part of the store; the next call resumes after it. Does nothing beside another."""
    with sweep_lock() as place:
        if place is None:
            return Swept()
        swept = sweep_from(store(), after=place.read(5), files_max=FILES_MAX)
        place.truncate(0)
        place.write(swept.last)
    if swept.forgotten:
        logger.info("%s files that nothing names were deleted (%s bytes)", swept.forgotten, swept.size)
    return swept


@contextmanager
def sweep_lock() -> Iterator[IO[str] | None]:
    """The locked file that says where the next sweep resumes; None while another process sweeps."""
    folder = Path(settings.KOMA_DATA_DIR) / "locks"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "forgotten-files").open("a+", encoding="ascii") as place:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        place.seek(0)
        yield place


def sweep_from(
    files: Store, *, after: str = "", files_max: int | None = None, age_s: float = AGE_MIN_S, dry_run: bool = False
) -> Swept:
    """Check the files after the folder `after`, at least `files_max` of them and then to the end of a folder.

    Hold `sweep_lock`. With `dry_run` nothing is deleted. Memory grows with the unreferenced files, not with the store.
    """
    for path in files.left_aside() if not dry_run else ():  # by a sweep that was killed
        files.bring_back(path)
    seen, last = 0, ""
    suspects: dict[str, int] = {}
    ended = True
    for folder, names in _by_folder(files, after):
        if files_max is not None and seen >= files_max:
            ended = False
            break
        seen, last = seen + len(names), folder
        for part in _parts(names):
            old = {name for name in part if files.age_s(name) >= age_s}
            for name in old - stored_files.named(old):
                suspects[name] = _size(files.path(name))
    for name in stored_files.in_history(suspects):
        suspects.pop(name, None)
    if not dry_run:
        suspects = {name: suspects[name] for part in _parts(suspects) for name in _deleted(files, part, age_s)}
    return Swept(seen, len(suspects), sum(suspects.values()), "" if ended else last)


def _by_folder(files: Store, after: str) -> Iterator[tuple[str, list[str]]]:
    """Folders with their names; those of a store hold few files each."""
    held: list[str] = []
    here = ""
    for folder, name in files.names(after=after):
        if folder != here and held:
            yield here, held
            held = []
        here = folder
        held.append(name)
    if held:
        yield here, held


def _deleted(files: Store, names: list[str], age_s: float) -> Iterator[str]:
    """Set files aside, check again whether they were written or referenced in the meantime, and delete the others."""
    aside = {name: path for name in names if (path := files.set_aside(name)) is not None}
    named = stored_files.named(aside)
    for name, path in aside.items():
        if name in named or path.stat().st_mtime > time.time() - age_s:
            files.bring_back(path)
        else:
            path.unlink()
            yield name


def _parts(names: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while part := list(islice(rest, BATCH)):
        yield part


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
