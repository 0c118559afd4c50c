"""One frame: the picture with its boxes, its neighbours, everything said about it, and the changes to that."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from annotate.actions import boxes, captions, checks, frame_characters, tags
from annotate.actions import faces as face_actions
from annotate.actions.frame_names import candidate_names
from annotate.actions.head_crops import write_crop
from annotate.algorithms.name_evidence import RANKS
from annotate.algorithms.query import QueryError
from annotate.models import (
    Caption,
    CheckedFrame,
    Face,
    FaceState,
    FileCaption,
    FileFacts,
    FrameCharacter,
    FrameTag,
    ModelCaption,
    NamedBy,
    TagCategory,
)
from annotate.queries import search
from annotate.queries.neighbours import neighbours
from annotate.views.frames import count_matches
from annotate.views.html_rows.parts import list_query
from annotate.views.seen_boxes import seen_in
from ingest.access import MemberRequest, member_view
from ingest.actions.frames import form_state
from ingest.algorithms.typed_lists import typed_list
from ingest.errors import BadInput
from ingest.models import Collection, Frame, Operation, Role
from ingest.params import as_int
from ingest.templatetags.humane import percent
from ingest.views.once import key_of
from ingest.views.responses import came_from, errors_in_words, is_partial, seen, success, toast

NEIGHBOURS = 6
SIMILAR_MAX = 40
HISTORY_MAX = 20
LOW_LABEL_ABOVE = 0.06  # of the height: a box that begins higher has its label inside


@member_view()
def frame(request: MemberRequest, collection: Collection, frame_id: int) -> HttpResponse:
    """The page."""
    row = _frame(collection, frame_id)
    kept_pk = row.duplicate_of_id or row.pk
    alike = Frame.objects.filter(collection=collection).select_related("episode").exclude(pk=row.pk)
    similar = list(alike.filter(pk=row.duplicate_of_id or 0)) + list(
        alike.filter(duplicate_of_id=kept_pk)[:SIMILAR_MAX]
    )
    context = _labels(request, collection, row) | {
        "section": "frames",
        "similar": similar,
    }
    return render(request, "annotate/frame.html", context | _list(request, collection, row))


def _list(request: MemberRequest, collection: Collection, row: Frame) -> dict[str, Any]:
    """The list that the arrows go through: the matches of `q`, else the kept frames of the episode."""
    query = request.GET.get("q", "").strip()
    context: dict[str, Any] = {"query": query, "list_query": list_query(query)}
    rows: QuerySet[Frame] = Frame.objects.kept().filter(collection=collection, episode_id=row.episode_id)
    if query:
        try:
            terms = search.terms_of(collection, query)
            rows = search.frames(collection, terms)
            total = count_matches(collection, rows, terms)
            context |= {"total": total, "total_more": total > search.COUNT_MAX, "count_max": search.COUNT_MAX}
        except QueryError as error:
            context["problem"] = str(error)
    places = neighbours(rows, row, n=NEIGHBOURS)
    return context | {
        "strip": [*places.before, row, *places.after],
        "previous": places.previous,
        "following": places.following,
        "number": places.number,
    }


@member_view(at_least=Role.REVIEWER)
@require_POST
@errors_in_words
def face_box(request: MemberRequest, collection: Collection, frame_id: int) -> HttpResponse:
    """Draw a box (no `face`), or move and resize one."""
    row, key = _frame(collection, frame_id), key_of(request)
    try:
        sides = [float(request.POST.get(side, "")) for side in ("left", "top", "right", "bottom")]
    except ValueError:
        raise BadInput("A box needs four numbers: left, top, right, bottom.") from None
    box = (sides[0], sides[1], sides[2], sides[3])
    if request.POST.get("face"):
        face = get_object_or_404(Face, collection=collection, frame=row, pk=as_int(request.POST["face"]))
        version = as_int(request.POST.get("version"))
        moved = boxes.move(collection=collection, face=face, box=box, by=request.user, seen_version=version, key=key)
        write_crop(moved)
        return _answer(request, collection, row, "Box moved")
    write_crop(boxes.draw(collection=collection, frame=row, box=box, by=request.user, key=key))
    return _answer(request, collection, row, "Face drawn")


@member_view(at_least=Role.REVIEWER)
@require_POST
@errors_in_words
def face_change(request: MemberRequest, collection: Collection, face_id: int) -> HttpResponse:
    """Name one face, or say it is nobody, no face, a face after all, or delete its box."""
    face = get_object_or_404(Face.objects.select_related("frame"), collection=collection, pk=face_id)
    common: dict[str, Any] = {"collection": collection, "by": request.user}
    version = as_int(request.POST.get("version"))
    versions = None if version is None else {face.pk: version}
    action, name = request.POST.get("act", "name"), request.POST.get("name", "").strip()
    if "candidate" in request.POST:
        action, name = "name", request.POST["candidate"].strip()
    common["key"] = key_of(request)
    if action == "name" and name:
        done = face_actions.assign(faces=[face], character=name, seen=versions, **common)
    elif action == "name":
        done = face_actions.unname(faces=[face], seen=versions, **common)
    elif action == "nobody":
        done = face_actions.nobody(faces=[face], seen=versions, **common)
    elif action == "not_a_face":
        done = face_actions.not_a_face(faces=[face], seen=versions, **common)
    elif action == "is_face":
        done = face_actions.unname(faces=[face], seen=versions, **common)
    elif action == "delete":
        done = boxes.delete(face=face, seen=versions, **common)
    else:
        raise BadInput("Choose what to do with the face.")
    return _answer(request, collection, face.frame, done.summary)


@member_view(at_least=Role.REVIEWER)
@require_POST
@errors_in_words
def face_check(request: MemberRequest, collection: Collection, frame_id: int) -> HttpResponse:
    """Say that all faces of the frame are marked, or take that back."""
    row = _frame(collection, frame_id)
    action = request.POST.get("act")
    if action not in ("check", "uncheck"):
        raise BadInput("Choose whether all faces are reviewed.")
    common: dict[str, Any] = {"collection": collection, "frame": row, "by": request.user, "key": key_of(request)}
    done = checks.check(seen=seen(request), **common) if action == "check" else checks.uncheck(**common)
    return _answer(request, collection, row, done.summary)


@member_view(at_least=Role.REVIEWER)
@require_POST
@errors_in_words
def frame_tags(request: MemberRequest, collection: Collection, frame_id: int) -> HttpResponse:
    """Add or remove tags: only what this person changed is applied, to the tags as they are now."""
    row = _frame(collection, frame_id)
    added = typed_list(request.POST.get("add", ""))
    removed = [name.strip() for name in request.POST.getlist("remove") if name.strip()]
    if not added and not removed:
        raise BadInput("Type a tag.")
    done = tags.edit(collection=collection, frame=row, seen=removed, new=added, by=request.user, key=key_of(request))
    return _answer(request, collection, row, done.summary)


@member_view(at_least=Role.REVIEWER)
@require_POST
@errors_in_words
def characters_change(request: MemberRequest, collection: Collection, frame_id: int) -> HttpResponse:
    """Say that a character is on the frame, face or no face (`add`: a name), or that it is not (`remove`)."""
    row = _frame(collection, frame_id)
    name = request.POST.get("remove", request.POST.get("add", "")).strip()
    if not name:
        raise BadInput("Type a name.")
    done = frame_characters.decide(
        collection=collection, frame=row, character=name, yes="remove" not in request.POST, by=request.user,
        key=key_of(request),
    )  # fmt: skip
    return _answer(request, collection, row, done.summary)


@member_view(at_least=Role.REVIEWER)
@require_POST
@errors_in_words
def caption_change(request: MemberRequest, collection: Collection, frame_id: int) -> HttpResponse:
    """Write a caption by hand, take a model's or a file's as one's own, or go back to the recipe's."""
    row = _frame(collection, frame_id)
    text = "" if "clear" in request.POST else request.POST.get("text", "")
    if "take" in request.POST:
        text = get_object_or_404(ModelCaption, frame=row, pk=as_int(request.POST["take"])).text
    if "take_file" in request.POST:
        text = get_object_or_404(FileCaption, frame=row, pk=as_int(request.POST["take_file"])).text
    common: dict[str, Any] = {"seen": seen(request), "key": key_of(request)}
    done = captions.write(collection=collection, frame=row, text=text, by=request.user, **common)
    return _answer(request, collection, row, done.summary)


def _frame(collection: Collection, frame_id: int) -> Frame:
    rows = Frame.objects.select_related("episode__source", "shot", "decided_by")
    return get_object_or_404(rows, collection=collection, pk=frame_id)


def _answer(request: MemberRequest, collection: Collection, row: Frame, text: str) -> HttpResponse:
    """The labels anew and, beside them, the boxes; for a plain form back to the page."""
    if not is_partial(request):
        page, origin = reverse("frame", args=[collection.pk, row.pk]), came_from(request)
        return success(request, text, to=origin if origin.partition("?")[0] == page else page, undo=True)
    row = _frame(collection, row.pk)
    context = _labels(request, collection, row) | {"collection": collection, "oob": True}
    return toast(render(request, "annotate/frame_answer.html", context), text, undo=True)


def _labels(request: MemberRequest, collection: Collection, row: Frame) -> dict[str, Any]:
    """Faces with what the template needs to place them, what models saw, tags by category, caption. Few queries."""
    faces = list(
        Face.objects.filter(frame=row).select_related("character", "model_version", "named_user").order_by("left", "pk")
    )
    present = list(FrameCharacter.objects.filter(frame=row).select_related("character", "by"))
    may = candidate_names([row.pk])
    for face in faces:
        place_box(face)
        face.candidates = may.get(face.pk, []) if face.character is None else []  # type: ignore[attr-defined]
    tag_rows = list(FrameTag.objects.filter(frame=row).select_related("tag", "model_version", "by"))
    tag_rows.sort(key=lambda t: (t.tag.category, t.state == "no", -t.score, t.tag.name))
    for tag in tag_rows:
        tag.said_by = _said_by(tag, str(tag.model_version), removed=tag.state == "no")  # type: ignore[attr-defined]
    for frame_character in present:
        frame_character.said_by = _said_by(  # type: ignore[attr-defined]
            frame_character, frame_character.get_origin_display(), removed=frame_character.state == "no"
        )
    groups = [
        (TagCategory(category).label, list(rows)) for category, rows in groupby(tag_rows, key=lambda t: t.tag.category)
    ]
    caption = Caption.objects.filter(frame=row).select_related("by").first()
    return {
        "frame": row,
        "picture": row.file or row.preview,
        "faces": faces,
        "seen": seen_in(row),
        "frame_shown": form_state(state=row.state, excluded=row.excluded, decided_by_id=row.decided_by_id),
        "characters": sorted(
            present,
            key=lambda frame_character: (
                frame_character.state == "no",
                RANKS[frame_character.origin],
                frame_character.character.name,
            ),
        ),
        "file_facts": FileFacts.objects.filter(frame=row).first(),
        "file_captions": list(row.file_captions.select_related("beside")),
        "side_files": list(row.side_files.all()),
        "checked": CheckedFrame.objects.filter(frame=row).select_related("by").first(),
        "revisions": Operation.objects.filter(collection=collection, revisions__frame_id=row.pk)
        .select_related("by")
        .distinct()[:HISTORY_MAX],
        "tags": groups,
        "caption": caption,
        "boxes_shown": checks.form_values(faces),
        "caption_shown": {"text": caption.text if caption else ""},
        "model_captions": list(row.model_captions.select_related("model_version").order_by("-written_at", "-pk")),
    }


def _said_by(row: FrameTag | FrameCharacter, model: str, *, removed: bool) -> str:
    """Who said so, for a title: "removed by alice", "wd-tagger v3, 93 % sure"."""
    if row.by_person:
        name = row.by.get_username() if row.by is not None else "a person"
        return f"removed by {name}" if removed else name
    if isinstance(row, FrameCharacter) and row.origin != "tagger":
        return f"{model}, no face left" if removed else model
    return f"{model}, {percent(row.score)} sure"


def place_box(face: Face) -> None:
    """What the template shows of a box: classes, place and strength of its line as CSS."""
    face.css_class = _box_class(face)  # type: ignore[attr-defined]
    left, top, wide = round(100 * face.left, 3), round(100 * face.top, 3), round(100 * (face.right - face.left), 3)
    place = f"left:{left}%;top:{top}%;width:{wide}%;height:{round(100 * face.height, 3)}%"
    sure = face.confidence if face.confidence is not None else face.score
    face.css_style = f"{place};--s:{round(35 + 65 * min(1.0, max(0.0, sure)))}%"  # type: ignore[attr-defined]


def _box_class(face: Face) -> str:
    by_person = face.box_by_person or face.named_by == NamedBy.PERSON
    nobody = face.state == FaceState.NOBODY
    return "box" + " person" * by_person + " nobody" * nobody + " low" * (face.top < LOW_LABEL_ABOVE)
