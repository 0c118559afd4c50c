"""Undo beside what other people built: nothing of theirs is taken, nothing ends in an error, counters stay true."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from annotate.actions import boxes, characters
from annotate.actions import clusters as cluster_actions
from annotate.actions import faces as face_actions
from annotate.consistency import check
from annotate.counters import face_columns
from annotate.models import (
    Character,
    CharacterAlias,
    Face,
    FaceCluster,
    FaceVector,
    FrameCharacter,
    FrameTag,
    ModelVersion,
    NamedBy,
    NameOrigin,
    Tag,
)
from ingest.actions import history
from ingest.errors import Conflict, KomaError
from ingest.models import Collection, Frame, Operation, Revision
from tests.conftest import client_of, make_user

pytestmark = pytest.mark.django_db


def name(rows: list[Face], **values: Any) -> Operation:
    return face_actions.assign(faces=rows, **values)


def undo_of(summary: str, *, by: User) -> history.Undone:
    return history.undo(Operation.objects.get(summary=summary), by=by)


def counters_are_true() -> bool:
    frames, sizes = Frame.objects.values_list("pk", flat=True), FaceCluster.objects.values_list("pk", flat=True)
    return not face_columns.wrong_face_counts(list(frames)) and not face_columns.wrong_sizes(list(sizes))


def test_a_new_character_stays_where_another_person_has_named_faces_by_it(
    collection: Collection, alice: User, bob: User, faces: list[Face]
) -> None:
    assign = {"collection": collection, "character": "Zed"}
    name(faces[:1], by=alice, **assign)
    name(faces[1:], by=bob, **assign)
    done = history.undo_last(collection=collection, by=alice)
    assert done.words == "Undone: 1 face named Zed. Character Zed stays: 5 faces are named Zed by bob."
    zed = Character.objects.get(name="Zed")
    assert Face.objects.filter(character=zed, named_by=NamedBy.PERSON, named_user=bob).count() == 5
    assert Face.objects.get(pk=faces[0].pk).named_by == NamedBy.NONE


def test_the_people_who_use_a_new_character_are_named_who_does_most_first(
    collection: Collection, alice: User, bob: User, faces: list[Face]
) -> None:
    zed = characters.create(collection=collection, name="Zed", by=alice)
    name(faces[:1], collection=collection, character=zed, by=bob)
    name(faces[1:3], collection=collection, character=zed, by=make_user("eve"))
    with pytest.raises(Conflict, match="3 faces are named Zed by eve and bob"):
        history.undo_last(collection=collection, by=alice)


def test_a_new_name_is_one_step_back(collection: Collection, bob: User, faces: list[Face]) -> None:
    name(faces[:2], by=bob, collection=collection, character="Zed")
    assert Operation.objects.count() == 1
    history.undo_last(collection=collection, by=bob)
    assert not Character.objects.exists()
    assert not Face.objects.exclude(named_by=NamedBy.NONE).exists()
    with pytest.raises(KomaError, match="Nothing left to undo"):
        history.undo_last(collection=collection, by=bob)


def test_naming_a_cluster_by_a_new_name_is_one_step_back(
    collection: Collection, bob: User, faces: list[Face], clusters: list[FaceCluster]
) -> None:
    url = f"/c/{collection.pk}/clusters/{clusters[0].pk}/change/"
    assert client_of(bob).post(url, {"act": "name", "name": "Zed"}).status_code == 302
    assert Face.objects.filter(character__name="Zed").count() == 3
    assert client_of(bob).post(f"/c/{collection.pk}/undo/").status_code == 302
    assert not Character.objects.exists()
    assert FaceCluster.objects.get(pk=clusters[0].pk).guess_id is None


@pytest.mark.parametrize(
    ("built", "uses"),
    [
        ("alias", "1 character alias is given to Zed"),
        ("aliases", "2 character aliases are given to Zed"),
        ("outfit", "1 character is an outfit of Zed"),
        ("ruled out", "1 face is marked as not Zed"),
        ("reference", "1 reference picture is of it"),
    ],
)
def test_a_new_character_stays_for_everything_else_that_people_said_of_it(
    collection: Collection, alice: User, bob: User, faces: list[Face], built: str, uses: str
) -> None:
    zed = characters.create(collection=collection, name="Zed", by=alice)
    names = {"alias": ["Zeddy"], "aliases": ["Zeddy", "Zett"]}.get(built, [])
    if names:
        for other in names:
            characters.add_alias(collection=collection, character=zed, name=other, by=bob)
    elif built == "outfit":
        characters.create(collection=collection, name="Zed in red", parent=zed, by=bob)
    elif built == "ruled out":
        face_actions.is_not(collection=collection, faces=faces[:1], character=zed, by=bob)
    else:
        zed.reference_pictures.create(collection=collection, sha256="0" * 64, crop="x")
    with pytest.raises(Conflict) as caught:
        undo_of("Character Zed created", by=alice)
    assert caught.value.message == f"Nothing was undone. Character Zed stays: {uses}."
    assert Character.objects.filter(pk=zed.pk).exists()
    assert CharacterAlias.objects.count() == len(names)


def test_what_models_said_of_a_new_character_goes_with_it_and_is_in_the_history(
    collection: Collection, alice: User, faces: list[Face], clusters: list[FaceCluster]
) -> None:
    zed = characters.create(collection=collection, name="Zed", by=alice)
    Face.objects.filter(pk=faces[0].pk).update(character=zed, named_by=NamedBy.MODEL, confidence=0.9)
    FaceCluster.objects.filter(pk=clusters[0].pk).update(guess=zed, guess_score=0.9)
    done = undo_of("Character Zed created", by=alice)
    assert (done.skipped, Character.objects.count()) == (0, 0)
    face = Face.objects.get(pk=faces[0].pk)
    assert (face.character_id, face.named_by, face.confidence) == (None, NamedBy.NONE, None)
    changed = Revision.objects.get(operation=done.operation, model="annotate.Face")
    assert (changed.object_id, changed.before["character_id"], changed.after["character_id"]) == (face.pk, zed.pk, None)
    assert changed.frame_id == face.frame_id
    assert Revision.objects.filter(operation=done.operation, model="annotate.FaceCluster").exists()


def test_a_name_whose_character_was_merged_away_is_reported_and_the_next_undo_goes_on(
    collection: Collection, alice: User, bob: User, faces: list[Face]
) -> None:
    """Through the page: each press is answered, none with an error, and none is stuck."""
    source, target = (characters.create(collection=collection, name=n, by=alice) for n in ("Source", "Target"))
    name(faces[2:3], collection=collection, character=target, by=bob)
    name(faces[:1], collection=collection, character=source, by=bob)
    name(faces[:1], collection=collection, character=target, by=bob)
    characters.merge(collection=collection, character=source, into=target, by=alice)
    client, htmx = client_of(bob), {"HX-Request": "true"}
    answers = [client.post(f"/c/{collection.pk}/undo/", headers=htmx) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [409, 409, 204, 422]
    reason = "A face is left as it is: its character no longer exists (Source merged into Target"
    assert reason in answers[0].headers["HX-Trigger"]
    assert "The next undo takes back your change before that" in answers[0].headers["HX-Trigger"]
    assert Face.objects.get(pk=faces[0].pk).character_id == target.pk
    assert Face.objects.get(pk=faces[2].pk).character_id is None
    last = Operation.objects.filter(by=bob, kind="faces.name").order_by("-pk")[0]
    assert client_of(alice).post(f"/c/{collection.pk}/undo/{last.pk}/", headers=htmx).status_code == 409


def test_a_cluster_that_came_of_a_split_stays_where_others_put_faces_into_it(
    collection: Collection, alice: User, bob: User, faces: list[Face], clusters: list[FaceCluster]
) -> None:
    fresh = cluster_actions.split(collection=collection, cluster=clusters[0], faces=[faces[0].pk], by=alice)
    cluster_actions.merge(collection=collection, into=fresh, others=[clusters[1]], by=bob)
    done = history.undo_last(collection=collection, by=alice)
    assert done.reasons == ("Face cluster 3 stays: 3 faces are in it.",)
    assert Face.objects.filter(cluster=fresh).count() == 3
    assert Face.objects.get(pk=faces[0].pk).cluster_id == clusters[0].pk
    assert counters_are_true()


def test_merged_clusters_take_their_denied_faces_along(
    collection: Collection, bob: User, faces: list[Face], clusters: list[FaceCluster]
) -> None:
    face_actions.not_a_face(collection=collection, faces=[faces[1]], by=bob)
    cluster_actions.merge(collection=collection, into=clusters[0], others=[clusters[1]], by=bob)
    assert Face.objects.filter(cluster=clusters[0]).count() == 6
    history.undo_last(collection=collection, by=bob)
    assert Face.objects.filter(cluster_id=clusters[1].pk).count() == 3
    assert counters_are_true()


def test_counters_stay_true_when_an_older_change_is_undone(
    collection: Collection, alice: User, bob: User, faces: list[Face], frames: list[Frame]
) -> None:
    face_actions.not_a_face(collection=collection, faces=faces[:1], by=alice)
    boxes.draw(collection=collection, frame=frames[0], box=(0.5, 0.5, 0.7, 0.8), by=bob)
    history.undo_last(collection=collection, by=alice)
    assert Frame.objects.get(pk=frames[0].pk).face_count == 3
    history.undo_last(collection=collection, by=bob)
    assert Frame.objects.get(pk=frames[0].pk).face_count == 2
    assert counters_are_true()
    assert not Revision.objects.filter(model="ingest.Frame").exists()


def test_a_drawn_box_is_taken_back_after_it_was_cropped_and_described(
    collection: Collection, bob: User, faces: list[Face], frames: list[Frame], detector: ModelVersion
) -> None:
    """Crop, vector and group are computed: they are no change of somebody's, and go with the box."""
    face = boxes.draw(collection=collection, frame=frames[0], box=(0.5, 0.5, 0.7, 0.8), by=bob)
    Face.objects.filter(pk=face.pk).update(crop="a.jpg", embedding=b"\x01", embedding_version=detector)
    FaceVector.objects.create(face=face, model_version=detector, head="a.jpg", data=b"\x01")
    assert history.undo_last(collection=collection, by=bob).skipped == 0
    assert not Face.objects.filter(pk=face.pk).exists()


def test_a_moved_box_goes_back_after_it_was_cropped_anew(
    collection: Collection, bob: User, faces: list[Face], detector: ModelVersion
) -> None:
    Face.objects.filter(pk=faces[0].pk).update(crop="gone.jpg")
    boxes.move(collection=collection, face=faces[0], box=(0.2, 0.2, 0.5, 0.6), by=bob)
    Face.objects.filter(pk=faces[0].pk).update(crop="new.jpg", embedding=b"\x07", embedding_version=detector)
    assert history.undo_last(collection=collection, by=bob).skipped == 0
    face = Face.objects.get(pk=faces[0].pk)
    assert (face.left, face.top, face.right, face.bottom) == (0.1, 0.1, 0.3, 0.4)
    assert (face.crop, face.embedding) == ("", None)  # the old crop's file is gone: it is cut again


def test_a_box_that_somebody_named_meanwhile_is_not_taken_back(
    collection: Collection, alice: User, bob: User, faces: list[Face], frames: list[Frame]
) -> None:
    face = boxes.draw(collection=collection, frame=frames[0], box=(0.5, 0.5, 0.7, 0.8), by=bob)
    name([face], collection=collection, character="Zed", by=alice)
    with pytest.raises(Conflict, match="changed since"):
        history.undo_last(collection=collection, by=bob)
    assert Face.objects.filter(pk=face.pk, character__name="Zed").exists()


def test_a_merge_is_undone_with_everything_that_it_moved(
    collection: Collection, alice: User, faces: list[Face], clusters: list[FaceCluster]
) -> None:
    source, target = (characters.create(collection=collection, name=n, by=alice) for n in ("Source", "Target"))
    outfit = characters.create(collection=collection, name="Source in red", parent=source, by=alice)
    characters.add_alias(collection=collection, character=source, name="S", by=alice)
    name(faces[:2], collection=collection, character=source, by=alice)
    face_actions.is_not(collection=collection, faces=faces[3:4], character=source, by=alice)
    characters.merge(collection=collection, character=source, into=target, by=alice)
    assert history.undo_last(collection=collection, by=alice).skipped == 0
    assert Face.objects.filter(character_id=source.pk).count() == 2
    assert Face.objects.get(pk=faces[3].pk).not_characters == [source.pk]
    assert CharacterAlias.objects.get().character_id == source.pk
    assert Character.objects.get(pk=outfit.pk).parent_id == source.pk


def test_an_undo_makes_no_outfit_of_an_outfit(collection: Collection, alice: User, bob: User) -> None:
    anna, beth, cara = (characters.create(collection=collection, name=n, by=alice) for n in ("Anna", "Beth", "Cara"))
    characters.set_parent(collection=collection, character=anna, parent=beth, by=alice)
    characters.set_parent(collection=collection, character=anna, parent=None, by=alice)
    characters.set_parent(collection=collection, character=beth, parent=cara, by=bob)
    with pytest.raises(Conflict, match="its former character is now an outfit itself"):
        history.undo_last(collection=collection, by=alice)
    assert Character.objects.get(pk=anna.pk).parent_id is None


def test_an_undo_gives_no_alias_back_that_is_a_characters_name_by_now(
    collection: Collection, alice: User, bob: User
) -> None:
    anna = characters.create(collection=collection, name="Anna", by=alice)
    characters.add_alias(collection=collection, character=anna, name="Yui", by=alice)
    characters.remove_alias(collection=collection, alias=CharacterAlias.objects.get(), by=alice)
    characters.create(collection=collection, name="yui", by=bob)
    with pytest.raises(Conflict, match="a character is called Yui now"):
        history.undo_last(collection=collection, by=alice)
    assert not CharacterAlias.objects.exists()


def test_an_undo_gives_no_name_back_that_another_character_has_by_now(
    collection: Collection, alice: User, bob: User
) -> None:
    anna = characters.create(collection=collection, name="Anna", by=alice)
    characters.rename(collection=collection, character=anna, name="Beth", by=alice)
    characters.remove_alias(collection=collection, alias=CharacterAlias.objects.get(name="Anna"), by=bob)
    characters.create(collection=collection, name="ANNA", by=bob)
    with pytest.raises(Conflict, match="another character is now called Anna"):
        history.undo_last(collection=collection, by=alice)
    assert Character.objects.get(pk=anna.pk).name == "Beth"


def test_undo_of_an_answer_by_somebody_whose_account_is_gone_works(
    collection: Collection, alice: User, bob: User, faces: list[Face]
) -> None:
    eve = make_user("eve")
    name(faces[:1], collection=collection, character="Zed", by=eve)
    done = face_actions.not_a_face(collection=collection, faces=faces[:1], by=bob)
    eve.delete()
    history.undo(done, by=bob)
    face = Face.objects.get(pk=faces[0].pk)
    assert (face.character.name, face.named_by, face.named_user_id) == ("Zed", NamedBy.PERSON, None)


@pytest.mark.parametrize("origin", [NameOrigin.FILE, NameOrigin.PERSON])
def test_a_new_character_stays_for_frames_that_a_person_says_show_it_and_not_for_a_files_word(
    collection: Collection, alice: User, bob: User, frames: list[Frame], origin: NameOrigin
) -> None:
    zed = characters.create(collection=collection, name="Zed", by=alice)
    row = FrameCharacter.objects.create(frame=frames[0], character=zed, origin=origin, by=bob)
    FrameCharacter.objects.create(frame=frames[1], character=zed, origin=NameOrigin.FILE)
    if origin == NameOrigin.PERSON:
        with pytest.raises(Conflict, match="Character Zed stays: 1 frame is marked as showing Zed by bob"):
            history.undo_last(collection=collection, by=alice)
        assert FrameCharacter.objects.filter(pk=row.pk).exists()
    else:
        done = history.undo_last(collection=collection, by=alice)
        gone = Revision.objects.filter(operation=done.operation, model="annotate.FrameCharacter").order_by("pk")
        assert [(change.frame_id, change.after) for change in gone] == [(frame.pk, None) for frame in frames[:2]]
        assert (gone[0].object_id, Character.objects.count()) == (row.pk, 0)


def test_an_undone_merge_rules_nobody_out_by_a_character_that_is_gone(
    collection: Collection, alice: User, bob: User, faces: list[Face]
) -> None:
    """Its name is another's by now, so it stays gone, and its face keeps what the merge made of the answer."""
    common: dict[str, Any] = {"collection": collection, "by": alice}
    source, target = (characters.create(name=name, **common) for name in ("Sol", "Tia"))
    face_actions.is_not(faces=faces[:1], character=source, **common)
    merged = characters.merge(character=source, into=target, **common)
    characters.remove_alias(alias=target.aliases.get(name="Sol"), **common)
    characters.create(collection=collection, name="Sol", by=bob)
    reason = r"A face is left as it is: its character no longer exists \(Sol merged into Tia: 0 faces\)\."
    with pytest.raises(Conflict, match=reason):
        history.undo(merged, by=alice)
    assert Face.objects.get(pk=faces[0].pk).not_characters == [target.pk]
    assert not check(collection)


def test_a_box_that_comes_back_rules_nobody_out_by_a_character_that_is_gone(
    collection: Collection, alice: User, frames: list[Frame]
) -> None:
    common: dict[str, Any] = {"collection": collection, "by": alice}
    source = characters.create(name="Sol", **common)
    created = Operation.objects.get()
    other = characters.create(name="Tia", **common)
    drawn = boxes.draw(frame=frames[0], box=(0.5, 0.5, 0.7, 0.8), **common)
    for who in (source, other):
        face_actions.is_not(faces=[drawn], character=who, **common)
    deleted = boxes.delete(face=drawn, **common)
    history.undo(created, by=alice)
    assert not Character.objects.filter(name="Sol").exists()
    history.undo(deleted, by=alice)
    assert Face.objects.get(pk=drawn.pk).not_characters == [other.pk]


def test_an_undo_says_which_change_deleted_the_row_where_the_history_knows(
    collection: Collection, alice: User, bob: User, faces: list[Face], frames: list[Frame]
) -> None:
    common: dict[str, Any] = {"collection": collection, "by": alice}
    drawn, other = (boxes.draw(frame=frames[0], box=(x, 0.5, x + 0.1, 0.8), **common) for x in (0.5, 0.7))
    named = name([drawn], character="Zed", **common)
    boxes.delete(face=drawn, collection=collection, by=bob)
    for row in (other, Character.objects.create(pk=drawn.pk, collection=collection, name="Yui")):
        with history.operation(kind="test", summary="Something else deleted", **common) as record:
            record.deleted(row)
            row.delete()
    assert history.undo(named, by=alice).reasons == ("Face no longer exists (Face box deleted).",)
    named = name(faces[:1], character="Cara", **common)
    Face.objects.filter(pk=faces[0].pk).delete()
    assert history.undo(named, by=alice).reasons == ("Face no longer exists.",)


def test_an_undo_says_nothing_more_where_everything_is_as_before(
    collection: Collection, bob: User, faces: list[Face]
) -> None:
    name(faces[:1], collection=collection, character="Zed", by=bob)
    assert history.undo_last(collection=collection, by=bob).words == "Undone: 1 face named Zed"


def test_an_undo_counts_as_a_change_for_forms_that_were_opened_before(
    collection: Collection, bob: User, faces: list[Face]
) -> None:
    name(faces[:1], collection=collection, character="Zed", by=bob)
    seen = {faces[0].pk: 2}
    history.undo_last(collection=collection, by=bob)
    assert Face.objects.get(pk=faces[0].pk).version == 3
    name(faces[:1], collection=collection, character="Cara", by=make_user("eve"))
    with pytest.raises(Conflict, match="in the meantime"):
        name(faces[:1], collection=collection, character="Yui", by=bob, seen=seen)


def test_a_new_character_goes_though_it_was_an_outfit_for_a_while(
    collection: Collection, alice: User, bob: User
) -> None:
    mai = characters.create(collection=collection, name="Mai", by=bob)
    zed = characters.create(collection=collection, name="Zed", by=alice)
    for parent in (mai, None):
        characters.set_parent(collection=collection, character=zed, parent=parent, by=bob)
    undo_of("Character Zed created", by=alice)
    assert not Character.objects.filter(name="Zed").exists()


def test_all_that_keeps_a_new_character_is_named(
    collection: Collection, alice: User, bob: User, faces: list[Face]
) -> None:
    zed = characters.create(collection=collection, name="Zed", by=alice)
    characters.add_alias(collection=collection, character=zed, name="Zeddy", by=bob)
    name(faces[:2], collection=collection, character=zed, by=bob)
    with pytest.raises(Conflict) as caught:
        undo_of("Character Zed created", by=alice)
    uses = caught.value.message.removeprefix("Nothing was undone. Character Zed stays: ").removesuffix(".")
    assert sorted(uses.split(", ")) == ["1 character alias is given to Zed", "2 faces are named Zed by bob"]


def test_a_face_goes_back_without_its_group_where_faces_were_grouped_again(
    collection: Collection, bob: User, faces: list[Face], clusters: list[FaceCluster]
) -> None:
    cluster_actions.take_out(collection=collection, faces=faces[:1], by=bob)
    clusters[0].delete()
    done = history.undo_last(collection=collection, by=bob)
    assert (done.skipped, Face.objects.get(pk=faces[0].pk).cluster_id) == (0, None)


def test_what_was_on_a_frame_that_is_gone_cannot_come_back(
    collection: Collection, bob: User, frames: list[Frame]
) -> None:
    drawn = boxes.draw(collection=collection, frame=frames[0], box=(0.5, 0.5, 0.7, 0.8), by=bob)
    boxes.delete(collection=collection, face=drawn, by=bob)
    frames[0].delete()
    with pytest.raises(Conflict, match=r"Nothing was undone\. Face can't be restored: its frame no longer exists\."):
        history.undo_last(collection=collection, by=bob)


def tag_row(frame: Frame, tag: str) -> FrameTag:
    return FrameTag.objects.create(frame=frame, tag=Tag.objects.get_or_create(name=tag)[0], score=0.5)


def test_a_deleted_row_stays_deleted_where_another_one_has_its_place(
    collection: Collection, bob: User, frames: list[Frame]
) -> None:
    common: dict[str, Any] = {"collection": collection, "by": bob, "kind": "test", "summary": "Tags deleted"}
    with history.operation(**common) as record:
        for row in [tag_row(frames[0], name) for name in ("smile", "hat")]:
            record.deleted(row, frame_id=frames[0].pk)
            row.delete()
    again = tag_row(frames[0], "smile")
    done = history.undo_last(collection=collection, by=bob)
    assert done.skipped == 1
    assert done.reasons == ("Frame tag can't be restored: another one has taken its place.",)
    assert FrameTag.objects.get(tag__name="smile") == again
    assert [(change.model, change.frame_id) for change in done.operation.revisions.all()] == [
        ("annotate.FrameTag", frames[0].pk)
    ]


def test_a_change_stays_where_another_row_has_the_place_of_before(
    collection: Collection, alice: User, bob: User, frames: list[Frame]
) -> None:
    source, target = (characters.create(collection=collection, name=n, by=alice) for n in ("Sol", "Tia"))
    row = FrameCharacter.objects.create(frame=frames[0], character=source, origin=NameOrigin.FILE)
    with history.operation(collection=collection, by=bob, kind="test", summary="Moved") as record:
        row.character = target
        row.save()
        record.changed(row, before={"character_id": source.pk}, frame_id=frames[0].pk)
    FrameCharacter.objects.create(frame=frames[0], character=source, origin=NameOrigin.FILE)
    with pytest.raises(Conflict, match=r"Frame character is left as it is: another one has taken its place\."):
        history.undo_last(collection=collection, by=bob)
    row.refresh_from_db()
    assert row.character_id == target.pk


def test_the_history_of_a_frame_holds_what_an_undo_did_to_it(
    collection: Collection, bob: User, frames: list[Frame]
) -> None:
    drawn = boxes.draw(collection=collection, frame=frames[0], box=(0.5, 0.5, 0.7, 0.8), by=bob)
    boxes.delete(collection=collection, face=drawn, by=bob)
    for _ in range(2):
        history.undo_last(collection=collection, by=bob)
    kinds = [
        (change.operation.kind, change.before is None) for change in Revision.objects.filter(frame_id=frames[0].pk)
    ]
    assert sorted(kinds) == [("faces.delete", False), ("faces.draw", True), ("undo", False), ("undo", True)]


def test_of_many_reasons_the_first_are_told_and_the_rows_of_the_others_counted(
    collection: Collection, alice: User, bob: User
) -> None:
    with history.operation(collection=collection, by=alice, kind="test", summary="Cast added") as record:
        cast = [Character.objects.create(collection=collection, name=name) for name in "ABCDEFGH"]
        for row in cast:
            record.created(row)
    for row in cast[2:7]:
        characters.add_alias(collection=collection, character=row, name=f"alias of {row}", by=bob)
    for row in cast[:2]:
        characters.rename(collection=collection, character=row, name=f"{row} changed", by=bob)
    done = history.undo_last(collection=collection, by=alice)
    assert done.skipped == 7
    assert done.reasons == (
        *(f"Character {name} stays: 1 character alias is given to {name}." for name in "GFE"),
        "4 more were left as is for other reasons.",
    )
    assert not Character.objects.filter(name="H").exists()
