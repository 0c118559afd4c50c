"""The captioner of a collection: the server in the settings, or an installed model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings

from annotate.backends.captioners.endpoint import ChatEndpoint, Endpoint
from annotate.backends.contract import Captioner
from annotate.backends.model_files import registry
from annotate.backends.runtime.open_models import opened_once, stamp_of
from annotate.chosen_models import choices
from annotate.chosen_models.tasks import NONE
from annotate.models import ModelChoice
from ingest.errors import BadInput
from ingest.models import Collection

SERVER = "server"


def server_is_set() -> bool:
    """Return whether the settings name a server and its model."""
    return bool(settings.KOMA_CAPTION_URL and settings.KOMA_CAPTION_MODEL)


def name_of(collection: Collection, *, requested: str = "") -> str:
    """Return the captioner to use: the requested one, else the leads' choice (or NONE), else the server, else a
    model."""
    if requested:
        return requested
    if ModelChoice.objects.filter(collection=collection, task="caption").exists():
        return choices.chosen(collection, "caption")
    installed = NONE if server_is_set() else choices.chosen(collection, "caption")
    return SERVER if installed == NONE else installed


def open_captioner(
    name: str, *, max_tokens: int, models: dict[str, Any], alive: Callable[[], None] = lambda: None
) -> Captioner:
    """Open the captioner of this name; `models`, `alive`: see Context.

    A server is opened anew each time, so that an unreachable one is tried again. Raises BadInput if none is set up.
    """
    if name == SERVER:
        if not server_is_set():
            raise BadInput(
                "No captions can be written: set KOMA_CAPTION_URL and KOMA_CAPTION_MODEL to a server with OpenAI's "
                "chat interface (vLLM, llama.cpp, Ollama), or install a captioning model and choose it."
            )
        return ChatEndpoint(
            Endpoint(
                url=settings.KOMA_CAPTION_URL,
                model=settings.KOMA_CAPTION_MODEL,
                key=settings.KOMA_CAPTION_KEY,
                in_flight=settings.KOMA_CAPTION_IN_FLIGHT,
                timeout_s=settings.KOMA_CAPTION_TIMEOUT_S,
                max_tokens=max_tokens,
                silence_s=settings.KOMA_CAPTION_SILENCE_S,
            ),
            alive=alive,
        )
    installed = registry.find(name, settings.KOMA_MODELS_DIR, task="caption")
    captioner: Captioner = opened_once(
        models, f"caption:{name}:{max_tokens}", stamp_of([installed.path]),
        lambda: registry.open_model(installed, max_tokens=max_tokens),
    )  # fmt: skip
    return captioner
