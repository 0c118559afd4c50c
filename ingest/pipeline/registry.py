"""Finds stage classes by the dotted strings in settings.PIPELINE_STAGES, in pipeline order."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from ingest.errors import BadInput
from ingest.pipeline.contract import Stage
from ingest.pipeline.renamed import RENAMED


@cache
def stages() -> dict[str, type[Stage[Any, Any]]]:
    """All stages by name, in the order in which they run."""
    classes = [import_string(path) for path in settings.PIPELINE_STAGES]
    return {stage.name: stage for stage in classes}


def stage_named(name: str) -> type[Stage[Any, Any]]:
    """The stage class of a name. Raises BadInput."""
    try:
        return stages()[name]
    except KeyError:
        if name in RENAMED:
            raise BadInput(f"The stage {name!r} is now called {RENAMED[name]!r}.") from None
        raise BadInput(f"There is no stage {name!r}; there are: {', '.join(stages())}.") from None
