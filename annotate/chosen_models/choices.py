"""Which model a collection uses for a task: what its leads chose, else the task's default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from annotate.chosen_models.tasks import NONE, task_named
from annotate.models import ModelChoice
from ingest.actions import history
from ingest.actions.seen import author, changed
from ingest.errors import BadInput
from ingest.models import Collection, Revision


def chosen(collection: Collection, task: str) -> str:
    """The name of the model to use: an installed model's, "builtin", or "none".

    The name may be of a model that was removed since; `registry.find` says so in words.

    Where several may work side by side (boxes, class) it is the first one; ask `chosen_all` there.
    """
    names = chosen_all(collection, task)
    return names[0] if names else NONE


def chosen_all(collection: Collection, task: str) -> tuple[str, ...]:
    """Names of all models to use for a task, in order of name; empty for none. BadInput for an unknown task."""
    rule = task_named(task)
    rows = sorted(ModelChoice.objects.filter(collection=collection, task=task).values_list("name", flat=True))
    if rows:
        return tuple(name for name in rows if name != NONE)
    return rule.default_names()


def offered(task: str) -> list[str]:
    """Names that can be chosen for a task: the built-in one where there is one, then what is installed."""
    return task_named(task).offered()


def choose(
    *, collection: Collection, task: str, names: Sequence[str], by: Any, seen: str | None = None
) -> tuple[str, ...]:
    """Use these models for a task from now on; empty: the default again; ("none",): none. Returns what is used now.

    What models said before stays. Raises Stale where somebody chose since the page with the mark `seen` was made,
    BadInput for a name that is not installed, or several where one works.
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
