"""The page of a run: where the time of stages with models went."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from ingest.models import Collection, Episode, PipelineRun, Source, StageRun
from tests.pages import html_of


@pytest.fixture()
def finished(collection: Collection) -> PipelineRun:
    return PipelineRun.objects.create(collection=collection, code_version="1", state="done")


def add(run: PipelineRun, stage: str, order: int, **timings: float) -> None:
    values: dict[str, Any] = {"queue": "gpu", "state": "done", "done": 3, "total": 3}
    StageRun.objects.create(run=run, stage=stage, order=order, timings=timings, **values)


def test_a_stage_with_models_shows_where_its_time_went(as_bob: Client, finished: PipelineRun) -> None:
    add(finished, "run_models", 0, decode=20.0, wait=2.0, copy=0.5, compute=58.0, save=1.0, total=80.0)
    page = html_of(as_bob.get(f"/c/{finished.collection_id}/runs/{finished.number}/"))
    table = page[page.index("time spent in Run models") :].split("</table>")[0]
    for label, seconds, percent in (
        ("Decode and fit", "20.0 s", "25 %"), ("Copy to the device", "0.5 s", "1 %"), ("Compute", "58.0 s", "72 %"),
        ("Device waits", "2.0 s", "2 %"), ("Write", "1.0 s", "1 %"),
    ):  # fmt: skip
        row = table[table.index(label) :].split("</tr>")[0]
        assert seconds in row
        assert percent in row


def test_other_stages_show_no_such_table(as_bob: Client, finished: PipelineRun) -> None:
    add(finished, "dedup", 0, read=1.0, work=4.0, save=0.3, total=6.0)
    page = html_of(as_bob.get(f"/c/{finished.collection_id}/runs/{finished.number}/"))
    assert "time spent in" not in page


def test_a_run_that_is_done_leads_on_and_says_where_nothing_was_to_do(as_bob: Client, finished: PipelineRun) -> None:
    add(finished, "dedup", 0, total=6.0)
    StageRun.objects.create(run=finished, stage="read_pictures", order=1, queue="cpu", state="done")
    address = f"/c/{finished.collection_id}/runs/{finished.number}/"
    page = html_of(as_bob.get(address))
    assert "Nothing to do: Pictures." in page
    assert page.count('role="progressbar"') == 1  # of the whole run: a stage that is done is one line
    for target in ("", "frames/", "faces/"):
        assert f'class="btn{"" if target else " primary"}" href="/c/{finished.collection_id}/{target}"' in page
    PipelineRun.objects.filter(pk=finished.pk).update(state="running")
    assert "Overview and next steps" not in html_of(as_bob.get(address))


def test_the_head_of_a_stage_names_the_device_and_its_details_say_why(as_bob: Client, finished: PipelineRun) -> None:
    add(finished, "detect", 0, total=6.0)
    StageRun.objects.update(device="CPU (CUDA is installed but could not be started)")
    page = html_of(as_bob.get(f"/c/{finished.collection_id}/runs/{finished.number}/"))
    head, details = page.split('class="lane-head"')[1].split("</summary>", 1)
    assert "· CPU</span>" in head
    assert "could not be started" not in head
    assert "Ran on CPU (CUDA is installed but could not be started)." in details


def test_where_files_lie_on_the_server_is_for_admins_of_the_site(
    as_alice: Client, as_bob: Client, finished: PipelineRun, settings: Any
) -> None:
    settings.KOMA_LIBRARY_DIRS = ["/srv/films"]
    add(finished, "extract", 0, total=6.0)
    StageRun.objects.update(
        state="failed",
        error="/srv/films/Show/01.mkv: no film",
        log=f"opened {settings.KOMA_DATA_DIR}/store/ab",
    )
    address = f"/c/{finished.collection_id}/runs/{finished.number}/"
    page = html_of(as_bob.get(address))
    assert "</b>: Show/01.mkv: no film" in page
    assert "opened store/ab" in page
    assert "/srv/films" not in page and str(settings.KOMA_DATA_DIR) not in page
    page = html_of(as_alice.get(address))
    assert "/srv/films/Show/01.mkv" in page and str(settings.KOMA_DATA_DIR) in page


def test_a_run_weighs_its_stages_by_their_time_and_its_title_follows(as_bob: Client, collection: Collection) -> None:
    source = Source.objects.create(collection=collection, kind="video", name="1.mkv", path="x", sha256="1")
    film = Episode.objects.create(collection=collection, source=source, title="1", duration_s=1200)
    run = PipelineRun.objects.create(collection=collection, code_version="1", state="running")
    for order, (stage, state, done) in enumerate((("extract", "running", 50), ("dedup", "waiting", 0))):
        StageRun.objects.create(
            run=run, episode=film, stage=stage, order=order, queue="cpu", state=state, total=100, done=done
        )
    address = f"/c/{collection.pk}/runs/{run.number}/"
    response = as_bob.get(address)
    percent = response.context["outlook"].percent
    assert 40 < percent < 50  # reading the film is nearly all of it
    assert f"<title>{percent} % · Run {run.number}" in html_of(response)
    assert "left" in html_of(response)
    poll = html_of(as_bob.get(address, HTTP_HX_REQUEST="true", HTTP_HX_TARGET="lanes"))
    assert poll.lstrip().startswith(f"<title>{percent} % · Run {run.number}")
    StageRun.objects.update(state="done", done=100)
    PipelineRun.objects.filter(pk=run.pk).update(state="done")
    page = html_of(as_bob.get(address))
    assert f"<title>Done · Run {run.number}" in page
    assert "100 %" in page


def test_runs_are_counted_within_their_collection(as_alice: Client, collection: Collection, alice: User) -> None:
    other = Collection.objects.create(name="Another")
    for place in (other, other, collection, other, collection):
        PipelineRun.objects.create(collection=place, created_by=alice, code_version="1", state="done")
    page = html_of(as_alice.get(f"/c/{collection.pk}/runs/"))
    newest, oldest = collection.runs.all()
    assert page.index(">Run 2</a>") < page.index(">Run 1</a>")
    assert "Run 3" not in page
    assert "<h1>Run 1</h1>" in html_of(as_alice.get(f"/c/{collection.pk}/runs/{oldest.number}/"))
    assert "<h1>Run 2</h1>" in html_of(as_alice.get(f"/c/{collection.pk}/runs/{newest.number}/"))


def test_the_list_says_what_each_run_did_and_how_long_ago(as_bob: Client, collection: Collection, alice: User) -> None:
    Collection.objects.create(name="Earlier").runs.create(code_version="1")  # so that keys and numbers differ
    run = PipelineRun.objects.create(
        collection=collection, code_version="1", state="done", finished_at=timezone.now(), created_by=alice,
        tallies={"extract": {"counters": {"kept": 54, "fade": 7}}, "detect": {"counters": {"faces": 28, "kept": 3}}},
    )  # fmt: skip
    for order, stage in enumerate(("extract", "detect", "cluster")):
        for title in ("1", "2") if stage != "cluster" else ("",):
            StageRun.objects.create(
                run=run, stage=stage, order=order, queue="cpu", state="done", episode=film(collection, title)
            )
    page = as_bob.get(f"/c/{collection.pk}/runs/")
    (entry,) = page.context["entries"]
    assert entry["results"] == [("kept", 54), ("faces", 28)]
    assert entry["episodes"] == 2
    html = html_of(page)
    assert f'href="/c/{collection.pk}/runs/1/"' in html and run.pk != 1
    assert '<time datetime="' in html  # which a script turns into "2 min ago"
    assert "Run 1" in html_of(as_bob.get(f"/c/{collection.pk}/runs/1/"))
    assert as_bob.get(f"/c/{collection.pk}/runs/2/").status_code == 404


def film(collection: Collection, title: str) -> Episode | None:
    if not title:
        return None
    source, _ = Source.objects.get_or_create(
        collection=collection, name=f"{title}.mkv", defaults={"kind": "video", "path": title, "sha256": title}
    )
    return Episode.objects.get_or_create(collection=collection, source=source, title=title)[0]


def test_only_a_run_that_workers_leave_waiting_says_what_may_be_wrong(as_bob: Client, collection: Collection) -> None:
    run = PipelineRun.objects.create(collection=collection, code_version="1")
    first = StageRun.objects.create(run=run, stage="extract", order=0, queue="cpu", state="queued")
    StageRun.objects.create(run=run, stage="dedup", order=1, queue="cpu", state="waiting")
    address, words = f"/c/{collection.pk}/runs/{run.number}/", "Waiting for a free worker"
    long_ago = timezone.now() - timedelta(minutes=1)
    assert words not in html_of(as_bob.get(address))  # it has just been started
    PipelineRun.objects.update(created_at=long_ago)
    assert words in html_of(as_bob.get(address))
    StageRun.objects.filter(pk=first.pk).update(state="done", finished_at=timezone.now())
    StageRun.objects.filter(stage="dedup").update(state="queued")
    assert words not in html_of(as_bob.get(address))  # between two stages
    StageRun.objects.filter(pk=first.pk).update(finished_at=long_ago)
    assert words in html_of(as_bob.get(address))
    StageRun.objects.filter(stage="dedup").update(state="running")
    assert words not in html_of(as_bob.get(address))
