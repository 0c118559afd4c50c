"""Conversion between the export page's form and a recipe: field names are `section.key`, weights are rows."""

from __future__ import annotations

import typing
from typing import Any

from django.http import QueryDict

from export import recipe_text
from export.algorithms.captions import VERSIONS, CaptionOptions
from export.algorithms.recipe import Recipe, RecipeError, parse

WEIGHT_ROWS_MAX = 500


def recipe_from(post: QueryDict) -> Recipe:
    """Parse the recipe of a posted form. Raises RecipeError naming every wrong field."""
    sections: dict[str, dict[str, Any]] = {}
    for section, cls in typing.get_type_hints(Recipe).items():
        values = sections.setdefault(section, {})
        for key, hint in typing.get_type_hints(cls).items():
            name = f"{section}.{key}"
            if key == "weights":
                values[key] = _weights(post)
            elif key == "types":
                values[key] = recipe_text.words_of_types(post.get(name, ""))
            elif name == "arrange.format" and name not in post:
                values[key] = "/".join(post.getlist("level"))
            elif hint is bool:
                values[key] = name in post
            elif name in post:
                values[key] = _value(post, name, hint)
    return parse(sections)


def use_caption_version(recipe: Recipe) -> Recipe:
    """Return the recipe with all caption settings reset to those of its version, except the seed."""
    caption = CaptionOptions.of_version(recipe.caption.version, seed=recipe.caption.seed)
    return parse(recipe.as_dict() | {"caption": parse_caption(caption)})


def parse_caption(caption: CaptionOptions) -> dict[str, Any]:
    """Return a caption section as a dict."""
    return typing.cast("dict[str, Any]", Recipe(caption=caption).as_dict()["caption"])


def presets() -> list[str]:
    """Return the versions available as caption presets."""
    return list(VERSIONS)


def types_text(recipe: Recipe) -> str:
    """Return the image type names as shown in the form: one `type = word` per line."""
    return "\n".join(f"{name} = {word}" for name, word in recipe.metadata.types)


def _value(post: QueryDict, name: str, hint: Any) -> Any:
    if typing.get_origin(hint) is tuple and len(post.getlist(name)) > 1:
        return [text for value in post.getlist(name) if (text := str(value).strip())]
    try:
        return recipe_text.typed(str(post.get(name, "")), hint, name.partition(".")[2])
    except ValueError as error:
        raise RecipeError([f"{name}: {error}"]) from error


def _weights(post: QueryDict) -> Any:
    csv_text = post.get("weights.csv", "").strip()
    if csv_text:
        return csv_text
    rows: list[list[Any]] = []
    pairs = zip(post.getlist("weight.pattern"), post.getlist("weight.value"), strict=False)
    for number, (pattern, value) in enumerate(pairs, start=1):
        if number > WEIGHT_ROWS_MAX:
            raise RecipeError([f"balance.weights: at most {WEIGHT_ROWS_MAX} rows"])
        if not pattern.strip():
            continue
        try:
            rows.append([pattern.strip(), float(value)])
        except ValueError:
            rows.append([pattern.strip(), value])
    return rows
