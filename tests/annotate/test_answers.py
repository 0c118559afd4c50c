"""Answers are stored packed, and come back as they were said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate import answers, computed_answers
from annotate.actions.model_versions import labels_of, rules_of, version_of
from annotate.algorithms.tag_rules import Label, Reading, Rules
from annotate.answers import Speaker
from annotate.backends.contract import ModelInfo
from annotate.models import ModelAnswer, ModelLabels, ModelVersion
from ingest.models import Collection, Episode, Frame, Source

INFO = ModelInfo(task="tags", name="tiny", revision="1", sha256="ab")
RULES = Rules({"general": 0.35, "character": 0.85}, one_of=frozenset({"rating"}), implies={"t9": ("series",)})
MANY = tuple(Label(f"t{n}", ("general", "character", "rating")[n % 3]) for n in range(answers.CLASSES_MAX + 20))


@given(st.lists(st.floats(0, 1, width=32), min_size=len(MANY), max_size=len(MANY)))
def test_what_is_unpacked_is_what_was_packed_to_the_last_step(values: list[float]) -> None:
    scores = np.array(values, np.float32)
    speaker = Speaker(ModelVersion(), Reading(MANY, RULES))
    back = speaker.unpack(speaker.pack(scores))
    kept = scores >= 0.05
    assert np.abs(back - scores)[kept].max(initial=0) <= 1 / 65535
    assert (back[~kept] <= 0.05).all()
    short = Speaker(ModelVersion(), Reading(MANY[:9], RULES))
    assert np.abs(short.unpack(short.pack(scores[:9])) - scores[:9]).max() <= 1 / 65535


def test_bytes_of_another_list_of_labels_are_refused() -> None:
    long, short = Speaker(ModelVersion(), Reading(MANY, RULES)), Speaker(ModelVersion(), Reading(MANY[:9], RULES))
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
    assert list(answers.missing(Frame.objects.all(), version)) == frames
    assert not answers.any_of(collection, version)
    answers.save(version, {frames[0].pk: b"\x01", frames[1].pk: b"\x02"})
    answers.save(version, {frames[0].pk: b"\x03"})
    assert answers.load([version], [one.pk for one in frames]) == {
        version.pk: {frames[0].pk: b"\x03", frames[1].pk: b"\x02"}
    }
    assert list(answers.missing(Frame.objects.all(), version)) == [frames[2]]
    assert answers.any_of(collection, version)
    assert ModelAnswer.objects.count() == 2


def test_every_computed_tag_has_a_place() -> None:
    from annotate.algorithms.colour_names import EYES, HAIR

    names = [label.name for label in computed_answers.LABELS]
    assert len(names) == len(set(names))
    assert {f"{name}_hair" for name in HAIR.names} | {f"{name}_eyes" for name in EYES.names} <= set(names)
    assert {"solo", "no_humans", "lowres", "simple_background", "upper_body"} <= set(names)


def test_the_basis_of_computed_tags_differs_with_the_faces() -> None:
    box = (0.1, 0.2, 0.3, 0.4)
    told = {
        computed_answers.basis(boxes, people_elsewhere=near)
        for boxes, near in (([], False), ([], True), ([box], False), ([box, box], False))
    }
    assert len(told) == 4
    near = (0.1 + 1e-9, 0.2, 0.3, 0.4)  # what a database may do to a number
    assert computed_answers.basis([near], people_elsewhere=False) == computed_answers.basis(
        [box], people_elsewhere=False
    )
