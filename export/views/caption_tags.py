"""Removing a wrong tag from the captions that the export page shows."""

from __future__ import annotations

import json

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from annotate.actions import tag_changes
from annotate.models import Character, Face, FrameCharacter, TagState
from ingest.access import MemberRequest, member_view
from ingest.errors import BadInput
from ingest.models import Collection, Frame, Role
from ingest.params import as_int
from ingest.views.once import key_of
from ingest.views.responses import errors_in_words, success


@member_view(at_least=Role.REVIEWER)
@require_http_methods(["GET", "HEAD", "POST"])
@errors_in_words
def export_tag(request: MemberRequest, collection: Collection, frame_id: int) -> HttpResponse:
    """The menu of a tag (`?tag=`), with how many pictures have it; or its removal (`from`), as one operation with undo.

    `from`: `picture`, `collection`, or the key of a character. The page then draws its captions anew.
    """
    frame = get_object_or_404(Frame, collection=collection, pk=frame_id)
    if request.method != "POST":
        return _menu(request, collection, frame)
    names, chosen = {request.POST.get("tag", ""): ""}, request.POST.get("from", "")
    frames: QuerySet[Frame] | None = None
    if chosen == "picture":
        frames = Frame.objects.filter(pk=frame.pk)
    elif (number := as_int(chosen)) is not None:
        frames = _frames_of(get_object_or_404(Character, collection=collection, pk=number))
    elif chosen != "collection":
        raise BadInput("Choose the pictures that the tag is removed from.")
    done = tag_changes.apply(collection=collection, names=names, frames=frames, by=request.user, key=key_of(request))
    response = HttpResponse(status=204)
    response.headers["HX-Trigger"] = json.dumps({"captions": True})
    to = reverse("export", args=[collection.pk])
    return success(request, done.summary, to=to, partial=response, undo=True)


def _menu(request: MemberRequest, collection: Collection, frame: Frame) -> HttpResponse:
    tag = request.GET.get("tag", "")

    def count(frames: QuerySet[Frame] | None) -> int:
        return sum(row.frames for row in tag_changes.planned(collection=collection, names={tag: ""}, frames=frames))

    everywhere = count(None)
    if not everywhere:
        raise Http404
    faces = Face.objects.named().filter(frame=frame)
    others = FrameCharacter.objects.filter(frame=frame, state=TagState.YES)
    names = {*faces.values_list("character", flat=True), *others.values_list("character", flat=True)}
    characters = [
        (row, count(_frames_of(row))) for row in Character.objects.filter(pk__in=names - {None}).order_by("name")
    ]
    context = {"frame": frame, "tag": tag, "characters": characters, "everywhere": everywhere}
    return render(request, "export/tag_menu.html", context)


def _frames_of(character: Character) -> QuerySet[Frame]:
    """The frames that show a character, by a face or by other evidence."""
    faces = Face.objects.named().filter(character=character).order_by().values("frame")
    others = FrameCharacter.objects.filter(character=character, state=TagState.YES).order_by().values("frame")
    # A union, so that the database begins with the few frames of the character and not with all of the collection.
    return Frame.objects.filter(pk__in=faces.union(others), collection=character.collection_id)
