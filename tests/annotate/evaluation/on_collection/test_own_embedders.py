"""Two embedders compared on a collection's faces: figures, questions for people, bounded samples."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.conf import settings
from django.core.management import call_command

from annotate.actions import characters, faces
from annotate.actions.model_versions import version_of
from annotate.algorithms import difference_clustering
from annotate.backends.embedders.known_embedders import open_embedder, packed
from annotate.evaluation.on_collection import embedders as own
from annotate.evaluation.on_collection.progress import Silent
from annotate.models import Character, Face, FaceVector
from ingest.errors import BadInput, Cancelled
from ingest.models import Collection, Frame, Shot

pytestmark = pytest.mark.django_db
PEOPLE = ("Anna", "Beth", "Cara")


def compare(collection: Collection, progress: Any = None) -> own.EmbedderScores:
    pair = tuple(open_embedder(name, settings.KOMA_MODELS_DIR) for name in ("builtin", "ccip-tiny"))
    return own.compare(collection, (pair[0], pair[1]), progress or Silent())


def name_some(collection: Collection, cast: list[Face], count: int = 2) -> list[Character]:
    people = [characters.find_or_create(collection=collection, name=name, by=None) for name in PEOPLE]
    for index, who in enumerate(people):
        faces.assign(collection=collection, faces=cast[index::3][:count], character=who, by=None)
    return people


def mistaken(face: Face, by: str, like: Face) -> None:
    """Let an embedder see another face in this one."""
    embedder = open_embedder(by, settings.KOMA_MODELS_DIR)
    version = version_of(embedder.info)
    seen = FaceVector.objects.get(face=like, model_version=version).data
    FaceVector.objects.filter(face=face, model_version=version).update(data=seen)


def test_two_that_see_the_same_agree_and_ask_nothing(collection: Collection, cast: list[Face]) -> None:
    name_some(collection, cast)
    comparison = compare(collection)
    assert (comparison.faces, comparison.of, comparison.named, comparison.people, comparison.waiting) == (
        36,
        36,
        6,
        3,
        30,
    )
    assert comparison.right == (1.0, 1.0) and comparison.person_same == 1.0 and comparison.questions == ()
    assert (
        comparison.rand_people[1] == 1.0 and 0 <= comparison.rand <= 1
    )  # the built-in one makes small groups without shots
    assert FaceVector.objects.count() == 72


def test_a_face_that_one_takes_for_somebody_else_is_asked_about(collection: Collection, cast: list[Face]) -> None:
    anna, beth, _ = name_some(collection, cast)
    compare(collection)
    misnamed = cast[30]  # Anna's
    mistaken(misnamed, "ccip-tiny", like=cast[1])  # a named face of Beth
    comparison = compare(collection)
    assert comparison.person_same == pytest.approx(29 / 30)
    assert {(face, who, by_first) for face, who, _, by_first in comparison.questions} == {
        (misnamed.pk, anna.pk, True), (misnamed.pk, beth.pk, False),
    }  # fmt: skip
    assert {reference for _, who, reference, _ in comparison.questions if who == beth.pk} == {cast[1].pk}


def test_faces_that_people_named_measure_each_embedder_and_are_never_asked(
    collection: Collection, cast: list[Face]
) -> None:
    name_some(collection, cast)
    compare(collection)
    mistaken(cast[0], "ccip-tiny", like=cast[1])
    comparison = compare(collection)
    assert comparison.right[0] == 1.0 and comparison.right[1] is not None and comparison.right[1] < 1.0
    assert cast[0].pk not in {face for face, *_ in comparison.questions}


def test_without_names_groups_and_neighbours_are_compared_and_nobody_is_asked(
    collection: Collection, cast: list[Face]
) -> None:
    comparison = compare(collection)
    assert (comparison.named, comparison.questions, comparison.right, comparison.rand_people) == (
        0,
        (),
        (None, None),
        (None, None),
    )
    assert 0 <= comparison.nearest_same <= 1 and all(
        answer in {face.pk for face in cast} for pair in comparison.pairs for answer in pair[:2]
    )


def test_the_collections_own_vectors_are_used_and_not_changed(collection: Collection, cast: list[Face]) -> None:
    embedder = open_embedder("builtin", settings.KOMA_MODELS_DIR)
    version, nothing = version_of(embedder.info), np.zeros(embedder.length, np.float32)
    Face.objects.update(embedding=packed(embedder, nothing), embedding_version=version)
    compare(collection)
    assert not FaceVector.objects.filter(model_version=version).exists()
    assert set(Face.objects.values_list("embedding_version", flat=True)) == {version.pk}


def test_a_face_with_another_crop_is_described_anew(collection: Collection, cast: list[Face]) -> None:
    compare(collection)
    Face.objects.filter(pk=cast[0].pk).update(crop=cast[1].crop)
    compare(collection)
    assert set(FaceVector.objects.filter(face=cast[0]).values_list("head", flat=True)) == {cast[1].crop}
    assert FaceVector.objects.count() == 72


def test_of_many_faces_an_even_sample_is_compared_in_blocks(
    collection: Collection, cast: list[Face], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "SAMPLE", 12)
    name_some(collection, cast, count=4)
    comparison = compare(collection)
    assert (comparison.faces, comparison.of, comparison.named, comparison.waiting) == (12, 36, 6, 6)
    assert FaceVector.objects.values("face").distinct().count() == 12


def test_no_call_of_the_network_sees_more_than_a_block(
    collection: Collection, cast: list[Face], monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = open_embedder("ccip-tiny", settings.KOMA_MODELS_DIR)
    monkeypatch.setattr(difference_clustering, "BLOCK", 5)
    sizes: list[tuple[int, int]] = []
    differences = type(embedder).differences

    def watched(self: Any, first: Any, second: Any) -> Any:
        sizes.append((len(first), len(second)))
        return differences(self, first, second)

    monkeypatch.setattr(type(embedder), "differences", watched)
    compare(collection)
    assert sizes and max(max(size) for size in sizes) <= 5


def test_dropped_frames_denied_faces_and_nobodies_are_left_out(collection: Collection, cast: list[Face]) -> None:
    Frame.objects.filter(pk=cast[0].frame_id).update(state="dropped", reason="person")
    faces.not_a_face(collection=collection, faces=[cast[1]], by=None)
    faces.nobody(collection=collection, faces=[cast[2]], by=None)
    assert compare(collection).faces == 33


def test_a_lost_crop_is_reported_and_a_cancel_leaves_what_was_described(
    collection: Collection, cast: list[Face]
) -> None:
    class Impatient(Silent):
        steps = 0

        def step(self) -> None:
            self.steps += 1
            if self.steps > 20:
                raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        compare(collection, Impatient())
    assert FaceVector.objects.count() == 16
    Face.objects.filter(pk=cast[35].pk).update(crop="00/00/" + "0" * 64 + ".jpg")
    comparison = compare(collection)
    assert comparison.faces == 35 and f"Face {cast[35].pk} has no description" in comparison.notes()[0]


def test_a_whole_shot_of_faces_has_no_neighbour_in_itself(collection: Collection, cast: list[Face]) -> None:
    shot = Shot.objects.create(episode=cast[0].frame.episode, index=0, start_s=0, end_s=9)
    Frame.objects.update(shot=shot)
    comparison = compare(collection)
    assert comparison.nearest_same == 1.0 and comparison.pairs == ()  # nothing to compare


def test_the_same_twice_and_too_few_faces_are_refused_with_a_message(collection: Collection) -> None:
    item = open_embedder("builtin", settings.KOMA_MODELS_DIR)
    with pytest.raises(BadInput, match="two different embedders"):
        own.compare(collection, (item, open_embedder("builtin", settings.KOMA_MODELS_DIR)), Silent())


def test_the_command_compares_two(collection: Collection, cast: list[Face]) -> None:
    name_some(collection, cast)
    out = StringIO()
    call_command(
        "evaluate", "embedders", "--collection", collection.name, "--second", "ccip-tiny", "--json",
        stdout=out, stderr=StringIO(),
    )  # fmt: skip
    output = json.loads(out.getvalue())
    assert (output["faces"], output["right"], output["questions"]) == (36, [1.0, 1.0], [])
