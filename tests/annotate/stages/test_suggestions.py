"""Names suggested on the faces page from those given so far, without a run, by the vectors of real heads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotate.actions import clusters
from annotate.actions import faces as face_actions
from annotate.chosen_models import choices
from annotate.models import Character, Face, FaceCluster
from annotate.naming import suggestions
from annotate.naming.suggestions import suggest
from ingest.models import Collection, Episode
from tests.annotate.ccip_graphs import write_ccip
from tests.annotate.people import ANNA, BETH, CARA, Looks

pytestmark = pytest.mark.django_db
CAST = [[ANNA], [BETH], [CARA]] * 6 + [[ANNA, BETH], [BETH, ANNA]]
LOOKS = [who for people in CAST for who in people]


def faces_of(looks: Looks) -> list[int]:
    keys = Face.objects.order_by("frame__index", "left").values_list("pk", flat=True)
    return [key for key, who in zip(keys, LOOKS, strict=True) if who is looks]


def put_together(collection: Collection, number: int, keys: list[int]) -> FaceCluster:
    cluster = FaceCluster.objects.create(collection=collection, number=number, size=len(keys), purity=0.9)
    Face.objects.filter(pk__in=keys).update(cluster=cluster)
    return cluster


class Cast:
    """Two groups of each of three people, and the two faces of Anna and Beth that stand beside each other."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.groups = {}
        for number, looks in enumerate((ANNA, BETH, CARA)):
            keys = faces_of(looks)
            self.groups[looks] = [
                put_together(collection, 2 * number, keys[:3]), put_together(collection, 2 * number + 1, keys[3:6])
            ]  # fmt: skip
        self.alone = {looks: faces_of(looks)[6:] for looks in (ANNA, BETH)}

    def name(self, looks: Looks, name: str, by: User) -> None:
        clusters.name(collection=self.collection, cluster=self.groups[looks][0], character=name, by=by)

    def suggested(self) -> dict[str, list[str | None]]:
        """The names of the second groups and of the faces beside each other."""
        result = suggest(
            self.collection,
            clusters=[groups[1].pk for groups in self.groups.values()],
            faces=[key for keys in self.alone.values() for key in keys],
        )
        assert set(result.faces) == {key for keys in self.alone.values() for key in keys}
        return {
            "groups": [_name(result.clusters[groups[1].pk]) for groups in self.groups.values()],
            "anna": [_name(result.faces[key]) for key in self.alone[ANNA]],
            "beth": [_name(result.faces[key]) for key in self.alone[BETH]],
        }


def _name(suggestion: suggestions.Suggestion | None) -> str | None:
    return suggestion.name if suggestion else None


@pytest.fixture()
def cast(make_episode: Callable[..., Episode], run: Callable[..., Any], collection: Collection) -> Cast:
    run(make_episode(CAST), "embed")
    return Cast(collection)


def test_while_nobody_has_a_name_nothing_is_suggested(cast: Cast, collection: Collection) -> None:
    key = cast.groups[ANNA][0].pk
    assert suggest(collection, clusters=[key], faces=[]) == suggestions.Suggestions({}, {})


def test_two_people_side_by_side_are_told_apart_and_a_stranger_has_no_suggestion(cast: Cast, alice: User) -> None:
    cast.name(ANNA, "Anna", alice)
    cast.name(BETH, "Beth", alice)
    assert cast.suggested() == {
        "groups": ["Anna", "Beth", None], "anna": ["Anna", "Anna"], "beth": ["Beth", "Beth"],
    }  # fmt: skip


def test_the_first_name_counts_for_the_next_row_and_an_undo_takes_that_back(
    cast: Cast, alice: User, as_alice: Client
) -> None:
    cast.name(ANNA, "Anna", alice)
    assert cast.suggested()["groups"] == ["Anna", None, None]
    as_alice.post(reverse("undo", args=[cast.collection.pk]), {"place": "faces"})
    result = suggest(cast.collection, clusters=[cast.groups[ANNA][1].pk], faces=[])
    assert result.clusters == {}


def test_a_name_that_was_rejected_or_that_another_face_of_the_picture_has_is_not_suggested(
    cast: Cast, alice: User, collection: Collection
) -> None:
    cast.name(ANNA, "Anna", alice)
    anna = Character.objects.get(name="Anna")
    first, second = cast.alone[ANNA]
    face_actions.is_not(collection=collection, faces=[first], character=anna, by=alice)
    others = Face.objects.filter(frame=Face.objects.get(pk=second).frame).exclude(pk=second)
    face_actions.assign(collection=collection, faces=list(others), character=anna, by=alice)
    result = suggest(collection, clusters=[], faces=[first, second])
    assert result.faces == {first: None, second: None}


def test_the_examples_follow_every_later_name(cast: Cast, alice: User, collection: Collection) -> None:
    cast.name(ANNA, "Anna", alice)
    assert cast.suggested()["groups"][1] is None
    cast.name(BETH, "Beth", alice)
    assert cast.suggested()["groups"][1] == "Beth"
    face_actions.assign(
        collection=collection, faces=list(cast.groups[BETH][0].faces.all()), character="Anna", by=alice
    )  # a mistake that somebody made
    assert cast.suggested()["groups"][1] != "Beth"


def test_a_name_that_comes_while_one_question_is_answered_counts_for_the_next(
    cast: Cast, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast.name(ANNA, "Anna", alice)
    read = suggestions._named_counts
    with monkeypatch.context() as patch:
        patch.setattr(
            suggestions, "_named_counts", lambda of: (read(of), cast.name(BETH, "Beth", alice))[0]
        )  # by somebody else, after the names were read
        assert suggest(cast.collection, clusters=[cast.groups[ANNA][1].pk], faces=[]).clusters
    assert cast.suggested()["groups"] == ["Anna", "Beth", None]


def test_groups_and_faces_of_others_are_not_compared_nor_more_than_a_page_has(
    cast: Cast, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast.name(ANNA, "Anna", alice)
    other = Collection.objects.create(name="Another")
    keys = [groups[1].pk for groups in cast.groups.values()]
    assert suggest(other, clusters=keys, faces=cast.alone[ANNA]) == suggestions.Suggestions({}, {})
    monkeypatch.setattr(suggestions, "CLUSTERS_MAX", 2)
    assert set(suggest(cast.collection, clusters=keys, faces=[]).clusters) == set(keys[:2])


def test_an_embedder_with_a_network_of_its_own_is_asked_without_the_network_that_describes(
    make_episode: Callable[..., Episode], run: Callable[..., Any], collection: Collection, settings: Any, alice: User
) -> None:
    folder: Path = settings.KOMA_MODELS_DIR / "ccip-tiny"
    write_ccip(folder, threshold=0.15)
    choices.choose(collection=collection, task="embedding", names=["ccip-tiny"], by=None)
    run(make_episode(CAST), "embed")
    cast = Cast(collection)
    (folder / "model_feat.onnx").write_bytes(b"of no use to a page")
    cast.name(ANNA, "Anna", alice)
    cast.name(BETH, "Beth", alice)
    assert cast.suggested()["groups"] == ["Anna", "Beth", None]


def test_the_page_asks_by_keys_and_those_who_may_not_name_are_refused(
    cast: Cast, alice: User, as_bob: Client, as_charlie: Client, collection: Collection
) -> None:
    cast.name(ANNA, "Anna", alice)
    groups = [cast.groups[looks][1].pk for looks in (ANNA, CARA)]
    address = reverse("face_suggestions", args=[collection.pk])
    query = {"cluster": [*groups, "x", 10**17], "face": cast.alone[ANNA]}
    answer = as_bob.get(address, query).json()
    name, confidence = answer["clusters"][str(groups[0])]
    assert (name, answer["clusters"][str(groups[1])]) == ("Anna", None)
    assert 0.5 <= confidence <= 1
    assert set(answer["faces"]) == {str(key) for key in cast.alone[ANNA]}
    assert as_charlie.get(address, query).status_code == 404
    collection.memberships.filter(user__username="bob").update(role=10)
    assert as_bob.get(address, query).status_code == 403


def test_what_a_page_shows_first_is_written_as_the_script_writes_it(
    cast: Cast, alice: User, as_bob: Client, collection: Collection
) -> None:
    cast.name(ANNA, "Anna", alice)
    group = cast.groups[ANNA][1]
    FaceCluster.objects.filter(pk=group.pk).update(guess=Character.objects.get(name="Anna"), guess_score=0.934)
    page = as_bob.get(reverse("faces", args=[collection.pk])).content.decode()
    assert 'placeholder="Probably Anna (0.93) ↵"' in page
    assert page.count("Name…") == 5  # four groups, and the faces in no group


def test_without_its_recognition_model_the_page_has_no_suggestions(
    cast: Cast, alice: User, as_bob: Client, collection: Collection, settings: Any
) -> None:
    cast.name(ANNA, "Anna", alice)
    write_ccip(settings.KOMA_MODELS_DIR / "ccip-tiny")
    choices.choose(collection=collection, task="embedding", names=["ccip-tiny"], by=None)
    address = reverse("face_suggestions", args=[collection.pk])
    key = cast.groups[ANNA][1].pk
    assert as_bob.get(address, {"cluster": key}).json()["clusters"] == {}  # vectors of another model
    (settings.KOMA_MODELS_DIR / "ccip-tiny" / "model_metrics.onnx").unlink()
    assert as_bob.get(address, {"cluster": key}).json() == {"clusters": {}, "faces": {}}
