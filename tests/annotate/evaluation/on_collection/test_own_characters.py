"""Few-shot naming measured on the faces that people named in a collection."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.conf import settings
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as some

from annotate.actions import characters, faces
from annotate.backends.embedders.known_embedders import open_embedder
from annotate.evaluation.characters import accuracy
from annotate.evaluation.on_collection import characters as own
from annotate.evaluation.on_collection.progress import Silent
from annotate.models import Character, Face, FaceVector
from ingest.errors import BadInput, Cancelled
from ingest.models import Collection, Frame, Shot

NAMES = ("Anna", "Beth", "Cara")


def name_all(collection: Collection, rows: list[Face]) -> list[Character]:
    people = [characters.find_or_create(collection=collection, name=name, by=None) for name in NAMES]
    for index, who in enumerate(people):
        faces.assign(collection=collection, faces=rows[index::3], character=who, by=None)
    return people


def measure(collection: Collection, model: str = "builtin", **more: Any) -> Any:
    values = {"shots": (1, 5, 20), "draws": 4} | more
    return own.measure(collection, open_embedder(model, settings.KOMA_MODELS_DIR), Silent(), **values)


@pytest.mark.django_db
@pytest.mark.parametrize("model", ["builtin", "ccip-tiny"])
def test_people_who_look_different_are_named_rightly_and_too_few_faces_are_reported(
    collection: Collection, cast: list[Face], model: str
) -> None:
    name_all(collection, cast)
    scores = measure(collection, model)
    assert scores.characters == 3 and scores.faces + scores.twins_removed == 36
    assert set(scores.accuracy) == {1, 5} and min(scores.accuracy.values()) > 0.9
    notes = " ".join(scores.notes())
    assert "People named 36 faces of 3 characters." in notes
    assert "Fewer than two characters have more than 20 faces" in notes


@pytest.mark.django_db
def test_a_wrong_name_is_among_the_mistakes_and_leads_to_its_frame(collection: Collection, cast: list[Face]) -> None:
    people = name_all(collection, cast)
    wrong = cast[0]  # looks like Anna
    faces.assign(collection=collection, faces=[wrong], character=people[1], by=None)
    scores = measure(collection, shots=(5,), draws=12)
    worst = scores.mistakes()[0]
    assert (worst.face, worst.frame) == (wrong.pk, wrong.frame_id) and worst.words.startswith("named Anna, is Beth")


@pytest.mark.django_db
def test_only_peoples_names_count_outfits_are_their_person_and_dropped_frames_are_out(
    collection: Collection, cast: list[Face]
) -> None:
    anna, beth, _ = name_all(collection, cast)
    outfit = Character.objects.create(collection=collection, name="Anna Hat", parent=anna)
    faces.assign(collection=collection, faces=cast[:1], character=outfit, by=None)
    Face.objects.filter(pk=cast[1].pk).update(named_by="model")
    Frame.objects.filter(pk=cast[4].frame_id).update(state="dropped", reason="person")
    named_rows = own.people(collection)
    assert {answer.person for answer in named_rows if answer.name == "Anna"} == {anna.pk}
    assert len(named_rows) == 34 and sum(answer.person == beth.pk for answer in named_rows) == 10


@pytest.mark.django_db
def test_vectors_are_made_once_and_kept_beside_the_faces_own(collection: Collection, cast: list[Face]) -> None:
    name_all(collection, cast)
    first = measure(collection, "ccip-tiny")
    stored_count = FaceVector.objects.count()
    again = measure(collection, "ccip-tiny")
    assert stored_count == first.faces and FaceVector.objects.count() == stored_count
    assert first.ms_per_face > 0 and again.ms_per_face == 0 and again.accuracy == first.accuracy
    assert not Face.objects.filter(embedding__isnull=False).exists()


@pytest.mark.django_db
def test_faces_of_a_named_ones_shot_are_not_asked(collection: Collection, cast: list[Face]) -> None:
    name_all(collection, cast)
    shot = Shot.objects.create(episode=cast[0].frame.episode, index=0, start_s=0, end_s=9)
    Frame.objects.update(shot=shot)
    with pytest.raises(BadInput, match="no face of another shot is left"):
        measure(collection)


@pytest.mark.django_db
def test_without_two_named_characters_it_says_what_to_do(collection: Collection, cast: list[Face]) -> None:
    with pytest.raises(BadInput, match="Fewer than two characters have faces"):
        measure(collection)


@pytest.mark.django_db
def test_a_cancel_is_heard_between_faces(collection: Collection, cast: list[Face]) -> None:
    class Impatient(Silent):
        steps = 0

        def step(self) -> None:
            self.steps += 1
            if self.steps > 40:  # the crops were looked at; some are described
                raise Cancelled("Cancelled.")

    name_all(collection, cast)
    embedder = open_embedder("ccip-tiny", settings.KOMA_MODELS_DIR)
    with pytest.raises(Cancelled):
        own.measure(collection, embedder, Impatient(), shots=(1,), draws=1)


@pytest.mark.django_db
def test_the_command_gives_one_line_of_json(collection: Collection, cast: list[Face]) -> None:
    name_all(collection, cast)
    out = StringIO()
    call_command(
        "evaluate", "characters", "--collection", collection.name, "--shots", "1,5", "--draws", "2", "--json",
        stdout=out, stderr=StringIO(),
    )  # fmt: skip
    assert set(json.loads(out.getvalue())["accuracy"]) == {"1", "5"}


@given(some.lists(some.integers(1, 90), min_size=2, max_size=130))
def test_a_sample_is_bounded_and_leaves_nobody_out_who_has_many(sizes: list[int]) -> None:
    rows = [
        own.Named(1000 * person + index, person, str(person), index, index, "x")
        for person, size in enumerate(sizes)
        for index in range(size)
    ]
    remaining, result = own.sampled(rows)
    assert len(remaining) <= max(own.FACES_MAX, own.PEOPLE_MAX * own.A_PERSON[0])
    assert len({item.face for item in remaining}) == len(remaining)
    assert len({item.person for item in remaining}) == min(len(sizes), own.PEOPLE_MAX)
    assert (len(result) == 1) == (len(remaining) == len(rows))


def test_accuracy_with_shots_never_asks_about_a_named_faces_shot() -> None:
    random = np.random.default_rng(0)
    names = np.repeat(np.arange(3), 8)
    separate = np.tile(np.arange(8) // 2, 3) + 10 * names
    features = (np.eye(3, dtype=np.float32)[names] + 0.05 * random.standard_normal((24, 3))).astype(np.float32)

    def guess(named: Any, asked: Any) -> Any:
        assert not set(separate[named]) & set(separate[asked]) and len(asked)
        return names[asked]

    assert accuracy(features, names, shots=2, draws=5, guess=guess, keep_apart=separate) == 1.0
