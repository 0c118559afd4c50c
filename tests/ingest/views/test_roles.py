"""What each role may do at the addresses of ingest, as one table."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from ingest.models import Collection, Episode, Invitation, Membership, PipelineRun, Role, Source, Upload
from tests.conftest import client_of

V, R, L, A = Role.VIEWER, Role.REVIEWER, Role.LEAD, Role.ADMIN
# address, method, the lowest role that may, form values
TABLE: list[tuple[str, str, Role, dict[str, Any]]] = [
    ("runs", "get", V, {}),
    ("run", "get", V, {}),
    ("work", "get", V, {}),
    ("history", "get", V, {}),
    ("members", "get", V, {}),
    ("undo", "post", R, {}),
    ("run_start", "get", L, {}),
    ("run_start", "post", L, {}),
    ("run_change", "post", L, {}),
    ("estimate", "get", L, {}),
    ("add_episodes", "get", L, {}),
    ("add_episodes", "post", L, {}),
    ("library", "get", L, {}),
    ("library", "post", L, {}),
    ("upload_begin", "post", L, {"name": "a.mkv", "size": 9, "key": "k"}),
    ("upload", "get", L, {}),
    ("upload", "put", L, {}),
    ("upload", "delete", L, {}),
    ("upload_discard", "post", L, {}),
    ("skipped", "get", L, {}),
    ("episode_change", "post", L, {"season": "3"}),
    ("episode_forget", "get", L, {}),
    ("episode_forget", "post", L, {}),
    ("invite", "post", L, {"role": "20"}),
    ("withdraw", "post", L, {}),
    ("member_change", "post", A, {"role": "10"}),
    ("collection_settings", "get", A, {}),
    ("collection_settings", "post", A, {"name": "New name"}),
    ("collection_archive", "post", A, {}),
    ("collection_delete", "get", A, {}),
    ("collection_delete", "post", A, {"name": "Tiny show", "sure": "on"}),
]


@pytest.mark.parametrize("role", [V, R, L, A])
@pytest.mark.parametrize(("name", "method", "lowest", "values"), TABLE, ids=[f"{n}-{m}" for n, m, _, _ in TABLE])
def test_each_role_may_what_the_table_says(
    collection: Collection,
    alice: User,
    bob: User,
    charlie: User,
    role: Role,
    name: str,
    method: str,
    lowest: Role,
    values: Any,
) -> None:
    Membership.objects.filter(collection=collection, user=bob).update(role=role)
    other = Membership.objects.create(collection=collection, user=charlie, role=V)
    source = Source.objects.create(
        collection=collection, kind="video", name="a.mkv", path="x/a.mkv", uploaded=True, sha256="a" * 64
    )
    episode = Episode.objects.create(collection=collection, source=source, title="a")
    upload = Upload.objects.create(collection=collection, user=bob, key="u", name="a.mkv", size_bytes=5)
    run = PipelineRun.objects.create(collection=collection, state="done", code_version="1", finished_at=timezone.now())
    invitation = Invitation.objects.create(
        collection=collection, token_sha256="c" * 64, created_by=alice, expires_at=timezone.now()
    )
    ids = {
        "run": {"number": run.number}, "run_change": {"number": run.number}, "upload": {"upload_id": upload.pk},
        "upload_discard": {"upload_id": upload.pk}, "episode_change": {"episode_id": episode.pk},
        "episode_forget": {"episode_id": episode.pk}, "withdraw": {"invitation_id": invitation.pk},
        "member_change": {"member_id": other.pk},
    }.get(name, {})  # fmt: skip
    url = reverse(name, kwargs={"collection_id": collection.pk, **ids})
    client = client_of(bob)
    answer = getattr(client, method)(url, values) if method in ("get", "post") else getattr(client, method)(url)
    if role < lowest:
        assert answer.status_code == 403
        assert Episode.objects.filter(season=None).exists()
        assert Collection.objects.filter(name="Tiny show").exists()
        assert Membership.objects.get(pk=other.pk).role == V
    else:
        assert answer.status_code in (200, 204, 302, 409, 422), answer.status_code


def test_things_of_another_collection_are_not_found(collection: Collection, alice: User, as_alice: Any) -> None:
    """Even for who is a member of both."""
    other = Collection.objects.create(name="Other")
    Membership.objects.create(collection=other, user=alice, role=A)
    source = Source.objects.create(collection=other, kind="video", name="a", path="a", sha256="a" * 64)
    episode = Episode.objects.create(collection=other, source=source, title="a")
    upload = Upload.objects.create(collection=other, user=alice, key="u", name="a.mkv", size_bytes=5)
    member = other.memberships.get()
    run = PipelineRun.objects.create(collection=other, code_version="1")
    for name, key in (("episode_change", episode.pk), ("episode_forget", episode.pk), ("member_change", member.pk),
                      ("upload", upload.pk), ("upload_discard", upload.pk), ("run_change", run.pk)):  # fmt: skip
        assert as_alice.post(reverse(name, args=[collection.pk, key])).status_code == 404, name
