"""The addresses of pages that tests open one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest.models import PipelineRun
    from tests.annotate.views.conftest import Show


def page_addresses(show: Show, run: PipelineRun) -> list[str]:
    """Every page that an admin of the site sees: of the site, of the show's collection, and of its rows."""
    inside = f"/c/{show.collection.pk}/"
    return [
        *("/", "/models/", "/models/import/", "/quality/", "/status/", "/password/"),
        *("/site/people/", "/site/collections/", "/site/uploads/", "/join/"),
        *(inside + name for name in ("", "episodes/", "frames/", "tags/", "faces/", "characters/", "export/")),
        *(inside + name for name in ("exports/", "runs/", "runs/start/", "members/", "settings/", "models/")),
        *(inside + name for name in ("history/", "add/", "add/library/", "compare/", "compare/embedders/", "quality/")),
        f"{inside}delete/",
        f"{inside}episodes/{show.episode.pk}/", f"{inside}frames/{show.frames[0].pk}/", f"{inside}runs/{run.number}/",
        f"{inside}characters/{show.hinata.pk}/",
    ]  # fmt: skip
