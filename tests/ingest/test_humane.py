"""Figures for people: one function for counts with their noun and one for sizes, the same on pages and in messages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.template import Context, Template

from ingest import humane


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 faces"), (1, "1 face"), (2, "2 faces"), (12_480, "12,480 faces"), (-1, "-1 faces")]
)
def test_a_count_has_its_noun_in_the_right_number(number: int, text: str) -> None:
    assert humane.count(number, "face") == text


def test_a_plural_of_its_own_is_used() -> None:
    assert [humane.count(n, "entry", "entries") for n in (1, 2)] == ["1 entry", "2 entries"]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "0 B"), (0, "0 B"), (999, "999 B"), (1000, "1 kB"), (999_499, "999 kB"), (999_500, "1.0 MB"),
        (999_949_999, "999.9 MB"), (999_950_000, "1.0 GB"), (1_250_000_000, "1.2 GB"), (3 * 10**12, "3.0 TB"),
        (10**16, "10,000.0 TB"),
    ],
)  # fmt: skip
def test_sizes_are_powers_of_1000_and_never_1000_of_a_unit(size: int | None, text: str) -> None:
    assert humane.filesize(size) == text


def test_pages_write_them_by_the_same_functions() -> None:
    page = Template('{% load humane %}{{ n|count:"face" }}, {{ none|count:"entry,entries" }}, {{ size|filesize }}')
    assert page.render(Context({"n": 1200, "none": None, "size": 5e6})) == "1,200 faces, 0 entries, 5.0 MB"


def test_the_browser_shows_the_same_units_while_it_uploads() -> None:
    script = Path(__file__).resolve().parents[2] / "static" / "js" / "lib" / "numbers.js"
    assert json.dumps(humane.UNITS) in script.read_text("utf-8")
