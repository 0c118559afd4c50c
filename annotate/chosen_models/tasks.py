"""The tasks of models. What differs between tasks when models are chosen and opened is a field here.

Only code for one certain task, such as a stage, names a task.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from django.conf import settings

from annotate.backends.boxes import known_detectors
from annotate.backends.embedders.known_embedders import open_embedder
from annotate.backends.model_files import registry
from annotate.backends.runtime.onnx_session import AUTO
from annotate.backends.upscalers import known_upscalers
from ingest.errors import BadInput

BUILTIN, NONE, FIRST = registry.BUILTIN, "none", "first"
SERVER = "server"  # captions by the server in the settings

OR_IMPORT = ", or an import of their files"

Answers = Literal["scores", "boxes", ""]


def installed_names(task: str) -> list[str]:
    """Return the names of a task's installed models."""
    return [model.name for model in registry.installed(settings.KOMA_MODELS_DIR, task=task)]


def caption_servers() -> list[str]:
    """Return the captioning server of the settings, if one is set."""
    return [SERVER] if settings.KOMA_CAPTION_URL and settings.KOMA_CAPTION_MODEL else []


def _upscalers() -> list[str]:
    return known_upscalers.names(settings.KOMA_MODELS_DIR)


def _no_names() -> list[str]:
    return []


def _open_installed(name: str, models_dir: Any, *, device: str = AUTO, task: str) -> Any:
    return registry.open_model(registry.find(name, models_dir, task=task), device=device)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task of models.

    `label` and `about` are for pages; `hub`: whether its models need the hub. `default`: what a collection uses that
    has chosen nothing: BUILTIN, FIRST or NONE; `default_text` says it. FIRST is the first of the models folder by name,
    else the first in a package, else the first of `fallback`.
    `side_by_side`: several models may be chosen and all run. `always_there`: names offered before those of installed
    models. `other_names`: all names offered, where that is not `always_there` and the installed ones.
    `whole_pictures`: the stage `run_models` runs them on whole frames. `answers`: how ModelAnswer holds what they
    return; "" where another table does. `opener` opens a model by name, folder of models and device, where the
    registry alone cannot.
    """

    name: str
    label: str
    about: str
    hub: str = ""
    default: str
    default_text: str = ""
    fallback: Callable[[], list[str]] = _no_names
    side_by_side: bool = False
    always_there: Callable[[], list[str]] = _no_names
    other_names: Callable[[], list[str]] | None = None
    whole_pictures: bool = False
    answers: Answers = ""
    opener: Callable[..., Any] | None = None

    @property
    def default_words(self) -> str:
        """The default, described for the page."""
        texts = {
            BUILTIN: "the built-in one",
            FIRST: "the first in the models folder by name, else the one in a package, else none",
            NONE: "none, unless one is chosen",
        }
        return self.default_text or texts[self.default]

    def default_names(self) -> tuple[str, ...]:
        """Return the default models; empty for none."""
        if self.default == BUILTIN:
            return (BUILTIN,)
        if self.default == FIRST:
            return tuple((installed_names(self.name) or self.fallback())[:1])
        return ()

    def offered(self) -> list[str]:
        """Return the choices: names that are always available, then installed models."""
        if self.other_names is not None:
            return self.other_names()
        first = self.always_there()
        return [*first, *(name for name in installed_names(self.name) if name not in first)]

    def open(self, name: str, models_dir: Any, *, device: str = AUTO) -> Any:
        """Open the model. Raises BadInput when it cannot be opened."""
        opener = self.opener or partial(_open_installed, task=self.name)
        return opener(name, models_dir, device=device)


TASKS = {
    task.name: task
    for task in (
        Task(
            name="faces",
            label="Faces",
            about="Finds faces in frames.",
            hub="One is built in; the others need the hub.",
            default=BUILTIN,
            always_there=lambda: list(known_detectors.OWN),
            opener=known_detectors.open_detector,
        ),
        Task(
            name="embedding",
            label="Character recognition",
            about="Recognizes characters by their faces.",
            hub="One is built in; the others need the hub.",
            default=BUILTIN,
            always_there=lambda: [BUILTIN],
            opener=open_embedder,
        ),
        Task(
            name="tags",
            label="Tags",
            about="Tags the content of a picture. Computed tags are always available.",
            hub=f"All taggers need the hub{OR_IMPORT}.",
            default=FIRST,
            whole_pictures=True,
            answers="scores",
        ),
        Task(
            name="boxes",
            label="Boxes",
            about="Finds persons, heads, half bodies, hands and eyes.",
            hub=f"All need the hub{OR_IMPORT}.",
            default=NONE,
            side_by_side=True,
            whole_pictures=True,
            answers="boxes",
        ),
        Task(
            name="class",
            label="Classes",
            about="Adds tags for image type, rating, monochrome and aesthetics.",
            hub=f"All need the hub{OR_IMPORT}.",
            default=NONE,
            side_by_side=True,
            whole_pictures=True,
            answers="scores",
        ),
        Task(
            name="mask",
            label="Masks",
            about="Separates characters from the background.",
            hub=f"All need the hub{OR_IMPORT}.",
            default=NONE,
        ),
        Task(
            name="text",
            label="Text",
            about="Finds subtitles and credits; of similar frames, the one without text is kept.",
            hub="Does not need the hub: one comes in a package.",
            default=FIRST,
            whole_pictures=True,
            answers="boxes",
        ),
        Task(
            name="upscale",
            label="Upscaling",
            about="Enlarges face crops for face sets.",
            hub="Does not need the hub: resampling is built in, three networks come in packages.",
            default=FIRST,
            default_text="the first in the models folder by name, else the first in a package (waifu2x, Real-CUGAN, "
            "Real-ESRGAN), else Lanczos",
            fallback=lambda: [known_upscalers.DEFAULT],  # never fails for want of a network
            other_names=_upscalers,
            opener=known_upscalers.open_upscaler,
        ),
        Task(
            name="caption",
            label="Captions",
            about="Writes sentences about frames.",
            hub="Needs a server of your own, or the files of BLIP-2.",
            default=FIRST,
            default_text="the first installed by name, else the server of KOMA_CAPTION_URL",
            fallback=caption_servers,
            always_there=caption_servers,
        ),
    )
}


def task_named(name: str) -> Task:
    """Return the task. Raises BadInput for an unknown name."""
    if name not in TASKS:
        raise BadInput(f"There is no task {name!r}. Tasks: {', '.join(TASKS)}.")
    return TASKS[name]


def tasks_with(*, answers: Answers = "", whole_pictures: bool | None = None) -> tuple[str, ...]:
    """Return the names of tasks by how answers are stored, or whether they run on complete pictures, in page order."""
    return tuple(
        task.name
        for task in TASKS.values()
        if (not answers or task.answers == answers)
        and (whole_pictures is None or task.whole_pictures == whole_pictures)
    )
