"""Contradictions between tags: machine tags yield to files, and both to people."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable

_COUNT = re.compile(r"(\d)\+?(girl|boy|other)s?")
_SEVERAL = re.compile(r"[2-9]\+?(?:girl|boy|other)s|multiple_(?:girls|boys|others)|crowd|everyone|couple")
_PEOPLE = re.compile(
    r"\d\+?(?:girl|boy|other)s?|multiple_(?:girls|boys|others)|solo|solo_focus|crowd|couple|portrait|upper_body|"
    r"cowboy_shot|lower_body|looking_at_viewer"
)
_COLOURS = """
    aqua black blonde blue brown green grey light_blue orange pink purple red silver white yellow
    """.split()  # noqa: SIM905
_HAIR = frozenset(f"{colour}_hair" for colour in _COLOURS)
_EYES = frozenset(f"{colour}_eyes" for colour in _COLOURS)
_BACKGROUNDS = frozenset(f"{colour}_background" for colour in (*_COLOURS, "gradient", "transparent"))
_MANY_COLOURS = re.compile(r"(?:multicolored|two-tone|gradient|streaked|colored_inner|split-color|rainbow)_hair")
_SAME = ({"silver_hair", "grey_hair", "white_hair"}, {"blue_hair", "light_blue_hair", "aqua_hair"},
         {"blonde_hair", "yellow_hair"}, {"grey_eyes", "silver_eyes"}, {"blue_eyes", "light_blue_eyes", "aqua_eyes"},
         {"long_hair", "very_long_hair"}, {"highres", "absurdres"})  # fmt: skip
# Of each group one is true of a person.
_OF_ONE = (
    _HAIR,
    _EYES,
    frozenset({"short_hair", "medium_hair", "long_hair", "very_long_hair", "bald"}),
    frozenset({"open_mouth", "closed_mouth"}),
)
# Of each group one is true of a picture.
_OF_PICTURE = (
    frozenset({"portrait", "upper_body", "cowboy_shot", "full_body"}),
    frozenset({"indoors", "outdoors"}),
    frozenset({"day", "night"}),
    frozenset({"lowres", "highres", "absurdres"}),
    frozenset({"monochrome", "colorful"}),
    frozenset({"wide_image", "tall_image"}),
    _BACKGROUNDS,
)
_PLAIN = _BACKGROUNDS | {"simple_background"}
_PLACES = frozenset({"indoors", "outdoors", "scenery", "detailed_background"})


def contradicting(names: Iterable[str], established: Collection[str]) -> set[str]:
    """Return the names that contradict tags of a source with higher precedence.

    What was said itself contradicts nothing of what was said. Colours, hair and mouths are compared only where what
    was said does not tell of several people.
    """
    established_set = set(established)
    if not established_set:
        return set()
    rules = _rules(established_set)
    return {name for name in names if name not in established_set and any(rule(name) for rule in rules)}


def _rules(established: set[str]) -> list[Callable[[str], bool]]:
    rules: list[Callable[[str], bool]] = []
    people = any(_PEOPLE.fullmatch(name) for name in established)
    if "no_humans" in established and not people:
        rules.append(lambda name: bool(_PEOPLE.fullmatch(name)) or name in _HAIR or name in _EYES)
    elif people or established & (_HAIR | _EYES):
        rules.append(lambda name: name == "no_humans")
    counts = _counts(established)
    rules.append(lambda name: _miscounts(name, counts, established))
    is_several = _means_several(established, counts)
    if is_several:
        rules.append(lambda name: name == "solo")
    if "solo" in established:
        rules.append(lambda name: bool(_SEVERAL.fullmatch(name)))
    groups = _OF_PICTURE if is_several else (*_OF_PICTURE, *_OF_ONE)
    rules += [
        _one_of(group, established) for group in groups if group & established and not _is_mixed(group, established)
    ]
    if established & _PLACES:
        rules.append(lambda name: name in _PLAIN)
    if any(name.startswith("rating:") for name in established):
        rules.append(lambda name: name.startswith("rating:"))
    return rules


def _one_of(group: frozenset[str], established: set[str]) -> Callable[[str], bool]:
    allowed = group & established
    for same in _SAME:
        if same & allowed:
            allowed = allowed | same
    return lambda name: name in group and name not in allowed


def _is_mixed(group: frozenset[str], established: set[str]) -> bool:
    if group is _HAIR:
        return any(_MANY_COLOURS.fullmatch(name) for name in established)
    return group is _EYES and "heterochromia" in established


def _counts(established: set[str]) -> dict[str, set[int]]:
    """The counts that were said, by kind: {"girl": {2}}."""
    counts: dict[str, set[int]] = {}
    for name in established:
        if match := _COUNT.fullmatch(name):
            counts.setdefault(match[2], set()).add(int(match[1]))
    return counts


def _miscounts(name: str, counts: dict[str, set[int]], established: set[str]) -> bool:
    """Whether a count tag tells another number of a kind that was counted."""
    if match := _COUNT.fullmatch(name):
        kind, number = match[2], int(match[1])
        differs = kind in counts and number not in counts[kind]
        return differs or (number == 1 and f"multiple_{kind}s" in established)
    if name.startswith("multiple_"):
        kind = name.removeprefix("multiple_").removesuffix("s")
        return counts.get(kind) == {1}
    return False


def _means_several(established: set[str], counts: dict[str, set[int]]) -> bool:
    min_people = sum(min(numbers) for numbers in counts.values())
    return min_people > 1 or any(_SEVERAL.fullmatch(name) for name in established)
