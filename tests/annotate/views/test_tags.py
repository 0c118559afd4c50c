"""The page of tags: what a collection has, sorted and filtered; a change is shown before it is done."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotate.actions import tags as tag_actions
from annotate.models import FrameTag, Tag, TagCategory, TagState
from annotate.views import tags as views
from ingest.models import Collection, Episode, Frame, Operation, Source
from tests.annotate.views.conftest import Show
from tests.forms import forms_of
from tests.pages import html_of


@pytest.fixture()
def tagged(show: Show) -> Show:
    """red_hair on frame 0 (from the show), blue_hair on 0 to 2, an artist on 1."""
    for name, category, indexes in (("blue_hair", 0, (0, 1, 2)), ("some_artist", 1, (1,))):
        tag = Tag.objects.create(name=name, category=category)
        for index in indexes:
            FrameTag.objects.create(frame=show.frames[index], tag=tag)
    return show


def names(client: Client, show: Show, **query: Any) -> list[str]:
    response = client.get(reverse("tags", args=[show.collection.pk]), query)
    assert response.status_code == 200
    return [tag.name for tag in response.context["page"]]


@pytest.mark.django_db
def test_tags_come_by_frames_or_by_name_and_are_found_by_a_part(as_bob: Client, tagged: Show) -> None:
    assert names(as_bob, tagged) == ["blue_hair", "red_hair", "some_artist"]
    assert names(as_bob, tagged, order="name") == ["blue_hair", "red_hair", "some_artist"]
    assert names(as_bob, tagged, q="d hair") == ["red_hair"]
    assert names(as_bob, tagged, category=int(TagCategory.ARTIST)) == ["some_artist"]
    assert names(as_bob, tagged, order="nonsense", category="nonsense", page="99") == names(as_bob, tagged)
    Tag.objects.get(name="blue_hair").aliases.create(name="azure")
    assert names(as_bob, tagged, q="azu") == ["blue_hair"]


@pytest.mark.django_db
def test_a_tag_that_no_frame_has_or_that_only_others_have_is_not_listed(as_bob: Client, tagged: Show) -> None:
    Tag.objects.create(name="vocabulary_only", common=True)
    FrameTag.objects.filter(tag__name="red_hair").update(state=TagState.NO)
    other = Collection.objects.create(name="Other")
    assert names(as_bob, tagged) == ["blue_hair", "some_artist"]
    assert "red hair" not in html_of(as_bob.get(reverse("tags", args=[tagged.collection.pk])))
    assert as_bob.get(reverse("tags", args=[other.pk])).status_code == 404


@pytest.mark.django_db
def test_a_table_of_many_tags_has_pages_and_few_queries(
    as_bob: Client, show: Show, django_assert_max_num_queries: Any
) -> None:
    tags = Tag.objects.bulk_create(Tag(name=f"t{n:03}") for n in range(250))
    FrameTag.objects.bulk_create(FrameTag(frame=show.frames[0], tag=tag) for tag in tags)
    with django_assert_max_num_queries(20):
        assert len(names(as_bob, show)) == views.ROWS
    assert len(names(as_bob, show, page=3)) == 251 - 2 * views.ROWS


@pytest.mark.django_db
def test_a_change_is_shown_then_done_then_undone(as_bob: Client, tagged: Show) -> None:
    shown = as_bob.post(
        reverse("tags_preview", args=[tagged.collection.pk]), {"act": "rename", "tag": "blue_hair", "to": "Aqua Hair"}
    )
    assert Operation.objects.count() == 0
    assert "aqua hair" in html_of(shown)
    form = next(
        form for form in forms_of(html_of(shown)) if form.action == reverse("tags_change", args=[tagged.collection.pk])
    )
    done = as_bob.post(form.action, form.fields, follow=True)
    assert "Tags blue_hair → aqua_hair on 3 frames" in html_of(done)
    assert names(as_bob, tagged) == ["aqua_hair", "red_hair", "some_artist"]
    as_bob.post(reverse("undo", args=[tagged.collection.pk]))
    assert names(as_bob, tagged) == ["blue_hair", "red_hair", "some_artist"]


@pytest.mark.django_db
def test_the_history_leads_to_the_frame_that_a_change_was_about(
    as_bob: Client, bob: User, show: Show, django_assert_max_num_queries: Any
) -> None:
    for frames, name in ((show.frames[:1], "one"), (show.frames[1:4], "many")):
        tag_actions.add(collection=show.collection, frames=frames, names=[name], by=bob)
    with django_assert_max_num_queries(12):
        page = html_of(as_bob.get(reverse("history", args=[show.collection.pk])))
    links = [
        show.frames.index(frame)
        for frame in show.frames
        if reverse("frame", args=[show.collection.pk, frame.pk]) in page
    ]
    assert links == [0]


@pytest.mark.django_db
def test_no_more_frames_are_changed_than_the_dry_run_showed(as_bob: Client, tagged: Show, alice: User) -> None:
    address = reverse("tags_change", args=[tagged.collection.pk])
    shown = as_bob.post(
        reverse("tags_preview", args=[tagged.collection.pk]), {"act": "remove", "tag": ["blue_hair", "red_hair"]}
    )
    form = next(form for form in forms_of(html_of(shown)) if form.action == address)
    common: dict[str, Any] = {"collection": tagged.collection, "frames": tagged.frames[3:4], "by": alice}
    tag_actions.add(names=["blue_hair"], **common)
    refused = as_bob.post(address, form.fields, follow=True)
    assert "5 tags on frames would change, 1 more than the preview showed" in html_of(refused)
    assert names(as_bob, tagged) == ["blue_hair", "red_hair", "some_artist"]
    tag_actions.remove(names=["blue_hair"], **common)
    assert "on 3 frames" in html_of(as_bob.post(address, form.fields, follow=True))


@pytest.mark.django_db
def test_a_dry_run_is_shown_again_after_the_way_back(as_bob: Client, tagged: Show) -> None:
    form = {"act": "remove", "tag": "blue_hair", "key": "of-this-page"}
    for _ in range(2):
        response = as_bob.post(reverse("tags_preview", args=[tagged.collection.pk]), form)
        assert [change.frames for change in response.context["changes"]] == [3]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"act": "rename", "to": "x"}, "Select the tags first"),
        ({"act": "rename", "tag": "blue_hair", "to": " "}, "Type the new name"),
        ({"act": "rename", "tag": "blue_hair", "to": "a,b"}, "comma"),
        ({"act": "replace", "find": ""}, "Type what to find"),
        ({"act": "replace", "find": "nothing_like_it"}, "No tag of this collection holds"),
        ({"act": "replace", "find": "(", "regex": "1"}, "no regular expression"),
        ({"act": "replace", "find": "hair", "selected": "1"}, "Select the tags first"),
        ({"act": "replace", "find": "red", "selected": "1", "tag": "blue_hair"}, "None of the selected tags holds"),
        ({"act": "remove", "tag": "blue_hair", "frames": "tag:unknown"}, "There is no tag"),
        ({"act": "remove", "tag": "some_artist", "frames": "red_hair"}, "No frame would change"),
        ({"act": "nonsense", "tag": "blue_hair"}, "Choose what to do"),
    ],
)
def test_what_cannot_be_done_is_told_in_words(as_bob: Client, tagged: Show, form: dict[str, str], words: str) -> None:
    response = as_bob.post(reverse("tags_preview", args=[tagged.collection.pk]), form, follow=True)
    assert words in html_of(response)
    assert Operation.objects.count() == 0


@pytest.mark.django_db
def test_find_and_replace_takes_spaces_for_underscores(as_bob: Client, tagged: Show) -> None:
    response = as_bob.post(
        reverse("tags_preview", args=[tagged.collection.pk]), {"act": "replace", "find": "Blue H", "with": "aqua h"}
    )
    assert [(change.name, change.new_name) for change in response.context["changes"]] == [("blue_hair", "aqua_hair")]


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_find_and_replace_can_be_limited_to_the_selected_tags(tagged: Show, bob: User, page_as: Any) -> None:
    page = page_as(bob, reverse("tags", args=[tagged.collection.pk]))
    page.get_by_label("Find", exact=True).fill("hair")
    page.get_by_label("Replace with").fill("fur")
    page.locator("input[name=tag][value=red_hair]").check()
    page.get_by_label("Only in the selected tags").check()
    page.get_by_role("button", name="Replace…").click()
    page.wait_for_load_state()
    table = page.locator("main").inner_text()
    assert "red fur" in table and "blue fur" not in table


@pytest.mark.django_db
def test_a_regular_expression_may_be_typed_with_the_spaces_that_the_page_shows(as_bob: Client, tagged: Show) -> None:
    form = {"act": "replace", "regex": "1", "find": "^(blue|red) hair$", "with": r"\1 haired"}
    response = as_bob.post(reverse("tags_preview", args=[tagged.collection.pk]), form)
    changes = [(change.name, change.new_name) for change in response.context["changes"]]
    assert changes == [("blue_hair", "blue_haired"), ("red_hair", "red_haired")]


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_pattern_survives_its_error_and_goes_once_it_has_done_its_work(tagged: Show, bob: User, page_as: Any) -> None:
    page = page_as(bob, reverse("tags", args=[tagged.collection.pk]))
    find, is_regex = page.get_by_label("Find", exact=True), page.get_by_label("Regular expression")
    find.fill("(blue")
    page.get_by_label("Replace with").fill("aqua")
    is_regex.check()
    find.press("Enter")
    page.locator("#toasts", has_text="no regular expression").wait_for()
    assert (find.input_value(), is_regex.is_checked()) == ("(blue", True)
    find.fill("(blue|azure)")
    find.press("Enter")
    page.get_by_role("heading", name="Change 1 tag?").wait_for()
    page.keyboard.press("Escape")
    page.wait_for_url("**/tags/")
    assert (find.input_value(), is_regex.is_checked()) == ("(blue|azure)", True)
    find.press("Enter")
    page.get_by_role("heading", name="Change 1 tag?").wait_for()
    page.keyboard.press("Enter")
    page.locator("#toasts", has_text="blue_hair → aqua_hair").wait_for()
    assert (find.input_value(), is_regex.is_checked()) == ("", False)
    page.reload()
    assert (find.input_value(), is_regex.is_checked()) == ("", False)


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_tags_are_picked_merged_and_brought_back_in_the_browser(tagged: Show, bob: User, page_as: Any) -> None:
    page = page_as(bob, reverse("tags", args=[tagged.collection.pk]))
    page.get_by_label("Select blue hair").check()
    page.get_by_label("Select red hair").check()
    assert page.locator("#picked-count").inner_text() == "2"
    page.get_by_label("New name").fill("colored hair")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Change 2 tags?").wait_for()
    page.get_by_role("button", name="Change 4 tags on frames").click()
    page.locator("#toasts .toast", has_text="on 3 frames").wait_for()
    page.get_by_role("link", name="colored hair").wait_for()
    page.keyboard.press("z")
    page.get_by_role("link", name="blue hair").wait_for()


@pytest.mark.django_db
def test_a_change_that_is_too_large_is_offered_episode_by_episode(
    as_bob: Client, tagged: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source.objects.create(collection=tagged.collection, kind="video", name="2.mkv", path="2", sha256="2")
    second = Episode.objects.create(collection=tagged.collection, source=source, title="second")
    Frame.objects.filter(pk=tagged.frames[2].pk).update(episode=second)
    monkeypatch.setattr(views.tag_changes, "ROWS_MAX", 2)
    form = {"act": "rename", "tag": ["blue_hair"], "to": "azure_hair", "frames": "state:all"}
    shown = as_bob.post(reverse("tags_preview", args=[tagged.collection.pk]), form)
    assert [(query, n) for query, _, n in shown.context["parts"]] == [
        (f"state:all episode:{tagged.episode.pk}", 2), (f"state:all episode:{second.pk}", 1)
    ]  # fmt: skip
    assert "Change 3 tags" not in html_of(shown)
    fields: dict[str, Any] = next(f.fields for f in forms_of(html_of(shown)) if f.action.endswith("/tags/preview/"))
    narrowed = as_bob.post(
        reverse("tags_preview", args=[tagged.collection.pk]), fields | {"frames": shown.context["parts"][0][0]}
    )
    assert "Change 2 tags" in html_of(narrowed)
    assert [(change.name, change.frames) for change in narrowed.context["changes"]] == [("blue_hair", 2)]
