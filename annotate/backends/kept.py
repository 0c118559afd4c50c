"""Opened models that outlive a stage: one a key in a process, renewed when its files or its settings change."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import Any

ENDINGS = (".onnx", ".xml", ".json")  # of a model that is no folder


def kept(models: dict[str, Any], key: str, stamp: Hashable, open_it: Callable[[], Any]) -> Any:
    """What was opened under `key` with this very stamp, else what `open_it` opens now; `models` is a stage's
    `ctx.models`. The old one gives its memory back before the new one takes it."""
    if key not in models or models[key][0] != stamp:
        models.pop(key, None)
        models[key] = (stamp, open_it())
    return models[key][1]


def stamp_of(paths: Iterable[Path]) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of the files and of what lies in the folders; what is not there has no part in it."""
    files = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path]) if file.exists()]
    facts = [(file.name, file.stat()) for file in files]
    return tuple((name, about.st_size, about.st_mtime_ns) for name, about in facts)


def stamp_of_name(name: str, models_dir: Path) -> tuple[tuple[str, int, int], ...]:
    """The stamp of a model by its name, a folder or single files; empty for a built-in one."""
    return stamp_of([models_dir / name, *(models_dir / f"{name}{ending}" for ending in ENDINGS)])
