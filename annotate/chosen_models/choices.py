"""Which model a collection uses for a task: what its leads chose, else the task's default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from annotate.backends.boxes import known_detectors
from annotate.backends.model_files import registry
from annotate.backends.upscalers import known_upscalers, waifu2x
from annotate.models import ModelChoice
from ingest.actions import history
from ingest.actions.seen import author, changed
from ingest.errors import BadInput
from ingest.models import Collection, Revision

BUILTIN, NONE = registry.BUILTIN, "none"
SERVER = "server"  # captions by the server of the settings


@dataclass(frozen=True, slots=True)
class Task:
    """One task of models: its words, what is used when nobody chose, and whether several models may work side by side.

    `default`: BUILTIN, "first" (the first installed by name, or none) or NONE.
    """

    name: str
    label: str
    about: str
    default: str
    several: bool = False

    @property
    def default_words(self) -> str:
        """What happens without a choice, for the page."""
        if self.name == "upscale":
            return "the first one installed, by name; else waifu2x where its package is, else plain resampling"
        if self.name == "caption":
            return "the first one installed, by name; else the server of KOMA_CAPTION_URL"
        words = {
            BUILTIN: "the built-in one",
            FIRST: "the first one installed, by name; none while none is installed",
            NONE: "none: it runs only where it is chosen",
        }
        return words[self.default]


FIRST = "first"
TASKS = {
    task.name: task
    for task in (
        Task("faces", "Faces", "Finds faces in frames.", BUILTIN),
        Task("embedding", "Who is it?", "Vectors of faces that tell characters apart.", BUILTIN),
        Task("tags", "Tags", "Says what is to be seen; computed tags come in any case.", FIRST),
        Task("boxes", "Boxes", "Persons, heads, half bodies, hands, eyes.", NONE, several=True),
        Task("class", "Classes", "Kind of picture, rating, monochrome, beauty, as tags.", NONE, several=True),
        Task("mask", "Masks", "Cuts characters out of their background.", NONE),
        Task("text", "Text", "Finds subtitles and credits in frames; of copies the clean one is kept.", FIRST),
        Task("upscale", "Upscaling", "Enlarges face crops for face sets.", FIRST),
        Task("caption", "Captions", "Writes sentences about frames.", FIRST),
    )
}  # fmt: skip


def installed_names(task: str) -> list[str]:
    """Names of the models of a task that lie in the models folder."""
    return [model.name for model in registry.installed(settings.KOMA_MODELS_DIR, task=task)]


def chosen(collection: Collection, task: str) -> str:
    """The name of the model to use: an installed model's, "builtin", or "none".

    The name may be of a model that was removed since; `registry.find` says so in words.

    Where several may work side by side (boxes, class) it is the first one; ask `chosen_all` there.
    """
    names = chosen_all(collection, task)
    return names[0] if names else NONE


def chosen_all(collection: Collection, task: str) -> tuple[str, ...]:
    """Names of all models to use for a task, in order of name; empty for none. BadInput for an unknown task."""
    rule = _task(task)
    rows = sorted(ModelChoice.objects.filter(collection=collection, task=task).values_list("name", flat=True))
    if rows:
        return tuple(name for name in rows if name != NONE)
    return default_of(rule)


def default_of(rule: Task) -> tuple[str, ...]:
    """What a collection uses for which nobody chose."""
    if rule.default == BUILTIN:
        return (BUILTIN,)
    if rule.default == FIRST:
        there = [one.name for one in registry.installed(settings.KOMA_MODELS_DIR, task=rule.name)]
        if rule.name == "upscale" and not there:  # never fails for want of a network
            there = [waifu2x.NAME if waifu2x.is_there() else known_upscalers.DEFAULT]
        if rule.name == "caption" and not there:
            there = _servers()
        return tuple(there[:1])
    return ()


def offered(task: str) -> list[str]:
    """Names that can be chosen for a task: the built-in one where there is one, then what is installed."""
    rule = _task(task)
    if task == "upscale":
        return known_upscalers.names(settings.KOMA_MODELS_DIR)
    names = [one.name for one in registry.installed(settings.KOMA_MODELS_DIR, task=task)]
    if task == "caption":
        return [*_servers(), *names]
    own = known_detectors.OWN if task == "faces" else (BUILTIN,) if rule.default == BUILTIN else ()
    return [*own, *(name for name in names if name not in own)]


def choose(
    *, collection: Collection, task: str, names: Sequence[str], by: Any, seen: str | None = None
) -> tuple[str, ...]:
    """Use these models for a task from now on; empty: the default again; ("none",): none. Returns what is used now.

    What models said before stays. Raises Stale where somebody chose since the page with the mark `seen` was made,
    BadInput for a name that is not installed, or several where one works.
    """
    rule = _task(task)
    wanted = sorted(set(names))
    if len(wanted) > 1 and (not rule.several or NONE in wanted):
        raise BadInput(f"{rule.label}: one model works at a time. Choose one, or none.")
    can = offered(task)
    for name in wanted:
        if name != NONE and name not in can:
            there = f"Installed: {', '.join(can)}." if can else "None is installed for it."
            raise BadInput(f"{rule.label}: there is no model {name!r}. {there}")
    words = ", ".join(wanted) or "the default"
    with history.operation(
        collection=collection, by=by, kind="models.choose", summary=f"{rule.label}: uses {words}"
    ) as record:
        rows = {row.name: row for row in ModelChoice.objects.filter(collection=collection, task=task)}
        now = {"models": sorted(rows)}
        changed(seen, now=now, wanted={"models": wanted}, who=_chooser(collection), what=f"the choice for {rule.label}")
        for name in rows.keys() - set(wanted):
            record.deleted(rows[name])
            rows[name].delete()
        for name in wanted:
            if name not in rows:
                record.created(ModelChoice.objects.create(collection=collection, task=task, name=name))
    return chosen_all(collection, task)


def _chooser(collection: Collection) -> str:
    return author(Revision.objects.filter(model=ModelChoice._meta.label, operation__collection=collection))


def _task(name: str) -> Task:
    if name not in TASKS:
        raise BadInput(f"{name!r} is no task of models. Tasks: {', '.join(TASKS)}.")
    return TASKS[name]


def _servers() -> list[str]:
    """The captioning server of the settings, if one is set."""
    return [SERVER] if settings.KOMA_CAPTION_URL and settings.KOMA_CAPTION_MODEL else []
