"""Season, episode and series out of a file name; a guess that a person may correct, and that never fails."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace

NAME_CHARS_MAX = 300  # longer names are cut; every pattern below is linear, this bounds it for good

_ENDINGS = re.compile(
    r"\.(?:mkv|mp4|m4v|webm|avi|ts|m2ts|mov|wmv|flv|mpg|mpeg|ogm|zip|cbz|png|jpe?g|webp|gif|bmp|avif|tiff?)$",
    re.IGNORECASE,
)
# Numbers that are no episode: sizes, codecs, depths, channels, checksums, years in brackets.
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
_NUMBER = r"(?P<number>\d{1,4})(?P<decimals>\.5)?(?:\s?[-~&+]\s?(?:e|ep)?(?P<last>\d{1,4}))?(?:\s?v(?P<version>\d))?"
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
    }.items()
    for word in words.replace("nc_", "nc").split()
}
# In order of trust: the first that is found wins. What stands before it is the series.
_PATTERNS: tuple[re.Pattern[str], ...] = tuple(
    re.compile(p, re.IGNORECASE)
    for p in (
        r"(?:(?<![a-z0-9])|(?<=[a-z])(?=S))s(?P<season>\d{1,2})\s?[._-]?\s?(?:ep?|episode)\s?\.?" + _NUMBER + _END,
        r"(?<![a-z0-9])season\s?(?P<season>\d{1,2})\s?[,._-]?\s?(?:ep?|episode)\s?[._#-]?\s?" + _NUMBER + _END,
        r"(?<![a-z0-9])(?P<season>\d{1,2})x(?P<number>\d{2,3})(?:v(?P<version>\d))?" + _END,
        r"第\s?(?P<number>\d{1,4})(?P<decimals>\.5)?\s?[話回集夜局幕]",
        r"(?<![a-z0-9])(?P<kind>ova|oav|oad|ona|nc\s?op|nc\s?ed|specials?|sp|opening|ending|op|ed|pv|omake|movie|劇場版|特典|番外編)"
        r"\s?[._#-]?\s?" + _NUMBER + _END,
        r"(?:(?<![a-z0-9])|(?<=[a-z])(?=EP?\d))(?:ep|eps|episode|e|epi)\s?[._#-]?\s?" + _NUMBER + _END,
        r"[#＃♯]\s?" + _NUMBER + _END,
        r"\s-\s" + _NUMBER + r"(?=\s|$|-)",
        r"(?<![a-z0-9])(?P<kind>ova|oad|ona|nc\s?op|nc\s?ed|specials?|omake|movie|gekijou?ban|trailer|劇場版|映画|特典|番外編)(?![a-z])",
        r"(?:^|(?<=[\s_-]))" + _NUMBER + r"(?=\s*$|\s+-\s)",
        r"^" + _NUMBER + r"(?=[\s-])",
    )
)  # fmt: skip
_SEASONS: tuple[re.Pattern[str], ...] = tuple(
    re.compile(p, re.IGNORECASE)
    for p in (
        r"\s*[-,:]?\s*(?<![a-z0-9])(?P<season>\d{1,2})(?:st|nd|rd|th)\s+season(?![a-z])",
        r"\s*[-,:]?\s*(?<![a-z0-9])season\s?(?P<season>\d{1,2})(?!\d)",
        r"\s*[-,:]?\s*第\s?(?P<season>\d{1,2})\s?(?:期|シーズン|シリーズ)",
        r"\s*[-,:]?\s*(?<=[\s_.-])s(?P<season>\d{1,2})(?![a-z0-9])",
    )
)
_BARE_BRACKET = re.compile(
    r"^(?:(?:s(?P<season>\d{1,2}))?(?:ep?)?\s?)" + _NUMBER + r"(?:\s?(?:end|fin))?$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class EpisodeName:
    """What a name says, None where it says nothing.

    `kind` is one of episode, movie, ova, ona, special, opening, ending, trailer.
    """

    series: str = ""
    season: int | None = None
    number: int | None = None
    last_number: int | None = None  # of a file that holds several episodes
    half: bool = False  # number 11 and half: episode 11.5
    version: int | None = None
    kind: str = "episode"

    @property
    def code(self) -> str:
        """Short name as shown and as used in file names: `S2EP04`, `EP11.5`, `OVA01`, `MOVIE`; empty if unknown."""
        word = "EP" if self.kind == "episode" else self.kind.upper()
        season = "" if self.season is None else f"S{self.season}"
        if self.number is None:
            return season + ("" if self.kind == "episode" else word)
        tail = "" if self.last_number is None else f"-{self.last_number:02d}"
        return f"{season}{word}{self.number:02d}{'.5' if self.half else ''}{tail}"


def parse_name(name: str, *, folder: str = "") -> EpisodeName:
    """Read a file name; `folder` (the name of the folder it lies in) fills in series and season that the name lacks."""
    found = _parse(name)
    if folder and (not found.series or found.season is None):
        season = _season_folder(folder)
        above = (
            EpisodeName(season=season) if season is not None else _parse(folder + ".mkv")
        )  # a folder's dots are text, not an ending
        if not found.series or not above.series or above.series.casefold() == found.series.casefold():
            found = replace(
                found,
                series=found.series or above.series,
                season=above.season if found.season is None else found.season,
            )
    return found


def _season_folder(folder: str) -> int | None:
    match = re.fullmatch(r"\s*(?:season|s|シーズン)\s?[._-]?\s?(\d{1,2})\s*", folder, re.IGNORECASE)
    return int(match[1]) if match else None


def _parse(name: str) -> EpisodeName:
    text = unicodedata.normalize("NFKC", name[:NAME_CHARS_MAX]).replace("\\", "/").rpartition("/")[2]
    text = "".join(" " if unicodedata.category(c)[0] == "C" else c for c in text)
    text = _ENDINGS.sub("", text.strip())
    inner = [part[1:-1].strip() for part in _BRACKETS.findall(text)]
    bare = _BRACKETS.sub("  ", text)
    dotted = not re.search(r"\s", bare.strip())
    bare = _NOISE.sub(" ", bare)
    if dotted:
        bare = re.sub(r"[._]+", " ", bare)
    bare = re.sub(r"_+", " ", bare)
    bare = re.sub(r"\s+", " ", bare).strip(" .")
    for pattern in _PATTERNS:
        match = pattern.search(bare)
        if match is not None and not _is_year(match, bare):
            return _from_match(match, bare, inner)
    return _from_brackets(bare, inner)


def _is_year(match: re.Match[str], text: str) -> bool:
    """`Show 2019` is a remake's year and no episode, unless a word says that it is one."""
    number = match.groupdict().get("number")
    alone = text[match.start() : match.end()].strip(" -") == number
    return bool(number) and alone and len(number or "") == 4 and 1950 <= int(number or 0) <= 2099


def _from_match(match: re.Match[str], text: str, inner: list[str]) -> EpisodeName:
    group = match.groupdict()
    series, season = _split_season(text[: match.start()])
    if group.get("season") is not None:
        season = int(group["season"])
    kind = _KINDS.get(re.sub(r"\s", "", group.get("kind") or "").lower(), "episode")
    if kind == "movie" and not series:  # Japanese titles say it first
        series, season = _split_season(text[match.end() :])
    if not series and inner:
        series = _series_from_brackets(inner)
    number = int(group["number"]) if group.get("number") else None
    last = int(group["last"]) if group.get("last") else None
    if last is not None and (number is None or not number < last <= number + 30):
        last = None
    version = int(group["version"]) if group.get("version") else None
    return EpisodeName(series, season, number, last, bool(group.get("decimals")), version, kind)


def _from_brackets(text: str, inner: list[str]) -> EpisodeName:
    """`[Group][Show][04][1080p]` and names without any number."""
    for part in inner:
        match = _BARE_BRACKET.match(part)
        if match and not (len(match["number"]) == 4 and 1950 <= int(match["number"]) <= 2099):
            rest = [p for p in inner if p is not part]
            found = _from_match(match, part, [])
            series, season = _split_season(text or _series_from_brackets(rest))
            return EpisodeName(
                series, found.season if found.season is not None else season,
                found.number, found.last_number, found.half, found.version,
            )  # fmt: skip
    series, season = _split_season(text)
    return EpisodeName(series or (_series_from_brackets(inner) if inner else ""), season)


def _series_from_brackets(inner: list[str]) -> str:
    """The second bracket names the show where the first names the group; noise and check sums are no names."""
    words = [p for p in inner if p and not _NOISE.search(p) and not re.fullmatch(r"[0-9A-Fa-f]{8}|\d+", p)]
    chosen = words[1] if len(words) > 1 else ""
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
