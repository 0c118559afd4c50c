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


@pytest.mark.parametrize(
    ("texts", "written"),
    [
        (["long_hair", "blue eyes"], "long_hair, blue eyes"),
        (["#"], '"#"'),
        (["# red"], '"# red"'),
        (["#compass"], "#compass"),
        (["Smith, Anna", "a、b"], '"Smith, Anna", "a、b"'),
        (['"quoted"', "“so”"], '"""quoted""", "“so”"'),
        (['5" disk'], '5" disk'),
    ],
)
def test_only_what_would_be_read_otherwise_is_quoted(texts: list[str], written: str) -> None:
    assert format_list(texts) == written
    assert typed_list(written) == texts


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ('"a",b', ["a", "b"]),
        ('"a"  , b', ["a", "b"]),
        ('"a" b, c', ['"a" b', "c"]),
        ('"abc', ['"abc']),
        ('"say ""hi"""', ['say "hi"']),
        ('“say ""hi""”', ['say ""hi""']),
    ],
)
def test_quotes_end_where_a_separator_follows(text: str, texts: list[str]) -> None:
    assert typed_list(text) == texts


def test_lines_are_counted_alike_whatever_ends_them() -> None:
    for ending in ("\n", "\r\n", "\r"):
        assert [entry.line for entry in entries(f"a{ending}b{ending}{ending}c")] == [1, 2, 4]


def test_of_a_long_entry_with_an_open_quote_its_beginning_is_named() -> None:
    with pytest.raises(ListError) as caught:
        entries('"' + "x" * 60 + ", b")
    beginning = '"' + "x" * 39
    assert f"line 1, {beginning!r}: the quote" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "coding"), [(b"abc\xff", "UTF-8 (byte 3)"), (b"\xfe\xff\xd8\x00\x00a", "UTF-16 (byte 2)")]
)
def test_text_that_is_none_is_reported_with_its_coding(data: bytes, coding: str) -> None:
    with pytest.raises(ListError) as caught:
        decode_text(data)
    assert coding in str(caught.value)


def test_both_byte_orders_are_read() -> None:
    assert decode_text(b"\xff\xfe" + "舞".encode("utf-16-le")) == "舞"
    assert decode_text(b"\xfe\xff" + "舞".encode("utf-16-be")) == "舞"
