"""A form that comes twice, one after the other or at the same moment, is done once, and the second is told kindly."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError
from django.utils import timezone

from annotate.models import Character, Face, FrameTag
from ingest.actions import sent_forms
from ingest.models import Collection, Operation, SentForm
from ingest.views import once
from tests.conftest import client_of
from tests.pages import html_of
from tests.safety.conftest import PATTERNS, World
from tests.safety.test_two_people import together

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

ROOT = Path(__file__).resolve().parents[2]
HTMX = {"HX-Request": "true"}
NAMED = """
import sys
from django.conf import settings
settings.configure(KOMA_DATA_DIR=sys.argv[1])
from ingest import alive
print(alive.process_name())
"""
# What each address creates, by the form that creates it.
FORMS: dict[str, dict[str, Any]] = {
    "collections": {"name": "New show"},
    "invite": {"role": "20"},
    "collection_settings": {"name": "Other name"},
    "episode_change": {"series": "Yama"},
    "run_start": {"stage": "dedup"},
    "export_change": {"act": "start", "recipe_name": "Evening", "name": "Evening set", "arrange.format": "character",
                      "caption.order": "characters"},
    "face_box": {"left": "0.5", "top": "0.5", "right": "0.8", "bottom": "0.9"},
    "face_change": {"act": "name", "name": "Zed"},
    "face_check": {"act": "check"},
    "frame_tags": {"add": "smile, hat"},
    "export_tag": {"from": "picture"},
    "caption_change": {"text": "a girl waves"},
    "faces_change": {"act": "name", "name": "Zed"},
    "cluster_change": {"act": "name", "name": "Zed"},
    "character_create": {"name": "Zed"},
    "character_change": {"act": "alias", "name": "Zeddy"},
    "frames_change": {"act": "tag_add", "tag": "smile"},
    "collection_models": {"task": "faces", "name": "none"},
    "tag_list": {"kind": "unwanted"},
    "undo": {},
}  # fmt: skip
# These know by themselves what came before, or only read.
OWN_KEY = {
    "upload_begin": "its key finds the same upload again, to go on with it",
    "here": "says the same every few seconds",
    "estimate": "reads",
    "export_preview": "reads",
    "captions_preview": "reads",
    "tags_preview": "reads",
    "export_faces": "asks for pictures that are kept by their content",
}
NO_KEY = {
    "ingest/not_done.html": "carries the key of the form that it repeats",
    "registration/login.html": "nobody is logged in yet",
    "registration/password_change_form.html": "the old password is gone after the first",
    "base.html": "the way out",
}


@pytest.fixture(autouse=True)
def _stages(settings: Any) -> None:
    settings.KOMA_DISK_RESERVE_BYTES = 0


def form_of(world: World, name: str) -> dict[str, Any]:
    values: dict[str, Any] = FORMS[name] | {"key": "one"}
    values |= (
        {"frame": world.frames[0].pk, "face": world.faces[0].pk} if name in ("frames_change", "faces_change") else {}
    )
    if name == "run_start":
        values["episode"] = world.rows["episode_id"].pk
    if name == "export_tag":
        values["tag"] = FrameTag.objects.filter(frame=world.frames[0]).values_list("tag__name", flat=True)[0]
    if name == "tag_list":
        values["file"] = SimpleUploadedFile("mine.txt", b"solo\n1girl\n")
    return values


def rows() -> dict[str, int]:
    """How many rows each table holds."""
    return {
        model._meta.label: model._default_manager.count()
        for model in apps.get_models()
        if model._meta.app_label in ("ingest", "annotate", "export") and model is not SentForm
    }


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])
def test_what_is_sent_twice_is_made_once(
    world: World, alice: User, queues: str, name: str, headers: dict[str, str]
) -> None:
    client, before = client_of(alice), rows()
    first = client.post(world.address(name), form_of(world, name), headers=headers)
    between = rows()
    assert first.status_code in (200, 204, 302), first.content[:500]
    assert between != before
    second = client.post(world.address(name), form_of(world, name), headers=headers)
    assert rows() == between
    if headers:
        assert second.status_code == 204
        assert "Already done" in json.loads(second.headers["HX-Trigger"])["toast"]["text"]
        assert not json.loads(second.headers["HX-Trigger"])["toast"]["error"]
    else:
        assert second.status_code == 302
        page = html_of(client.get(second.headers["Location"]))
        assert "Already done" in page
    # Another key is another act: the server does not hold back what a person means.
    third = client.post(world.address(name), form_of(world, name) | {"key": "two"}, headers=headers)
    assert "Already done" not in third.headers.get("HX-Trigger", "")


@pytest.mark.parametrize("name", FORMS)
def test_what_is_sent_twice_at_the_same_moment_is_made_once(world: World, alice: User, queues: str, name: str) -> None:
    clients = [client_of(alice) for _ in range(3)]
    operations = Operation.objects.count()
    before = rows()
    answers = together(
        *(lambda c=c: c.post(world.address(name), form_of(world, name), headers=HTMX) for c in clients)  # type: ignore[misc]
    )
    words = ["Already done" in answer.headers.get("HX-Trigger", "") for answer in answers]
    assert sorted(words) == [False, True, True], [answer.headers for answer in answers]
    assert all(answer.status_code < 400 for answer in answers)
    after = rows()
    assert after != before
    if name in ("face_box", "frame_tags", "caption_change", "character_change", "cluster_change", "undo"):
        assert Operation.objects.count() == operations + 1
    if name == "face_box":
        assert after["annotate.Face"] == before["annotate.Face"] + 1


def test_a_refused_form_may_be_sent_again(world: World, alice: User) -> None:
    client = client_of(alice)
    form = {"left": "0.5", "top": "0.5", "right": "0.8", "bottom": "0.9", "key": "one"}
    faces = Face.objects.count()
    for headers in (HTMX, {}):
        client.post(world.address("face_box"), form | {"right": "0.5"}, headers=headers)
        client.post(world.address("face_box"), form | {"right": "0.5"}, headers=headers)
        assert not SentForm.objects.exists()
    assert client.post(world.address("face_box"), form, headers=HTMX).status_code == 200
    assert Face.objects.count() == faces + 1


def test_a_form_that_broke_may_be_sent_again(world: World, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    from annotate.views import characters

    client = client_of(alice)
    with monkeypatch.context() as patch:

        def breaks(**_: Any) -> None:
            raise DatabaseError("the line to the database broke")

        patch.setattr(characters.actions, "create", breaks)
        with pytest.raises(DatabaseError):
            client.post(world.address("character_create"), {"name": "Zed", "key": "one"})
    assert not SentForm.objects.exists()
    assert (
        client.post(world.address("character_create"), {"name": "Zed", "key": "one"}, headers=HTMX).status_code == 204
    )


def test_the_same_key_with_other_words_or_of_another_person_is_another_act(
    world: World, alice: User, bob: User
) -> None:
    for user, name in ((alice, "Zed"), (alice, "Zoe"), (bob, "Zia")):
        answer = client_of(user).post(world.address("character_create"), {"name": name, "key": "one"}, headers=HTMX)
        assert "Already done" not in answer.headers["HX-Trigger"]


def test_a_form_whose_process_died_after_its_work_is_not_done_again(world: World, alice: User) -> None:
    """The row still says that it is being worked on; the operation's own key knows better."""
    client, form = client_of(alice), {"add": "smile", "key": "one"}
    client.post(world.address("frame_tags"), form, headers=HTMX)
    SentForm.objects.update(done=False, at=timezone.now() - once.DEAD * 2)
    count = Operation.objects.count()
    answer = client.post(world.address("frame_tags"), form, headers=HTMX)
    assert "duplicate request" in answer.headers["HX-Trigger"]
    assert Operation.objects.count() == count


def test_one_that_is_still_at_work_is_waited_for_and_is_no_success(
    world: World, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(once, "WAIT_S", 0.2)
    client, form = client_of(alice), {"name": "Zed", "key": "one"}
    client.post(world.address("character_create"), form)
    client.cookies.pop("koma_done")
    SentForm.objects.update(done=False)
    partial = client.post(world.address("character_create"), form, headers=HTMX)
    response = client.post(world.address("character_create"), form)
    for answer in (partial, response):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3")
        assert "koma_done" not in answer.cookies
    assert json.loads(partial.headers["HX-Trigger"])["toast"] == {"text": once.NOT_DONE, "error": True, "undo": False}
    page = html_of(response)
    assert once.NOT_DONE in page
    assert dict(re.findall(r'<textarea hidden name="(\w+)">\n(.*?)</textarea>', page)) == form
    SentForm.objects.update(done=True)
    assert client.post(world.address("character_create"), form).cookies["koma_done"].value == "one"


def test_a_form_of_a_process_that_ended_is_done_by_the_next_at_once(world: World, alice: User) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", NAMED, str(settings.KOMA_DATA_DIR)], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.strip()
    assert (Path(settings.KOMA_DATA_DIR) / "alive" / ended).exists()
    client, form = client_of(alice), {"name": "Zed", "key": "one"}
    client.post(world.address("character_create"), form)
    Character.objects.filter(name="Zed").delete()  # it died before it wrote
    Operation.objects.all().delete()
    SentForm.objects.update(done=False, token=ended + "0" * 20)
    answer = client.post(world.address("character_create"), form)
    assert answer.status_code == 302
    assert Character.objects.filter(name="Zed").count() == 1
    assert once.alive.tidy() == 1
    assert not (Path(settings.KOMA_DATA_DIR) / "alive" / ended).exists()


@pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])
def test_a_key_beyond_its_length_is_refused_and_never_sent_back(
    world: World, alice: User, headers: dict[str, str]
) -> None:
    client, form = client_of(alice), {"name": "Zed", "key": "k" * 200_000}
    answer = client.post(world.address("character_create"), form, headers=headers)
    assert answer.status_code == (422 if headers else 302)
    assert "koma_done" not in answer.cookies
    assert len(str(answer.headers)) < 2_000
    assert not Character.objects.filter(name="Zed").exists()
    longest = form | {"key": "k" * once.KEY_MAX}
    assert client.post(world.address("character_create"), longest).cookies["koma_done"].value == "k" * once.KEY_MAX


@pytest.mark.parametrize("key", ["\u3042", "a\r\nSet-Cookie: x=1", "\u00e9", " "])
def test_a_key_that_no_header_can_hold_is_refused_before_anything_is_done(world: World, alice: User, key: str) -> None:
    answer = client_of(alice).post(world.address("character_create"), {"name": "Zed", "key": key})
    assert answer.status_code == 302 and "koma_done" not in answer.cookies
    assert not Character.objects.filter(name="Zed").exists()


def test_old_ones_are_forgotten(world: World, alice: User) -> None:
    client_of(alice).post(world.address("character_create"), {"name": "Zed", "key": "one"})
    assert sent_forms.tidy() == 0
    SentForm.objects.update(at=timezone.now() - sent_forms.KEEP * 2)
    assert sent_forms.tidy() == 1


def test_only_these_addresses_go_without() -> None:
    assert {name for name, entry in PATTERNS.items() if hasattr(entry.callback, "own_key")} == set(OWN_KEY)


def test_every_form_of_every_template_carries_a_key() -> None:
    wrong = []
    for path in sorted((ROOT / "templates").rglob("*.html")):
        name = path.relative_to(ROOT / "templates").as_posix()
        for form in re.findall(r'<form[^>]*method="post".*?</form>', path.read_text(), re.S):
            key = "{{ form_fields }}" if name.startswith("jinja2/") else "{% once %}"
            if key not in form and name not in NO_KEY:
                wrong.append((name, form[:100]))
    assert not wrong


def test_forms_that_are_drawn_as_text_carry_a_key(world: World, alice: User) -> None:
    client = client_of(alice)
    for name in ("faces", "history", "exports"):
        page = html_of(client.get(world.address(name)))
        forms = re.findall(r'<form[^>]*method="post".*?</form>', page.partition("<main")[2], re.S)
        assert forms, name
        assert all(re.search(r'name="key" value="[\w-]{10,}"', form) for form in forms), name


def test_a_collection_is_created_once_without_any_script(alice: User) -> None:
    client = client_of(alice)
    key = re.search(r'name="key" value="([\w-]+)"', html_of(client.get("/")))
    assert key is not None
    for _ in range(2):
        answer = client.post("/", {"name": "Yama", "key": key[1]})
        assert answer.status_code == 302
    assert Collection.objects.filter(name="Yama").count() == 1
    assert "Already done: Yama created." in html_of(client.get(answer.headers["Location"]))
