"""Browses the folders of KOMA_LIBRARY_DIRS: read-only, and never outside them, also by links."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from ingest.errors import BadInput
from ingest.imaging.folders import VIDEO_ENDINGS, ZIP_ENDINGS, ending_of, is_inside, natural_key
from ingest.imaging.formats import PICTURE_ENDINGS
from ingest.imaging.names import plain_text
from ingest.models import Collection, CollectionLimits

ENTRIES_MAX = 2000  # shown of one folder
SINGLES_MAX = 500  # pictures that can be chosen one by one; more come as a group


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the browser. `kind`: folder, film, zip, picture, other; `note` says why it cannot be chosen."""

    name: str
    relative: str  # below its library folder, posix
    kind: str
    size_bytes: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder of a library, its parts up to the root, its entries, the first and the count of its own pictures."""

    root: int
    relative: str
    path: Path
    parts: tuple[tuple[str, str], ...]  # name, relative path
    entries: tuple[Entry, ...]
    singles: tuple[Entry, ...]  # pictures directly in it, SINGLES_MAX at most
    pictures: int
    cut: bool  # there is more than is shown


def roots() -> list[Path]:
    """The library folders, with symbolic links resolved."""
    return [Path(folder).resolve() for folder in settings.KOMA_LIBRARY_DIRS]


def roots_for(collection: Collection, user: Any) -> list[tuple[int, Path]]:
    """The library folders that a collection sees, with their numbers; site admins see all."""
    numbered = list(enumerate(roots()))
    if getattr(user, "is_superuser", False):
        return numbered
    limits = CollectionLimits.objects.filter(collection=collection).first()
    if limits is None or not (limits.all_folders or limits.folders):
        return []
    return [(i, path) for i, path in numbered if limits.all_folders or str(path) in limits.folders]


def resolve(root: int, relative: str) -> Path:
    """The real path of an entry of a library. Raises BadInput for anything outside, hidden or missing."""
    known = roots()
    if not 0 <= root < len(known):
        raise BadInput("No such library folder. Set KOMA_LIBRARY_DIRS and restart Koma.")
    parts = [part for part in relative.split("/") if part not in ("", ".")]
    hostile = "\0" in relative or "\\" in relative or any(part.startswith(".") for part in parts)
    path = known[root].joinpath(*parts) if not hostile else known[root]
    if hostile or not is_inside(path, known[root]):
        raise BadInput(f"{plain_text(relative)}: not in the library, or no longer there.")
    return path.resolve()


def browse(root: int, relative: str) -> Folder:
    """The content of a folder. Raises BadInput."""
    path = resolve(root, relative)
    inside = roots()[root]
    if not path.is_dir():
        raise BadInput(f"{plain_text(relative)}: this is not a folder.")
    here = path.relative_to(inside).as_posix()
    here = "" if here == "." else here
    entries: list[Entry] = []
    singles: list[Entry] = []
    pictures, cut = 0, False
    try:
        names = sorted((child.name for child in path.iterdir()), key=natural_key)
    except OSError as error:
        raise BadInput(
            f"{plain_text(relative) or inside.name}: the folder cannot be read ({error.strerror})."
        ) from error
    for name in names:
        if name.startswith(".") or not _shows(name):
            continue
        entry = _entry(path / name, f"{here}/{name}".lstrip("/"), inside)
        if entry.kind == "picture":
            pictures += 1
            if len(singles) < SINGLES_MAX:
                singles.append(entry)
        elif len(entries) < ENTRIES_MAX:
            entries.append(entry)
        else:
            cut = True
    entries.sort(key=lambda entry: entry.kind != "folder")
    steps = [part for part in here.split("/") if part]
    parts = [(inside.name, "")] + [(step, "/".join(steps[: i + 1])) for i, step in enumerate(steps)]
    return Folder(root, here, path, tuple(parts), tuple(entries), tuple(singles), pictures, cut)


def _entry(path: Path, relative: str, inside: Path) -> Entry:
    if not is_inside(path, inside):
        return Entry(path.name, relative, "other", note="a link out of the library, or a broken link")
    if path.is_dir():
        return Entry(path.name, relative, "folder")
    if not path.is_file():
        return Entry(path.name, relative, "other", note="not a regular file")
    ending = ending_of(path.name)
    kind = "film" if ending in VIDEO_ENDINGS else "zip" if ending in ZIP_ENDINGS else "other"
    if ending in PICTURE_ENDINGS:
        kind = "picture"
    note = "" if kind != "other" else "neither a film nor pictures, by its name"
    return Entry(path.name, relative, kind, path.stat().st_size, note)


def _shows(name: str) -> bool:
    """Names that are not valid UTF-8 cannot be sent to a browser and back."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
