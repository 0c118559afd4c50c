"""The models a collection uses per task: its leads' choice, else the task's default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from annotate.chosen_models.tasks import BUILTIN, NONE, task_named
from annotate.models import ModelChoice
from ingest.actions import history
from ingest.actions.seen import author, changed
from ingest.errors import BadInput
from ingest.models import Collection, Revision


def chosen(collection: Collection, task: str) -> str:
    """Return the name of the model to use: an installed model's, "builtin" or "none".

    The model may have been removed since; `registry.find` reports that.

    For tasks with several models (boxes, class) it is the first one; use `chosen_all` there.
    """
    names = chosen_all(collection, task)
    return names[0] if names else NONE


def chosen_all(collection: Collection, task: str) -> tuple[str, ...]:
    """Return the names of all models to use for a task, sorted; empty for none. Raises BadInput for an unknown task."""
    rule = task_named(task)
    rows = sorted(ModelChoice.objects.filter(collection=collection, task=task).values_list("name", flat=True))
    if rows:
        return tuple(name for name in rows if name != NONE)
    return rule.default_names()


def has_tagger(collection: Collection) -> bool:
    """Whether the collection uses a tagger that is a network; without one, tags are computed from the pixels."""
    return any(name != BUILTIN for name in chosen_all(collection, "tags"))


def offered(task: str) -> list[str]:
    """Return the choices for a task: the built-in model if there is one, then the installed ones."""
    return task_named(task).offered()


def choose(
    *, collection: Collection, task: str, names: Sequence[str], by: Any, seen: str | None = None
) -> tuple[str, ...]:
    """Set the models for a task; empty: the default; ("none",): none. Returns the models now in use.

    Earlier results stay. Raises Stale if somebody changed the choice after the page with the fingerprint `seen` was
    rendered, BadInput for a name that is not installed, or for several models where the task takes one.
    """
    rule = task_named(task)
    requested = sorted(set(names))
    if len(requested) > 1 and (not rule.side_by_side or NONE in requested):
        raise BadInput(f"{rule.label}: choose one model, or none.")
    can = offered(task)
    for name in requested:
        if name != NONE and name not in can:
            installed_text = f"Installed: {', '.join(can)}." if can else "None is installed."
            raise BadInput(f"{rule.label}: there is no model {name!r}. {installed_text}")
    words = ", ".join(requested) or "the default"
    with history.operation(
        collection=collection, by=by, kind="models.choose", summary=f"{rule.label}: uses {words}"
    ) as record:
        rows = {row.name: row for row in ModelChoice.objects.filter(collection=collection, task=task)}
        now = {"models": sorted(rows)}
        changed(seen, now=now, new={"models": requested}, who=_chooser(collection), what=f"the choice for {rule.label}")
        for name in rows.keys() - set(requested):
            record.deleted(rows[name])
            rows[name].delete()
        for name in requested:
            if name not in rows:
                record.created(ModelChoice.objects.create(collection=collection, task=task, name=name))
    return chosen_all(collection, task)


def _chooser(collection: Collection) -> str:
    return author(Revision.objects.filter(model=ModelChoice._meta.label, operation__collection=collection))
