"""Moments read as their age, and the minute itself is the title."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.timezone import localtime, now

from ingest.humane import minute
from ingest.models import Operation
from tests.annotate.views.conftest import Show

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def test_the_history_tells_how_long_ago_each_change_was(show: Show, alice: User, page_as: Any) -> None:
    for age in (timedelta(), timedelta(minutes=5), timedelta(days=3), timedelta(days=90)):
        change = Operation.objects.create(collection=show.collection, by=alice, summary=f"After {age}")
        Operation.objects.filter(pk=change.pk).update(at=now() - age)
    page = page_as(alice, reverse("history", args=[show.collection.pk]))
    times = page.locator("td time")
    page.get_by_text("5 min ago").wait_for()
    oldest = minute(localtime(now() - timedelta(days=90)))
    assert {"just now", "5 min ago", "3 days ago"} < set(times.all_inner_texts())
    assert oldest[:10] in " ".join(times.all_inner_texts())
    at = Operation.objects.get(summary="After 3 days, 0:00:00").at
    assert page.get_by_text("3 days ago").get_attribute("title") == minute(localtime(at))
