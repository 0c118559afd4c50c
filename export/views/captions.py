"""Captions of many frames: a list to edit in place, and changes of several at once, each after a dry run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from annotate.actions import captions as caption_actions
from annotate.actions.batches import batches
from annotate.algorithms.query import QueryError
from annotate.algorithms.replacing import PatternError, replaced
from annotate.models import Caption
from annotate.queries import search
from annotate.views.frames import count_matches
from annotate.views.html_rows.parts import list_query
from export.algorithms.plan import caption_of
from export.algorithms.presets import DEFAULT
from export.algorithms.recipe import Recipe
from export.build import rows_from_database
from export.views.recipes import opened_recipe
from ingest.access import member_view
from ingest.actions.seen import fingerprint
from ingest.errors import BadInput, Conflict
from ingest.models import Collection, Frame, Role
from ingest.params import as_int
from ingest.views.once import key_of, own_key
from ingest.views.responses import came_from, errors_in_words, is_partial, seen, success, toast

PAGE = 40
SELECTED_MAX = 500
ALL_MAX = 10_000  # of one change: composed twice, and the history holds two texts for each
EXAMPLES_MAX = 100
TEXT_MAX = 500


@dataclass(frozen=True, slots=True)
class CaptionRow:
    """A frame with the caption that an export writes: the custom one (`stored`), else the recipe's."""

    frame: Frame
    text: str
    stored: str
    by: str

    @property
    def is_custom(self) -> bool:
        return bool(self.stored)

    @property
    def shown(self) -> dict[str, str]:
        """What the form replaces."""
        return {"text": self.stored}

    @property
    def picked(self) -> str:
        """The frame's value in forms that change several."""
        return picked(self.frame.pk, self.text)


def picked(key: int, text: str) -> str:
    """Key of a frame and a hash of its caption."""
    return f"{key}:{fingerprint({'t': text}).partition(':')[2]}"


@member_view()
@require_safe
def captions(request: HttpRequest, collection: Collection) -> HttpResponse:
    """The list, a page at a time (`after`), of the frames that match `q`."""
    query, after = request.GET.get("q", "").strip(), request.GET.get("after", "")
    context: dict[str, Any] = {"section": "frames", "tab": "captions", "query": query}
    try:
        terms = search.terms_of(collection, query)
        rows = search.frames(collection, terms)
    except QueryError as error:
        return render(request, "export/captions.html", context | {"problem": str(error)})
    frames = list(search.after(rows, after).select_related("episode__source")[: PAGE + 1])
    last = frames[PAGE - 1] if len(frames) > PAGE else None
    total = count_matches(collection, rows, terms)
    row, recipe, _ = opened_recipe(collection, {})
    context |= {
        "rows": _caption_rows(frames[:PAGE], recipe),
        "list_query": list_query(query),
        "total": total,
        "total_more": total > search.COUNT_MAX,
        "count_max": search.COUNT_MAX,
        "after": after,
        "next": f"{last.episode_id}.{last.index}" if last else "",
        "is_saved": row is not None,
        "recipe": f"the recipe “{row.name}”" if row else f"the preset “{DEFAULT.label}”",
    }
    return render(request, "export/captions.html", context)


@member_view(at_least=Role.REVIEWER)
@require_POST
@errors_in_words
def write(request: HttpRequest, collection: Collection, frame_id: int) -> HttpResponse:
    """Set one custom caption; an empty text gives the recipe's back."""
    frame = get_object_or_404(Frame.objects.select_related("episode__source"), collection=collection, pk=frame_id)
    text, summary = request.POST.get("text", ""), "The recipe's caption is used"
    is_change = bool(caption_actions.words_of(text)) or Caption.objects.filter(frame=frame).exists()
    if is_change:
        done = caption_actions.write(
            collection=collection, frame=frame, text=text, by=request.user, seen=seen(request), key=key_of(request)
        )
        summary = done.summary
    if not is_partial(request):
        return success(request, summary, to=_back(request, collection), undo=is_change)
    (row,) = _caption_rows([frame], _recipe(collection))
    response = render(request, "export/caption_form.html", {"collection": collection, "row": row})
    return toast(response, summary, undo=is_change)


@own_key
@member_view(at_least=Role.REVIEWER)
@require_POST
@errors_in_words
def preview(request: HttpRequest, collection: Collection) -> HttpResponse:
    """What a change of the selected captions would do, with the button that does it."""
    captions, new_texts = _planned(request, collection)
    context = {
        "section": "frames",
        "changes": [(row, new_texts[row.frame.pk]) for row in _rows_of(collection, list(new_texts)[:EXAMPLES_MAX])],
        "more": max(0, len(new_texts) - EXAMPLES_MAX),
        "n": len(new_texts),
        "fixed": sum(1 for key, text in new_texts.items() if text and key not in captions.stored),
        "unchanged": len(captions.texts) - len(new_texts),
        "picked": [] if request.POST.get("all") else [captions.picked(key) for key in new_texts],
        "fields": [(name, request.POST.get(name, "")) for name in ("act", "text", "find", "with", "regex", "q", "all")],
        "digest": captions.digest,
        "list_query": list_query(request.POST.get("q", "")),
    }
    return render(request, "export/captions_preview.html", context)


@member_view(at_least=Role.REVIEWER)
@require_POST
@errors_in_words
def change(request: HttpRequest, collection: Collection) -> HttpResponse:
    """Do what the dry run showed, where the captions are still those that it showed."""
    captions, new_texts = _planned(request, collection)
    if request.POST.get("all"):
        is_same = request.POST.get("digest") == captions.digest
    else:
        is_same = {captions.picked(key) for key in captions.texts} <= set(request.POST.getlist("frame"))
    if not is_same:
        raise Conflict("Some of these captions changed in the meantime; nothing was saved. Preview again.")
    done = caption_actions.write_all(
        collection=collection, texts=new_texts, stored=captions.stored, by=request.user, key=key_of(request)
    )
    to = reverse("captions", args=[collection.pk]) + list_query(request.POST.get("q", ""))
    return success(request, done.summary, to=to, undo=True)


@dataclass(frozen=True, slots=True)
class _Captions:
    """Captions by frame, in the order of the list; `stored` are the custom ones among them."""

    texts: dict[int, str]
    stored: dict[int, str]

    def picked(self, key: int) -> str:
        """A frame's value in forms, see `CaptionRow.picked`."""
        return picked(key, self.texts[key])

    @property
    def digest(self) -> str:
        """A hash of all of them, for a form that does not name each."""
        return hashlib.sha256(json.dumps(sorted(self.texts.items())).encode()).hexdigest()


def _planned(request: HttpRequest, collection: Collection) -> tuple[_Captions, dict[int, str]]:
    """The chosen captions, and the new text of each that would change. BadInput where the form lacks something."""
    keys = _chosen_keys(request, collection)
    captions = _Captions({}, {})
    for part in batches(keys):
        for row in _rows_of(collection, part):
            captions.texts[row.frame.pk] = row.text
            if row.stored:
                captions.stored[row.frame.pk] = row.stored
    new_texts = _new_texts(request, captions.texts)
    for key in [key for key, text in new_texts.items() if not text and key not in captions.stored]:
        del new_texts[key]  # the recipe's caption comes in the place of an emptied one
    if not new_texts:
        raise BadInput("No selected caption would change.")
    return captions, new_texts


def _chosen_keys(request: HttpRequest, collection: Collection) -> list[int]:
    """Keys of the selected frames, or of all that match the list's filter. BadInput for none, and for too many."""
    if not request.POST.get("all"):
        values = request.POST.getlist("frame")
        keys = list(dict.fromkeys(key for text in values if (key := as_int(text.partition(":")[0])) is not None))
        if not keys:
            raise BadInput("Select the captions first.")
        if len(keys) > SELECTED_MAX:
            raise BadInput(f"At most {SELECTED_MAX} captions can be selected at once. Choose all that match a filter.")
        return keys
    try:
        rows = search.frames(collection, search.terms_of(collection, request.POST.get("q", "")))
    except QueryError as error:
        raise BadInput(str(error)) from error
    keys = list(rows.values_list("pk", flat=True)[: ALL_MAX + 1])
    if len(keys) > ALL_MAX:
        raise BadInput(
            f"More than {ALL_MAX:,} frames match; at most that many captions change at once. Narrow the filter, "
            "for example to an episode: episode:EP01."
        )
    return keys


def _new_texts(request: HttpRequest, current: Mapping[int, str]) -> dict[int, str]:
    action = request.POST.get("act", "")
    if action in ("prepend", "append"):
        text = request.POST.get("text", "")[:TEXT_MAX]
        if not text.strip():
            raise BadInput("Type the text first.")
        texts = {key: text + old if action == "prepend" else old + text for key, old in current.items()}
    elif action == "replace":
        find = request.POST.get("find", "")[:TEXT_MAX]
        if not find:
            raise BadInput("Type what to find.")
        replacement, is_regex = request.POST.get("with", "")[:TEXT_MAX], bool(request.POST.get("regex"))
        try:
            new = replaced(
                dict.fromkeys(current.values()),
                find=find,
                replacement=replacement,
                is_regex=is_regex,
                length_max=caption_actions.LENGTH_MAX,
            )
        except PatternError as error:
            raise BadInput(str(error)) from error
        texts = {key: new[old] for key, old in current.items() if old in new}
    else:
        raise BadInput("Choose what to do with the captions.")
    clean = {key: caption_actions.words_of(text) for key, text in texts.items()}
    return {key: text for key, text in clean.items() if text != current[key]}


def _rows_of(collection: Collection, keys: Sequence[int]) -> list[CaptionRow]:
    """The captions of these frames of the collection, in the order of the keys."""
    frames = Frame.objects.filter(collection=collection).select_related("episode__source").in_bulk(keys)
    return _caption_rows([frames[key] for key in keys if key in frames], _recipe(collection))


def _recipe(collection: Collection) -> Recipe:
    """The recipe saved last."""
    return opened_recipe(collection, {})[1]


def _caption_rows(frames: Sequence[Frame], recipe: Recipe) -> list[CaptionRow]:
    """The captions of frames (with `episode__source` selected) by a recipe. Few queries for all."""
    pictures = rows_from_database.pictures_of(frames, name_clusters=recipe.arrange.name_clusters)
    custom = {row.frame_id: row for row in Caption.objects.filter(frame__in=frames).select_related("by")}
    rows = []
    for frame, picture in zip(frames, pictures, strict=True):
        own = custom.get(frame.pk)
        by = "" if own is None else own.by.get_username() if own.by else "a person"
        rows.append(CaptionRow(frame, caption_of(picture, recipe), own.text if own else "", by))
    return rows


def _back(request: HttpRequest, collection: Collection) -> str:
    page, origin = reverse("captions", args=[collection.pk]), came_from(request)
    return origin if origin.partition("?")[0] == page else page
