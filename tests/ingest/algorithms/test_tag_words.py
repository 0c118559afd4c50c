"""Underscores are gaps between words, but not in faces made of signs."""

from __future__ import annotations

import pytest

from ingest.algorithms.tag_words import is_kaomoji, spaced
from ingest.templatetags import humane

KAOMOJI = (
    "0_0", "(o)_(o)", "+_+", "+_-", "._.", "<o>_<o>", "<|>_<|>", "=_=", ">_<", "3_3", "6_9", ">_o", "@_@", "^_^", "o_o",
    "u_u", "x_x", "|_|", "||_||", "T_T", ";_;",
)  # fmt: skip


@pytest.mark.parametrize("face", KAOMOJI)
def test_kaomoji_keep_their_underscores_in_captions_and_on_pages(face: str) -> None:
    assert is_kaomoji(face)
    assert spaced(face) == humane.spaced(face) == face


def test_words_are_parted() -> None:
    assert spaced("looking_at_viewer") == humane.spaced("looking_at_viewer") == "looking at viewer"
    assert spaced("saber_(fate)") == "saber (fate)"
    assert spaced("東_西") == "東 西"
    assert not any(map(is_kaomoji, (":3", "solo", "k-on!_(x)", "1girl", "re:zero_kara")))
