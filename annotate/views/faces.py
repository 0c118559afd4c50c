"""The faces page: clusters to be named in one go, the most useful first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from annotate.actions import characters, claims, clusters
from annotate.actions import faces as face_actions
from annotate.actions.frame_names import candidate_names
from annotate.models import Character, Face, FaceCluster, ItemKind
from annotate.naming.suggestions import Suggestion, suggest
from annotate.queries.figures import CLUSTER_MIN, face_figures, portraits, waiting_clusters, waiting_clusters_count
from annotate.views.faces_rest import latest, rest_context
from annotate.views.html_rows import parts
from annotate.views.html_rows.cluster_rows import add_rows
from annotate.views.html_rows.parts import bases
from ingest import humane
from ingest.access import MemberRequest, member_view
from ingest.errors import BadInput, Stale
from ingest.models import Collection, Operation, Revision, Role
from ingest.params import as_int, as_ints
from ingest.stamp import cached, stamp
from ingest.views.once import key_of
from ingest.views.responses import errors_in_words, is_partial, success, toast

CLUSTERS_A_PAGE = 12
LOOSE_MAX = 60
CAST_MAX = 12


@member_view()
def faces(request: MemberRequest, collection: Collection) -> HttpResponse:
    """Clusters with faces that wait for a name, then loose faces.

    For scripts a part of it: the rows behind `after`, or what the undo `undone` brought back.
    """
    cache_stamp = stamp(collection)
    undone = as_int(request.GET.get("undone"))
    if is_partial(request) and undone is not None:
        return _undone(request, collection, undone)
    rows = _in_order(waiting_clusters(collection).select_related("guess"))
    page = list(_after(rows, request.GET.get("after", ""))[: CLUSTERS_A_PAGE + 1])
    more = len(page) > CLUSTERS_A_PAGE
    page = page[:CLUSTERS_A_PAGE]
    labels = collection.episodes.labels()
    add_rows(request, collection, page, labels=labels, can_edit=request.can_edit)
    context = {
        "section": "faces",
        "clusters": page,
        "next": f"{page[-1].usefulness!r}:{page[-1].number}" if more else "",
        "can_edit": request.can_edit,
    }
    context |= {"loose": "", "told": []} if more else _loose_faces(collection)
    if is_partial(request):
        return render(request, "annotate/faces.html#more", context)
    context |= {"cast": cast(collection, cache_stamp), **bases(collection)}
    context |= rest_context(collection, latest(collection, request.GET.get("rest")) if request.can_edit else None)
    return render(request, "annotate/faces.html", context | _summary(collection, cache_stamp))


@member_view(at_least=Role.REVIEWER)
@require_safe
def face_suggestions(request: MemberRequest, collection: Collection) -> HttpResponse:
    """Who groups (`cluster`) and single faces (`face`) probably are: [name, confidence] by key, null for nobody."""
    clusters, faces = (as_ints(request.GET.getlist(name)) for name in ("cluster", "face"))
    try:
        suggestions = suggest(collection, clusters=clusters, faces=faces)
    except BadInput:  # the recognition model is missing: a run says so
        return JsonResponse({"clusters": {}, "faces": {}})
    return JsonResponse({"clusters": _as_json(suggestions.clusters), "faces": _as_json(suggestions.faces)})


def _as_json(suggestions: dict[int, Suggestion | None]) -> dict[str, tuple[str, float] | None]:
    return {str(key): (who.name, who.confidence) if who else None for key, who in suggestions.items()}


def _loose_faces(collection: Collection) -> dict[str, Any]:
    """The faces that are in no group, as HTML, and who they may be."""
    alone = Q(cluster__isnull=True) | Q(cluster__size__lt=CLUSTER_MIN)
    rows = Face.objects.filter(alone, collection=collection).unnamed().order_by("-score", "pk")
    fields = ("pk", "frame_id", "crop", "version", *parts.BOX, *parts.PLACE)
    shown = list(rows.values_list(*fields, named=True)[:LOOSE_MAX])
    return {"loose": parts.pick_crops(shown, bases(collection), named=False), "told": _suggested_names(shown)}


def _undone(request: MemberRequest, collection: Collection, operation_id: int) -> HttpResponse:
    """The clusters whose faces an undo brought back, the keys of those that it deleted, and all that follows."""
    operation = get_object_or_404(Operation, collection=collection, pk=operation_id, kind="undo")
    revisions = Revision.objects.filter(operation=operation)
    changed = revisions.filter(model=Face._meta.label).values("object_id")
    touched = Face.objects.filter(collection=collection, pk__in=changed, cluster__isnull=False).values("cluster")
    rows = waiting_clusters(collection).filter(pk__in=touched).select_related("guess")
    page = list(_in_order(rows)[: CLUSTERS_A_PAGE + 1])
    if len(page) > CLUSTERS_A_PAGE:
        return render(request, "annotate/faces.html#reload")
    add_rows(request, collection, page, labels=collection.episodes.labels(), can_edit=request.can_edit)
    deleted = revisions.filter(model=FaceCluster._meta.label, after__isnull=True)
    context = {
        "clusters": page,
        "gone": list(deleted.values_list("object_id", flat=True)),
    }
    context |= _around(collection) | _loose_faces(collection)
    return render(request, "annotate/faces.html#undone", context | {"can_edit": request.can_edit})


def _suggested_names(rows: list[Any]) -> list[tuple[str, list[int]]]:
    """Who the loose faces may be by files and tags, with the faces of each; the most first."""
    faces_by_name: dict[str, list[int]] = {}
    faces_shown_keys = {row.pk for row in rows}
    for face, names in candidate_names({row.frame_id for row in rows}).items():
        for name in names if face in faces_shown_keys else ():
            faces_by_name.setdefault(name, []).append(face)
    return sorted(faces_by_name.items(), key=lambda entry: (-len(entry[1]), entry[0]))[:CAST_MAX]


def _summary(collection: Collection, cache_stamp: str) -> dict[str, Any]:
    """The figures above the rows."""
    return {"counts": face_figures(collection, cache_stamp), "total": waiting_clusters_count(collection, cache_stamp)}


def _in_order(clusters: Any) -> Any:
    """The groups that a name helps most come first: by how many faces it is likely right for."""
    return clusters.annotate(usefulness=F("size") * F("purity")).order_by("-usefulness", "number")


def _after(rows: Any, position: str) -> Any:
    usefulness, _, number = position.partition(":")
    n = as_int(number)
    try:
        value = float(usefulness)
    except ValueError:
        return rows
    if n is None or not math.isfinite(value):
        return rows
    return rows.filter(Q(usefulness__lt=value) | Q(usefulness=value, number__gt=n), usefulness__lte=value)


@dataclass(slots=True)
class Person:
    """One of the cast, with `n` faces, the key that means it, and a portrait (a crop's name, or "")."""

    pk: int
    name: str
    key: int | None
    n: int
    portrait: str


def cast(collection: Collection, cache_stamp: str) -> list[Person]:
    """The most frequent characters and all that have a key, by frequency."""

    def make() -> list[Person]:
        counts = face_figures(collection, cache_stamp).by_character
        rows = Character.objects.filter(collection=collection).values_list("pk", "name", "key")
        people = [Person(pk, name, key, counts.get(pk, 0), "") for pk, name, key in rows]
        people.sort(key=lambda person: (-person.n, person.name))
        people = [person for place, person in enumerate(people) if place < CAST_MAX or person.key is not None]
        crops = portraits(person.pk for person in people)
        for person in people:
            person.portrait = crops.get(person.pk, "")
        return people

    return cached("cast", cache_stamp, make)


@member_view(at_least=Role.REVIEWER)
@require_POST
@errors_in_words
def cluster_change(request: HttpRequest, collection: Collection, cluster_id: int) -> HttpResponse:
    """Name a cluster but the faces taken out, or say what it is; split off or set aside the taken ones."""
    cluster = get_object_or_404(FaceCluster, collection=collection, pk=cluster_id)
    out = as_ints(request.POST.getlist("out"))
    common: dict[str, Any] = {"collection": collection, "by": request.user, "key": key_of(request)}
    action = request.POST.get("act", "name")
    added: list[FaceCluster] = []
    try:
        if action == "name":
            name = request.POST.get("name", "").strip()
            if not name:
                raise BadInput("Type a name, or choose one of the cast.")
            text = clusters.name(cluster=cluster, character=name, taken_out=out, **common).operation.summary
        elif action == "nobody":
            text = clusters.nobody(cluster=cluster, **common).summary
        elif action == "split":
            _require_faces(out)
            added = [clusters.split(cluster=cluster, faces=out, **common)]
            text = f"{humane.count(len(out), 'face')} split off as group {added[0].number}"
        elif action == "not_a_face":
            _require_faces(out)
            # The row shows faces without an answer: one that has a person's by now got it since.
            text = face_actions.not_a_face(faces=out, seen=dict.fromkeys(out, 0), **common).summary
        else:
            raise BadInput("Choose what to do with the group.")
    except Stale as error:  # who has seen both answers may give these very faces the other one
        error.address = reverse("faces_change", args=[collection.pk])
        raise
    claims.release(collection=collection, kind=ItemKind.CLUSTER, item=cluster.pk, by=request.user)
    if not is_partial(request):
        return success(request, text, to=reverse("faces", args=[collection.pk]), undo=True)
    left = list(FaceCluster.objects.filter(pk=cluster.pk).select_related("guess"))
    add_rows(request, collection, [*left, *added], labels=collection.episodes.labels(), can_edit=True)
    context = {
        "added": next((row for row in added if row.size >= CLUSTER_MIN), None),
        "cluster": left[0] if left and left[0].waiting and action != "name" else None,  # type: ignore[attr-defined]
        "gone": cluster,
        "text": text,
    }
    if out:  # they may be in no group now
        context |= {"taken_out": True} | _loose_faces(collection)
    return toast(render(request, "annotate/faces.html#row", context | _around(collection)), text, undo=True)


def _around(collection: Collection) -> dict[str, Any]:
    """What a response shows anew beside the changed faces: the cast, the figures above the rows, what to do next."""
    cache_stamp = stamp(collection)
    context = {
        "collection": collection,
        "can_edit": True,
        "cast": cast(collection, cache_stamp),
        "oob": True,
    }
    return context | bases(collection) | _summary(collection, cache_stamp)


def _require_faces(chosen: list[int]) -> None:
    if not chosen:
        raise BadInput("Select the faces first.")


def faces_shown(request: HttpRequest) -> tuple[list[int], dict[int, int]]:
    """Keys of the chosen faces and the version that the page showed of each; `face` is `key:version` or `key` alone."""
    ids, versions = [], {}
    for text in request.POST.getlist("face"):
        key, version = (as_int(part) for part in text.partition(":")[::2])
        if key is not None:
            ids.append(key)
            if version is not None:
                versions[key] = version
    return ids, versions


@member_view(at_least=Role.REVIEWER)
@require_POST
@errors_in_words
def faces_change(request: HttpRequest, collection: Collection) -> HttpResponse:
    """What one does with chosen faces: name, confirm, is not, nobody, no face, reference, split off as a character."""
    ids, versions = faces_shown(request)
    _require_faces(ids)
    # Foreign faces are not found, whoever asks.
    chosen = list(Face.objects.filter(collection=collection, pk__in=ids).select_related("character"))
    if len(chosen) != len(set(ids)):
        raise BadInput("Some of these faces are not in this collection. Reload the page.")
    common: dict[str, Any] = {"collection": collection, "by": request.user, "key": key_of(request)}
    action, name = request.POST.get("act", ""), request.POST.get("name", "").strip()
    simple = {
        "confirm": face_actions.confirm,
        "nobody": face_actions.nobody,
        "not_a_face": face_actions.not_a_face,
        "unname": face_actions.unname,
    }
    if action in simple:
        text = simple[action](faces=chosen, seen=versions, **common).summary
    elif action == "name":
        if not name:
            raise BadInput("Type a name, or choose one of the cast.")
        text = face_actions.assign(faces=chosen, character=name, seen=versions, **common).summary
    elif action in ("reference", "no_reference"):
        text = face_actions.set_reference(faces=chosen, is_reference=action == "reference", **common).summary
    elif action in ("split", "outfit"):
        character = get_object_or_404(Character, collection=collection, pk=as_int(request.POST.get("character")) or 0)
        characters.split(
            character=character, faces=chosen, name=name, as_outfit=action == "outfit", seen=versions, **common
        )
        text = f"{len(chosen)} faces are {name} now"
    else:
        raise BadInput("Choose what to do with the faces.")
    back = as_int(request.POST.get("back"))
    to = reverse("faces", args=[collection.pk]) if back is None else reverse("character", args=[collection.pk, back])
    if is_partial(request):
        context = _around(collection) | _loose_faces(collection)
        return toast(render(request, "annotate/faces.html#named", context), text, undo=True)
    return success(request, text, to=to, undo=True)
