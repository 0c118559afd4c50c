"""Find and replace in names and captions: a text, or a regular expression with a time limit."""

from __future__ import annotations

import time
from collections.abc import Iterable

import regex

LIMIT_S = 2.0  # for all texts together


class PatternError(ValueError):
    """The pattern or the replacement is no regular expression, or takes too long; the message says what and where."""


def replaced(texts: Iterable[str], *, find: str, replacement: str, is_regex: bool) -> dict[str, str]:
    """The texts that hold `find`, each with the one that comes of replacing every occurrence.

    A regular expression is searched for anywhere in the text, in any case, and may have groups, which the replacement
    calls \\1 or \\g<name>. Texts that stay as they are are left out. Raises PatternError.
    """
    if not is_regex:
        return {
            text: text.replace(find, replacement) for text in texts if find and find in text and find != replacement
        }
    try:
        pattern = regex.compile(find, regex.IGNORECASE | regex.VERSION0)
    except regex.error as error:
        raise PatternError(f"This is no regular expression: {error}.") from None
    result = {}
    until = time.monotonic() + LIMIT_S
    for text in texts:
        try:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            new = pattern.sub(replacement, text, timeout=left)
        except TimeoutError:
            raise PatternError(
                f"This pattern takes longer than {LIMIT_S:.0f} seconds. Avoid nested repeats such as (a+)+."
            ) from None
        except (regex.error, IndexError) as error:
            raise PatternError(f"This replacement does not fit the pattern: {error}.") from None
        if new != text:
            result[text] = new
    return result
