"""Find and replace in names and captions: a text, or a regular expression with limits of time and memory."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable

import regex

LIMIT_S = 2.0  # for all texts together
# What fills gigabytes before the limit of time is up: a group that calls itself, and large counts, which are written
# out before the search begins. Escaped brackets do neither.
ESCAPED = regex.compile(r"\\.", regex.DOTALL)
COUNTS = regex.compile(r"\{([\s\d,]+)\}", regex.ASCII)
COUNTS_MAX = 10_000  # of nested counts one multiplies the other
CALL = regex.compile(r"\(\?(?:R|[+-]?\d|&|P>)")


class PatternError(ValueError):
    """The pattern or the replacement cannot be used, takes too long or makes texts too long; the message says why."""


def replaced(texts: Iterable[str], *, find: str, replacement: str, is_regex: bool, length_max: int) -> dict[str, str]:
    """The texts that hold `find`, each with the one that comes of replacing every occurrence.

    A regular expression is searched for anywhere in the text, in any case, and may have groups, which the replacement
    calls \\1 or \\g<name>. Texts that stay as they are are left out. Raises PatternError, also where a new text would
    have more than `length_max` characters: it is never made.
    """
    if is_regex:
        return _replaced_by_pattern(texts, find=find, replacement=replacement, length_max=length_max)
    result = {}
    for text in texts:
        if find and find in text and find != replacement:
            if len(text) + text.count(find) * (len(replacement) - len(find)) > length_max:
                raise _too_long(length_max)
            result[text] = text.replace(find, replacement)
    return result


def _replaced_by_pattern(texts: Iterable[str], *, find: str, replacement: str, length_max: int) -> dict[str, str]:
    pattern = _compiled(find)
    result = {}
    until = time.monotonic() + LIMIT_S
    room = 0  # characters that replacements may still add to this text

    def expanded(match: regex.Match[str]) -> str:
        nonlocal room
        try:
            new = match.expand(replacement)
        except (regex.error, ValueError, LookupError, OverflowError) as error:
            raise PatternError(f"This replacement does not fit the pattern: {error}.") from None
        room -= len(new)
        if room < 0:
            raise _too_long(length_max)
        return new

    for text in texts:
        try:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            room = length_max
            new = pattern.sub(expanded, text, timeout=left)
        except TimeoutError:
            raise PatternError(
                f"This pattern takes longer than {LIMIT_S:.0f} seconds. Avoid nested repeats such as (a+)+."
            ) from None
        if new != text:
            if len(new) > length_max:
                raise _too_long(length_max)
            result[text] = new
    return result


def _compiled(find: str) -> regex.Pattern[str]:
    unescaped = ESCAPED.sub("", find)
    if CALL.search(unescaped):
        raise PatternError("A pattern cannot call itself or its groups, as (?R) and (?1) do.")
    if math.prod(map(_largest, COUNTS.findall(unescaped))) > COUNTS_MAX:
        raise PatternError(f"The counts of this pattern, multiplied with each other, are more than {COUNTS_MAX:,}.")
    try:
        return regex.compile(find, regex.IGNORECASE | regex.VERSION0)
    except (regex.error, ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
        # The module raises its own error for most mistakes, and others where its parser meets what it does not expect.
        raise PatternError(f"This is no regular expression: {error}.") from None


def _largest(counts: str) -> int:
    """Of `2,30`: 30; at least 1. Spaces count for nothing, as in a pattern with (?x)."""
    numbers = regex.sub(r"\s+", "", counts).split(",")
    return max([1, *(int(number) for number in numbers if number)])


def _too_long(length_max: int) -> PatternError:
    return PatternError(f"This replacement makes a text of more than {length_max:,} characters.")
