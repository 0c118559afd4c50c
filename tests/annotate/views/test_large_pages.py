"""Pages of large collections: a fixed number of queries, pages by key, figures that follow every change."""

from __future__ import annotations

import json
import re
from itertools import accumulate

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotate.algorithms.query import parse
from annotate.models import Character, CharacterAlias, Face, FaceCluster, FrameTag, Tag
from annotate.queries import search
from annotate.views.characters import FACES_A_PAGE
from export.models import ExportJob
from ingest.models import Collection, Episode, Membership, Operation, PipelineRun, Role, Shot, Source, StageRun
from tests.annotate.views.conftest import Show, add_frame
from tests.pages import html_of

pytestmark = pytest.mark.django_db
# Queries of a page with nothing kept from before; of these up to five are for session, person, role and switcher.
MOST = {
    "collections": 4, "overview": 20, "episodes": 12, "episode": 10, "frames": 14, "faces": 18, "characters": 14,
    "character": 16, "history": 6, "runs": 7, "run": 11, "work": 6, "exports": 6,
}  # fmt: skip


def address(name: str, show: Show) -> str:
    if name == "collections":
        return reverse(name)
    more = {"episode": show.episode.pk, "character": show.hinata.pk}
    if name == "run":
        more["run"] = PipelineRun.objects.filter(collection=show.collection).earliest("pk").number
    return reverse(name, args=[show.collection.pk, *([more[name]] if name in more else [])])


def add_run(show: Show, episodes: list[Episode], user: User) -> PipelineRun:
    run = PipelineRun.objects.create(
        collection=show.collection, created_by=user, state="done", code_version="1", tallies={}
    )
    for order, stage in enumerate(("extract", "dedup", "detect")):
        for episode in episodes:
            StageRun.objects.create(
                run=run, episode=episode, stage=stage, order=order, queue="cpu", state="done", log="x"
            )
    return run


def add_dataset(show: Show, user: User, name: str) -> None:
    ExportJob.objects.create(collection=show.collection, created_by=user, name=name, params={}, state="done")


def grow(show: Show, user: User) -> None:
    """More of everything that a page may list."""
    episodes = [show.episode]
    for n in range(8):
        source = Source.objects.create(collection=show.collection, kind="video", name=f"{n}", path="x", sha256=f"{n}")
        episodes.append(Episode.objects.create(collection=show.collection, source=source, title=f"t{n}"))
        Shot.objects.create(episode=show.episode, index=n + 1, start_s=n, end_s=n + 1)
    for n in range(10, 30):
        frame = add_frame(show.collection, show.episode, n, face_count=1)
        who = Character.objects.create(collection=show.collection, name=f"c{n}")
        CharacterAlias.objects.create(collection=show.collection, character=who, name=f"alias{n}")
        Character.objects.create(collection=show.collection, name=f"outfit{n}", parent=show.hinata)
        cluster = FaceCluster.objects.create(collection=show.collection, number=n, size=2, purity=0.5)
        for more in ({"cluster": cluster}, {"character": who}, {"character": show.hinata, "named_user": user}):
            Face.objects.create(collection=show.collection, frame=frame, left=0, top=0, right=1, bottom=1, **more)
        Operation.objects.create(collection=show.collection, by=user, kind="x", summary="x")
    for n in range(6):
        add_run(show, episodes, user)
        add_dataset(show, user, f"dataset {n}")
        other = Collection.objects.create(name=f"other {n}")
        Membership.objects.create(collection=other, user=user, role=Role.LEAD)


@pytest.mark.parametrize("name", sorted(MOST))
def test_a_page_needs_no_more_queries_for_more_rows(show: Show, alice: User, as_alice: Client, name: str) -> None:
    add_run(show, [show.episode], alice)
    add_dataset(show, alice, "first")
    Operation.objects.create(collection=show.collection, by=alice, kind="x", summary="x")
    Face.objects.filter(pk=show.faces[0].pk).update(character=show.hinata, named_by="person", named_user=alice)
    CharacterAlias.objects.create(collection=show.collection, character=show.hinata, name="another")
    Character.objects.create(collection=show.collection, name="outfit", parent=show.hinata)
    source = Source.objects.create(collection=show.collection, kind="video", name="two", path="x", sha256="two")
    Episode.objects.create(collection=show.collection, source=source, title="two")  # bars are drawn from two on

    page = address(name, show)

    def count() -> int:
        cache.clear()
        with CaptureQueriesContext(connection) as seen:
            assert as_alice.get(page).status_code == 200
        return len(seen)

    as_alice.get(page)
    few = count()
    grow(show, alice)
    assert count() <= few
    assert few <= MOST[name]


@pytest.mark.parametrize("order", ["", "doubtful"])
def test_the_pages_of_a_character_show_each_face_once(show: Show, as_bob: Client, order: str) -> None:
    frame = show.frames[0]
    for n in range(2 * FACES_A_PAGE + 10):
        # the same confidence several times, and none for every fifth: what a mark must tell apart
        sure = None if n % 5 == 0 else 0.5 + n % 7 / 20
        Face.objects.create(
            collection=show.collection, frame=frame, left=0, top=0, right=1, bottom=1, character=show.hinata,
            confidence=sure, named_by="model" if order or sure is not None else "person",
        )  # fmt: skip
    seen: list[tuple[float | None, int]] = []
    after = ""
    for _ in range(5):
        answer = as_bob.get(address("character", show), {"order": order, "after": after})
        seen += [(face.confidence, face.pk) for face in answer.context["faces"]]
        after = answer.context["next"]
        if not after:
            break
    assert sorted(pk for _, pk in seen) == sorted(show.hinata.faces.values_list("pk", flat=True))
    sure_ones = [sure for sure, _ in seen if sure is not None]
    assert sure_ones == sorted(sure_ones, reverse=not order)
    ends = seen if order else seen[::-1]
    assert ends[-1][0] is None


def test_a_broken_mark_shows_the_first_page(show: Show, as_bob: Client) -> None:
    Face.objects.filter(pk=show.faces[0].pk).update(character=show.hinata)
    for cursor in ("x", ":", "nan:1", "1:x", "inf:2"):
        answer = as_bob.get(address("character", show), {"after": cursor})
        assert [face.pk for face in answer.context["faces"]] == [show.faces[0].pk], cursor


def test_figures_follow_every_change_at_once(show: Show, as_bob: Client) -> None:
    def figures() -> tuple[int, int, int]:
        page = as_bob.get(reverse("faces", args=[show.collection.pk])).context
        return page["counts"].waiting, page["counts"].named, page["total"]

    assert figures() == (6, 0, 2)
    name = reverse("cluster_change", args=[show.collection.pk, show.clusters[0].pk])
    as_bob.post(name, {"act": "name", "name": "KuraueHinata"})
    assert figures() == (3, 3, 1)
    cast = as_bob.get(reverse("characters", args=[show.collection.pk])).context["people"]
    assert [(person.n, person.person) for person in cast] == [(3, 3)]
    episodes = as_bob.get(reverse("episodes", args=[show.collection.pk])).context["episodes"]
    assert [(e.counts.kept, e.counts.distinct, e.counts.faces, e.counts.named) for e in episodes] == [(6, 7, 6, 3)]
    as_bob.post(reverse("undo", args=[show.collection.pk]))
    assert figures() == (6, 0, 2)


def test_a_count_over_the_filter_follows_every_change_at_once(show: Show, as_bob: Client) -> None:
    frames = reverse("frames", args=[show.collection.pk])
    assert as_bob.get(frames).context["total"] == 6
    as_bob.post(reverse("frames_change", args=[show.collection.pk]), {"act": "drop", "frame": [show.frames[0].pk]})
    assert as_bob.get(frames).context["total"] == 5


def test_what_is_drawn_as_text_is_escaped(show: Show, as_bob: Client) -> None:
    hostile = '"><img src=x onerror="alert(1)">'
    Episode.objects.filter(pk=show.episode.pk).update(title=hostile, number="")
    show.frames[0].preview = hostile
    show.frames[0].save()
    Face.objects.filter(pk=show.faces[0].pk).update(crop=hostile, character=show.hinata)
    Face.objects.filter(pk=show.faces[1].pk).update(crop=hostile)
    for name in ("faces", "characters", "character", "episode", "episodes", "frames"):
        text = html_of(as_bob.get(address(name, show)))
        assert "<img src=x" not in text, name
        assert 'x onerror="' not in text, name


def timeline_of(text: str) -> tuple[list[list[float]], dict[str, list[int]]]:
    """The timeline's frames, and the keys of the frames that each lane marks, as its script reads them."""
    frames = json.loads(re.search(r'data-frames="(\[[^"]*\])"', text)[1])
    lanes = {}
    for label, deltas in re.findall(r'aria-label="([^"]+): \d+ frames" data-frames="([\d ]*)"', text):
        places = accumulate(int(delta) for delta in deltas.split())
        lanes[label] = [frames[place][0] for place in places]
    return frames, lanes


def test_the_timeline_has_a_mark_for_every_frame(show: Show, as_bob: Client) -> None:
    frames, lanes = timeline_of(html_of(as_bob.get(address("episode", show))))
    assert [frame[0] for frame in frames] == [frame.pk for frame in show.frames]
    states = {state: [f.pk for f in show.frames if f.state == state] for state in ("kept", "dropped")}
    assert lanes["kept"] == states["kept"]
    assert lanes["no name"] == [face.frame_id for face in show.faces]
    (reason,) = set(lanes) - {"kept", "no name"}
    assert lanes[reason] == states["dropped"]


def test_a_long_episode_is_shown_in_sections_that_miss_no_frame(
    show: Show, as_bob: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotate.views.episodes.SECTION_FRAMES", 3)
    seen: list[int] = []
    faces = 0
    for number in (1, 2, 3):
        text = html_of(as_bob.get(address("episode", show), {"section": number}))
        frames, lanes = timeline_of(text)
        assert 1 <= len(frames) <= 3
        seen += [int(frame[0]) for frame in frames]
        faces += len(lanes.get("no name", ()))
        assert f"Section {number} of 3" in text
        assert ("?section=2" in text) == (number != 2)
        assert "6 kept of 7 distinct" in text, "the totals are of the whole episode"
    assert seen == [frame.pk for frame in show.frames]
    assert faces == len(show.faces)
    assert "Section 3 of 3" in html_of(as_bob.get(address("episode", show), {"section": "99"}))


def test_a_still_is_found_by_its_frame_for_members_only(show: Show, as_bob: Client, as_charlie: Client) -> None:
    frame = show.frames[0]
    here = reverse("frame_still", args=[show.collection.pk, frame.pk])
    assert as_bob.get(here).headers["Location"] == reverse("file", args=[show.collection.pk, frame.preview])
    assert as_charlie.get(here).status_code == 404
    other = Collection.objects.create(name="Other")
    Membership.objects.create(collection=other, user=User.objects.get(username="bob"), role=Role.VIEWER)
    assert as_bob.get(reverse("frame_still", args=[other.pk, frame.pk])).status_code == 404


@pytest.mark.parametrize(("rare", "hits"), [(150_000, 5_000), (0, 5_000), (150_000, 1)])
def test_frames_with_several_tags_are_the_same_ones_whichever_way_they_are_found(
    show: Show, monkeypatch: pytest.MonkeyPatch, rare: int, hits: int
) -> None:
    monkeypatch.setattr(search, "RARE_TAG_FRAMES", rare)
    monkeypatch.setattr(search, "HITS_MAX", hits)
    names = ("blue_sky", "cloud", "tree")
    tags = Tag.objects.bulk_create(Tag(name=name) for name in names)
    frames = [frame for frame in show.frames if frame.state == "kept"]
    truth: dict[str, set[int]] = {name: set() for name in names}
    for number, frame in enumerate(frames):
        for bit, tag in enumerate(tags):
            if (number + 1) >> bit & 1:
                FrameTag.objects.create(frame=frame, tag=tag, state="yes" if number != 2 else "no")
                if number != 2:
                    truth[tag.name].add(frame.pk)

    def found(query: str) -> set[int]:
        return set(search.frames(show.collection, parse(query)).values_list("pk", flat=True))

    assert found("blue_sky cloud") == truth["blue_sky"] & truth["cloud"]
    assert found("blue_sky tree") == truth["blue_sky"] & truth["tree"] != set()
    assert found("cloud tree -blue_sky") == (truth["cloud"] & truth["tree"]) - truth["blue_sky"] != set()
    assert found("blue_sky cloud tree") == set()


def test_a_characters_page_and_its_name_list_count_without_looking_at_all_faces(
    show: Show, as_bob: Client, alice: User
) -> None:
    Face.objects.filter(pk__in=[face.pk for face in show.faces[:3]]).update(character=show.hinata, named_by="model")
    Face.objects.filter(pk=show.faces[3].pk).update(character=show.hinata, named_by="person", named_user=alice)
    outfit = Character.objects.create(collection=show.collection, name="Winter", parent=show.hinata)
    Face.objects.filter(pk=show.faces[4].pk).update(character=outfit, named_by="model")
    cache.clear()
    text = html_of(as_bob.get(address("character", show)))
    assert "4 faces" in text
    assert re.search(r"Winter</a>", text)
    names = as_bob.get(reverse("character_names", args=[show.collection.pk]), {"q": "hina"}).json()["names"]
    assert names == [{"name": "KuraueHinata", "label": "4 faces"}]
