"""Keeps other accounts of the machine out of the data folder: folders 0700, files 0600, checked at each start."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

UMASK = 0o077
# At the root of the data folder; what lies deeper cannot be reached once these are closed.
DEEP = ("logs", "redis", "uploads", "locks", "temp")  # small ones, whose every file is looked at all the same


def set_umask() -> int:
    """Make all new files of this process and its children private; returns the previous umask."""
    return os.umask(UMASK)


def close_folder(folder: Path) -> list[str]:
    """Close the data folder and its top level to other accounts; returns messages about what could not be closed."""
    folder.mkdir(parents=True, exist_ok=True)
    problems = []
    for path in _places(folder):
        try:
            status = path.stat()
            private_mode = stat.S_IMODE(status.st_mode) & ~UMASK
            if stat.S_IMODE(status.st_mode) != private_mode:
                path.chmod(private_mode)
        except FileNotFoundError:  # a link to nothing, or gone meanwhile
            continue
        except OSError as error:
            problems.append(
                f"{path} can be read by others on this machine, and that cannot be changed ({error.strerror}). "
                f"Run Koma as its owner, or: chmod {'700' if path.is_dir() else '600'} {path}"
            )
    return problems


def _places(folder: Path) -> Iterator[Path]:
    yield folder
    for path in sorted(folder.iterdir()):
        yield path
        if path.name in DEEP and path.is_dir() and not path.is_symlink():
            for root, folders, files in os.walk(path):
                yield from (Path(root, name) for name in [*folders, *files])
