"""The order in which people, invitations, collections, changes and recipes are listed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from export.models import Recipe
from ingest.actions import collections, frames, members
from ingest.models import Collection, Episode, Frame, FrameState, Membership, PipelineRun, Role, Source
from tests.conftest import make_user

pytestmark = pytest.mark.django_db


def context_of(client: Client, name: str, *args: int) -> Any:
    """What the page was drawn from."""
    response = client.get(reverse(name, args=args))
    assert response.status_code == 200
    return response.context


@pytest.fixture()
def episode(collection: Collection) -> Episode:
    source = Source.objects.create(collection=collection, kind="video", name="a", path="a", sha256="a" * 64)
    return Episode.objects.create(collection=collection, source=source, extracted_at=timezone.now())


def add_frame(episode: Episode, preview: str, **values: Any) -> Frame:
    return Frame.objects.create(
        collection=episode.collection, episode=episode, index=Frame.objects.count(), width=9, height=9,
        preview=preview, **values,
    )  # fmt: skip


def test_members_come_by_role_then_by_name(collection: Collection, as_alice: Client) -> None:
    for name, role in (("zoe", Role.LEAD), ("anna", Role.LEAD), ("abel", Role.VIEWER)):
        Membership.objects.create(collection=collection, user=make_user(name), role=role)
    rows = context_of(as_alice, "members", collection.pk)["rows"]
    assert [row.user.username for row in rows] == ["alice", "anna", "zoe", "bob", "abel"]


def test_open_invitations_come_the_newest_first(collection: Collection, alice: User) -> None:
    created = [
        members.invite(collection=collection, role=role, by=alice, by_role=Role.ADMIN)[0]
        for role in (Role.VIEWER, Role.LEAD, Role.REVIEWER)
    ]
    assert list(members.open_invitations(collection)) == created[::-1]


def test_the_picture_of_a_collection_is_the_kept_frame_with_most_faces_and_of_these_the_best(
    episode: Episode, as_alice: Client
) -> None:
    add_frame(episode, "sharp, nobody", face_count=0, quality=99)
    add_frame(episode, "two, blurred", face_count=2, quality=1)
    add_frame(episode, "two, sharp", face_count=2, quality=9)
    add_frame(episode, "two, as sharp, later", face_count=2, quality=9)
    add_frame(episode, "dropped", face_count=9, quality=99, state=FrameState.DROPPED)
    add_frame(episode, "", face_count=9, quality=99)
    (entry,) = context_of(as_alice, "collections")["collections"]
    assert entry["row"].still == "two, sharp"


def test_collections_come_by_name(collection: Collection, alice: User, as_alice: Client) -> None:
    for name in ("Zoo", "Alps"):
        collections.create(name=name, by=alice)
    entries = context_of(as_alice, "collections")["collections"]
    assert [entry["row"].name for entry in entries] == ["Alps", "Tiny show", "Zoo"]


def test_changes_and_runs_come_the_newest_first(episode: Episode, alice: User, as_alice: Client) -> None:
    rows = [add_frame(episode, "a") for _ in range(3)]
    done = [frames.drop(collection=episode.collection, frames=[row], by=alice) for row in rows]
    created = [PipelineRun.objects.create(collection=episode.collection) for _ in range(3)]
    assert list(episode.collection.operations.values_list("pk", flat=True)) == [row.pk for row in done[::-1]]
    assert list(episode.collection.runs.all()) == created[::-1]
    page = context_of(as_alice, "overview", episode.collection.pk)
    times = [row["at"] for row in page["changes"]]
    assert len(times) == 3
    assert times == sorted(times, reverse=True)


def test_the_recipe_that_was_saved_last_is_opened(collection: Collection, as_alice: Client) -> None:
    for name in ("b", "c", "a"):
        Recipe.objects.create(collection=collection, name=name)
    Recipe.objects.filter(name="b").update(updated_at=timezone.now() + timedelta(hours=1))
    page = as_alice.get(reverse("export", args=[collection.pk]))
    assert page.context["saved"].name == "b"
