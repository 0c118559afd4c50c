"""Lists the pictures, films and zips of a folder in reading order, without ever following a link out of it."""

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
    """Files below a folder as paths relative to it (posix), naturally sorted, and what was left out with its reason."""

    pictures: list[str] = field(default_factory=list)
    videos: list[str] = field(default_factory=list)
    zips: list[str] = field(default_factory=list)
    side_files: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    size_bytes: int = 0  # of the pictures

    def sha256(self, root: Path) -> str:
        """Of the sorted names and sizes of the pictures: tells whether two folders hold the same files."""
        digest = hashlib.sha256()
        for name in self.pictures:
            try:
                size = (root / name).stat().st_size
            except OSError:
                size = -1
            digest.update(f"{name}\0{size}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


def ending_of(name: str) -> str:
    """Lower case, without the dot; empty for names without one."""
    return name.rpartition(".")[2].lower() if "." in name.strip(".") else ""


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sorts `2.png` before `10.png`."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part.casefold()) for part in re.split(r"(\d+)", name)]


def list_folder(root: Path) -> Listing:
    """Walk a folder. Hidden files are left alone; a link is followed only to a file inside the folder."""
    listing = Listing()
    inside = root.resolve()
    count = 0
    for folder, folders, files in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            count += 1
            if count > ENTRIES_MAX:
                listing.refused["…"] = f"more than {ENTRIES_MAX:,} files: the rest was not looked at; split the folder"
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
        listing.refused[name] = "it is a link that leads out of the folder; copy the file instead"
    elif not path.is_file():
        listing.refused[name] = "it is no regular file, or its link is broken"
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
        listing.refused[name] = "it is neither a picture nor a film by its name"


def is_inside(path: Path, root: Path) -> bool:
    """True when the path, with all links followed, is `root` (resolved) or lies below it."""
    try:
        return path.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError, ValueError):  # gone, a circle of links, a zero byte
        return False
