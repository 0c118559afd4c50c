"""Whole clusters named, split and merged."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotate.actions import characters
from annotate.actions import clusters as acts
from annotate.actions import faces as face_acts
from annotate.models import Face, FaceCluster, FaceState
from ingest.actions import history
from ingest.errors import BadInput, Conflict, Stale
from ingest.models import Collection, Operation
from tests.conftest import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture()
def mio(collection, alice):
    return characters.create(collection=collection, name="Mio", by=alice)


def test_a_cluster_is_named_in_one_operation_without_the_faces_taken_out(collection, bob, faces, clusters, mio):
    result = acts.name(collection=collection, cluster=clusters[0], character=mio, by=bob, taken_out=[faces[4]])
    assert (result.named, result.taken_out, result.left_alone) == (2, 1, 0)
    assert result.operation.summary == "2 faces named Mio, 1 removed"
    out = Face.objects.get(pk=faces[4].pk)
    assert (out.cluster, out.character, out.not_characters) == (None, None, [mio.pk])
    clusters[0].refresh_from_db()
    assert (clusters[0].size, clusters[0].guess) == (2, mio)
    history.undo_last(collection=collection, by=bob)
    assert Face.objects.get(pk=faces[4].pk).cluster == clusters[0]
    assert not Face.objects.filter(character=mio).exists()
    clusters[0].refresh_from_db()
    assert (clusters[0].size, clusters[0].guess) == (3, None)


def test_all_faces_of_a_cluster_are_named_by_one_update(collection, bob, faces, frames, clusters, detector, mio):
    box = {"left": 0.1, "top": 0.1, "right": 0.3, "model_version": detector, "cluster": clusters[0]}
    Face.objects.bulk_create(
        Face(collection=collection, frame=frames[n % 3], bottom=0.5 + n / 1000, confidence=n / 300, **box)
        for n in range(300)
    )
    with CaptureQueriesContext(connection) as queries:
        result = acts.name(collection=collection, cluster=clusters[0], character=mio, by=bob)
    assert result.named == 303
    sent = [query["sql"] for query in queries if query["sql"].startswith('UPDATE "annotate_face" ')]
    assert len(sent) == 1
    assert "CASE" not in sent[0]
    assert set(Face.objects.filter(character=mio).values_list("confidence", "version")) == {(1.0, 2)}
    with CaptureQueriesContext(connection) as queries:
        history.undo_last(collection=collection, by=bob)
    assert len(queries) < 303 + 30  # a face is written, not looked up: its box stays where it is
    assert set(Face.objects.values_list("character", "version")) == {(None, 3), (None, 1)}


def test_naming_a_cluster_leaves_other_answers_of_people_alone(collection, alice, bob, faces, clusters, mio):
    yui = characters.create(collection=collection, name="Yui", by=alice)
    face_acts.assign(collection=collection, faces=[faces[0]], character=yui, by=alice)
    face_acts.nobody(collection=collection, faces=[faces[2]], by=alice)
    result = acts.name(collection=collection, cluster=clusters[0], character=mio, by=bob)
    assert (result.named, result.left_alone) == (1, 1)
    assert Face.objects.get(pk=faces[0].pk).character == yui
    assert Face.objects.get(pk=faces[2].pk).state == FaceState.NOBODY


def test_a_cluster_that_is_gone_is_a_conflict(collection, bob, faces, clusters, mio):
    clusters[0].delete()
    with pytest.raises(Conflict, match="faces were grouped again"):
        acts.name(collection=collection, cluster=clusters[0].pk or 1, character=mio, by=bob)


def test_naming_after_the_character_was_merged_says_where_it_went(collection, alice, bob, faces, clusters, mio):
    yui = characters.create(collection=collection, name="Yui", by=alice)
    characters.merge(collection=collection, character=mio, into=yui, by=alice)
    with pytest.raises(Conflict, match="Mio was merged into Yui"):
        acts.name(collection=collection, cluster=clusters[0], character=mio, by=bob)
    assert not Face.objects.filter(character__isnull=False).exists()


def test_a_cluster_splits_and_merges_back(collection, bob, faces, clusters):
    fresh = acts.split(collection=collection, cluster=clusters[0], faces=faces[0:1], by=bob)
    clusters[0].refresh_from_db()
    assert (fresh.number, fresh.size, clusters[0].size) == (3, 1, 2)
    acts.merge(collection=collection, into=clusters[0], others=[fresh, clusters[1]], by=bob)
    assert FaceCluster.objects.filter(collection=collection).count() == 1
    assert Face.objects.filter(cluster=clusters[0]).count() == 6
    history.undo_last(collection=collection, by=bob)
    history.undo_last(collection=collection, by=bob)
    assert sorted(FaceCluster.objects.values_list("number", "size")) == [(1, 3), (2, 3)]
    assert Face.objects.get(pk=faces[1].pk).cluster_id == clusters[1].pk


def test_a_split_needs_some_faces_but_not_all(collection, bob, faces, clusters):
    with pytest.raises(BadInput):
        acts.split(collection=collection, cluster=clusters[0], faces=[faces[0], faces[2], faces[4]], by=bob)
    with pytest.raises(Conflict):
        acts.split(collection=collection, cluster=clusters[0], faces=[faces[1]], by=bob)


def test_faces_leave_their_cluster(collection, bob, faces, clusters):
    acts.take_out(collection=collection, faces=[faces[0], faces[1]], by=bob)
    assert list(FaceCluster.objects.order_by("number").values_list("size", flat=True)) == [2, 2]


def test_a_whole_cluster_can_be_nobody(collection, bob, faces, clusters):
    acts.nobody(collection=collection, cluster=clusters[1], by=bob)
    assert Face.objects.filter(state=FaceState.NOBODY).count() == 3


def test_a_group_with_all_faces_deselected_is_not_named(collection, bob, faces, clusters, mio):
    with pytest.raises(BadInput, match="nothing is left"):
        acts.name(collection=collection, cluster=clusters[0], character=mio, by=bob, taken_out=faces[::2])
    assert Face.objects.filter(cluster=clusters[0]).count() == 3


def test_a_group_that_people_named_otherwise_meanwhile_is_not_named_again(collection, alice, bob, faces, clusters, mio):
    acts.name(collection=collection, cluster=clusters[0], character="Yui", by=alice)
    with pytest.raises(Conflict, match="alice named group 1 “Yui” in the meantime"):
        acts.name(collection=collection, cluster=clusters[0], character=mio, by=bob)
    again = acts.name(collection=collection, cluster=clusters[0], character="Yui", by=bob)
    assert (again.named, again.left_alone) == (0, 0)
    face_acts.nobody(collection=collection, faces=faces[::2], by=alice)
    with pytest.raises(Conflict, match="reviewed all faces of group 1"):
        acts.name(collection=collection, cluster=clusters[0], character=mio, by=bob)


def test_a_face_that_a_person_named_leaves_the_group_and_keeps_its_name(collection, alice, bob, faces, clusters, mio):
    face_acts.assign(collection=collection, faces=[faces[0]], character=mio, by=alice)
    acts.name(collection=collection, cluster=clusters[0], character=mio, by=bob, taken_out=[faces[0].pk])
    face = Face.objects.get(pk=faces[0].pk)
    assert (face.cluster, face.character, face.named_user, face.not_characters) == (None, mio, alice, [])


def test_a_group_marked_as_not_in_the_cast_leaves_named_faces_alone(collection, alice, bob, faces, clusters, mio):
    face_acts.assign(collection=collection, faces=[faces[0]], character=mio, by=alice)
    operation = acts.nobody(collection=collection, cluster=clusters[0], by=bob)
    assert operation.summary == "2 faces marked as not in the cast"
    assert Face.objects.get(pk=faces[0].pk).character == mio


def test_a_group_is_merged_with_others_only(collection, bob, faces, clusters):
    with pytest.raises(BadInput, match="itself"):
        acts.merge(collection=collection, into=clusters[0], others=[clusters[0]], by=bob)
    with pytest.raises(BadInput, match="at least one"):
        acts.merge(collection=collection, into=clusters[0], others=[], by=bob)
    assert FaceCluster.objects.count() == 2


def test_the_next_number_is_above_those_of_its_own_collection(collection, clusters):
    other = Collection.objects.create(name="Other")
    assert (acts.next_number(collection), acts.next_number(other)) == (3, 1)


def test_a_form_of_a_group_that_others_named_shows_their_answer_and_can_be_sent_again(
    collection, bob, faces, clusters, mio
):
    eve = make_user("eve")
    acts.take_out(collection=collection, faces=[faces[0], faces[2]], by=bob)
    acts.name(collection=collection, cluster=clusters[0], character="Yui", by=eve)
    with pytest.raises(Stale, match="eve named group 1 “Yui”") as caught:
        acts.name(collection=collection, cluster=clusters[0], character=mio, by=bob)
    assert (list(caught.value.stored), list(caught.value.sent)) == ([("1 face", "Yui")], [("1 face", "Mio")])
    assert caught.value.resend["face"] == [f"{faces[4].pk}:2"]
    eve.delete()
    with pytest.raises(Stale, match="somebody named group 1"):
        acts.name(collection=collection, cluster=clusters[0], character=mio, by=bob)


def test_a_group_that_others_named_is_not_marked_as_not_in_the_cast_unseen(
    collection, alice, bob, faces, clusters, mio
):
    acts.name(collection=collection, cluster=clusters[0], character=mio, by=alice)
    with pytest.raises(Stale, match="alice named group 1 “Mio”") as caught:
        acts.nobody(collection=collection, cluster=clusters[0], by=bob)
    assert list(caught.value.sent) == [("3 faces", "not in the cast")]
    assert not Operation.objects.filter(kind="clusters.nobody").exists()


def test_a_group_that_was_split_off_is_as_pure_and_several_are_merged_at_once(collection, bob, faces, clusters, mio):
    fresh = acts.split(collection=collection, cluster=clusters[0], faces=[face.pk for face in faces[:3:2]], by=bob)
    assert fresh.purity == clusters[0].purity
    acts.merge(collection=collection, into=clusters[0].pk, others=[fresh.pk, clusters[1]], by=bob)
    assert Operation.objects.latest("pk").summary == "5 faces merged into group 1"
    acts.name(collection=collection, cluster=clusters[0].pk, character=mio, by=bob)
    clusters[0].refresh_from_db()
    assert (clusters[0].guess, clusters[0].guess_score) == (mio, 1.0)
