"""The estimate of time and disk space on the page that starts a run; updated with its form."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from ingest import humane
from ingest.access import member_view
from ingest.actions.estimates import estimate as estimated
from ingest.models import Collection, Episode, Role, SourceKind
from ingest.params import as_ints
from ingest.pipeline.registry import stages
from ingest.views.once import own_key


@own_key
@member_view(at_least=Role.LEAD, when_archived=True)
def estimate(request: HttpRequest, collection: Collection) -> HttpResponse:
    """The estimate for the chosen episodes and stages (`episode`, `stage`), sent as a form: hundreds are too long for a
    URL. Nothing is written."""
    form = request.POST if request.method == "POST" else request.GET
    keys = as_ints(form.getlist("episode"))
    episodes = list(collection.episodes.filter(pk__in=keys[:5000]).select_related("source"))
    chosen = [name for name in form.getlist("stage") if name in stages()]
    result = estimated(collection=collection, episodes=episodes, stage_names=chosen) if episodes and chosen else None
    return render(request, "ingest/estimate.html", {"estimate": result, "what": _called(episodes)})


def _called(episodes: list[Episode]) -> str:
    """The name of a single group of pictures, else the number of episodes and groups."""
    groups = [episode for episode in episodes if episode.source.kind == SourceKind.PICTURES]
    films = len(episodes) - len(groups)
    if len(groups) == 1 and not films:
        return groups[0].label
    words = [humane.count(films, "episode")] if films else []
    words += [f"{humane.count(len(groups), 'group')} of pictures"] if groups else []
    return " and ".join(words)
