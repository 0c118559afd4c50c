"""Manifests on disk: gzip of JSON lines in blocks, so that any part is read without the rest. Same content, same bytes.

The file is a row of gzip members and opens with any gzip program: the header, blocks of BLOCK items, the index of the
blocks, and a last line of fixed length that says where the index begins.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from export.algorithms.manifest import Header, ManifestError, header_line, item_line, key_of, read_header, read_item
from export.algorithms.plan import Item, Plan
from ingest import outside_json
from ingest.errors import BadInput

NAME = ".koma-manifest.jsonl.gz"  # inside a dataset; hidden, so that trainers skip it
BLOCK = 200  # items: a page of a comparison reads one or two blocks
_LEVEL = 2  # measured: 5 is a tenth smaller and takes three times as long
_TAIL = "%020d\n"
_HEADER_MAX = 1 << 28


@dataclass(frozen=True, slots=True)
class Summary:
    """A written manifest: the SHA-256 of its lines (not of their compression), items, and bytes on disk."""

    sha256: str
    items: int
    bytes: int


class ManifestWriter:
    """Writes a manifest to `path`, which appears complete at `close` or not at all. A second thread compresses."""

    def __init__(self, path: Path, header: Header) -> None:
        self._path = path
        self._temp = path.with_name(f"{path.name}.part")
        self._file = self._temp.open("wb")
        self._digest = hashlib.sha256()
        self._pool = ThreadPoolExecutor(1)
        self._pending: list[Future[None]] = []
        self._offsets: list[int] = []
        self._keys: list[str] = []
        self._block: list[bytes] = []
        self._last = ""
        self._count = 0
        self._submit(header_line(header), is_block=False)

    def add(self, item: Item) -> None:
        """Write the next item. Raises ValueError if its key does not follow the last one."""
        key = item.picture.key
        if key <= self._last:
            raise ValueError(f"items must be sorted by unique keys: {key!r} after {self._last!r}")
        if not self._block:
            self._keys.append(key)
        self._last = key
        self._block.append(item_line(item))
        self._count += 1
        if len(self._block) == BLOCK:
            self._end_block()

    def close(self) -> Summary:
        """Write the index, sync, and move the file into place."""
        if self._block:
            self._end_block()
        self._wait(0)
        index = {"items": self._count, "block": BLOCK, "offsets": self._offsets, "keys": self._keys}
        index_offset = self._file.tell()
        self._file.write(_member(json.dumps(index).encode() + b"\n"))
        self._file.write(_member((_TAIL % index_offset).encode(), level=0))
        self._file.flush()
        os.fsync(self._file.fileno())
        size = self._file.tell()
        self._file.close()
        self._pool.shutdown()
        self._temp.replace(self._path)
        return Summary(self._digest.hexdigest(), self._count, size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what was written unless `close` moved it into place."""
        self._pool.shutdown(cancel_futures=True)
        self._file.close()
        self._temp.unlink(missing_ok=True)

    def _end_block(self) -> None:
        data = b"".join(self._block)
        self._block = []
        self._submit(data, is_block=True)

    def _submit(self, data: bytes, *, is_block: bool) -> None:
        self._wait(3)
        self._pending.append(self._pool.submit(self._compress, data, is_block=is_block))

    def _compress(self, data: bytes, *, is_block: bool) -> None:
        self._digest.update(data)
        if is_block:
            self._offsets.append(self._file.tell())
        self._file.write(_member(data))

    def _wait(self, limit: int) -> None:
        while len(self._pending) > limit:
            self._pending.pop(0).result()


class Manifest:
    """A manifest on disk; its items are read block by block. Several readers and threads may use one at once."""

    def __init__(self, path: Path) -> None:
        """Open a manifest. Raises BadInput if it is none, is incomplete, or is of a newer version."""
        self.path = path
        try:
            with path.open("rb") as file:
                self._size = file.seek(0, os.SEEK_END)
                tail = len(_member((_TAIL % 0).encode(), level=0))
                index_at = int(_read_member(file, self._size - tail))
                index = outside_json.parsed(_read_member(file, index_at))
                self._count, self._per_block = int(index["items"]), int(index["block"])
                self._offsets: list[int] = [*map(int, index["offsets"]), index_at]
                self._keys = [str(key) for key in index["keys"]]
                self.header = read_header(_read_member(file, 0))
        except ManifestError as error:
            raise BadInput(str(error)) from error
        except (OSError, ValueError, KeyError, TypeError, zlib.error, EOFError) as error:
            raise BadInput(f"{path.name} is not a complete manifest of Koma: {error}") from error

    @property
    def plan(self) -> Plan:
        """The plan that was written; its items are this manifest's."""
        return self.header.plan(self)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Item]:
        return map(read_item, self.lines())

    def lines(self, start: int = 0) -> Iterator[bytes]:
        """Yield the lines of all items from number `start` on."""
        with self.path.open("rb") as file:
            for block in range(start // self._per_block, len(self._offsets) - 1):
                skipped = max(0, start - block * self._per_block)
                yield from _read_member(file, self._offsets[block]).splitlines(keepends=True)[skipped:]

    def find(self, key: str) -> Item | None:
        """Return the item of a picture's key, or None; one block is read."""
        block = bisect_right(self._keys, key) - 1
        if block < 0:
            return None
        with self.path.open("rb") as file:
            lines = _read_member(file, self._offsets[block]).splitlines(keepends=True)
        return next((read_item(line) for line in lines if key_of(line) == key), None)

    def sha256(self) -> str:
        """Read everything and return the SHA-256 of the lines, as `Summary.sha256`."""
        digest = hashlib.sha256(header_line(self.header))
        for line in self.lines():
            digest.update(line)
        return digest.hexdigest()


def write_manifest(path: Path, header: Header, items: Iterable[Item]) -> Summary:
    """Write a whole manifest."""
    with ManifestWriter(path, header) as writer:
        for item in items:
            writer.add(item)
        return writer.close()


def _member(data: bytes, level: int = _LEVEL) -> bytes:
    return gzip.compress(data, compresslevel=level, mtime=0)


def _read_member(file: BinaryIO, offset: int) -> bytes:
    """Return the content of the gzip member at `offset`."""
    file.seek(offset)
    stream = zlib.decompressobj(wbits=31)
    out = io.BytesIO()
    while not stream.eof:
        chunk = file.read(1 << 16)
        if not chunk:
            raise EOFError("it ends too early")
        out.write(stream.decompress(chunk))
        if out.tell() > _HEADER_MAX:
            raise ManifestError("A block of the manifest is too large.")
    return out.getvalue()
