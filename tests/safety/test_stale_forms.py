"""No form replaces what its sender did not see: addresses that replace a value refuse a stale one and show both."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from annotate.models import Caption, Face, FaceState, ModelChoice
from annotate.models import TagList as TagListRow
from export.models import ExportJob
from export.models import Recipe as RecipeRow
from ingest.actions.seen import changed, fingerprint
from ingest.errors import Stale
from ingest.models import Collection, CollectionLimits, Frame, Membership, Operation, PersonLimits, PipelineRun, Role
from tests.conftest import client_of
from tests.forms import Form, forms_of
from tests.pages import html_of
from tests.safety.conftest import PATTERNS, World
from tests.safety.test_two_people import together

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

HTMX = {"HX-Request": "true"}
Read = Callable[[World], Any]


class Case:
    """The page with the form, what each of two people makes of it, and what counts in the end."""

    def __init__(self, page: str, theirs: dict[str, Any], mine: dict[str, Any], read: Read, **more: Any) -> None:
        self.page, self.theirs, self.mine, self.read = page, theirs, mine, read
        self.address: str = more.get("address", "")
        self.which: Callable[[Form, World], bool] = more.get("which", lambda form, world: True)


def face(world: World, index: int = 0) -> Face:
    return Face.objects.get(pk=world.faces[index].pk)


def named(world: World, index: int = 0) -> str:
    who = face(world, index).character
    return who.name if who else face(world, index).state


def chosen(world: World) -> dict[str, str]:
    """The face that the character's page offers, as the page names it."""
    return {"face": f"{world.faces[2].pk}:{face(world, 2).version}"}


def tag_list(world: World) -> str:
    row = TagListRow.objects.filter(collection=world.collection, used=True).first()
    return row.name if row else ""


CASES: dict[str, Case] = {
    "captions_write": Case(
        "captions", {"text": "theirs"}, {"text": "mine"}, lambda w: Caption.objects.get(frame=w.frames[0]).text,
        which=lambda form, w: "text" in form.fields,
    ),
    "caption_change": Case(
        "frame", {"text": "theirs"}, {"text": "mine"}, lambda w: Caption.objects.get(frame=w.frames[0]).text,
        which=lambda form, w: "text" in form.fields,
    ),
    "face_change": Case(
        "frame", {"act": "name", "name": "Theirs"}, {"act": "name", "name": "Mine"}, named,
    ),
    "faces_change": Case(
        "character", {"act": "name", "name": "Theirs"}, {"act": "name", "name": "Mine"}, lambda w: named(w, 2),
    ),
    "cluster_change": Case(
        "faces", {"act": "name", "name": "Theirs"}, {"act": "name", "name": "Mine"}, named,
    ),
    "character_change": Case(
        "character", {"act": "rename", "name": "Theirs"}, {"act": "rename", "name": "Mine"},
        lambda w: type(w.rows["character_id"]).objects.get(pk=w.rows["character_id"].pk).name,
        which=lambda form, w: "name" in form.fields and "version" in form.fields,
    ),
    "episode_change": Case(
        "add_episodes", {"series": "Theirs"}, {"series": "Mine"},
        lambda w: type(w.rows["episode_id"]).objects.get(pk=w.rows["episode_id"].pk).series,
    ),
    "collection_settings": Case(
        "collection_settings", {"name": "Theirs"}, {"name": "Mine"},
        lambda w: Collection.objects.get(pk=w.collection.pk).name, which=lambda form, w: "name" in form.fields,
    ),
    "run_start": Case(
        "run_start", {"keep": "on", "dedup.threshold": "0.81"}, {"keep": "on", "dedup.threshold": "0.92"},
        lambda w: str(Collection.objects.get(pk=w.collection.pk).run_defaults.get("dedup")),
    ),
    "export_change": Case(
        "export", {"act": "save", "balance.max_multiply": "7"}, {"act": "save", "balance.max_multiply": "9"},
        lambda w: f"{RecipeRow.objects.get(pk=w.rows['recipe_id'].pk).params['balance']['max_multiply']:g}",
    ),
    "member_change": Case(
        "members", {"role": "20"}, {"role": "30"},
        lambda w: str(Membership.objects.get(pk=w.rows["member_id"].pk).role),
    ),
    "collection_models": Case(
        "collection_models", {"name": "none"}, {"name": "builtin"},
        lambda w: ", ".join(ModelChoice.objects.filter(task="faces").values_list("name", flat=True)),
        which=lambda form, w: form.fields.get("task") == ["faces"],
    ),
    "site_person": Case(
        "site_people", {"bytes_max": "1G"}, {"bytes_max": "2G"},
        lambda w: str(PersonLimits.objects.get(user=w.rows["member_id"].user).bytes_max),
    ),
    "site_collection": Case(
        "site_collection", {"bytes_max": "1G"}, {"bytes_max": "2G"},
        lambda w: str(CollectionLimits.objects.get(collection=w.collection).bytes_max),
    ),
    "tag_list": Case(
        "collection_models", {}, {}, tag_list,
        which=lambda form, w: "use" in form.fields and form.fields["kind"] == ["unwanted"],
    ),
    "face_box": Case(
        "frame", {"left": "0.2", "top": "0.2", "right": "0.5", "bottom": "0.5"},
        {"left": "0.6", "top": "0.6", "right": "0.9", "bottom": "0.9"}, lambda w: str(face(w).left),
    ),
    "compare_embedders_answer": Case("", {}, {}, named),  # as face_change: it sends the face's version
}  # fmt: skip
# What takes a POST and needs none, with the reason.
NEEDS_NONE = {
    "add_episodes": "adds", "character_create": "adds", "collections": "adds", "invite": "adds",
    "library": "adds", "models_import": "adds", "upload": "adds", "upload_begin": "adds",
    "collection_quality": "adds a measurement", "compare_embedders": "adds a measurement",
    "quality": "adds a measurement",
    "models_act": "adds a job", "export_faces": "adds a job that is kept by its content",
    "frame_tags": "only what one adds or removes is applied, to the tags as they are now",
    "frames_change": "those on which others decided stay, see test_frames_that_another_person_decided_since_stay",
    "site_person_add": "adds", "site_account": "one of two states, refused where it is so already; or a new password",
    "captions_preview": "changes nothing",
    "faces_rest": "names faces that nobody decided since; the others are told and left",
    "captions_change": "refuses captions that are not those of its dry run",
    "tags_preview": "changes nothing",
    "export_tag": "removes a tag that frames have now",
    "tags_change": "refused where more frames have the tags than its dry run showed; leaves those that people removed",
    "frame_characters": "yes or no to one character of the frame, with its line and its undo",
    "character_tag": "adds", "site_upload_discard": "deletes an upload that nobody sends any more",
    "compare_answer": "yes or no to one tag, which is added or removed as it is now",
    "face_check": "refused where a box changed since, see test_a_frame_is_checked_as_it_was_seen",
    "export_reread": "refused where folders changed since it was shown",
    "collection_archive": "one of two states, shown by its button; both ways lose nothing",
    "run_change": "a step of a state that the action checks", "export_job_change": "a step of a state",
    "release": "a step of a state; deleting asks first",
    "evaluation_change": "a step of a state", "collection_evaluation_change": "a step of a state",
    "models_job": "a step of a state",
    "collection_delete": "asks for the name", "episode_forget": "asks first, and says what goes",
    "upload_discard": "deletes one's own", "withdraw": "deletes a link that nobody used",
    "undo": "compares every field before it restores it", "undo_one": "compares every field before it restores it",
    "here": "who is where runs out by itself", "estimate": "reads", "export_preview": "reads",
    "login": "no value", "logout": "no value", "join": "no value", "password_change": "asks for the old one",
}  # fmt: skip


def test_every_address_that_takes_a_form_is_known() -> None:
    """A new address is added to the cases above, or to the list with its reason."""
    written = {name for name, entry in PATTERNS.items() if _may_write(entry.callback)}
    assert written - set(CASES) - set(NEEDS_NONE) == set()
    assert (set(CASES) | set(NEEDS_NONE)) - set(PATTERNS) == set()


def _may_write(callback: Any) -> bool:
    """Whether the source of a view looks at the method or the form at all."""
    inner = inspect.unwrap(callback)
    source = inspect.getsource(getattr(inner, "view_class", inner))
    return "request.POST" in source or '"POST"' in source or "LoginView" in source or "require_POST" in source


@pytest.fixture(autouse=True)
def _prepared(world: World, bob: User) -> None:
    Membership.objects.filter(collection=world.collection, user=bob).update(role=Role.ADMIN)
    User.objects.filter(pk=bob.pk).update(is_superuser=True, is_staff=True)
    world.rows |= {"person_id": world.rows["member_id"].user, "limits_of": world.collection}
    episode = world.rows["episode_id"]
    episode.extracted_at = None
    episode.save()


def stale_form(world: World, name: str, client: Client) -> tuple[str, dict[str, Any]]:
    """The address and the fields of the form as its page shows it."""
    case = CASES[name]
    page = world.address(case.page)
    answer = client.get(page)
    assert answer.status_code == 200, (page, answer.status_code)
    address = world.address(name)
    for form in forms_of(answer.content.decode(), page=page):
        if form.action == address and case.which(form, world):
            return address, {key: values for key, values in form.fields.items() if key != "csrfmiddlewaretoken"}
    raise AssertionError(f"{page} has no form for {address}")


FORMS = sorted(set(CASES) - {"face_box", "compare_embedders_answer", "tag_list"})


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])
def test_a_stale_form_replaces_nothing_and_shows_both_answers(
    world: World, alice: User, bob: User, queues: str, name: str, headers: dict[str, str]
) -> None:
    case, hers, his = CASES[name], client_of(alice), client_of(bob)
    address, form = stale_form(world, name, hers)
    _, same = stale_form(world, name, his)
    more = chosen(world) if name == "faces_change" else {}
    if name == "run_start":
        more = {"episode": str(world.rows["episode_id"].pk), "stage": "dedup"}
    assert his.post(address, same | more | case.theirs).status_code in (200, 302)
    PipelineRun.objects.update(state="done")
    after_his, runs = case.read(world), PipelineRun.objects.count()

    refused = hers.post(address, form | more | case.mine, headers=headers)
    assert refused.status_code == 409, refused.content[:300]
    assert case.read(world) == after_his
    assert PipelineRun.objects.count() == runs  # nothing began beside it
    page = html_of(refused)
    assert "Theirs" in page
    assert "Yours" in page
    assert "Keep theirs" in page
    assert "in the meantime" in page
    if headers:
        assert refused.headers["HX-Retarget"] == "#both"

    both = next(form for form in forms_of(page.partition("both-answers")[2], page=address))
    accepted = hers.post(both.action, both.fields)
    assert accepted.status_code in (200, 302), accepted.content[:300]
    assert case.read(world) != after_his


@pytest.mark.parametrize("name", FORMS)
def test_a_fresh_form_is_taken(world: World, alice: User, queues: str, name: str) -> None:
    client = client_of(alice)
    for values in (CASES[name].theirs, CASES[name].mine):
        if name == "cluster_change" and values is CASES[name].mine:
            continue  # its faces have their name
        address, form = stale_form(world, name, client)
        more = chosen(world) if name == "faces_change" else {}
        if name == "run_start":
            more = {"episode": str(world.rows["episode_id"].pk), "stage": "dedup"}
        answer = client.post(address, form | more | values)
        PipelineRun.objects.update(state="done")
        assert answer.status_code == 302, answer.content[:300]
        if name == "faces_change":  # it is on another character's page now
            break


@pytest.mark.parametrize("name", sorted(set(FORMS) - {"run_start"}))
def test_of_two_at_the_same_moment_one_is_taken_and_the_other_sees_both(
    world: World, alice: User, bob: User, name: str
) -> None:
    case, hers, his = CASES[name], client_of(alice), client_of(bob)
    address, form = stale_form(world, name, hers)
    _, same = stale_form(world, name, his)
    more = chosen(world) if name == "faces_change" else {}
    answers = together(
        lambda: hers.post(address, form | more | case.mine).status_code,
        lambda: his.post(address, same | more | case.theirs).status_code,
    )
    assert sorted(answers) == [302, 409]


def test_fields_that_each_changed_alone_are_both_kept(world: World, alice: User, bob: User) -> None:
    hers, his = client_of(alice), client_of(bob)
    address, form = stale_form(world, "episode_change", hers)
    his.post(address, form | {"key": "b", "series": "Yama"})
    answer = hers.post(address, form | {"key": "a", "licence_note": "own work"}, headers=HTMX)
    assert answer.status_code == 204
    episode = type(world.rows["episode_id"]).objects.select_related("source").get(pk=world.rows["episode_id"].pk)
    assert (episode.series, episode.source.licence_note) == ("Yama", "own work")


def test_a_caption_that_was_not_touched_leaves_a_newer_one_alone(world: World, alice: User, bob: User) -> None:
    hers, his = client_of(alice), client_of(bob)
    address, form = stale_form(world, "caption_change", hers)
    his.post(address, form | {"text": "a newer one"})
    assert hers.post(address, form, headers=HTMX).status_code == 200
    assert Caption.objects.get(frame=world.frames[0]).text == "a newer one"
    cleared = hers.post(address, form | {"clear": "1"}, headers=HTMX)
    assert cleared.status_code == 409
    assert Caption.objects.get(frame=world.frames[0]).text == "a newer one"


def test_a_caption_deleted_meanwhile_is_not_written_again_unseen(world: World, alice: User, bob: User) -> None:
    hers, his = client_of(alice), client_of(bob)
    address, form = stale_form(world, "caption_change", hers)
    his.post(address, form | {"clear": "1"})
    answer = hers.post(address, form | {"text": "mine"}, headers=HTMX)
    assert answer.status_code == 409
    assert "bob changed the caption in the meantime" in json.loads(answer.headers["HX-Trigger"])["toast"]["text"]
    assert not Caption.objects.filter(frame=world.frames[0]).exists()


def test_a_recipe_under_a_name_that_the_page_did_not_show_is_not_replaced(world: World, alice: User) -> None:
    client = client_of(alice)
    address, form = stale_form(world, "export_change", client)
    client.post(address, form | {"act": "save", "recipe_name": "Evening", "balance.max_multiply": "7"})
    answer = client.post(address, form | {"act": "save", "recipe_name": "Evening", "balance.max_multiply": "9"})
    assert answer.status_code == 409
    assert RecipeRow.objects.get(name="Evening").params["balance"]["max_multiply"] == 7
    # and an export that would save it starts nothing
    jobs = ExportJob.objects.count()
    started = client.post(address, form | {"act": "start", "recipe_name": "Evening", "balance.max_multiply": "9"})
    assert started.status_code == 409
    assert ExportJob.objects.count() == jobs


def test_a_list_chosen_meanwhile_is_not_replaced(world: World, alice: User, bob: User) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    hers, his = client_of(alice), client_of(bob)
    address, form = stale_form(world, "tag_list", hers)
    for name, client, key, code in (("his.txt", his, "a", 302), ("hers.txt", hers, "b", 409)):
        file = SimpleUploadedFile(name, f"solo\n{name[:3]}\n".encode())
        fields = {"kind": form["kind"], "seen": form["seen"], "key": key, "file": file}
        assert client.post(address, fields).status_code == code
    assert tag_list(world) == "his.txt"


def test_a_box_moved_meanwhile_is_not_moved_unseen(world: World, alice: User, bob: User) -> None:
    box = CASES["face_box"]
    common = {"face": str(world.faces[0].pk), "version": str(world.faces[0].version)}
    address = world.address("face_box")
    assert client_of(bob).post(address, box.theirs | common, headers=HTMX).status_code == 200
    answer = client_of(alice).post(address, box.mine | common, headers=HTMX)
    assert answer.status_code == 409
    assert face(world).left == 0.2
    both = forms_of(answer.content.decode(), page=address)[0]
    assert client_of(alice).post(both.action, both.fields).status_code == 302
    assert face(world).left == 0.6


def test_a_box_named_meanwhile_is_not_deleted_unseen(world: World, alice: User, bob: User) -> None:
    before = str(world.faces[0].version)
    address = world.address("face_change")
    name = {"act": "name", "name": "Theirs", "version": before}
    assert client_of(bob).post(address, name, headers=HTMX).status_code == 200
    answer = client_of(alice).post(address, {"act": "delete", "version": before}, headers=HTMX)
    assert answer.status_code == 409
    assert "bob answered" in answer.headers["HX-Trigger"]
    assert str(face(world).character) == "Theirs"
    both = forms_of(answer.content.decode(), page=address)[0]
    assert client_of(alice).post(both.action, both.fields).status_code == 302
    assert Face.objects.get(pk=world.faces[0].pk).state == FaceState.NOT_A_FACE


def test_faces_named_meanwhile_are_not_marked_as_no_faces_unseen(world: World, alice: User, bob: User) -> None:
    address = world.address("cluster_change")
    members = list(Face.objects.filter(cluster=world.rows["cluster_id"].pk).unnamed())
    assert client_of(bob).post(address, {"act": "name", "name": "Theirs"}, headers=HTMX).status_code == 200
    answer = client_of(alice).post(address, {"act": "not_a_face", "out": [members[0].pk]}, headers=HTMX)
    assert answer.status_code == 409
    assert str(Face.objects.get(pk=members[0].pk).character) == "Theirs"
    both = forms_of(answer.content.decode(), page=address)[0]
    assert client_of(alice).post(both.action, both.fields).status_code == 302
    assert Face.objects.get(pk=members[0].pk).state == FaceState.NOT_A_FACE


def test_nothing_of_a_refused_form_stands_in_the_history(world: World, alice: User, bob: User) -> None:
    hers, his = client_of(alice), client_of(bob)
    address, form = stale_form(world, "faces_change", hers)
    more = chosen(world)
    his.post(address, form | more | {"act": "name", "name": "Theirs"})
    count = Operation.objects.count()
    hers.post(address, form | more | {"act": "name", "name": "Somebody new"}, headers=HTMX)
    assert Operation.objects.count() == count
    assert not type(world.rows["character_id"]).objects.filter(name="Somebody new").exists()


def test_a_mark_tells_fields_apart() -> None:
    seen = fingerprint({"a": 1, "b": [1, 2], "c": None})
    now = {"a": 1, "b": [1, 2], "c": "x"}
    common: dict[str, Any] = {"who": "bob", "what": "it"}
    assert changed(seen, now=now, new={"a": 2, "b": [1, 2], "c": None}, **common) == {"a": 2}
    assert changed(None, now=now, new={"a": 2, "c": "y"}, **common) == {"a": 2, "c": "y"}
    assert changed(seen, now=now, new={"c": "x"}, **common) == {}  # the same answer
    with pytest.raises(Stale) as caught:
        changed(seen, now=now, new={"a": 2, "c": "y"}, **common)
    assert (caught.value.stored, caught.value.sent) == ([("c", "x")], [("c", "y")])
    assert changed(caught.value.resend["seen"][0], now=now, new={"c": "y"}, **common) == {"c": "y"}
    with pytest.raises(Stale):
        changed("", now=now, new={"a": 2}, **common)  # nothing was seen


def test_a_frame_is_checked_as_it_was_seen(world: World, alice: User, bob: User) -> None:
    hers = client_of(alice)
    page, address = world.address("frame"), world.address("face_check")
    forms = [form for form in forms_of(hers.get(page).content.decode()) if form.action == address]
    box = CASES["face_box"].theirs | {"key": "one"}
    assert client_of(bob).post(world.address("face_box"), box, headers=HTMX).status_code == 200
    answer = hers.post(address, forms[0].fields | {"act": "check"}, headers=HTMX)
    assert answer.status_code == 409
    assert "Boxes of this frame changed in the meantime" in answer.headers["HX-Trigger"]
    fresh = [form for form in forms_of(hers.get(page).content.decode()) if form.action == address]
    assert hers.post(address, fresh[0].fields | {"act": "check"}, headers=HTMX).status_code == 200


@pytest.mark.parametrize(
    ("theirs", "mine", "state", "excluded"),
    [("drop", "restore", "dropped", False), ("restore", "drop", "kept", False), ("leave_out", "let_in", "kept", True)],
)
def test_frames_that_another_person_decided_since_stay(
    world: World, alice: User, bob: User, theirs: str, mine: str, state: str, excluded: bool
) -> None:
    """Of two selected frames the other person decided on one: that one stays, and is named; the other is done."""
    first, second = world.frames[:2]
    if theirs == "drop":  # both are dropped by a run, and shown so
        Frame.objects.filter(pk__in=[first.pk, second.pk]).update(state="dropped", reason="duplicate")
    page = html_of(client_of(alice).get(world.address("frames") + "?q=state:all"))
    values = [re.search(rf'name="frame" value="({frame.pk}:[^"]+)"', page)[1] for frame in (first, second)]  # type: ignore[index]
    address = world.address("frames_change")
    assert client_of(bob).post(address, {"act": theirs, "frame": [first.pk]}, headers=HTMX).status_code == 200
    answer = client_of(alice).post(address, {"act": mine, "frame": values}, headers=HTMX)
    text = json.loads(answer.headers["HX-Trigger"])["toast"]["text"]
    assert answer.status_code == 200
    assert "1 frame left as bob decided" in text
    first.refresh_from_db()
    assert (first.state, first.excluded) == (state, excluded)
    second.refresh_from_db()
    assert (second.state, second.decided_by) == (("kept", None) if mine == "let_in" else (second.state, alice))
    alone = client_of(alice).post(address, {"act": mine, "frame": values[:1]}, headers=HTMX)
    assert alone.status_code == 409
    assert "bob changed 1 frame" in json.loads(alone.headers["HX-Trigger"])["toast"]["text"]
    # Who has seen it decides again.
    fresh = html_of(client_of(alice).get(world.address("frames") + "?q=state:all"))
    value = re.search(rf'name="frame" value="({first.pk}:[^"]+)"', fresh)[1]  # type: ignore[index]
    assert client_of(alice).post(address, {"act": mine, "frame": [value]}, headers=HTMX).status_code == 200
    first.refresh_from_db()
    assert (first.state, first.excluded) != (state, excluded)
