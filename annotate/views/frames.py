"""The frames page: a grid with filters, selection, and what one does with many frames at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_POST

from annotate.actions import tags as tag_actions
from annotate.algorithms.query import QueryError, Term, with_term, without
from annotate.models import Character
from annotate.queries import search
from annotate.views.html_rows import parts, tiles
from annotate.views.html_rows.parts import bases
from ingest.access import member_view
from ingest.actions import frames as frame_actions
from ingest.actions import full_pictures
from ingest.algorithms.typed_lists import typed_list
from ingest.errors import BadInput
from ingest.models import Collection, DropReason, Frame, Role
from ingest.params import as_int, as_ints
from ingest.restoring import needs_run, write_full_pictures
from ingest.stamp import cached, stamp
from ingest.views.once import key_of
from ingest.views.responses import errors_in_words, is_partial, toast
from ingest.views.runs import call_workers

PAGE = 60
PEOPLE_MAX = 60  # in the menu of characters
ALL_IN_FILTER_MAX = search.COUNT_MAX  # the page does not say how many more there are


@member_view()
def frames(request: HttpRequest, collection: Collection) -> HttpResponse:
    """The grid; htmx asks for the next page (`after`)."""
    query = request.GET.get("q", "").strip()
    problem, terms = "", []
    try:
        terms = search.terms_of(collection, query)
        rows = search.frames(collection, terms)
    except QueryError as error:
        problem, rows = str(error), Frame.objects.none()
    # Keys first, out of an index alone; then the rows of this page. At once, whole rows would be sorted.
    keys = list(search.after(rows, request.GET.get("after", "")).values_list("pk", flat=True)[: PAGE + 1])
    more = len(keys) > PAGE
    page = tiles.read(keys[:PAGE])
    context: dict[str, Any] = {
        "section": "frames",
        "query": query,
        "frames": page,
        "tiles": tiles.html(page, bases(collection), query=query),
        "next": f"{page[-1].episode_id}.{page[-1].index}" if more and page else "",
    }
    if is_partial(request) and request.GET.get("after"):
        return render(request, "annotate/frames.html#items", context)
    total = 0 if problem else count_matches(collection, rows, terms)
    context |= {
        "problem": problem,
        "total": total,
        "total_more": total > search.COUNT_MAX,
        "count_max": search.COUNT_MAX,
        "any": bool(total) or collection.frames.exists(),
        "terms": [(term, without(terms, term)) for term in terms],
        "filters": _filters(collection, terms),
    }
    return render(request, "annotate/frames.html", context)


def count_matches(collection: Collection, rows: QuerySet[Frame], terms: list[Term]) -> int:
    """How many frames there are, one more than search.COUNT_MAX at most; kept until somebody changes something."""
    name = hashlib.sha256(" ".join(map(str, terms)).encode()).hexdigest()
    return cached(
        f"frames:{name}", stamp(collection), lambda: rows.order_by().values("pk")[: search.COUNT_MAX + 1].count()
    )


def _filters(collection: Collection, terms: list[Term]) -> list[dict[str, Any]]:
    """Chips, each with the entries of its menu: words, and the query that they lead to."""
    chosen = {term.key: term.value for term in terms if not term.negative}

    def menu(key: str, label: str, values: Iterable[tuple[str, str]]) -> dict[str, Any]:
        rest = with_term(terms, key, None)
        entries = parts.entries(values, key=key, rest=f"{rest} " if rest else "", chosen=chosen.get(key))
        return {"label": label, "on": key in chosen, "entries": entries, "clear": rest}

    people = list(Character.objects.filter(collection=collection).values_list("name", flat=True)[:PEOPLE_MAX])
    episodes = collection.episodes.labels()
    return [
        menu("state", "State", [("kept", "kept"), ("dropped", "dropped"), ("all", "kept and dropped")]),
        menu("reason", "Why dropped", [(value, str(label)) for value, label in DropReason.choices]),
        menu("episode", "Episode", [(str(pk), label) for pk, label in episodes.items()]),
        menu("character", "Character", [("unnamed", "an unnamed face")] + [(name, name) for name in people]),
        menu("faces", "Faces", [("0", "none"), ("1", "one"), ("2", "two"), (">=3", "three or more")]),
        menu(
            "is",
            "More",
            [
                ("excluded", "excluded from exports"),
                ("decided", "decided by a person"),
                ("captioned", "custom caption"),
                ("described", "a model's caption"),
                ("untagged", "not tagged yet"),
            ],
        ),
    ]


@member_view(at_least=Role.REVIEWER)
@require_POST
@errors_in_words
def change(request: HttpRequest, collection: Collection) -> HttpResponse:
    """Drop, restore, leave out, let in, tag: on the selected frames or on all in the filter."""
    chosen = _chosen(request, collection)
    seen = _seen(request)
    key = key_of(request)
    by = request.user
    action = request.POST.get("act", "")
    if action == "drop":
        done = frame_actions.drop(collection=collection, frames=chosen, by=by, seen=seen, key=key)
    elif action == "restore" and needs_run(chosen):
        words, run = full_pictures.restore_later(collection=collection, frames=chosen, by=by, seen=seen, key=key)
        if run is not None:
            call_workers()
        return _much_done(request, words, to=_back(request, collection))
    elif action == "restore":
        write_full_pictures(chosen)
        done = frame_actions.restore(collection=collection, frames=chosen, by=by, seen=seen, key=key)
    elif action in ("leave_out", "let_in"):
        excluded = action == "leave_out"
        done = frame_actions.leave_out(
            collection=collection, frames=chosen, excluded=excluded, by=by, seen=seen, key=key
        )
    elif action in ("tag_add", "tag_remove"):
        names = typed_list(request.POST.get("tag", ""))
        if not names:
            raise BadInput("Type a tag first.")
        change_tags = tag_actions.add if action == "tag_add" else tag_actions.remove
        done = change_tags(collection=collection, frames=chosen, names=names, by=by, key=key)
    else:
        raise BadInput("Choose what to do with the frames.")
    to = _back(request, collection)
    if request.POST.get("back") == "frame" and len(chosen) == 1:
        to = reverse("frame", args=[collection.pk, chosen[0].pk]) + parts.list_query(request.POST.get("q", ""))
    if is_partial(request) and not request.POST.get("all"):
        page = tiles.read(frame.pk for frame in chosen)
        html = tiles.html(page, bases(collection), query=request.POST.get("q", ""), swapped=True)
        return toast(HttpResponse(html + _new_count(request, collection)), done.summary, undo=True)
    return _much_done(request, done.summary, to=to)


def _back(request: HttpRequest, collection: Collection) -> str:
    return reverse("frames", args=[collection.pk]) + "?" + urlencode({"q": request.POST.get("q", "")})


def _new_count(request: HttpRequest, collection: Collection) -> str:
    """The count of the page's head again, since a frame may have left the filter; "" where the form has no filter."""
    if "q" not in request.POST or request.POST.get("back") == "frame":
        return ""
    try:
        terms = search.terms_of(collection, request.POST["q"])
        total = count_matches(collection, search.frames(collection, terms), terms)
    except QueryError:
        return ""
    context = {"total": total, "count_max": search.COUNT_MAX, "swapped": True}
    return render_to_string("annotate/frames.html#count", context)


def _much_done(request: HttpRequest, words: str, *, to: str) -> HttpResponse:
    """After a change to more frames than tiles are drawn anew: the page is loaded again and says what was done."""
    messages.success(request, words, extra_tags="undo")
    if not is_partial(request):
        return HttpResponseRedirect(to)
    response = HttpResponse(status=204)
    response.headers["HX-Refresh"] = "true"
    return response


def _chosen(request: HttpRequest, collection: Collection) -> list[Frame]:
    """Selected frames, of this collection only. BadInput when none, or too many in the filter."""
    rows: QuerySet[Frame] = Frame.objects.filter(collection=collection).select_related("episode__source")
    if request.POST.get("all"):
        try:
            terms = search.terms_of(collection, request.POST.get("q", ""))
            rows = search.frames(collection, terms).select_related("episode__source")
        except QueryError as error:
            raise BadInput(str(error)) from error
        frames = list(rows[: ALL_IN_FILTER_MAX + 1])
        if len(frames) > ALL_IN_FILTER_MAX:
            raise BadInput(f"More than {ALL_IN_FILTER_MAX:,} frames match. Narrow the filter.")
        return frames
    ids = as_ints(text.partition(":")[0] for text in request.POST.getlist("frame"))
    return list(rows.filter(pk__in=ids[:ALL_IN_FILTER_MAX]))


def _seen(request: HttpRequest) -> dict[int, str] | None:
    """What the page showed of the selected frames (`form_state`); None for all in the filter, seen or not."""
    if request.POST.get("all"):
        return None
    pairs = (text.partition(":") for text in request.POST.getlist("frame"))
    return {key: digest for text, _, digest in pairs if (key := as_int(text)) is not None and digest.count("-") == 2}
