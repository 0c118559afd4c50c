"""A collection comes back whole, here and elsewhere; hostile backups leave nothing behind."""

from __future__ import annotations

import json
import zipfile
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from annotate.actions.model_versions import labels_of, rules_of
from annotate.algorithms.tag_rules import Rules
from annotate.models import (
    Caption,
    Character,
    CharacterAlias,
    Face,
    FaceCluster,
    FrameTag,
    ModelAnswer,
    ModelLabels,
    ModelVersion,
    Tag,
)  # fmt: skip
from annotate.tagging.stored_scores import stored_version
from ingest.actions import collections as collection_actions
from ingest.actions import frames as frame_actions
from ingest.actions import history, sources
from ingest.actions.sources import About
from ingest.backup import graph
from ingest.backup.read import restore
from ingest.backup.write import write
from ingest.errors import BadInput, KomaError
from ingest.models import Collection, Frame, Operation, PipelineRun, Source, StageRun
from ingest.storage import stored_files
from ingest.storage.stored_files import store
from tests.films import film, png

pytestmark = pytest.mark.postgres


@pytest.fixture()
def full(collection: Collection, alice: User, bob: User, tmp_path: Path, settings: Any) -> Collection:
    """A collection with a row of nearly every model."""
    path = film(tmp_path / "Show - 04.mkv")

    def place(inspected: Any) -> str:
        relative = f"sources/{collection.pk}/{inspected.sha256}.mkv"
        target = settings.KOMA_DATA_DIR / relative
        target.parent.mkdir(parents=True)
        target.write_bytes(path.read_bytes())
        return relative

    episode = sources.register(collection=collection, path=path, by=alice, about=About(licence_note="own"), place=place)
    frames = []
    for index in range(3):
        data = store().put(png(shade=index), "png")
        frames.append(
            Frame.objects.create(
                collection=collection, episode=episode, index=index, width=48, height=32, file=data, preview=data,
                descriptor=bytes([index] * 5), measures={"sharpness": 1.5},
            )
        )  # fmt: skip
    frames[1].duplicate_of = frames[0]
    frames[1].save()
    person = Character.objects.create(collection=collection, name="Hinata <b>")
    outfit = Character.objects.create(collection=collection, name="Hinata Hairdown", parent=person)
    CharacterAlias.objects.create(collection=collection, character=person, name="ひなた")
    version = ModelVersion.objects.create(task="faces", name="built in", revision="1", sha256="ab")
    cluster = FaceCluster.objects.create(collection=collection, number=1, guess=person)
    Face.objects.create(
        collection=collection, frame=frames[0], left=0.1, top=0.1, right=0.5, bottom=0.6, character=outfit,
        cluster=cluster,
        model_version=version, crop=store().put(png(shade=50), "png"), embedding=b"\x00\xff", named_user=bob,
        not_characters=[person.pk],
    )  # fmt: skip
    tag = Tag.objects.create(name="<script>", post_count=3)
    FrameTag.objects.create(frame=frames[0], tag=tag, by=bob, by_person=True)
    Caption.objects.create(frame=frames[0], text="a caption", by=bob)
    frame_actions.drop(collection=collection, frames=[frames[2]], by=bob)
    run = PipelineRun.objects.create(collection=collection, created_by=alice, code_version="x", state="running")
    StageRun.objects.create(run=run, episode=episode, stage="extract", order=0, queue="cpu", state="running", token="t")
    return collection


def all_models() -> list[Any]:
    tables = graph.owned()
    return [*tables, *graph.shared(tables)]


def picture_of(collection: Collection) -> dict[str, list[dict[str, Any]]]:
    """All rows with keys replaced by what they point to, to compare two collections."""
    tables = graph.owned()
    names: dict[tuple[str, Any], str] = {}
    rows_by_label: dict[str, list[dict[str, Any]]] = {}
    for model, path in tables.items():
        label = model._meta.label
        for number, row in enumerate(graph.rows_of(model, path, collection)):
            names[label, row.pk] = f"{label}#{number}"
            values = graph.row_of(row, fields=graph.value_fields(model))
            del values["id"]
            for key in graph.foreign_keys(model):
                target = getattr(row, key.attname)
                of = key.related_model._meta.label
                values[key.name] = names.get((of, target), str(getattr(row, key.name))) if target else None
            rows_by_label.setdefault(label, []).append(values)
    return rows_by_label


def test_what_comes_back_is_what_was_there(full: Collection, alice: User, tmp_path: Path) -> None:
    before = picture_of(full)
    done = write(collection=full, target=tmp_path / "b.zip")
    assert done.missing == ()
    back = restore(source=tmp_path / "b.zip", owner=alice, name="Second")
    after = picture_of(back.collection)
    expected_labels = {m._meta.label for m in graph.owned()}
    assert {"annotate.Face", "annotate.FrameTag", "annotate.Caption", "ingest.Revision"} <= expected_labels
    for label in before:
        for old, new in zip(before[label], after[label], strict=True):
            for name in old:
                if (label, name) in {
                    ("ingest.Collection", "name"), ("ingest.Source", "path"), ("ingest.Revision", "object_id"),
                    ("ingest.Revision", "frame_id"), ("ingest.Revision", "before"), ("ingest.Revision", "after"),
                    ("annotate.Face", "not_characters"), ("ingest.PipelineRun", "state"),
                    ("ingest.PipelineRun", "finished_at"),
                    ("ingest.StageRun", "state"), ("ingest.StageRun", "token"), ("ingest.StageRun", "finished_at"),
                }:  # fmt: skip
                    continue
                assert new[name] == old[name], (label, name)
    face = Face.objects.get(collection=back.collection)
    assert face.not_characters == [Character.objects.get(collection=back.collection, name="Hinata <b>").pk]
    assert PipelineRun.objects.get(collection=back.collection).state == "cancelled"


def test_what_models_said_comes_back_with_the_labels_to_read_it_by(
    full: Collection, alice: User, tmp_path: Path
) -> None:
    version = ModelVersion.objects.create(task="tags", name="tiny", revision="1", sha256="cd")
    rules = {"thresholds": {"general": 0.4}}
    ModelLabels.objects.create(model_version=version, rows=[["smile", "general"]], rules=rules)
    ModelAnswer.objects.create(model_version=version, frame=Frame.objects.first(), data=b"\x03\xff\xff")
    write(collection=full, target=tmp_path / "b.zip")
    ModelAnswer.objects.all().delete()
    ModelLabels.objects.all().delete()
    version.delete()
    collection = restore(source=tmp_path / "b.zip", owner=alice, name="again").collection
    back = ModelAnswer.objects.get(frame__collection=collection)
    assert (back.model_version.name, bytes(back.data)) == ("tiny", b"\x03\xff\xff")
    scored_version = stored_version(back.model_version)
    assert [(label.name, score) for label, score in scored_version.following(bytes(back.data))] == [("smile", 1.0)]
    # What is told here already stays, whatever a second backup tells.
    ModelLabels.objects.update(rows=[["frown", "general"]])
    restore(source=tmp_path / "b.zip", owner=alice, name="once more")
    assert ModelLabels.objects.get().rows == [["frown", "general"]]


@pytest.mark.django_db
def test_labels_that_cannot_be_tags_are_nameless() -> None:
    version = ModelVersion(task="tags", name="tiny")
    version.save()
    ModelLabels.objects.create(model_version=version, rows=[["a\nb", "general"], 7, ["x" * 300, "general"]], rules=[1])
    assert [label.name for label in labels_of(version)] == ["", "", ""]
    assert rules_of(version) == Rules()


def test_stages_of_an_older_release_come_back_by_their_names_of_now(
    full: Collection, alice: User, tmp_path: Path
) -> None:
    Collection.objects.filter(pk=full.pk).update(run_defaults={"look": {"models": "one"}})
    StageRun.objects.filter(run__collection=full).update(stage="look")
    write(collection=full, target=tmp_path / "b.zip")
    back = restore(source=tmp_path / "b.zip", owner=alice, name="Second").collection
    assert {row.stage for row in StageRun.objects.filter(run__collection=back)} == {"run_models"}
    assert Collection.objects.get(pk=back.pk).run_defaults == {"run_models": {"models": "one"}}


def test_the_history_that_comes_back_can_be_undone(full: Collection, alice: User, bob: User, tmp_path: Path) -> None:
    write(collection=full, target=tmp_path / "b.zip")
    back = restore(source=tmp_path / "b.zip", owner=alice, name="Second").collection
    dropped = Frame.objects.get(collection=back, index=2)
    original = Frame.objects.get(collection=full, index=2)
    assert dropped.state == "dropped"
    history.undo(Operation.objects.get(collection=back, kind="frames.drop"), by=bob)
    dropped.refresh_from_db()
    original.refresh_from_db()
    assert (dropped.state, original.state) == ("kept", "dropped")


def test_it_comes_back_after_the_collection_and_its_files_are_gone(
    full: Collection, alice: User, tmp_path: Path, settings: Any
) -> None:
    film_bytes = (settings.KOMA_DATA_DIR / Source.objects.get().path).read_bytes()
    PipelineRun.objects.update(state="done")
    write(collection=full, target=tmp_path / "b.zip")
    assert collection_actions.delete(collection=full, typed_name=full.name, by=alice) == 4
    assert [p for p in settings.KOMA_DATA_DIR.rglob("*") if p.is_file()] == []
    Tag.objects.all().delete()
    User.objects.filter(username="bob").delete()
    back = restore(source=tmp_path / "b.zip", owner=alice).collection
    assert back.name == "Tiny show"
    source = Source.objects.get(collection=back)
    assert (settings.KOMA_DATA_DIR / source.path).read_bytes() == film_bytes
    assert all(store().is_sound(frame.file) for frame in Frame.objects.filter(collection=back))
    assert Tag.objects.get().name == "<script>"
    ghost = User.objects.get(username="bob")
    assert not ghost.is_active
    assert not ghost.has_usable_password()
    assert back.memberships.get().user == alice


def test_a_second_restore_beside_the_first_takes_another_name(full: Collection, alice: User, tmp_path: Path) -> None:
    write(collection=full, target=tmp_path / "b.zip")
    assert restore(source=tmp_path / "b.zip", owner=alice).collection.name == "Tiny show (restored)"


def test_the_commands_say_what_they_did(full: Collection, tmp_path: Path) -> None:
    out = StringIO()
    call_command("backup", "Tiny show", str(tmp_path / "b.zip"), stdout=out)
    call_command("restore", str(tmp_path / "b.zip"), "--name", "Again", stdout=out)
    assert "files" in out.getvalue()
    assert "Again" in out.getvalue()
    with pytest.raises(CommandError, match="Tiny show"):
        call_command("backup", "nothing", str(tmp_path / "c.zip"))
    with pytest.raises(CommandError, match="zip"):
        call_command("restore", str(Path(__file__)))


def test_a_file_that_is_missing_is_reported(full: Collection, alice: User, tmp_path: Path) -> None:
    name = Frame.objects.get(collection=full, index=1).file
    store().remove(name)
    assert write(collection=full, target=tmp_path / "b.zip").missing == (f"store/{name}",)
    assert "missing" in restore(source=tmp_path / "b.zip", owner=alice).notes[0]
    with pytest.raises(CommandError, match="The backup lacks 1 file missing"):
        call_command("backup", str(full.pk), str(tmp_path / "c.zip"))
    assert (tmp_path / "c.zip").is_file()


def test_a_full_disk_leaves_no_half_backup(full: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(KomaError, match="disk is full"):
            write(collection=full, target=tmp_path / "b.zip")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [p.name for p in tmp_path.iterdir() if "b.zip" in p.name] == []


def rewritten(path: Path, target: Path, change: Any) -> Path:
    """The backup with its members changed by `change(name, data)`: None drops one, a dict adds."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            for name, data in change(info.filename, old.read(info)):
                new.writestr(name, data)
    return target


def edited(label: str, **values: Any) -> Any:
    def change(name: str, data: bytes) -> list[tuple[str, bytes]]:
        if name != f"rows/{label}.jsonl":
            return [(name, data)]
        rows = [json.dumps(json.loads(line) | values) for line in data.splitlines()]
        return [(name, "\n".join(rows).encode())]

    return change


HOSTILE: dict[str, Any] = {
    "extra member": lambda n, d: [(n, d), ("evil.sh", b"x")] if n == "manifest.json" else [(n, d)],
    "path": lambda n, d: [(n, d), ("../../evil", b"x")] if n == "manifest.json" else [(n, d)],
    "no manifest": lambda n, d: [] if n == "manifest.json" else [(n, d)],
    "broken manifest": lambda n, d: [(n, b"{" if n == "manifest.json" else d)],
    "newer": lambda n, d: [(n, d.replace(b'"version": 1', b'"version": 9') if n == "manifest.json" else d)],
    "other model": lambda n, d: [(n, d), ("rows/auth.Permission.jsonl", b"{}")] if n == "manifest.json" else [(n, d)],
    "changed picture": lambda n, d: [(n, png(shade=9) if n.startswith("store/") else d)],
    "changed film": lambda n, d: [(n, b"x" * len(d) if n.startswith("sources/") else d)],
    "lost picture": lambda n, d: [] if n.startswith("store/") else [(n, d)],
    "not json": lambda n, d: [(n, b"\xff\xfe{" if n == "rows/ingest.Frame.jsonl" else d)],
    "reference": edited("ingest.Frame", episode_id=123456),
    "no key": edited("ingest.Frame", id="1; DROP TABLE"),
    "same key": edited("ingest.Frame", id=7),
    "too long": edited("ingest.Episode", title="x" * 5000),
    "wrong type": edited("ingest.Frame", width="<script>"),
    "wrong bytes": edited("ingest.Frame", descriptor="no base64!"),
    "number of 400 digits": edited("annotate.Face", score=int("1" * 400)),
    "whole number of 400 digits": edited("ingest.Frame", width=int("1" * 400)),
    "number of 5,000 digits": lambda n, d: [
        (n, d.replace(b'"width":48', b'"width":' + b"4" * 5000) if n == "rows/ingest.Frame.jsonl" else d)
    ],
    "deep brackets": lambda n, d: [(n, b"[" * 200_000 if n in {"manifest.json", "rows/ingest.Frame.jsonl"} else d)],
    "infinite": edited("annotate.Face", score=float("inf")),
    "no number": edited("ingest.Episode", duration_s=float("nan")),
    "box far outside": edited("annotate.Face", left=1e300),
    "box before the picture": edited("annotate.Face", top=-0.5),
    "box turned inside out": edited("annotate.Face", left=0.6, right=0.5),
    "wrong choice": edited("ingest.Frame", state="root"),
    "history of others": edited("ingest.Revision", model="auth.User"),
    "second collection": lambda n, d: [
        (n, d + d.replace(b'"id":', b'"id":9') if n == "rows/ingest.Collection.jsonl" else d)
    ],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_or_damaged_backup_is_refused_and_leaves_nothing(
    full: Collection, alice: User, tmp_path: Path, settings: Any, kind: str
) -> None:
    write(collection=full, target=tmp_path / "b.zip")
    bad = rewritten(tmp_path / "b.zip", tmp_path / "bad.zip", HOSTILE[kind])
    rows = {model: model._default_manager.count() for model in all_models()}
    files = {p for p in settings.KOMA_DATA_DIR.rglob("*") if p.is_file()}
    with pytest.raises(BadInput):
        restore(source=bad, owner=alice, name="Evil")
    assert {model: model._default_manager.count() for model in all_models()} == rows
    assert {p for p in settings.KOMA_DATA_DIR.rglob("*") if p.is_file()} == files


def test_a_path_of_a_hostile_backup_is_not_opened(full: Collection, alice: User, tmp_path: Path, settings: Any) -> None:
    outside = film(tmp_path / "secret.mkv", shade=90)
    library = tmp_path / "library"
    library.mkdir()
    inside = library / "ok.mkv"
    inside.write_bytes(outside.read_bytes())
    settings.KOMA_LIBRARY_DIRS = [library]
    write(collection=full, target=tmp_path / "b.zip", with_sources=False)
    for path, is_kept in ((outside, False), (inside, True)):
        change = edited("ingest.Source", path=str(path), uploaded=False)
        bad = rewritten(tmp_path / "b.zip", tmp_path / f"bad{is_kept}.zip", change)
        back = restore(source=bad, owner=alice, name=f"kept {is_kept}")
        source = Source.objects.get(collection=back.collection)
        assert (source.path == str(path)) is is_kept
        assert bool(back.notes) is not is_kept


def with_history(**values: Any) -> Any:
    """The first operation gets one more revision, as a hostile hand would add it."""

    def change(name: str, data: bytes) -> list[tuple[str, bytes]]:
        if name != "rows/ingest.Revision.jsonl":
            return [(name, data)]
        first = json.loads(data.splitlines()[0])
        return [(name, data + json.dumps(first | {"id": 99_999} | values).encode())]

    return change


PRIVATE = {"path": "private.mkv", "uploaded": False}
ELSEWHERE = "aa/bb/" + "c" * 64 + ".png"  # a stored file of somebody else
HOSTILE_HISTORY: dict[str, dict[str, Any]] = {
    "place of a source": {"model": "ingest.Source", "before": PRIVATE, "after": {"path": "x", "uploaded": True}},
    "beside a harmless field": {
        "model": "ingest.Source",
        "before": PRIVATE | {"licence_note": ""},
        "after": {"path": "x", "uploaded": True, "licence_note": ""},
    },
    "only before": {"model": "ingest.Source", "before": PRIVATE | {"licence_note": ""}, "after": {"licence_note": ""}},
    "a source made again": {"model": "ingest.Source", "before": {"id": 1, "name": "x", **PRIVATE}, "after": None},
    "files of a frame": {"model": "ingest.Frame", "before": {"file": ELSEWHERE}, "after": {"file": ""}},
    "no choice": {"model": "ingest.Frame", "before": {"state": "root"}, "after": {"state": "kept"}},
    "box far outside": {"model": "annotate.Face", "before": {"left": 1e300}, "after": {"left": 0.1}},
    "number of 400 digits": {"model": "annotate.Face", "before": {"left": int("1" * 400)}, "after": {"left": 0.1}},
    "no number": {"model": "ingest.Frame", "before": {"face_count": "x"}, "after": {"face_count": 0}},
    "no object": {"model": "ingest.Frame", "before": ["state"], "after": {"state": "kept"}},
    "no such field": {"model": "annotate.Caption", "before": {"root": 1}, "after": None},
    "somebody else's crop": {
        "model": "annotate.ReferencePicture",
        "before": {"id": 1, "collection_id": 1, "character_id": 1, "sha256": "a", "crop": ELSEWHERE},
        "after": None,
    },
}


@pytest.mark.parametrize("kind", HOSTILE_HISTORY)
def test_history_that_undo_must_not_write_is_left_out_and_reported(
    full: Collection, alice: User, tmp_path: Path, kind: str
) -> None:
    write(collection=full, target=tmp_path / "b.zip")
    source = Source.objects.get(collection=full)
    change = with_history(object_id=source.pk, **HOSTILE_HISTORY[kind])
    bad = rewritten(tmp_path / "b.zip", tmp_path / "bad.zip", change)
    back = restore(source=bad, owner=alice, name="back")
    assert any(note.startswith("1 change in the history cannot") for note in back.notes), back.notes
    assert Operation.objects.filter(collection=back.collection).count() == full.operations.count()
    operation = Operation.objects.get(collection=back.collection, kind="frames.drop")
    history.undo(operation, by=alice)  # what is harmless comes back as before
    place = Source.objects.get(collection=back.collection)
    assert (place.path, place.uploaded) == (f"sources/{back.collection.pk}/{place.sha256}.mkv", True)


def test_the_history_of_a_real_backup_comes_back_whole(full: Collection, alice: User, tmp_path: Path) -> None:
    write(collection=full, target=tmp_path / "b.zip")
    back = restore(source=tmp_path / "b.zip", owner=alice)
    assert back.notes == ()
    of = [list(c.operations.values_list("revisions__before", "revisions__after")) for c in (full, back.collection)]
    assert len(of[0]) == len(of[1])


def test_rows_name_no_file_that_did_not_come_along(full: Collection, alice: User, tmp_path: Path) -> None:
    """By its hash a backup could otherwise ask for a picture of another collection of this server."""
    secret = store().put(png(shade=200), "png")
    write(collection=full, target=tmp_path / "b.zip")
    bad = rewritten(tmp_path / "b.zip", tmp_path / "bad.zip", edited("annotate.Face", crop=secret))
    back = restore(source=bad, owner=alice)
    assert not stored_files.belongs_to(back.collection, secret)
    assert Face.objects.get(collection=back.collection).crop == ""


def test_restoring_without_an_admin_says_what_to_do(full: Collection, tmp_path: Path) -> None:
    write(collection=full, target=tmp_path / "b.zip")
    User.objects.update(is_superuser=False)
    with pytest.raises(CommandError, match=r"no site admin yet.*create_admin NAME.*--owner"):
        call_command("restore", str(tmp_path / "b.zip"))
    with pytest.raises(CommandError, match="no active account named 'nobody'"):
        call_command("restore", str(tmp_path / "b.zip"), "--owner", "nobody")
    assert Collection.objects.count() == 1
