"""The embedder of a collection, opened once per process and again when its files change."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from annotate.backends.contract import Embedder
from annotate.backends.embedders.known_embedders import Comparison, open_comparison, open_embedder
from annotate.backends.runtime.onnx_session import AUTO
from annotate.backends.runtime.open_models import opened_once, stamp_of_name
from annotate.chosen_models.choices import chosen
from annotate.chosen_models.tasks import NONE
from ingest.models import Collection

COMPARISONS_MAX = 4  # open at a time in one process
_comparisons: dict[str, Any] = {}


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


def comparison_of(collection: Collection) -> Comparison | None:
    """Return how vectors of the chosen embedder are compared, for pages; None if the collection uses none.

    Only the small network that compares is opened, if any. Raises BadInput as `embedder_of`.
    """
    name = chosen(collection, "embedding")
    if name == NONE:
        return None
    models_dir = settings.KOMA_MODELS_DIR
    if len(_comparisons) > COMPARISONS_MAX:
        _comparisons.clear()
    comparison: Comparison = opened_once(
        _comparisons, f"{models_dir}:{name}", stamp_of_name(name, models_dir), lambda: open_comparison(name, models_dir)
    )
    return comparison
