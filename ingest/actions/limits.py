"""Admins of the site say who may make collections, how much is kept, and which library folders a collection sees."""

from __future__ import annotations

import logging
import re
from typing import Any

from ingest import library
from ingest.actions import history
from ingest.errors import BadInput
from ingest.imaging.names import plain_text
from ingest.models import Collection, CollectionLimits, PersonLimits

logger = logging.getLogger(__name__)

FACTORS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}  # as pages show sizes
_SIZE = re.compile(r"([0-9]{1,15})\s*([KMGT]?)B?")
PICTURES_MAX = 10**12


def set_person(*, person: Any, may_create: str, bytes_max: str, pictures_max: str, by: Any) -> PersonLimits:
    """Set what a person may. `may_create` is yes, no or empty (by their roles). Raises BadInput."""
    if may_create not in ("", "yes", "no"):
        raise BadInput("May make collections: choose yes, no, or by their roles.")
    values = {
        "may_create": None if not may_create else may_create == "yes",
        "bytes_max": size_from(bytes_max),
        "pictures_max": count_from(pictures_max),
    }
    row, _ = PersonLimits.objects.update_or_create(user=person, defaults=values)
    logger.info("limits of person %s set to %s by %s", person.pk, values, getattr(by, "pk", None))
    return row


def set_collection(
    *, collection: Collection, all_folders: bool, folders: list[str], bytes_max: str, pictures_max: str, by: Any
) -> CollectionLimits:
    """Set what a collection may; `folders` are paths of KOMA_LIBRARY_DIRS. Raises BadInput."""
    known = {str(path) for path in library.roots()}
    if strange := set(folders) - known:
        raise BadInput(f"{plain_text(min(strange))} is no library folder. Set KOMA_LIBRARY_DIRS and start Koma again.")
    values = {
        "all_folders": all_folders,
        "folders": sorted(folders),
        "bytes_max": size_from(bytes_max),
        "pictures_max": count_from(pictures_max),
    }
    with history.operation(collection=collection, by=by, kind="collections.limits", summary="limits set"):
        row, _ = CollectionLimits.objects.update_or_create(collection=collection, defaults=values)
    return row


def size_from(text: str) -> int | None:
    """Bytes of a text such as `500M` or `20 GB` (powers of 1000); None when it is empty. Raises BadInput."""
    clean = text.strip().upper()
    if not clean:
        return None
    match = _SIZE.fullmatch(clean)
    if match is None or int(match[1]) * FACTORS[match[2]] >= 2**62:
        raise BadInput(
            f"{plain_text(text)!r} is no size. Write 500M, 20G or 2T; 0 for no limit; nothing for the default."
        )
    return int(match[1]) * FACTORS[match[2]]


def size_text(size: int | None) -> str:
    """The other way round: `20G`; empty for None."""
    if size is None:
        return ""
    for unit in "TGMK":
        if size and size % FACTORS[unit] == 0:
            return f"{size // FACTORS[unit]}{unit}"
    return str(size)


def count_from(text: str) -> int | None:
    """A count of pictures such as `100,000`; None when the text is empty. Raises BadInput."""
    clean = re.sub(r"[\s,._']", "", text)
    if not clean:
        return None
    if not (clean.isascii() and clean.isdigit()) or int(clean) > PICTURES_MAX:
        raise BadInput(f"{plain_text(text)!r} is no count of pictures. Write a number; 0 for no limit.")
    return int(clean)
