"""Two embedders compared in the browser's words: by a worker, with questions that people answer; rights."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate import jobs
from annotate.evaluation import evaluation_jobs
from annotate.models import Character, Evaluation, Face, NamedBy
from ingest.models import Collection, Membership, Role, RunState
from tests.annotate.evaluation.on_collection.conftest import cast, make_episode
from tests.annotate.evaluation.on_collection.test_own_embedders import mistaken, name_some
from tests.conftest import client_of, make_user
from tests.pages import html_of

__all__ = ["cast", "make_episode"]
pytestmark = pytest.mark.django_db
PAIR = {"first": "builtin", "second": "ccip-tiny"}
HTMX = {"HX-Request": "true"}


def start(client: Client, collection: Collection) -> Evaluation:
    client.post(reverse("compare_embedders", args=[collection.pk]), PAIR)
    return Evaluation.objects.filter(collection=collection).latest("pk")


@pytest.fixture()
def asked(collection: Collection, cast: list[Face], as_alice: Client, queues: str) -> Evaluation:
    """A comparison with one face, Anna's, that one embedder takes for Beth."""
    name_some(collection, cast)
    evaluation_jobs.execute(start(as_alice, collection).pk)
    mistaken(cast[30], "ccip-tiny", like=cast[1])
    row = start(as_alice, collection)
    assert evaluation_jobs.execute(row.pk) == RunState.DONE
    row.refresh_from_db()
    return row


def page(client: Client, collection: Collection, **more: Any) -> str:
    return html_of(client.get(reverse("compare_embedders", args=[collection.pk]), PAIR | more))


def answer(client: Client, collection: Collection, row: Evaluation, who: str, act: str, face: Face) -> Any:
    person = Character.objects.get(collection=collection, name=who)
    values = {"comparison": row.pk, "face": face.pk, "character": person.pk, "act": act}
    return client.post(reverse("compare_embedders_answer", args=[collection.pk]), values, headers=HTMX)


def test_a_lead_starts_it_a_worker_does_it_and_the_page_tells_how_far_it_is(
    collection: Collection, cast: list[Face], as_alice: Client, as_bob: Client, queues: str
) -> None:
    assert "Not compared yet" in page(as_alice, collection)
    row = start(as_alice, collection)
    assert (row.kind, row.model, row.second, row.state) == ("embedders", "builtin", "ccip-tiny", "queued")
    assert start(as_alice, collection) == row  # pressed twice: once
    assert "Waiting for a worker" in page(as_bob, collection)
    Evaluation.objects.filter(pk=row.pk).update(state="running", done=7, total=72)
    address = reverse("compare_embedders", args=[collection.pk])
    moving = as_bob.get(address, PAIR | {"progress": 1}, headers=HTMX)
    assert "7 of 72" in html_of(moving) and "hx-trigger" in html_of(moving)
    Evaluation.objects.filter(pk=row.pk).update(state="queued")
    assert jobs.run_evaluation() == "done"
    row.refresh_from_db()
    assert row.total == 72
    ended = as_bob.get(address, PAIR | {"progress": 1}, headers=HTMX)
    assert "Show results" in html_of(ended) and "hx-trigger" not in html_of(ended)
    assert "HX-Refresh" not in ended.headers  # somebody may be answering
    output = page(as_bob, collection)
    assert (
        "All 36 faces" in output
        and "name faces of at least two characters" in output
        and "Grouped by one model" in output
    )


def test_a_sample_is_called_one(collection: Collection, asked: Evaluation, as_bob: Client) -> None:
    scores = asked.scores | {"of": 100_000}
    Evaluation.objects.filter(pk=asked.pk).update(scores=scores)
    assert "A sample of 36 of 100,000 faces" in page(as_bob, collection)


def test_yes_names_the_face_and_closes_its_questions(
    collection: Collection, cast: list[Face], asked: Evaluation, as_bob: Client, bob: Any
) -> None:
    first = page(as_bob, collection)
    assert "2 questions open" in first and "Is this <q>" in first
    result = answer(as_bob, collection, asked, "Anna", "yes", cast[30])
    face = Face.objects.get(pk=cast[30].pk)
    assert face.character is not None and (face.character.name, face.named_by, face.named_user) == (
        "Anna", NamedBy.PERSON, bob,
    )  # fmt: skip
    assert "All faces on which the models disagree" in html_of(result)
    as_bob.post(reverse("undo", args=[collection.pk]))
    assert Face.objects.get(pk=cast[30].pk).character is None and "2 questions open" in page(as_bob, collection)


def test_no_rules_the_character_out_and_asks_about_the_other(
    collection: Collection, cast: list[Face], asked: Evaluation, as_bob: Client
) -> None:
    beth = Character.objects.get(name="Beth")
    output = html_of(answer(as_bob, collection, asked, "Beth", "no", cast[30]))
    assert Face.objects.get(pk=cast[30].pk).not_characters == [beth.pk]
    assert "1 question open" in output and "Is this <q>Anna</q>?" in output


def test_what_somebody_else_said_meanwhile_is_not_overwritten(
    collection: Collection, cast: list[Face], asked: Evaluation, as_bob: Client, as_alice: Client
) -> None:
    seen = Face.objects.get(pk=cast[30].pk).version
    answer(as_alice, collection, asked, "Beth", "yes", cast[30])
    person = Character.objects.get(name="Anna")
    values = {"comparison": asked.pk, "face": cast[30].pk, "character": person.pk, "act": "yes", "version": seen}
    late = as_bob.post(reverse("compare_embedders_answer", args=[collection.pk]), values, headers=HTMX)
    assert late.status_code == 409 and Face.objects.get(pk=cast[30].pk).character_id != person.pk


def test_what_is_gone_is_not_asked(collection: Collection, cast: list[Face], asked: Evaluation, as_bob: Client) -> None:
    Character.objects.filter(name="Beth").delete()
    assert "1 question open" in page(as_bob, collection)
    Face.objects.filter(pk=cast[30].pk).delete()
    assert "All faces on which the models disagree" in page(as_bob, collection)


def test_it_is_cancelled_and_failures_are_said(
    collection: Collection, cast: list[Face], as_alice: Client, queues: str, settings: Any
) -> None:
    row, address = start(as_alice, collection), reverse("compare_embedders", args=[collection.pk])
    as_alice.post(address, {"act": "cancel", "row": row.pk})
    assert "was cancelled" in page(as_alice, collection) and evaluation_jobs.execute(row.pk) is None
    row = start(as_alice, collection)
    Evaluation.objects.filter(pk=row.pk).update(state="running", heartbeat_at=timezone.now(), token="x")
    as_alice.post(address, {"act": "cancel", "row": row.pk})
    assert Evaluation.objects.get(pk=row.pk).cancel_requested
    Evaluation.objects.filter(pk=row.pk).update(state="queued")
    assert evaluation_jobs.execute(row.pk) == RunState.CANCELLED
    row = start(as_alice, collection)
    (settings.KOMA_MODELS_DIR / "ccip-tiny" / "model_metrics.onnx").write_bytes(b"broken")
    assert evaluation_jobs.execute(row.pk) == RunState.FAILED
    assert 'role="alert"' in page(as_alice, collection)


def test_a_comparison_with_a_model_that_was_removed_is_still_shown(
    collection: Collection, asked: Evaluation, as_alice: Client, settings: Any
) -> None:
    shutil.rmtree(settings.KOMA_MODELS_DIR / "ccip-tiny")
    gone = '<option value="ccip-tiny" selected disabled>ccip-tiny (not installed)</option>'
    for values in ({}, PAIR, {"first": "builtin"}):
        output = html_of(as_alice.get(reverse("compare_embedders", args=[collection.pk]), values))
        assert gone in output and output.count('<option value="builtin" selected>builtin') == 1, values
        assert "2 questions open" in output and "Compare again" not in output


def test_the_same_model_on_both_sides_is_refused_with_a_message(
    collection: Collection, asked: Evaluation, as_alice: Client
) -> None:
    output = page(as_alice, collection, second="builtin")
    assert "Choose two different models." in output and "Not compared yet" not in output
    assert "Compare again" not in output and "Compare these two" not in output


def test_with_one_embedder_it_says_what_is_missing_and_unknown_ones_are_refused(
    collection: Collection, as_alice: Client, queues: str
) -> None:
    assert "Only one recognition model" in html_of(as_alice.get(reverse("compare_embedders", args=[collection.pk])))
    result = as_alice.post(reverse("compare_embedders", args=[collection.pk]), PAIR, headers=HTMX)
    assert result.status_code == 422 and not Evaluation.objects.exists()


def test_reviewers_answer_viewers_look_strangers_see_nothing(
    collection: Collection, cast: list[Face], asked: Evaluation, as_bob: Client, as_charlie: Client
) -> None:
    address, post = (reverse(name, args=[collection.pk]) for name in ("compare_embedders", "compare_embedders_answer"))
    assert as_bob.post(address, PAIR).status_code == 403
    assert as_charlie.get(address).status_code == as_charlie.post(post).status_code == 404
    viewer = make_user("dora")
    Membership.objects.create(collection=collection, user=viewer, role=Role.VIEWER)
    seen = client_of(viewer).get(address)
    assert seen.status_code == 200 and 'data-key="y"' not in html_of(seen)
    assert answer(client_of(viewer), collection, asked, "Anna", "yes", cast[30]).status_code == 403
    other = Collection.objects.create(name="Other")
    Membership.objects.create(collection=other, user=viewer, role=Role.ADMIN)
    foreign = reverse("compare_embedders_answer", args=[other.pk])
    values = {"comparison": asked.pk, "face": cast[30].pk, "character": 1, "act": "yes"}
    assert client_of(viewer).post(foreign, values).status_code == 404
    cancel = {"act": "cancel", "row": asked.pk}
    assert client_of(viewer).post(reverse("compare_embedders", args=[other.pk]), cancel).status_code == 404
    assert "Not compared yet" in page(client_of(viewer), other)


@pytest.mark.django_db(transaction=True)
def test_the_queue_is_answered_with_keys(
    collection: Collection, cast: list[Face], asked: Evaluation, bob: Any, page_as: Any
) -> None:
    shown_page = page_as(bob, reverse("compare_embedders", args=[collection.pk]))
    shown_page.get_by_text("2 questions open").wait_for()
    first = shown_page.locator("#question h2").inner_text()
    shown_page.keyboard.press("ArrowRight")
    shown_page.wait_for_function("(was) => document.querySelector('#question h2').innerText !== was", arg=first)
    shown_page.keyboard.press("ArrowLeft")
    shown_page.wait_for_function("(was) => document.querySelector('#question h2').innerText === was", arg=first)
    shown_page.keyboard.press("n")
    shown_page.get_by_text("1 question open").wait_for()
    shown_page.keyboard.press("y")
    shown_page.get_by_text("All faces on which the models disagree").wait_for()
    shown_page.keyboard.press("z")
    shown_page.wait_for_load_state()
    shown_page.get_by_text("1 question open").wait_for()
    connection.close()
    face = Face.objects.get(pk=cast[30].pk)
    assert face.character is None and len(face.not_characters) == 1


@pytest.mark.django_db(transaction=True)
def test_the_keyboards_place_is_kept_after_an_answer(
    collection: Collection, cast: list[Face], asked: Evaluation, alice: Any, page_as: Any
) -> None:
    shown_page = page_as(alice, reverse("compare_embedders", args=[collection.pk]))
    shown_page.locator("#question-no").focus()
    shown_page.keyboard.press("Enter")
    shown_page.get_by_text("1 question open").wait_for()
    shown_page.wait_for_function("document.activeElement.id === 'question-no'")


@pytest.mark.django_db(transaction=True)
def test_the_keyboards_place_is_kept_from_question_to_question_and_while_a_comparison_runs(
    collection: Collection, cast: list[Face], asked: Evaluation, alice: Any, page_as: Any
) -> None:
    shown_page = page_as(alice, reverse("compare_embedders", args=[collection.pk]))
    here = "(id) => document.activeElement.id === id"  # soon: what is swapped in gets the focus a moment later
    for press, after in (("question-skip", "question-skip"), ("question-back", "question-back")):
        first = shown_page.locator("#question h2").inner_text()
        shown_page.locator(f"#{press}").focus()
        shown_page.keyboard.press("Enter")
        shown_page.wait_for_function("(was) => document.querySelector('#question h2').innerText !== was", arg=first)
        shown_page.wait_for_function(here, arg=after)
    row = Evaluation.objects.create(
        collection=collection, kind="embedders", model="builtin", second="ccip-tiny", state="running", total=9
    )
    shown_page.reload()
    shown_page.locator("#progress-act").focus()
    Evaluation.objects.filter(pk=row.pk).update(done=5)
    shown_page.get_by_text("5 of 9").wait_for()
    shown_page.wait_for_function(here, arg="progress-act")
    Evaluation.objects.filter(pk=row.pk).update(state="failed")
    shown_page.get_by_role("link", name="Show results").wait_for()
    assert shown_page.locator("#question h2").is_visible()  # the question is left alone
