"""Lists the pictures, films and zips of a folder in natural order, without following links out of it."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from ingest.imaging.formats import PICTURE_ENDINGS
from ingest.imaging.sidecars import is_side_file

VIDEO_ENDINGS = frozenset(
    {"mkv", "mp4", "m4v", "webm", "avi", "ts", "m2ts", "mts", "mov", "wmv", "flv", "mpg", "mpeg", "ogv", "ogm", "3gp"}
)
ZIP_ENDINGS = frozenset({"zip", "cbz"})
ENTRIES_MAX = 500_000


@dataclass(slots=True)
class Listing:
    """Files below a folder as relative paths (posix) in natural order; `refused` holds reasons by path."""

    pictures: list[str] = field(default_factory=list)
    videos: list[str] = field(default_factory=list)
    zips: list[str] = field(default_factory=list)
    side_files: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    size_bytes: int = 0  # of the pictures

    def sha256(self, root: Path) -> str:
        """Hash of names and sizes of the pictures, to recognise a folder with the same files. It reads no content."""
        digest = hashlib.sha256()
        for name in self.pictures:
            try:
                size = (root / name).stat().st_size
            except OSError:
                size = -1
            digest.update(f"{name}\0{size}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


def ending_of(name: str) -> str:
    """A name's suffix in lower case without the dot; empty if there is none."""
    return name.rpartition(".")[2].lower() if "." in name.strip(".") else ""


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key that puts `2.png` before `10.png`."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part.casefold()) for part in re.split(r"(\d+)", name)]


def list_folder(root: Path) -> Listing:
    """List a folder with its subfolders. Hidden files are skipped; links are followed only to files inside it."""
    listing = Listing()
    inside = root.resolve()
    count = 0
    for folder, folders, files in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            count += 1
            if count > ENTRIES_MAX:
                listing.refused["…"] = f"more than {ENTRIES_MAX:,} files: the rest was skipped; split the folder"
                break
            if not name.startswith(".") or is_side_file(name):
                _classify(listing, Path(folder) / name, root, inside)
    for names in (listing.pictures, listing.videos, listing.zips, listing.side_files):
        names.sort(key=lambda name: (natural_key(name), name))
    return listing


def _classify(listing: Listing, path: Path, root: Path, inside: Path) -> None:
    name = path.relative_to(root).as_posix()
    ending = ending_of(path.name)
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        listing.refused[name.encode("utf-8", "replace").decode()] = "its name is not valid UTF-8; rename it"
        return
    if path.is_symlink() and not is_inside(path, inside):
        listing.refused[name] = "it is a link to a file outside the folder; copy the file instead"
    elif not path.is_file():
        listing.refused[name] = "it is not a regular file, or its link is broken"
    elif ending in PICTURE_ENDINGS:
        listing.pictures.append(name)
        listing.size_bytes += path.stat().st_size
    elif ending in VIDEO_ENDINGS:
        listing.videos.append(name)
    elif ending in ZIP_ENDINGS:
        listing.zips.append(name)
    elif is_side_file(path.name):
        listing.side_files.append(name)
    else:
        listing.refused[name] = "its name is neither that of a picture nor of a film"


def is_inside(path: Path, root: Path) -> bool:
    """Whether the path, with all links followed, is `root` (resolved) or below it."""
    try:
        return path.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError, ValueError):  # missing, circular links, a zero byte
        return False
