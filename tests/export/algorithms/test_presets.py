"""The presets: what each puts where and writes, from plain rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from export.algorithms.plan import Plan, caption_of, make_plan
from export.algorithms.presets import PRESETS, preset_of
from export.algorithms.recipe import Recipe, parse
from export.algorithms.rows import Face, Picture
from export.formats.registry import format_of, warnings_of


def face(name: str = "", left: float = 0.1) -> Face:
    return Face(left=left, right=left + 0.3, top=0.1, bottom=0.5, character=name)


def picture(key: str, *names: str, tags: tuple[str, ...] = ("1girl", "smile", "blue_hair", "red_eyes")) -> Picture:
    """A frame of 1920 x 1080 with a face for each name; an empty name is a face of nobody known."""
    faces = tuple(face(name, 0.1 + 0.35 * index) for index, name in enumerate(names))
    return Picture(
        key=key, stem=key, file=f"{key}.png", width=1920, height=1080, faces=faces, tags=tags, series="Yama no Susume",
        episode="EP01", artist=("somebody",),
    )  # fmt: skip


# As small as a first dataset: nobody has ten pictures.
SHOW = [
    *(picture(f"mei{n}", "Mei") for n in range(9)),
    *(picture(f"aoi{n}", "Aoi") for n in range(5)),
    *(picture(f"rin{n}", "Rin") for n in range(3)),
    picture("nao", "Nao"),
    picture("two", "Mei", "Aoi"),
    picture("extra", "Mei", ""),
    picture("unknown", ""),
    picture("nobody"),
]


def plan_of(key: str) -> tuple[Plan, Recipe]:
    recipe = PRESETS[key].recipe
    return make_plan(SHOW, recipe), recipe


def folders_of(key: str) -> dict[str, int]:
    """Pictures by written folder."""
    plan, recipe = plan_of(key)
    written = format_of(recipe).folders(plan.balance)
    return {"/".join(written[row.path]): row.pictures for row in plan.balance.folders}


def test_a_character_lora_has_a_folder_per_character_of_pictures_that_show_nobody_else() -> None:
    assert folders_of("character-lora") == {"5_Mei": 9, "9_Aoi": 5, "15_Rin": 3, "15_character_others": 1}


def test_captions_for_a_character_lora_begin_with_the_name_and_leave_its_looks_to_it() -> None:
    _, recipe = plan_of("character-lora")
    assert caption_of(SHOW[0], recipe) == "Mei, 1girl, smile"


def test_a_whole_show_has_folders_of_its_main_characters_although_none_has_ten_pictures() -> None:
    folders = folders_of("whole-show")
    assert sum(folders.values()) == 21
    assert {path.split("/")[1] for path in folders if path.startswith("1_character/")} == {
        "Mei", "Aoi", "character_others",
    }  # fmt: skip


def test_a_face_set_has_every_face_once_and_a_folder_for_the_rarest_character() -> None:
    plan, recipe = plan_of("face-set")
    assert folders_of("face-set") == {"Mei": 11, "Aoi": 6, "Rin": 3, "Nao": 1, "others": 2}
    assert {row.multiply for row in plan.balance.folders} == {1}
    assert {item.size for item in plan.items} == {(128, 128)}
    assert caption_of(plan.items[0].picture, recipe) == plan.items[0].picture.names[0]


def test_everything_has_every_picture_once_with_every_tag() -> None:
    plan, recipe = plan_of("everything")
    assert len(plan.items) == len(SHOW)
    assert plan.balance.epoch == len(SHOW)
    assert recipe.selection.format == "original"
    many = picture("many", "Mei", tags=tuple(f"tag{n}" for n in range(200)))
    assert caption_of(many, recipe).endswith("tag199")


@pytest.mark.parametrize("key", PRESETS)
def test_no_preset_warns_of_itself_on_a_small_set(key: str) -> None:
    plan, recipe = plan_of(key)
    assert (*plan.warnings, *warnings_of(recipe, plan.balance)) == ()


@pytest.mark.parametrize("key", PRESETS)
def test_a_preset_is_a_recipe_that_is_saved_and_recognised(key: str) -> None:
    recipe = PRESETS[key].recipe
    assert parse(recipe.as_dict()) == recipe
    assert preset_of(recipe) is PRESETS[key]
    assert preset_of(replace(recipe, caption=replace(recipe.caption, seed=7))) is PRESETS[key]
    assert preset_of(replace(recipe, arrange=replace(recipe.arrange, face_ratio_range=33))) is None


def test_the_defaults_of_a_recipe_are_those_of_the_reference_and_no_preset() -> None:
    assert preset_of(Recipe()) is None
