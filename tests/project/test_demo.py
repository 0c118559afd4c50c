"""The demo: its collection is there before it is drawn, its run draws it, and an interruption is made up for."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from ingest.actions import runs
from ingest.errors import BadInput
from ingest.models import Collection, Episode, Frame, PipelineRun, RunState, StageRun
from ingest.pipeline import runner
from project import demo, demo_stage
from tests.pages import html_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _short_film(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_stage, "SECONDS", 4.0)
    monkeypatch.setattr(demo_stage, "SIZE", (320, 180))
    monkeypatch.setattr(demo.jobs, "wake", lambda: True)


def drawing_of(run: PipelineRun) -> StageRun:
    return run.stages.get(stage="draw_demo")


def interrupt(monkeypatch: pytest.MonkeyPatch, run: PipelineRun, *, after: int) -> None:
    """Let the drawing's process end after so many saved steps, as a kill does: nothing is closed or written."""
    saved = 0

    class Killed(BaseException):
        pass

    def save(self: Any, result: int) -> int:
        nonlocal saved
        if saved == after:
            raise Killed
        saved += 1
        return result

    with monkeypatch.context() as patch:
        patch.setattr(demo_stage.DrawDemo, "save", save)
        patch.setattr(demo_stage.DrawDemo, "close", lambda self: None)
        with pytest.raises(Killed):
            runner.execute(drawing_of(run).pk)


def test_the_collection_is_there_before_a_frame_is_drawn(alice: User, as_alice: Client) -> None:
    assert demo.is_due()
    run = demo.start()
    episode = Episode.objects.get(collection__name="Demo")
    assert (episode.series, episode.number) == ("Demo Show", "01")
    assert not demo_stage.film_path().exists()
    home = html_of(as_alice.get("/"))
    assert "Demo" in home and "No collection yet" not in home
    assert drawing_of(run).state == RunState.QUEUED
    assert set(run.stages.exclude(stage="draw_demo").values_list("state", flat=True)) == {RunState.WAITING}
    assert demo.is_due()  # until its first run has ended
    assert demo.start() == run
    assert Episode.objects.count() == 1


def test_home_and_overview_show_how_much_is_drawn_and_then_the_stage(alice: User, as_alice: Client) -> None:
    run = demo.start()
    StageRun.objects.filter(pk=drawing_of(run).pk).update(state=RunState.RUNNING, total=96, done=24)
    PipelineRun.objects.filter(pk=run.pk).update(state=RunState.RUNNING)
    overview = f"/c/{run.collection_id}/"
    for address in ("/", overview):
        for headers in ({}, {"HX-Request": "true"}):
            page = html_of(as_alice.get(address, headers=headers))
            assert re.search(r"Draw the demo episode,\s+25 %", page)
            assert re.search(r'hx-trigger="every [23]s"', page)
            assert ("<main" in page) is not bool(headers)
    StageRun.objects.filter(pk=drawing_of(run).pk).update(state=RunState.DONE, done=96)
    run.stages.filter(stage="extract").update(state=RunState.RUNNING, total=4, done=2)
    assert re.search(r"Frames,\s+50 %", html_of(as_alice.get("/")))
    PipelineRun.objects.filter(pk=run.pk).update(state=RunState.DONE)
    for address in ("/", overview):
        page = html_of(as_alice.get(address))
        assert "run-now" not in page and 'hx-trigger="every' not in page.partition("<main")[2]


@pytest.mark.parametrize("path", ["frames/", "faces/", "characters/", "episodes/{episode}/", "export/"])
def test_pages_without_anything_yet_show_the_run_that_fills_them(alice: User, as_alice: Client, path: str) -> None:
    run = demo.start()
    StageRun.objects.filter(pk=drawing_of(run).pk).update(state=RunState.RUNNING, total=96, done=48)
    PipelineRun.objects.filter(pk=run.pk).update(state=RunState.RUNNING)
    here = f"/c/{run.collection_id}/"
    page = html_of(as_alice.get(here + path.format(episode=Episode.objects.get().pk)))
    assert re.search(r"Draw the demo episode,\s+50 %", page)
    assert f"Watch run {run.number}" in page
    polled = {"HX-Request": "true", "HX-Target": "run-now"}
    again = as_alice.get(here, headers=polled)
    assert re.search(r"Draw the demo episode,\s+50 %", html_of(again)) and "<main" not in html_of(again)
    PipelineRun.objects.filter(pk=run.pk).update(state=RunState.DONE)
    assert as_alice.get(here, headers=polled).headers["HX-Refresh"] == "true"


def test_the_run_draws_the_film_and_takes_it_in(alice: User) -> None:
    run = demo.start()
    drawing, extraction = drawing_of(run), run.stages.get(stage="extract")
    assert runner.execute(drawing.pk) == RunState.DONE
    drawing.refresh_from_db()
    assert (drawing.done, drawing.total) == (96, 96)
    episode = Episode.objects.select_related("source").get()
    assert (episode.width, episode.height, episode.codec) == (320, 180, "h264")
    assert episode.source.size_bytes == demo_stage.film_path().stat().st_size and len(episode.source.sha256) == 64
    assert runner.execute(extraction.pk) == RunState.DONE
    assert Frame.objects.kept().filter(episode=episode).count() > 3


def test_drawing_that_was_killed_begins_again_and_ends(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    run = demo.start()
    interrupt(monkeypatch, run, after=2)
    assert drawing_of(run).state == RunState.RUNNING
    assert not demo_stage.film_path().exists()
    assert demo.is_due() and demo.start() == run
    runner.sweep(max_age_s=0)
    drawing = drawing_of(run)
    assert (drawing.state, drawing.done) == (RunState.QUEUED, 48)
    assert runner.execute(drawing.pk) == RunState.DONE
    drawing.refresh_from_db()
    assert (drawing.done, drawing.total) == (96, 96)
    assert [path.suffix for path in sorted(demo_stage.film_path().parent.iterdir())] == [".mp4", ".json"]


def test_cancelled_drawing_leaves_no_half_film_and_can_be_resumed(alice: User) -> None:
    run = demo.start()
    runs.cancel(run, by=alice)
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED
    assert not demo.is_due()
    runs.resume(run, by=alice)
    assert runner.execute(drawing_of(run).pk) == RunState.DONE


def test_nobody_else_is_offered_the_stage(as_alice: Client, collection: Collection) -> None:
    assert "draw_demo" not in html_of(as_alice.get(f"/c/{collection.pk}/runs/start/"))


def test_a_site_with_work_of_its_own_gets_no_demo(alice: User, collection: Collection) -> None:
    from tests.ingest.views.test_collections import episode_of

    episode_of(collection)
    assert not demo.is_due()


def test_a_collection_of_the_same_name_is_left_to_its_people(alice: User, collection: Collection) -> None:
    Collection.objects.all().update(name="Demo")
    second = Collection.objects.create(name="Demo")
    assert not demo.is_due()
    episode = demo.start().stages.select_related("episode").exclude(episode=None)[0].episode
    assert episode is not None and episode.collection_id not in (collection.pk, second.pk)
    assert not second.memberships.exists()
    assert demo.is_due() and demo.start().collection_id == episode.collection_id


def test_a_demo_that_is_deleted_meanwhile_ends_its_report_without_an_error(
    alice: User, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def start_and_delete() -> PipelineRun:
        run = start()
        Collection.objects.all().delete()
        return run

    start = demo.start
    monkeypatch.setattr(demo, "start", start_and_delete)
    call_command("demo_episode", "--follow")
    assert "The demo was deleted before it was ready." in capsys.readouterr().out


def test_without_an_admin_it_says_what_to_do() -> None:
    with pytest.raises(BadInput, match="create_admin"):
        demo.start()
    assert not Collection.objects.exists()


def test_who_follows_the_demo_reads_what_came_out_and_what_is_next(alice: User) -> None:
    run = demo.start()
    run.stages.filter(stage="detect").update(state=RunState.DONE, counters={"frames": 22, "faces": 28})
    run.stages.filter(stage="names").update(state=RunState.DONE, counters={"faces_named": 0})
    PipelineRun.objects.filter(pk=run.pk).update(state=RunState.DONE)
    lines: list[str] = []
    demo.follow(run, report=lines.append)
    assert "  Find faces: done (22 frames, 28 faces)" in lines
    assert "  Names from files and tags: done" in lines
    assert lines[-1] == "The demo episode is ready. Name its faces next."
