"""Two browsers on one page: each sees the other, and "next" takes the row that nobody is working on."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from annotate.models import Claim, Face, FaceCluster
from tests.annotate.views.conftest import Show, add_frame
from tests.flows.test_two_people import opened
from tests.flows.visitor import Visitor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def row(page: Any, cluster: FaceCluster) -> Any:
    return page.locator(f"#cluster{cluster.pk}")


@pytest.fixture()
def third(show: Show) -> FaceCluster:
    created = FaceCluster.objects.create(collection=show.collection, number=2, size=2, purity=0.2)
    for n in (7, 8):
        frame = add_frame(show.collection, show.episode, n)
        Face.objects.create(
            collection=show.collection, frame=frame, left=0.1, top=0.1, right=0.4, bottom=0.6, cluster=created
        )
    return created


def test_rows_that_somebody_is_naming_are_marked_and_skipped(
    show: Show,
    third: FaceCluster,
    first: Visitor,
    second: Visitor,
    alice: User,
) -> None:
    hers = opened(first, "faces", show.collection.pk)
    hers.keyboard.insert_text("Ao")  # in the first row
    row(hers, show.clusters[0]).locator("input[name=name]").press("i")
    hers.wait_for_timeout(600)
    assert Claim.objects.get().item == show.clusters[0].pk

    his = opened(second, "faces", show.collection.pk)
    his.get_by_text("alice is here too").wait_for()
    row(his, show.clusters[0]).get_by_text("alice is naming this").wait_for()
    row(his, show.clusters[1]).and_(his.locator("[data-current]")).wait_for()  # begins where nobody is
    his.keyboard.insert_text("Kokona")
    row(his, show.clusters[1]).locator("input[name=name]").press("x")
    row(his, show.clusters[1]).locator("input[name=name]").press("Backspace")
    his.wait_for_timeout(600)
    assert set(Claim.objects.values_list("item", "user__username")) == {
        (show.clusters[0].pk, "alice"),
        (show.clusters[1].pk, "bob"),
    }

    # Alice names hers; the next row is Bob's, so the one behind it takes the focus.
    row(hers, show.clusters[0]).locator("input[name=name]").fill("")
    hers.evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")  # asks at once
    row(hers, show.clusters[1]).get_by_text("bob is naming this").wait_for()
    row(hers, show.clusters[0]).locator("input[name=name]").fill("Aoi")
    row(hers, show.clusters[0]).locator("input[name=name]").press("Enter")
    first.toast("3 faces named Aoi")
    row(hers, third).and_(hers.locator("[data-current]")).wait_for()
    # A claim is no lock: her answer for Bob's row is taken, and he sees both.
    row(hers, show.clusters[1]).locator("input[name=name]").fill("Aoi")
    row(hers, show.clusters[1]).locator("input[name=name]").press("Enter")
    first.toast("3 faces named Aoi")
    second.refusals_meant = True
    row(his, show.clusters[1]).locator("input[name=name]").press("Enter")
    row(his, show.clusters[1]).get_by_role("button", name="Compare").click()
    his.locator("dialog#both dd", has_text="Kokona").wait_for()


def test_who_closes_the_page_is_gone_at_once(show: Show, first: Visitor, second: Visitor) -> None:
    for name, args in (("frame", [show.frames[0].pk]), ("character", [show.hinata.pk])):
        opened(first, name, show.collection.pk, *args)
        page = opened(second, name, show.collection.pk, *args)
        page.get_by_text("alice is here too").wait_for()
        opened(first, "members", show.collection.pk)
        first.page.wait_for_timeout(500)
        page.evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
        page.get_by_text("alice is here too").wait_for(state="detached")
