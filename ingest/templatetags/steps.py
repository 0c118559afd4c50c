"""What an empty page of a collection leads to."""

from __future__ import annotations

from typing import Any

from django import template
from django.db.models import Count, Q
from django.urls import reverse

from ingest import humane
from ingest.models import FINISHED, Collection
from ingest.pipeline import progress

register = template.Library()


@register.simple_tag(takes_context=True)
def next_step(context: dict[str, Any]) -> dict[str, Any] | None:
    """What has to happen before there is anything on a page: add episodes, wait for the open run, start a run.

    For `partials/next_step.html`; None where all episodes were read and nothing is running.
    """
    collection: Collection = context["collection"]
    can_lead = context["can_lead"]
    open_run = collection.runs.exclude(state__in=FINISHED).first()
    if open_run is not None:
        return {"run": open_run, "lane": progress.current_of([open_run])[open_run.pk]}
    episodes = collection.episodes.aggregate(all=Count("pk"), unread=Count("pk", filter=Q(extracted_at__isnull=True)))
    if not episodes["all"]:
        text = "The collection has no episodes yet." + ("" if can_lead else " A lead can add them.")
        return _step(text, "Add episodes", "add_episodes", collection, can_lead=can_lead)
    if episodes["unread"]:
        text = f"{humane.count(episodes['unread'], 'episode')} not read yet." + (
            "" if can_lead else " A lead can start a run."
        )
        return _step(text, "Start a run", "run_start", collection, can_lead=can_lead)
    return None


def _step(text: str, button: str, name: str, collection: Collection, *, can_lead: bool) -> dict[str, Any]:
    return {"text": text, "button": button, "url": reverse(name, args=[collection.pk]) if can_lead else ""}
