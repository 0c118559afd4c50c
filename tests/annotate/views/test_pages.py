from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotate.models import Caption, Character, Face, FaceCluster, FrameTag, NamedBy
from ingest.models import Collection, Episode, Frame, Membership, Role, Source
from tests.annotate.views.conftest import Show, add_frame
from tests.conftest import make_user
from tests.pages import html_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}

PAGES = ("episodes", "frames", "faces", "characters", "runs", "history")


def url(name: str, show: Show, *args: int) -> str:
    return reverse(name, args=[show.collection.pk, *args])


def addresses(show: Show) -> list[str]:
    pages = [url(name, show) for name in PAGES]
    pages += [url("episode", show, show.episode.pk), url("frame", show, show.frames[0].pk)]
    return [*pages, url("character", show, show.hinata.pk)]


def posts(show: Show) -> dict[str, dict[str, Any]]:
    return {
        url("frames_change", show): {"act": "drop", "frame": [show.frames[0].pk]},
        url("face_box", show, show.frames[0].pk): {"left": 0.1, "top": 0.1, "right": 0.5, "bottom": 0.5},
        url("face_change", show, show.faces[0].pk): {"act": "not_a_face"},
        url("frame_tags", show, show.frames[0].pk): {"add": "smile"},
        url("caption_change", show, show.frames[0].pk): {"text": "a girl"},
        url("cluster_change", show, show.clusters[0].pk): {"act": "name", "name": "KuraueHinata"},
        url("faces_change", show): {"act": "nobody", "face": [show.faces[0].pk]},
        url("character_create", show): {"name": "Aoba"},
        url("character_change", show, show.hinata.pk): {"act": "rename", "name": "Hinata"},
        url("undo", show): {},
    }


def test_members_see_every_page(show: Show, as_bob: Client) -> None:
    for address in addresses(show):
        assert as_bob.get(address).status_code == 200, address


def test_strangers_get_404_and_the_anonymous_the_login_page(show: Show, as_charlie: Client) -> None:
    for address in addresses(show):
        assert as_charlie.get(address).status_code == 404, address
        assert Client().get(address).headers["Location"].startswith("/login/"), address
    for address, data in posts(show).items():
        assert as_charlie.post(address, data).status_code == 404, address
        assert Client().post(address, data).headers["Location"].startswith("/login/"), address


def test_viewers_look_but_do_not_touch(show: Show) -> None:
    viewer = make_user("dora")
    Membership.objects.create(collection=show.collection, user=viewer, role=Role.VIEWER)
    client = Client()
    client.force_login(viewer)
    for address in addresses(show):
        assert client.get(address).status_code == 200, address
    for address, data in posts(show).items():
        assert client.post(address, data).status_code == 403, address
    assert not Caption.objects.exists()


def test_an_archived_collection_is_looked_at_only(show: Show, as_alice: Client) -> None:
    as_alice.post(reverse("collection_archive", args=[show.collection.pk]))
    for address in addresses(show):
        assert as_alice.get(address).status_code == 200, address
    for address, data in posts(show).items():
        assert as_alice.post(address, data).status_code == 403, address
    as_alice.post(reverse("collection_archive", args=[show.collection.pk]), {"back": "1"})
    assert as_alice.post(url("frame_tags", show, show.frames[0].pk), {"add": "smile"}).status_code == 302


def test_nothing_is_changed_by_get(show: Show, as_alice: Client) -> None:
    for address in posts(show):
        assert as_alice.get(address).status_code == 405, address


def test_changes_need_the_csrf_token(show: Show, bob: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(bob)
    for address, data in posts(show).items():
        assert client.post(address, data, headers=HTMX).status_code == 403, address


def test_rows_of_another_collection_are_not_found(show: Show, as_bob: Client, bob: User) -> None:
    other = Collection.objects.create(name="other")
    Membership.objects.create(collection=other, user=bob, role=Role.ADMIN)
    for name, pk in [
        ("episode", show.episode.pk),
        ("frame", show.frames[0].pk),
        ("character", show.hinata.pk),
    ]:
        assert as_bob.get(reverse(name, args=[other.pk, pk])).status_code == 404
    for name, pk in [
        ("face_change", show.faces[0].pk),
        ("cluster_change", show.clusters[0].pk),
        ("character_change", show.hinata.pk),
        ("frame_tags", show.frames[0].pk),
        ("caption_change", show.frames[0].pk),
        ("face_box", show.frames[0].pk),
    ]:
        assert as_bob.post(reverse(name, args=[other.pk, pk]), {"name": "x", "text": "x"}).status_code == 404, name
    as_bob.post(reverse("frames_change", args=[other.pk]), {"act": "drop", "frame": [show.frames[0].pk]})
    as_bob.post(reverse("faces_change", args=[other.pk]), {"act": "nobody", "face": [show.faces[0].pk]})
    assert Frame.objects.get(pk=show.frames[0].pk).state == "kept"
    assert Face.objects.get(pk=show.faces[0].pk).state == "face"


@pytest.mark.parametrize("name", PAGES)
def test_an_empty_collection_says_what_comes_here(collection: Collection, as_alice: Client, name: str) -> None:
    answer = as_alice.get(reverse(name, args=[collection.pk]))
    assert answer.status_code == 200
    assert b'class="empty"' in answer.content


def test_the_grid_filters_and_the_filter_stays_visible(show: Show, as_bob: Client) -> None:
    def shown(query: str) -> list[int]:
        answer = as_bob.get(url("frames", show), {"q": query})
        return [frame.index for frame in answer.context["frames"]]

    assert shown("") == list(range(6))
    assert shown("state:dropped") == [6]
    assert shown("state:all") == list(range(7))
    assert shown("tag:red_hair") == [0]
    assert shown("-tag:red_hair faces:1") == [1, 2, 3, 4, 5]
    assert shown("character:unnamed") == list(range(6))
    assert shown(f"like:{show.frames[6].pk}") == [0, 6]
    assert shown("reason:duplicate episode:EP04 shot:0") == [6]
    assert 'value="tag:red_hair"' in html_of(as_bob.get(url("frames", show), {"q": "tag:red_hair"}))


def test_a_wrong_filter_is_explained_on_the_page(show: Show, as_bob: Client) -> None:
    answer = as_bob.get(url("frames", show), {"q": "episode__source__path:x"})
    assert answer.status_code == 200
    assert "There is no filter" in html_of(answer)


def test_the_grid_goes_on_where_the_page_ended(show: Show, as_bob: Client) -> None:
    for i in range(10, 100):
        add_frame(show.collection, show.episode, i)
    first = as_bob.get(url("frames", show))
    assert len(first.context["frames"]) == 60
    rest = as_bob.get(url("frames", show), {"after": first.context["next"]}, headers=HTMX)
    drawn = re.findall(r'data-id="(\d+)"', html_of(first) + html_of(rest))
    index = dict(Frame.objects.values_list("pk", "index"))
    assert [index[int(pk)] for pk in drawn] == [*range(6), *range(10, 100)]
    assert b"<html" not in rest.content


@pytest.mark.parametrize("name", ["frames", "faces", "characters", "episodes"])
def test_queries_do_not_grow_with_the_rows(
    show: Show, as_bob: Client, name: str, django_assert_max_num_queries: Any
) -> None:
    as_bob.get(url(name, show))
    for i in range(10, 40):
        frame = add_frame(show.collection, show.episode, i, face_count=1)
        who = Character.objects.create(collection=show.collection, name=f"c{i}")
        cluster = FaceCluster.objects.create(collection=show.collection, number=i, purity=0.5)
        Face.objects.create(collection=show.collection, frame=frame, left=0, top=0, right=1, bottom=1, cluster=cluster)
        Face.objects.create(collection=show.collection, frame=frame, left=0, top=0, right=1, bottom=1, character=who)
    with django_assert_max_num_queries(16):
        as_bob.get(url(name, show))


def test_naming_a_cluster_names_its_faces_but_not_those_taken_out(show: Show, as_bob: Client, bob: User) -> None:
    out = show.faces[2]
    answer = as_bob.post(
        url("cluster_change", show, show.clusters[0].pk),
        {"act": "name", "name": "kurauehinata", "out": [out.pk]},
        headers=HTMX,
    )
    assert answer.status_code == 200
    named = Face.objects.filter(character=show.hinata)
    assert {f.pk for f in named} == {show.faces[0].pk, show.faces[1].pk}
    assert {f.named_by for f in named} == {NamedBy.PERSON}
    assert '"undo": true' in answer.headers["HX-Trigger"]
    as_bob.post(url("undo", show))
    assert not Face.objects.filter(character=show.hinata).exists()


def test_the_same_works_as_a_plain_form(show: Show, as_bob: Client) -> None:
    address = url("cluster_change", show, show.clusters[0].pk)
    answer = as_bob.post(address, {"act": "name", "name": "New Person"}, follow=True)
    assert "New Person" in html_of(answer)
    assert Face.objects.filter(character__name="New Person").count() == 3


def test_a_hostile_name_is_shown_as_text(show: Show, as_bob: Client) -> None:
    name = '<img src=x onerror="alert(1)">'
    answer = as_bob.post(url("cluster_change", show, show.clusters[0].pk), {"act": "name", "name": name}, headers=HTMX)
    assert "<img src=x" not in html_of(answer)
    for address in [*addresses(show), url("character", show, Character.objects.get(name=name).pk)]:
        assert "<img src=x" not in html_of(as_bob.get(address)), address


def test_boxes_are_drawn_moved_and_refused_when_stale(show: Show, as_bob: Client, as_alice: Client) -> None:
    address = url("face_box", show, show.frames[1].pk)
    sides = {"left": 0.5, "top": 0.2, "right": 0.8, "bottom": 0.7}
    assert as_bob.post(address, sides, headers=HTMX).status_code == 200
    created = Face.objects.get(frame=show.frames[1], box_by_person=True)
    moved = sides | {"left": 0.4, "face": created.pk, "version": created.version}
    assert as_bob.post(address, moved, headers=HTMX).status_code == 200
    stale = as_alice.post(address, moved, headers=HTMX)
    assert stale.status_code == 409
    assert "changed this face in the meantime" in stale.headers["HX-Trigger"]
    bad = as_bob.post(address, {"left": "a"}, headers=HTMX)
    assert bad.status_code == 422


def test_a_persons_tag_wins_and_two_people_keep_both_their_tags(show: Show, as_bob: Client, as_alice: Client) -> None:
    address = url("frame_tags", show, show.frames[0].pk)
    as_bob.post(address, {"add": "smile"}, headers=HTMX)
    as_alice.post(address, {"add": "blush", "remove": "red_hair"}, headers=HTMX)
    tags = dict(FrameTag.objects.filter(frame=show.frames[0]).values_list("tag__name", "state"))
    assert tags == {"smile": "yes", "blush": "yes", "red_hair": "no"}


def test_a_caption_of_ones_own_is_kept_and_taken_away(show: Show, as_bob: Client) -> None:
    address = url("caption_change", show, show.frames[0].pk)
    as_bob.post(address, {"text": "two\nlines"}, headers=HTMX)
    assert Caption.objects.get().text == "two lines"
    as_bob.post(address, {"clear": "1", "text": "two lines"}, headers=HTMX)
    assert not Caption.objects.exists()


def test_dropping_all_in_a_filter_drops_just_those(show: Show, as_bob: Client) -> None:
    as_bob.post(url("frames_change", show), {"act": "drop", "all": "1", "q": "tag:red_hair"})
    assert list(Frame.objects.filter(state="dropped", reason="person").values_list("index", flat=True)) == [0]


def test_the_count_of_the_head_follows_what_is_dropped(show: Show, as_bob: Client) -> None:
    total = show.collection.frames.filter(state="kept").count()
    page = html_of(as_bob.get(url("frames", show)))
    assert f"{total} frames" in " ".join(page.split())
    data = {"act": "drop", "frame": [show.frames[0].pk, show.frames[1].pk], "q": ""}
    text = " ".join(html_of(as_bob.post(url("frames_change", show), data, headers=HTMX)).split())
    assert f'id="frame-count" hx-swap-oob="true">{total - 2} frames' in text.replace("> ", ">")


def test_a_stale_tab_cannot_rename_or_merge(show: Show, as_bob: Client, as_alice: Client) -> None:
    address = url("character_change", show, show.hinata.pk)
    version = show.hinata.version
    assert as_bob.post(address, {"act": "rename", "name": "Hinata", "version": version}).status_code == 302
    stale = as_alice.post(address, {"act": "rename", "name": "Other", "version": version}, headers=HTMX)
    assert stale.status_code == 409
    assert Character.objects.get(pk=show.hinata.pk).name == "Hinata"


def test_names_complete_by_part_and_alias(show: Show, as_bob: Client) -> None:
    answer = as_bob.get(url("character_names", show), {"q": "hina"})
    assert [entry["name"] for entry in answer.json()["names"]] == ["KuraueHinata"]
    answer = as_bob.get(url("tag_names", show), {"q": "hair"})
    assert [entry["name"] for entry in answer.json()["names"]] == ["red_hair"]


def test_the_neighbours_of_a_frame_are_those_of_the_list_it_was_opened_from(show: Show, as_bob: Client) -> None:
    source = Source.objects.create(collection=show.collection, kind="video", name="B.mkv", path="y", sha256="y")
    second = Episode.objects.create(collection=show.collection, source=source, title="B", number="05")
    later = add_frame(show.collection, second, 0, face_count=2)
    Frame.objects.filter(pk__in=[show.frames[1].pk, show.frames[4].pk]).update(face_count=2)
    Frame.objects.filter(pk=show.frames[3].pk).update(state="dropped", reason="blend")

    def page(frame: Frame, query: str = "") -> Any:
        return as_bob.get(url("frame", show, frame.pk), {"q": query} if query else {})

    grid = html_of(as_bob.get(url("frames", show), {"q": "faces:2"}))
    assert f"/frames/{show.frames[1].pk}/?q=faces%3A2" in grid
    answer = page(show.frames[4], "faces:2")
    assert (answer.context["previous"], answer.context["following"]) == (show.frames[1].pk, later.pk)
    html = html_of(answer)
    assert "2 of 3 in" in " ".join(html.split())
    assert f"/frames/{later.pk}/?q=faces%3A2" in html
    assert "next match of the filter" in html
    # In time, without dropped ones, unless the list has them.
    answer = page(show.frames[2])
    assert (answer.context["previous"], answer.context["following"]) == (show.frames[1].pk, show.frames[4].pk)
    assert page(show.frames[2], "state:all").context["following"] == show.frames[3].pk
    assert page(show.frames[5]).context["following"] is None  # another episode is another time
    answer = page(show.frames[2], "faces:2")
    assert "no longer one of the 3 in" in " ".join(html_of(answer).split())
    assert answer.context["following"] == show.frames[4].pk
    answer = page(show.frames[2], "nonsense:1")
    assert "There is no filter" in html_of(answer)
    assert answer.context["following"] == show.frames[4].pk


def test_a_frame_that_is_dropped_on_its_page_stays_in_its_list(show: Show, as_bob: Client) -> None:
    form = {"act": "drop", "frame": f"{show.frames[1].pk}", "back": "frame", "q": "faces:1"}
    answer = as_bob.post(url("frames_change", show), form)
    assert answer.headers["Location"] == f"{url('frame', show, show.frames[1].pk)}?q=faces%3A1"
    answer = as_bob.post(
        url("frame_tags", show, show.frames[2].pk), {"add": "smile"},
        headers={"Referer": f"http://testserver{url('frame', show, show.frames[2].pk)}?q=faces:1"},
    )  # fmt: skip
    assert answer.headers["Location"].endswith("?q=faces:1")
