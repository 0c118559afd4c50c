"""Sentences of a captioning model in a dataset: tags, sentences, both, or a mix; a person's words before all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from annotate.actions import captions
from annotate.models import ModelCaption, ModelVersion
from export.algorithms import metadata
from export.algorithms.captions import CaptionOptions, caption
from export.algorithms.metadata import Facts
from export.algorithms.plan import caption_of, make_plan
from export.algorithms.recipe import parse
from export.build import rows_from_database
from tests.export.conftest import Show, plan_of

FACTS = Facts(tags=("1girl", "smile"), general="anishot yama", prose="A girl smiles.")


def words(**options: Any) -> str:
    return caption(FACTS, CaptionOptions(**options), key="k")


def test_tags_sentences_or_both_by_their_probabilities() -> None:
    assert words() == "anishot yama, 1girl, smile"
    assert words(prose_prob=1.0) == "anishot yama, 1girl, smile, A girl smiles."
    assert words(prose_prob=1.0, tags_prob=0.0, general_prob=0.0) == "A girl smiles."
    assert words(prose_prob=1.0, order=("prose", "tags")) == "A girl smiles., 1girl, smile"


def test_sentences_instead_of_tags_mix_the_two_kinds_of_pictures() -> None:
    options = CaptionOptions(prose_prob=0.5, prose_instead=True, general_prob=0.0)
    text = [caption(FACTS, options, key=str(number)) for number in range(400)]
    assert set(text) == {"A girl smiles.", "1girl, smile"}
    assert 150 < text.count("A girl smiles.") < 250
    without = caption(Facts(tags=("smile",)), CaptionOptions(prose_prob=1.0, prose_instead=True), key="k")
    assert without == "smile"  # nothing was written about it, so its tags stay


def test_adding_sentences_leaves_all_other_draws_as_they_were() -> None:
    before = CaptionOptions(tags_prob=0.5, general_prob=0.5)
    after = CaptionOptions(tags_prob=0.5, general_prob=0.5, prose_prob=1.0)
    for number in range(50):
        first, second = (caption(FACTS, options, key=str(number)) for options in (before, after))
        assert second == ", ".join(filter(None, (first, FACTS.prose)))


@pytest.mark.parametrize("version", ["v1.0", "v1.1", "v1.2", "v2"])
def test_the_json_keeps_the_sentences_and_gives_them_back(version: Any) -> None:
    data = metadata.written(FACTS, version)
    assert data["prose"] == "A girl smiles."
    assert metadata.read(data).prose == "A girl smiles."
    assert "prose" not in metadata.written(Facts(), version)


@pytest.fixture
def described(show: Show) -> Show:
    for number, name in enumerate(("older", "newer")):
        version = ModelVersion.objects.create(task="caption", name=name)
        for frame in show.frames:
            ModelCaption.objects.create(
                frame=frame, model_version=version, text=f"By the {name}\none.", asked="0" * 64,
                written_at=timezone.now() + timedelta(minutes=number),
            )  # fmt: skip
    return show


@pytest.mark.django_db
def test_the_caption_written_last_goes_out_and_a_persons_wins(described: Show, alice: User) -> None:
    recipe = parse({"caption": {"prose_prob": 1.0, "order": ["prose"]}})
    captions.write(collection=described.collection, frame=described.frames[0], text="By hand.", by=alice)
    first, second = list(rows_from_database.pictures(described.collection))[:2]
    assert caption_of(first, recipe) == "By hand."
    assert caption_of(second, recipe) == "By the newer one."


@pytest.mark.django_db
def test_crops_say_nothing_of_the_whole_picture(described: Show) -> None:
    for requested in ({"crops": {"enabled": True}}, {"face_set": {"enabled": True, "least": 8}}):
        plan = make_plan(rows_from_database.pictures(described.collection), parse(requested))
        cropped = [item.picture.prose for item in plan.items if item.crop is not None]
        assert cropped
        assert set(cropped) == {""}
    plan = plan_of(described.collection, parse({}))
    assert {item.picture.prose for item in plan.items} == {"By the newer one."}
