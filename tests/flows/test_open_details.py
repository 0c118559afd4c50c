"""What was opened on a page that asks for itself anew stays open."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from ingest.models import PipelineRun, StageRun
from tests.annotate.views.conftest import Show

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def test_a_stage_stays_open_while_its_run_goes_on(show: Show, alice: User, page_as: Any) -> None:
    run = PipelineRun.objects.create(collection=show.collection, code_version="1", state="running")
    for order, (stage, state) in enumerate((("extract", "done"), ("detect", "running"))):
        StageRun.objects.create(
            run=run, episode=show.episode, stage=stage, order=order, queue="cpu", state=state, total=9, done=3
        )
    page = page_as(alice, f"/c/{show.collection.pk}/runs/{run.number}/")
    page.locator("#lane-extract > summary").click()
    with page.expect_response(lambda response: "/runs/" in response.url):
        StageRun.objects.filter(stage="detect").update(done=6)
    page.locator(".lane .bar[aria-valuenow='66']").wait_for()
    assert page.locator("#lane-extract").get_attribute("open") is not None
    assert page.locator("#lane-detect").get_attribute("open") is None
