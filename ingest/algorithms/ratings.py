"""Ratings as files write them: words are words; what a letter means depends on the scheme of the site."""

from __future__ import annotations

OLD, NEW = "old", "new"

# "sfw" and "safe" say less than "general": older sites had one word for what newer ones part in general and sensitive.
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
# "s" was safe on Danbooru until 2022, and still is on Moebooru's sites and e621; now it is sensitive there.
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
    """The rating in one word of `RATING_WORDS`, or "" for an unknown word, or an "s" whose scheme is not known."""
    letters = "".join(char for char in text.casefold() if char.isalnum())
    if letters == "s":
        return _S.get(scheme, "")
    return _LETTERS.get(letters) or _NAMES.get(letters, "")


def scheme_of_site(site: str) -> str:
    """OLD or NEW for a site whose letters are known, else ""."""
    return _SITES.get(site.casefold(), "")


RATING_WORDS = frozenset(_NAMES.values())
