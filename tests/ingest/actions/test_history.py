from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import User

from annotate.models import Caption, Face
from ingest import undoable
from ingest.actions import frames, history
from ingest.errors import BadInput, Conflict, KomaError
from ingest.models import Collection, Episode, Frame, FrameState, Operation, Revision, Source

pytestmark = pytest.mark.django_db


@pytest.fixture()
def three(collection: Collection) -> list[Frame]:
    source = Source.objects.create(collection=collection, kind="video", name="a.mkv", path="a.mkv", sha256="a")
    episode = Episode.objects.create(collection=collection, source=source, title="a")
    return [
        Frame.objects.create(collection=collection, episode=episode, index=i, width=4, height=3, descriptor=b"\x01\xff")
        for i in range(3)
    ]


def states() -> list[str]:
    return list(Frame.objects.order_by("index").values_list("state", flat=True))


def test_an_operation_is_undone_as_a_whole(collection: Collection, bob: User, three: list[Frame]) -> None:
    frames.drop(collection=collection, frames=three[:2], by=bob)
    assert states() == ["dropped", "dropped", "kept"]
    undone, skipped, _ = history.undo_last(collection=collection, by=bob)
    assert (states(), skipped) == (["kept"] * 3, 0)
    assert undone.summary == "Undone: 2 frames dropped"
    assert not Frame.objects.filter(decided=True).exists()


def test_undo_goes_back_step_by_step_through_ones_own_operations_only(
    collection: Collection, alice: User, bob: User, three: list[Frame]
) -> None:
    frames.drop(collection=collection, frames=[three[0]], by=bob)
    frames.drop(collection=collection, frames=[three[1]], by=alice)
    frames.drop(collection=collection, frames=[three[2]], by=bob)
    history.undo_last(collection=collection, by=bob)
    history.undo_last(collection=collection, by=bob)
    assert states() == ["kept", "dropped", "kept"]
    with pytest.raises(KomaError, match=r"^Nothing left to undo"):
        history.undo_last(collection=collection, by=bob)


def test_undo_goes_back_in_its_own_collection_only(collection: Collection, bob: User, three: list[Frame]) -> None:
    other = Collection.objects.create(name="other")
    frames.drop(collection=collection, frames=[three[0]], by=bob)
    with pytest.raises(KomaError, match=r"^Nothing left to undo"):
        history.undo_last(collection=other, by=bob)
    assert states() == ["dropped", "kept", "kept"]


def test_undo_leaves_alone_what_somebody_changed_since(
    collection: Collection, alice: User, bob: User, three: list[Frame]
) -> None:
    first = frames.drop(collection=collection, frames=three, by=bob)
    frames.restore(collection=collection, frames=three[:2], by=alice)
    _, skipped, reasons = history.undo(first, by=bob)
    assert (skipped, reasons) == (2, ("2 were changed since then and left as is.",))
    assert states() == ["kept"] * 3
    assert Frame.objects.get(pk=three[0].pk).decided_by == alice


def test_undo_of_what_was_changed_entirely_is_a_conflict_and_writes_nothing(
    collection: Collection, alice: User, bob: User, three: list[Frame]
) -> None:
    first = frames.drop(collection=collection, frames=[three[0]], by=bob)
    frames.restore(collection=collection, frames=[three[0]], by=alice)
    before = Operation.objects.count()
    with pytest.raises(Conflict, match="1 was changed since then and left as is"):
        history.undo(first, by=bob)
    assert Operation.objects.count() == before


def test_an_operation_is_undone_once(collection: Collection, bob: User, three: list[Frame]) -> None:
    done = frames.drop(collection=collection, frames=three, by=bob)
    history.undo(done, by=bob)
    with pytest.raises(Conflict, match="Already undone"):
        history.undo(done, by=bob)


def test_a_deleted_row_comes_back_with_its_bytes(collection: Collection, bob: User, three: list[Frame]) -> None:
    box = {"left": 0.1, "top": 0.1, "right": 0.4, "bottom": 0.5}
    face = Face.objects.create(collection=collection, frame=three[0], embedding=b"\x01\xff", **box)
    with history.operation(collection=collection, by=bob, kind="test", summary="gone") as record:
        record.deleted(face)
        face.delete()
    history.undo_last(collection=collection, by=bob)
    assert bytes(Face.objects.get(frame=three[0]).embedding) == b"\x01\xff"


def test_a_created_row_goes_when_its_creation_is_undone(collection: Collection, bob: User, three: list[Frame]) -> None:
    with history.operation(collection=collection, by=bob, kind="test", summary="made") as record:
        record.created(Caption.objects.create(frame=three[0], text="a caption", by=bob))
    history.undo_last(collection=collection, by=bob)
    assert not Caption.objects.exists()


def test_what_undo_must_not_write_is_not_recorded_either(collection: Collection, bob: User, three: list[Frame]) -> None:
    source = three[0].episode.source
    for note in (
        lambda record: record.changed(source, before={"path": "before.mkv"}),
        lambda record: record.changed(three[0], before={"file": "before.png"}),
        lambda record: record.deleted(three[0]),
        lambda record: record.created(bob),
    ):
        with (
            pytest.raises(ValueError, match=r"undoable\.py"),
            history.operation(collection=collection, by=bob, kind="test", summary="s") as record,
        ):
            note(record)
    assert not Operation.objects.exists()


def test_a_revision_of_what_undo_must_not_write_is_left_alone(
    collection: Collection, bob: User, three: list[Frame]
) -> None:
    source = three[0].episode.source
    kind = Operation.objects.create(collection=collection, by=bob, kind="faces.name", summary="38 faces named Hinata")
    for before, after in (
        ({"path": "private.mkv"}, {"path": "a.mkv"}),
        ({"licence_note": "", "path": "private.mkv"}, {"licence_note": "", "path": "a.mkv"}),
        ({"licence_note": "", "path": "private.mkv"}, {"licence_note": ""}),
        (None, history.snapshot(source)),
    ):
        Revision.objects.create(
            operation=kind, model="ingest.Source", object_id=source.pk, before=before, after=after
        )  # fmt: skip
    with pytest.raises(KomaError):
        history.undo(kind, by=bob)
    source.refresh_from_db()
    assert source.path == "a.mkv"


def test_the_list_of_what_undo_writes_names_fields_that_exist_and_no_place_of_a_file() -> None:
    for label, may in undoable.UNDOABLE.items():
        fields = {field.attname: field for field in apps.get_model(label)._meta.concrete_fields}
        assert may.fields <= fields.keys(), label
        assert not may.fields & {"id", "path", "file", "preview", "sha256", "uploaded", "collection_id", "folder"}, (
            label
        )
    assert "ingest.Source" in undoable.UNDOABLE
    assert not {label for label, may in undoable.UNDOABLE.items() if may.rows and label.startswith("ingest.")}


def test_a_failing_operation_leaves_no_trace(collection: Collection, bob: User, three: list[Frame]) -> None:
    with pytest.raises(RuntimeError), history.operation(collection=collection, by=bob, kind="t", summary="s") as record:
        before = history.snapshot(three[0], names=("state",))
        three[0].state = FrameState.DROPPED
        three[0].save()
        record.changed(three[0], before=before)
        raise RuntimeError
    assert states() == ["kept"] * 3
    assert not Operation.objects.exists()
    assert not Revision.objects.exists()


def test_a_double_submit_writes_once(collection: Collection, bob: User, three: list[Frame]) -> None:
    frames.drop(collection=collection, frames=[three[0]], by=bob, key="k1")
    with pytest.raises(Conflict, match="duplicate request"):
        frames.drop(collection=collection, frames=[three[1]], by=bob, key="k1")
    assert states() == ["dropped", "kept", "kept"]


def test_frames_of_another_collection_are_never_touched(bob: User, three: list[Frame]) -> None:
    other = Collection.objects.create(name="other")
    frames.drop(collection=other, frames=three, by=bob)
    assert states() == ["kept"] * 3


def test_nothing_selected_is_said(collection: Collection, bob: User) -> None:
    with pytest.raises(BadInput, match="Select at least one frame"):
        frames.drop(collection=collection, frames=[], by=bob)
