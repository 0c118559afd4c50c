"""Opened models that outlive a stage: one session a model and device in a process, renewed when its files change."""

from __future__ import annotations

from typing import Any

from annotate.backends import registry
from annotate.backends.registry import Installed


def opened(models: dict[str, Any], found: Installed, *, device: str) -> Any:
    """The adapter of an installed model; `models` is a stage's `ctx.models`.

    A model that was installed anew since is opened anew: what it says is saved under the new version. Raises BadInput
    where it cannot be opened.
    """
    key, stamp = f"model:{found.path}:{device}", _stamp(found)
    kept = models.get(key)
    if kept is None or kept[0] != stamp:
        models.pop(key, None)  # the old session gives its memory back before the new one takes it
        kept = None
        models[key] = (stamp, registry.open_model(found, device=device))
    return models[key][1]


def _stamp(found: Installed) -> tuple[tuple[str, int, int], ...]:
    files = sorted(found.path.iterdir()) if found.path.is_dir() else [found.path]
    facts = [(path.name, path.stat()) for path in files]
    return tuple((name, about.st_size, about.st_mtime_ns) for name, about in facts)
