"""The recipe is parsed strictly and says every mistake at once."""

from __future__ import annotations

import json

import pytest

from export.algorithms.balance import Weight
from export.algorithms.recipe import Recipe, RecipeError, parse, parse_text

TOML = """
[selection]
min_faces = 0
size = "any"
[caption]
version = "v1.0"
seed = 7
shuffle_tags = true
tags_prob = 0.8
[metadata]
types = { screenshots = "anishot", fanart = "booru" }
[balance]
weights = [["1_character", 2], ["*/face_height_ratio_0-25", 0.5]]
"""


def test_a_toml_recipe_keeps_the_defaults_of_its_caption_version() -> None:
    recipe = parse_text(TOML, kind="toml")

    assert recipe.selection.min_faces == 0
    assert recipe.selection.size == 0
    assert recipe.caption.count_prob == 1.0
    assert recipe.caption.spaces is False
    assert recipe.balance.weights == (Weight("1_character", 2.0), Weight("*/face_height_ratio_0-25", 0.5))
    assert recipe.metadata.general_of(image_type="fanart", series="yama", episode="") == "booru yama"
    assert recipe.metadata.general_of(image_type="fanart", series="Hello, yama", episode="") == "booru Helloyama"


def test_a_recipe_survives_json_and_its_digest_is_that_of_its_values() -> None:
    recipe = parse_text(TOML, kind="toml")

    again = parse_text(json.dumps(recipe.as_dict()), kind="json")

    assert again == recipe
    assert again.digest == recipe.digest
    assert Recipe().digest != recipe.digest
    assert parse({}) == Recipe()
    assert parse({"balance": {"weights": "a,2\n"}}).balance.weights == (Weight("a", 2.0),)


def test_every_mistake_is_named_with_its_place() -> None:
    with pytest.raises(RecipeError) as caught:
        parse(
            {
                "selection": {"min_faces": "one", "size": 640},
                "caption": {"version": "v3", "tags_prob": 2, "order": "tags", "colour": 1},
                "arrange": {"format": "faces"},
                "balance": {"weights": [["a", "b"]], "max_multiply": True},
                "extra": {},
                "crops": 3,
            }
        )

    text = "\n".join(caught.value.errors)
    for place in (
        "selection.min_faces: a whole number",
        "caption.version: choose from",
        "caption.order: a list of texts",
        "caption.colour: no such setting",
        "arrange.format: 'faces'",
        "balance.weights: row 1",
        "balance.max_multiply: a number",
        "extra: no such section",
        "crops: a table",
    ):
        assert place in text


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({"selection": {"size": 640}}, "selection.size"),
        ({"selection": {"min_faces": 3, "max_faces": 2}}, "selection.max_faces"),
        ({"caption": {"tags_prob": 1.5}}, "caption.tags_prob"),
        ({"balance": {"min_multiply": 0}}, "balance.min_multiply"),
        ({"balance": {"weights": "a;2"}}, "balance.weights: line 1"),
        ({"caption": {"seed": -1}}, "caption.seed"),
        ([], "a table of settings"),
        ({"caption": {"tags_prob": float("nan")}}, "caption.tags_prob"),
    ],
)
def test_values_out_of_range_are_refused(data: object, place: str) -> None:
    with pytest.raises(RecipeError, match=place):
        parse(data)


def test_broken_files_are_refused_with_the_reason() -> None:
    with pytest.raises(RecipeError, match="TOML"):
        parse_text("[", kind="toml")
    with pytest.raises(RecipeError, match="JSON"):
        parse_text("{", kind="json")


def test_every_setting_of_the_recipe_is_documented() -> None:
    from pathlib import Path

    text = (Path(__file__).resolve().parents[3] / "docs" / "export.md").read_text("utf-8")
    for section, values in Recipe().as_dict().items():
        assert f"| {section} |" in text
        for name in values:
            assert f"`{name}`" in text, f"{section}.{name}"
