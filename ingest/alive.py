"""Which processes of Koma are alive, on any machine: each holds a lock on a file of the data folder.

The system releases the lock as soon as its process ends, however it ends. A process number would not do: it is reused,
and another container has its own.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
from pathlib import Path

from django.conf import settings

logger = logging.getLogger(__name__)

NAME_CHARS = 12
UNKNOWN = "-" * NAME_CHARS  # of a process that could not make its file
_names: dict[tuple[int, str], tuple[str, int]] = {}  # process number and folder -> name and the locked file


def process_name() -> str:
    """The name of this process, of NAME_CHARS characters; UNKNOWN where no file can be created."""
    key = (os.getpid(), str(_folder()))  # a fork is another process: it does not inherit the lock
    if key not in _names:
        try:
            _names.setdefault(key, _hold(_folder()))
        except OSError as problem:  # a full disk: whoever asks goes by the clock
            logger.warning("The heartbeat cannot be written to the data folder: %s", problem)
            return UNKNOWN
    return _names[key][0]


def is_alive(name: str) -> bool:
    """Whether the process of this name is running; True where that cannot be known."""
    if name == UNKNOWN or name == process_name():
        return True
    return not _is_free(_folder() / name)


def tidy() -> int:
    """Delete the files of ended processes; returns how many."""
    if not _folder().is_dir():
        return 0
    ended = [path for path in _folder().iterdir() if not is_alive(path.name)]
    for path in ended:
        path.unlink(missing_ok=True)
    return len(ended)


def _folder() -> Path:
    return Path(settings.KOMA_DATA_DIR) / "alive"


def _hold(folder: Path) -> tuple[str, int]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        name = secrets.token_hex(NAME_CHARS // 2)
        file = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file).st_nlink:
                return name, file
        except BlockingIOError:
            pass  # somebody tidies at this moment
        os.close(file)


def _is_free(path: Path) -> bool:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(file)
    return True
