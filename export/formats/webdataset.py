"""WebDataset: tar files of a bounded size, each sample's files adjacent under one key.

Facts (reference D.8): the key of a file is its name up to the first dot, folders included; equal keys that are not
adjacent split a sample or raise. Stems of a dataset are unique and hold no dots. Same content, same bytes: no times, no
owners. A shard appears when it is complete, so that a killed build goes on behind the last one.
"""

from __future__ import annotations

import io
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path as DiskPath
from typing import IO

from export.algorithms.plan import Item, Plan
from export.algorithms.recipe import Recipe
from export.formats.contract import Contents, Format, Sink, Written
from export.formats.records import record, split_of
from export.formats.side_files import SideFiles, json_line, json_text, one_folder

SHARD_BYTES = 256 << 20
SHARD_PICTURES = 10_000
INDEX = "sizes.json"
_BLOCK = 512
_END = 20 * _BLOCK  # tar files end in zeros up to a multiple of this


class _Shard:
    """A tar being written, or one that an earlier call completed; its size is the same in both cases."""

    def __init__(self, path: DiskPath, *, is_complete: bool) -> None:
        self.path = path
        self.is_complete = is_complete
        self.pictures = 0
        self.size = 0
        self._temp = path.with_name(f".{path.name}.part")
        self._file: IO[bytes] | None = None

    def add(self, name: str, size: int, data: bytes | None) -> None:
        """Append a file; without its bytes it is only counted."""
        header = _header(name, size)
        self.size += len(header) + -(-size // _BLOCK) * _BLOCK
        if self.is_complete or data is None:
            return
        if self._file is None:
            self._file = self._temp.open("wb")
        self._file.write(header)
        self._file.write(data)
        self._file.write(b"\0" * (-len(data) % _BLOCK))

    def close(self) -> None:
        """Complete the file."""
        if self._file is not None:
            self._file.write(b"\0" * (2 * _BLOCK))
            self._file.write(b"\0" * (-self._file.tell() % _END))
            self._file.close()
            self._temp.replace(self.path)
            self._file = None
        self.is_complete = True


class _Writer(SideFiles):
    def __init__(self, plan: Plan, recipe: Recipe, sink: Sink) -> None:
        super().__init__(plan, recipe, sink, WEBDATASET)
        self._shards: dict[str, _Shard] = {}
        self._numbers: Counter[str] = Counter()
        self._sizes: dict[str, int] = {}
        self._added = 0
        self._open_from: dict[str, int] = {}  # number of the first picture in each open shard

    @property
    def safe(self) -> int:
        """The number of pictures in complete shards, up to the first that lies in an open one."""
        return min(self._open_from.values(), default=self._added)

    def base(self, item: Item) -> str:
        """Return the sample's key."""
        return item.stem

    def mask(self, item: Item) -> str:
        """Masks are not packed."""
        raise NotImplementedError

    def side_files(self, item: Item, written: Written) -> Iterator[tuple[str, bytes]]:
        """Yield nothing: they go into the shards."""
        return iter(())

    def add(self, item: Item, written: Written, picture: bytes | None) -> None:
        """Append the files of a sample to the shard of its split."""
        super().add(item, written, picture)
        split = split_of(item)
        shard = self._shards.get(split)
        if shard is None or shard.size >= SHARD_BYTES or shard.pictures >= SHARD_PICTURES:
            self._end(split)
            shard = self._begin(split)
        key = item.stem
        beside = record(item, written, self.recipe)
        for ending, data in (("json", json_line(beside)), ("txt", b"\n".join(t.encode() for t in item.captions))):
            shard.add(f"{key}.{ending}", len(data), data if picture is not None else None)
        shard.add(written.path, written.bytes, picture)
        shard.pictures += 1
        self._added += 1

    def close(self) -> tuple[str, ...]:
        """Complete the last shards and write the index."""
        for split in list(self._shards):
            self._end(split)
        self.sink.write(INDEX, json_text(dict(sorted(self._sizes.items()))))
        names = sorted(self._sizes)
        self.how_to_start(
            "WebDataset",
            "    import webdataset",
            f'    pictures = webdataset.WebDataset("{_braces(names)}", shardshuffle=100).decode("pil")',
            '    pictures = pictures.to_tuple("png;jpg;webp", "txt")',
            "",
            f"`{INDEX}` says how many samples each shard has.",
        )
        return ()

    def _begin(self, split: str) -> _Shard:
        name = f"{split}-{self._numbers[split]:06d}.tar"
        self._numbers[split] += 1
        path = self.sink.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._shards[split] = _Shard(path, is_complete=path.is_file())
        self._open_from[split] = self._added
        return self._shards[split]

    def _end(self, split: str) -> None:
        shard = self._shards.pop(split, None)
        if shard is not None:
            shard.close()
            self._sizes[shard.path.name] = shard.pictures
            del self._open_from[split]


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o644
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _braces(names: list[str]) -> str:
    train = [name for name in names if name.startswith("train-")] or names
    if len(train) < 2:
        return train[0] if train else ""
    first, last = (name.rpartition("-")[2].removesuffix(".tar") for name in (train[0], train[-1]))
    return f"{train[0].rpartition('-')[0]}-{{{first}..{last}}}.tar"


def _open(plan: Plan, recipe: Recipe, sink: Sink) -> _Writer:
    return _Writer(plan, recipe, sink)


def _check(folder: DiskPath, recipe: Recipe) -> Contents:
    """Read every shard: names and sizes of all files, and that picture, caption and JSON of a sample are adjacent."""
    pictures = captions = 0
    for path in sorted(folder.glob("*.tar")):
        with path.open("rb") as raw, tarfile.open(fileobj=io.BufferedReader(raw, 1 << 20), mode="r|") as archive:
            endings: dict[str, set[str]] = {}
            for info in archive:
                key, _, ending = info.name.partition(".")
                if key not in endings:
                    endings = {key: set()}
                endings[key].add(ending)
                captions += ending == "txt" and info.size > 0
                pictures += ending not in ("json", "txt") and endings[key] >= {"json", "txt"}
    return Contents(pictures=pictures, captions=captions)


def _problems(recipe: Recipe) -> tuple[str, ...]:
    if recipe.output.masks != "none":
        return ("WebDataset is written without masks. Choose “none”, or a format of folders.",)
    return ()


WEBDATASET = Format(
    name="webdataset",
    label="WebDataset: tar shards",
    group="datasets",
    open=_open,
    check=_check,
    problems=_problems,
    rounding="none",
    packs=True,
    folders=one_folder(),
    levels=None,
    caption_ending=lambda recipe: "",
    empty_caption=None,
    masks=frozenset({"none"}),
)
