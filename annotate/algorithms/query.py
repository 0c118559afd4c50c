"""The small language of the frames page: `character:KuraueHinata faces:>=2 -tag:closed_eyes state:dropped`."""

from __future__ import annotations

import re
from dataclasses import dataclass

KEYS = ("episode", "shot", "character", "tag", "state", "reason", "faces", "score", "like", "is")
# What models say of whole pictures comes as tags "class:comic"; of these subjects the bare word means the tag.
SUBJECTS = ("rating", "class", "aesthetic", "monochrome", "character_type", "quality")
_TERM = re.compile(r'(-?)(?:(\w+):)?("([^"]*)"|\S+)')
_NUMBER = re.compile(r"(>=|<=|>|<|=)?(-?\d{1,9})")
TERMS_MAX = 20


class QueryError(ValueError):
    """An invalid query; the message is for the user: which word is wrong, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition. `key` is one of KEYS; a bare word is a tag."""

    key: str
    value: str
    negative: bool = False

    def __str__(self) -> str:
        value = f'"{self.value}"' if " " in self.value else self.value
        return f"{'-' if self.negative else ''}{self.key}:{value}"


def parse(text: str) -> list[Term]:
    """Split a query into terms. Raises QueryError for a filter without a value or too many terms.

    Values with spaces stand in double quotes. A bare word means `tag:word`, also with a colon that no filter has
    (`re:zero`); `annotate.queries.search` says so where there is no such tag either.
    """
    terms = []
    for minus, key, raw, quoted in _TERM.findall(text):
        name = key.lower() or "tag"
        if name in SUBJECTS and raw and not raw.startswith('"'):
            terms.append(Term("tag", f"{name}:{raw}", bool(minus)))
            continue
        value = quoted if raw.startswith('"') else raw
        if name not in KEYS:
            terms.append(Term("tag", f"{key}:{value}", bool(minus)))
            continue
        if not value:
            raise QueryError(f"The filter {name}: needs a value.")
        terms.append(Term(name, value, bool(minus)))
    if len(terms) > TERMS_MAX:
        raise QueryError(f"At most {TERMS_MAX} filters at once.")
    return terms


def number(value: str) -> tuple[str, int]:
    """`>=2` -> (">=", 2); a bare figure means "=". Raises QueryError."""
    match = _NUMBER.fullmatch(value)
    if match is None:
        raise QueryError(f"{value!r} is not a number; enter 2, >=2 or <3.")
    return match[1] or "=", int(match[2])


def with_term(terms: list[Term], key: str, value: str | None) -> str:
    """The query's text with the positive `key` terms replaced by one (or taken out when `value` is None)."""
    rest = [term for term in terms if term.key != key or term.negative]
    if value is not None:
        rest.append(Term(key, value))
    return " ".join(map(str, rest))


def without(terms: list[Term], term: Term) -> str:
    """The query's text without one term."""
    return " ".join(str(other) for other in terms if other != term)
