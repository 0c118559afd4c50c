"""The small language of the frames page: `character:KuraueHinata faces:>=2 -tag:closed_eyes state:dropped`."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

KEYS = ("episode", "shot", "character", "tag", "state", "reason", "faces", "score", "like", "is")
# What models say of whole pictures comes as tags "class:comic"; of these subjects the bare word means the tag.
SUBJECTS = ("rating", "class", "aesthetic", "monochrome", "character_type", "quality")
_TERM = re.compile(r'(-?)(?:(\w+):)?("([^"]*)"|\S+)')
_NUMBER = re.compile(r"(>=|<=|>|<|=)?(-?\d{1,9})")
TERMS_MAX = 20
WORDS_MAX = 5  # of a tag that is written with spaces


class QueryError(ValueError):
    """An invalid query; the message is for the user: which word is wrong, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition. `key` is one of KEYS; a bare word (`is_bare`) is a tag, or continues one (`continues`)."""

    key: str
    value: str
    negative: bool = False
    continues: bool = field(default=False, compare=False)
    is_bare: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        value = f'"{self.value}"' if " " in self.value or self.value.endswith(",") else self.value
        return f"{'-' if self.negative else ''}{self.key}:{value}"


def parse(text: str) -> list[Term]:
    """Split a query into terms. Raises QueryError for a filter without a value or too many terms.

    Values with spaces stand in double quotes. A bare word means `tag:word`, also with a colon that no filter has
    (`re:zero`); `annotate.queries.search` says so where there is no such tag either. Commas may part the terms.
    """
    terms: list[Term] = []
    after_word = False
    for minus, key, raw, quoted in _TERM.findall(text):
        if not key and raw == ",":
            after_word = False
            continue
        is_quoted = raw.startswith('"')
        value = quoted if is_quoted else raw.removesuffix(",")
        name = key.lower() or "tag"
        if name in KEYS and not value:
            raise QueryError(f"The filter {name}: needs a value.")
        is_word = not is_quoted and (not key or name not in KEYS)
        if name in SUBJECTS and value and not is_quoted:
            terms.append(Term("tag", f"{name}:{value}", bool(minus)))
        elif name in KEYS:
            continues = is_word and after_word and not minus
            terms.append(Term(name, value, bool(minus), continues, is_bare=not key))
        else:
            terms.append(Term("tag", f"{key}:{value}", bool(minus), is_bare=True))
        after_word = is_word and not raw.endswith(",")
    if len(terms) > TERMS_MAX:
        raise QueryError(f"At most {TERMS_MAX} filters at once.")
    return terms


def name_key(name: str) -> str:
    """The spelling by which a name is compared with bare words: `Mio  Akiyama` -> `mio_akiyama`."""
    return "_".join(name.lower().split())


def bare_words(terms: Sequence[Term]) -> set[str]:
    """Every term without a filter, as `name_key` spells it."""
    return {name_key(term.value) for term in terms if term.is_bare}


def spellings(terms: Sequence[Term]) -> set[str]:
    """Every name that bare words beside each other can be together, with underscores: blue hair -> blue_hair."""
    return {name for start in range(len(terms)) for name, _ in _together(terms, start)}


def joined(terms: Sequence[Term], names_known: Container[str]) -> list[Term]:
    """The terms with words beside each other made one where `names_known` holds that name; the longest name first."""
    result: list[Term] = []
    start = 0
    while start < len(terms):
        names = [(name, end) for name, end in _together(terms, start) if name in names_known]
        name, end = names[-1] if names else (terms[start].value, start + 1)
        result.append(replace(terms[start], value=name))
        start = end
    return result


def _together(terms: Sequence[Term], start: int) -> Iterator[tuple[str, int]]:
    """Names of two words and more that begin with the term, each with the place behind its last word."""
    name = terms[start].value
    for end in range(start + 1, min(start + WORDS_MAX, len(terms))):
        if not terms[end].continues:
            return
        name = f"{name}_{terms[end].value}"
        yield name_key(name), end + 1


def named(terms: Sequence[Term], tags: Container[str], characters: Mapping[str, str]) -> list[Term]:
    """The terms with bare words that are no tag, but a character, made `character:`; its names by `name_key`."""
    result = []
    for term in terms:
        key = name_key(term.value)
        is_character = term.is_bare and key not in tags and key in characters
        result.append(replace(term, key="character", value=characters[key]) if is_character else term)
    return result


def pattern(value: str) -> re.Pattern[str] | None:
    """What `*_hair` matches, as a whole name; None for a value without `*`. Spaces stand for underscores."""
    if "*" not in value:
        return None
    return re.compile(".*".join(map(re.escape, name_key(value).split("*"))), re.DOTALL)


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
