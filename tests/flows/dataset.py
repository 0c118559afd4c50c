"""Reads a finished dataset as a trainer would, and works its balance out again from the formula alone."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

PICTURES = (".png", ".webp", ".jpg", ".jpeg")


@dataclass
class DataSet:
    """Files by their path below the root of the dataset."""

    files: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of_zip(cls, path: Path) -> DataSet:
        with zipfile.ZipFile(path) as packed:
            assert packed.testzip() is None
            read = {info.filename: packed.read(info) for info in packed.infolist() if not info.is_dir()}
        assert all(not name.startswith("/") and ".." not in name.split("/") for name in read)
        tops = {name.split("/", 1)[0] for name in read}
        if len(tops) == 1:
            read = {name.split("/", 1)[1]: data for name, data in read.items()}
        return cls(read)

    @classmethod
    def of_folder(cls, root: Path) -> DataSet:
        return cls({p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()})

    @property
    def pictures(self) -> list[str]:
        return [name for name in self.files if name.endswith(PICTURES)]

    def facts(self, picture: str) -> dict[str, Any]:
        """The JSON beside a picture."""
        return dict(json.loads(self.files[str(PurePosixPath(picture).with_suffix(".json"))]))

    def caption(self, picture: str) -> str:
        """The caption file beside a picture, by the ending of its trainer."""
        paths = (str(PurePosixPath(picture).with_suffix(ending)) for ending in (".txt", ".caption"))
        return next(self.files[path] for path in paths if path in self.files).decode()

    def multiplies(self) -> dict[str, float]:
        """What each folder's multiply.txt says."""
        result = {n.rpartition("/")[0]: d for n, d in self.files.items() if n.rpartition("/")[2] == "multiply.txt"}
        return {folder: float(text) for folder, text in result.items()}

    def faces_named(self) -> Counter[str]:
        """How many faces of each character the JSON files tell."""
        return Counter(name for picture in self.pictures for name in self.facts(picture)["character"])

    def expected_multiplies(
        self, weights: dict[str, float], *, least: float = 1, most: float = 100
    ) -> dict[str, float]:
        """The tree formula: P(child) = P(parent) * w / sum of w; own pictures are a child with the folder's weight."""
        by_folder = Counter(picture.rpartition("/")[0] for picture in self.pictures)
        children: dict[str, set[str]] = {}
        for folder in by_folder:
            while folder:
                parent = folder.rpartition("/")[0]
                children.setdefault(parent, set()).add(folder)
                folder = parent

        def weight(folder: str) -> float:
            base = folder.rpartition("/")[2]
            if base in weights:
                return weights[base]
            return next((w for pattern, w in weights.items() if fnmatch(folder, pattern)), 1.0)

        usage: dict[str, float] = {}

        def share(folder: str, probability: float) -> None:
            below = sorted(children.get(folder, ()))
            total = sum(map(weight, below)) + (weight(folder) if by_folder[folder] else 0)
            if by_folder[folder]:
                usage[folder] = probability * weight(folder) / total / by_folder[folder]
            for child in below:
                share(child, probability * weight(child) / total)

        share("", 1.0)
        smallest = min(usage.values())
        return {folder: min(round(u / smallest * least, 2), most) for folder, u in usage.items()}
