"""Models measured on what people said in a collection: by a worker, with links to the frames; members only."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotate import jobs
from annotate.actions import checks
from annotate.evaluation import evaluation_jobs
from annotate.models import CheckedFrame, Evaluation, Face
from ingest.models import Collection, Frame, Membership, Role, RunState
from tests.annotate.evaluation.on_collection.conftest import MakeFrame, cast, make_episode, make_frame
from tests.annotate.evaluation.on_collection.test_own_characters import name_all
from tests.conftest import client_of, make_user
from tests.pages import html_of

__all__ = ["cast", "make_episode", "make_frame"]
pytestmark = pytest.mark.django_db


@pytest.fixture()
def truth(collection: Collection, make_frame: MakeFrame, queues: str) -> list[Frame]:
    """Three complete frames: a hit, a face that the detector misses, an alarm."""
    frames = [
        make_frame([(2, 3)], boxes=[(2, 3)]), make_frame([], boxes=[(4, 4)]), make_frame([(1, 1)], boxes=[]),
    ]  # fmt: skip
    for frame in frames:
        checks.check(collection=collection, frame=frame, by=None)
    return frames


def ask(client: Client, collection: Collection, **more: str) -> Any:
    values = {"kind": "faces", "model": "tiny"} | more
    return client.post(reverse("collection_quality", args=[collection.pk]), values)


def page(client: Client, collection: Collection) -> str:
    return html_of(client.get(reverse("collection_quality", args=[collection.pk])))


def test_faces_are_measured_on_complete_frames_and_mistakes_lead_there(
    collection: Collection, truth: list[Frame], as_alice: Client
) -> None:
    assert "<b>3</b> frames with all faces reviewed, with 2 faces" in page(as_alice, collection)
    assert ask(as_alice, collection).status_code == 302
    row = Evaluation.objects.get()
    assert "waiting for a worker" in page(as_alice, collection)
    assert jobs.run_evaluation() == "done"
    row.refresh_from_db()
    assert (row.done, row.total, row.scores["hits_iou50"], row.scores["false_positives_iou30"]) == (3, 3, 1, 1)
    assert "1 of 2 faces" in page(as_alice, collection)
    html = html_of(as_alice.get(reverse("collection_evaluation", args=[collection.pk, row.pk])))
    assert 'class="missed"' in html and 'class="false"' in html and "3 frames with all faces reviewed" in html
    for frame in truth[1:]:
        assert reverse("frame", args=[collection.pk, frame.pk]) in html
    truth[1].delete()
    left = html_of(as_alice.get(reverse("collection_evaluation", args=[collection.pk, row.pk])))
    assert reverse("frame", args=[collection.pk, truth[2].pk]) in left and 'class="missed"' not in left


def test_two_detectors_stand_side_by_side(collection: Collection, truth: list[Frame], as_alice: Client) -> None:
    for model in ("tiny", "builtin"):
        ask(as_alice, collection, model=model)
        assert evaluation_jobs.execute(Evaluation.objects.latest("pk").pk) == RunState.DONE
    assert "Faces on reviewed labels" in page(as_alice, collection)


def row_headline(row: Evaluation) -> str:
    row.refresh_from_db()
    return row.headline


def test_characters_are_measured_on_peoples_names(
    collection: Collection, cast: list[Face], as_alice: Client, as_bob: Client, queues: str
) -> None:
    people = name_all(collection, cast)
    Face.objects.filter(pk=cast[0].pk).update(character=people[1])
    assert "<b>36</b> faces named by people, 3 characters" in page(as_bob, collection)
    ask(as_alice, collection, kind="characters", model="builtin")
    row = Evaluation.objects.get()
    assert evaluation_jobs.execute(row.pk) == RunState.DONE
    html = html_of(as_bob.get(reverse("collection_evaluation", args=[collection.pk, row.pk])))
    assert "Near-duplicates skipped" in html and "twins_removed" not in html
    assert "right with 1, " in row_headline(row) and row_headline(row).endswith(" named faces per character")
    assert "Correct names by number of named faces" in html and "named Anna, is Beth" in html
    assert reverse("frame", args=[collection.pk, cast[0].frame_id]) in html


def test_without_truth_the_row_says_what_to_do(
    collection: Collection, make_frame: MakeFrame, as_alice: Client, queues: str
) -> None:
    make_frame([(2, 3)], boxes=[(2, 3)])
    output = page(as_alice, collection).partition("<main")[2].partition("</main>")[0]
    assert output.count(" disabled aria-describedby=") == 2 and "btn primary" not in output
    for kind, model, words in (
        ("faces", "tiny", "all faces reviewed yet"),
        ("characters", "builtin", "Fewer than two"),
    ):
        refused = as_alice.post(
            reverse("collection_quality", args=[collection.pk]), {"kind": kind, "model": model},
            headers={"HX-Request": "true"},
        )  # fmt: skip
        assert refused.status_code == 422 and words in refused.headers["HX-Trigger"] and words in output
        assert not Evaluation.objects.filter(kind=kind).exists()
        row = evaluation_jobs.ask_own(
            collection=collection, kind=kind, model=model, by=None
        )  # asked before it was taken back
        assert evaluation_jobs.execute(row.pk) == RunState.FAILED
        row.refresh_from_db()
        assert words in row.error


def test_a_measurement_is_cancelled_done_again_and_removed(
    collection: Collection, truth: list[Frame], as_alice: Client
) -> None:
    ask(as_alice, collection)
    row = Evaluation.objects.get()
    change = reverse("collection_evaluation_change", args=[collection.pk, row.pk])
    as_alice.post(change, {"act": "cancel"})
    assert evaluation_jobs.execute(row.pk) is None
    as_alice.post(change, {"act": "again"})
    again = Evaluation.objects.latest("pk")
    Evaluation.objects.filter(pk=again.pk).update(cancel_requested=True)
    assert again.pk != row.pk and evaluation_jobs.execute(again.pk) == RunState.CANCELLED
    as_alice.post(change, {"act": "delete"})
    assert not Evaluation.objects.filter(pk=row.pk).exists()


def test_unknown_kinds_and_models_are_refused(collection: Collection, truth: list[Frame], as_alice: Client) -> None:
    for more in ({"kind": "taste"}, {"kind": "embedders"}, {"model": "../../etc"}, {"kind": "characters"}):
        response = as_alice.post(
            reverse("collection_quality", args=[collection.pk]), {"kind": "faces", "model": "tiny"} | more,
            headers={"HX-Request": "true"},
        )  # fmt: skip
        assert response.status_code == 422, more
    assert not Evaluation.objects.exists()


def test_only_members_see_it_only_leads_start_it_and_the_sites_admins_have_their_own(
    collection: Collection, truth: list[Frame], as_alice: Client, as_bob: Client, as_charlie: Client
) -> None:
    ask(as_alice, collection)
    row = Evaluation.objects.get()
    evaluation_jobs.execute(row.pk)
    addresses = [
        reverse("collection_quality", args=[collection.pk]),
        reverse("collection_evaluation", args=[collection.pk, row.pk]),
    ]
    change = reverse("collection_evaluation_change", args=[collection.pk, row.pk])
    for address in addresses:
        assert as_bob.get(address).status_code == 200 and as_charlie.get(address).status_code == 404
    assert ask(as_bob, collection).status_code == as_bob.post(change, {"act": "delete"}).status_code == 403
    assert as_charlie.post(change, {"act": "delete"}).status_code == 404
    root = client_of(make_user("root", is_superuser=True, is_staff=True))  # admin of the site, no member
    assert all(root.get(address).status_code == 404 for address in addresses)
    assert root.get(reverse("evaluation", args=[row.pk])).status_code == 404
    assert root.post(reverse("evaluation_change", args=[row.pk]), {"act": "delete"}).status_code == 404
    assert "of 2 faces" not in html_of(root.get(reverse("quality")))
    other = Collection.objects.create(name="Other")
    Membership.objects.create(collection=other, user=make_user("dora"), role=Role.ADMIN)
    dora = client_of(Membership.objects.get(collection=other).user)
    assert dora.get(reverse("collection_evaluation", args=[other.pk, row.pk])).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_frame_is_called_complete_with_a_key_and_counts_then(
    collection: Collection, make_frame: MakeFrame, bob: Any, page_as: Any
) -> None:
    frame = make_frame([(2, 3)], boxes=[(2, 3)])
    shown_page = page_as(bob, reverse("frame", args=[collection.pk, frame.pk]))
    shown_page.get_by_role("button", name="All faces reviewed").wait_for()
    shown_page.get_by_role("button", name="All faces reviewed").focus()
    shown_page.keyboard.press("a")
    shown_page.get_by_text("all faces reviewed by bob").wait_for()
    assert shown_page.evaluate("document.activeElement.innerText") == "Undo"
    called = f"{frame.episode.label}, frame {frame.index}"
    shown_page.locator("#history").get_by_text(f"All faces of {called} reviewed").wait_for()  # without a reload
    assert CheckedFrame.objects.get().by == bob
    shown_page.goto(shown_page.url.split("/c/")[0] + reverse("collection_quality", args=[collection.pk]))
    shown_page.get_by_text("1 frame with all faces reviewed, with 1 face").wait_for()
    shown_page.go_back()
    shown_page.locator("button[value=uncheck]").click()
    shown_page.get_by_role("button", name="All faces reviewed").wait_for()
    assert not CheckedFrame.objects.exists()


def test_with_one_number_of_named_faces_the_plot_has_bars(collection: Collection, as_bob: Client) -> None:
    for model, share in (("builtin", 0.8), ("other", 0.6)):
        Evaluation.objects.create(
            collection=collection, kind="characters", model=model, state="done", scores={"accuracy": {"1": share}}
        )
    assert "80 % right with 1 named face per character" in page(as_bob, collection)


@pytest.mark.django_db(transaction=True)
def test_the_keyboards_place_is_kept_while_the_table_is_drawn_anew(
    collection: Collection, alice: Any, page_as: Any
) -> None:
    row = Evaluation.objects.create(collection=collection, kind="faces", model="tiny", state="running", total=9)
    shown_page = page_as(alice, reverse("collection_quality", args=[collection.pk]))
    shown_page.get_by_role("button", name="Cancel").focus()
    Evaluation.objects.filter(pk=row.pk).update(done=5)
    shown_page.get_by_text("5 of 9").wait_for()
    assert shown_page.evaluate("document.activeElement.innerText") == "Cancel"
