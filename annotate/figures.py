"""Counts over all faces and frames of a collection, each in one grouped query over an index, and portraits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, Subquery

from annotate.models import Character, Face, FaceCluster, FaceState, NamedBy
from ingest.models import Collection, Frame, FrameState
from ingest.stamp import kept

CLUSTER_MIN = 2  # a face that looks like no other is no group


@dataclass(slots=True)
class FaceFigures:
    """Faces of a collection: `all` without those that are none, and of the characters by key."""

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
        """Named by a person."""
        return sum(self.by_person.values())


@dataclass(slots=True)
class EpisodeFigures:
    """Frames of an episode, and of its kept frames those with faces, the faces and how many have a name."""

    distinct: int = 0
    kept: int = 0
    with_faces: int = 0
    faces: int = 0
    named: int = 0


def face_figures(collection: Collection, mark: str) -> FaceFigures:
    """As `ingest.stamp.stamp` stands at `mark`."""

    def count() -> FaceFigures:
        rows = Face.objects.filter(collection=collection).values_list("state", "character", "named_by").order_by()
        states: Counter[str] = Counter()
        names: Counter[int] = Counter()
        people: Counter[int] = Counter()
        waiting = 0
        for state, character, by, n in rows.annotate(n=Count("pk")):
            states[state] += n
            if state != FaceState.FACE:
                continue
            if character is None:
                waiting += n
                continue
            names[character] += n
            if by == NamedBy.PERSON:
                people[character] += n
        real = sum(states.values()) - states[FaceState.NOT_A_FACE]
        return FaceFigures(real, states[FaceState.NOBODY], waiting, dict(names), dict(people))

    return kept("faces", mark, count)


def by_episode(collection: Collection, mark: str) -> dict[int, EpisodeFigures]:
    """Figures of each episode that has frames."""

    def count() -> dict[int, EpisodeFigures]:
        found: dict[int, EpisodeFigures] = {}
        rows = Frame.objects.filter(collection=collection).values_list("episode", "state", "face_count").order_by()
        for episode, state, faces, n in rows.annotate(n=Count("pk")):
            row = found.setdefault(episode, EpisodeFigures())
            row.distinct += n
            if state == FrameState.KEPT:
                row.kept += n
                row.with_faces += n if faces else 0
        for (character, episode, state), n in _faces_by_episode(collection, mark).items():
            if state == FrameState.KEPT:
                row = found.setdefault(episode, EpisodeFigures())
                row.faces += n
                row.named += n if character is not None else 0
        return found

    return kept("episodes", mark, count)


def appearances(collection: Collection, mark: str) -> dict[int, dict[int, int]]:
    """Faces by character, then by episode."""

    def count() -> dict[int, dict[int, int]]:
        found: dict[int, dict[int, int]] = {}
        for (character, episode, _), n in _faces_by_episode(collection, mark).items():
            if character is not None:
                own = found.setdefault(character, {})
                own[episode] = own.get(episode, 0) + n
        return found

    return kept("appearances", mark, count)


def _faces_by_episode(collection: Collection, mark: str) -> dict[tuple[int | None, int, str], int]:
    """By character (None: no name), episode, and state of the frame."""

    def count() -> dict[tuple[int | None, int, str], int]:
        rows = Face.objects.filter(collection=collection, state=FaceState.FACE).order_by()
        grouped = rows.values_list("character", "frame__episode", "frame__state").annotate(n=Count("pk"))
        return {(character, episode, state): n for character, episode, state, n in grouped}

    return kept("faces-by-episode", mark, count)


def waiting_clusters(collection: Collection) -> Any:
    """Clusters of several faces of which some wait for a name."""
    waiting = Face.objects.filter(cluster=OuterRef("pk")).unnamed()
    return FaceCluster.objects.filter(Exists(waiting), collection=collection, size__gte=CLUSTER_MIN)


def waiting_clusters_count(collection: Collection, mark: str) -> int:
    """How many rows the faces page has in all."""
    return kept("clusters", mark, lambda: int(waiting_clusters(collection).count()))


def portraits(characters: Iterable[int]) -> dict[int, str]:
    """Crop names by character: a reference face first, then a person's, then the surest. One query."""
    best = (
        Face.objects.filter(character=OuterRef("pk"), state=FaceState.FACE)
        .exclude(crop="")
        .order_by("-is_reference", "-named_by", "-score", "pk")
    )
    rows = Character.objects.filter(pk__in=list(characters)).annotate(portrait=Subquery(best.values("crop")[:1]))
    return {pk: crop or "" for pk, crop in rows.values_list("pk", "portrait").order_by()}


def stills(collection: Collection, count: int) -> dict[int, list[str]]:
    """Preview names of each episode's kept frames with most faces and best quality. One query, by index."""
    best = Frame.objects.filter(episode=OuterRef("pk"), state=FrameState.KEPT).order_by("-face_count", "-quality", "pk")
    names = {f"still{n}": Subquery(best.values("preview")[n : n + 1]) for n in range(count)}
    rows = collection.episodes.annotate(**names).values_list("pk", *names).order_by()
    return {pk: [name for name in found if name] for pk, *found in rows}
