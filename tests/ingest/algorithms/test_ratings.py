"""Words of ratings are words; the letter s needs the scheme of its site."""

from __future__ import annotations

import pytest

from ingest.algorithms.ratings import rating_of, scheme_of_site


@pytest.mark.parametrize("scheme", ["", "old", "new"])
@pytest.mark.parametrize(
    ("text", "rating"),
    [("safe", "safe"), ("Safe", "safe"), ("sfw", "safe"), ("sensitive", "sensitive"), ("general", "general"),
     ("questionable", "questionable"), ("explicit", "explicit"), ("nsfw", "nsfw"), ("R-18", "r18"), ("g", "general"),
     ("q", "questionable"), ("E", "explicit"), ("spicy", ""), ("", "")],
)  # fmt: skip
def test_a_word_means_itself_whatever_the_scheme(text: str, rating: str, scheme: str) -> None:
    assert rating_of(text, scheme) == rating


def test_the_letter_s_is_read_by_its_scheme_only() -> None:
    assert [rating_of("s", scheme) for scheme in ("", "old", "new")] == ["", "safe", "sensitive"]
    assert [scheme_of_site(site) for site in ("danbooru", "yandere", "somewhere")] == ["new", "old", ""]
