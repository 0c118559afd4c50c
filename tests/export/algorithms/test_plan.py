"""The plan of a dataset from plain pictures: folders, names, what is left out, captions; and where it is written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from export.algorithms.plan import Plan, caption_of, captions_of, facts, make_plan
from export.algorithms.recipe import Recipe, parse
from export.algorithms.rows import Face, Picture
from export.algorithms.selection import NO_FACE, TOO_MANY, WRONG_EPISODE
from export.formats.registry import FORMATS, format_of, warnings_of

ONE_RULES = "1 picture is 50 % of an epoch, used up to 4.88 times each. A maximum multiplier of 4 prevents it."


def picture(number: int, *names: str, **changes: Any) -> Picture:
    faces = tuple(Face(left=0.1, top=0.1, right=0.3, bottom=0.3 + number / 10, character=name) for name in names)
    values: dict[str, Any] = {
        "key": f"k{number}",
        "stem": f"yama_S2EP04_{number}",
        "file": f"f{number}",
        "width": 1280,
        "height": 720,
        "faces": faces,
        "tags": ("smile",),
        "series": "yama",
        "episode": "S2EP04",
    }
    return Picture(**(values | changes))


def recipe(**sections: Any) -> Recipe:
    arrange = {"min_per_combination": 1, "format": "character"} | sections.pop("arrange", {})
    return parse({"arrange": arrange} | sections)


PICTURES = [picture(1, "Mai"), picture(2, "Mai"), picture(3, "Ena"), picture(4)]


def test_each_picture_goes_into_its_characters_folder_and_keeps_its_name() -> None:
    plan = make_plan(reversed(PICTURES), recipe(selection={"min_faces": 0}))

    assert [(item.picture.key, item.folder, item.stem) for item in plan.items] == [
        ("k1", ("Mai",), "yama_S2EP04_1"),
        ("k2", ("Mai",), "yama_S2EP04_2"),
        ("k3", ("Ena",), "yama_S2EP04_3"),
        ("k4", ("others",), "yama_S2EP04_4"),
    ]
    assert plan.spelled == {"Mai": "Mai", "Ena": "Ena"}
    assert plan.left_out == {}
    assert plan.upscaled == {}


def test_pictures_left_out_are_counted_by_reason_and_their_characters_take_no_spelling() -> None:
    pictures = [*PICTURES, picture(5, "MAI", episode="S2EP05"), picture(6, "Mai", "Ena", "Rin"), picture(7)]

    plan = make_plan(pictures, recipe(selection={"episodes": ["S2EP04"], "max_faces": 2}))

    assert plan.left_out == {
        WRONG_EPISODE: 1,
        NO_FACE: 2,
        TOO_MANY: 1,
    }
    assert list(plan.left_out) == sorted(plan.left_out)
    assert set(plan.spelled) == {"Mai", "Ena"}
    assert len(plan.items) == 3


def test_nothing_chosen_is_an_empty_plan() -> None:
    plan = make_plan([picture(1)], recipe())

    assert (plan.items, plan.balance.folders, plan.left_out) == ((), (), {NO_FACE: 1})


def test_pictures_of_equal_names_are_numbered_in_the_order_of_their_keys() -> None:
    plan = make_plan([picture(2, "Mai", stem="a"), picture(1, "Ena", stem="A")], recipe())

    assert [(item.picture.key, item.stem) for item in plan.items] == [("k1", "A"), ("k2", "a~2")]


def test_short_names_are_cut_in_the_folders_and_in_the_file() -> None:
    row = picture(1, "A name that is rather long", stem="My_Neighbours_S01E02_0000123", source_dirs=("A" * 30,))

    plan = make_plan([row], recipe(arrange={"short_names": True, "keep_source_structure": True}))
    full = make_plan([row], recipe(arrange={"keep_source_structure": True}))

    assert plan.items[0].stem == "eighbours_S01E02_0000123"
    assert [len(part) for part in plan.items[0].folder] == [20, 11]
    assert full.items[0].stem == row.stem
    assert full.items[0].folder == ("A" * 30, "A name that is rather long")


def test_weights_and_limits_of_the_recipe_set_the_balance() -> None:
    chosen = recipe(balance={"weights": "Mai,8\n", "min_multiply": 2, "max_multiply": 5})

    plan = make_plan(PICTURES, chosen)

    shares = {row.path: row for row in plan.balance.folders}
    assert {path: row.pictures for path, row in shares.items()} == {("Mai",): 2, ("Ena",): 1}
    assert (shares[("Ena",)].multiply, shares[("Mai",)].unclipped, shares[("Mai",)].multiply) == (2, 8, 5)
    assert "1 folder is cut at multiply 5" in plan.warnings[0]


def test_upscaled_pictures_are_counted_by_all_their_passes_and_too_many_are_reported() -> None:
    rows = [picture(1, "Mai", width=128, height=100), picture(2, "Mai", width=900, height=800, passes=1), PICTURES[2]]

    plan = make_plan(rows, recipe(upscale={"below": 720}), factor=2)

    assert [(item.passes, item.all_passes, item.size) for item in plan.items] == [
        (3, 3, (922, 720)),
        (0, 1, None),
        (0, 0, None),
    ]
    assert plan.upscaled == {3: 1, 1: 1}
    assert "1 picture has more than 2 passes of upscaling (up to 3)" in plan.warnings[-1]


def test_a_persons_caption_goes_out_as_one_line_instead_of_the_recipes() -> None:
    assert caption_of(picture(1, "Mai"), recipe()) == "Mai, anishot yamaS2EP04, smile"
    assert caption_of(picture(1, "Mai", caption=" By\nhand. "), recipe()) == "By hand."
    assert caption_of(picture(1, "Mai", caption=""), recipe()) == ""


def test_the_general_description_comes_from_the_recipe_and_the_picture() -> None:
    chosen = recipe(metadata={"general": "{type} of {series}, {episode}", "types": {"fanart": "drawing"}})

    assert facts(picture(1, image_type="fanart", series="Yama no Susume"), chosen).general == (
        "drawing of YamanoSusume, S2EP04"
    )


def test_all_sentences_stand_below_the_caption_once_each_where_the_recipe_wants_lines() -> None:
    row = picture(1, caption="By hand.", sentences=("A\nfile (2).", "By hand.", "", "A model."))
    lines = {"output": {"captions": "lines"}}

    assert captions_of(row, recipe()) == ("By hand.",)
    assert captions_of(row, recipe(**lines)) == ("By hand.", "A file (2).", "A model.")
    escaped = recipe(**lines, caption={"escape_brackets": True})
    assert captions_of(row, escaped) == ("By hand.", r"A file \(2\).", "A model.")
    assert captions_of(replace(row, caption=""), recipe()) == ()
    assert captions_of(replace(row, caption=""), recipe(**lines)) == ("A file (2).", "By hand.", "A model.")


def plan_and_recipe(**sections: Any) -> tuple[Plan, Recipe]:
    chosen = recipe(arrange={"format": "n_characters/character"}, selection={"min_faces": 0}, **sections)
    return make_plan([*PICTURES, picture(5, "Ena", tags=())], chosen), chosen


class MemorySink(dict[str, bytes]):
    """What a format writes for all pictures."""

    def write(self, path: str, data: bytes) -> None:
        self[path] = data


def files_of(plan: Plan, chosen: Recipe) -> dict[str, bytes]:
    sink = MemorySink()
    format_of(chosen).open(plan, chosen, sink).close()
    return sink


def warnings(plan: Plan, chosen: Recipe) -> tuple[str, ...]:
    return (*plan.warnings, *warnings_of(chosen, plan.balance))


def test_folders_with_a_multiply_are_written_as_planned_with_a_file_in_each_that_holds_pictures() -> None:
    plan, chosen = plan_and_recipe(balance={"weights": "Mai,1.44\n"})
    folders = format_of(chosen).folders(plan.balance)
    assert folders == {path: path for path in (("1_character", "Mai"), ("1_character", "Ena"), ("others",))}
    files = files_of(plan, chosen)
    assert files["1_character/Ena/multiply.txt"] == b"1"
    assert files["1_character/Mai/multiply.txt"] == b"1.44"
    assert files["others/multiply.txt"] == b"4.88"
    assert warnings(plan, chosen) == (ONE_RULES,)


def test_kohya_gets_flat_folders_with_their_repeats() -> None:
    plan, chosen = plan_and_recipe(
        balance={"weights": "Mai,1.44\n"}, output={"layout": "kohya", "caption_ending": ".caption"}
    )
    assert format_of(chosen).folders(plan.balance) == {
        ("1_character", "Mai"): ("1_1_character~Mai",),
        ("1_character", "Ena"): ("1_1_character~Ena",),
        ("others",): ("5_others",),
    }
    assert not [path for path in files_of(plan, chosen) if path.endswith("multiply.txt")]
    ruling, repeats = warnings(plan, chosen)
    assert ruling == ONE_RULES
    assert "1 of 3 folders are used more than 10 % too often or too seldom" in repeats
    assert "Worst: 1_character/Mai, 1.44 becomes 1." in repeats


@pytest.mark.parametrize("layout", ["hierarchy", "kohya"])
def test_several_captions_add_the_layouts_warning_after_those_of_the_plan(layout: str) -> None:
    plan, chosen = plan_and_recipe(balance={"max_multiply": 1.5}, output={"layout": layout, "captions": "lines"})
    texts = warnings(plan, chosen)
    assert "cut at multiply 1.5" in texts[0]
    assert "--enable_wildcard" in texts[-1]


@pytest.mark.parametrize(
    ("written", "levels"),
    [
        (("12_1_character~Mai",), ("1_character", "Mai")),
        (("mine_of~b",), ("mine_of", "b")),
        (("12",), ("",)),
        (("12_a~b", "c"), ("12_a~b", "c")),
        ((), ()),
    ],
)
def test_kohyas_flat_folders_are_read_as_levels_and_nested_ones_left_alone(
    written: tuple[str, ...], levels: tuple[str, ...]
) -> None:
    assert FORMATS["kohya"].levels(written) == levels
    assert FORMATS["hierarchy"].levels(written) == written


def test_without_levels_kohya_gets_one_folder_named_all() -> None:
    chosen = recipe(arrange={"format": ""}, output={"layout": "kohya"})

    assert format_of(chosen).folders(make_plan(PICTURES, chosen).balance) == {(): ("1_all",)}
