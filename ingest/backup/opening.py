"""Opens a backup and checks its manifest before use; verifies the content of a complete one."""

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
    archives=SOURCE,  # uploaded zips are copied unchanged
)
_ROWS = re.compile(r"rows/([A-Za-z_]+\.[A-Za-z]+)\.jsonl")


@dataclass(frozen=True, slots=True)
class OpenBackup:
    """A backup whose members match its manifest; their content is not checked yet."""

    display_name: str
    reader: ZipReader
    members: dict[str, Member]
    manifest: dict[str, Any]


@contextmanager
def open_backup(path: Path) -> Iterator[OpenBackup]:
    """Open a backup. Raises BadInput if it is not a backup or damaged, also while it is read; OSError."""
    display_name = plain_text(path.name)
    try:
        with ZipReader(path, name=display_name, limits=LIMITS) as reader:
            if reader.refused:
                first = reader.refused[0]
                raise BadInput(f"{display_name}: this is not a Koma backup: {first.name}: {first.reason}.")
            members = {member.name: member for member in reader.members}
            backup = OpenBackup(display_name, reader, members, _read_manifest(reader, members, display_name))
            _check_names(backup)
            yield backup
    except (BadArchive, BadMember) as error:
        raise BadInput(str(error)) from error


def hash_in_name(name: str) -> str:
    """The SHA-256 in the name of a picture or source; "" for any other member."""
    source = SOURCE.fullmatch(name)
    if source is not None:
        return source[1]
    return name.rpartition("/")[2].partition(".")[0] if name.startswith("store/") else ""


def check_content(path: Path) -> None:
    """Verify sizes, checksums, hashes and row counts as a restore would. Raises as `open_backup`."""
    with open_backup(path) as backup:
        for name, member in backup.members.items():
            with backup.reader.open(member) as file:
                if rows := _ROWS.fullmatch(name):
                    count = 0
                    while line := file.readline(LINE_BYTES_MAX):
                        count += 1
                        if not line.endswith(b"\n"):
                            raise BadInput(f"{backup.display_name}: row {count:,} of {rows[1]} is too long or cut off.")
                    if count != backup.manifest["rows"].get(rows[1]):
                        raise BadInput(
                            f"{backup.display_name}: {rows[1]} does not have the number of rows in its manifest."
                        )
                    continue
                digest, size = hashlib.sha256(), 0
                while chunk := file.read(CHUNK_BYTES):
                    digest.update(chunk)
                    size += len(chunk)
            listed = backup.manifest["files"].get(name)
            if listed is not None and (size, digest.hexdigest()) != (listed["size"], listed["sha256"]):
                raise BadInput(f"{backup.display_name}: {name} differs from what was written.")
            if (promised := hash_in_name(name)) and digest.hexdigest() != promised:
                raise BadInput(f"{name} is damaged: its content does not match its name.")


def _read_manifest(reader: ZipReader, members: dict[str, Member], display_name: str) -> dict[str, Any]:
    member = members.get("manifest.json")
    if member is None or member.size > MANIFEST_BYTES_MAX:
        raise BadInput(f"{display_name}: this is not a Koma backup (it has no manifest).")
    try:
        manifest = outside_json.parsed(reader.read(member))
        if manifest["format"] != FORMAT or not isinstance(manifest["files"], dict):
            raise ValueError("another format")
        is_supported = int(manifest["version"]) <= FORMAT_VERSION
        int(manifest["collection"]["id"])
    except (ValueError, KeyError, TypeError, OverflowError):
        raise BadInput(f"{display_name}: this is not a Koma backup (its manifest cannot be read).") from None
    if not is_supported:
        version = plain_text(str(manifest.get("koma")))
        raise BadInput(f"{display_name}: this backup was made by a newer Koma ({version}). Update Koma.")
    return dict(manifest)


def _check_names(backup: OpenBackup) -> None:
    """Check that the members are those that `write` writes and that all listed files are present."""
    tables = graph.owned()
    shared = graph.shared(tables)
    labels = {model._meta.label for model in (*tables, *shared, *graph.attached(shared))}
    listed = set(backup.manifest["files"])
    for name in backup.members:
        rows = _ROWS.fullmatch(name)
        if name == "manifest.json" or (rows and rows[1] in labels) or name in listed:
            continue
        raise BadInput(f"{backup.display_name}: {plain_text(name)} is not in the manifest. The backup was refused.")
    for name in listed:
        if name.startswith("store/") and name in backup.members and backup.members[name].size > STORED_BYTES_MAX:
            raise BadInput(
                f"{backup.display_name}: {plain_text(name)} is too large for a picture. The backup was refused."
            )
        if name not in backup.members:
            raise BadInput(
                f"{backup.display_name}: {plain_text(name)} is missing from the backup. Copy the file again."
            )
        try:
            if not SOURCE.fullmatch(name):
                store().path(name.removeprefix("store/") if name.startswith("store/") else "")
        except UnknownName:
            raise BadInput(
                f"{backup.display_name}: {plain_text(name)} is not the name of a stored file. The backup was refused."
            ) from None
