"""What a team calls things is its own: words of other collections appear nowhere."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from annotate.actions import tags as tag_actions
from annotate.actions.vocabulary import import_rows
from annotate.models import FrameTag, Tag
from annotate.queries.completion import complete
from ingest.models import Collection, Episode, Frame, Membership, Role, Source
from tests.conftest import client_of
from tests.migrating import tables_of
from tests.pages import html_of

pytestmark = pytest.mark.django_db
SECRET = "secretproject_codename_zeta"


def frame_of(collection: Collection) -> Frame:
    source = Source.objects.create(collection=collection, kind="video", name="a", path="a", sha256="a")
    episode = Episode.objects.create(collection=collection, source=source, title="a")
    return Frame.objects.create(collection=collection, episode=episode, index=0, width=4, height=3)


@pytest.fixture()
def other(charlie: User) -> Collection:
    created = Collection.objects.create(name="Other show")
    Membership.objects.create(collection=created, user=charlie, role=Role.ADMIN)
    return created


def completed(client: Client, collection: Collection, text: str) -> list[dict[str, Any]]:
    names: list[dict[str, Any]] = client.get(f"/c/{collection.pk}/names/tags/", {"q": text}).json()["names"]
    return names


def test_a_word_of_people_is_seen_where_it_is_used_and_nowhere_else(
    collection: Collection, bob: User, as_bob: Client, other: Collection, as_charlie: Client
) -> None:
    tag_actions.add(collection=collection, frames=[frame_of(collection)], names=[SECRET], by=bob)
    for text in ("secretproj", "codename", SECRET):
        assert [row["name"] for row in completed(as_bob, collection, text)] == [SECRET]
        assert completed(as_charlie, other, text) == []
    local_page = html_of(as_bob.get(f"/c/{collection.pk}/frames/", {"q": f"tag:{SECRET}"}))
    other_page = html_of(as_charlie.get(f"/c/{other.pk}/frames/", {"q": f"tag:{SECRET}"}))
    unknown = html_of(as_charlie.get(f"/c/{other.pk}/frames/", {"q": f"tag:{SECRET}x"}))
    assert "There is no tag" not in local_page
    assert f"There is no tag &#x27;{SECRET}&#x27;" in other_page and f"There is no tag &#x27;{SECRET}x&#x27;" in unknown


def test_removing_a_word_that_is_not_seen_says_the_same_as_for_an_unknown_one(
    collection: Collection, bob: User, other: Collection, charlie: User
) -> None:
    tag_actions.add(collection=collection, frames=[frame_of(collection)], names=[SECRET], by=bob)
    frame = frame_of(other)
    for name in (SECRET, SECRET + "x"):
        done = tag_actions.remove(collection=other, frames=[frame], names=[name], by=charlie)
        assert done.summary == "Tags unchanged"
    assert not FrameTag.objects.filter(frame=frame).exists()


def test_the_same_word_in_two_collections_is_seen_in_both(
    collection: Collection, bob: User, other: Collection, charlie: User, as_charlie: Client
) -> None:
    tag_actions.add(collection=collection, frames=[frame_of(collection)], names=[SECRET], by=bob)
    tag_actions.add(collection=other, frames=[frame_of(other)], names=[SECRET], by=charlie)
    assert [row["here"] for row in completed(as_charlie, other, SECRET)] == [1]


def test_the_imported_vocabulary_is_seen_by_all_with_category_alias_and_count(
    collection: Collection, bob: User, as_bob: Client, other: Collection, as_charlie: Client
) -> None:
    import_rows(io.StringIO('hoshi_aoi,4,1234,"aoi_chan,star_girl"\nhoshi,0,99,\n'))
    tag_actions.add(collection=collection, frames=[frame_of(collection)], names=["hoshi_aoi"], by=bob)
    (result,) = completed(as_bob, collection, "star")
    assert (result["name"], result["category"], result["alias"], result["here"]) == (
        "hoshi_aoi",
        "character",
        "star_girl",
        1,
    )
    assert result["label"] == "also star_girl · character · 1 here · 1,234"
    assert [row["name"] for row in completed(as_charlie, other, "hoshi")] == ["hoshi", "hoshi_aoi"]
    assert completed(as_charlie, other, "star")[0]["here"] == 0


def test_a_common_prefix_is_completed_as_before_without_looking_at_all_names(collection: Collection) -> None:
    import_rows(io.StringIO("".join(f"hair_{n},0,{n},\n" for n in range(30)) + "hair,0,5,\nlong_hair,0,999,\n"))
    visible = Tag.objects.visible_in(collection.pk)
    quick = [tag.name for tag in complete(collection, "Hair", limit=12)]
    assert quick == [tag.name for tag in visible.completing("Hair")[:12]]
    assert quick[:3] == ["hair", "hair_29", "hair_28"]


@pytest.mark.django_db(transaction=True)
def test_after_the_update_only_imported_words_are_common() -> None:
    try:
        with tables_of(("annotate", "0018_claims")) as old:
            tags = old.get_model("annotate", "Tag").objects
            tags.create(name="imported", post_count=5)
            tags.create(name="aliased").aliases.create(name="spelled")
            tags.create(name=SECRET, category=4)
        assert dict(Tag.objects.values_list("name", "common")) == {"imported": True, "aliased": True, SECRET: False}
    finally:
        Tag.objects.all().delete()


def test_a_client_of_nobody_sees_nothing(collection: Collection) -> None:
    assert Client().get(f"/c/{collection.pk}/names/tags/", {"q": "a"}).status_code == 302
    stranger = client_of(User.objects.create_user("stranger"))
    assert stranger.get(f"/c/{collection.pk}/names/tags/", {"q": "a"}).status_code == 404
