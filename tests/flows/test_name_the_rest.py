"""The rest of a drawn film gets its names in place: shown first, changed by keys, applied and taken back at once."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from annotate.actions import clusters
from annotate.models import Character, Face, FaceCluster, NamedBy
from ingest.models import Collection, Operation
from tests.flows.test_suggested_names import groups, names, wait_for_focus
from tests.flows.visitor import Visitor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]
__all__ = ["groups"]


@pytest.fixture()
def page(groups: list[FaceCluster], collection: Collection, alice: User, first: Visitor) -> Any:
    """The faces page, two of its people named and the result of the dry run on it."""
    for group, name in zip(groups[:2], ("Aoi", "Kokona"), strict=True):
        clusters.name(collection=collection, cluster=group, character=name, by=alice)
    first.page.goto(f"{first.address}/c/{collection.pk}/faces/")
    wait_for_focus(first.page, groups[2])
    first.page.get_by_role("button", name="Name the rest").click()
    first.page.locator("#rest [value=apply]:focus").wait_for()
    return first.page


def test_the_rest_is_shown_in_place_applied_with_one_key_and_taken_back(
    groups: list[FaceCluster], page: Any, first: Visitor
) -> None:
    _, _, a_again, b_again, stranger = groups
    assert page.url.endswith("/faces/")
    headings = [" ".join(text.split()) for text in page.locator("#rest summary").all_inner_texts()]
    assert sorted(text.split()[0] for text in headings) == ["Aoi", "Kokona"]
    assert names(a_again) == {(None, NamedBy.NONE)}
    operations = Operation.objects.count()
    page.keyboard.press("Enter")
    first.toast("named:")
    assert names(a_again) == {("Aoi", NamedBy.MODEL)}
    assert names(b_again) == {("Kokona", NamedBy.MODEL)}
    assert names(stranger) == {(None, NamedBy.NONE)}
    assert Operation.objects.count() == operations + 1
    wait_for_focus(page, stranger)
    page.keyboard.press("Control+z")
    first.toast("Undone:")
    page.locator(f"#cluster{a_again.pk}").wait_for()
    assert names(a_again) == names(b_again) == {(None, NamedBy.NONE)}


def test_space_leaves_a_face_out_and_a_digit_gives_a_group_to_somebody_else(
    groups: list[FaceCluster], page: Any, first: Visitor
) -> None:
    _, _, a_again, b_again, _ = groups
    aoi, kokona = (Character.objects.get(name=name) for name in ("Aoi", "Kokona"))
    page.locator(f"#rest [name=out_group][value='{kokona.pk}.{b_again.pk}']").focus()
    page.keyboard.press(str(aoi.key))
    group = page.locator(f"[data-proposed-group='{kokona.pk}.{b_again.pk}']")
    group.get_by_text("→ Aoi").wait_for()
    page.locator(f"#rest [name=out_group][value='{aoi.pk}.{a_again.pk}']").focus()
    page.keyboard.press("ArrowRight")
    left_out = page.evaluate("document.activeElement.value")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    changed_back = page.evaluate("document.activeElement.value")
    page.keyboard.press(str(kokona.key))
    face = page.locator(".crop", has=page.locator(f"[name=out][value='{changed_back}']"))
    face.get_by_text("→ Kokona").wait_for()
    page.keyboard.press("Backspace")
    face.get_by_text("→ Kokona").wait_for(state="hidden")
    page.locator("#rest [value=apply]").click()
    first.toast("named:")
    assert names(b_again) == {("Aoi", NamedBy.PERSON)}
    assert Face.objects.get(pk=left_out).character is None
    assert Face.objects.get(pk=changed_back).character == aoi


def test_dismissed_names_are_not_given(groups: list[FaceCluster], page: Any, first: Visitor) -> None:
    page.get_by_role("button", name="Dismiss").click()
    first.toast("Nothing was named")
    wait_for_focus(page, groups[2])
    assert page.locator("#rest > *").count() == 0
    assert names(groups[2]) == {(None, NamedBy.NONE)}
