"""Characters: the cast as cards; one character with all faces by likelihood, names, outfits, merge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Count, F, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from annotate.actions import characters as actions
from annotate.actions import faces as face_actions
from annotate.models import Character, Face, FaceState, NamedBy
from annotate.views.faces import add_portraits
from ingest.access import member_view
from ingest.errors import BadInput
from ingest.models import Collection, Role
from ingest.views.answers import errors_in_words, said
from ingest.views.params import whole

FACES_A_PAGE = 120
UNNAME_MAX = 5000
PAGES_MAX = 100_000  # OFFSET takes 64 bits


@member_view()
def characters(request: HttpRequest, collection: Collection) -> HttpResponse:
    """The cast."""
    faces = Q(faces__state=FaceState.FACE)
    people = list(
        Character.objects.filter(collection=collection)
        .select_related("parent")
        .prefetch_related("aliases")
        .annotate(
            n=Count("faces", filter=faces), person=Count("faces", filter=faces & Q(faces__named_by=NamedBy.PERSON))
        )
        .order_by("-n", "name")
    )
    add_portraits(people)
    _add_sparks(collection, people)
    context = {"section": "characters", "people": people, "can_edit": request.role >= Role.REVIEWER}  # type: ignore[attr-defined]
    return render(request, "annotate/characters.html", context)


def _add_sparks(collection: Collection, people: Sequence[Character]) -> None:
    """`spark`: bars (x, width, height of 24, label) of faces by episode. Two queries."""
    episodes = list(collection.episodes.all())
    rows = Face.objects.filter(collection=collection, character__isnull=False, state=FaceState.FACE)
    counts = {
        (c, e): n for c, e, n in rows.values_list("character", "frame__episode").annotate(n=Count("pk")).order_by()
    }
    most = max(counts.values(), default=1)
    width = 100 / max(1, len(episodes))
    for person in people:
        person.spark = [  # type: ignore[attr-defined]
            {
                "x": round(i * width, 2),
                "w": round(max(width - 1, width * 0.7), 2),
                "h": round(24 * counts.get((person.pk, e.pk), 0) / most, 1),
                "y": round(24 - 24 * counts.get((person.pk, e.pk), 0) / most, 1),
                "label": f"{e.label}: {counts.get((person.pk, e.pk), 0):,}",
            }
            for i, e in enumerate(episodes)
        ]


@member_view()
def character(request: HttpRequest, collection: Collection, character_id: int) -> HttpResponse:
    """One character: faces, the least sure last; the threshold shows how many lie under it."""
    person = get_object_or_404(Character.objects.select_related("parent"), collection=collection, pk=character_id)
    add_portraits([person])
    rows = (
        Face.objects.filter(collection=collection, character=person, state=FaceState.FACE)
        .select_related("frame__episode", "named_user")
        .order_by(F("confidence").desc(nulls_first=True), "pk")
    )
    doubtful = request.GET.get("order") == "doubtful"
    if doubtful:
        rows = rows.filter(named_by=NamedBy.MODEL).order_by(F("confidence").asc(nulls_last=True), "pk")
    page = min(max(1, whole(request.GET.get("page")) or 1), PAGES_MAX)
    total = rows.count()
    faces = list(rows[(page - 1) * FACES_A_PAGE : page * FACES_A_PAGE])
    for face in faces:
        sure = face.confidence if face.confidence is not None else 1.0
        face.strength = round(35 + 65 * min(1.0, max(0.0, sure)))  # type: ignore[attr-defined]
    others = Character.objects.filter(collection=collection).exclude(pk=person.pk).order_by("name")
    into = others.filter(pk=whole(request.GET.get("into")) or 0).first()
    context: dict[str, Any] = {
        "section": "characters",
        "person": person,
        "faces": faces,
        "total": total,
        "by_person": rows.filter(named_by=NamedBy.PERSON).count(),
        "doubtful": doubtful,
        "page": page,
        "pages": max(1, -(-total // FACES_A_PAGE)),
        "aliases": list(person.aliases.all()),
        "outfits": list(person.outfits.annotate(n=Count("faces"))),
        "references": person.reference_pictures.all()[:24],
        "others": others,
        "into": into,
        "preview": actions.merge_preview(character=person) if into else None,
        "can_edit": request.role >= Role.REVIEWER,  # type: ignore[attr-defined]
    }
    return render(request, "annotate/character.html", context)


@member_view(at_least=Role.REVIEWER)
@require_POST
@errors_in_words
def create(request: HttpRequest, collection: Collection) -> HttpResponse:
    """A new character, before any face has the name."""
    made = actions.create(collection=collection, name=request.POST.get("name", ""), by=request.user)
    return said(request, f"{made.name} is in the cast now.", to=reverse("characters", args=[collection.pk]), undo=True)


@member_view(at_least=Role.REVIEWER)
@require_POST
@errors_in_words
def change(request: HttpRequest, collection: Collection, character_id: int) -> HttpResponse:
    """Rename, alias, outfit, merge, or clear doubtful names; the form carries the version that its page showed."""
    person = get_object_or_404(Character, collection=collection, pk=character_id)
    common: dict[str, Any] = {"collection": collection, "by": request.user}
    seen = whole(request.POST.get("version"))
    act = request.POST.get("act", "")
    to = reverse("character", args=[collection.pk, person.pk])
    if act == "rename":
        name = request.POST.get("name", "")
        text = f"Renamed {actions.rename(character=person, name=name, seen_version=seen, **common).name}"
    elif act == "alias":
        text = actions.add_alias(character=person, name=request.POST.get("name", ""), **common).summary
    elif act == "alias_remove":
        text = actions.remove_alias(alias=_number(request, "alias"), **common).summary
    elif act == "outfit_of":
        text = actions.set_parent(character=person, parent=whole(request.POST.get("parent")), **common).summary
    elif act == "merge":
        target = _number(request, "into")
        text = actions.merge(character=person, into=target, seen_version=seen, **common).summary
        to = reverse("character", args=[collection.pk, target])
    elif act == "unname_under":
        text = _unname_under(request, collection, person)
    else:
        raise BadInput("Choose what to do with the character.")
    return said(request, text, to=to, undo=True)


def _unname_under(request: HttpRequest, collection: Collection, person: Character) -> str:
    """Clear a model's names below a confidence; what a person named stays."""
    try:
        limit = float(request.POST.get("limit", ""))
    except ValueError:
        limit = -1.0
    if not 0 <= limit <= 1:  # PostgreSQL counts every number as less than NaN
        raise BadInput("The threshold is a number from 0 to 1.")
    rows = Face.objects.filter(collection=collection, character=person, named_by=NamedBy.MODEL, confidence__lt=limit)
    chosen = list(rows.order_by("confidence")[:UNNAME_MAX])
    if not chosen:
        raise BadInput(f"A model named no face of {person.name} with less than {limit:.2f}.")
    return face_actions.unname(collection=collection, faces=chosen, by=request.user).summary


def _number(request: HttpRequest, name: str) -> int:
    value = whole(request.POST.get(name))
    if value is None:
        raise BadInput("Choose one from the list.")
    return value
