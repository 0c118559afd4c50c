"""From faces to names: described, grouped, named from a few; a person's word stays."""

from __future__ import annotations

from typing import Any

import pytest

from annotate.actions import boxes, characters, clusters
from annotate.actions import faces as face_acts
from annotate.models import Face, FaceCluster, FaceState, NamedBy
from ingest.actions import history
from tests.annotate.people import ANNA, BETH, CARA

pytestmark = pytest.mark.django_db
TRIO = [[ANNA], [BETH], [CARA]] * 5 + [[ANNA, BETH], [BETH, CARA]]


@pytest.fixture()
def looks_of(make_episode):
    """Who each face row truly is, by key, for episodes made through `episode_of`."""
    truth: dict[int, Any] = {}

    def make(cast, *, seed=0):
        episode = make_episode(cast, seed=seed)
        rows = Face.objects.filter(frame__episode=episode).order_by("frame__index", "left")
        truth.update(zip(rows.values_list("pk", flat=True), [who for people in cast for who in people]))
        return episode

    make.truth = truth
    return make


def rows() -> list[tuple[Any, ...]]:
    names = ("cluster__number", "state", "character__name", "confidence", "named_by", "version", "embedding_version")
    return sorted(Face.objects.values_list("pk", *names))


def first_cluster_of(truth, who):
    """The largest cluster of this person."""
    keys = [key for key, looks in truth.items() if looks is who]
    return FaceCluster.objects.filter(faces__in=keys).order_by("-size", "number").first()


def test_faces_are_described_once(looks_of, run):
    episode = looks_of(TRIO)
    assert run(episode, "embed").stages.get().counters == {"faces": 19}
    assert not Face.objects.filter(embedding=None).exists()
    assert run(episode, "embed").stages.get().counters == {}


def test_a_moved_box_and_a_broken_crop_are_met(looks_of, run, settings, alice, collection):
    episode = looks_of(TRIO)
    first, second = Face.objects.order_by("pk")[:2]
    (settings.KOMA_DATA_DIR / "store" / first.crop).write_bytes(b"no picture")
    done = run(episode, "embed")
    assert done.stages.get().counters == {"faces": 18, "unreadable": 1}
    assert f"face {first.pk} has no description" in done.stages.get().log
    boxes.move(collection=collection, face=second, box=(0.3, 0.3, 0.6, 0.7), by=alice)
    second.refresh_from_db()
    assert second.embedding is None


def test_people_fall_into_pure_clusters_and_a_second_run_changes_nothing(looks_of, run):
    episode = looks_of(TRIO)
    run(episode, "embed", "cluster", "identify")
    for cluster in FaceCluster.objects.all():
        people = {looks_of.truth[key] for key in cluster.faces.values_list("pk", flat=True)}
        assert len(people) == 1
        assert cluster.size == cluster.faces.count()
    assert not Face.objects.filter(cluster=None).exists()
    before = rows()
    run(episode, "embed", "cluster", "identify")
    assert rows() == before


def test_one_named_cluster_each_names_the_rest_and_strangers_stay_unknown(looks_of, run, collection, alice):
    episode = looks_of(TRIO)
    run(episode, "embed", "cluster")
    for name, who in (("Anna", ANNA), ("Beth", BETH)):
        character = characters.create(collection=collection, name=name, by=alice)
        clusters.name(
            collection=collection, cluster=first_cluster_of(looks_of.truth, who), character=character, by=alice
        )
    run(episode, "identify")
    named = dict(Face.objects.values_list("pk", "character__name"))
    expected = {ANNA: "Anna", BETH: "Beth", CARA: None}
    assert named == {key: expected[who] for key, who in looks_of.truth.items()}


def test_a_new_episode_joins_old_clusters_and_is_named_from_old_ones(looks_of, run, collection, alice):
    old = looks_of(TRIO)
    run(old, "embed", "cluster")
    anna = characters.create(collection=collection, name="Anna", by=alice)
    clusters.name(collection=collection, cluster=first_cluster_of(looks_of.truth, ANNA), character=anna, by=alice)
    before = dict(Face.objects.values_list("pk", "cluster"))
    new = looks_of([[ANNA], [CARA], [ANNA, CARA]], seed=7)
    run(new, "embed", "cluster", "identify")
    fresh = Face.objects.filter(frame__episode=new)
    assert {face.character == anna for face in fresh if looks_of.truth[face.pk] is ANNA} == {True}
    assert {face.character for face in fresh if looks_of.truth[face.pk] is CARA} == {None}
    assert {face.named_by for face in fresh if face.character} == {NamedBy.MODEL}
    assert all(Face.objects.get(pk=key).cluster_id == cluster for key, cluster in before.items())


def test_a_run_never_overwrites_a_person(looks_of, run, collection, alice):
    episode = looks_of(TRIO)
    run(episode, "embed", "cluster")
    anna = characters.create(collection=collection, name="Anna", by=alice)
    beth = characters.create(collection=collection, name="Beth", by=alice)
    annas = [key for key, who in looks_of.truth.items() if who is ANNA]
    face_acts.assign(collection=collection, faces=annas[:3], character=anna, by=alice)
    face_acts.assign(collection=collection, faces=annas[3:4], character=beth, by=alice)  # wrong, but the person's word
    face_acts.nobody(collection=collection, faces=annas[4:5], by=alice)
    run(episode, "identify")
    assert Face.objects.get(pk=annas[5]).character == anna
    face_acts.unname(collection=collection, faces=annas[5:6], by=alice)
    run(episode, "cluster", "identify")
    assert Face.objects.get(pk=annas[3]).character == beth
    assert Face.objects.get(pk=annas[4]).state == FaceState.NOBODY
    assert Face.objects.get(pk=annas[5]).character is None  # ruled out by the person


def test_clusters_are_measured_again_when_new_faces_come(looks_of, run):
    run(looks_of(TRIO), "embed", "cluster")
    first = dict(FaceCluster.objects.filter(size__gt=1).values_list("pk", "size"))
    assert first
    FaceCluster.objects.update(purity=0.01)  # as an older version measured it
    run(looks_of(TRIO), "embed", "cluster")  # the very same pictures once more
    now = FaceCluster.objects.in_bulk(list(first))
    assert any(row.size > first[key] for key, row in now.items())
    for row in now.values():
        fitting = row.purity * (row.size + 1) - 0.5  # a whole number of its faces
        assert 0 <= fitting <= row.size + 0.01
        assert abs(fitting - round(fitting)) < 0.01
    assert max(row.purity for row in now.values()) > 0.8


def test_a_face_taken_out_of_its_cluster_is_not_put_back(looks_of, run, collection, alice):
    episode = looks_of(TRIO)
    run(episode, "embed", "cluster")
    key = next(iter(looks_of.truth))
    clusters.take_out(collection=collection, faces=[key], by=alice)
    run(episode, "cluster")
    assert Face.objects.get(pk=key).cluster is None


def test_names_of_a_model_go_when_the_names_they_came_from_are_taken_back(looks_of, run, collection, alice):
    episode = looks_of(TRIO)
    run(episode, "embed", "cluster")
    anna = characters.create(collection=collection, name="Anna", by=alice)
    face_acts.assign(collection=collection, faces=[next(iter(looks_of.truth))], character=anna, by=alice)
    run(episode, "identify")
    assert Face.objects.filter(character=anna).count() > 1
    history.undo_last(collection=collection, by=alice)
    run(episode, "identify")
    assert not Face.objects.filter(character__isnull=False).exists()
    assert not FaceCluster.objects.filter(guess__isnull=False).exists()


def test_nobody_is_twice_in_one_picture(looks_of, run, collection, alice):
    episode = looks_of([[ANNA], [ANNA], [ANNA, ANNA], [BETH]])
    run(episode, "embed", "cluster")
    anna = characters.create(collection=collection, name="Anna", by=alice)
    keys = list(looks_of.truth)
    face_acts.assign(collection=collection, faces=keys[:2], character=anna, by=alice)
    run(episode, "identify")
    pair = Face.objects.filter(pk__in=keys[2:4])
    assert sorted(face.character is not None for face in pair) == [False, True]
