"""Pages as tests compare them: without the blanks that only lay out the template."""

from __future__ import annotations

import re

from django.http import HttpResponse

_VERBATIM = re.compile(r"((?<=>)[^<]*(?=</(?:textarea|pre)>))")
_IN_TEXT = r"/?(?:a|b|code|em|i|kbd|output|q|span|strong|time)\b"
_TAG = re.compile(rf" ?(<(?!{_IN_TEXT})[^<>]*?) ?(/?>) ?|(<{_IN_TEXT}[^<>]*?) ?(>)")


def html_of(response: HttpResponse) -> str:
    """The page with blanks run together; none at the end of a tag, nor beside a tag that does not stand in a text.

    Text areas and preformatted text stay as they are.
    """
    parts = _VERBATIM.split(response.content.decode())
    return "".join(part if number % 2 else _compact(part) for number, part in enumerate(parts))


def _compact(text: str) -> str:
    return _TAG.sub(r"\1\2\3\4", re.sub(r"\s+", " ", text))
