"""The captioner that a collection uses: the server of the settings, or an installed model."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from annotate.actions import model_choices
from annotate.backends import registry
from annotate.backends.caption_endpoint import ChatEndpoint, Endpoint
from annotate.backends.contract import Captioner
from ingest.errors import BadInput
from ingest.models import Collection

SERVER = "server"


def server_is_set() -> bool:
    """Whether the settings name a server and its model."""
    return bool(settings.KOMA_CAPTION_URL and settings.KOMA_CAPTION_MODEL)


def captioner_of(collection: Collection, *, name: str, max_tokens: int, models: dict[str, Any]) -> Captioner:
    """The captioner of that name; empty: the collection's choice, else the server. `models`: see Context.models.

    A server is opened anew each time, so that one that was gone is asked again. BadInput says what is not set up.
    """
    chosen = name or model_choices.chosen(collection, "caption")
    if chosen in (model_choices.NONE, SERVER):
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
            )
        )
    key = f"caption:{chosen}:{max_tokens}"
    if key not in models:
        found = registry.find(chosen, settings.KOMA_MODELS_DIR, task="caption")
        models[key] = registry.open_model(found, max_tokens=max_tokens)
    captioner: Captioner = models[key]
    return captioner
