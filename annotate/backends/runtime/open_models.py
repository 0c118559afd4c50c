"""Opened models that outlive a stage: one a key in a process, renewed when its files or its settings change."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

NO_MEMORY = ("out of memory", "failed to allocate", "bad alloc", "bad_alloc", "cudaerrormemoryallocation")
ENDINGS = (".onnx", ".xml", ".json")  # of a model that is no folder


def kept(models: dict[str, Any], key: str, stamp: Hashable, open_it: Callable[[], Any]) -> Any:
    """What was opened under `key` with this very stamp, else what `open_it` opens now; `models` is a stage's
    `ctx.models`. The old one gives its memory back before the new one takes it, and all others do where it would not
    fit beside them."""
    if key not in models or models[key][0] != stamp:
        models.pop(key, None)
        try:
            opened = open_it()
        except Exception as error:
            if not models or not no_memory(error):
                raise
            getattr(models, "make_room", models.clear)()
            opened = open_it()
        models[key] = (stamp, opened)
    return models[key][1]


def no_memory(error: BaseException | None) -> bool:
    """Whether an error, or what it came from, says that memory is used up, on the device or here."""
    while error is not None:
        words = str(error).lower()
        if isinstance(error, MemoryError) or any(sign in words for sign in NO_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False


def stamp_of(paths: Iterable[Path]) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of the files and of what lies in the folders; what is not there has no part in it."""
    facts = []
    for path in paths:
        with suppress(FileNotFoundError):  # somebody removes the model just now
            for file in sorted(path.iterdir()) if path.is_dir() else [path]:
                about = file.stat()
                facts.append((file.name, about.st_size, about.st_mtime_ns))
    return tuple(facts)


def stamp_of_name(name: str, models_dir: Path) -> tuple[tuple[str, int, int], ...]:
    """The stamp of a model by its name, a folder or single files; empty for a built-in one."""
    return stamp_of([models_dir / name, *(models_dir / f"{name}{ending}" for ending in ENDINGS)])
