"""Naming on the faces page as a person does it: by keys, faster than the server, and with trouble on the way."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.sessions.models import Session

from annotate.models import Character, Face, FaceCluster
from ingest.models import Operation
from tests.annotate.views.conftest import Show, add_frame, picture
from tests.conftest import PASSWORD
from tests.flows.test_two_people import opened
from tests.flows.visitor import Visitor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def add_groups(show: Show, count: int) -> list[FaceCluster]:
    """Groups of two faces, behind the two of the show."""
    frame = add_frame(show.collection, show.episode, 90)
    groups = []
    for n in range(count):
        group = FaceCluster.objects.create(collection=show.collection, number=10 + n, size=2, purity=0.1)
        for side in (0.1, 0.5):
            Face.objects.create(
                collection=show.collection, frame=frame, left=side, top=n / 1000, right=side + 0.3, bottom=0.9,
                cluster=group, crop=picture(60),
            )  # fmt: skip
        groups.append(group)
    return groups


def row(page: Any, group: FaceCluster) -> Any:
    return page.locator(f"#cluster{group.pk}")


def wait_for_focus(page: Any, group: FaceCluster) -> None:
    page.locator(f"#cluster{group.pk}[data-current] input[name=name]:focus").wait_for()


def type_name(page: Any, text: str) -> None:
    page.keyboard.insert_text(text)
    page.keyboard.press("Enter")


def names(group: FaceCluster) -> set[str | None]:
    return set(Face.objects.filter(cluster=group).values_list("character__name", flat=True))


def stored(page: Any) -> int:
    """Answers that this browser still keeps."""
    return int(page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('koma.unsent')).length"))


@pytest.fixture()
def faces_page(first: Visitor, show: Show) -> Any:
    return opened(first, "faces", show.collection.pk)


def test_a_digit_shows_whom_it_means_and_a_name_may_begin_with_one(show: Show, first: Visitor) -> None:
    Character.objects.filter(pk=show.hinata.pk).update(key=2)
    page = opened(first, "faces", show.collection.pk)
    wait_for_focus(page, show.clusters[0])
    page.keyboard.press("2")
    meant = row(page, show.clusters[0]).locator("[data-meant]")
    meant.get_by_text("KuraueHinata").wait_for()
    page.keyboard.press("B")
    meant.wait_for(state="hidden")
    page.keyboard.press("Enter")
    first.toast("3 faces named 2B")
    wait_for_focus(page, show.clusters[1])
    page.keyboard.press("7")
    row(page, show.clusters[1]).get_by_text("No character has the key 7.").wait_for()
    page.keyboard.press("Enter")
    page.keyboard.press("Backspace")
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    first.toast("3 faces named KuraueHinata")
    assert set(Character.objects.values_list("name", "key")) == {("KuraueHinata", 2), ("2B", 1)}


class Held:
    """Namings that the browser has sent and that do not reach the server before `let_go`."""

    def __init__(self, visitor: Visitor) -> None:
        self.page = visitor.page
        self.routes: list[Any] = []
        self.is_open = False
        visitor.context.route(re.compile(r"/(clusters/\d+|faces)/change/$"), self._hold)

    def _hold(self, route: Any) -> None:
        if self.is_open:
            route.continue_()
        else:
            self.routes.append(route)

    def wait(self) -> None:
        """Wait until one is held."""
        while not self.routes:
            self.page.wait_for_timeout(20)

    def let_go(self) -> None:
        self.is_open = True
        for route in self.routes:
            route.continue_()


@pytest.fixture()
def held(first: Visitor) -> Held:
    return Held(first)


def test_the_next_row_has_the_focus_before_the_server_answers_and_answers_keep_their_order(
    show: Show, first: Visitor, held: Held
) -> None:
    more = add_groups(show, 2)
    page = opened(first, "faces", show.collection.pk)
    for group, name in zip([*show.clusters, *more], ["Aoi", "Kokona", "Aoi", "Honoka"], strict=True):
        wait_for_focus(page, group)
        type_name(page, name)
    assert not Character.objects.filter(name="Aoi").exists()
    assert page.locator("[data-pending]").count() == 4
    held.let_go()
    first.toast("2 faces named Honoka")
    page.locator("[data-pending]").first.wait_for(state="detached")
    assert [names(group) for group in [*show.clusters, *more]] == [{"Aoi"}, {"Kokona"}, {"Aoi"}, {"Honoka"}]
    assert list(Operation.objects.order_by("pk").values_list("summary", flat=True)) == [
        "3 faces named Aoi", "3 faces named Kokona", "2 faces named Aoi", "2 faces named Honoka",
    ]  # fmt: skip
    assert stored(page) == 0
    page.locator("#unsent").wait_for(state="hidden")


def test_a_row_that_is_refused_comes_back_with_its_text_and_the_reason(show: Show, first: Visitor) -> None:
    page = opened(first, "faces", show.collection.pk)
    first.refusals_meant = True
    wait_for_focus(page, show.clusters[0])
    type_name(page, "A" * 201)
    wait_for_focus(page, show.clusters[1])  # the focus is where one goes on
    row(page, show.clusters[0]).get_by_text("A name has at most 200 characters").wait_for()
    assert row(page, show.clusters[0]).locator("input[name=name]").input_value() == "A" * 201
    page.keyboard.insert_text("Ao")
    assert row(page, show.clusters[1]).locator("input[name=name]").input_value() == "Ao"
    assert stored(page) == 0


def test_without_a_connection_answers_are_kept_and_sent_later(show: Show, first: Visitor) -> None:
    page = opened(first, "faces", show.collection.pk)
    wait_for_focus(page, show.clusters[0])
    first.context.set_offline(True)
    type_name(page, "Aoi")
    wait_for_focus(page, show.clusters[1])
    type_name(page, "Kokona")
    page.get_by_text("2 answers could not be sent").wait_for()
    for group, name in zip(show.clusters, ("Aoi", "Kokona"), strict=True):
        row(page, group).get_by_text("kept in this browser").wait_for()
        assert row(page, group).locator("input[name=name]").input_value() == name
    assert stored(page) == 2
    first.context.set_offline(False)
    first.problems.clear()  # of all that was sent without a connection, the page's "who is here" too
    page.get_by_role("button", name="Send again").click()
    first.toast("2 answers sent")
    assert [names(group) for group in show.clusters] == [{"Aoi"}, {"Kokona"}]
    assert stored(page) == 0


def test_a_name_that_is_typed_after_the_session_ended_is_kept_over_the_login(show: Show, first: Visitor) -> None:
    page = opened(first, "faces", show.collection.pk)
    wait_for_focus(page, show.clusters[0])
    Session.objects.all().delete()
    type_name(page, "Aoi")
    page.wait_for_url("**/login/**")
    page.get_by_label("Name").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("1 answer could not be sent").wait_for()
    assert row(page, show.clusters[0]).locator("input[name=name]").input_value() == "Aoi"
    page.get_by_role("button", name="Send again").click()
    first.toast("1 answer sent")
    assert names(show.clusters[0]) == {"Aoi"}
    assert stored(page) == 0


def test_a_page_that_is_closed_before_the_answer_offers_it_on_the_next_one(
    show: Show, first: Visitor, held: Held
) -> None:
    page = opened(first, "faces", show.collection.pk)
    wait_for_focus(page, show.clusters[0])
    type_name(page, "Aoi")
    wait_for_focus(page, show.clusters[1])
    held.wait()
    held.is_open = True  # the page that sent it is left
    page = opened(first, "characters", show.collection.pk)
    page.get_by_text("1 answer could not be sent").wait_for()
    page.get_by_role("button", name="Send again").click()
    first.toast("1 answer sent")
    assert names(show.clusters[0]) == {"Aoi"}


def test_undo_brings_the_row_back_and_the_focus_with_it(show: Show, first: Visitor) -> None:
    page = opened(first, "faces", show.collection.pk)
    wait_for_focus(page, show.clusters[0])
    type_name(page, "Aoi")
    first.toast("3 faces named Aoi")
    wait_for_focus(page, show.clusters[1])
    page.keyboard.press("Control+z")
    first.toast("Undone: 3 faces named Aoi")
    wait_for_focus(page, show.clusters[0])
    assert not Character.objects.filter(name="Aoi").exists()
    page.locator("#cast [data-cast-name=Aoi]").wait_for(state="detached")
    type_name(page, "Kokona")
    first.toast("3 faces named Kokona")
    wait_for_focus(page, show.clusters[1])
    page.keyboard.insert_text("Ao")
    page.keyboard.press("Control+z")  # of the typing
    assert names(show.clusters[0]) == {"Kokona"}


def test_undo_waits_for_the_answers_before_it(show: Show, first: Visitor, held: Held) -> None:
    page = opened(first, "faces", show.collection.pk)
    wait_for_focus(page, show.clusters[0])
    type_name(page, "Aoi")
    wait_for_focus(page, show.clusters[1])
    page.keyboard.press("Control+z")
    held.wait()
    held.let_go()
    first.toast("Undone: 3 faces named Aoi")
    wait_for_focus(page, show.clusters[0])
    assert names(show.clusters[0]) == {None}


def test_every_key_on_a_button_works_in_the_empty_field(show: Show, first: Visitor) -> None:
    page = opened(first, "faces", show.collection.pk)
    wait_for_focus(page, show.clusters[0])
    page.keyboard.press("ArrowDown")
    wait_for_focus(page, show.clusters[1])
    page.keyboard.press("ArrowUp")
    wait_for_focus(page, show.clusters[0])
    for key in ("s", "n", "z"):
        page.keyboard.press(key)
    assert row(page, show.clusters[0]).locator("input[name=name]").input_value() == "snz"
    row(page, show.clusters[0]).locator("input[name=name]").fill("")
    page.keyboard.press("?")
    help_dialog = page.locator("#help[open]")
    help_dialog.wait_for()
    listed = help_dialog.locator("[data-keys] kbd").all_inner_texts()
    assert {"↵", "↓", "↑", "-", "→", "Space", "Del", "Ctrl+Z", "Z", "/", "?"} <= set(listed)
    page.keyboard.press("Escape")
    # Through the faces: two out, which are no faces.
    row(page, show.clusters[0]).locator("input[name=name]").focus()
    for key in ("ArrowRight", " ", "ArrowRight", " ", "Escape", "Delete"):
        page.keyboard.press(key)
    first.toast("2 faces marked as not a face")
    wait_for_focus(page, show.clusters[0])
    row(page, show.clusters[0]).get_by_text("Name 1", exact=False).wait_for()
    page.keyboard.press("-")
    first.toast("1 face marked as not in the cast")
    wait_for_focus(page, show.clusters[1])
    assert sorted(Face.objects.filter(pk__in=[face.pk for face in show.faces[:3]]).values_list("state", flat=True)) == [
        "nobody", "not_a_face", "not_a_face",
    ]  # fmt: skip


def test_after_the_last_group_the_next_step_has_the_focus(show: Show, first: Visitor) -> None:
    page = opened(first, "faces", show.collection.pk)
    wait_for_focus(page, show.clusters[0])
    page.keyboard.press("ArrowDown")
    wait_for_focus(page, show.clusters[1])
    type_name(page, "Aoi")
    page.locator("#end .btn:focus").wait_for()
    page.keyboard.press("Enter")
    wait_for_focus(page, show.clusters[0])
    type_name(page, "Aoi")
    page.locator("#all-named .btn:focus").wait_for()
    first.toast("3 faces named Aoi")
    first.toast("3 faces named Aoi")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/c/{show.collection.pk}/")


def test_more_groups_come_as_one_goes_on(show: Show, first: Visitor) -> None:
    more = add_groups(show, 20)
    page = opened(first, "faces", show.collection.pk)
    for group in [*show.clusters, *more[:-1]]:
        wait_for_focus(page, group)
        page.keyboard.press("ArrowDown")
    wait_for_focus(page, more[-1])
    page.keyboard.press("ArrowDown")
    page.locator("#end .btn:focus").wait_for()
    assert page.locator("[data-cluster]").count() == 22
    assert page.locator("[data-more]").count() == 0


def add_loose(show: Show, count: int) -> list[Face]:
    frame = add_frame(show.collection, show.episode, 91)
    return [
        Face.objects.create(
            collection=show.collection, frame=frame, left=0.1, top=n / 1000, right=0.4, bottom=0.9, score=1 - n / 1000,
            crop=picture(80 + n),
        )
        for n in range(count)
    ]  # fmt: skip


def test_ungrouped_faces_go_without_holes_and_all_that_counts_them_follows(
    show: Show, first: Visitor, held: Held
) -> None:
    Character.objects.filter(pk=show.hinata.pk).update(key=1)
    loose = add_loose(show, 63)
    page = opened(first, "faces", show.collection.pk)
    shown = page.locator("#loose .crop:visible")
    assert shown.count() == 60
    page.get_by_text("69 faces, 2 groups").wait_for()
    for face in loose[1:3]:
        page.locator(f"#crop{face.pk} input").check()
    field = page.get_by_label("Name of the selected faces")
    field.focus()
    page.keyboard.press("1")
    page.locator("#loose [data-meant]").get_by_text("KuraueHinata").wait_for()
    page.keyboard.press("Enter")
    page.locator(f"#crop{loose[1].pk}").wait_for(state="hidden")
    assert field.input_value() == ""
    page.locator(f"#crop{loose[3].pk} input").check()  # of the next person, before the answer
    held.wait()
    held.let_go()
    first.toast("2 faces named KuraueHinata")
    page.get_by_text("67 faces, 2 groups").wait_for()
    page.locator("#cast [data-cast-name=KuraueHinata]", has_text="2").wait_for()
    assert shown.count() == 60  # others have taken their place
    assert page.locator(f"#crop{loose[1].pk}").count() == 0
    assert page.locator(f"#crop{loose[3].pk} input").is_checked()
    assert field.input_value() == ""
    field.focus()
    type_name(page, "Aoi")
    first.toast("1 face named Aoi")
    page.locator("#loose input[name=name]:focus").wait_for()
    page.keyboard.press("Control+z")
    first.toast("Undone: 1 face named Aoi")
    page.locator(f"#crop{loose[3].pk}").wait_for()


def test_ungrouped_faces_that_are_refused_come_back_selected(show: Show, first: Visitor) -> None:
    loose = add_loose(show, 3)
    page = opened(first, "faces", show.collection.pk)
    first.refusals_meant = True
    page.locator(f"#crop{loose[1].pk} input").check()
    page.get_by_label("Name of the selected faces").fill("B" * 201)
    page.keyboard.press("Enter")
    page.locator("#loose").get_by_text("A name has at most 200 characters").wait_for()
    assert page.locator(f"#crop{loose[1].pk} input").is_checked()
    assert page.get_by_label("Name of the selected faces").input_value() == "B" * 201


def test_faces_that_are_split_off_are_a_row_at_once_and_go_with_the_undo(show: Show, first: Visitor) -> None:
    page = opened(first, "faces", show.collection.pk)
    for face in show.faces[:2]:
        page.locator(f"#crop{face.pk} input").check()
    row(page, show.clusters[0]).get_by_role("button", name="Split off").click()
    first.toast("2 faces split off as group 2")
    fresh = FaceCluster.objects.get(number=2)
    row(page, fresh).locator(f"#crop{show.faces[0].pk}").wait_for()
    wait_for_focus(page, show.clusters[0])
    page.keyboard.press("Control+z")
    row(page, fresh).wait_for(state="detached")
    first.toast("Undone: 2 faces split off into a new group")
    row(page, show.clusters[0]).locator(f"#crop{show.faces[0].pk}").wait_for()
    assert page.locator("[data-cluster]").count() == 2


def test_a_face_that_is_taken_out_of_its_group_is_among_the_ungrouped_ones(show: Show, first: Visitor) -> None:
    page = opened(first, "faces", show.collection.pk)
    page.locator(f"#crop{show.faces[0].pk} input").check()
    row(page, show.clusters[0]).locator("input[name=name]").fill("Aoi")
    page.keyboard.press("Enter")
    first.toast("2 faces named Aoi, 1 removed")
    page.locator(f"#loose #crop{show.faces[0].pk}").wait_for()


def test_of_two_people_the_later_one_compares_and_goes_on(show: Show, first: Visitor, second: Visitor) -> None:
    his, hers = (opened(visitor, "faces", show.collection.pk) for visitor in (second, first))
    row(hers, show.clusters[0]).locator("input[name=name]").fill("Aoi")
    hers.keyboard.press("Enter")
    first.toast("3 faces named Aoi")
    second.refusals_meant = True
    field = row(his, show.clusters[0]).locator("input[name=name]")
    field.fill("Kokona")
    field.press("Enter")
    wait_for_focus(his, show.clusters[1])
    row(his, show.clusters[0]).get_by_text("alice named group 0 “Aoi” in the meantime.").wait_for()
    assert not his.locator("dialog#both[open]").count()  # his typing is not interrupted
    row(his, show.clusters[0]).get_by_role("button", name="Compare").click()
    his.locator("dialog#both[open] dd", has_text="Kokona").wait_for()
    his.get_by_role("button", name="Use mine").click()
    second.toast("3 faces named Kokona")
    assert names(show.clusters[0]) == {"Kokona"}
