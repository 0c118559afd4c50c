"""Names of folders and files: safe everywhere, never outside, never one over another."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.algorithms.filenames import Names, cut_name, safe_name, same_name_key, short_stem


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc", "__.._etc"),
        ("/etc/passwd", "_etc_passwd"),
        ("..", "_"),
        (".", "_"),
        ("", "_"),
        ("   ", "_"),
        (".hidden", "_hidden"),
        ("C:\\Windows", "C__Windows"),
        ("con", "_con"),
        ("NUL.txt", "_NUL.txt"),
        ("com1", "_com1"),
        ("con .txt", "_con .txt"),
        ("nul.tar.gz", "_nul.tar.gz"),
        ("a\u2028b\u00a0\u3000c\u2029", "a b c"),
        ("a\u0378b", "a_b"),
        ("Lpt³", "_Lpt³"),
        ("console", "console"),
        ("trailing. . ", "trailing"),
        ("a\x00b\nc", "a_b c"),
        ("e\u0301clair", "\u00e9clair"),
        ("abc\u202egnp", "abcgnp"),
        ("zero\u200bwidth", "zerowidth"),
        ("家族👨\u200d👩\u200d👧", "家族👨\u200d👩\u200d👧"),
        ("עברית", "עברית"),
        ('a<b>c:"d"|e?*', "a_b_c__d__e__"),
        ("\ud800", "_"),
    ],
)
def test_hostile_names_become_harmless(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_long_names_are_cut_at_a_character_and_stay_different() -> None:
    first, second = safe_name("木" * 80 + "一"), safe_name("木" * 80 + "二")

    assert first != second
    assert len(first.encode()) <= 100
    assert first.startswith("木" * 20)
    assert safe_name("👨" * 60).encode().decode().startswith("👨" * 20)


def test_a_name_of_the_greatest_length_is_not_cut_and_one_that_is_no_text_is() -> None:
    assert safe_name("x" * 100) == "x" * 100
    assert safe_name("\ud800" * 101) != safe_name("\ud801" * 101)


def test_a_cut_name_has_at_least_one_character() -> None:
    assert cut_name("ab", 0) == "a"
    assert cut_name("木", 1) == "_"
    assert cut_name(". a", 2) == "_"


def test_names_that_differ_only_in_case_or_form_get_different_folders() -> None:
    names = Names()

    given_names = [names.folder((), wish) for wish in ("Mai", "MAI", "mai", "Caf\u00e9", "CAFE\u0301", "Mai")]

    assert given_names == ["Mai", "MAI~2", "mai~3", "Café", "CAFÉ~2", "Mai"]


def test_a_numbered_folder_stays_within_its_limit() -> None:
    names = Names()

    assert names.folder((), "a" * 20, limit_bytes=20) == "a" * 20
    assert names.folder((), "A" * 20, limit_bytes=20) == "A" * 18 + "~2"


def test_the_same_name_in_two_folders_needs_no_number() -> None:
    names = Names()

    assert names.folder(("a",), "x") == "x"
    assert names.folder(("b",), "X") == "X"


def test_a_picture_never_takes_the_name_of_a_settings_file_and_has_no_dot() -> None:
    names = Names()

    assert names.stem("multiply") == "multiply_"
    assert names.stem("Local") == "Local_"
    assert names.stem("v1.5 final") == "v1_5 final"
    assert names.stem("V1_5 FINAL") == "V1_5 FINAL~2"


@given(st.text(max_size=300))
def test_any_text_becomes_one_component_on_every_system(name: str) -> None:
    safe = safe_name(name)

    assert safe
    assert len(safe.encode()) <= 100
    assert PurePosixPath(safe).parts == (safe,)
    assert PureWindowsPath(safe).parts == (safe,)
    assert not safe.startswith(".")
    assert not safe.endswith((".", " "))
    assert safe_name(safe) == safe


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Yama S02E07 00-11-22.333 0042", "S02E07 00-11-22.333 0042"),
        ("My_Neighbours_S01E02_0000123", "eighbours_S01E02_0000123"),
        ("Caf\u0065\u0301", "Café"),
        ("第十二話" * 3 + "a", "十二話第十二話a"),
        ("name_.of 24 bytes: 012345678", "of 24 bytes: 012345678"),
        ("_ .", "_"),
        ("", "_"),
        ("a\ud800b", "a?b"),
    ],
)
def test_a_short_name_is_the_end_of_the_name_where_episode_and_number_stand(name: str, short: str) -> None:
    assert short_stem(name) == short


def test_ten_thousand_pictures_of_one_name_are_numbered_quickly() -> None:
    names = Names()

    stems = [names.stem("image") for _ in range(10_000)]

    assert len(set(stems)) == 10_000
    assert stems[-1] == "image~10000"


@given(st.lists(st.text(max_size=30), max_size=40))
def test_all_names_in_a_folder_are_unique_whatever_is_asked(wishes: list[str]) -> None:
    names = Names()
    stems = [names.stem(wish) for wish in wishes]

    assert len({same_name_key(stem) for stem in stems}) == len(stems)
    assert all(len(stem.encode()) <= 100 for stem in stems)
