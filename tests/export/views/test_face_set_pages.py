"""The export page over a face set: its faces, their passes, warnings, and an upscaler that is not installed."""

from __future__ import annotations

import json
import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from export.actions import jobs, recipes
from export.algorithms.recipe import Recipe, parse
from export.build import export_job
from ingest.models import Frame, RunState
from tests.export.conftest import Show, plan_of
from tests.export.views.test_pages import form_of, url
from tests.pages import html_of

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
# Faces of 96 x 36 to 108 pixels in 320 x 180: crops of 144 to 162.
FACES = {"face_set.enabled": ["on"], "face_set.grow": ["256"], "face_set.size": ["256"]}


def preview(client: Client, show: Show, **more: list[str]) -> str:
    names = {name.replace("__", "."): values for name, values in more.items()}
    return html_of(client.post(url("export_preview", show), form_of(client, show) | FACES | names))


def test_the_preview_shows_faces_with_their_passes_and_the_upscaler(show: Show, as_bob: Client) -> None:
    page = preview(as_bob, show)
    assert "14</b><span>pictures" in page  # faces, not the 11 frames that hold them
    assert "14 upscaled in 1 pass" in page
    assert "by lanczos" in page
    assert page.count("data:image/webp;base64,") == 5
    assert re.search(r"1[4-6]\d px, 1 pass", page)


def test_faces_below_the_least_size_are_counted_as_left_out(show: Show, as_bob: Client) -> None:
    page = preview(as_bob, show, face_set__least=["150"])
    assert "faces smaller than the face set requires" in page


def test_more_than_two_passes_are_warned_of_in_the_preview(show: Show, as_bob: Client) -> None:
    page = preview(as_bob, show, face_set__grow=["1024"])
    assert "14 pictures have more than 2 passes of upscaling (up to 3)" in page


def test_an_upscaler_that_is_gone_is_named_on_the_page_and_by_the_export(
    show: Show, alice: User, as_alice: Client
) -> None:
    recipe = parse({"face_set": {"enabled": True}, "upscale": {"model": "gone"}})
    recipes.save(collection=show.collection, name="Faces", recipe=recipe, by=alice)
    page = html_of(as_alice.get(url("export", show)))
    assert "There is no model &#x27;gone&#x27; for upscale" in page
    assert '<option value="gone" selected>gone</option>' in page
    job = jobs.start(collection=show.collection, recipe=recipe, name="x", by=alice)
    assert export_job.execute(job.pk) == RunState.FAILED
    job.refresh_from_db()
    assert "There is no model 'gone' for upscale" in job.error


def test_an_export_of_faces_counts_and_tells_its_passes(show: Show, alice: User, as_bob: Client) -> None:
    recipe = parse({"face_set": {"enabled": True, "grow": 256, "size": 192}, "arrange": {"min_per_combination": 1}})
    job = jobs.start(collection=show.collection, recipe=recipe, name="Faces", by=alice)
    assert export_job.execute(job.pk) == RunState.DONE
    job.refresh_from_db()
    assert job.counters["upscaled"] == {"1": 14}
    assert "14 upscaled in 1 pass<br>" in html_of(as_bob.get(url("exports", show)))
    folder = jobs.inside_exports(job.folder)
    facts = [json.loads(path.read_text()) for path in folder.rglob("*_face1.json")]
    assert len(facts) == 11
    assert all(item["upscale"] == {"passes": 1, "model": "lanczos"} for item in facts)
    assert all(len(item["character"]) <= 1 for item in facts)


def test_passes_that_pictures_had_before_go_on_being_counted(show: Show, alice: User) -> None:
    show.fanart.source.exportable = True
    show.fanart.source.save()
    art = Frame.objects.filter(episode=show.fanart).order_by("pk").first()
    assert art is not None
    art.measures = {"upscaled": 3}
    art.save()
    recipe = parse({"selection": {"min_faces": 0, "max_faces": 0, "image_types": ["fanart"]}})
    plan = plan_of(show.collection, recipe)
    assert plan.upscaled == {3: 1}
    assert "1 picture has more than 2 passes" in plan.warnings[-1]
    assert plan_of(show.collection, Recipe()).upscaled == {}
