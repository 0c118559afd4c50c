"""Characters: the cast as cards; one character with all faces by likelihood, names, outfits, merge."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from annotate.actions import characters as actions
from annotate.actions import faces as face_actions
from annotate.actions.naming import find
from annotate.models import Character, CharacterAlias, Face, FaceState, NamedBy
from annotate.models.character import KEYS
from annotate.models.face import MACHINES
from annotate.naming.cast import Cast
from annotate.queries.figures import appearances, by_origin, character_tags, face_figures, portraits
from annotate.views.html_rows.parts import BOX, PLACE, bars, bases, cards, options, pick_crops
from ingest.access import MemberRequest, member_view
from ingest.errors import BadInput
from ingest.models import Collection, Role
from ingest.params import as_int
from ingest.stamp import cached, stamp
from ingest.views.once import key_of
from ingest.views.responses import errors_in_words, success

FACES_A_PAGE = 60
TAGS_SHOWN = 24
UNNAME_MAX = 5000
FACE_FIELDS = (
    *("pk", "frame_id", "crop", "version", "confidence", "named_by", "is_reference", "named_user__username"),
    *BOX,
    *PLACE,
)


@dataclass(slots=True)
class Card:
    """What the cast's page shows of a character; `n` faces, `person` of them named by a person."""

    pk: int
    name: str
    key: int | None
    parent: str
    n: int
    person: int
    aliases: list[str] = field(default_factory=list)
    portrait: str = ""
    spark: str = ""

    @property
    def by_model(self) -> int:
        """Faces that a model named."""
        return self.n - self.person


@member_view()
def characters(request: MemberRequest, collection: Collection) -> HttpResponse:
    """The cast."""
    cache_stamp = stamp(collection)
    figures = face_figures(collection, cache_stamp)
    rows = Character.objects.filter(collection=collection).values_list("pk", "name", "key", "parent__name").order_by()
    people = [
        Card(pk, name, key, parent or "", figures.by_character.get(pk, 0), figures.by_person.get(pk, 0))
        for pk, name, key, parent in rows
    ]
    people.sort(key=lambda person: (-person.n, person.name))
    other_names: dict[int, list[str]] = {}
    for pk, name in CharacterAlias.objects.filter(collection=collection).values_list("character_id", "name"):
        other_names.setdefault(pk, []).append(name)
    labels = collection.episodes.labels()
    has_several_labels = len(labels) > 1  # one bar would say nothing
    bars_by_key = (
        bars(appearances(collection, cache_stamp), [person.pk for person in people], labels)
        if has_several_labels
        else {}
    )
    faces = cached("portraits", cache_stamp, lambda: portraits(person.pk for person in people))
    for person in people:
        person.aliases, person.portrait = other_names.get(person.pk, []), faces.get(person.pk, "")
        person.spark = bars_by_key.get(person.pk, "")
    places = bases(collection)
    context = {
        "section": "characters",
        "people": people,
        "faces": sum(person.n for person in people),
        "by_person": sum(person.person for person in people),
        "cards": cards(people, files=places["files"], characters=places["character_base"]),
    }
    return render(request, "annotate/characters.html", context)


@member_view()
def character(request: MemberRequest, collection: Collection, character_id: int) -> HttpResponse:
    """One character: faces, the least sure last; the threshold shows how many lie under it."""
    person = get_object_or_404(Character.objects.select_related("parent"), collection=collection, pk=character_id)
    named = Face.objects.filter(collection=collection, character=person, state=FaceState.FACE)
    cache_stamp = stamp(collection)
    counts = by_origin(collection, person.pk)
    faces_of = face_figures(collection, cache_stamp).by_character
    doubtful = request.GET.get("order") == "doubtful"
    rows = _doubtful(named) if doubtful else named.order_by(F("confidence").desc(nulls_first=True), "pk")
    rows = _after(rows, request.GET.get("after", ""), doubtful=doubtful)
    faces = list(rows.values_list(*FACE_FIELDS, named=True)[: FACES_A_PAGE + 1])
    more = len(faces) > FACES_A_PAGE
    del faces[FACES_A_PAGE:]
    others = Character.objects.filter(collection=collection).exclude(pk=person.pk).order_by("name")
    holders = dict(others.filter(key__isnull=False).values_list("key", "name"))
    into_key = as_int(request.GET.get("into"))
    into = others.filter(pk=into_key).first() if into_key is not None else None
    people = list(others.values_list("pk", "name", "parent_id"))
    places = bases(collection)
    context: dict[str, Any] = {
        "section": "characters",
        "person": person,
        "portrait": portraits([person.pk]).get(person.pk, ""),
        "faces": faces,
        "crops": pick_crops(faces, places, named=True),
        "total": sum(counts.values()),
        "by_person": counts.get(NamedBy.PERSON, 0),
        "doubtful": doubtful,
        "next": _page_position(faces[-1]) if more else "",
        "later": bool(request.GET.get("after")),
        "aliases": list(person.aliases.all()),
        "outfits": [(outfit, faces_of.get(outfit.pk, 0)) for outfit in person.outfits.all()],
        "references": person.reference_pictures.all()[:24],
        "parents": options(
            ((pk, name) for pk, name, parent in people if parent is None),
            chosen=person.parent_id,
            before="outfit of ",
        ),
        "others": options((pk, name) for pk, name, _ in people),
        "keys": options(
            ((key, f"{key}, now {holders[key]}" if key in holders else str(key)) for key in KEYS), chosen=person.key
        ),
        "into": into,
        "preview": actions.merge_preview(character=person) if into else None,
    }
    return render(request, "annotate/character.html", context | places)


def _doubtful(named: QuerySet[Face]) -> QuerySet[Face]:
    """What a model named, the least sure first: the index of the other order, read from its end."""
    return named.filter(named_by__in=MACHINES).order_by(F("confidence").asc(nulls_last=True), "-pk")


def _page_position(face: Any) -> str:
    """Where a page ends: `confidence:key`, without a confidence `:key`."""
    return f"{'' if face.confidence is None else repr(face.confidence)}:{face.pk}"


def _after(rows: QuerySet[Face], position: str, *, doubtful: bool) -> QuerySet[Face]:
    """Rows behind a mark in their order; all for an empty or broken mark."""
    text, _, key = position.partition(":")
    pk = as_int(key)
    try:
        sure = float(text) if text else None
    except ValueError:
        return rows
    if pk is None or (sure is not None and not math.isfinite(sure)):
        return rows
    if doubtful:
        if sure is None:
            return rows.filter(confidence__isnull=True, pk__lt=pk)
        behind = Q(confidence__gt=sure) | Q(confidence=sure, pk__lt=pk) | Q(confidence__isnull=True)
        return rows.filter(behind)
    if sure is None:
        return rows.filter(Q(confidence__isnull=False) | Q(pk__gt=pk))
    return rows.filter(Q(confidence__lt=sure) | Q(confidence=sure, pk__gt=pk), confidence__lte=sure)


@member_view()
def tag_names(request: MemberRequest, collection: Collection) -> HttpResponse:
    """Character tags that are nobody of the cast: to be added, or said to be somebody; the most first."""
    cache_stamp = stamp(collection)
    rows = cached("character_tags", cache_stamp, lambda: character_tags(collection))
    known = Cast(collection)
    suggestions = [(name, n, known.like(name)) for name, n in rows if known.find(name) is None]
    context = {"found": suggestions[:TAGS_SHOWN], "total": len(suggestions)}
    return render(request, "annotate/character_tags.html", context | {"collection": collection})


@member_view(at_least=Role.REVIEWER)
@require_POST
@errors_in_words
def tag_name(request: HttpRequest, collection: Collection) -> HttpResponse:
    """Let a character tag mean somebody: with `name` a character that is there, without one a new one of that name."""
    tag, name = request.POST.get("tag", "").strip(), request.POST.get("name", "").strip()
    common: dict[str, Any] = {"collection": collection, "by": request.user, "key": key_of(request)}
    if name:
        who = find(collection=collection, text=name)
        if who is None:
            raise BadInput(f"No character is called {name}. Leave the field empty to add {tag} as it is.")
        text = actions.add_alias(character=who, name=tag, **common).summary
    else:
        text = f"{actions.create(name=tag, **common).name} is in the cast now"
    text += ". The next run will use it to name faces."
    return success(request, text, to=reverse("characters", args=[collection.pk]), undo=True)


@member_view(at_least=Role.REVIEWER)
@require_POST
@errors_in_words
def create(request: HttpRequest, collection: Collection) -> HttpResponse:
    """A new character, before any face has the name."""
    name, key = request.POST.get("name", ""), key_of(request)
    created = actions.create(collection=collection, name=name, by=request.user, key=key)
    return success(
        request, f"{created.name} is in the cast now.", to=reverse("characters", args=[collection.pk]), undo=True
    )


@member_view(at_least=Role.REVIEWER)
@require_POST
@errors_in_words
def change(request: HttpRequest, collection: Collection, character_id: int) -> HttpResponse:
    """Rename, alias, outfit, key, merge, or clear doubtful names; the form carries the version that its page showed."""
    person = get_object_or_404(Character, collection=collection, pk=character_id)
    common: dict[str, Any] = {"collection": collection, "by": request.user, "key": key_of(request)}
    seen = as_int(request.POST.get("version"))
    action = request.POST.get("act", "")
    to = reverse("character", args=[collection.pk, person.pk])
    if action == "rename":
        name = request.POST.get("name", "")
        text = f"Renamed {actions.rename(character=person, name=name, seen_version=seen, **common).name}"
    elif action == "alias":
        text = actions.add_alias(character=person, name=request.POST.get("name", ""), **common).summary
    elif action == "alias_remove":
        text = actions.remove_alias(alias=_number(request, "alias"), **common).summary
    elif action == "outfit_of":
        parent = as_int(request.POST.get("parent"))
        text = actions.set_parent(character=person, parent=parent, seen_version=seen, **common).summary
    elif action == "key":
        digit = request.POST.get("digit", "")
        number = as_int(digit) if digit else None
        if digit and number is None:
            raise BadInput("Choose a digit from 1 to 9, or none.")
        text = actions.set_key(character=person, digit=number, seen=request.POST.get("seen"), **common).summary
    elif action == "merge":
        target = _number(request, "into")
        text = actions.merge(character=person, into=target, seen_version=seen, **common).summary
        to = reverse("character", args=[collection.pk, target])
    elif action == "unname_under":
        text = _unname_under(request, collection, person)
    else:
        raise BadInput("Choose what to do with the character.")
    return success(request, text, to=to, undo=True)


def _unname_under(request: HttpRequest, collection: Collection, person: Character) -> str:
    """Clear a model's names below a confidence; what a person named stays."""
    try:
        limit = float(request.POST.get("limit", ""))
    except ValueError:
        limit = -1.0
    if not 0 <= limit <= 1:  # PostgreSQL counts every number as less than NaN
        raise BadInput("The threshold is a number from 0 to 1.")
    rows = Face.objects.filter(collection=collection, character=person, named_by__in=MACHINES, confidence__lt=limit)
    chosen = list(rows.order_by("confidence")[:UNNAME_MAX])
    if not chosen:
        raise BadInput(f"No face named by a model as {person.name} is below {limit:.2f}.")
    return face_actions.unname(collection=collection, faces=chosen, by=request.user, key=key_of(request)).summary


def _number(request: HttpRequest, name: str) -> int:
    value = as_int(request.POST.get(name))
    if value is None:
        raise BadInput("Choose one from the list.")
    return value
