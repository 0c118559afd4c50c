"""The result of a dry run of naming: by character, groups and faces with the least sure first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from annotate.actions.batches import batches
from annotate.models import Character, Evaluation, Face, FaceCluster
from annotate.views.html_rows.parts import BOX, PLACE, bases, picture_part, place
from ingest.models import Collection
from ingest.views.macros import render_macro

TILES_A_GROUP = 8
GROUPS_MAX = 60  # of all characters; each has at least GROUPS_A_CHARACTER
GROUPS_A_CHARACTER = 2


class Stored(NamedTuple):
    """A proposed name: the face as it was, its group (0: none), who it is, and how sure that is."""

    face: int
    version: int
    group: int
    character: int
    confidence: float


@dataclass(slots=True)
class _Tile:
    face: int
    frame: int
    crop: str
    confidence: float
    place: str
    style: str


@dataclass(slots=True)
class _Group:
    key: str
    title: str
    faces: int
    lowest: float
    highest: float
    tiles: list[_Tile]

    @property
    def hidden(self) -> int:
        return self.faces - len(self.tiles)


@dataclass(slots=True)
class ProposedPerson:
    """A character with the faces that may be hers; `html`: the least sure ones."""

    pk: int
    name: str
    faces: int
    lowest: float
    hidden_groups: int
    hidden_faces: int
    html: str = ""


def stored_names(row: Evaluation) -> list[Stored]:
    """The proposed names of a dry run, the least sure first."""
    return [Stored(*entry) for entry in row.scores.get("names", ())]


def group_key(name: Stored) -> str:
    """The key of a group in the form: a group may have faces of two characters."""
    return f"{name.character}.{name.group}"


def people_of(collection: Collection, names: Sequence[Stored]) -> tuple[list[ProposedPerson], int]:
    """The characters, those with the most faces first, and how many faces were decided or changed meanwhile."""
    waiting = list(_waiting(collection, names))
    called = dict(
        Character.objects.filter(collection=collection, pk__in={name.character for name in waiting}).values_list(
            "pk", "name"
        )
    )
    by_person: dict[int, dict[str, list[Stored]]] = {}
    for name in waiting:
        if name.character in called:
            by_person.setdefault(name.character, {}).setdefault(group_key(name), []).append(name)
    cut = max(GROUPS_A_CHARACTER, GROUPS_MAX // max(1, len(by_person)))
    visible = {pk: list(groups.items())[:cut] for pk, groups in by_person.items()}
    tiles = _tiles(
        name.face for groups in visible.values() for _, members in groups for name in members[:TILES_A_GROUP]
    )
    titles = _titles({name.group for name in waiting})
    people = []
    for pk, groups in by_person.items():
        person = ProposedPerson(
            pk=pk,
            name=called[pk],
            faces=sum(map(len, groups.values())),
            lowest=min(members[0].confidence for members in groups.values()),
            hidden_groups=len(groups) - len(visible[pk]),
            hidden_faces=sum(map(len, groups.values())) - sum(len(members) for _, members in visible[pk]),
        )
        rows = [_group(key, members, tiles, titles) for key, members in visible[pk]]
        person.html = render_macro("annotate/proposals.html", "groups", rows, person.name, **_addresses(collection))
        people.append(person)
    people.sort(key=lambda person: (-person.faces, person.name))
    return people, len(names) - len(waiting)


def _addresses(collection: Collection) -> dict[str, str]:
    places = bases(collection)
    return {"files": places["files"], "frames": places["frame_base"]}


def _group(key: str, members: list[Stored], tiles: dict[int, _Tile], titles: dict[int, str]) -> _Group:
    visible = []
    for name in members[:TILES_A_GROUP]:
        if tile := tiles.get(name.face):
            tile.confidence = name.confidence
            visible.append(tile)
    title = titles.get(members[0].group, "Ungrouped faces")
    return _Group(key, title, len(members), members[0].confidence, members[-1].confidence, visible)


def _waiting(collection: Collection, names: Sequence[Stored]) -> Iterable[Stored]:
    """Those whose face still waits, as it was when the name was proposed."""
    for part in batches(names):
        faces = Face.objects.filter(collection=collection, pk__in=[name.face for name in part]).unnamed()
        versions = dict(faces.order_by().values_list("pk", "version"))
        yield from (name for name in part if versions.get(name.face) == name.version)


def _tiles(faces: Iterable[int]) -> dict[int, _Tile]:
    tiles: dict[int, _Tile] = {}
    for part in batches(list(faces)):
        rows = Face.objects.filter(pk__in=part)
        for row in rows.values_list("pk", "frame_id", "crop", *BOX, *PLACE, named=True):
            style = picture_part(*(getattr(row, name) for name in BOX))
            tiles[row.pk] = _Tile(row.pk, row.frame_id, row.crop, 0.0, place(row), style)
    return tiles


def _titles(groups: set[int]) -> dict[int, str]:
    titles: dict[int, str] = {}
    for part in batches(sorted(groups - {0})):
        rows = FaceCluster.objects.filter(pk__in=part)
        titles |= {pk: f"Group {number}" for pk, number in rows.values_list("pk", "number")}
    return titles
