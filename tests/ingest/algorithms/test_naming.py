"""Names as they lie on people's disks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.algorithms.naming import EpisodeName, parse_name


@pytest.mark.parametrize(
    ("name", "series", "season", "number"),
    [
        ("[Group] Show - 04 [1080p].mkv", "Show", None, 4),
        ("yamaS2EP04", "yama", 2, 4),
        ("yamaS2_EP04.mp4", "yama", 2, 4),
        ("Show.S02E04.1080p.WEB-DL.AAC2.0.H.264-GRP.mkv", "Show", 2, 4),
        ("Show 2nd Season 03v2.mkv", "Show", 2, 3),
        ("[SubsPlease] Kaguya-sama wa Kokurasetai S3 - 08 (1080p) [A1B2C3D4].mkv", "Kaguya-sama wa Kokurasetai", 3, 8),
        ("[SubsPlease] 100-man no Inochi no Ue ni Ore wa Tatteiru - 14 (720p).mkv",
         "100-man no Inochi no Ue ni Ore wa Tatteiru", None, 14),
        ("[Erai-raws] Mob Psycho 100 II - 05 [1080p][Multiple Subtitle].mkv", "Mob Psycho 100 II", None, 5),
        ("[Group][Show Name][04][1080p][HEVC 10bit].mkv", "Show Name", None, 4),
        ("[Group] Show [04v2][BD 1920x1080 x265].mkv", "Show", None, 4),
        ("86 - 03.mkv", "86", None, 3),
        ("Show - 04 - The Title 2.mkv", "Show", None, 4),
        ("real_cuts_ep01.mp4", "real cuts", None, 1),
        ("ep01.mkv", "", None, 1),
        ("04.mkv", "", None, 4),
        ("Show 04.mkv", "Show", None, 4),
        ("Show_-_04_(1280x720_h264).mkv", "Show", None, 4),
        ("Show 1x07 Title.avi", "Show", 1, 7),
        ("Show Season 2 Episode 11.mkv", "Show", 2, 11),
        ("Show - Season 2 - 11.mkv", "Show", 2, 11),
        ("ヤマノススメ 第04話 「てすと」.mp4", "ヤマノススメ", None, 4),
        ("ヤマノススメ 第2期 第12話.mp4", "ヤマノススメ", 2, 12),
        ("ヤマノススメ　＃０４.mp4", "ヤマノススメ", None, 4),
        ("Show (2019) - 10 [1080p].mkv", "Show", None, 10),
        ("Steins;Gate 0 - 12.mkv", "Steins;Gate 0", None, 12),
        ("One Piece - 1015 [1080p].mkv", "One Piece", None, 1015),
        ("Show E04 v2.mkv", "Show", None, 4),
        ("01 - Pilot.mkv", "", None, 1),
        ("C:\\videos\\Show - 05.mkv", "Show", None, 5),
        ("Show 2019.mkv", "Show 2019", None, None),
        ("Just a Title.mkv", "Just a Title", None, None),
        ("", "", None, None),
    ],
)  # fmt: skip
def test_series_season_and_number_are_read(name: str, series: str, season: int | None, number: int | None) -> None:
    result = parse_name(name)
    assert (result.series, result.season, result.number) == (series, season, number)


@pytest.mark.parametrize(
    ("name", "kind", "number", "series"),
    [
        ("[Group] Show OVA 2 [1080p].mkv", "ova", 2, "Show"),
        ("[Group] Show - OVA [1080p].mkv", "ova", None, "Show"),
        ("Show NCOP1.mkv", "opening", 1, "Show"),
        ("Show - NCED [BD].mkv", "ending", None, "Show"),
        ("Show Movie 2.mkv", "movie", 2, "Show"),
        ("劇場版 ヤマノススメ.mkv", "movie", None, "ヤマノススメ"),
        ("Show SP03.mkv", "special", 3, "Show"),
        ("Show Special.mkv", "special", None, "Show"),
    ],
)
def test_what_is_no_plain_episode_has_its_kind(name: str, kind: str, number: int | None, series: str) -> None:
    result = parse_name(name)
    assert (result.kind, result.number, result.series) == (kind, number, series)


E = EpisodeName


@pytest.mark.parametrize(
    ("name", "read"),
    [
        # what kind it is stands in a bracket of its own
        ("[VCB-Studio] Show [NCOP][Ma10p_1080p][x265_flac].mkv", E("Show", kind="opening")),
        ("[VCB-Studio] Show [NCED02v2][1080p].mkv", E("Show", number=2, version=2, kind="ending")),
        ("[VCB-Studio] Show [SP01][Ma10p_1080p][x265_flac].mkv", E("Show", number=1, kind="special")),
        ("[VCB-Studio] Show [Menu01_2][1080p].mkv", E("Show", number=1, kind="menu")),
        # brackets in brackets
        ("[VCB-Studio] Show 2 [20-21(Movie)][Ma10p_720p][x265_ac3].mkv", E("Show 2", kind="movie")),
        ("[Group] Show 2 [04][1080p].mkv", E("Show 2", number=4)),
        ("[Group] Show 2 [720].mkv", E("Show", number=2)),
        # full width, and numbers in words
        ("ショー（第12話）「x」.ts", E("ショー", number=12)),
        ("(アニメ) ショー 第二期 第05話.mp4", E("ショー", 2, 5)),
        ("ショー 第十二話.mp4", E("ショー", number=12)),
        ("ショー 第三期 第二十一話.mp4", E("ショー", 3, 21)),
        # a version or a letter behind a kind or a number
        ("[J] Show S1 - NCEDv2.mkv", E("Show", 1, version=2, kind="ending")),
        ("[J] Show - NCED 04a - four.mkv", E("Show", number=4, kind="ending", letter="a")),
        ("[J] Show - NCED 04b - four.mkv", E("Show", number=4, kind="ending", letter="b")),
        ("Show - 04b.mkv", E("Show", number=4, letter="b")),
        # a season before a kind
        ("[J] Show - S01OVA01.mkv", E("Show", 1, 1, kind="ova")),
        ("[J] Show S2 SP3.mkv", E("Show", 2, 3, kind="special")),
        # of an episode, but none
        ("[G] Show - NCOP EP01.mkv", E("Show", kind="opening")),
        ("[G] Show - Menu 01.mkv", E("Show", number=1, kind="menu")),
        # several episodes, and titles that begin with a number
        ("Show Ep05 - 10 Years Later.mkv", E("Show", number=5)),
        ("Show - 05 - 10 Years Later.mkv", E("Show", number=5)),
        ("Show Ep05 - 06.mkv", E("Show", number=5, last_number=6)),
        ("Show - 05-06 [1080p].mkv", E("Show", number=5, last_number=6)),
        ("Show S01E01E02.mkv", E("Show", 1, 1, 2)),
        ("Show S01E01-E02 Title.mkv", E("Show", 1, 1, 2)),
        # both countings
        ("[GJM] Show (Shou) - 50 (S04E14) (WEB 1080p) [1B49A624].mkv", E("Show", 4, 14)),
    ],
)
def test_names_of_discs_and_fansubs_are_read_whole(name: str, read: EpisodeName) -> None:
    assert parse_name(name) == read


@given(st.integers(1, 99))
def test_numbers_in_kanji_are_those_in_figures(number: int) -> None:
    digits = "〇一二三四五六七八九"
    tens, ones = divmod(number, 10)
    text = ("" if tens == 0 else ("" if tens == 1 else digits[tens]) + "十") + ("" if ones == 0 else digits[ones])
    assert parse_name(f"ショー 第{text}話.mkv") == parse_name(f"ショー 第{number}話.mkv")


@given(st.sampled_from(["NCOP", "NCED", "OVA", "SP", "ONA", "PV"]), st.integers(1, 30), st.sampled_from(["", "a", "b"]))
def test_a_kind_is_read_the_same_in_a_bracket_and_outside(word: str, number: int, letter: str) -> None:
    outside = parse_name(f"[Group] Show - {word}{number:02d}{letter} [1080p].mkv")
    inside = parse_name(f"[Group] Show [{word}{number:02d}{letter}][1080p].mkv")
    assert inside == outside
    assert (outside.series, outside.number, outside.letter) == ("Show", number, letter)
    assert outside.kind != "episode"


def test_versions_double_and_half_episodes_are_reported() -> None:
    assert parse_name("Show - 03v2.mkv").version == 2
    assert parse_name("Show S01E01-E02.mkv").last_number == 2
    assert parse_name("Show - 11.5 [720p].mkv") == EpisodeName("Show", None, 11, None, True)


def test_the_folder_fills_in_what_the_name_lacks() -> None:
    result = parse_name("04.mkv", folder="[Group] Show S2 [1080p]")
    assert (result.series, result.season, result.number) == ("Show", 2, 4)
    assert parse_name("Show - 04.mkv", folder="Season 2").season == 2
    assert parse_name("Other - 04.mkv", folder="Show S2").season is None


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (EpisodeName("x", 2, 4), "S2EP04"),
        (EpisodeName("x", None, 11, None, True), "EP11.5"),
        (EpisodeName("x", 1, 1, 2), "S1EP01-02"),
        (EpisodeName("x", kind="movie"), "MOVIE"),
        (EpisodeName("x", number=1, kind="ova"), "OVA01"),
        (EpisodeName("x"), ""),
    ],
)
def test_the_code_is_short(found: EpisodeName, code: str) -> None:
    assert found.code == code


@given(st.text(max_size=400), st.text(max_size=60))
def test_no_name_makes_it_fail(name: str, folder: str) -> None:
    result = parse_name(name, folder=folder)
    assert result.number is None or 0 <= result.number <= 9999
    assert "\n" not in result.series and "\x00" not in result.series


@given(st.text(alphabet="[](){}- .0123456789sSeEpPvx第話期", max_size=300))
def test_no_mixture_of_its_own_marks_makes_it_fail(name: str) -> None:
    assert len(parse_name(name).series) <= 300


@given(st.integers(1, 20), st.integers(0, 999))
def test_a_number_written_in_is_a_number_read_out(season: int, number: int) -> None:
    result = parse_name(f"Show.S{season:02d}E{number:02d}.1080p.mkv")
    assert (result.series, result.season, result.number) == ("Show", season, number)


@pytest.mark.parametrize("number", ["1950", "2099", "480", "540", "576", "720", "1080", "2160"])
def test_a_year_or_a_height_in_a_bracket_is_no_episode(number: str) -> None:
    assert parse_name(f"[Group][Show][{number}][04].mkv") == E("Show", number=4)


@pytest.mark.parametrize("number", ["1949", "2100", "481", "12"])
def test_any_other_number_in_a_bracket_is_one(number: str) -> None:
    assert parse_name(f"[Group][Show][{number}].mkv") == E("Show", number=int(number))


@pytest.mark.parametrize("noise", ["A1B2C3D4", "a1b2c3d4", "0a9f8b7c", "1080p", "12345678"])
def test_the_series_in_brackets_is_behind_the_group_whatever_noise_stands_there(noise: str) -> None:
    assert parse_name(f"[{noise}][Group][Show][04].mkv").series == "Show"


def test_a_bracket_alone_is_the_group_and_no_series() -> None:
    assert parse_name("[Group][04].mkv") == E("", number=4)


@pytest.mark.parametrize(("word", "number"), [("十", 10), ("十二", 12), ("二十", 20), ("二十三", 23), ("二五", 25)])
def test_numbers_are_read_in_kanji(word: str, number: int) -> None:
    assert parse_name(f"ヤマノススメ 第{word}話.mp4").number == number


@pytest.mark.parametrize(
    ("name", "series", "code"),
    [
        ("[G][Show S2][第03話].mkv", "Show", "S2EP03"),
        ("[G][Show S2][EP03][1080p].mkv", "Show", "S2EP03"),
        ("[G][Show S2][S3E04].mkv", "Show", "S3EP04"),
        ("[G][Show S2][03].mkv", "Show", "S2EP03"),
        ("[G][Show S2][S3E03].mkv", "Show", "S3EP03"),
        ("[G][Show S2][OVA 1].mkv", "Show", "S2OVA01"),
        ("[G] Show NC OP 1.mkv", "Show", "OPENING01"),
    ],
)
def test_a_season_beside_the_series_in_brackets_counts_unless_the_episode_says_another(
    name: str, series: str, code: str
) -> None:
    parsed = parse_name(name)
    assert (parsed.series, parsed.code) == (series, code)
