"""Captions: the document's example, every option, and that a recipe always gives the same bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.algorithms import metadata
from export.algorithms.caption_tags import display_name
from export.algorithms.captions import PARTS, CaptionOptions, caption, chosen_tags, draw, escaped, pieces, position
from export.algorithms.metadata import Box, Facts

EXAMPLE: dict[str, Any] = {
    "count": "2",
    "characters": ["KuraueHinata", "AobaKokona"],
    "general": "anishot yamaS2EP04",
    "facepos": ["fvp 42 70 fhp 22 39", "fvp 15 37 fhp 62 75"],
    "tags": [
        "long_hair",
        "looking_at_viewer",
        "blush",
        "short_hair",
        "open_mouth",
        "multiple_girls",
        "skirt",
        "brown_hair",
        "shirt",
        "black_hair",
        "hair_ornament",
        "red_eyes",
        "2girls",
        "twintails",
        "purple_eyes",
        "braid",
        "pantyhose",
        "outdoors",
        "hairclip",
        "bag",
        "sunlight",
        "backpack",
        "braided_bangs",
    ],
}
EXAMPLE_CAPTION = (
    "2people, KuraueHinata AobaKokona, anishot yamaS2EP04, fvp 42 70 fhp 22 39 fvp 15 37 fhp 62 75, backpack, "
    "outdoors, hair_ornament, pantyhose, braid, short_hair, hairclip, skirt, shirt, long_hair, open_mouth, "
    "multiple_girls, brown_hair, bag, twintails"
)
# A seed whose draw takes the very 15 of the 23 tags that the document's author drew.
EXAMPLE_SEED = 1_660_449


def test_the_example_json_gives_the_example_caption_but_for_the_order_of_its_tags() -> None:
    options = CaptionOptions.of_version("v1.0", shuffle_tags=True, seed=EXAMPLE_SEED)

    text = caption(metadata.read(EXAMPLE), options, key="XXX")

    assert text.split(", ")[:4] == EXAMPLE_CAPTION.split(", ")[:4]
    assert len(text.split(", ")) == 4 + 15
    assert sorted(text.split(", ")[4:]) == sorted(EXAMPLE_CAPTION.split(", ")[4:])


@pytest.mark.parametrize("seed", range(20))
def test_with_any_seed_the_example_has_its_head_and_fifteen_of_its_tags(seed: int) -> None:
    text = caption(
        metadata.read(EXAMPLE), CaptionOptions.of_version("v1.0", shuffle_tags=True, seed=seed), key="XXX"
    ).split(", ")

    assert text[:4] == EXAMPLE_CAPTION.split(", ")[:4]
    assert len(set(text[4:])) == 15
    assert set(text[4:]) <= set(EXAMPLE["tags"])


def full(**changes: Any) -> Facts:
    values: dict[str, Any] = {
        "faces": (Box(0.1, 0.1, 0.3, 0.3), Box(0.7, 0.5, 0.9, 0.9)),
        "characters": ("Aoba Mai", "Hinata"),
        "n_people": 2,
        "general": "anishot yama_S2EP04",
        "tags": ("chair", "bunny", "brown_hair", "red_eyes", "skirt", "1girl", "solo", "^_^", "style_parody", "smile"),
        "copyright": ("yama_no_susume",),
        "artist": ("some_body",),
        "rating": "explicit",
    }
    return Facts(**(values | changes))


def test_the_three_versions_differ_as_the_reference_says() -> None:
    every = {"copyright_prob": 1.0, "max_tags": 3}

    assert caption(full(), CaptionOptions.of_version("v1.0", **every), key="k") == (
        "2people, Aoba Mai Hinata, from yama_no_susume, anishot yama_S2EP04, style of some_body, "
        "fvp 10 30 fhp 10 30 fvp 50 90 fhp 70 90, chair, bunny, brown_hair"
    )
    assert caption(full(), CaptionOptions.of_version("v1.1", **every), key="k") == (
        "2people, Aoba Mai Hinata, from yama no susume, anishot yama S2EP04, style of some body, "
        "fhml fvmt fhri fvmb, 1girl, solo, chair"
    )
    assert caption(full(), CaptionOptions.of_version("v1.2", facepos_prob=1.0, **every), key="k") == (
        "Aoba Mai, Hinata, from yama no susume, anishot yama S2EP04, by some body, explicit, "
        "at left, at right, 1girl, solo, chair"
    )


def test_missing_parts_leave_no_stray_separator() -> None:
    nothing = Facts()

    for version in ("v1.0", "v1.1", "v1.2"):
        assert caption(nothing, CaptionOptions.of_version(version), key="k") == ""
    assert caption(Facts(tags=("smile",)), CaptionOptions.of_version("v1.0"), key="k") == "smile"
    assert caption(nothing, CaptionOptions(**{f"{part}_prob": 1.0 for part in PARTS}), key="k") == ""


@pytest.mark.parametrize(
    ("people", "expected"), [(1, "1person"), (2, "2people"), (5, "5people"), (6, "manypeople"), (0, "")]
)
def test_one_person_is_singular_and_six_are_many(people: int, expected: str) -> None:
    options = CaptionOptions.of_version("v1.0", order=("count",))

    assert caption(Facts(n_people=people), options, key="k") == expected


def test_count_words_and_source_can_be_chosen() -> None:
    options = CaptionOptions.of_version(
        "v1.0", order=("count",), count_source="characters", count_singular=" girl", count_plural=" girls"
    )

    assert caption(full(), options, key="k") == "2 girls"
    assert caption(full(), replace(options, count_source="faces"), key="k") == "2 girls"
    assert caption(full(characters=("A",)), options, key="k") == "1 girl"


def test_drop_rules_work_on_whole_words() -> None:
    options = CaptionOptions.of_version("v1.2", drop_hair=True, drop_eyes=True, max_tags=100)

    assert chosen_tags(full(), options, key="k") == ["1girl", "solo", "chair", "bunny", "skirt", "^_^", "smile"]


def test_clothes_are_dropped_only_when_every_character_has_an_outfit() -> None:
    options = CaptionOptions.of_version("v1.2", drop_outfit=True, max_tags=100)

    assert "skirt" in chosen_tags(full(), options, key="k")
    assert "skirt" not in chosen_tags(full(every_outfit_known=True), options, key="k")
    assert "smile" in chosen_tags(full(every_outfit_known=True), options, key="k")


def test_people_tags_stand_first_and_are_never_dropped() -> None:
    options = CaptionOptions.of_version("v1.2", max_tags=1, shuffle_tags=True)

    assert chosen_tags(full(), options, key="k") == ["1girl", "solo"]


def test_kaomoji_keep_their_underscores() -> None:
    assert caption(Facts(tags=("^_^", "long_hair")), CaptionOptions(), key="k") == "^_^, long hair"


@pytest.mark.parametrize(
    "entry", ["slime (substance)", "slime_(substance)", "Slime_(Substance)", "slime*", "*substance)"]
)
def test_an_entry_of_the_blacklist_fits_its_tag_in_every_spelling(entry: str) -> None:
    facts = Facts(tags=("slime_(substance)", "slim", "smile"))

    assert chosen_tags(facts, CaptionOptions(blacklist=(entry,)), key="k") == ["slim", "smile"]


@pytest.mark.parametrize("entry", ["?", "[a-z]*", "sm?le", "mile", "(", "*mil"])
def test_only_a_star_is_a_wildcard_and_parts_of_words_block_nothing(entry: str) -> None:
    assert chosen_tags(Facts(tags=("smile", "?")), CaptionOptions(blacklist=(entry,)), key="k") == [
        tag for tag in ("smile", "?") if tag != entry
    ]


def test_the_blacklist_takes_words_and_patterns() -> None:
    tags = ("style_parody", "parody", "smile", "open_mouth", "mouth_hold")

    assert chosen_tags(Facts(tags=tags), CaptionOptions(), key="k") == ["smile", "open_mouth", "mouth_hold"]
    options = CaptionOptions(blacklist=("mouth_*", "smile"))
    assert chosen_tags(Facts(tags=tags), options, key="k") == ["style_parody", "parody", "open_mouth"]


def test_face_positions_are_said_only_when_faces_and_characters_agree_or_always() -> None:
    options = CaptionOptions.of_version("v1.0", order=("facepos",))
    one_unknown = full(characters=("Hinata",))

    assert caption(one_unknown, options, key="k") == ""
    assert caption(full(n_people=3), options, key="k") == ""
    assert caption(one_unknown, replace(options, always_facepos=True), key="k").startswith("fvp 10 30")
    assert caption(full(faces=(Box(0, 0, 1, 1),), characters=(), n_people=1), options, key="k") == "fvp 0 100 fhp 0 100"


@pytest.mark.parametrize(
    ("centre", "tokens", "words", "phrase"),
    [
        (0.1, "fhll fvtp", "fhleft fvtop", "at left"),
        (0.3, "fhml fvmt", "fhmleft fvmtop", "at left"),
        (0.5, "fhmd fvmd", "fhmid fvmid", "in the middle"),
        (0.7, "fhmr fvmb", "fhmright fvmbottom", "at right"),
        (0.9, "fhri fvbt", "fhright fvbottom", "at right"),
    ],
)
def test_positions_fall_into_five_bins_or_three_phrases(centre: float, tokens: str, words: str, phrase: str) -> None:
    box = Box(centre - 0.05, centre - 0.05, centre + 0.05, centre + 0.05)

    assert position(box, "tokens") == tokens
    assert position(box, "words") == words
    assert position(box, "phrases") == phrase


def test_a_probability_is_met_over_many_pictures_and_raising_it_only_adds() -> None:
    half = CaptionOptions(tags_prob=0.5)
    more = CaptionOptions(tags_prob=0.8)
    facts = Facts(tags=("smile",))
    keys = [f"frame-{number}" for number in range(4000)]

    with_half = {key for key in keys if caption(facts, half, key=key)}
    with_more = {key for key in keys if caption(facts, more, key=key)}

    assert 0.46 < len(with_half) / len(keys) < 0.54
    assert 0.76 < len(with_more) / len(keys) < 0.84
    assert with_half < with_more


def test_a_draw_is_the_same_on_every_machine_and_in_every_version() -> None:
    assert draw(7, "frame-1", "tags") == 0.8131486507638994
    assert 0 <= draw(7, "a name that is no text: \ud800", "tags") < 1


def test_people_count_tags_fill_the_limit_before_the_others_do() -> None:
    options = CaptionOptions(max_tags=3, order=("tags",))

    assert caption(full(), options, key="k") == "1girl, solo, chair"
    assert caption(full(), replace(options, people_first=False), key="k") == "chair, bunny, brown hair"


def test_tags_about_the_picture_are_there_only_where_wanted_and_each_tag_once() -> None:
    facts = Facts(tags=("smile", "blush"), meta=("highres", "smile"))

    assert caption(facts, CaptionOptions(), key="k") == "smile, blush"
    assert caption(facts, CaptionOptions(meta_tags=True), key="k") == "smile, blush, highres"


def test_several_names_are_joined_after_one_prefix() -> None:
    facts = Facts(copyright=("yama_no_susume", "encouragement"), artist=("some_body", "another"))

    assert caption(facts, CaptionOptions(copyright_prob=1.0), key="k") == (
        "from yama no susume, encouragement, by some body, another"
    )


@pytest.mark.parametrize(
    ("rating", "text"), [("explicit", "explicit"), ("e", "explicit"), ("questionable", ""), ("general", ""), ("", "")]
)
def test_only_an_explicit_rating_is_named(rating: str, text: str) -> None:
    assert caption(Facts(rating=rating), CaptionOptions(), key="k") == text


def test_each_of_several_sentences_is_drawn_for_some_pictures() -> None:
    facts = Facts(prose="One.", proses=("One.", "Two.", "Three."))
    options = CaptionOptions(prose_prob=1.0)

    drawn = [caption(facts, options, key=f"k{number}") for number in range(300)]

    assert drawn[:5] == ["One.", "Two.", "Three.", "Three.", "Two."]  # on every machine
    assert {text: 70 < drawn.count(text) < 130 for text in drawn} == {"One.": True, "Two.": True, "Three.": True}


def test_two_sentences_are_enough_to_draw_from() -> None:
    facts = Facts(prose="One.", proses=("One.", "Two."))

    drawn = {caption(facts, CaptionOptions(prose_prob=1.0), key=f"k{number}") for number in range(30)}

    assert drawn == {"One.", "Two."}


def test_control_characters_never_reach_a_caption() -> None:
    assert caption(Facts(characters=("Ma\x1bi\x7f\x85",)), CaptionOptions(), key="k") == "Mai"


@pytest.mark.parametrize(
    ("x", "y", "tokens", "phrase"),
    [
        (0.2, 0.4, "fhml fvmd", "at left"),
        (0.4, 0.2, "fhmd fvmt", "in the middle"),
        (0.6, 0.8, "fhmr fvbt", "in the middle"),
        (0.8, 0.6, "fhri fvmb", "at right"),
        (0.38, 0.5, "fhml fvmd", "in the middle"),
        (0.62, 0.5, "fhmr fvmd", "at right"),
    ],
)
def test_a_centre_on_an_edge_belongs_to_the_next_bin(x: float, y: float, tokens: str, phrase: str) -> None:
    box = Box(x, y, x, y)

    assert position(box, "tokens") == tokens
    assert position(box, "phrases") == phrase


def test_order_and_separators_follow_the_recipe() -> None:
    options = CaptionOptions(order=("tags", "characters"), separator=" | ", tags_separator=" ", max_tags=3)

    assert caption(full(), options, key="k") == "1girl solo chair | Aoba Mai, Hinata"


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"order": ("face",)}, "order"),
        ({"order": ("tags", "tags")}, "order"),
        ({"tags_prob": 1.1}, "tags_prob"),
        ({"count_prob": -0.1}, "count_prob"),
        ({"prose_prob": float("nan")}, "prose_prob"),
        ({"max_tags": -1}, "max_tags"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"separator": "\n"}, "separator"),
        ({"separator": "\r"}, "separator"),
        ({"tags_separator": "a\nb"}, "separator"),
    ],
)
def test_senseless_options_are_refused(wrong: dict[str, Any], place: str) -> None:
    with pytest.raises(ValueError, match=f"^{place}: "):
        CaptionOptions(**wrong)


def test_the_outermost_values_of_options_are_allowed() -> None:
    options = CaptionOptions(max_tags=0, seed=2**63 - 1, tags_prob=0.0, count_prob=1.0, order=())

    assert caption(full(), options, key="k") == ""
    assert caption(full(), replace(options, order=("tags", "count"), seed=0), key="k") == "2people"


@given(seed=st.integers(0, 2**63 - 1), key=st.text(max_size=20), tags=st.lists(st.text(max_size=12), max_size=30))
def test_captions_are_one_line_and_the_same_every_time(seed: int, key: str, tags: list[str]) -> None:
    options = CaptionOptions(seed=seed, shuffle_tags=True, tags_prob=0.5, characters_prob=0.5)
    facts = full(tags=tuple(tags))

    first = caption(facts, options, key=key)

    assert first == caption(facts, options, key=key)
    assert len(first.splitlines()) <= 1
    for part in PARTS:
        assert 0 <= draw(seed, key, part) < 1


parts_of_words = st.text("ab_ (\\[)]", max_size=6)


@given(
    tags=st.lists(parts_of_words, max_size=5),
    characters=st.lists(parts_of_words, max_size=2),
    separators=st.tuples(st.text(", (\\", max_size=3), st.text(", [\\", max_size=3)),
    escape=st.booleans(),
)
def test_the_pieces_of_a_caption_are_its_text_and_name_each_of_its_tags(
    tags: list[str], characters: list[str], separators: tuple[str, str], escape: bool
) -> None:
    facts = Facts(tags=tuple(tags), characters=tuple(characters))
    options = CaptionOptions(
        order=("characters", "tags"), separator=separators[0], tags_separator=separators[1], blacklist=()
    )
    listed = chosen_tags(facts, options, key="k")
    written = [display_name(tag, spaces=True) for tag in listed]
    names = ", ".join(display_name(name, spaces=True) for name in characters)
    parts = [text for text in (names, separators[1].join(written)) if text]

    composed = pieces(facts, replace(options, escape_brackets=escape), key="k")

    assert "".join(piece.text for piece in composed) == separators[0].join(
        escaped(part) if escape else part for part in parts
    )
    if "".join(written):
        assert [piece.tag for piece in composed if piece.tag] == [tag for tag in listed if tag]


def test_a_name_with_a_comma_is_one_tag_and_the_commas_of_the_general_description_stay() -> None:
    facts = Facts(characters=("Smith, John", "Eve"), general="anime, cel shaded")
    tags = caption(facts, CaptionOptions(), key="a").split(", ")
    assert tags == ["Smith John", "Eve", "anime", "cel shaded"]
