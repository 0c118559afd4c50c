"""The embedder of a collection, opened once per process and again when its files change."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from annotate.backends.contract import Embedder
from annotate.backends.embedders.known_embedders import open_embedder
from annotate.backends.runtime.onnx_session import AUTO
from annotate.backends.runtime.open_models import opened_once, stamp_of_name
from annotate.chosen_models.choices import chosen
from annotate.chosen_models.tasks import NONE
from ingest.models import Collection


def embedder_of(collection: Collection, *, models: dict[str, Any] | None = None, device: str = AUTO) -> Embedder | None:
    """Return the chosen embedder; None if the collection uses none. `models` caches open models, see Context.models.

    Raises BadInput when it is no longer installed or cannot be used.
    """
    name = chosen(collection, "embedding")
    if name == NONE:
        return None
    models_dir = settings.KOMA_MODELS_DIR
    embedder: Embedder = opened_once(
        {} if models is None else models, f"embedding:{name}:{device}", stamp_of_name(name, models_dir),
        lambda: open_embedder(name, models_dir, device=device),
    )  # fmt: skip
    return embedder
