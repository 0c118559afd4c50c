"""Files beside pictures, in every form in which grabbers, taggers and trainers write them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.imaging.side_text import CATEGORIES, SideFacts, parse_text
from ingest.imaging.sidecars import SideFiles, parse_side_file, parse_side_files


def read(text: str, name: str = "a.txt") -> SideFacts:
    return parse_side_file(name, text.encode())


def test_one_comma_line_is_a_list_of_tags() -> None:
    assert read("1girl, long hair, angel_wings, 1girl, \n") == SideFacts(general=("1girl", "long_hair", "angel_wings"))


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("1girl solo long_hair smile hat outdoors sky", "1girl solo long_hair smile hat outdoors sky"),
        ("1girl solo blue_hair", "1girl solo blue_hair"),
        ("1girl solo", "1girl solo"),
        ("1girl ^_^ :3 saber_(fate)", "1girl ^_^ :3 saber_(fate)"),
        ("1girl\nlooking at viewer\nplaying with own hair", "1girl looking_at_viewer playing_with_own_hair"),
        ("\ufeff1girl, ^_^, :3, saber \\(fate\\)\r\n", "1girl ^_^ :3 saber_(fate)"),
        ("re:zero_kara_hajimeru, :d, 1girl", "re:zero_kara_hajimeru :d 1girl"),
        ("long hair", "long_hair"),
        ("(smile:1.2), 1girl", "smile 1girl"),
        ("銀髪、青い目、笑顔", "銀髪 青い目 笑顔"),
        ("saber \\(fate\\)\nblue eyes\n", "saber_(fate) blue_eyes"),
    ],
)  # fmt: skip
def test_the_whole_text_tells_how_tags_are_parted(text: str, tags: str) -> None:
    assert read(text) == SideFacts(general=tuple(tags.split()))


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("long hair; hat", "long_hair hat"),
        ("1girl; long hair; looking at viewer; red hat; sky;", "1girl long_hair looking_at_viewer red_hat sky"),
        ("1girl;solo", "1girl solo"),
        ("hat;long hair;looking at viewer;white gloves", "hat long_hair looking_at_viewer white_gloves"),
        ("hat； long hair", "hat long_hair"),
        ("^_^; ;d; hat", "^_^ ;d hat"),
        ("1girl; steins;gate; hat", "1girl steins;gate hat"),
        ("steins;gate", "steins;gate"),
        (";_;", ";_;"),
        ("hat; x, long hair", "hat;_x long_hair"),
    ],
)  # fmt: skip
def test_semicolons_part_tags_where_no_commas_are_there(text: str, tags: str) -> None:
    assert read(text) == SideFacts(general=tuple(tags.split()))


def test_semicolons_part_names_and_leave_sentences_and_known_tags_whole() -> None:
    assert read("character: Miku; Rin\ngeneral: hat; sky") == SideFacts(
        character=("Miku", "Rin"), general=("hat", "sky")
    )
    sentence = "A girl stands at the window; snow falls outside of the train."
    assert read(sentence) == SideFacts(captions=(sentence,))
    vocabulary = {"left;_right"}
    assert parse_text("left; right", lambda names: vocabulary & set(names)).general == ("left;_right",)


@pytest.mark.parametrize(
    "text",
    [
        "A girl with long silver hair stands at the window of a train and looks out at the falling snow.",
        "A girl with long silver hair, blue eyes, and a hat stands at the window.",
        "She smiles.",
        "girl sitting near train window snow",
        "銀色の長い髪の少女が電車の窓辺に立ち、降る雪を眺めている。",
    ],
)
def test_prose_is_a_caption_and_no_tag(text: str) -> None:
    assert read(text) == SideFacts(captions=(text,))


def test_a_sentence_behind_tags_and_a_sentence_a_line_are_captions() -> None:
    parsed = read("1girl, solo, smile, She looks out at the falling snow and waits.")
    assert parsed == SideFacts(
        general=("1girl", "solo", "smile"), captions=("She looks out at the falling snow and waits.",)
    )
    two = "The girl reads a book in the sun.\nA dog sleeps beside her on the grass."
    assert read(two).captions == tuple(two.splitlines())
    broken = "The girl reads a book\nin the light of the sun, and a dog\nsleeps beside her on the grass."
    assert read(broken).captions == (" ".join(broken.splitlines()),)


def test_lines_with_heads_go_to_their_categories() -> None:
    parsed = read(
        "character: kuraue hinata, unknown, ood\ncopyright: yama no susume\nartist: someone\n"
        "general: angel wings, smile\nrating: safe\nscore: 12\n"
    )
    assert parsed == SideFacts(
        character=("kuraue hinata",), copyright=("yama_no_susume",), artist=("someone",),
        general=("angel_wings", "smile"), rating="safe", score=12,
    )  # fmt: skip
    spaces = read("character: hatsune miku\ngeneral: 1girl solo long_hair")
    assert (spaces.character, spaces.general) == (("hatsune miku",), ("1girl", "solo", "long_hair"))


@pytest.mark.parametrize("separator", ["\n", ", "])
def test_namespaces_are_categories(separator: str) -> None:
    parsed = read(
        separator.join(["character:saber", "creator:some artist", "series:fate", "rating:safe", "1girl", "blue eyes"])
    )
    assert parsed == SideFacts(
        character=("saber",), copyright=("fate",), artist=("some_artist",), general=("1girl", "blue_eyes"),
        rating="safe",
    )  # fmt: skip


def test_what_tells_of_the_file_is_no_tag_but_is_reported() -> None:
    parsed = read("title:a walk\npage:3\n1girl\nscore: many")
    assert parsed.general == ("1girl",)
    assert parsed.left == ("title:a walk", "page:3", "score: many")


def test_the_vocabulary_tells_lists_without_any_other_sign() -> None:
    known = {"cat", "umbrella", "rain", "pointy_ears"}
    vocabulary = lambda names: known & set(names)  # noqa: E731
    assert parse_side_file("a.txt", b"cat umbrella rain window", vocabulary).general == (
        "cat",
        "umbrella",
        "rain",
        "window",
    )
    assert parse_side_file("a.txt", b"pointy ears", vocabulary).general == ("pointy_ears",)
    assert parse_side_file("a.txt", b"cat umbrella rain window").captions == ("cat umbrella rain window",)


def test_json_of_koma_and_of_the_screenshot_pipeline_is_read() -> None:
    koma_json = {"n_faces": 2, "facepos": [[0.1, 0.1, 0.3, 0.4], [0.6, 0.1, 0.8, 0.4]], "character": ["Miku", "Rin"],
           "general": "anishot S1EP04", "tags": ["1girl", "^_^"], "copyright": ["vocaloid"], "rating": "safe",
           "score": 5}  # fmt: skip
    parsed = read(json.dumps(koma_json), "a.json")
    assert parsed == SideFacts(
        character=("Miku", "Rin"), copyright=("vocaloid",), general=("1girl", "^_^"), rating="safe", score=5,
        boxes=((0.1, 0.1, 0.3, 0.4), (0.6, 0.1, 0.8, 0.4)),
    )  # fmt: skip
    first = {"count": "1", "characters": ["Miku"], "facepos": ["fvp 42 70 fhp 22 39"], "tags": ["hat"]}
    assert read(json.dumps(first), "a.json").boxes == ((0.22, 0.42, 0.39, 0.7),)
    assert read(json.dumps(koma_json | {"character": ["Miku"]}), "a.json").boxes == ()


def test_json_of_gallery_dl_and_waifuc_is_read() -> None:
    danbooru = {"category": "danbooru", "tags_general": ["1girl", "hat"], "tags_character": ["hatsune_miku"],
                "tags": ["1girl", "hat", "hatsune_miku"], "tags_artist": [], "rating": "s", "score": 81,
                "source": "x"}  # fmt: skip
    parsed = read(json.dumps(danbooru), "a.png.json")
    assert (parsed.general, parsed.character, parsed.score) == (("1girl", "hat"), ("hatsune_miku",), 81)
    assert (parsed.rating, parsed.rating_scheme) == ("s", "new")
    assert parsed.left == ("unused keys: source",)
    assert read(json.dumps(danbooru | {"category": "yandere"}), "a.json").rating_scheme == "old"
    simple = read('{"category": "gelbooru", "tags": "1girl solo long_hair", "rating": "sensitive"}', "a.json")
    assert (simple.general, simple.rating) == (("1girl", "solo", "long_hair"), "sensitive")
    e621 = read(
        '{"tags": {"general": ["solo"], "species": ["cat"], "character": ["tom"]}, "score": {"total": 7}}', "a.json"
    )
    assert (e621.general, e621.character, e621.score) == (("solo", "cat"), ("tom",), 7)
    posts = read('{"tags": [{"name": "1girl", "category": "0"}, {"name": "rin", "category": "4"}]}', "a.json")
    assert (posts.general, posts.character) == (("1girl",), ("rin",))
    waifuc = read(
        '{"characters": ["miku"], "tags": {"long_hair": 0.98}, "caption": "A girl with long hair stands."}',
        ".a_meta.json",
    )
    assert (waifuc.character, waifuc.general) == (("miku",), ("long_hair",))
    assert waifuc.captions == ("A girl with long hair stands.",)


def test_a_broken_file_is_reported_and_the_others_count() -> None:
    parsed = parse_side_files([("a.json", b'{"tags": ['), ("a.txt", b"1girl, hat")])
    assert parsed.general == ("1girl", "hat")
    assert parsed.left[0].startswith("a.json: invalid JSON")


def test_a_caption_made_of_the_tags_is_no_second_list_of_tags() -> None:
    parsed = parse_side_files([
        ("a.json", b'{"character": ["Miku"], "tags": ["1girl"]}'), ("a.txt", b"anishot S1EP04, Miku, at left, 1girl"),
        ("a.caption", b"A girl stands at the window."),
    ])  # fmt: skip
    assert (parsed.character, parsed.general) == (("Miku",), ("1girl",))
    assert parsed.captions == ("A girl stands at the window.",)
    assert parsed.left == ("a.txt: tags ignored, since a.json has tags",)


def test_tags_and_prose_of_two_files_are_both_read() -> None:
    parsed = parse_side_files([("a.txt", b"1girl, hat"), ("a.caption", b"A girl stands at the window.")])
    assert (parsed.general, parsed.captions) == (("1girl", "hat"), ("A girl stands at the window.",))
    assert parse_side_files([("c.caption", b"1girl, solo, silver hair")]).general == ("1girl", "solo", "silver_hair")


def test_other_encodings_are_read() -> None:
    text = "character: 倉上 ひなた"
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp932"):
        assert parse_side_file("a.txt", text.encode(encoding)).character == ("倉上 ひなた",)


def test_the_first_general_tag_keeps_its_first_letters() -> None:
    assert read("general: lean, general, angel").general == ("lean", "general", "angel")


def test_hostile_tags_stay_text_on_one_line_and_too_many_are_reported() -> None:
    parsed = parse_side_file("a.txt", "general: <script>alert(1)</script>, a\u202eb\x00c, ".encode() + b"x" * 300)
    assert parsed.general == ("<script>alert(1)</script>", "a_b_c")
    assert parsed.left[0].startswith("xxx")
    many = parse_side_file("a.txt", b",".join(b"t%d" % i for i in range(100_000)))
    assert len(many.general) == 2000
    assert many.left[-1] == "and 97,950 more"
    assert parse_side_file("a.json", b"[" * 100_000).left


def test_the_files_of_a_picture_are_found_in_order_and_whatever_their_case() -> None:
    files = SideFiles(
        ["a.png", "a.txt", "a.png.tags", "B.TXT", "b.json", "d/a.txt", ".b_meta.json", "e.caption", "multiply.txt"]
    )
    assert files.of("a.png") == ["a.png.tags", "a.txt"]
    assert files.of("b.jpg") == ["b.json", ".b_meta.json", "B.TXT"]
    assert SideFiles(["x_meta.json"]).of("x.png") == ["x_meta.json"]
    assert files.of("d/a.webp") == ["d/a.txt"]
    assert files.of("c.jpg") == []
    assert files.unclaimed() == ["a.png", "e.caption"]


@pytest.mark.parametrize("place", ["[0, 0, 1{0}, 1]", '"fvp 1 1{0} fhp 1 2"', "[0, 0, 1e999, 1]", "[0, 0, 1{0}{0}, 1]"])
def test_a_place_of_a_face_with_numbers_of_any_length_is_no_place(place: str) -> None:
    parsed = read('{"character": "saber", "facepos": [' + place.format("0" * 400) + "]}", "a.json")
    assert (parsed.character, parsed.boxes) == (("saber",), ())


def test_a_file_that_nobody_foresaw_is_reported_and_the_others_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str, known: object) -> SideFacts:
        raise OverflowError("of a kind not met yet")

    monkeypatch.setattr("ingest.imaging.sidecars.parse_toml", broken)
    parsed = parse_side_files([("d/a.toml", b"tags = 'x'"), ("d/a.txt", b"1girl, smile")])
    assert parsed.general == ("1girl", "smile")
    assert parsed.left == ("a.toml: not understood (OverflowError)",)


@given(st.binary(max_size=500), st.sampled_from(["a.txt", "a.json", "a.tags", "a.toml", "a.characters"]))
def test_no_bytes_make_it_fail_and_no_words_are_lost(data: bytes, name: str) -> None:
    parsed = parse_side_file(name, data)
    for category in CATEGORIES:
        for tag in getattr(parsed, category):
            assert tag
            assert "\n" not in tag


@given(
    st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=1, max_size=12), st.sampled_from([", ", "\n", " "])
)
def test_every_word_of_a_text_is_a_tag_a_caption_or_left_over(words: list[str], separator: str) -> None:
    parsed = read(separator.join(words))
    remaining = " ".join((*parsed.general, *parsed.character, *parsed.captions, *parsed.left, parsed.rating)).replace(
        "_", " "
    )
    assert set(words) - {"unknown", "ood"} <= set(remaining.split())
