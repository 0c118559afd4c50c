"""Opens a backup and checks what it says of itself, before any of it is used; and reads a whole one to its end."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest import outside_json
from ingest.backup import graph
from ingest.errors import BadInput
from ingest.imaging.archive import BadArchive, BadMember, Limits, Member, ZipReader
from ingest.imaging.names import plain_text
from ingest.imaging.store import UnknownName
from ingest.storage.stored_files import store

FORMAT = "koma-backup"
FORMAT_VERSION = 1
CHUNK_BYTES = 1 << 20
MANIFEST_BYTES_MAX = 200 * 2**20
STORED_BYTES_MAX = 2**30  # one picture
LINE_BYTES_MAX = 32 * 2**20  # one row
SOURCE = re.compile(r"sources/([0-9a-f]{64})\.([a-z0-9]{1,8})")
LIMITS = Limits(
    members_max=5_000_000,
    directory_bytes_max=2**30,
    member_bytes_max=2**40,
    total_bytes_max=2**43,
    ratio_max=1000,
    archives=SOURCE,  # an uploaded zip goes to its place as it is
)
_ROWS = re.compile(r"rows/([A-Za-z_]+\.[A-Za-z]+)\.jsonl")


@dataclass(frozen=True, slots=True)
class Opened:
    """A backup whose members are the ones that its manifest lists; their content is still to be checked."""

    shown: str
    reader: ZipReader
    members: dict[str, Member]
    manifest: dict[str, Any]


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Open a backup. Raises BadInput where it is none, or where it is damaged, also while it is read; OSError."""
    shown = plain_text(path.name)
    try:
        with ZipReader(path, name=shown, limits=LIMITS) as reader:
            if reader.refused:
                first = reader.refused[0]
                raise BadInput(f"{shown}: this is no backup of Koma: {first.name}: {first.reason}.")
            members = {member.name: member for member in reader.members}
            backup = Opened(shown, reader, members, _manifest(reader, members, shown))
            _check_names(backup)
            yield backup
    except (BadArchive, BadMember) as error:
        raise BadInput(str(error)) from error


def hash_in_name(name: str) -> str:
    """The SHA-256 that the name of a picture or a source promises; "" for any other member."""
    source = SOURCE.fullmatch(name)
    if source is not None:
        return source[1]
    return name.rpartition("/")[2].partition(".")[0] if name.startswith("store/") else ""


def check_content(path: Path) -> None:
    """Read a backup to its end, as restoring it would: sizes, checksums, hashes, number of rows. Raises as `opened`."""
    with opened(path) as backup:
        for name, member in backup.members.items():
            with backup.reader.open(member) as file:
                if rows := _ROWS.fullmatch(name):
                    count = 0
                    while line := file.readline(LINE_BYTES_MAX):
                        count += 1
                        if not line.endswith(b"\n"):
                            raise BadInput(f"{backup.shown}: row {count:,} of {rows[1]} is too long or cut off.")
                    if count != backup.manifest["rows"].get(rows[1]):
                        raise BadInput(f"{backup.shown}: {rows[1]} has another number of rows than its manifest says.")
                    continue
                digest, size = hashlib.sha256(), 0
                while chunk := file.read(CHUNK_BYTES):
                    digest.update(chunk)
                    size += len(chunk)
            listed = backup.manifest["files"].get(name)
            if listed is not None and (size, digest.hexdigest()) != (listed["size"], listed["sha256"]):
                raise BadInput(f"{backup.shown}: {name} is not what was written.")
            if (promised := hash_in_name(name)) and digest.hexdigest() != promised:
                raise BadInput(f"{name} is damaged: its content is not what its name says.")


def _manifest(reader: ZipReader, members: dict[str, Member], shown: str) -> dict[str, Any]:
    member = members.get("manifest.json")
    if member is None or member.size > MANIFEST_BYTES_MAX:
        raise BadInput(f"{shown}: this is no backup of Koma (it has no manifest).")
    try:
        manifest = outside_json.parsed(reader.read(member))
        if manifest["format"] != FORMAT or not isinstance(manifest["files"], dict):
            raise ValueError("another format")
        known = int(manifest["version"]) <= FORMAT_VERSION
        int(manifest["collection"]["id"])
    except (ValueError, KeyError, TypeError, OverflowError):
        raise BadInput(f"{shown}: this is no backup of Koma (its manifest cannot be read).") from None
    if not known:
        raise BadInput(
            f"{shown}: this backup was made by a newer Koma ({plain_text(str(manifest.get('koma')))}). Update."
        )
    return dict(manifest)


def _check_names(backup: Opened) -> None:
    """Only what `write` writes: manifest, rows of known models, files under their hashes; all that is listed."""
    tables = graph.owned()
    shared = graph.shared(tables)
    labels = {model._meta.label for model in (*tables, *shared, *graph.beside(shared))}
    listed = set(backup.manifest["files"])
    for name in backup.members:
        rows = _ROWS.fullmatch(name)
        if name == "manifest.json" or (rows and rows[1] in labels) or name in listed:
            continue
        raise BadInput(
            f"{backup.shown}: the backup holds {plain_text(name)}, which is not in its manifest. It was refused."
        )
    for name in listed:
        if name.startswith("store/") and name in backup.members and backup.members[name].size > STORED_BYTES_MAX:
            raise BadInput(f"{backup.shown}: {plain_text(name)} is larger than any picture. The backup was refused.")
        if name not in backup.members:
            raise BadInput(f"{backup.shown}: {plain_text(name)} is missing from the backup. Copy the file again.")
        try:
            if not SOURCE.fullmatch(name):
                store().path(name.removeprefix("store/") if name.startswith("store/") else "")
        except UnknownName:
            raise BadInput(
                f"{backup.shown}: {plain_text(name)} is no name of a stored file. The backup was refused."
            ) from None
