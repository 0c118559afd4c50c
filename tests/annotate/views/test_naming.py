"""Naming on the faces page, as its views answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Character, Face, FaceCluster
from ingest.models import Operation
from tests.annotate.views.conftest import Show
from tests.pages import html_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def url(name: str, show: Show, *args: int) -> str:
    return reverse(name, args=[show.collection.pk, *args])


def name_group(client: Client, show: Show, index: int, name: str, **more: Any) -> Any:
    address = url("cluster_change", show, show.clusters[index].pk)
    return client.post(address, {"act": "name", "name": name, **more}, headers=HTMX)


def cast_of(client: Client, show: Show) -> list[tuple[str, int | None]]:
    return [(person.name, person.key) for person in client.get(url("faces", show)).context["cast"]]


def test_the_cast_comes_by_frequency_and_each_keeps_its_key(show: Show, as_bob: Client) -> None:
    name_group(as_bob, show, 0, "Aoi", out=[show.faces[0].pk])
    assert cast_of(as_bob, show) == [("Aoi", 1), ("KuraueHinata", None)]
    name_group(as_bob, show, 1, "KuraueHinata")
    assert cast_of(as_bob, show) == [("KuraueHinata", 2), ("Aoi", 1)]


def test_whoever_has_a_key_is_in_the_cast_however_rare(show: Show, as_bob: Client) -> None:
    for n in range(12):
        who = Character.objects.create(collection=show.collection, name=f"Often {n}")
        Face.objects.create(
            collection=show.collection, frame=show.frames[0], left=0, top=0, right=1, bottom=1, character=who
        )
    Character.objects.create(collection=show.collection, name="Rare", key=4)
    names = cast_of(as_bob, show)
    assert names[-1] == ("Rare", 4)
    assert ("KuraueHinata", None) not in names
    page = html_of(as_bob.get(url("faces", show)))
    assert 'data-key="4" data-help="Rare"' in " ".join(page.split())


def test_a_key_is_set_on_the_characters_page(show: Show, as_bob: Client) -> None:
    Character.objects.create(collection=show.collection, name="Aoi", key=2)
    page = html_of(as_bob.get(url("character", show, show.hinata.pk)))
    assert "2, now Aoi" in page
    address = url("character_change", show, show.hinata.pk)
    assert as_bob.post(address, {"act": "key", "digit": "2", "seen": ""}, headers=HTMX).status_code == 204
    assert dict(Character.objects.values_list("name", "key")) == {"KuraueHinata": 2, "Aoi": None}
    assert as_bob.post(address, {"act": "key", "digit": "3", "seen": ""}, headers=HTMX).status_code == 409
    assert as_bob.post(address, {"act": "key", "digit": "x"}, headers=HTMX).status_code == 422
    assert as_bob.post(address, {"act": "key", "digit": "99"}, headers=HTMX).status_code == 422
    as_bob.post(address, {"act": "key", "digit": "", "seen": "2"})
    assert not Character.objects.filter(key__isnull=False).exists()


def test_an_undo_of_a_page_that_stays_tells_it_which_one_it_was(show: Show, as_bob: Client) -> None:
    name_group(as_bob, show, 0, "Aoi")
    as_bob.post(url("frame_tags", show, show.frames[0].pk), {"add": "smile"}, headers=HTMX)
    answer = as_bob.post(url("undo", show), {"place": "faces", "stays": "1"}, headers=HTMX)
    assert "HX-Refresh" not in answer.headers
    events = json.loads(answer.headers["HX-Trigger"])
    undone = Operation.objects.get(pk=events["undone"]["operation"])
    assert (undone.kind, events["toast"]["text"]) == ("undo", "Undone: 3 faces named Aoi")
    assert not Character.objects.filter(name="Aoi").exists()
    again = as_bob.post(url("undo", show), {"place": "faces", "stays": "1"}, headers=HTMX)
    assert "Nothing left to undo on this page" in again.headers["HX-Trigger"]
    assert as_bob.post(url("undo", show), {"place": "nowhere"}, headers=HTMX).status_code == 422


def test_an_undo_on_a_characters_page_that_removes_the_character_leads_to_the_cast(show: Show, as_bob: Client) -> None:
    for headers, header in ((HTMX, "HX-Redirect"), ({}, "Location")):
        name_group(as_bob, show, 0, "Aoi")
        aoi = Character.objects.get(name="Aoi")
        place = {"place": f"character:{aoi.pk}"}
        as_bob.post(url("character_change", show, aoi.pk), {"act": "alias", "name": "A"}, headers=HTMX)

        answer = as_bob.post(url("undo", show), place, headers=HTMX)
        assert answer.headers["HX-Refresh"] == "true"  # she is still there
        answer = as_bob.post(url("undo", show), place, headers=headers)

        assert answer.headers[header] == url("characters", show)
        assert "HX-Refresh" not in answer.headers
        assert not Character.objects.filter(name="Aoi").exists()
        assert "Undone: 3 faces named Aoi" in html_of(as_bob.get(url("characters", show)))


def test_of_a_crop_only_what_lies_in_the_picture_is_shown(show: Show, as_bob: Client) -> None:
    Face.objects.filter(pk=show.faces[0].pk).update(left=0.8, top=0.3, right=1.0, bottom=0.6)
    Face.objects.filter(pk=show.faces[1].pk).update(left=0.45, top=0.5, right=0.55, bottom=0.6)
    Face.objects.filter(pk=show.faces[2].pk).update(cluster=None, left=0.4, top=0.8, right=0.6, bottom=1.0)
    page = " ".join(html_of(as_bob.get(url("faces", show))).split())

    def shown(face: Face) -> str:
        return page.partition(f'id="crop{face.pk}"')[2].partition("<img")[2].partition(">")[0]

    # 6.4 wide: the head is 12 pixels, of which 3 lie beyond the right edge of the 32; 0.67 of it above its middle.
    assert "clip-path: inset(0.0% 25.0% 0.0% 0.0%)" in shown(show.faces[0])
    assert "clip-path" not in shown(show.faces[1])
    assert "clip-path: inset(0.0% 0.0%" in shown(show.faces[2])


def test_an_undo_of_more_groups_than_a_page_has_tells_the_page_to_load_anew(show: Show, as_bob: Client) -> None:
    groups = [
        FaceCluster.objects.create(collection=show.collection, number=10 + n, size=2, purity=0.5) for n in range(13)
    ]
    faces = [
        Face.objects.create(
            collection=show.collection, frame=show.frames[0], left=0, top=n / 20, right=1, bottom=1, cluster=group
        )
        for n, group in enumerate(groups)
    ]
    for chosen, reloads in ((faces, True), (faces[:12], False)):
        form = {"act": "name", "name": "Aoi", "face": [face.pk for face in chosen]}
        as_bob.post(url("faces_change", show), form, headers=HTMX)
        undo = as_bob.post(url("undo", show), {"place": "faces", "stays": "1"}, headers=HTMX)
        operation = json.loads(undo.headers["HX-Trigger"])["undone"]["operation"]
        page = html_of(as_bob.get(url("faces", show), {"undone": operation}, headers=HTMX))
        assert ("data-reload" in page) == reloads
        assert page.count("data-cluster") == (0 if reloads else 12)
