"""Reads ratings in files: full words, or letters whose meaning depends on the site's scheme."""

from __future__ import annotations

OLD, NEW = "old", "new"

# "sfw" and "safe" are wider than "general": older sites had one rating where newer ones have general and sensitive.
_NAMES = {
    "general": "general",
    "safe": "safe",
    "sfw": "safe",
    "sensitive": "sensitive",
    "questionable": "questionable",
    "explicit": "explicit",
    "nsfw": "nsfw",
    "r15": "r15",
    "r18": "r18",
    "r18g": "r18",
}
# "s" is safe on Moebooru sites, e621 and, until 2022, Danbooru, where it now is sensitive.
_LETTERS = {"g": "general", "q": "questionable", "e": "explicit"}
_S = {OLD: "safe", NEW: "sensitive"}
# Sites as gallery-dl and waifuc name them.
_SITES = {
    **dict.fromkeys(("danbooru", "safebooru_donmai", "aibooru", "betabooru", "atfbooru", "booruvar"), NEW),
    **dict.fromkeys(
        (
            "yandere",
            "yande",
            "konachan",
            "konachan_net",
            "lolibooru",
            "sakugabooru",
            "hypnohub",
            "e621",
            "e926",
            "e6ai",
        ),
        OLD,
    ),
}


def rating_of(text: str, scheme: str = "") -> str:
    """The rating as one of `RATING_WORDS`; "" for an unknown word, or for "s" without a known scheme."""
    letters = "".join(char for char in text.casefold() if char.isalnum())
    if letters == "s":
        return _S.get(scheme, "")
    return _LETTERS.get(letters) or _NAMES.get(letters, "")


def scheme_of_site(site: str) -> str:
    """OLD or NEW for a known site, else ""."""
    return _SITES.get(site.casefold(), "")


RATING_WORDS = frozenset(_NAMES.values())
