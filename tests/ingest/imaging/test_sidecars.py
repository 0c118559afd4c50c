"""Tag files as grabbers and taggers write them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest.imaging.sidecars import SideTags, parse_side_file, side_file_of


def test_one_comma_line_is_a_list_of_tags() -> None:
    found = parse_side_file(b"1girl, long hair, angel_wings, 1girl, \n")
    assert found == SideTags(general=("1girl", "long_hair", "angel_wings"))


def test_lines_with_heads_go_to_their_categories() -> None:
    text = (
        "character: kuraue hinata, unknown, ood\ncopyright: yama no susume\nartist: someone\n"
        "general: angel wings, smile\nrating: safe\nscore: 12\n"
    )
    found = parse_side_file(text.encode())
    assert found.character == ("kuraue_hinata",)
    assert found.copyright == ("yama_no_susume",)
    assert found.artist == ("someone",)
    assert found.general == ("angel_wings", "smile")
    assert (found.rating, found.score) == ("s", 12)


def test_the_first_general_tag_keeps_its_first_letters() -> None:
    assert parse_side_file(b"general: lean, general, angel").general == ("lean", "general", "angel")


def test_a_tag_with_a_colon_is_no_head() -> None:
    assert parse_side_file(b"re:zero, :d, 1girl").general == ("re:zero", ":d", "1girl")


def test_escaped_brackets_and_one_tag_a_line_are_read() -> None:
    assert parse_side_file(b"saber \\(fate\\)\nblue eyes\n").general == ("saber_(fate)", "blue_eyes")


def test_prose_is_a_caption_and_no_tag() -> None:
    found = parse_side_file(b"A girl with long hair stands in the rain, and she looks at the viewer with a smile.")
    assert found.general == ()
    assert found.caption.startswith("A girl")


def test_other_encodings_are_read() -> None:
    text = "character: 倉上 ひなた"
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp932"):
        assert parse_side_file(text.encode(encoding)).character == ("倉上_ひなた",)


def test_hostile_tags_stay_text_on_one_line() -> None:
    found = parse_side_file("general: <script>alert(1)</script>, a\u202eb\x00c, ".encode() + b"x" * 300)
    assert found.general == ("<script>alert(1)</script>", "a_b_c")
    assert len(parse_side_file(b",".join(b"t%d" % i for i in range(100_000))).general) <= 2000


def test_the_file_of_a_picture_is_found_in_order() -> None:
    names = ["a.png", "a.txt", "a.png.tags", "b.jpg", "b.txt"]
    assert side_file_of("a.png", names) == "a.png.tags"
    assert side_file_of("b.jpg", names) == "b.txt"
    assert side_file_of("c.jpg", names) is None


@given(st.binary(max_size=500))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    found = parse_side_file(data)
    for tag in (*found.general, *found.character):
        assert tag
        assert "\n" not in tag
        assert "," not in tag
