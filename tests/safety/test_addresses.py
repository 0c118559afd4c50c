"""Every address by every verb in every role. The table must name each address: a new one without a line fails."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.test import Client

from ingest.models import Membership, Role
from ingest.models.run import with_number
from tests.conftest import client_of
from tests.pages import html_of
from tests.safety.conftest import PATTERNS, World, fingerprint, parameters, taken_back, writes

pytestmark = pytest.mark.django_db

V, R, L, A = Role.VIEWER, Role.REVIEWER, Role.LEAD, Role.ADMIN
NO = None  # the verb is not taken: 405
# Inside of a collection: the least role that may GET, and the least that may POST.
IN_COLLECTION: dict[str, tuple[Role | None, Role | None]] = {
    "add_episodes": (L, L), "caption_change": (NO, R), "captions": (V, NO),
    "captions_change": (NO, R), "captions_preview": (NO, R), "captions_write": (NO, R),
    "character": (V, V), "character_change": (NO, R),
    "character_create": (NO, R), "character_names": (V, V), "characters": (V, V), "cluster_change": (NO, R),
    "collection_archive": (NO, A), "collection_models": (L, L), "compare": (V, V), "compare_answer": (NO, R),
    "compare_embedders": (V, L), "compare_embedders_answer": (NO, R), "collection_quality": (V, L),
    "collection_evaluation": (V, V), "collection_evaluation_change": (NO, L), "face_check": (NO, R),
    "collection_delete": (A, A), "collection_settings": (A, A), "episode": (V, V),
    "episode_change": (NO, L), "episode_forget": (L, L), "episodes": (V, V), "estimate": (L, L), "export": (V, NO),
    "export_change": (NO, L), "export_download": (V, NO), "export_faces": (NO, L), "export_job_change": (NO, L),
    "export_preview": (NO, V), "export_tag": (R, R),
    "export_reread": (V, R), "exports": (V, NO), "face_box": (NO, R), "face_change": (NO, R), "faces": (V, V),
    "faces_change": (NO, R), "face_suggestions": (R, NO), "faces_rest": (R, R), "file": (V, NO), "frame": (V, V),
    "frame_caption": (V, NO), "frame_tags": (NO, R),
    "here": (NO, V), "frame_still": (V, V), "character_tags": (V, V), "character_tag": (NO, R),
    "frame_characters": (NO, R),
    "frames": (V, V), "frames_change": (NO, R), "history": (V, V), "invite": (NO, L), "library": (L, L),
    "member_change": (NO, A), "members": (V, V), "overview": (V, NO), "recipe_file": (V, NO),
    "release": (V, L), "release_manifest": (V, NO), "releases": (V, NO), "run": (V, V),
    "query_names": (V, V),
    "run_change": (NO, L), "run_start": (L, L), "runs": (V, V), "skipped": (L, NO), "tag_list": (NO, L),
    "tag_names": (V, V), "tags": (V, NO), "tags_preview": (NO, R), "tags_change": (NO, R),
    "undo": (NO, R), "undo_one": (NO, R), "upload": (L, L), "upload_begin": (NO, L), "upload_discard": (NO, L),
    "withdraw": (NO, L), "work": (V, V),
}  # fmt: skip
OUTSIDE = {"collections", "join", "healthz", "status", "login", "logout", "password_change"}
OUTSIDE |= {"models", "models_act", "models_import", "models_job", "models_work"}
OUTSIDE |= {"site_person_add", "site_account"}
OUTSIDE |= {"site_people", "site_person", "site_collections", "site_collection", "site_uploads", "site_upload_discard"}
OUTSIDE |= {"quality", "evaluation", "evaluation_change", "mistake"}
ROLES: list[Any] = ["anonymous", "stranger", V, R, L, A]
UPLOAD_VERBS = ("put", "delete")  # its own chunks, which only their sender reaches


def test_every_address_has_its_line() -> None:
    assert set(PATTERNS) == set(IN_COLLECTION) | OUTSIDE
    assert {name for name in PATTERNS if "collection_id" in parameters(name)} == set(IN_COLLECTION)


def test_no_address_goes_without_the_csrf_check() -> None:
    assert [name for name, entry in PATTERNS.items() if getattr(entry.callback, "csrf_exempt", False)] == []


def client_in(role: Any, world: World, charlie: User) -> Client:
    if role == "anonymous":
        return Client()
    if role != "stranger":
        Membership.objects.create(collection=world.collection, user=charlie, role=role)
    return client_of(charlie)


def expected(role: Any, lowest: Role | None) -> set[int]:
    if role == "anonymous":
        return {302}
    if role == "stranger":
        return {404}
    if lowest is None:
        return {403, 405}
    return {403} if role < lowest else {200, 204, 302, 404, 409, 422}


@pytest.mark.parametrize("role", ROLES, ids=[str(getattr(role, "label", role)) for role in ROLES])
def test_each_role_may_what_the_table_says(world: World, charlie: User, role: Any) -> None:
    client = client_in(role, world, charlie)
    wrong = []
    for name, (get, post) in IN_COLLECTION.items():
        # An upload is its sender's only: 404 for everybody else, whatever the role.
        url = world.address(name)
        for verb, lowest in (("get", get), ("head", NO if name == "upload" else get), ("post", post)):
            with taken_back(), writes() as written:
                answer = getattr(client, verb)(url)
                changed = verb != "post" and bool(written)
            if answer.status_code not in expected(role, lowest) or changed:
                wrong.append((name, verb, answer.status_code, "changed something" if changed else ""))
            if role == "anonymous" and not answer.headers["Location"].startswith("/login/?next=/"):
                wrong.append((name, verb, answer.headers["Location"], ""))
            hidden = role == "stranger" and world.collection.name in html_of(answer)
            if hidden:
                wrong.append((name, verb, "names the collection", ""))
    assert not wrong


def test_unusual_verbs_change_nothing(world: World, as_alice: Client) -> None:
    wrong = []
    for name in IN_COLLECTION:
        for verb in ("put", "patch", "delete", "options", "trace"):
            if name == "upload" and verb in UPLOAD_VERBS:
                continue
            with taken_back(), writes() as written:
                answer = getattr(as_alice, verb)(world.address(name))
                if written or answer.status_code >= 500:
                    wrong.append((name, verb, answer.status_code))
    assert not wrong


def test_rows_of_another_collection_do_not_exist_even_for_its_admin(world: World, other: World, alice: User) -> None:
    """The address of one collection with the number of a row of the other, by somebody who is admin of both."""
    client, wrong, before = client_of(alice), [], fingerprint()
    for name, (get, post) in IN_COLLECTION.items():
        if len(parameters(name)) < 2 or "number" in parameters(name):  # runs are counted within their collection
            continue
        url = world.address(name, rows=other.rows)
        for verb, lowest in (("get", get), ("post", post)):
            if lowest is None:
                continue
            with taken_back():
                answer = getattr(client, verb)(url, {"name": "x", "text": "x", "add": "x", "remove": "x", "sure": "on"})
                if answer.status_code != 404 or fingerprint() != before:
                    wrong.append((name, verb, answer.status_code))
    assert not wrong


def test_the_number_of_a_run_means_a_run_of_the_collection_in_the_address(world: World, other: World) -> None:
    rows = world.collection.runs.all()
    own = rows.get()
    assert (own.number, other.collection.runs.get().number) == (1, 1)
    assert with_number(rows, 1) == own
    assert other.collection.runs.get() == with_number(other.collection.runs.all(), 1)
    assert [with_number(rows, number) for number in (0, 2, 10**18)] == [None] * 3


def test_rows_of_another_collection_are_not_chosen_by_a_form(world: World, other: World, alice: User) -> None:
    """Keys of foreign rows in the fields of a form: nothing of the other collection changes."""
    client, wrong = client_of(alice), []
    fields = {
        "frame": other.frames[0].pk, "face": other.faces[0].pk, "out": other.faces[1].pk,
        "episode": other.rows["episode_id"].pk, "character": other.rows["character_id"].pk,
        "into": other.rows["character_id"].pk,
        "parent": other.rows["character_id"].pk, "alias": other.rows["character_id"].aliases.get().pk,
        "recipe": other.rows["recipe_id"].pk, "name": "Somebody", "text": "x", "tag": "x", "add": "x",
        "stage": "extract", "left": 0.1, "top": 0.1, "right": 0.5, "bottom": 0.5,
    }  # fmt: skip

    def foreign() -> list[Any]:
        rows = [model._default_manager.get(pk=row.pk) for row in other.rows.values() if not isinstance(row, str)
                for model in [type(row)]]  # fmt: skip
        rows += list(other.collection.frames.order_by("pk")) + list(other.collection.faces.order_by("pk"))
        return [{f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields} for row in rows]

    before = foreign()
    for name, (_, post) in IN_COLLECTION.items():
        if post is None:
            continue
        for action in acts_of(name):
            with taken_back():
                answer = client.post(world.address(name), fields | {"act": action})
                if foreign() != before or answer.status_code >= 500:
                    wrong.append((name, action, answer.status_code))
    assert not wrong


def acts_of(name: str) -> list[str]:
    """Values of the field `act` that the views of this kind know."""
    return {
        "frames_change": ["drop", "restore", "leave_out", "tag_add", "tag_remove"],
        "faces_change": ["name", "confirm", "nobody", "not_a_face", "unname", "reference", "split", "outfit"],
        "cluster_change": ["name", "nobody", "split", "not_a_face", "merge"],
        "face_change": ["name", "nobody", "not_a_face", "is_face", "delete"],
        "character_change": ["rename", "alias", "alias_remove", "outfit_of", "key", "merge", "unname_under"],
    }.get(name, [""])


def test_nobody_is_a_member_by_not_being_logged_in(world: World) -> None:
    from ingest.models import Collection

    assert not Collection.objects.visible_to(AnonymousUser()).exists()
