"""The rows of the faces page: a cluster with its crops, a field for the name and its buttons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, F, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest
from django.urls import reverse

from annotate.models import Face, FaceCluster, TagState
from annotate.views.html_rows.parts import BOX, bases, picture_part
from ingest.humane import timecode
from ingest.models import Collection
from ingest.views.html_rows import form_fields
from ingest.views.macros import render_macro

CROPS_A_ROW = 32
WHAT_PURITY_IS = (
    "Share of faces that look like the others of their group and never appear in one picture with them, pulled "
    "towards 50 % for small groups (all of 2: 83 %; all of 10: 95 %). Faces that follow each other in a shot count as "
    "one. Whether it is one character is for you to check."
)
SUGGESTIONS_SHOWN = 3  # names a row by files and tags
LIKELY, DOUBTFUL = 80, 40  # percent of purity
FIELDS = ("pk", "cluster_id", "frame_id", "crop", "score", "frame__time_s", "frame__episode_id", *BOX)


_Crop = tuple[int, int, str, float, str, str]  # face, frame, file, score, place, style of the picture


@dataclass(slots=True)
class _Group:
    """What the row of one cluster shows."""

    pk: int
    number: int
    address: str
    waiting: int  # faces that wait for a name
    purity: int  # percent
    likely: bool
    doubtful: bool
    suggestions: Sequence[tuple[str, int]]  # names by files and tags, and of how many faces
    looks_like: str
    guess_score: float | None
    by_files: str  # the name that files and tags have for most of the pictures; "" without one
    guess: str  # what Enter takes
    placeholder: str  # of the field: says so
    crops: list[_Crop]
    hidden_faces: int


def add_rows(
    request: HttpRequest,
    collection: Collection,
    page: Sequence[FaceCluster],
    *,
    labels: Mapping[int, str],
    can_edit: bool,
) -> None:
    """`waiting` (how many faces wait for a name) and `html` (the row) for each cluster: two queries.

    `labels` are the episodes' by key.
    """
    rows = Face.objects.filter(cluster_id__in=[cluster.pk for cluster in page]).unnamed().order_by()
    counts = dict(rows.values_list("cluster").annotate(n=Count("pk")))
    rank = Window(RowNumber(), partition_by=F("cluster_id"), order_by=[F("score").desc(), F("pk").asc()])
    # Keys alone come out of the index; whole rows are read for what is shown.
    best = rows.annotate(rank=rank).filter(rank__lte=CROPS_A_ROW).values("pk")
    crops: dict[int, list[_Crop]] = {}
    face_rows = Face.objects.filter(pk__in=best).order_by("-score", "pk").values_list(*FIELDS)
    for pk, cluster_id, frame, crop, score, time_s, episode, *box in face_rows:
        place = f"{labels.get(episode, '')} {timecode(time_s)}"
        crops.setdefault(cluster_id, []).append((pk, frame, crop, score, place, picture_part(*box)))
    names_by_cluster = _suggested_names(page)
    places = bases(collection)
    base = reverse("cluster_change", args=[collection.pk, 0])
    common = {
        "files": places["files"],
        "frames": places["frame_base"],
        "names_url": reverse("character_names", args=[collection.pk]),
        "purity_help": WHAT_PURITY_IS,
        "form_fields": form_fields(request),
        "can_edit": can_edit,
    }
    for cluster in page:
        group = _group(
            cluster, counts.get(cluster.pk, 0), crops.get(cluster.pk, []), names_by_cluster.get(cluster.pk, []), base
        )
        cluster.waiting = group.waiting  # type: ignore[attr-defined]
        cluster.html = render_macro("annotate/clusters.html", "cluster", group, **common)  # type: ignore[attr-defined]


def _group(
    cluster: FaceCluster,
    waiting: int,
    crops: list[_Crop],
    suggestions: Sequence[tuple[str, int]],
    base: str,
) -> _Group:
    purity = round(100 * cluster.purity)
    looks = cluster.guess.name if cluster.guess else ""
    by_files = suggestions[0][0] if suggestions and 2 * suggestions[0][1] >= waiting else ""
    return _Group(
        pk=cluster.pk,
        number=cluster.number,
        address=base.replace("/0/", f"/{cluster.pk}/"),
        waiting=waiting,
        purity=purity,
        likely=purity >= LIKELY,
        doubtful=purity < DOUBTFUL,
        suggestions=suggestions,
        looks_like=looks,
        guess_score=cluster.guess_score,
        by_files=by_files,
        guess=by_files or looks,
        placeholder=_placeholder(by_files, looks, cluster.guess_score),
        crops=crops,
        hidden_faces=waiting - len(crops),
    )


def _placeholder(by_files: str, looks: str, confidence: float | None) -> str:
    """As static/js/faces_suggestions.js writes it."""
    if by_files:
        return f"{by_files} ↵"
    return f"Probably {looks} ({confidence or 0:.2f}) ↵" if looks else "Name…"


def _suggested_names(page: Sequence[FaceCluster]) -> dict[int, list[tuple[str, int]]]:
    """By cluster the names that files and tags have for the pictures of its waiting faces, and for how many: the most
    first. One query."""
    rows = Face.objects.filter(cluster_id__in=[cluster.pk for cluster in page]).unnamed().order_by()
    field = "frame__frame_characters__character__name"
    named = rows.filter(frame__frame_characters__state=TagState.YES).values_list("cluster", field)
    names: dict[int, list[tuple[str, int]]] = {}
    for cluster, name, n in named.annotate(n=Count("pk")):
        names.setdefault(cluster, []).append((name, n))
    return {pk: sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:SUGGESTIONS_SHOWN] for pk, pairs in names.items()}
