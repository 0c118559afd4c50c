"""Tags that came in a file beside the picture (`a.png.tags`), as labels with that file as their origin."""

from __future__ import annotations

from typing import Any

from annotate.actions.tags import clean_name
from annotate.backends.contract import ModelInfo
from annotate.models import TagCategory
from ingest.errors import BadInput

SIDE_FILE = ModelInfo(task="tags", name="tag file", revision="1", licence="of the file")
CATEGORIES = {
    "general": TagCategory.GENERAL,
    "meta": TagCategory.META,
    "artist": TagCategory.ARTIST,
    "copyright": TagCategory.COPYRIGHT,
    "character": TagCategory.CHARACTER,
}
RATINGS = {"g": "general", "s": "sensitive", "q": "questionable", "e": "explicit"}


def tags_beside(measures: dict[str, Any]) -> dict[str, int]:
    """Names and categories from `Frame.measures["side"]`, as the stage that reads pictures left them there.

    What cannot be a tag is left out.
    """
    side = measures.get("side")
    found: dict[str, int] = {}
    if not isinstance(side, dict):
        return found
    for kind, category in CATEGORIES.items():
        for raw in side.get(kind, []):
            try:
                found.setdefault(clean_name(str(raw)), category)
            except BadInput:
                continue
    if rating := RATINGS.get(str(side.get("rating", ""))):
        found[f"rating:{rating}"] = TagCategory.META
    return found
