"""Tags that cannot be true together: what a machine says yields to what was said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.algorithms.contradictions import contradicting


@pytest.mark.parametrize(
    ("said", "machine", "wrong"),
    [
        ("1girl hat", "no_humans smile lowres", "no_humans"),
        ("no_humans scenery", "1girl solo portrait blue_hair white_background tree",
         "1girl solo portrait blue_hair white_background"),
        ("2girls", "1girl 3girls multiple_girls solo no_humans 1boy", "1girl 3girls solo no_humans"),
        ("1girl", "multiple_girls 2girls 1boy", "multiple_girls 2girls"),
        ("1girl 1boy", "solo", "solo"),
        ("multiple_girls", "1girl 3girls 1boy solo", "1girl solo"),
        ("multiple_boys 1girl", "1boy multiple_girls", "1boy multiple_girls"),
        ("6+girls", "6+girls 5girls", "5girls"),
        ("2girls 1boy", "multiple_girls multiple_boys", "multiple_boys"),
        ("crowd", "solo 1girl", "solo"),
        ("scenery", "white_background simple_background indoors", "white_background simple_background"),
        ("white_background", "black_background gradient_background scenery", "black_background gradient_background"),
        ("long_hair", "very_long_hair short_hair", "short_hair"),
        ("open_mouth", "closed_mouth", "closed_mouth"),
        ("2girls open_mouth", "closed_mouth", ""),
        ("2girls portrait", "full_body", "full_body"),
        ("2girls heterochromia blue_eyes outdoors", "red_eyes indoors", "indoors"),
        ("blue_hair heterochromia", "red_hair", "red_hair"),
        ("rainbow_hair blue_eyes", "red_hair red_eyes", "red_eyes"),
        ("smile", "rating:safe rating:explicit", ""),
        ("smile tree", "no_humans 1girl solo", ""),
        ("solo", "2girls multiple_boys 1girl", "2girls multiple_boys"),
        ("1girl silver_hair", "blonde_hair grey_hair blue_eyes", "blonde_hair"),
        ("2girls silver_hair", "blonde_hair", ""),
        ("multicolored_hair blue_hair", "blonde_hair", ""),
        ("heterochromia red_eyes", "blue_eyes", ""),
        ("red_eyes", "blue_eyes no_humans", "blue_eyes no_humans"),
        ("outdoors", "indoors simple_background white_background night", "indoors simple_background white_background"),
        ("rating:safe", "rating:sensitive rating:explicit smile", "rating:sensitive rating:explicit"),
        ("highres", "lowres absurdres", "lowres"),
        ("", "1girl no_humans", ""),
    ],
)  # fmt: skip
def test_what_a_machine_says_yields(said: str, machine: str, wrong: str) -> None:
    assert contradicting(machine.split(), set(said.split())) == set(wrong.split())


TAGS = st.sampled_from(
    ["1girl", "2girls", "1boy", "solo", "no_humans", "multiple_girls", "blonde_hair", "blue_hair", "red_eyes",
     "blue_eyes", "outdoors", "indoors", "white_background", "rating:safe", "rating:explicit", "smile", "portrait"]
)  # fmt: skip


@given(st.sets(TAGS), st.sets(TAGS))
def test_what_was_said_is_never_wrong_and_nothing_said_takes_nothing_away(said: set[str], machine: set[str]) -> None:
    assert not contradicting(machine | said, said) & said
    assert contradicting(machine, set()) == set()
