"""Two models beside each other: agreement, open questions, a person's answers, rights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotate.actions import tags
from annotate.algorithms.packing import pack_boxes, pack_classes, pack_scores
from annotate.algorithms.tag_rules import Rules
from annotate.evaluation import agreement
from annotate.models import FrameTag, ModelAnswer, ModelLabels, ModelVersion, Tag, TagAlias
from ingest.models import Collection, Frame, Membership, Role
from tests.annotate.actions.test_model_choices import install
from tests.annotate.views.conftest import Show
from tests.conftest import client_of, make_user
from tests.pages import html_of

pytestmark = pytest.mark.django_db
RULES = Rules({"general": 0.35}).as_json()
LABELS = [["smile", "general"], ["hat", "general"], ["rain", "general"]]


def tagger(name: str, frames: list[Frame], scores: list[list[float]]) -> ModelVersion:
    version = ModelVersion.objects.create(task="tags", name=name)
    ModelLabels.objects.create(model_version=version, rows=LABELS, rules=RULES)
    for frame, row in zip(frames, scores):
        ModelAnswer.objects.create(frame=frame, model_version=version, data=pack_scores(np.array(row, np.float32)))
    return version


@pytest.fixture()
def pair(show: Show) -> tuple[ModelVersion, ModelVersion]:
    """On four frames: smile 2 both, 1 only first, 1 only second; hat only by the second once; rain never."""
    first = tagger("one", show.frames, [[0.9, 0.1, 0], [0.8, 0.2, 0], [0.7, 0, 0], [0.1, 0, 0.1]])
    second = tagger("two", show.frames, [[0.9, 0.1, 0], [0.5, 0.9, 0], [0.3, 0, 0], [0.95, 0, 0.1]])
    return first, second


def test_agreement_is_counted_by_label_and_the_widest_gap_is_asked_first(
    show: Show, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    comparison = agreement.compare(show.collection, *pair)
    counts = {
        row.name: (row.agreement.both, row.agreement.only_first, row.agreement.only_second) for row in comparison.rows
    }
    assert counts == {"smile": (2, 1, 1), "hat": (0, 0, 1)}
    assert (comparison.common, comparison.compared) == (4, 4)
    assert [(answer.frame, answer.name) for answer in comparison.questions] == [
        (show.frames[3].pk, "smile"), (show.frames[1].pk, "hat"), (show.frames[2].pk, "smile"),
    ]  # fmt: skip


def test_a_label_that_one_model_does_not_know_is_no_disagreement(show: Show) -> None:
    first = tagger("one", show.frames, [[0.9, 0.9, 0]])
    second = ModelVersion.objects.create(task="tags", name="two")
    ModelLabels.objects.create(model_version=second, rows=[["smile", "general"]], rules=RULES)
    ModelAnswer.objects.create(
        frame=show.frames[0], model_version=second, data=pack_scores(np.array([0.8], np.float32))
    )
    comparison = agreement.compare(show.collection, first, second)
    assert [row.name for row in comparison.rows] == ["smile"] and comparison.total.disagreed == 0


def test_of_many_frames_an_even_sample_is_compared(show: Show, monkeypatch: pytest.MonkeyPatch, alice: User) -> None:
    """Of six frames that differ from the third on, three are compared: the first, one of the middle, the last."""
    monkeypatch.setattr(agreement, "SAMPLE", 3)
    frames = show.frames[:6]
    first = tagger("one", frames, [[0.9, 0, 0]] * 6)
    second = tagger("two", frames, [[0.9 if number in (0, 1) else 0.1, 0, 0] for number in range(6)])
    result = agreement.compare(show.collection, first, second)
    assert (result.common, result.compared) == (6, 3)
    assert [question.frame for question in result.questions] == [frames[2].pk, frames[5].pk]
    for frame in frames:
        tags.add(collection=show.collection, frames=[frame], names=["smile"], by=alice)
    (row,) = agreement.against_people(show.collection, second)
    assert (row.name, row.recall) == ("smile", pytest.approx(1 / 3))


def test_the_page_asks_and_an_answer_is_a_persons_word(
    show: Show, pair: tuple[ModelVersion, ModelVersion], as_bob: Client
) -> None:
    page = html_of(as_bob.get(reverse("compare", args=[show.collection.pk])))
    assert "Is <q>smile</q> right here?" in page and "3 questions open" in page
    values = {"first": pair[0].pk, "second": pair[1].pk, "frame": show.frames[3].pk, "name": "smile", "act": "no"}
    answer = as_bob.post(reverse("compare_answer", args=[show.collection.pk]), values, headers={"HX-Request": "true"})
    assert "Is <q>hat</q> right here?" in html_of(answer) and "2 questions open" in html_of(answer)
    word = FrameTag.objects.get(frame=show.frames[3], tag__name="smile")
    assert (word.state, word.by_person, word.by.username) == ("no", True, "bob")


def test_what_people_decided_is_not_asked_again_and_can_be_undone(
    show: Show, pair: tuple[ModelVersion, ModelVersion], as_bob: Client
) -> None:
    comparison = agreement.compare(show.collection, *pair)
    for answer in comparison.questions:
        values = {"first": pair[0].pk, "second": pair[1].pk, "frame": answer.frame, "name": answer.name, "act": "yes"}
        as_bob.post(reverse("compare_answer", args=[show.collection.pk]), values)
    assert agreement.open_questions(show.collection, comparison) == []
    assert "No open questions" in html_of(as_bob.get(reverse("compare", args=[show.collection.pk])))
    as_bob.post(reverse("undo", args=[show.collection.pk]))
    assert len(agreement.open_questions(show.collection, comparison)) == 1


def test_against_people_a_model_is_scored_where_people_spoke(
    show: Show, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    from annotate.actions import tags

    common = {"collection": show.collection, "by": None}
    tags.add(frames=[show.frames[0], show.frames[3]], names=["smile"], **common)
    tags.remove(frames=[show.frames[2]], names=["smile"], **common)
    rows = {row.name: row.agreement for row in agreement.against_people(show.collection, pair[0])}
    smile = rows["smile"]
    assert (smile.both, smile.only_first, smile.only_second, smile.frames) == (1, 1, 1, 3)


def test_the_page_scores_a_model_against_people(
    show: Show, pair: tuple[ModelVersion, ModelVersion], as_bob: Client
) -> None:
    address = reverse("compare", args=[show.collection.pk])
    query = {"first": pair[0].pk, "second": "people"}
    assert "No reviewed tags yet" in html_of(as_bob.get(address, query))
    for frame, action in ((show.frames[0], "yes"), (show.frames[1], "no"), (show.frames[3], "yes")):
        values = query | {"frame": frame.pk, "name": "smile", "act": action}
        as_bob.post(reverse("compare_answer", args=[show.collection.pk]), values | {"second": pair[1].pk})
    page = html_of(as_bob.get(address, query))
    assert page.count(">0.50<") == 2  # precision 1 of 2, recall 1 of 2


def test_a_word_on_an_alias_answers_the_question_about_it(
    show: Show, pair: tuple[ModelVersion, ModelVersion], as_bob: Client
) -> None:
    TagAlias.objects.create(name="hat", tag=Tag.objects.create(name="headwear"))
    comparison = agreement.compare(show.collection, *pair)
    hats = [answer for answer in comparison.questions if answer.name == "headwear"]
    assert len(hats) == 1 and "hat" not in {answer.name for answer in comparison.questions}
    values = {"first": pair[0].pk, "second": pair[1].pk, "frame": hats[0].frame, "name": "headwear", "act": "yes"}
    as_bob.post(reverse("compare_answer", args=[show.collection.pk]), values)
    assert "headwear" not in {answer.name for answer in agreement.open_questions(show.collection, comparison)}
    assert [row.name for row in agreement.against_people(show.collection, pair[1])] == ["headwear"]


def test_a_label_that_can_be_no_tag_is_not_asked_about(show: Show) -> None:
    for name, score in (("one", 0.9), ("two", 0.1)):
        version = ModelVersion.objects.create(task="tags", name=name)
        ModelLabels.objects.create(model_version=version, rows=[["a, b", "general"], ["Hat", "general"]], rules=RULES)
        data = pack_classes(np.array([score, score], np.float32))
        ModelAnswer.objects.create(frame=show.frames[0], model_version=version, data=data)
    comparison = agreement.compare(show.collection, *ModelVersion.objects.filter(task="tags", name__in=("one", "two")))
    assert comparison.questions == ()


def test_answers_that_cannot_be_read_are_left_out(show: Show, pair: tuple[ModelVersion, ModelVersion]) -> None:
    ModelAnswer.objects.filter(model_version=pair[0], frame=show.frames[3]).update(data=b"?")
    comparison = agreement.compare(show.collection, *pair)
    assert show.frames[3].pk not in {answer.frame for answer in comparison.questions} and len(comparison.questions) == 2
    assert agreement.against_people(show.collection, pair[0]) == []


def test_boxes_that_only_one_found_are_shown(show: Show, as_bob: Client) -> None:
    where = np.array([[0.1, 0.1, 0.3, 0.3], [0.6, 0.6, 0.9, 0.9]], np.float32)
    for name, rows in (("one", where), ("two", where[:1])):
        version = ModelVersion.objects.create(task="boxes", name=name)
        ModelLabels.objects.create(model_version=version, rows=[["hand", "boxes"]])
        packed = pack_boxes(rows, np.full(len(rows), 0.8, np.float32))
        ModelAnswer.objects.create(frame=show.frames[0], model_version=version, data=packed)
    page = html_of(as_bob.get(reverse("compare", args=[show.collection.pk])))
    assert "hand: only one" in page and 'x="0.6000"' in page and "50 %" in page


def test_without_answers_with_one_model_and_without_common_frames_the_page_says_so(show: Show, as_bob: Client) -> None:
    address = reverse("compare", args=[show.collection.pk])
    assert "No model answers yet" in html_of(as_bob.get(address))
    tagger("one", show.frames[:1], [[0.9, 0, 0]])
    page = html_of(as_bob.get(address))
    assert "has answered" in page and "Compare it with reviewed tags" in page
    assert "<select" not in page.split("<main")[1]  # nothing to choose between
    tagger("two", show.frames[1:2], [[0.9, 0, 0]])
    assert "no frames in common" in html_of(as_bob.get(address))


def test_the_next_question_is_asked_for_after_the_answers_are_gone(show: Show, pair: object, as_bob: Client) -> None:
    url, htmx = reverse("compare", args=[show.collection.pk]), {"HX-Request": "true"}
    assert as_bob.get(url, {"skip": 1}, headers=htmx).status_code == 200
    ModelAnswer.objects.all().delete()
    assert as_bob.get(url, {"skip": 1}, headers=htmx).status_code == 404
    assert as_bob.get(url).status_code == 200


def test_the_empty_page_tells_the_next_step_that_one_may_take(
    show: Show, as_bob: Client, settings: Any, tmp_path: Path
) -> None:
    address, run = reverse("compare", args=[show.collection.pk]), reverse("run_start", args=[show.collection.pk])
    settings.KOMA_MODELS_DIR = tmp_path
    lead, root = make_user("lead"), make_user("root", is_superuser=True, is_staff=True)
    for user in (lead, root):
        Membership.objects.create(collection=show.collection, user=user, role=Role.LEAD)
    as_lead = client_of(lead)
    output = {name: html_of(client.get(address)) for name, client in (
        ("lead", as_lead), ("reviewer", as_bob), ("root", client_of(root)),
    )}  # fmt: skip
    assert "A lead can start it." in output["reviewer"] and run not in output["reviewer"]
    assert "No suitable model is installed" in output["lead"] and run not in output["lead"]
    assert ">Install models</a>" in output["root"] and run not in output["root"]
    install(tmp_path, "wd-tiny")
    assert run in html_of(as_lead.get(address)) and run not in html_of(as_bob.get(address))


def test_two_taggers_are_compared_before_the_computed_tags_and_these_are_called_once(
    show: Show, as_bob: Client
) -> None:
    computed = tagger("computed", show.frames, [[0.9, 0, 0]] * 4)
    ModelVersion.objects.filter(pk=computed.pk).update(revision="computed-tags-1")
    second, first = (tagger(name, show.frames, [[0.9, 0, 0]] * 4) for name in ("wd", "pixai"))
    page = html_of(as_bob.get(reverse("compare", args=[show.collection.pk])))
    assert (
        page.count(f'<option value="{first.pk}" selected>') == page.count(f'<option value="{second.pk}" selected>') == 1
    )
    assert "tags · computed-tags-1" in page and "computed computed" not in page
    assert 'aria-current="page"><svg viewBox="0 0 20 20"><path d="M3 5h9' in page  # the rail: Runs


def test_strangers_viewers_and_other_collections_are_kept_out(
    show: Show, pair: tuple[ModelVersion, ModelVersion], as_bob: Client, as_charlie: Client, alice: object
) -> None:
    address, post = (reverse(name, args=[show.collection.pk]) for name in ("compare", "compare_answer"))
    values = {"first": pair[0].pk, "second": pair[1].pk, "frame": show.frames[3].pk, "name": "smile", "act": "yes"}
    assert as_charlie.get(address).status_code == as_charlie.post(post, values).status_code == 404
    viewer = make_user("dora")
    Membership.objects.create(collection=show.collection, user=viewer, role=Role.VIEWER)
    page = client_of(viewer).get(address)
    assert page.status_code == 200 and 'data-key="y"' not in html_of(page)
    assert client_of(viewer).post(post, values).status_code == 403
    other = Collection.objects.create(name="Other")
    Membership.objects.create(collection=other, user=viewer, role=Role.REVIEWER)
    foreign = client_of(viewer).post(reverse("compare_answer", args=[other.pk]), values)
    assert foreign.status_code == 404 and not FrameTag.objects.filter(by_person=True, tag__name="smile").exists()
    assert client_of(viewer).get(reverse("compare", args=[other.pk]), values).status_code == 404


def test_an_answer_that_is_none_is_refused_with_a_message(show: Show, pair: object, as_bob: Client) -> None:
    post = reverse("compare_answer", args=[show.collection.pk])
    values = {"frame": show.frames[0].pk, "name": "smile", "act": "perhaps"}
    assert as_bob.post(post, values, headers={"HX-Request": "true"}).status_code == 422
