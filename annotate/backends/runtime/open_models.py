"""Models that stay open beyond a stage: one per key and process, reopened when its files or settings change."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

NO_MEMORY = ("out of memory", "failed to allocate", "bad alloc", "bad_alloc", "cudaerrormemoryallocation")
ENDINGS = (".onnx", ".xml", ".json")  # of a model that is not a folder


def opened_once(models: dict[str, Any], key: str, stamp: Hashable, open_it: Callable[[], Any]) -> Any:
    """Return the model opened under `key` with the same stamp, else open it with `open_it`; `models` is a stage's
    `ctx.models`. The old model is freed before the new one is loaded, and all others if memory runs out."""
    if key not in models or models[key][0] != stamp:
        models.pop(key, None)
        try:
            opened = open_it()
        except Exception as error:
            if not models or not is_out_of_memory(error):
                raise
            getattr(models, "make_room", models.clear)()
            opened = open_it()
        models[key] = (stamp, opened)
    return models[key][1]


def is_out_of_memory(error: BaseException | None) -> bool:
    """Return whether an error or its cause says that memory ran out, on the device or the machine."""
    while error is not None:
        words = str(error).lower()
        if isinstance(error, MemoryError) or any(sign in words for sign in NO_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False


def stamp_of(paths: Iterable[Path]) -> tuple[tuple[str, int, int], ...]:
    """Return names, sizes and times of the files and of the folders' contents; missing ones are skipped."""
    facts = []
    for path in paths:
        with suppress(FileNotFoundError):  # the model is being removed
            for file in sorted(path.iterdir()) if path.is_dir() else [path]:
                about = file.stat()
                facts.append((file.name, about.st_size, about.st_mtime_ns))
    return tuple(facts)


def stamp_of_name(name: str, models_dir: Path) -> tuple[tuple[str, int, int], ...]:
    """Return the stamp of a model by name, a folder or single files; empty for a built-in one."""
    return stamp_of([models_dir / name, *(models_dir / f"{name}{ending}" for ending in ENDINGS)])
