"""Packs single pictures into a zip, so that they form one group and pass the checks of zips."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO

from ingest.imaging.names import plain_name

_NO_DATE = (1980, 1, 1, 0, 0, 0)  # the same pictures give the same zip, which is recognised when it is added again


def pack(files: Iterable[tuple[str, IO[bytes]]], *, folder: Path) -> IO[bytes]:
    """Write all files uncompressed into a temporary zip in `folder` and return it open at its start.

    Duplicate names get a number. The zip is deleted when it is closed. Raises OSError, leaving nothing behind.
    """
    target = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 -- the caller closes it
    try:
        _write(files, target)
    except BaseException:
        with contextlib.suppress(OSError):  # the disk may be too full to flush
            target.close()
        raise
    target.seek(0)
    return target


def _write(files: Iterable[tuple[str, IO[bytes]]], target: IO[bytes]) -> None:
    taken: set[str] = set()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for raw, file in files:
            name = plain_name(raw)
            path, number = PurePosixPath(name), 1
            while name.casefold() in taken:
                number += 1
                name = f"{path.stem} ({number}){path.suffix}"
            taken.add(name.casefold())
            with archive.open(zipfile.ZipInfo(name, _NO_DATE), "w", force_zip64=True) as out:
                shutil.copyfileobj(file, out)
    target.flush()
