"""The export page: the recipe on the left, what it gives on the right, one button."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from annotate.chosen_models import choices
from export import forms, jobs
from export.actions import jobs as job_actions
from export.actions import recipes as recipe_actions
from export.actions import releases as release_actions
from export.algorithms.captions import PARTS
from export.algorithms.levels import TOKENS, levels_of
from export.algorithms.plan import caption_of
from export.algorithms.presets import DEFAULT, PRESETS, Preset, preset_of
from export.algorithms.recipe import Recipe, RecipeError, parse
from export.build import rows_from_database, upscaling
from export.formats.registry import format_of, problems_of
from export.models import Recipe as RecipeRow
from export.preview.result import is_counted, preview
from export.preview.selected import preset_counts
from export.views.recipe_options import options_of
from ingest.access import member_view
from ingest.actions.seen import fingerprint
from ingest.algorithms.typed_lists import format_list
from ingest.errors import BadInput
from ingest.models import Collection, Frame, Role
from ingest.params import as_int
from ingest.views.once import own_key
from ingest.views.responses import errors_in_words, is_partial, seen, success

PAGE_TEMPLATE = "export/export.html"
RESULT_TEMPLATE = "export/result.html"
EXAMPLE_PAGES_MAX = 99_999
FRAMES_AT_ONCE_MAX = 2_000  # more take over a tenth of a second to look at: the page does not wait for them
PART_LABELS = {
    "count": "Count",
    "characters": "Characters",
    "copyright": "Series tag",
    "general": "Description",
    "artist": "Artist",
    "rating": "Rating",
    "facepos": "Face position",
    "tags": "Tags",
    "prose": "Sentences",
}
CODE_FIELDS = ("collection", "season", "number")  # what an episode's code is made of
LEVEL_LABELS = {
    "n_characters": "Number of characters",
    "n_faces": "Number of faces",
    "n_people": "Number of people",
    "character": "Character",
    "fh_ratio": "Face height",
    "series": "Series",
    "image_type": "Image type",
    "episode": "Episode",
}


@member_view()
@require_safe
def export(request: HttpRequest, collection: Collection) -> HttpResponse:
    """The recipe and its live result. `?preset=` shows a preset, `?recipe=` a saved recipe; else the one saved last."""
    saved = _saved(collection)
    row, recipe, broken = _opened(saved, request.GET)
    form_data = recipe_actions.form_values(row, row.params if row else {})
    context = _context(collection, recipe, saved=saved)
    if row is None and context["current_preset"] is not None:
        context["recipe_name"] = _free_name(context["current_preset"], context["saved_recipes"])
    name = row.name if row else context["recipe_name"]
    context["default_name"] = job_actions.default_name(collection, name)
    context |= {"saved": row, "seen_mark": fingerprint(form_data)} | ({"errors": broken} if broken else {})
    return render(request, PAGE_TEMPLATE, context)


@own_key
@member_view()
@require_POST
@errors_in_words
def export_preview(request: HttpRequest, collection: Collection) -> HttpResponse:
    """What the posted form would give. Writes nothing; a mistake in the form is shown in place of the result."""
    try:
        recipe = forms.recipe_from(request.POST)
    except RecipeError as error:
        return render(request, RESULT_TEMPLATE, {"errors": error.errors})
    context = result_of(collection, recipe, page=examples_page(request.POST))
    counts = {"out_of_band": True, "presets": list(PRESETS.values()), "preset_counts": preset_counts(collection)}
    return render(request, RESULT_TEMPLATE, context | counts)


@member_view(at_least=Role.LEAD)
@require_POST
@errors_in_words
def export_change(request: HttpRequest, collection: Collection) -> HttpResponse:
    """Save the recipe, reset its captions to a style, change a setting, or start the export, chosen by the button."""
    form = request.POST.copy()
    setting, _, value = form.get("set", "").partition("=")
    if setting:
        form[setting] = value
    try:
        recipe = forms.recipe_from(form)
    except RecipeError as error:
        if is_partial(request):
            raise BadInput(str(error)) from error
        context = _context(collection, Recipe()) | {"errors": error.errors, "seen_mark": seen(request)}
        context["default_name"] = job_actions.default_name(collection, context["recipe_name"])
        return render(request, PAGE_TEMPLATE, context, status=422)
    action = request.POST.get("act", "start")
    here = reverse("export", args=[collection.pk])
    name = request.POST.get("recipe_name", "").strip() or "Recipe"
    unsaved = {
        "unsaved": True,
        "seen_mark": seen(request),
        "recipe_name": name,
        "default_name": job_actions.default_name(collection, name),
    }
    if setting:
        return render(request, PAGE_TEMPLATE, _context(collection, recipe) | unsaved)
    if action == "style":
        changed = forms.use_caption_version(recipe)
        return render(request, PAGE_TEMPLATE, _context(collection, changed) | unsaved)
    if action == "csv":
        return render(request, PAGE_TEMPLATE, _context(collection, recipe) | unsaved)
    row = recipe_actions.save(collection=collection, name=name, recipe=recipe, by=request.user, seen=seen(request))
    if action == "save":
        return success(request, f"Recipe “{row.name}” saved.", to=f"{here}?recipe={row.pk}")
    if action == "freeze":
        release = release_actions.start(
            collection=collection, recipe=recipe, name=request.POST.get("name", ""), notes="", by=request.user
        )
        transaction.on_commit(lambda: jobs.wake() and None)
        return success(request, f"{release} is being frozen.", to=reverse("releases", args=[collection.pk]))
    title = request.POST.get("name", "").strip() or job_actions.default_name(collection, row.name)
    job_actions.start(collection=collection, recipe=recipe, name=title, by=request.user)
    transaction.on_commit(lambda: jobs.wake() and None)
    to = reverse("exports", args=[collection.pk])
    if is_partial(request):
        response = HttpResponse(status=204)
        response.headers["HX-Redirect"] = to
        return response
    return HttpResponseRedirect(to)


@member_view()
@require_safe
def frame_caption(request: HttpRequest, collection: Collection, frame_id: int) -> HttpResponse:
    """The caption that the recipe saved last gives to one frame; for the frame's page."""
    frames = Frame.objects.select_related("episode__source")
    frame = get_object_or_404(frames, collection=collection, pk=frame_id)
    row, recipe, _ = opened_recipe(collection, request.GET)
    (picture,) = rows_from_database.pictures_of([frame], name_clusters=recipe.arrange.name_clusters)
    context = {"caption": caption_of(picture, recipe), "recipe": row.name if row else f"preset {DEFAULT.label}"}
    return render(request, "export/frame_caption.html", context)


@member_view()
@require_safe
def recipe_file(request: HttpRequest, collection: Collection, recipe_id: int) -> HttpResponse:
    """A saved recipe as JSON, for `manage.py build_dataset --recipe`."""
    row = get_object_or_404(RecipeRow, collection=collection, pk=recipe_id)
    response = HttpResponse(
        json.dumps(row.params, indent=2, ensure_ascii=False) + "\n", content_type="application/json"
    )
    response.headers["Content-Disposition"] = f'attachment; filename="recipe-{row.pk}.json"'
    return response


def opened_recipe(collection: Collection, query: Mapping[str, str]) -> tuple[RecipeRow | None, Recipe, tuple[str, ...]]:
    """The recipe or preset that a page's query names, else the one saved last or the default preset's; and what is
    wrong with it."""
    return _opened(_saved(collection), query)


def _saved(collection: Collection) -> list[RecipeRow]:
    return list(RecipeRow.objects.filter(collection=collection))


def _opened(saved: list[RecipeRow], query: Mapping[str, str]) -> tuple[RecipeRow | None, Recipe, tuple[str, ...]]:
    recipe_id, key = query.get("recipe", ""), query.get("preset", "")
    number = as_int(recipe_id)
    if key in PRESETS:
        same_name = next((row for row in saved if row.name == PRESETS[key].label), None)
        is_same = same_name is not None and same_name.params == PRESETS[key].recipe.as_dict()
        return same_name if is_same else None, PRESETS[key].recipe, ()
    if number is not None:
        row = next((row for row in saved if row.pk == number), None)
        if row is None:
            raise Http404("There is no such recipe.")
    else:
        row = max(saved, key=lambda row: row.updated_at, default=None)
    if row is None or recipe_id == "new":
        return None, DEFAULT.recipe, ()
    try:
        return row, parse(row.params), ()
    except RecipeError as error:  # saved by another version of Koma
        return row, Recipe(), error.errors


def _free_name(preset: Preset, saved: list[RecipeRow]) -> str:
    """The preset's name for a recipe, with a number where a saved recipe of other settings has it."""
    taken = {row.name for row in saved}
    names = (f"{preset.label} {number}" if number > 1 else preset.label for number in itertools.count(1))
    return next(name for name in names if name not in taken)


def _context(collection: Collection, recipe: Recipe, *, saved: list[RecipeRow] | None = None) -> dict[str, Any]:
    levels = levels_of(recipe.arrange.format)
    order = recipe.caption.order
    data = recipe.as_dict()
    later = _takes_long(collection, recipe)
    return {
        "section": "export",
        "recipe": recipe,
        "recipe_name": "Recipe",
        "presets": list(PRESETS.values()),
        "current_preset": preset_of(recipe),
        "preset_counts": {} if later else preset_counts(collection),
        "saved_recipes": _saved(collection) if saved is None else saved,
        "weights": [(pattern, f"{weight:g}") for pattern, weight in data["balance"]["weights"]],
        "min_multiply": f"{recipe.balance.min_multiply:g}",
        "max_multiply": f"{recipe.balance.max_multiply:g}",
        "blacklist": format_list(recipe.caption.blacklist),
        "types_text": forms.types_text(recipe),
        "levels": [(token, LEVEL_LABELS[token]) for token in levels],
        "unused_levels": [(token, LEVEL_LABELS[token]) for token in TOKENS if token not in levels],
        # A part that the order leaves out is the same as one with probability 0.
        "parts": [(part, PART_LABELS[part], data["caption"][f"{part}_prob"]) for part in order]
        + [(part, PART_LABELS[part], 0.0) for part in PARTS if part not in order],
        "face_scale": f"{recipe.face_set.scale:g}",
        "episodes": sorted(
            {rows_from_database.episode_code(row) for row in collection.episodes.only(*CODE_FIELDS)} - {""}
        ),
        "job_count": collection.export_jobs.count(),
        **options_of(collection, recipe),
    } | ({"later": True} if later else result_of(collection, recipe))


def _takes_long(collection: Collection, recipe: Recipe) -> bool:
    """Whether the page had better come first and the result after it."""
    try:
        if is_counted(collection, recipe):
            return False
    except BadInput:  # its upscaler is not installed: said at once
        return False
    return collection.frames.order_by().values("pk")[: FRAMES_AT_ONCE_MAX + 1].count() > FRAMES_AT_ONCE_MAX


def examples_page(form: QueryDict) -> int:
    """Which examples the form asks for."""
    return min(as_int(form.get("examples")) or 0, EXAMPLE_PAGES_MAX)


def result_of(collection: Collection, recipe: Recipe, *, page: int = 0) -> dict[str, Any]:
    """What the result's template shows."""
    try:
        upscaling.factor_of(collection, recipe)
    except BadInput as error:  # its upscaler is not installed
        return {"errors": (error.message,)}
    if problems := problems_of(recipe):
        return {"errors": problems}
    return {
        "result": preview(collection, recipe, page=page),
        "whole_repeats": format_of(recipe).rounding == "round",
        "next_examples": page + 1,
        "has_tagger": choices.has_tagger(collection),
    }
