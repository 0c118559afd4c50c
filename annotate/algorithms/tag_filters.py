"""Filters for machine tags: drop implied tags, and tags on a list of unwanted ones. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

Words = tuple[str, ...]


def drop_overlapping(
    names: Iterable[str], overlaps: Mapping[str, Collection[str]], *, whole_words: bool = True
) -> list[str]:
    """The names, in order, without those that another of them includes.

    A name is dropped when one of its `overlaps` (more specific tags) is there, or when its words stand side by side in
    a longer name ("hair" in "long_hair"). `whole_words=False` also counts parts of words, as the original rule does,
    which takes "hat" for a part of "that".
    """
    present = list(dict.fromkeys(names))
    present_set = set(present)
    parts = {name: words_of(name) for name in present}
    runs: dict[Words, set[str]] = {}
    for name, words in parts.items():
        for start in range(len(words)):
            for end in range(start + 1, len(words) + 1):
                runs.setdefault(words[start:end], set()).add(name)
    result = []
    for name in present:
        if not present_set.isdisjoint(overlaps.get(name, ())):
            continue
        if whole_words:
            within = len(runs.get(parts[name], set()) - {name}) > 0
        else:
            within = any(name in other and name != other for other in present)
        if not within:
            result.append(name)
    return result


def drop_listed(names: Iterable[str], listed: Iterable[str]) -> list[str]:
    """The names, in order, without the listed ones: the same words, the last one in the singular or the plural."""
    unwanted = {form for name in listed for form in _forms(words_of(name))}
    return [name for name in dict.fromkeys(names) if unwanted.isdisjoint(_forms(words_of(name)))]


def words_of(name: str) -> Words:
    """Return the lower-case words of a tag, separated by underscores and spaces."""
    return tuple(name.lower().replace("_", " ").split())


def _forms(words: Words) -> set[Words]:
    """The words as they are, and with a last word without its plural ending."""
    if not words:
        return set()
    last, forms = words[-1], {words}
    if len(last) > 3 and last.endswith("s") and not last.endswith("ss"):
        forms.add((*words[:-1], last[:-1]))
        if last.endswith("es"):
            forms.add((*words[:-1], last[:-2]))
        if last.endswith("ies"):
            forms.add((*words[:-1], f"{last[:-3]}y"))
    return forms
