"""Guesses series, season and episode from a file name; never fails, and people can correct the result."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace

from ingest.algorithms.normal_form import normal

NAME_CHARS_MAX = 300  # longer names are cut; the patterns below take linear time

_ENDINGS = re.compile(
    r"\.(?:mkv|mp4|m4v|webm|avi|ts|m2ts|mov|wmv|flv|mpg|mpeg|ogm|zip|cbz|png|jpe?g|webp|gif|bmp|avif|tiff?)$",
    re.IGNORECASE,
)
# Numbers that are not episodes: sizes, codecs, depths, channels, checksums, years in brackets.
_NOISE = re.compile(
    r"(?<![a-z0-9])(?:"
    r"\d{3,4}[pi](?:\d{2,3})?|\d{3,4}x\d{3,4}|[48]k|(?:x|h\.?|avc|hevc)[ ._-]?26[45]|(?:8|10|12)[ ._-]?bits?|hi10p?"
    r"|av1|vp9|xvid|divx"
    r"|(?:aac|flac|ac-?3|dts|e-?ac-?3|ddp?|opus|mp3|truehd)(?:[ ._-]?\d\.\d)?(?:x\d)?|[257]\.1(?:ch)?|2\.0(?:ch)?"
    r"|blu-?ray|bd-?rip|bd-?remux|web-?dl|web-?rip|hdtv|dvd-?rip|remux|multi[ ._-]?subs?|dual[ ._-]?audio"
    r"|\d{2,3}(?:\.\d+)?fps"
    r")(?![a-z0-9])",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"[\[【「『(（{][^\[\]【】「」『』()（）{}]*[\]】」』)）}]")
# A letter distinguishes 04a and 04b. The last of several episodes directly follows the first, has its own word, or
# ends the name: "Ep05 - 10 Years Later" is one episode.
_NUMBER = (
    r"(?P<number>\d{1,4})(?P<decimals>\.5)?(?P<letter>[a-c](?![a-z0-9]))?"
    r"(?:\s?[-~&+]?\s?ep?(?P<last_word>\d{1,4})|[-~&+](?P<last>\d{1,4})|\s[-~&+]\s(?P<last_end>\d{1,4})(?=\s*$))?"
    r"(?:\s?v(?P<version>\d))?"
)
_END = r"(?![a-z0-9])"
_KINDS = {
    word: kind
    for kind, words in {
        "ova": "ova oav oad",
        "ona": "ona",
        "special": "sp special specials extra omake 特典 番外編",
        "opening": "nc_op op opening",
        "ending": "nc_ed ed ending",
        "movie": "movie film gekijouban gekijoban 劇場版 映画",
        "trailer": "pv trailer preview",
        "menu": "menu menus",
    }.items()
    for word in words.replace("nc_", "nc").split()
}
# In order of reliability: the first match wins; the text before it is the series.
_WITH_NUMBER = (
    r"(?P<kind>ova|oav|oad|ona|nc\s?op|nc\s?ed|specials?|sp|opening|ending|op|ed|pv|omake|menu|movie"
    r"|劇場版|特典|番外編)"
)
_ALONE = (
    r"(?P<kind>ova|oad|ona|nc\s?op|nc\s?ed|specials?|omake|menus?|movie|gekijou?ban|trailer|劇場版|映画|特典|番外編)"
)
_SEASON_EPISODE = (
    r"(?:(?<![a-z0-9])|(?<=[a-z])(?=S))s(?P<season>\d{1,2})\s?[._-]?\s?(?:ep?|episode)\s?\.?" + _NUMBER + _END,
    r"(?:(?<![a-z0-9])|(?<=[a-z])(?=S))s(?P<season>\d{1,2})\s?[._-]?\s?" + _WITH_NUMBER + r"\s?" + _NUMBER + _END,
    r"(?<![a-z0-9])season\s?(?P<season>\d{1,2})\s?[,._-]?\s?(?:ep?|episode)\s?[._#-]?\s?" + _NUMBER + _END,
    r"(?<![a-z0-9])(?P<season>\d{1,2})x(?P<number>\d{2,3})(?:v(?P<version>\d))?" + _END,
)
_WITH_WORD = (
    r"第\s?(?P<number>\d{1,4})(?P<decimals>\.5)?\s?[話回集夜局幕]",
    # The opening of an episode is not an episode.
    r"(?<![a-z0-9])(?P<kind>nc\s?op|nc\s?ed|opening|ending)\s?(?:v(?P<version>\d)\s?)?(?:ep|episode)\s?\d{1,4}" + _END,
    r"(?<![a-z0-9])" + _WITH_NUMBER + r"\s?[._#-]?\s?" + _NUMBER + _END,
    r"(?:(?<![a-z0-9])|(?<=[a-z])(?=EP?\d))(?:ep|eps|episode|e|epi)\s?[._#-]?\s?" + _NUMBER + _END,
    r"[#＃♯]\s?" + _NUMBER + _END,
)
_BARE = (
    r"\s-\s" + _NUMBER + r"(?=\s|$|-)",
    r"(?<![a-z0-9])" + _ALONE + r"(?:\s?v(?P<version>\d))?(?![a-z0-9])",
)
_WEAK = (
    r"(?:^|(?<=[\s_-]))" + _NUMBER + r"(?=\s*$|\s+-\s)",
    r"^" + _NUMBER + r"(?=[\s-])",
)


def _compiled(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)


# In order of reliability: the first match wins; the text before it is the series.
_PATTERNS = _compiled(*_SEASON_EPISODE, *_WITH_WORD, *_BARE)
_WEAK_PATTERNS = _compiled(*_WEAK)  # a number alone may be part of the title
_SEASON_IN_BRACKETS = _compiled(*_SEASON_EPISODE)
_IN_BRACKETS = _compiled(*_WITH_WORD)
_KIND_BRACKET = _compiled(
    rf"^(?:{_WITH_NUMBER}\s?{_NUMBER}|{_ALONE.replace('kind', 'only')}(?:\s?v\d)?)(?:[_\s-]\d+)?$"
)
# For titles with single spaces: patterns that begin with any number of spaces take cubic time.
_SEASONS: tuple[re.Pattern[str], ...] = tuple(
    re.compile(p, re.IGNORECASE)
    for p in (
        r"\s?[-,:]?\s?(?<![a-z0-9])(?P<season>\d{1,2})(?:st|nd|rd|th)\s+season(?![a-z])",
        r"\s?[-,:]?\s?(?<![a-z0-9])season\s?(?P<season>\d{1,2})(?!\d)",
        r"\s?[-,:]?\s?第\s?(?P<season>\d{1,2})\s?(?:期|シーズン|シリーズ)",
        r"\s?[-,:]?\s?(?<=[\s_.-])s(?P<season>\d{1,2})(?![a-z0-9])",
    )
)
_KANJI = re.compile(r"第\s?([一二三四五六七八九十]{1,3})\s?([話回集夜局幕期シ])")
_BARE_BRACKET = re.compile(
    r"^(?:(?:s(?P<season>\d{1,2}))?(?:ep?)?\s?)" + _NUMBER + r"(?:\s?(?:end|fin))?$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class EpisodeName:
    """The parts of a name, None where it has none.

    `kind` is one of episode, movie, ova, ona, special, opening, ending, trailer, menu.
    """

    series: str = ""
    season: int | None = None
    number: int | None = None
    last_number: int | None = None  # for a file with several episodes
    half: bool = False  # number 11 and half: episode 11.5
    version: int | None = None
    kind: str = "episode"
    letter: str = ""  # of "04a"

    @property
    def code(self) -> str:
        """Short name for display and file names: `S2EP04`, `EP11.5`, `OVA01`, `MOVIE`; empty if unknown."""
        prefix = "EP" if self.kind == "episode" else self.kind.upper()
        season = "" if self.season is None else f"S{self.season}"
        if self.number is None:
            return season + ("" if self.kind == "episode" else prefix)
        tail = "" if self.last_number is None else f"-{self.last_number:02d}"
        return f"{season}{prefix}{self.number:02d}{'.5' if self.half else ''}{self.letter}{tail}"


def parse_name(name: str, *, folder: str = "") -> EpisodeName:
    """Parse a file name; `folder` (the name of its folder) adds a missing series and season."""
    parsed = _parse(name)
    if folder and (not parsed.series or parsed.season is None):
        season = _season_folder(folder)
        folder_name = (
            EpisodeName(season=season) if season is not None else _parse(folder + ".mkv")
        )  # a folder's dots are text, not an ending
        if not parsed.series or not folder_name.series or folder_name.series.casefold() == parsed.series.casefold():
            parsed = replace(
                parsed,
                series=parsed.series or folder_name.series,
                season=folder_name.season if parsed.season is None else parsed.season,
            )
    return parsed


def _season_folder(folder: str) -> int | None:
    match = re.fullmatch(r"\s*(?:season|s|シーズン)\s?[._-]?\s?(\d{1,2})\s*", folder, re.IGNORECASE)
    return int(match[1]) if match else None


def _parse(name: str) -> EpisodeName:
    text = normal(name[:NAME_CHARS_MAX], "NFKC").replace("\\", "/").rpartition("/")[2]
    text = "".join(" " if unicodedata.category(c)[0] == "C" else c for c in text)
    text = _KANJI.sub(lambda match: f"第{_kanji_number(match[1])}{match[2]}", text)
    text = _ENDINGS.sub("", text.strip())
    bare_name, bracket_texts = _without_brackets(text)
    dotted = not re.search(r"\s", bare_name.strip())
    bare_name = _NOISE.sub(" ", bare_name)
    if dotted:
        bare_name = re.sub(r"[._]+", " ", bare_name)
    bare_name = re.sub(r"_+", " ", bare_name)
    bare_name = re.sub(r"\s+", " ", bare_name).strip(" .")
    return _match_patterns(bare_name, bracket_texts)


def _kanji_number(text: str) -> int:
    """Up to 99: 二 -> 2, 十二 -> 12, 二十 -> 20, 二十一 -> 21."""
    digits = "一二三四五六七八九"
    tens, ten, ones = text.rpartition("十")
    if not ten:
        return int("".join(str(digits.index(c) + 1) for c in text))
    return 10 * (digits.find(tens) + 1 if tens else 1) + (digits.find(ones) + 1 if ones else 0)


def _without_brackets(text: str) -> tuple[str, list[str]]:
    """The text outside all brackets, and the content of each, including nested ones."""
    bracket_texts: list[str] = []
    while parts := _BRACKETS.findall(text):
        bracket_texts += [part[1:-1].strip() for part in parts]
        text = _BRACKETS.sub("  ", text)
    return text, bracket_texts


def _match_patterns(bare_name: str, bracket_texts: list[str]) -> EpisodeName:
    """Parse a name without brackets (`bare_name`) and the content of its brackets (`bracket_texts`)."""
    outside = _first_match(_PATTERNS, bare_name)
    season_inside = _first_bracket_match(_SEASON_IN_BRACKETS, bracket_texts)
    if season_inside is not None and (outside is None or outside.groupdict().get("season") is None):
        # "Show - 50 (S04E14)": the number in the season is the exact one; the title ends before both.
        return _from_match(season_inside, bare_name if outside is None else bare_name[: outside.start()], bracket_texts)
    if outside is not None:
        return _from_match(outside, bare_name[: outside.start()], bracket_texts, behind=bare_name[outside.end() :])
    for patterns in (_IN_BRACKETS, _KIND_BRACKET):
        if (match := _first_bracket_match(patterns, bracket_texts)) is not None:
            return _from_match(match, bare_name, bracket_texts)
    return _from_brackets(bare_name, bracket_texts)


def _first_match(patterns: tuple[re.Pattern[str], ...], text: str) -> re.Match[str] | None:
    for pattern in patterns:
        match = pattern.search(text)
        if match is not None and not _is_year(match, text):
            return match
    return None


def _first_bracket_match(patterns: tuple[re.Pattern[str], ...], bracket_texts: list[str]) -> re.Match[str] | None:
    """The first bracket whose entire content matches a pattern."""
    for pattern in patterns:
        for part in bracket_texts:
            match = pattern.search(part)
            if match is not None and match.group() == part.strip():
                return match
    return None


def _is_year(match: re.Match[str], text: str) -> bool:
    """Whether a number is a year: `Show 2019` is a remake, not an episode, unless a word says so."""
    number = match.groupdict().get("number")
    alone = text[match.start() : match.end()].strip(" -") == number
    return bool(number) and alone and len(number or "") == 4 and 1950 <= int(number or 0) <= 2099


def _from_match(match: re.Match[str], before: str, bracket_texts: list[str], *, behind: str = "") -> EpisodeName:
    """Build the result; `before` contains the series, or `behind` for a film's title."""
    group = match.groupdict()
    series, season = _split_season(before)
    if group.get("season") is not None:
        season = int(group["season"])
    kind_text = group.get("kind") or group.get("only") or ""
    kind = _KINDS.get(re.sub(r"\s", "", kind_text).lower(), "episode")
    if kind == "movie" and not series:  # Japanese titles begin with the kind
        series, season = _split_season(behind)
    if not series and bracket_texts:
        series, bracket_season = _split_season(_series_from_brackets(bracket_texts))
        season = bracket_season if season is None else season
    number = int(group["number"]) if group.get("number") else None
    last_number = next((int(group[name]) for name in ("last", "last_word", "last_end") if group.get(name)), None)
    if last_number is not None and (number is None or not number < last_number <= number + 30):
        last_number = None
    version = int(group["version"]) if group.get("version") else None
    letter = (group.get("letter") or "").lower()
    return EpisodeName(series, season, number, last_number, bool(group.get("decimals")), version, kind, letter)


def _from_brackets(text: str, bracket_texts: list[str]) -> EpisodeName:
    """Parse `[Group][Show][04][1080p]`, a number alone, or a name without a number."""
    for part in bracket_texts:
        match = _BARE_BRACKET.match(part)
        if match is None or _is_ambiguous_number(match):
            continue
        name = _from_match(match, "", [])
        series, season = _split_season(text or _series_from_brackets([p for p in bracket_texts if p is not part]))
        return replace(name, series=series, season=season if name.season is None else name.season)
    if (match := _first_match(_WEAK_PATTERNS, text)) is not None:
        return _from_match(match, text[: match.start()], bracket_texts)
    series, season = _split_season(text)
    return EpisodeName(series or (_series_from_brackets(bracket_texts) if bracket_texts else ""), season)


def _is_ambiguous_number(match: re.Match[str]) -> bool:
    """Whether a number may be a year or a height in pixels rather than an episode."""
    number = int(match["number"])
    return 1950 <= number <= 2099 or number in (480, 540, 576, 720, 1080, 2160)


def _series_from_brackets(bracket_texts: list[str]) -> str:
    """The series in brackets: the second one, since the first is the group; noise and checksums are skipped."""
    names = [p for p in bracket_texts if p and not _NOISE.search(p) and not re.fullmatch(r"[0-9A-Fa-f]{8}|\d+", p)]
    chosen = names[1] if len(names) > 1 else ""
    return _tidy(chosen)


def _split_season(series: str) -> tuple[str, int | None]:
    for pattern in _SEASONS:
        match = pattern.search(series)
        if match is not None:
            return _tidy(series[: match.start()] + " " + series[match.end() :]), int(match["season"])
    return _tidy(series), None


def _tidy(series: str) -> str:
    text = re.sub(r"\s+", " ", series.replace("_", " ")).strip()
    return re.sub(r"^[\s\-–—.,:~|]+|[\s\-–—,:~|]+$", "", text)
