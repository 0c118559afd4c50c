"""The forms of the JSON beside each picture."""

from __future__ import annotations

import json

import pytest

from export.algorithms.metadata import Facts, facts_of, read, written
from export.algorithms.rows import Face, Picture
from tests.export.algorithms.test_captions import EXAMPLE

PICTURE = Picture(
    key="k",
    stem="yamaS2_EP04_000001",
    file="f",
    width=1280,
    height=720,
    faces=(
        Face(left=0.22, top=0.42, right=0.39, bottom=0.7, character="KuraueHinata Hairdown", outfit=True),
        Face(left=0.62, top=0.15, right=0.75, bottom=0.37, character=""),
    ),
    tags=("2girls", "smile"),
    scores=(0.98, 0.5),
    copyright=("yama_no_susume",),
    rating="general",
)


def test_the_examples_json_is_read_and_written_without_a_change() -> None:
    facts = read(EXAMPLE)

    assert json.dumps(written(facts, "v1.0")) == json.dumps(EXAMPLE)
    assert facts.n_people == 2
    assert facts.faces[0].left == 0.22


def test_the_count_of_v1_0_is_a_string_and_many_from_six_on() -> None:
    assert written(facts_of(PICTURE), "v1.0")["count"] == "2"
    assert written(Facts(n_people=7), "v1.0")["count"] == "many"
    assert read({"count": "many"}).n_people == 6


def test_an_unknown_face_is_no_character_and_hides_the_positions_in_v1_0() -> None:
    out = written(facts_of(PICTURE, "anishot yamaS2EP04"), "v1.0")

    assert out["characters"] == ["KuraueHinata Hairdown"]
    assert "facepos" not in out
    assert written(facts_of(PICTURE), "v1.0", always_facepos=True)["facepos"] == [
        "fvp 42 70 fhp 22 39",
        "fvp 15 37 fhp 62 75",
    ]


@pytest.mark.parametrize("version", ["v1.0", "v1.1", "v1.2", "v2"])
def test_a_crop_is_marked_as_one_in_every_form(version: str) -> None:
    from dataclasses import replace

    assert read(written(facts_of(replace(PICTURE, cropped=True)), version)).cropped  # type: ignore[arg-type]
    assert not read(written(facts_of(PICTURE), version)).cropped  # type: ignore[arg-type]


def test_v1_2_has_numbers_and_boxes() -> None:
    out = written(facts_of(PICTURE, "anishot yamaS2EP04"), "v1.2")

    assert out == {
        "n_faces": 2,
        "facepos": [[0.22, 0.42, 0.39, 0.7], [0.62, 0.15, 0.75, 0.37]],
        "fh_ratio": 0.28,
        "cropped": False,
        "n_people": 2,
        "character": ["KuraueHinata Hairdown"],
        "general": "anishot yamaS2EP04",
        "tags": ["2girls", "smile"],
        "copyright": ["yama_no_susume"],
        "rating": "general",
    }


def test_v2_has_scores_and_the_caption() -> None:
    out = written(facts_of(PICTURE), "v2", caption="hello", filename="x.png", group="1_character/A b")

    assert out["tags"] == {"2girls": 0.98, "smile": 0.5}
    assert out["caption"] == "hello"
    assert out["group_id"] == "1_character_A_b"
    assert out["image_size"] == [1280, 720]


@pytest.mark.parametrize("version", ["v1.1", "v1.2", "v2"])
def test_every_form_gives_the_same_facts_when_read_back(version: str) -> None:
    facts = facts_of(PICTURE, "anishot yamaS2EP04")

    again = read(json.loads(json.dumps(written(facts, version))))  # type: ignore[arg-type]

    assert again.characters == facts.characters
    assert again.faces == facts.faces
    assert again.tags == facts.tags
    assert again.general == facts.general
    assert again.n_people == facts.n_people


@pytest.mark.parametrize("wrong", [{"facepos": ["left"]}, {"facepos": [[1, 2]]}, {"count": "some"}, {"facepos": "x"}])
def test_a_broken_json_says_which_entry_is_wrong(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        read(wrong)
