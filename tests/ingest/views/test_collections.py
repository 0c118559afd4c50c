"""Collections: made, renamed, archived, deleted with their files but for those that others use."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from ingest.actions import collections as actions
from ingest.actions.estimates import estimate
from ingest.errors import BadInput, Conflict
from ingest.models import Collection, Episode, Frame, Membership, PersonLimits, PipelineRun, Role, Source, StageRun
from ingest.storage.stored_files import store
from tests.films import png
from tests.pages import html_of


def episode_of(collection: Collection, **more: Any) -> Episode:
    source = Source.objects.create(
        collection=collection,
        kind="video",
        name="a.mkv",
        path=f"sources/{collection.pk}/a.mkv",
        uploaded=True,
        sha256="a" * 64,
    )
    return Episode.objects.create(collection=collection, source=source, title="a", **more)


def test_the_start_page_shows_ones_own_collections_only(as_bob: Client, alice: User, collection: Collection) -> None:
    other = Collection.objects.create(name="Secret show")
    Membership.objects.create(collection=other, user=alice, role=Role.ADMIN)
    page = html_of(as_bob.get("/"))
    assert "Tiny show" in page
    assert "Secret show" not in page


def test_pages_of_the_site_lead_back_to_ones_own_collections(
    as_bob: Client, as_charlie: Client, client: Client, collection: Collection
) -> None:
    menu = f'href="/c/{collection.pk}/"'
    page = html_of(as_bob.get("/password/"))
    assert menu in page and "All collections…" in page
    for other in (html_of(as_charlie.get("/password/")), html_of(client.get("/login/"))):
        assert menu not in other and "All collections…" not in other


def test_the_start_page_refreshes_itself_while_it_is_empty_or_something_runs(
    as_charlie: Client, charlie: User, collection: Collection
) -> None:
    poll = 'hx-get="/" hx-trigger="every 5s"'
    assert poll in html_of(as_charlie.get("/"))

    Membership.objects.create(collection=collection, user=charlie, role=Role.VIEWER)
    refreshed = html_of(as_charlie.get("/", headers={"HX-Request": "true"}))
    assert refreshed.strip().startswith('<div id="collections"')
    assert "Tiny show" in refreshed
    assert poll not in refreshed

    PipelineRun.objects.create(collection=collection, code_version="test")
    assert poll.replace("5s", "2s") in html_of(as_charlie.get("/"))


def test_who_makes_a_collection_is_its_admin(as_charlie: Client, charlie: User) -> None:
    PersonLimits.objects.create(user=charlie, may_create=True)
    answer = as_charlie.post("/", {"name": "  My\n show  "})
    created = Collection.objects.get()
    assert created.name == "My show"
    assert answer.headers["Location"] == f"/c/{created.pk}/add/"
    assert created.memberships.get().role == Role.ADMIN
    for name in ("", "   ", "My show", "x" * 201):
        assert "Location" in as_charlie.post("/", {"name": name}).headers
    assert Collection.objects.count() == 1


def test_an_archived_collection_comes_back_whole(as_alice: Client, collection: Collection) -> None:
    as_alice.post(f"/c/{collection.pk}/archive/")
    assert not Collection.objects.active().exists()
    assert "1 archived" in html_of(as_alice.get("/"))
    as_alice.post(f"/c/{collection.pk}/archive/", {"back": "1"})
    assert Collection.objects.active().exists()


def test_deleting_asks_twice(as_alice: Client, collection: Collection) -> None:
    url = f"/c/{collection.pk}/delete/"
    assert "Type the collection" in html_of(as_alice.get(url))
    for values in ({"name": "Tiny show"}, {"name": "wrong", "sure": "on"}, {"sure": "on"}, {}):
        assert as_alice.post(url, values).status_code == 422
    assert Collection.objects.exists()
    assert as_alice.post(url, {"name": "Tiny show", "sure": "on"}).headers["Location"] == "/"
    assert not Collection.objects.exists()


def test_deleted_files_are_those_that_nobody_else_uses(collection: Collection, alice: User, settings: Any) -> None:
    other = Collection.objects.create(name="Other")
    shared, unshared = store().put_many([(png(shade=1), "png"), (png(shade=2), "png")])
    first, second = episode_of(collection), episode_of(other)
    Frame.objects.create(
        collection=collection, episode=first, index=0, width=1, height=1, file=unshared, preview=shared
    )
    Frame.objects.create(collection=other, episode=second, index=0, width=1, height=1, preview=shared)
    upload = settings.KOMA_DATA_DIR / first.source.path
    upload.parent.mkdir(parents=True)
    upload.write_bytes(b"film")
    assert actions.delete(collection=collection, typed_name="Tiny show", by=alice) == 1
    assert not upload.exists()
    assert store().exists(shared)
    assert not store().exists(unshared)


def test_a_collection_at_work_is_neither_archived_nor_deleted(collection: Collection, alice: User) -> None:
    PipelineRun.objects.create(collection=collection, code_version="1")
    with pytest.raises(Conflict, match="Cancel it"):
        actions.delete(collection=collection, typed_name="Tiny show", by=alice)
    with pytest.raises(Conflict, match="Cancel it"):
        actions.archive(collection=collection, archived=True, by=alice)
    with pytest.raises(BadInput):
        actions.delete(collection=collection, typed_name="Tiny", by=alice)


def test_the_start_page_costs_the_same_for_many_collections(
    as_alice: Client, alice: User, collection: Collection, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        created = Collection.objects.create(name=f"Show {number}")
        Membership.objects.create(collection=created, user=alice, role=Role.ADMIN)
    with django_assert_max_num_queries(4):
        as_alice.get("/")


def test_the_estimate_grows_with_the_film_and_learns_from_runs(collection: Collection, settings: Any) -> None:
    episode = episode_of(collection, duration_s=600.0, width=1920, height=1080)
    guess = estimate(collection=collection, episodes=[episode], stage_names=["extract"])
    longer = Episode(source=episode.source, collection=collection, duration_s=1200.0, width=1920, height=1080)
    more = estimate(collection=collection, episodes=[longer], stage_names=["extract"])
    assert not guess.measured
    assert 1.9 < more.seconds / guess.seconds < 2.1
    assert 1.9 < more.disk_bytes / guess.disk_bytes < 2.1
    run = PipelineRun.objects.create(collection=collection, code_version="1", state="done")
    StageRun.objects.create(
        run=run,
        episode=episode,
        stage="extract",
        order=0,
        queue="cpu",
        state="done",
        done=14_400,
        timings={"total": 30.0},
    )
    learnt = estimate(collection=collection, episodes=[longer], stage_names=["extract"])
    assert learnt.measured
    assert learnt.seconds == pytest.approx(60.0)
    settings.KOMA_DISK_RESERVE_BYTES = 2**60
    assert not estimate(collection=collection, episodes=[longer], stage_names=["extract"]).has_room


def test_the_estimate_is_shown_on_the_page_that_starts_a_run(as_alice: Client, collection: Collection) -> None:
    episode = episode_of(collection, duration_s=600.0)
    url = f"/c/{collection.pk}/runs/estimate/"
    assert "about" in html_of(as_alice.get(url, {"episode": episode.pk, "stage": "extract"}))
    assert "Choose" in html_of(as_alice.get(url, {"episode": "x", "stage": "nothing"}))
    page = html_of(as_alice.get(f"/c/{collection.pk}/runs/start/"))
    assert f'hx-post="{url}"' in page  # an address of hundreds of episodes would be refused for its length
    many = [episode.pk, *range(10_000, 10_500)]
    assert "1 episode:" in html_of(as_alice.post(url, {"episode": many, "stage": "extract"}))


@pytest.mark.parametrize("path", ["frames/", "faces/", "characters/", "tags/", "export/", "exports/", "runs/"])
def test_an_empty_page_says_what_will_be_there_and_leads_to_the_step_that_fills_it(
    as_alice: Client, as_bob: Client, collection: Collection, path: str
) -> None:
    here = f"/c/{collection.pk}/"

    def steps(client: Client) -> list[str]:
        page = html_of(client.get(here + path))
        content = page[page.index("<main") : page.index("</main>")]
        return re.findall(rf'class="empty".*?href="({here}[^"]*)"', content, re.DOTALL)

    assert steps(as_alice) == [f"{here}add/"]
    assert steps(as_bob) == []  # a reviewer can only wait for a lead
    assert "A lead can add them." in html_of(as_bob.get(here + path))
    episode_of(collection)
    assert steps(as_alice) == [f"{here}runs/start/"]
    run = PipelineRun.objects.create(collection=collection, code_version="test")
    page = html_of(as_bob.get(here + path))
    if path == "runs/":
        assert f"Run {run.number}" in page
    else:
        assert "Waiting for a worker" in page and steps(as_bob) == [f"{here}runs/{run.number}/"]
