"""Parses lists that people type or paste: tags, characters, names of models.

Entries are separated by commas (also `，`, `、`) and line breaks; `"` or `“ ”` around an entry keep commas in it, and
`""` inside is a quote. A line that begins with `# ` is a comment; `#compass` is a tag.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ingest.algorithms.normal_form import normal
from ingest.errors import BadInput

SEPARATORS = frozenset(",，、\n")
_QUOTES = {'"': '"', "“": "”", "„": "“"}
_INVISIBLE = "\ufeff\u200b\u2060"  # invisible characters of pasted text


class ListError(BadInput):
    """A list cannot be parsed. The text, meant for the user, names the entry and its line."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a list and its line number, from 1."""

    text: str
    line: int


def entries(text: str) -> list[Entry]:
    """The distinct entries of a list in order, without empty ones. Raises ListError for an open quote."""
    unique: dict[str, Entry] = {}
    for entry in every_entry(text):
        unique.setdefault(entry.text, entry)
    return list(unique.values())


def every_entry(text: str) -> list[Entry]:
    """As `entries`, including repeated ones."""
    return list(_parse_lines(text))


def typed_list(text: str) -> list[str]:
    """The texts of `entries`."""
    return [entry.text for entry in entries(text)]


def format_list(texts: Iterable[str]) -> str:
    """A list as text for a form; `typed_list` returns the same entries."""
    return ", ".join('"' + text.replace('"', '""') + '"' if _needs_quotes(text) else text for text in texts)


def decode_text(data: bytes) -> str:
    """Decode a file: UTF-8, or UTF-16 with a byte order mark. Raises ListError with the invalid byte."""
    coding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(coding)
    except UnicodeDecodeError as error:
        raise ListError(f"it is not valid {coding.removesuffix('-sig').upper()} (byte {error.start:,})") from error


def _needs_quotes(text: str) -> bool:
    return text[:1] in _QUOTES or text == "#" or text.startswith("# ") or any(sign in SEPARATORS for sign in text)


def _parse_lines(text: str) -> Iterator[Entry]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(lines, start=1):
        cleaned = _clean(line)
        if cleaned == "#" or cleaned.startswith("# "):
            continue
        yield from (Entry(part, number) for part in _entries_of(line, number) if part)


def _entries_of(line: str, number: int) -> Iterator[str]:
    start = position = 0
    begun = False  # whether the entry holds more than white space so far
    while position < len(line):
        sign = line[position]
        if sign in _QUOTES and not begun:
            end = _find_closing_quote(line, position)
            if end is not None and _ends_entry(line, end):
                yield _clean(line[position + 1 : end].replace('""', '"') if sign == '"' else line[position + 1 : end])
                position = start = _after_separator(line, end)
                continue
            rest = line[position:]
            if end is None and any(other in SEPARATORS for other in rest):
                raise ListError(f"line {number}, {rest[:40]!r}: the quote at its beginning is not closed")
        if sign in SEPARATORS:
            yield _clean(line[start:position])
            start = position + 1
        begun = sign not in SEPARATORS and (begun or not _is_blank(sign))
        position += 1
    yield _clean(line[start:])


def _find_closing_quote(line: str, position: int) -> int | None:
    """Position of the closing quote, or None; `""` inside straight quotes is a quote."""
    sign = line[position]
    end = line.find(_QUOTES[sign], position + 1)
    while sign == '"' and end >= 0 and line[end + 1 : end + 2] == '"':
        end = line.find('"', end + 2)
    return end if end >= 0 else None


def _ends_entry(line: str, end: int) -> bool:
    """Whether a separator or the end of the line follows; otherwise the quotes are part of a longer entry."""
    position = end + 1
    while position < len(line) and _is_blank(line[position]):
        position += 1
    return position == len(line) or line[position] in SEPARATORS


def _is_blank(sign: str) -> bool:
    return sign.isspace() or sign in _INVISIBLE


def _after_separator(line: str, end: int) -> int:
    """Position after the separator that follows a closing quote."""
    position = end + 1
    while position < len(line) and line[position] not in SEPARATORS:
        position += 1
    return position + 1


def _clean(text: str) -> str:
    """The text in composed form without white space and invisible characters at both ends."""
    return normal(text).strip().strip(_INVISIBLE).strip()
