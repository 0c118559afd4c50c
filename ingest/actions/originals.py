"""Original files of pictures, added to rows that were stored before Koma kept originals."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ingest.imaging.store import Store, UnknownName
from ingest.models import Frame, OriginalUse
from ingest.storage.stored_files import store

SAME_LEVELS_MAX = 6.0  # mean difference of two previews of one picture, of 255: what a JPEG and another encoder cost


@dataclass(frozen=True, slots=True)
class Original:
    """An original file: its name in the store, its size in bytes, and what it can be used for."""

    name: str
    size: int
    use: OriginalUse


def assign(*, frame: int, original: Original, file: str, preview: str) -> list[str] | None:
    """Add the original, and the file that pages use from now on, to a row that has none, inside a transaction.

    Returns the names that are no longer used, for `stored_files.remove_unused` after the commit; None, with nothing
    changed, when the previews show that the file holds another picture.
    """
    row = Frame.objects.select_for_update().filter(pk=frame, original="").first()
    if row is None:  # another run was quicker
        return [original.name, file, preview]
    if not _same(store(), row.preview, preview):
        return None
    given_up = [row.file, preview]
    row.original, row.original_bytes, row.original_use = original.name, original.size, original.use
    row.file = file
    row.save(update_fields=["original", "original_bytes", "original_use", "file"])
    return given_up


def _same(files: Store, first: str, second: str) -> bool:
    """Whether two stored previews show the same picture: same shape, and equal up to their encoding."""
    if first == second:
        return True
    try:
        left, right = (
            np.asarray(Image.open(io.BytesIO(files.read(name))).convert("RGB"), np.int16) for name in (first, second)
        )
    except (OSError, UnknownName):
        return False
    return left.shape == right.shape and float(np.abs(left - right).mean()) <= SAME_LEVELS_MAX
