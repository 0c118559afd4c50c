"""Reads JSON and TOML files next to pictures: those of Koma, the screenshot pipeline, gallery-dl, boorus and waifuc.

The kinds are recognised by their keys. Unused keys with text are reported, so that nothing is lost silently.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ingest import outside_json
from ingest.algorithms.ratings import scheme_of_site
from ingest.imaging.side_text import (
    CATEGORIES,
    Gathered,
    Known,
    SideFacts,
    clean,
    is_prose,
    parse_score,
    parse_text,
    split_tags,
)

_BOXES_MAX = 200
_NUMBERS = {0: "general", 1: "artist", 3: "copyright", 4: "character", 5: "meta"}  # Danbooru's categories
_NAMES = {
    **dict.fromkeys(("general", "species", "lore"), "general"),
    **dict.fromkeys(("character", "characters"), "character"),
    **dict.fromkeys(("copyright", "copyrights"), "copyright"),
    **dict.fromkeys(("artist", "artists"), "artist"),
    **dict.fromkeys(("meta", "metadata"), "meta"),
}
_CAPTIONS = ("prose", "description", "captions")
# Computed again from the picture, or about the file itself: not reported as unused.
_DERIVED_KEYS = frozenset(
    """
    n_faces n_people count facepos fh_ratio cropped general type filename path current_path group_id image_size crop
    tags processed_tags tag_string caption category subcategory site md5 upscale face_set abs_pos rel_pos
    max_height_ratio dropped_character_tags
    """.split()  # noqa: SIM905
)


def parse_json(text: str, known_tags: Known | None = None) -> SideFacts:
    """Parse a JSON text. Raises ValueError with the problem."""
    try:
        data = outside_json.parsed(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"invalid JSON: {error.msg} in line {error.lineno}") from error
    return _parse(data, known_tags)


def parse_toml(text: str, known_tags: Known | None = None) -> SideFacts:
    """Parse a TOML text. Raises ValueError with the problem."""
    try:
        data = outside_json.parsed_toml(text)
    except ValueError as error:
        raise ValueError(f"invalid TOML: {error}") from error
    return _parse(data, known_tags)


def _parse(data: Any, known_tags: Known | None) -> SideFacts:
    if isinstance(data, list):
        data = {"tags": data}
    if not isinstance(data, Mapping):
        raise ValueError("it is not an object")
    gathered = Gathered()
    by_category = _tags_by_category(gathered, data, known_tags)
    if not by_category:
        _add_tags(
            gathered, "general", data.get("processed_tags") or data.get("tags") or data.get("tag_string"), known_tags
        )
    elif isinstance(data.get("tags"), Mapping):
        pass  # e621: read above
    for key in _CAPTIONS:
        for text in _texts(data.get(key)):
            gathered.sentence(text)
    caption = data.get("caption")
    if isinstance(caption, str):
        # Training tools store the training caption here, which is built from the tags; it is used without tags.
        if is_prose(caption):
            gathered.sentence(caption)
        elif not any(gathered.tags.values()):
            _merge_facts(gathered, parse_text(caption, known_tags))
    rating = data.get("rating")
    if isinstance(rating, str):
        gathered.tag("rating", rating)
    _add_score(gathered, data.get("score"))
    _note_unused(gathered, data)
    side_facts = gathered.side_facts()
    site = data.get("category") if isinstance(data.get("category"), str) else data.get("site")
    side_facts.rating_scheme = scheme_of_site(site) if isinstance(site, str) and len(side_facts.rating) == 1 else ""
    side_facts.boxes = _boxes(data, side_facts.character)
    return side_facts


def _tags_by_category(gathered: Gathered, data: Mapping[str, Any], known_tags: Known | None) -> bool:
    """Add tags whose category is stated. Returns whether general tags are among them."""
    general = False
    for namespace, category in _NAMES.items():
        for key in (f"tags_{namespace}", f"tag_string_{namespace}"):
            if data.get(key):
                _add_tags(gathered, category, data[key], known_tags)
                general = general or category == "general"
        if category != "general":  # "general" is a description such as "anishot"
            _add_tags(gathered, category, data.get(namespace), known_tags)
    tags = data.get("tags")
    if isinstance(tags, Mapping) and tags and all(isinstance(value, list) for value in tags.values()):
        for namespace, names in tags.items():
            if namespace in _NAMES:
                _add_tags(gathered, _NAMES[namespace], names, known_tags)
            else:
                gathered.left.extend(f"tags of {clean(str(namespace))}: {clean(str(name))}" for name in names[:20])
        general = True
    elif isinstance(tags, list) and tags and all(isinstance(tag, Mapping) for tag in tags):
        for tag in tags:  # Danbooru2021: {"name": ..., "category": "0"}
            number = parse_score(str(tag.get("category", "")))
            category = _NUMBERS.get(-1 if number is None else number, "general")
            if isinstance(tag.get("name"), str):
                gathered.tag(category, tag["name"])
        general = True
    return general


def _add_tags(gathered: Gathered, category: str, value: Any, known_tags: Known | None) -> None:
    if isinstance(value, Mapping):  # waifuc: tags with their scores
        value = list(value)
    if isinstance(value, str):
        if category == "general":
            _merge_facts(gathered, parse_text(value, known_tags))
            return
        value = split_tags(value, known_tags, names=True)
    if not isinstance(value, list):
        return
    for tag in value:
        if isinstance(tag, str):
            _add_tag(gathered, category, tag)
        elif tag is not None:
            gathered.leave(clean(str(tag)))


def _add_tag(gathered: Gathered, category: str, tag: str) -> None:
    """Add one entry of a list unsplit; `rating:` entries become the rating."""
    if category == "general" and tag.lower().startswith("rating:"):
        gathered.tag("rating", tag[7:])
    else:
        gathered.tag(category, tag)


def _merge_facts(gathered: Gathered, side_facts: SideFacts) -> None:
    for name in CATEGORIES:
        for tag in getattr(side_facts, name):
            gathered.tags[name].setdefault(tag)
    for text in side_facts.captions:
        gathered.sentence(text)
    gathered.rating = gathered.rating or side_facts.rating
    gathered.score = side_facts.score if gathered.score is None else gathered.score
    gathered.left.extend(side_facts.left)


def _add_score(gathered: Gathered, value: Any) -> None:
    if isinstance(value, Mapping):  # e621
        value = value.get("total")
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if (score := parse_score(str(value))) is not None:
        gathered.score = score
    else:
        gathered.leave(f"score: {clean(str(value))}")


def _boxes(data: Mapping[str, Any], names: tuple[str, ...]) -> tuple[tuple[float, float, float, float], ...]:
    """Relative face boxes, if there is exactly one for each name: then both have the same order."""
    boxes = data.get("facepos") or data.get("rel_pos")
    if not isinstance(boxes, list) or not names or len(boxes) != len(names) or len(boxes) > _BOXES_MAX:
        return ()
    face_boxes = []
    for box in boxes:
        try:
            sides = _sides(box)
        except (TypeError, ValueError, OverflowError):
            return ()
        if not (0 <= sides[0] < sides[2] <= 1.001 and 0 <= sides[1] < sides[3] <= 1.001):
            return ()
        face_boxes.append(sides)
    return tuple(face_boxes)


def _sides(box: Any) -> tuple[float, float, float, float]:
    if isinstance(box, str):  # fvp TOP BOTTOM fhp LEFT RIGHT in percent
        fields = box.split()
        if len(fields) != 6 or (fields[0], fields[3]) != ("fvp", "fhp"):
            raise ValueError(box)
        top, bottom, left, right = (int(fields[index]) / 100 for index in (1, 2, 4, 5))
        return left, top, right, bottom
    left, top, right, bottom = (float(side) for side in box)
    return left, top, right, bottom


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return [value]
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _note_unused(gathered: Gathered, data: Mapping[str, Any]) -> None:
    read = {*_DERIVED_KEYS, *_CAPTIONS, *_NAMES, "rating", "score"}
    read |= {f"{start}{word}" for start in ("tags_", "tag_string_") for word in _NAMES}
    unused = [clean(str(key)) for key, value in data.items() if key not in read and isinstance(value, str) and value]
    if unused:
        listed = ", ".join(unused[:20])
        more = f" and {len(unused) - 20:,} more" if len(unused) > 20 else ""
        gathered.leave(f"unused keys: {listed}{more}")
