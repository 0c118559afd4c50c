"""The tags of a collection: a table, and renaming, merging and removing them, each after a page that counts first."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from annotate.actions import tag_changes
from annotate.actions.tags import NAME_MAX
from annotate.algorithms.query import QueryError
from annotate.algorithms.replacing import PatternError, replaced
from annotate.chosen_models import choices
from annotate.queries import search, tag_table
from annotate.views.html_rows.parts import tag_rows
from ingest.access import MemberRequest, member_view
from ingest.errors import BadInput
from ingest.models import Collection, Frame, Role
from ingest.params import as_int
from ingest.views.once import key_of, own_key
from ingest.views.responses import errors_in_words, success

ROWS = 100
TEXT_MAX = 500
ASKED = ("act", "tag", "to", "find", "with", "regex", "selected")  # what a form asks for, beside the frames
ORDER_LABELS = (("count", "most frames"), ("name", "name"), ("removed", "most removed"))


@member_view()
@require_safe
def tags(request: MemberRequest, collection: Collection) -> HttpResponse:
    """The table, a page at a time."""
    text = request.GET.get("q", "").strip()[:TEXT_MAX]
    category = as_int(request.GET.get("category"))
    order = request.GET.get("order", "count")
    rows = tag_table.tags_of(collection)
    page = Paginator(tag_table.chosen(rows, text=text, category=category, order=order), ROWS).get_page(
        request.GET.get("page")
    )
    categories = tag_table.by_category(collection)
    context = {
        "section": "frames",
        "tab": "tags",
        "query": text,
        "category": category,
        "order": order,
        "orders": ORDER_LABELS,
        "page": page,
        "rows": tag_rows(page, frames=reverse("frames", args=[collection.pk]), may_pick=request.can_edit),
        "categories": [(int(kind), kind.label, n) for kind, n in categories],
        "total": sum(n for _, n in categories),
        "uses": tag_table.uses(collection),
        "has_tagger": choices.has_tagger(collection),
    }
    return render(request, "annotate/tags.html", context)


@own_key  # writes nothing: after Back the same form is answered again
@member_view(at_least=Role.REVIEWER)
@require_POST
@errors_in_words
def preview(request: HttpRequest, collection: Collection) -> HttpResponse:
    """What a change would do, tag by tag, with the button that does it."""
    scope = request.POST.get("frames", "").strip()[:TEXT_MAX]
    names, frames = _names(request, collection), _frames(collection, scope)
    changes = tag_changes.planned(collection=collection, names=names, frames=frames)
    if not changes:
        raise BadInput("No frame would change: none of them has such a tag.")
    rows = sum(change.frames for change in changes)
    context: dict[str, Any] = {
        "section": "frames",
        "changes": changes,
        "rows": rows,
        "any_already": any(change.already for change in changes),
        "any_refused": any(change.refused for change in changes),
        "rows_max": tag_changes.ROWS_MAX,
        "frames": scope,
    }
    if rows > tag_changes.ROWS_MAX:
        counts = tag_changes.rows_by_episode(collection=collection, names=names, frames=frames)
        labels = collection.episodes.labels()
        context["parts"] = [(f"{scope} episode:{key}".strip(), labels[key], n) for key, n in counts.items()]
        context["fields"] = [(name, value) for name in ASKED for value in request.POST.getlist(name)]
    return render(request, "annotate/tags_preview.html", context)


@member_view(at_least=Role.REVIEWER)
@require_POST
@errors_in_words
def change(request: HttpRequest, collection: Collection) -> HttpResponse:
    """Do what the preview showed."""
    names = {}
    for pair in request.POST.getlist("change")[: tag_changes.TAGS_MAX + 1]:
        name, _, new_name = pair.partition(",")  # no tag holds a comma
        names[name] = new_name
    done = tag_changes.apply(
        collection=collection,
        names=names,
        frames=_frames(collection, request.POST.get("frames", "").strip()[:TEXT_MAX]),
        by=request.user,
        rows_shown=as_int(request.POST.get("rows")),
        key=key_of(request),
    )
    return success(request, done.summary, to=reverse("tags", args=[collection.pk]), undo=True)


def _names(request: HttpRequest, collection: Collection) -> dict[str, str]:
    """Tag to new name, as the form asks for it. BadInput where it lacks something."""
    action = request.POST.get("act", "")
    if action == "replace":
        return _found_names(request, collection)
    chosen = request.POST.getlist("tag")
    if not chosen:
        raise BadInput("Select the tags first.")
    if action == "remove":
        return dict.fromkeys(chosen, "")
    if action != "rename":
        raise BadInput("Choose what to do with the tags.")
    new_name = request.POST.get("to", "").strip()
    if not new_name:
        raise BadInput("Type the new name. To remove the tags press Remove.")
    return dict.fromkeys(chosen, new_name)


def _found_names(request: HttpRequest, collection: Collection) -> dict[str, str]:
    find = request.POST.get("find", "")[:TEXT_MAX]
    is_regex = bool(request.POST.get("regex"))
    if not find:
        raise BadInput("Type what to find.")
    find = find.replace(" ", "_")  # also in a regular expression: pages write spaces, and no tag holds one
    if not is_regex:
        find = find.lower()
    replacement = request.POST.get("with", "")[:TEXT_MAX].replace(" ", "_")
    names = tag_table.tags_of(collection).values_list("name", flat=True).order_by("name")
    selected = bool(request.POST.get("selected"))
    if selected:
        if not request.POST.getlist("tag"):
            raise BadInput("Select the tags first.")
        names = names.filter(name__in=request.POST.getlist("tag"))
    try:
        found = replaced(names, find=find, replacement=replacement, is_regex=is_regex, length_max=NAME_MAX)
    except PatternError as error:
        raise BadInput(str(error)) from error
    if not found:
        where = "None of the selected tags" if selected else "No tag of this collection"
        raise BadInput(f"{where} holds “{find}”.")
    return found


def _frames(collection: Collection, query: str) -> QuerySet[Frame] | None:
    """The frames of a filter; None without one: all, dropped ones too."""
    if not query:
        return None
    try:
        return search.frames(collection, search.terms_of(collection, query))
    except QueryError as error:
        raise BadInput(f"Only on frames that match: {error}") from error
