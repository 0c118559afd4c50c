"""Figures of a collection from the counts in the database (`ingest/counting.py`), portraits and stills."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, ExpressionWrapper, F, FloatField, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Greatest, Least

from annotate.algorithms.face_features import FACE_CENTRE_DOWN, HEAD_SCALE
from annotate.models import (
    Character,
    Face,
    FaceCluster,
    FaceCount,
    FaceState,
    FrameTag,
    NamedBy,
    NamedFrameCount,
    Tag,
    TagCategory,
    TagState,
)
from ingest.models import Collection, DropReason, Frame, FrameCount, FrameState
from ingest.stamp import cached

CLUSTER_MIN = 2  # a face without similar ones is not a group
CHARACTER_TAGS = 500
NO_CHARACTER = 0  # in counts
PORTRAIT_SIDE = 96  # pixels of a head: what pages show
PORTRAIT_ORDER = ("-is_reference", "-named_by", "-score", "pk")
PORTRAIT_CANDIDATES = 16
TURNED_AWAY = ("profile", "from_side", "from_behind", "facing_away", "head_out_of_frame", "faceless")


@dataclass(slots=True)
class FaceFigures:
    """Face counts of a collection: `all` without boxes that are not a face, and by character key."""

    all: int
    nobody: int
    waiting: int  # no name yet
    by_character: dict[int, int]
    by_person: dict[int, int]

    @property
    def named(self) -> int:
        return sum(self.by_character.values())

    @property
    def person(self) -> int:
        """Faces named by a person."""
        return sum(self.by_person.values())


@dataclass(slots=True)
class EpisodeFigures:
    """Counts of an episode: frames; kept ones, those with faces; faces, and named ones."""

    distinct: int = 0
    kept: int = 0
    with_faces: int = 0
    faces: int = 0
    named: int = 0


@dataclass(slots=True)
class OverviewFigures:
    """Counts of a collection: frames; those dropped as similar; kept ones, those with faces and with a named face.

    Faces on kept frames: all, named, named by a person, unnamed; and clusters that wait for a name.
    """

    distinct: int = 0
    similar: int = 0
    kept: int = 0
    with_faces: int = 0
    named_frames: int = 0
    faces: int = 0
    named: int = 0
    by_person: int = 0
    unnamed: int = 0
    clusters: int = 0


def face_figures(collection: Collection, cache_stamp: str) -> FaceFigures:
    """Return the counts while `ingest.stamp.stamp` equals `mark`; cached."""

    def count() -> FaceFigures:
        rows = FaceCount.objects.filter(collection_id=collection.pk, n__gt=0).order_by()
        states: Counter[str] = Counter()
        names: Counter[int] = Counter()
        people: Counter[int] = Counter()
        waiting = 0
        for state, character, by, n in rows.values_list("state", "character_id", "named_by").annotate(sum=Sum("n")):
            states[state] += n
            if state != FaceState.FACE:
                continue
            if character == NO_CHARACTER:
                waiting += n
                continue
            names[character] += n
            if by == NamedBy.PERSON:
                people[character] += n
        real = sum(states.values()) - states[FaceState.NOT_A_FACE]
        return FaceFigures(real, states[FaceState.NOBODY], waiting, dict(names), dict(people))

    return cached("faces", cache_stamp, count)


def by_origin(collection: Collection, character: int) -> dict[str, int]:
    """Faces of a character by who named them (NamedBy)."""
    rows = FaceCount.objects.filter(
        collection_id=collection.pk, character_id=character, state=FaceState.FACE, n__gt=0
    ).order_by()
    return dict(rows.values_list("named_by").annotate(sum=Sum("n")))


def by_episode(collection: Collection, cache_stamp: str) -> dict[int, EpisodeFigures]:
    """Counts of each episode with frames."""

    def count() -> dict[int, EpisodeFigures]:
        figures: dict[int, EpisodeFigures] = {}
        frames = FrameCount.objects.filter(collection_id=collection.pk, n__gt=0).order_by()
        for episode, state, with_faces, n in frames.values_list("episode_id", "state", "with_faces", "n"):
            row = figures.setdefault(episode, EpisodeFigures())
            row.distinct += n
            if state == FrameState.KEPT:
                row.kept += n
                row.with_faces += n if with_faces else 0
        for (character, episode, state), n in _faces_by_episode(collection, cache_stamp).items():
            if state == FrameState.KEPT:
                row = figures.setdefault(episode, EpisodeFigures())
                row.faces += n
                row.named += n if character != NO_CHARACTER else 0
        return figures

    return cached("episodes", cache_stamp, count)


def appearances(collection: Collection, cache_stamp: str) -> dict[int, dict[int, int]]:
    """Faces by character, then by episode."""

    def count() -> dict[int, dict[int, int]]:
        figures: dict[int, dict[int, int]] = {}
        for (character, episode, _), n in _faces_by_episode(collection, cache_stamp).items():
            if character != NO_CHARACTER:
                by_episode_of_character = figures.setdefault(character, {})
                by_episode_of_character[episode] = by_episode_of_character.get(episode, 0) + n
        return figures

    return cached("appearances", cache_stamp, count)


def _faces_by_episode(collection: Collection, cache_stamp: str) -> dict[tuple[int, int, str], int]:
    """Faces by character (NO_CHARACTER: unnamed), episode, and state of the frame."""

    def count() -> dict[tuple[int, int, str], int]:
        rows = FaceCount.objects.filter(collection_id=collection.pk, state=FaceState.FACE, n__gt=0).order_by()
        grouped = rows.values_list("character_id", "episode_id", "frame_state").annotate(sum=Sum("n"))
        return {(character, episode, state): n for character, episode, state, n in grouped}

    return cached("faces-by-episode", cache_stamp, count)


def overview_figures(collection: Collection) -> OverviewFigures:
    """Counts of the collection: the steps from frames to names, and what waits for a name."""
    figures = OverviewFigures()
    frames = FrameCount.objects.filter(collection_id=collection.pk).order_by()
    for state, reason, with_faces, n in frames.values_list("state", "reason", "with_faces").annotate(sum=Sum("n")):
        figures.distinct += n
        figures.similar += n if reason == DropReason.DUPLICATE else 0
        if state == FrameState.KEPT:
            figures.kept += n
            figures.with_faces += n if with_faces else 0
    named = NamedFrameCount.objects.filter(collection_id=collection.pk, frame_state=FrameState.KEPT)
    figures.named_frames = named.aggregate(sum=Sum("n"))["sum"] or 0
    faces = FaceCount.objects.filter(collection_id=collection.pk, frame_state=FrameState.KEPT, n__gt=0).order_by()
    faces = faces.exclude(state=FaceState.NOT_A_FACE)
    for state, character, by, n in faces.values_list("state", "character_id", "named_by").annotate(sum=Sum("n")):
        figures.faces += n
        if state != FaceState.FACE:
            continue
        if character == NO_CHARACTER:
            figures.unnamed += n
            continue
        figures.named += n
        figures.by_person += n if by == NamedBy.PERSON else 0
    figures.clusters = waiting_clusters(collection).count()
    return figures


def waiting_clusters(collection: Collection) -> Any:
    """Clusters of at least two faces of which some wait for a name."""
    waiting = Face.objects.filter(cluster=OuterRef("pk")).unnamed()
    return FaceCluster.objects.filter(Exists(waiting), collection=collection, size__gte=CLUSTER_MIN)


def waiting_clusters_count(collection: Collection, cache_stamp: str) -> int:
    """The number of rows of the faces page."""
    return cached("clusters", cache_stamp, lambda: int(waiting_clusters(collection).count()))


def portraits(characters: Iterable[int]) -> dict[int, str]:
    """Return crop names by character. One query, whose work does not grow with the number of faces.

    A reference face first, since a person chose it; then one whose head lies in the picture, is large, and is on a
    frame without a tag that says it is turned away; then any in the picture; then any. Of each kind a person's label
    comes first, then the best score. Only the first PORTRAIT_CANDIDATES of a character in that order are considered
    for what has to be looked up in their frames.
    """
    faces = _faces_in_order(OuterRef("pk"))
    candidates = _faces_in_order(OuterRef(OuterRef("pk"))).values("pk")[:PORTRAIT_CANDIDATES]
    inside = _heads_in_the_picture(Face.objects.filter(pk__in=candidates).order_by(*PORTRAIT_ORDER))
    # Each name's key is looked up once; a join would look up every tag of every frame.
    tags = Q(*(("tag", Subquery(Tag.objects.filter(name=name).values("pk"))) for name in TURNED_AWAY), _connector=Q.OR)
    turned = FrameTag.objects.filter(tags, frame=OuterRef("frame"), state=TagState.YES)
    clear = inside.filter(head__gte=PORTRAIT_SIDE).exclude(Exists(turned))
    # `in`, since SQLite does not look a bare flag up in the index.
    kinds = (faces.filter(is_reference__in=(True,)), clear, inside, faces)
    best = Coalesce(*(Subquery(kind.values("crop")[:1]) for kind in kinds))
    rows = Character.objects.filter(pk__in=list(characters)).annotate(portrait=best)
    return {pk: crop or "" for pk, crop in rows.values_list("pk", "portrait").order_by()}


def _faces_in_order(character: OuterRef) -> QuerySet[Face]:
    """Faces of a character with a crop, from the index `face_portrait`."""
    return Face.objects.filter(character=character, state=FaceState.FACE).exclude(crop="").order_by(*PORTRAIT_ORDER)


def _heads_in_the_picture(faces: QuerySet[Face]) -> Any:
    """Those whose head crop (`face_features.head_crop_of`) reaches over no edge; its side in pixels is `head`."""

    def pixels(expression: Any) -> Any:
        return ExpressionWrapper(expression, output_field=FloatField())

    width, height = F("frame__width"), F("frame__height")
    face_width, face_height = pixels((F("right") - F("left")) * width), pixels((F("bottom") - F("top")) * height)
    rows = faces.annotate(head=pixels(HEAD_SCALE * Greatest(face_width, face_height)))
    twice_across, twice_down = F("left") + F("right"), F("top") + F("bottom")  # the face's middle, twice
    room = Least(
        pixels(twice_across * width),
        pixels((2.0 - twice_across) * width),
        pixels(twice_down * height / (2 * FACE_CENTRE_DOWN)),
        pixels((2.0 - twice_down) * height / (2 * (1 - FACE_CENTRE_DOWN))),
    )
    return rows.filter(head__lte=room)


def stills(collection: Collection, count: int) -> dict[int, list[str]]:
    """Preview names of each episode's kept frames with most faces and best quality. One query, by index."""
    best = Frame.objects.kept().filter(episode=OuterRef("pk")).order_by("-face_count", "-quality", "pk")
    names = {f"still{n}": Subquery(best.values("preview")[n : n + 1]) for n in range(count)}
    rows = collection.episodes.annotate(**names).values_list("pk", *names).order_by()
    return {pk: [name for name in still_names if name] for pk, *still_names in rows}


def character_tags(collection: Collection) -> list[tuple[str, int]]:
    """Character tags of kept frames with their counts, the most frequent first; at most CHARACTER_TAGS."""
    tags = Tag.objects.filter(category=TagCategory.CHARACTER)
    rows = FrameTag.objects.filter(
        tag__in=tags, state=TagState.YES, frame__collection=collection, frame__state=FrameState.KEPT
    )
    counts = rows.values_list("tag__name").annotate(n=Count("pk")).order_by("-n", "tag__name")
    return list(counts[:CHARACTER_TAGS])
