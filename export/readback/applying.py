"""Applying a re-sorted folder to the database as a person's labels, with history and undo."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from annotate.actions import characters as character_actions
from annotate.actions import faces as face_actions
from annotate.actions import frame_characters
from annotate.models import Character, CharacterAlias, FaceState, FrameCharacter, NamedBy, TagState
from export.algorithms.readback import by_safe_name
from export.algorithms.settling import Known, Settled, settle
from export.algorithms.spelling import spelling_key
from export.build.rows_from_database import CLUSTER
from export.readback.comparing import Moved, Open, by_key
from ingest.errors import BadInput, Conflict
from ingest.models import Collection, Frame

_FRAMES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class OnPicture:
    """A character to add to or remove from a frame without a face."""

    frame: Frame
    path: str
    name: str
    yes: bool


@dataclass(slots=True)
class Proposal:
    """Proposed changes: faces by new name, faces made unknown, and open pictures with their reasons.

    Faces carry the row version that was read; `paths` are the pictures of each. `pictures`: characters without a face.
    """

    naming: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    unnaming: dict[int, int] = field(default_factory=dict)
    pictures: list[OnPicture] = field(default_factory=list)
    paths: dict[int, str] = field(default_factory=dict)
    open: list[Open] = field(default_factory=list)
    new: frozenset[str] = frozenset()  # names that no character of the collection has

    @property
    def faces(self) -> int:
        return sum(map(len, self.naming.values())) + len(self.unnaming)

    @property
    def changed_paths(self) -> set[str]:
        return {*self.paths.values(), *(row.path for row in self.pictures)}


@dataclass(slots=True)
class Applied:
    """Number of faces named or made unknown, and each picture left open, with its reason.

    `placed`: number of names added to or removed from pictures without a face.
    """

    named: int = 0
    unnamed: int = 0
    placed: int = 0
    open: list[Open] = field(default_factory=list)


def propose(*, collection: Collection, moved: Iterable[Moved]) -> Proposal:
    """Derive the unambiguous changes to a collection's faces from moved pictures; changes nothing.

    A name unknown to the dataset means the character with that folder spelling; if there are two, it stays open, and if
    there is none, it is a new character.
    """
    moved = list(moved)
    proposal = Proposal()
    names = _Names(collection)
    done: dict[str, frozenset[str]] = {}
    rows = list(by_key(moved))
    episodes = {row.source.sha256[:20]: row.pk for row in collection.episodes.select_related("source")}
    for start in range(0, len(rows), _FRAMES_AT_ONCE):
        batch = rows[start : start + _FRAMES_AT_ONCE]
        frames = _frames(collection, episodes, batch)
        faceless = _faceless(frames.values())
        for source, index, row in batch:
            frame = frames.get((source, index))
            try:
                if frame is None:
                    raise BadInput("its frame is not in this collection")
                now = names.of(row.now, new=row.new)
                settled = _settle(row, frame, now, names, faceless.get(frame.pk, {}))
            except BadInput as error:
                proposal.open.append(Open(row.path, error.message))
                continue
            done[row.key] = now
            versions = {face.pk: face.version for face in frame.faces.all()}
            for face, name in settled.named:
                proposal.paths[face] = row.path
                proposal.naming[name][face] = versions[face]
            for face in settled.unnamed:
                proposal.paths[face] = row.path
                proposal.unnaming[face] = versions[face]
            for yes, people in ((True, settled.displayed), (False, settled.not_shown)):
                proposal.pictures += [OnPicture(frame, row.path, name, yes) for name in people]
    for row in moved:
        # A crop that only agrees with its picture needs no entry.
        frame_change = done.get(row.key.partition(":crop")[0])
        if row.is_crop and not (frame_change is not None and frame_change >= names.of(row.now)):
            proposal.open.append(Open(row.path, "a crop; move the picture it was cut from, or name its face"))
    names_needed = {*proposal.naming, *(row.name for row in proposal.pictures)}
    proposal.new = frozenset(names_needed - names.existing)
    return proposal


def apply(*, collection: Collection, moved: Iterable[Moved], by: Any) -> Applied:
    """Name the faces of moved pictures by their new folder, in one operation per character.

    Only unambiguous changes are applied (see `settling.settle`). The rest stays open with its reason, as do faces that
    were changed in the meantime.
    """
    proposal = propose(collection=collection, moved=moved)
    applied = Applied(open=proposal.open)
    for name, seen in sorted(proposal.naming.items()):
        try:
            who = character_actions.find_or_create(collection=collection, name=name, by=by)
            face_actions.assign(collection=collection, faces=seen, character=who, by=by, seen=seen)
        except (BadInput, Conflict) as error:
            applied.open += [Open(proposal.paths[face], error.message) for face in seen]
            continue
        applied.named += len(seen)
    if proposal.unnaming:
        seen = proposal.unnaming
        try:
            face_actions.unname(collection=collection, faces=seen, by=by, seen=seen)
        except (BadInput, Conflict) as error:
            applied.open += [Open(proposal.paths[face], error.message) for face in seen]
        else:
            applied.unnamed = len(seen)
    for row in proposal.pictures:
        try:
            who = character_actions.find_or_create(collection=collection, name=row.name, by=by)
            frame_characters.decide(collection=collection, frame=row.frame, character=who, yes=row.yes, by=by)
        except (BadInput, Conflict) as error:
            applied.open.append(Open(row.path, error.message))
            continue
        applied.placed += 1
    return applied


class _Names:
    """Maps a dataset's names to characters of the collection, which may have been renamed since."""

    def __init__(self, collection: Collection) -> None:
        characters = Character.objects.filter(collection=collection)
        self.by_pk = dict(characters.values_list("pk", "name"))
        self.existing = set(self.by_pk.values())
        aliases = CharacterAlias.objects.filter(collection=collection).values_list("name", "character__name")
        self.aliases = dict(aliases)
        self.spelled = by_safe_name(self.existing)

    def of(self, names: Iterable[str], *, new: Iterable[str] = ()) -> frozenset[str]:
        """Return the characters of these names, without clusters. Raises BadInput when one of `new` is ambiguous."""
        fresh = set(new)
        return frozenset(
            self._character_of(name, fresh) for name in names if name in self.existing or not name.startswith(CLUSTER)
        )

    def _character_of(self, name: str, fresh: set[str]) -> str:
        if name in self.existing:
            return name
        if name in self.aliases:
            return self.aliases[name]
        matches = self.spelled.get(spelling_key(name), ()) if name in fresh else ()
        if len(matches) > 1:
            raise BadInput(f"{name!r} could be {' or '.join(matches)}")
        return matches[0] if matches else name


def _frames(
    collection: Collection, episodes: dict[str, int], rows: Iterable[tuple[str, int, Moved]]
) -> dict[tuple[str, int], Frame]:
    indexes_by_source: dict[str, list[int]] = defaultdict(list)
    for source, index, _ in rows:
        indexes_by_source[source].append(index)
    frames_by_place: dict[tuple[str, int], Frame] = {}
    for source, indexes in indexes_by_source.items():
        frames = Frame.objects.filter(collection=collection, episode_id=episodes.get(source, 0), index__in=indexes)
        for frame in frames.prefetch_related("faces__character"):
            frames_by_place[(source, frame.index)] = frame
    return frames_by_place


def _faceless(frames: Iterable[Frame]) -> dict[int, dict[str, bool]]:
    """Return, by frame key, the characters without a face -> whether a person said so."""
    rows = FrameCharacter.objects.filter(frame__in=list(frames), state=TagState.YES).select_related("character")
    names_by_frame: dict[int, dict[str, bool]] = defaultdict(dict)
    for row in rows:
        names_by_frame[row.frame_id][row.character.name] = row.by_person
    return names_by_frame


def _settle(row: Moved, frame: Frame, now: frozenset[str], names: _Names, faceless: dict[str, bool]) -> Settled:
    """Return the changes on a frame. Raises BadInput when they are ambiguous."""
    faces = [face for face in frame.faces.all() if face.state == FaceState.FACE]
    settled = settle(
        [
            Known(
                face=face.pk,
                name=face.character.name if face.character is not None else "",
                by_person=face.named_by == NamedBy.PERSON,
                ruled_out=frozenset(names.by_pk[key] for key in face.not_characters if key in names.by_pk),
            )
            for face in faces
        ],
        before=names.of(row.before),
        now=now,
        by_person=None if row.by_person is None else names.of(row.by_person),
        faceless=faceless,
    )
    if settled.reason:
        raise BadInput(settled.reason)
    return settled
