"""Two people at two browsers on one collection: nothing of either is lost, and the second sees what happened."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from annotate.models import Caption, Character, Face, FrameTag, NamedBy
from tests.annotate.views.conftest import Show
from tests.flows.visitor import Visitor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def opened(visitor: Visitor, name: str, *args: int) -> Any:
    """The page of this address, ready for keys."""
    visitor.page.goto(visitor.address + reverse(name, args=args))
    visitor.page.wait_for_load_state()
    return visitor.page


def add_tag(visitor: Visitor, name: str) -> None:
    visitor.press("t")
    visitor.page.keyboard.insert_text(name)
    visitor.press("Enter")
    visitor.page.locator("#labels .tag-list li", has_text=name).wait_for()
    visitor.page.locator("#toasts", has_text=f"+{name}").wait_for()
    visitor.page.wait_for_timeout(100)  # the answer settles, and gives the field the focus
    visitor.leave_field()


def tags_of(show: Show) -> set[str]:
    return set(FrameTag.objects.filter(frame=show.frames[0], state="yes").values_list("tag__name", flat=True))


def test_both_tag_one_frame_and_both_tags_stay_and_undo_takes_back_ones_own(
    show: Show, first: Visitor, second: Visitor
) -> None:
    pages = [opened(visitor, "frame", show.collection.pk, show.frames[0].pk) for visitor in (first, second)]
    add_tag(first, "smile")
    add_tag(second, "hat")  # from a page that has not seen "smile"
    assert {"red_hair", "smile", "hat"} <= tags_of(show)
    pages[1].locator("#labels .tag-list li", has_text="smile").wait_for()

    first.press("z")  # bob's change is the newest, alice's own is "smile"
    first.toast("Undone")
    assert tags_of(show) == {"red_hair", "hat"}
    pages[0].locator("#labels .tag-list li", has_text="hat").wait_for()
    assert pages[0].locator("#labels .tag-list li", has_text="smile").count() == 0
    first.refusals_meant = True
    first.press("z")
    first.toast("Nothing left to undo")
    assert tags_of(show) == {"red_hair", "hat"}


def name_current(visitor: Visitor, name: str) -> None:
    visitor.page.locator("[data-cluster][data-current] input[name=name]:focus").wait_for()
    visitor.page.keyboard.insert_text(name)
    visitor.press("Enter")


def test_both_name_one_cluster_and_the_second_sees_who_was_first(show: Show, first: Visitor, second: Visitor) -> None:
    for visitor in (first, second):
        opened(visitor, "faces", show.collection.pk)
    name_current(first, "Aoi")
    first.toast("3 faces named Aoi")

    second.refusals_meant = True
    # His focus may have left the row while she was at it; he answers it all the same.
    same = second.page.locator(f"#cluster{show.clusters[0].pk} input[name=name]")
    same.fill("Kokona")
    same.press("Enter")
    second.toast("alice named group 0 “Aoi” in the meantime.")

    members = Face.objects.filter(cluster=show.clusters[0])
    assert set(members.values_list("character__name", "named_user__username")) == {("Aoi", "alice")}
    assert not Character.objects.filter(name="Kokona").exists()
    page = opened(second, "faces", show.collection.pk)
    assert page.locator("[data-cluster]").count() == 1
    page.locator("[data-cast-name=Aoi]").wait_for()


def test_both_name_one_face_and_the_second_is_reported(show: Show, first: Visitor, second: Visitor) -> None:
    for visitor in (first, second):
        opened(visitor, "frame", show.collection.pk, show.frames[0].pk)
    second.refusals_meant = True
    for visitor, name in ((first, "Aoi"), (second, "Kokona")):
        visitor.press("1")
        visitor.page.keyboard.insert_text(name)
        visitor.press("Enter")
        visitor.toast("named Aoi" if visitor is first else "alice answered “Aoi”")
    assert Face.objects.get(pk=show.faces[0].pk).character.name == "Aoi"  # type: ignore[union-attr]


def test_a_stale_tab_renames_nothing(show: Show, first: Visitor, second: Visitor) -> None:
    Face.objects.filter(pk=show.faces[0].pk).update(character=show.hinata, named_by=NamedBy.PERSON)
    second.refusals_meant = True
    pages = [opened(visitor, "character", show.collection.pk, show.hinata.pk) for visitor in (first, second)]
    for visitor, page, name in ((first, pages[0], "Hinata"), (second, pages[1], "Hinako")):
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_role("button", name="Rename", exact=True).click()
        if visitor is first:
            page.get_by_role("heading", name="Hinata").first.wait_for()
    # The second sees both names and chooses; nothing was replaced before that.
    answers = second.page.locator(".both-answers")
    answers.wait_for()
    assert answers.locator("dd").all_inner_texts() == ["Hinata", "Hinako"]
    show.hinata.refresh_from_db()
    assert show.hinata.name == "Hinata"
    second.page.get_by_role("link", name="Keep theirs").click()
    pages[1].get_by_role("heading", name="Hinata").first.wait_for()
    assert pages[1].get_by_label("Name", exact=True).input_value() == "Hinata"


def test_a_stale_caption_never_wins_and_who_wrote_it_chooses(show: Show, first: Visitor, second: Visitor) -> None:
    pages = [opened(visitor, "frame", show.collection.pk, show.frames[0].pk) for visitor in (first, second)]
    second.refusals_meant = True
    for visitor, page, text in ((first, pages[0], "alice was first"), (second, pages[1], "bob was later")):
        page.get_by_label("Custom caption").fill(text)
        page.get_by_role("button", name="Save caption").click()
        if visitor is first:
            visitor.toast("Caption added")
    dialog = second.page.get_by_role("dialog", name="alice changed the caption in the meantime.")
    dialog.wait_for()
    assert dialog.locator("dd").all_inner_texts() == ["alice was first", "bob was later"]
    assert Caption.objects.get(frame=show.frames[0]).text == "alice was first"
    dialog.get_by_role("button", name="Use mine").click()
    second.toast("Caption changed")
    assert Caption.objects.get(frame=show.frames[0]).text == "bob was later"
    assert pages[1].get_by_label("Custom caption").input_value() == "bob was later"
