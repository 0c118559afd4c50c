"""Releases in the browser: frozen from the export page, shown with figures, built in a format, deleted."""

from __future__ import annotations

import gzip

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from export.actions import releases
from export.algorithms.recipe import parse
from export.build import export_job, release_job
from export.models import ExportJob, Release
from ingest.models import RunState
from tests.export.conftest import Show
from tests.pages import html_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def frozen(show: Show, alice: User) -> Release:
    recipe = parse({"arrange": {"min_per_combination": 1}})
    release = releases.start(collection=show.collection, recipe=recipe, name="yama", notes="first\ntry", by=alice)
    release_job.execute(release.pk)
    release.refresh_from_db()
    return release


def test_the_export_page_freezes_the_next_version_of_a_name(show: Show, as_alice: Client, queues: str) -> None:
    address = reverse("export_change", args=[show.collection.pk])
    for number in (1, 2):
        as_alice.post(address, {"act": "freeze", "name": "yama s2", "recipe_name": f"R{number}"})
        release = Release.objects.latest("pk")
        assert str(release) == f"yama s2 v{number}"
        assert release_job.execute(release.pk) == RunState.DONE
    page = html_of(as_alice.get(reverse("releases", args=[show.collection.pk])))
    assert "yama s2 v1" in page
    assert "yama s2 v2" in page


def test_without_a_name_nothing_is_frozen(show: Show, as_alice: Client) -> None:
    address = reverse("export_change", args=[show.collection.pk])
    answer = as_alice.post(address, {"act": "freeze", "name": ""}, follow=True)
    assert "Enter a name for the release" in html_of(answer)
    assert not Release.objects.exists()


def test_the_page_of_a_release_shows_what_is_in_it(frozen: Release, as_bob: Client) -> None:
    page = html_of(as_bob.get(reverse("release", args=[frozen.collection_id, frozen.pk])))
    for text in ("yama v1", "first<br>try", "Hinata", "Face height in pixels", "16:9", frozen.sha256, "Who said names"):
        assert text in page, text
    assert "Build" not in page


def test_its_manifest_is_downloaded_whole(frozen: Release, as_bob: Client) -> None:
    answer = as_bob.get(reverse("release_manifest", args=[frozen.collection_id, frozen.pk]))
    lines = gzip.decompress(b"".join(answer.streaming_content)).splitlines()  # type: ignore[attr-defined]
    assert len(lines) == frozen.total + 3


def test_a_lead_builds_it_in_a_format_and_deletes_it_after_its_datasets(
    frozen: Release, as_alice: Client, as_bob: Client, queues: str
) -> None:
    here = reverse("release", args=[frozen.collection_id, frozen.pk])
    assert as_bob.post(here, {"act": "build", "layout": "coco"}).status_code == 403
    assert "choose from hierarchy" in html_of(as_alice.post(here, {"act": "build", "layout": "no such"}, follow=True))
    as_alice.post(here, {"act": "build", "layout": "coco"})
    job = ExportJob.objects.get()
    assert job.release == frozen
    assert export_job.execute(job.pk) == RunState.DONE
    assert "Datasets of this release" in html_of(as_alice.get(here))
    assert "Delete the exports" in html_of(as_alice.post(here, {"act": "delete", "sure": "on"}, follow=True))
    job.delete()
    assert "Tick “permanently”" in html_of(as_alice.post(here, {"act": "delete"}, follow=True))
    as_alice.post(here, {"act": "delete", "sure": "on", "reason": "wrong names"})
    assert not Release.objects.exists()


def test_what_failed_is_frozen_again(show: Show, alice: User, as_alice: Client, queues: str) -> None:
    recipe = parse({"selection": {"min_faces": 9}})
    release = releases.start(collection=show.collection, recipe=recipe, name="none", notes="", by=alice)
    release_job.execute(release.pk)
    here = reverse("release", args=[show.collection.pk, release.pk])
    assert "with fewer faces than required" in html_of(as_alice.get(here))
    as_alice.post(here, {"act": "retry"})
    release.refresh_from_db()
    assert release.state == RunState.QUEUED
    as_alice.post(here, {"act": "cancel"})
    release.refresh_from_db()
    assert release.state == RunState.CANCELLED
