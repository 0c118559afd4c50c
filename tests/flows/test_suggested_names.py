"""Names suggested on the faces page while one names a drawn film: without a run, and without rows that jump."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from annotate.actions import clusters
from annotate.models import Face, FaceCluster, NamedBy
from ingest.actions import runs, sources
from ingest.models import Collection, RunState
from tests.flows.visitor import Visitor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]
STAGES = ("extract", "dedup", "pictures", "detect", "embed", "cluster")
HALVES = 2


@pytest.fixture()
def groups(drawn_film: Path, collection: Collection, alice: User) -> list[FaceCluster]:
    """The three people of the film, of whom the first two are in two groups each: a, b, a, b, stranger."""
    episode = sources.register(collection=collection, path=drawn_film, by=alice)
    run = runs.run_here(runs.start(collection=collection, episodes=[episode], by=alice, stage_names=STAGES))
    assert run.state == RunState.DONE, [stage.error for stage in run.stages.all()]
    first, second, stranger = FaceCluster.objects.filter(size__gte=3).order_by("-size", "number")
    others = []
    for group in (first, second):
        keys = list(group.faces.order_by("pk").values_list("pk", flat=True))[::HALVES]
        others.append(clusters.split(collection=collection, cluster=group, faces=keys, by=alice))
    rows = [first, second, *others, stranger]
    for place, group in enumerate(rows):  # in this order on the page
        FaceCluster.objects.filter(pk=group.pk).update(purity=0.9 / group.faces.count() / (place + 1))
    Face.objects.filter(cluster__size=1).update(state="not_a_face")
    return rows


def row(page: Any, group: FaceCluster) -> Any:
    return page.locator(f"#cluster{group.pk}")


def probably(page: Any, group: FaceCluster) -> Any:
    return row(page, group).locator("input[name=name][placeholder^=Probably]")


def wait_for_suggestion(page: Any, group: FaceCluster, name: str) -> None:
    row(page, group).locator(f"input[name=name][placeholder^='Probably {name} (']").wait_for()


def wait_for_focus(page: Any, group: FaceCluster) -> None:
    page.locator(f"#cluster{group.pk}[data-current] input[name=name]:focus").wait_for()


def type_name(page: Any, text: str) -> None:
    page.keyboard.insert_text(text)
    page.keyboard.press("Enter")


def order(page: Any) -> list[str]:
    return [str(key) for key in page.locator("[data-cluster]").evaluate_all("rows => rows.map((row) => row.id)")]


def names(group: FaceCluster) -> set[tuple[str | None, str]]:
    return set(Face.objects.filter(cluster=group).values_list("character__name", "named_by"))


def opened(visitor: Visitor, collection: Collection, groups: list[FaceCluster]) -> Any:
    visitor.page.goto(f"{visitor.address}/c/{collection.pk}/faces/")
    wait_for_focus(visitor.page, groups[0])
    assert order(visitor.page) == [f"cluster{group.pk}" for group in groups]
    return visitor.page


def test_after_a_name_the_others_are_suggested_and_enter_takes_it_and_undo_takes_it_back(
    groups: list[FaceCluster], collection: Collection, first: Visitor
) -> None:
    _, b, a_again, b_again, stranger = groups
    page = opened(first, collection, groups)
    assert page.locator("[placeholder^=Probably]").count() == 0
    type_name(page, "Aoi")
    wait_for_focus(page, b)
    wait_for_suggestion(page, a_again, "Aoi")
    page.locator("[data-suggested]", has_text="1 group has a suggested name.").wait_for(state="attached")
    # The row with the focus has stayed; behind it the sure one comes first.
    assert order(page)[-4:] == [f"cluster{group.pk}" for group in (b, a_again, b_again, stranger)]
    type_name(page, "Kokona")
    wait_for_focus(page, a_again)
    wait_for_suggestion(page, b_again, "Kokona")
    assert probably(page, stranger).count() == 0
    page.keyboard.press("Enter")
    wait_for_focus(page, b_again)
    page.keyboard.press("Enter")
    wait_for_focus(page, stranger)
    row(page, b_again).get_by_text("named Kokona").wait_for()
    assert names(a_again) == {("Aoi", NamedBy.PERSON)}
    assert names(b_again) == {("Kokona", NamedBy.PERSON)}
    assert names(stranger) == {(None, NamedBy.NONE)}
    page.keyboard.press("Enter")  # nothing is suggested here
    wait_for_focus(page, stranger)
    page.keyboard.press("Control+z")
    wait_for_focus(page, b_again)
    assert names(b_again) == {(None, NamedBy.NONE)}
    wait_for_suggestion(page, b_again, "Kokona")


def test_with_the_only_name_taken_back_nothing_is_suggested(
    groups: list[FaceCluster], collection: Collection, first: Visitor
) -> None:
    a, b, a_again, *_ = groups
    page = opened(first, collection, groups)
    type_name(page, "Aoi")
    wait_for_suggestion(page, a_again, "Aoi")
    wait_for_focus(page, b)
    page.keyboard.press("ArrowDown")
    wait_for_focus(page, a_again)
    page.keyboard.press("Control+z")
    wait_for_focus(page, a)
    probably(page, a_again).wait_for(state="detached")
    assert page.locator("[placeholder^=Probably]").count() == 0


def test_what_one_types_stands_above_the_suggestion_and_escape_takes_it_away(
    groups: list[FaceCluster], collection: Collection, first: Visitor
) -> None:
    _, b, a_again, b_again, _ = groups
    page = opened(first, collection, groups)
    type_name(page, "Aoi")
    wait_for_focus(page, b)
    type_name(page, "Kokona")
    wait_for_focus(page, a_again)
    probably(page, b_again).wait_for()
    type_name(page, "Honoka")
    wait_for_focus(page, b_again)
    row(page, a_again).get_by_text("named Honoka").wait_for()
    assert names(a_again) == {("Honoka", NamedBy.PERSON)}
    field = row(page, b_again).locator("input[name=name]")
    page.keyboard.press("Escape")
    probably(page, b_again).wait_for(state="detached")
    assert field.evaluate("(field) => field === document.activeElement")
    assert field.get_attribute("placeholder") == "Name…"
    page.keyboard.press("Enter")
    wait_for_focus(page, b_again)
    assert names(b_again) == {(None, NamedBy.NONE)}


def test_loose_faces_show_who_they_probably_are_and_two_enters_name_them(
    groups: list[FaceCluster], collection: Collection, first: Visitor
) -> None:
    a, b, a_again, b_again, stranger = groups
    Face.objects.filter(cluster__in=[a_again, b_again, stranger]).update(cluster=None)
    loose = set(Face.objects.filter(cluster=None, state="face").values_list("pk", flat=True))
    page = opened(first, collection, [a, b])
    type_name(page, "Aoi")
    first.toast("named Aoi")
    wait_for_focus(page, b)
    type_name(page, "Kokona")
    chip = page.locator("[data-probable] [data-take-faces]", has_text="Aoi")
    chip.wait_for()
    field = page.get_by_label("Name of the selected faces")
    field.focus()
    page.keyboard.press("Enter")
    assert field.input_value() == "Aoi"
    count = page.locator("#loose input[name=face]:checked").count()
    assert chip.inner_text() == f"Aoi {count}"
    page.keyboard.press("Enter")
    first.toast("named Aoi")
    named = Face.objects.filter(pk__in=loose, character__name="Aoi")
    assert {face.named_by for face in named} == {NamedBy.PERSON}
    assert named.count() == count < len(loose)
    chip.wait_for(state="detached")


@pytest.fixture()
def held(first: Visitor) -> Callable[[], None]:
    """Suggestions that the browser has asked for arrive once this is called."""
    routes: list[Any] = []
    is_open = False

    def hold(route: Any) -> None:
        if is_open:
            route.continue_()
        else:
            routes.append(route)

    def let_go() -> None:
        nonlocal is_open
        while not routes:
            first.page.wait_for_timeout(20)
        is_open = True
        for route in routes:
            route.continue_()

    first.context.route("**/faces/suggestions/*", hold)
    return let_go


def test_nothing_moves_under_the_hand_when_suggestions_come_late(
    groups: list[FaceCluster], collection: Collection, first: Visitor, held: Callable[[], None]
) -> None:
    _, b, a_again, b_again, stranger = groups
    page = opened(first, collection, groups)
    type_name(page, "Aoi")
    wait_for_focus(page, b)
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    wait_for_focus(page, b_again)
    page.keyboard.insert_text("Ko")
    before = row(page, b_again).bounding_box()
    held()
    probably(page, a_again).wait_for()
    assert order(page)[-4:] == [f"cluster{group.pk}" for group in (b, a_again, b_again, stranger)]
    assert row(page, b_again).bounding_box()["y"] == before["y"]
    assert row(page, b_again).locator("input[name=name]").input_value() == "Ko"
