"""Lists that people type or paste: every usual form gives the same entries, and a mistake names its entry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.algorithms.typed_lists import ListError, decode_text, entries, format_list, typed_list


@pytest.mark.parametrize(
    "text",
    [
        "long_hair, blue eyes, 1girl",
        "long_hair\nblue eyes\n1girl\n",
        "long_hair\r\nblue eyes,\r\n\r\n1girl ,",
        "\ufefflong_hair，blue eyes、1girl",
        ' long_hair ,\t"blue eyes" , “1girl”',
        "# what she looks like\nlong_hair, blue eyes\n#\n1girl, long_hair,,\n",
        "long_hair,\u3000blue eyes,\u200b1girl\rblue eyes",
    ],
)
def test_every_usual_form_gives_the_same_entries(text: str) -> None:
    assert typed_list(text) == ["long_hair", "blue eyes", "1girl"]


def test_quotes_keep_commas_and_a_hash_may_begin_a_tag() -> None:
    assert typed_list('"Smith, Anna", #compass, 5" disk, say "hi"') == [
        "Smith, Anna",
        "#compass",
        '5" disk',
        'say "hi"',
    ]
    assert typed_list('""') == []


def test_names_in_two_normal_forms_are_one() -> None:
    assert typed_list("Caf\u00e9, Cafe\u0301") == ["Caf\u00e9"]


def test_an_open_quote_names_its_entry_and_line() -> None:
    with pytest.raises(ListError, match=r"line 2, '\"Smith, Anna': the quote at its beginning is not closed"):
        entries('Mai\n"Smith, Anna')


def test_each_entry_knows_its_line() -> None:
    assert [(entry.text, entry.line) for entry in entries("a, b\n\n# c\nd")] == [("a", 1), ("b", 1), ("d", 4)]


def test_files_of_other_editors_are_read_and_a_broken_one_names_the_byte() -> None:
    for coding in ("utf-8", "utf-8-sig", "utf-16"):
        assert typed_list(decode_text("舞, 愛".encode(coding))) == ["舞", "愛"]
    with pytest.raises(ListError, match="byte 3"):
        decode_text(b"abc\xff")


@given(st.lists(st.text(st.sampled_from(",，、\"“”# ab'木_"), min_size=1, max_size=8), max_size=8))
def test_a_list_that_was_read_is_written_so_that_it_reads_the_same(texts: list[str]) -> None:
    try:
        read = typed_list(", ".join(texts))
    except ListError:
        return
    assert typed_list(format_list(read)) == read
