"""Site admins set who may create collections, how much may be stored and which library folders a collection sees."""

from __future__ import annotations

import logging
import re
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction

from ingest import video_library
from ingest.actions import history
from ingest.actions.seen import changed
from ingest.errors import BadInput
from ingest.imaging.names import plain_text
from ingest.models import Collection, CollectionLimits, PersonLimits

logger = logging.getLogger(__name__)

FACTORS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}  # as pages show sizes
_SIZE = re.compile(r"([0-9]{1,15})\s*([KMGT]?)B?")
PICTURES_MAX = 10**12
OF_PERSON = ("may_create", "bytes_max", "pictures_max")
OF_COLLECTION = ("all_folders", "folders", "bytes_max", "pictures_max")
LABELS = {"may_create": "may create collections", "bytes_max": "size", "pictures_max": "pictures"}


def form_values(
    row: PersonLimits | CollectionLimits | None, of: type[PersonLimits | CollectionLimits]
) -> dict[str, Any]:
    """What the limits form shows, for its fingerprint; without a row the defaults of `of`."""
    row = row or of()
    names = OF_PERSON if of is PersonLimits else OF_COLLECTION
    return {name: getattr(row, name) for name in names}


def set_person(
    *, person: Any, may_create: str, bytes_max: str, pictures_max: str, by: Any, seen: str | None = None
) -> PersonLimits:
    """Set a person's limits. `may_create` is yes, no or empty (by role).

    Raises BadInput, and Stale where somebody changed the same since the page with the fingerprint `seen` was opened.
    """
    if may_create not in ("", "yes", "no"):
        raise BadInput("May create collections: choose yes, no or by role.")
    values = {
        "may_create": None if not may_create else may_create == "yes",
        "bytes_max": size_from(bytes_max),
        "pictures_max": count_from(pictures_max),
    }
    with transaction.atomic():
        get_user_model().objects.select_for_update().get(pk=person.pk)  # two admins who save at once take turns
        now = form_values(PersonLimits.objects.filter(user=person).first(), PersonLimits)
        what = f"the limits of {person.get_username()}"
        fresh = changed(seen, now=now, new=values, who="Somebody", what=what, labels=LABELS)
        row, _ = PersonLimits.objects.update_or_create(user=person, defaults=now | fresh)
    logger.info("limits of person %s set to %s by %s", person.pk, values, getattr(by, "pk", None))
    return row


def set_collection(
    *, collection: Collection, all_folders: bool, folders: list[str], bytes_max: str, pictures_max: str, by: Any,
    seen: str | None = None,
) -> CollectionLimits:  # fmt: skip
    """Set a collection's limits; `folders` are paths of KOMA_LIBRARY_DIRS. Raises as `set_person`."""
    known = {str(path) for path in video_library.roots()}
    if strange := set(folders) - known:
        raise BadInput(f"{plain_text(min(strange))} is not a library folder. Set KOMA_LIBRARY_DIRS and restart Koma.")
    values = {
        "all_folders": all_folders,
        "folders": sorted(folders),
        "bytes_max": size_from(bytes_max),
        "pictures_max": count_from(pictures_max),
    }
    with history.operation(collection=collection, by=by, kind="collections.limits", summary="limits set"):
        now = form_values(CollectionLimits.objects.filter(collection=collection).first(), CollectionLimits)
        what = f"the limits of {collection.name}"
        fresh = changed(seen, now=now, new=values, who="Somebody", what=what, labels=LABELS)
        row, _ = CollectionLimits.objects.update_or_create(collection=collection, defaults=now | fresh)
    return row


def size_from(text: str) -> int | None:
    """Bytes of a text such as `500M` or `20 GB` (powers of 1000); None when it is empty. Raises BadInput."""
    clean = text.strip().upper()
    if not clean:
        return None
    match = _SIZE.fullmatch(clean)
    if match is None or int(match[1]) * FACTORS[match[2]] >= 2**62:
        raise BadInput(
            f"{plain_text(text)!r} is not a size. Enter 500M, 20G or 2T, 0 for no limit, or nothing for the default."
        )
    return int(match[1]) * FACTORS[match[2]]


def size_text(size: int | None) -> str:
    """The inverse of `size_from`: `20G`; empty for None."""
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
        raise BadInput(f"{plain_text(text)!r} is not a number of pictures. Enter a number, or 0 for no limit.")
    return int(clean)
