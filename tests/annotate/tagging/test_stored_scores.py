"""Answers are stored packed, and come back as they were said."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.actions.model_versions import labels_of, rules_of, version_of
from annotate.algorithms.tag_rules import AcceptedTags, Label, Rules
from annotate.backends.contract import ModelInfo
from annotate.models import ModelAnswer, ModelLabels, ModelVersion
from annotate.tagging import from_pixels, stored_scores
from annotate.tagging.stored_scores import ScoredVersion
from ingest.models import Collection, Episode, Frame, Source

INFO = ModelInfo(task="tags", name="tiny", revision="1", sha256="ab")
RULES = Rules({"general": 0.35, "character": 0.85}, one_of=frozenset({"rating"}), implies={"t9": ("series",)})
MANY = tuple(Label(f"t{n}", ("general", "character", "rating")[n % 3]) for n in range(stored_scores.CLASSES_MAX + 20))


@given(st.lists(st.floats(0, 1, width=32), min_size=len(MANY), max_size=len(MANY)))
def test_what_is_unpacked_is_what_was_packed_to_the_last_step(values: list[float]) -> None:
    scores = np.array(values, np.float32)
    scored_version = ScoredVersion(ModelVersion(), AcceptedTags(MANY, RULES))
    back = scored_version.unpack(scored_version.pack(scores))
    above_floor = scores >= 0.05
    assert np.abs(back - scores)[above_floor].max(initial=0) <= 1 / 65535
    assert (back[~above_floor] <= 0.05).all()
    short = ScoredVersion(ModelVersion(), AcceptedTags(MANY[:9], RULES))
    assert np.abs(short.unpack(short.pack(scores[:9])) - scores[:9]).max() <= 1 / 65535


def one_by_one(scored_version: ScoredVersion, scores: np.ndarray[Any, Any]) -> bytes:
    """What is kept of one picture, as the packing is defined: labels at or above 0.05, all of a rating, and the best
    below 0.05 of any other category; two numbers of 16 bits each."""
    above_floor = {place for place, score in enumerate(scores) if score >= np.float32(0.05)}
    for category in ("general", "character", "rating"):
        places = [
            place for place, label in enumerate(scored_version.accepted_tags.labels) if label.category == category
        ]
        below = [place for place in places if place not in above_floor]
        if category == "rating":
            above_floor |= set(places)
        elif below:
            above_floor.add(max(below, key=lambda place: (scores[place], -place)))
    rows = [(place, round(float(scores[place]) * 65535)) for place in sorted(above_floor)]
    return b"\x01" + b"".join(struct.pack("<HH", place, step) for place, step in rows if step)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["mixed", "in order"]), st.integers(1, 70))
def test_many_pictures_packed_at_once_give_the_bytes_of_each_alone(seed: int, order: str, count: int) -> None:
    random = np.random.default_rng(seed)
    labels = MANY if order == "mixed" else tuple(sorted(MANY, key=lambda label: label.category))
    scored_version = ScoredVersion(ModelVersion(), AcceptedTags(labels, RULES))
    scores = (random.random((count, len(labels))) ** random.integers(1, 12)).astype(np.float32)
    scores[random.random(scores.shape) < 0.2] = random.choice([0, 0.05, 1])
    packed = scored_version.pack_all(list(scores))
    assert packed == [one_by_one(scored_version, row) for row in scores]
    assert packed == [scored_version.pack(row) for row in scores]
    short = ScoredVersion(ModelVersion(), AcceptedTags(MANY[:9], RULES))
    assert short.pack_all(list(scores[:, :9])) == [short.pack(row) for row in scores[:, :9]]


def test_bytes_of_another_list_of_labels_are_refused() -> None:
    long, short = (
        ScoredVersion(ModelVersion(), AcceptedTags(MANY, RULES)),
        ScoredVersion(ModelVersion(), AcceptedTags(MANY[:9], RULES)),
    )
    with pytest.raises(ValueError, match="9 scores are stored for 84"):
        long.unpack(short.pack(np.zeros(9, np.float32)))
    with pytest.raises(ValueError, match="there are 9"):
        short.unpack(long.pack(np.ones(len(MANY), np.float32)))


@pytest.mark.django_db
def test_a_version_keeps_its_labels_and_rules_and_another_list_is_another_version() -> None:
    version = version_of(INFO, labels=MANY, rules=RULES)
    assert (labels_of(version), rules_of(version)) == (MANY, RULES)
    assert version_of(INFO, labels=MANY, rules=RULES) == version
    other = version_of(INFO, labels=MANY[:5], rules=RULES)
    assert other != version and other.revision.startswith("1 labels ")
    assert version_of(INFO, labels=MANY[:5], rules=RULES) == other
    changed = Rules({"general": 0.5})  # the model's own thresholds are data beside it, not its identity
    assert version_of(INFO, labels=MANY, rules=changed) == version
    assert rules_of(version) == changed
    assert ModelLabels.objects.count() == 2


@pytest.mark.django_db
def test_answers_are_saved_over_older_ones_and_loaded_by_frame(collection: Collection) -> None:
    source = Source.objects.create(collection=collection, kind="video", name="a", path="a", sha256="a" * 64)
    episode = Episode.objects.create(collection=collection, source=source, title="a")
    frames = [
        Frame.objects.create(collection=collection, episode=episode, index=n, width=8, height=8) for n in range(3)
    ]
    version = version_of(INFO, labels=MANY, rules=RULES)
    assert list(stored_scores.missing(Frame.objects.all(), version)) == frames
    assert not stored_scores.any_of(collection, version)
    stored_scores.save(version, {frames[0].pk: b"\x01", frames[1].pk: b"\x02"})
    stored_scores.save(version, {frames[0].pk: b"\x03"})
    assert stored_scores.load([version], [frame.pk for frame in frames]) == {
        version.pk: {frames[0].pk: b"\x03", frames[1].pk: b"\x02"}
    }
    assert list(stored_scores.missing(Frame.objects.all(), version)) == [frames[2]]
    assert stored_scores.any_of(collection, version)
    assert ModelAnswer.objects.count() == 2


def test_every_computed_tag_has_a_place() -> None:
    from annotate.algorithms.colour_names import EYES, HAIR

    names = [label.name for label in from_pixels.LABELS]
    assert len(names) == len(set(names))
    assert {f"{name}_hair" for name in HAIR.names} | {f"{name}_eyes" for name in EYES.names} <= set(names)
    assert {"solo", "no_humans", "lowres", "simple_background", "upper_body"} <= set(names)


def test_the_basis_of_computed_tags_differs_with_the_faces() -> None:
    box = (0.1, 0.2, 0.3, 0.4)
    result = {
        from_pixels.basis(boxes, people_elsewhere=neighbours)
        for boxes, neighbours in (([], False), ([], True), ([box], False), ([box, box], False))
    }
    assert len(result) == 4
    neighbours = (0.1 + 1e-9, 0.2, 0.3, 0.4)  # what a database may do to a number
    assert from_pixels.basis([neighbours], people_elsewhere=False) == from_pixels.basis([box], people_elsewhere=False)
