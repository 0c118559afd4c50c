"""The rows of the faces page: a cluster with its crops, a field for the name and its buttons, drawn as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from django.db.models import Count, F, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from annotate.models import Face, FaceCluster, TagState
from annotate.views.html_rows.parts import bases
from ingest import humane
from ingest.humane import timecode
from ingest.models import Collection
from ingest.views.html_rows import form_fields

CROPS_A_ROW = 32
WHAT_PURITY_IS = (
    "The share of faces that look like the others of their cluster and stand beside none of them in a picture, drawn "
    "towards one half where faces are few: all of 2 are 83 %, all of 10 are 95 %. Whether it is one person you see."
)
TOLD_SHOWN = 3  # names a row by files and tags
LIKELY, DOUBTFUL = 80, 40  # percent of purity
FIELDS = ("pk", "cluster_id", "frame_id", "crop", "score", "frame__time_s", "frame__episode_id")


def add_rows(
    request: HttpRequest,
    collection: Collection,
    page: Sequence[FaceCluster],
    *,
    labels: Mapping[int, str],
    can_edit: bool,
) -> None:
    """`waiting` (how many faces wait for a name) and `drawn` (the row) for each cluster: two queries.

    `labels` are the episodes' by key.
    """
    rows = Face.objects.filter(cluster_id__in=[cluster.pk for cluster in page]).unnamed().order_by()
    counts = dict(rows.values_list("cluster").annotate(n=Count("pk")))
    rank = Window(RowNumber(), partition_by=F("cluster_id"), order_by=[F("score").desc(), F("pk").asc()])
    # Keys alone come out of the index; whole rows are read for what is shown.
    best = rows.annotate(rank=rank).filter(rank__lte=CROPS_A_ROW).values("pk")
    places = bases(collection)
    crops: dict[int, list[tuple[Any, ...]]] = {}
    for face in Face.objects.filter(pk__in=best).order_by("-score", "pk").values_list(*FIELDS):
        crops.setdefault(face[1], []).append(face)
    told = _told_names(page)
    form = {
        "names": reverse("character_names", args=[collection.pk]),
        "base": reverse("cluster_change", args=[collection.pk, 0]),
        "token": form_fields(request),
    }
    for cluster in page:
        own = crops.get(cluster.pk, [])
        cluster.waiting = counts.get(cluster.pk, 0)  # type: ignore[attr-defined]
        strength = round(100 * cluster.purity)
        shown = _crops(own, places=places, labels=labels, strength=strength, can_edit=can_edit)
        hidden = counts.get(cluster.pk, 0) - len(own)
        rest = f'<span class="crop rest">+{hidden:,}</span>' if hidden > 0 else ""
        drawn = _row(
            cluster, counts.get(cluster.pk, 0), f"{shown}{rest}", form, told=told.get(cluster.pk, []), can_edit=can_edit
        )
        cluster.drawn = drawn  # type: ignore[attr-defined]


def _told_names(page: Sequence[FaceCluster]) -> dict[int, list[tuple[str, int]]]:
    """By cluster the names that files and tags have for the pictures of its waiting faces, and for how many: the most
    first. One query."""
    rows = Face.objects.filter(cluster_id__in=[cluster.pk for cluster in page]).unnamed().order_by()
    name = "frame__frame_characters__character__name"
    there = rows.filter(frame__frame_characters__state=TagState.YES).values_list("cluster", name)
    found: dict[int, list[tuple[str, int]]] = {}
    for cluster, called, n in there.annotate(n=Count("pk")):
        found.setdefault(cluster, []).append((called, n))
    return {pk: sorted(names, key=lambda one: (-one[1], one[0]))[:TOLD_SHOWN] for pk, names in found.items()}


def _crops(
    rows: Iterable[tuple[Any, ...]],
    *,
    places: Mapping[str, str],
    labels: Mapping[int, str],
    strength: int,
    can_edit: bool,
) -> str:
    """Crops to click out of a cluster, of rows of FIELDS; `strength` in percent is how surely they are one person."""
    files, frames = places["files"], places["frame_base"]
    names = {pk: escape(label) for pk, label in labels.items()}
    drawn = []
    for pk, _, frame, crop, score, time_s, episode in rows:
        place = f"{names.get(episode, '')} {timecode(time_s)}"
        pick = f'<input type="checkbox" name="out" value="{pk}" aria-label="Take out: {place}">' if can_edit else ""
        image = f'<img src="{files}{escape(crop)}" width="72" height="72" loading="lazy" alt="">' if crop else ""
        drawn.append(
            f'<label class="crop said-model" id="crop{pk}" style="--s:{strength}%" title="{place}, {score:.2f}">{pick}'
            f'{image}<a href="{frames}{frame}/" tabindex="-1" class="open" title="Open the frame">↗</a></label>'
        )
    return "".join(drawn)


def _row(
    cluster: FaceCluster,
    waiting: int,
    crops: str,
    form: Mapping[str, str],
    *,
    told: Sequence[tuple[str, int]],
    can_edit: bool,
) -> SafeString:
    pk, number, purity = cluster.pk, cluster.number, round(100 * cluster.purity)
    address = form["base"].replace("/0/", f"/{pk}/")
    looks = escape(cluster.guess.name) if cluster.guess else ""
    # Enter takes what files and tags say of most of the pictures, else what the faces look like.
    guess = escape(told[0][0]) if told and 2 * told[0][1] >= waiting else looks
    name = buttons = ""
    if can_edit:
        name = (
            f'<input name="name" placeholder="Name…" aria-label="Name of cluster {number}" autocomplete="off" '
            f'list="character-names" data-names="{form["names"]}" value="" data-guess="{guess}">\n'
        )
        for called, n in told:
            word = f"by files and tags {escape(called)} {n:,}"
            name += f'<button type="button" class="chip model" data-take-guess="{escape(called)}">{word}</button>\n'
        if looks:
            sure = "" if cluster.guess_score is None else f"{cluster.guess_score:.2f}"
            word = f"looks like {looks} {sure}"
            name += f'<button type="button" class="chip model" data-take-guess="{looks}">{word}</button>\n'
        buttons = (
            '<div class="row"><button class="btn primary" name="act" value="name" data-name-button>'
            f"Name <span data-left>{waiting}</span> <kbd>↵</kbd></button>"
            '<button class="btn quiet" type="button" data-skip>Skip <kbd>S</kbd></button>'
            '<button class="btn quiet" name="act" value="nobody" title="People, but none of the cast">Nobody</button>'
            '</div>\n<div class="row" data-taken hidden><span class="small dim"><span data-taken-count>0</span> taken '
            'out:</span><button class="btn quiet" name="act" value="split">Split off</button>'
            '<button class="btn quiet" name="act" value="not_a_face">Not faces <kbd>N</kbd></button></div>\n'
        )
    several = ' <span class="warn">several people?</span>' if purity < DOUBTFUL else ""
    return mark_safe(
        f'<section class="cluster" id="cluster{pk}" data-cluster aria-label="Cluster {number}, {waiting} faces">\n'
        f'<form method="post" action="{address}" hx-post="{address}" hx-target="#cluster{pk}" hx-swap="outerHTML" '
        f'hx-disabled-elt="find button">{form["token"]}\n'
        f'<div class="who">\n{name}'
        f'<div class="meta"><span>{humane.count(waiting, "face")}</span>'
        f'<span class="dim">cluster {number}</span></div>\n'
        f'<div class="meta" title="{WHAT_PURITY_IS}"><span>purity</span><span class="bar grow">'
        f'<b class="{"good" if purity >= LIKELY else ""}" '
        f'style="width:{purity}%"></b></span>{purity} %{several}</div>\n{buttons}</div>\n'
        f'<div class="crops">{crops}</div>\n</form></section>'
    )
