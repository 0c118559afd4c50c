"""The list of captions: custom ones and the recipe's, edited in place or several at once."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotate.actions import batches, captions
from annotate.models import Caption, Face
from export.views import captions as views
from ingest.actions import history
from ingest.models import Operation
from tests.annotate.views.conftest import Show, make_show
from tests.forms import forms_of
from tests.pages import html_of

pytestmark = pytest.mark.django_db


@pytest.fixture()
def show(collection: Any, alice: User, bob: User) -> Show:
    made = make_show(collection)
    Face.objects.filter(pk=made.faces[0].pk).update(character=made.hinata)
    captions.write(collection=collection, frame=made.frames[1], text="grey hair, a girl", by=alice)
    captions.write(collection=collection, frame=made.frames[2], text="grey sky", by=alice)
    return made


def page(client: Client, show: Show, query: str = "") -> Any:
    return client.get(reverse("captions", args=[show.collection.pk]), {"q": query})


def picked(client: Client, show: Show, *indices: int) -> list[str]:
    by_frame = {row.frame.index: row.picked for row in page(client, show).context["rows"]}
    return [by_frame[index] for index in indices]


def texts(show: Show) -> dict[int, str]:
    return dict(Caption.objects.values_list("frame__index", "text"))


def test_each_caption_is_the_custom_one_or_the_recipes_and_says_which(show: Show, as_bob: Client) -> None:
    rows = {row.frame.index: row for row in page(as_bob, show).context["rows"]}
    assert sorted(rows) == list(range(6))
    assert (rows[1].text, rows[1].is_custom, rows[1].by) == ("grey hair, a girl", True, "alice")
    assert not rows[0].is_custom
    assert "red hair" in rows[0].text
    html = html_of(page(as_bob, show))
    assert html.count("custom, by alice") == 2
    assert len(re.findall(r"from\s+the recipe<", html)) == 4
    assert [row.frame.index for row in page(as_bob, show, "is:captioned").context["rows"]] == [1, 2]
    assert "There is no filter" in html_of(page(as_bob, show, "nonsense:1"))
    assert "No frames match" in html_of(page(as_bob, show, "faces:9"))


def test_a_change_of_several_is_shown_first_and_undone_at_once(show: Show, as_bob: Client, bob: User) -> None:
    form = {"act": "replace", "find": "grey", "with": "gray", "frame": picked(as_bob, show, 0, 1, 2)}
    shown = as_bob.post(reverse("captions_preview", args=[show.collection.pk]), form)
    assert [text for _, text in shown.context["changes"]] == ["gray hair, a girl", "gray sky"]
    assert "1 selected stay" in html_of(shown)
    assert texts(show) == {1: "grey hair, a girl", 2: "grey sky"}
    as_bob.post(reverse("captions_change", args=[show.collection.pk]), form)
    assert texts(show) == {1: "gray hair, a girl", 2: "gray sky"}
    assert Operation.objects.filter(kind="captions.write_all").get().summary == "2 captions changed"
    history.undo_last(collection=show.collection, by=bob)
    assert texts(show) == {1: "grey hair, a girl", 2: "grey sky"}


def test_a_text_put_before_a_caption_of_the_recipe_makes_it_a_custom_one(show: Show, as_bob: Client, bob: User) -> None:
    recipes = next(row.text for row in page(as_bob, show).context["rows"] if row.frame.index == 0)
    form = {"act": "prepend", "text": "a screenshot, ", "frame": picked(as_bob, show, 0, 1)}
    as_bob.post(reverse("captions_change", args=[show.collection.pk]), form)
    assert texts(show)[0] == f"a screenshot, {recipes}"
    form = {"act": "append", "text": ", indoors", "frame": picked(as_bob, show, 2)}
    as_bob.post(reverse("captions_change", args=[show.collection.pk]), form)
    assert texts(show)[2] == "grey sky, indoors"
    for _ in range(2):
        history.undo_last(collection=show.collection, by=bob)
    assert texts(show) == {1: "grey hair, a girl", 2: "grey sky"}


def test_the_dry_run_says_how_many_captions_of_the_recipe_it_makes_custom(show: Show, as_bob: Client) -> None:
    address = reverse("captions_preview", args=[show.collection.pk])
    form = {"act": "prepend", "text": "a screenshot, "}
    shown = html_of(as_bob.post(address, form | {"frame": picked(as_bob, show, 0, 1, 2)}))
    assert "Change 3 captions?" in shown and "1 caption of the recipe becomes a custom one" in shown
    shown = html_of(as_bob.post(address, form | {"frame": picked(as_bob, show, 1, 2)}))
    assert "Change 2 captions?" in shown and "custom one" not in shown


def test_patterns_have_groups_and_a_slow_one_is_refused(show: Show, as_bob: Client) -> None:
    address = reverse("captions_change", args=[show.collection.pk])
    form = {"act": "replace", "regex": "1", "find": r"(\w+) hair", "with": r"hair: \1"}
    as_bob.post(address, form | {"frame": picked(as_bob, show, 1)})
    assert texts(show)[1] == "hair: grey, a girl"
    captions.write(collection=show.collection, frame=show.frames[2], text="a" * 3000 + "!", by=None)
    headers = {"HX-Request": "true"}
    for bad in ({"find": "(a+)+$"}, {"find": "(", "with": ""}, {"find": ""}):
        answer = as_bob.post(address, form | bad | {"frame": picked(as_bob, show, 2)}, headers=headers)
        assert answer.status_code == 422
    assert texts(show)[2].startswith("aaa")


def test_captions_that_changed_after_the_dry_run_are_left_alone(show: Show, as_bob: Client, alice: User) -> None:
    form = {"act": "append", "text": "!", "frame": picked(as_bob, show, 1, 2)}
    captions.write(collection=show.collection, frame=show.frames[2], text="hers", by=alice)
    answer = as_bob.post(reverse("captions_change", args=[show.collection.pk]), form, headers={"HX-Request": "true"})
    assert answer.status_code == 409
    assert texts(show) == {1: "grey hair, a girl", 2: "hers"}


def test_frames_of_another_collection_are_not_changed(show: Show, as_bob: Client, as_charlie: Client) -> None:
    form = {"act": "append", "text": "!", "frame": [f"{show.frames[1].pk}:x"]}
    for name in ("captions_preview", "captions_change"):
        assert as_charlie.post(reverse(name, args=[show.collection.pk]), form).status_code == 404
    assert texts(show)[1] == "grey hair, a girl"


def change_all(client: Client, show: Show, form: dict[str, str]) -> Any:
    """The dry run of a change of all that match, then the change."""
    shown = client.post(reverse("captions_preview", args=[show.collection.pk]), form | {"all": "1"})
    fields = next(f.fields for f in forms_of(html_of(shown)) if f.action.endswith("/captions/change/"))
    return client.post(reverse("captions_change", args=[show.collection.pk]), fields)


def test_all_captions_that_match_are_changed_at_once_on_every_page_and_undone_at_once(
    show: Show, as_bob: Client, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "PAGE", 2)
    monkeypatch.setattr(batches, "BATCH", 2)
    listed = page(as_bob, show)
    assert len(listed.context["rows"]) == 2
    assert "All 6 frames" in " ".join(html_of(listed).split())
    change_all(as_bob, show, {"act": "prepend", "text": "x, ", "q": ""})
    assert sorted(texts(show)) == list(range(6))
    assert all(text.startswith("x, ") for text in texts(show).values())
    assert Operation.objects.filter(kind="captions.write_all").get().summary == "6 captions changed"
    history.undo_last(collection=show.collection, by=bob)
    assert texts(show) == {1: "grey hair, a girl", 2: "grey sky"}
    change_all(as_bob, show, {"act": "append", "text": "!", "q": "is:captioned"})
    assert texts(show) == {1: "grey hair, a girl!", 2: "grey sky!"}


def test_an_emptied_caption_among_many_goes_back_to_the_recipe(show: Show, as_bob: Client, bob: User) -> None:
    before = Caption.objects.get(frame=show.frames[2]).updated_at
    change_all(
        as_bob, show, {"act": "replace", "regex": "1", "find": "^grey hair, a girl$|a? grey", "with": "", "q": ""}
    )
    assert texts(show) == {2: "grey sky"}
    change_all(as_bob, show, {"act": "replace", "find": "sky", "with": "sea", "q": ""})
    changed = Caption.objects.get(frame=show.frames[2])
    assert (changed.text, changed.by, changed.updated_at > before) == ("grey sea", bob, True)


def test_a_caption_of_the_recipe_cannot_be_emptied_and_the_dry_run_does_not_count_it(
    show: Show, as_bob: Client
) -> None:
    form = {"act": "replace", "find": ".*", "with": "", "regex": "1"}
    address = reverse("captions_preview", args=[show.collection.pk])
    shown = as_bob.post(address, form | {"frame": picked(as_bob, show, 0, 1, 2)})
    assert (shown.context["n"], shown.context["unchanged"]) == (2, 1)
    refused = as_bob.post(address, form | {"frame": picked(as_bob, show, 0)}, headers={"HX-Request": "true"})
    assert refused.status_code == 422


def test_a_change_of_all_is_refused_where_a_caption_changed_or_too_many_match(
    show: Show, as_bob: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = {"act": "append", "text": "!", "all": "1", "q": "is:captioned"}
    shown = as_bob.post(reverse("captions_preview", args=[show.collection.pk]), form)
    captions.write(collection=show.collection, frame=show.frames[2], text="hers", by=alice)
    address, headers = reverse("captions_change", args=[show.collection.pk]), {"HX-Request": "true"}
    answer = as_bob.post(address, form | {"digest": shown.context["digest"]}, headers=headers)
    assert answer.status_code == 409
    monkeypatch.setattr(views, "ALL_MAX", 1)
    answer = as_bob.post(reverse("captions_preview", args=[show.collection.pk]), form, headers=headers)
    assert answer.status_code == 422 and "Narrow the filter" in answer.headers["HX-Trigger"]
    assert texts(show) == {1: "grey hair, a girl", 2: "hers"}
