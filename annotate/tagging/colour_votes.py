"""Hair and eye colours of frames after a vote over each character's faces, or over a group without a name.

The stage Tag stores the colours of each face in `Frame.measures`. Names and groups come later in a run, so the stages
that change them let the faces vote again; only computed tags change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from annotate.algorithms.colour_names import EYES, HAIR
from annotate.algorithms.colour_vote import Ballot
from annotate.algorithms.computed_tags import SCORE_MIN, colour_tags
from annotate.algorithms.face_colours import FaceColours, Named
from annotate.models import Face, FaceState, FrameTag, ModelVersion, Tag, TagState
from ingest.models import Frame

COLOURS = "face_colours"  # in Frame.measures: [hair, score, eyes, score] of each face from left to right
CHUNK = 500
DIGITS = 4
_NAMES = [*(f"{name}_hair" for name in HAIR.names), *(f"{name}_eyes" for name in EYES.names)]


@dataclass(frozen=True, slots=True)
class _Voter:
    """A face; `group` is None where it belongs to no character and to no group, so that it votes alone."""

    group: Hashable | None
    colours: FaceColours


def stored(colours: Iterable[FaceColours]) -> list[list[Any]]:
    """Return the form in which the colours of a frame's faces are stored."""
    return [[*_pair(of_face.hair), *_pair(of_face.eyes)] for of_face in colours]


def settle(frames: QuerySet[Frame], version: ModelVersion) -> None:
    """Let all faces of these frames vote and change the frames' computed hair and eye tags where the vote says so.

    Call it in a transaction. Tags by people, files and other models stay.
    """
    ballots = {"hair": Ballot(), "eyes": Ballot()}
    for voters in _parts(frames):
        for voter in (voter for faces in voters.values() for voter in faces if voter.group is not None):
            for kind, ballot in ballots.items():
                if (named := getattr(voter.colours, kind)) is not None:
                    ballot.add(voter.group, named)
    of_hair, of_eyes = ballots["hair"].winners(), ballots["eyes"].winners()
    keys = dict(Tag.objects.filter(name__in=_NAMES).values_list("name", "pk"))
    for voters in _parts(frames):
        voted = {frame: _tags([_after(voter, of_hair, of_eyes) for voter in faces]) for frame, faces in voters.items()}
        _write(voted, keys, version)


def _after(voter: _Voter, hair: Mapping[Hashable, Named], eyes: Mapping[Hashable, Named]) -> FaceColours:
    """Return the colours of a face after the vote. Nothing is added where nothing was seen: eyes may be shut."""
    seen = voter.colours
    return FaceColours(
        hair.get(voter.group, seen.hair) if seen.hair is not None else None,
        eyes.get(voter.group, seen.eyes) if seen.eyes is not None else None,
    )


def _parts(frames: QuerySet[Frame]) -> Iterator[dict[int, list[_Voter]]]:
    """Yield the faces that vote by frame, CHUNK frames at a time."""
    rows = frames.filter(measures__has_key=COLOURS).order_by("pk").values_list("pk", f"measures__{COLOURS}")
    last = 0
    while part := list(rows.filter(pk__gt=last)[:CHUNK]):
        last = part[-1][0]
        yield _voters({pk: colours for pk, colours in part if colours})


def _voters(rows: Mapping[int, list[list[Any]]]) -> dict[int, list[_Voter]]:
    """Return the faces of each frame with their colours and groups; without frames whose faces changed since."""
    groups: dict[int, list[Hashable]] = defaultdict(list)
    faces = Face.objects.real().filter(frame__in=list(rows)).order_by("frame_id", "left", "pk")
    for frame, state, character, cluster in faces.values_list("frame_id", "state", "character_id", "cluster_id"):
        if character is not None and state == FaceState.FACE:
            groups[frame].append(("character", character))
        else:
            groups[frame].append(None if cluster is None else ("cluster", cluster))
    return {
        frame: [_Voter(group, _colours(row)) for group, row in zip(groups[frame], colours, strict=True)]
        for frame, colours in rows.items()
        if len(groups[frame]) == len(colours)
    }


def _write(voted: Mapping[int, dict[str, float]], keys: Mapping[str, int], version: ModelVersion) -> None:
    """Write the tags of frames that have other computed ones. Frames are locked first, as by all who change tags."""
    names = {key: name for name, key in keys.items()}
    computed = FrameTag.objects.filter(by_person=False, model_version=version, tag__in=list(names))
    changing = [
        frame
        for frame, now in _by_frame(computed.filter(frame__in=list(voted)), names).items()
        if now.keys() != voted[frame].keys()
    ]
    frames = list(Frame.objects.select_for_update().filter(pk__in=changing).order_by("pk").values_list("pk", flat=True))
    existing = _by_frame(FrameTag.objects.filter(frame__in=frames, tag__in=list(names)), names)
    removed: list[int] = []
    added: list[FrameTag] = []
    for frame, now in _by_frame(computed.filter(frame__in=frames), names).items():
        gone = [name for name in now if name not in voted[frame]]
        removed += [now[name] for name in gone]
        # A winner replaces a colour of the frame; what a person, a file or a list of tags kept out stays out.
        kinds = {_kind(name) for name in gone}
        added += [
            FrameTag(frame_id=frame, tag_id=keys[name], state=TagState.YES, score=score, model_version=version)
            for name, score in voted[frame].items()
            if name in keys and name not in existing[frame] and _kind(name) in kinds
        ]
    FrameTag.objects.filter(pk__in=removed).delete()
    FrameTag.objects.bulk_create(added, batch_size=CHUNK)


def _by_frame(rows: QuerySet[FrameTag], names: Mapping[int, str]) -> dict[int, dict[str, int]]:
    """Return the keys of rows by frame and tag name."""
    tags: dict[int, dict[str, int]] = defaultdict(dict)
    for pk, frame, tag in rows.values_list("pk", "frame_id", "tag_id"):
        tags[frame][names[tag]] = pk
    return tags


def _kind(name: str) -> str:
    return name.rsplit("_", 1)[1]


def _tags(colours: Iterable[FaceColours]) -> dict[str, float]:
    tags: dict[str, float] = {}
    for of_face in colours:
        for name, score in colour_tags(of_face).items():
            if score >= SCORE_MIN:
                tags[name] = max(tags.get(name, 0.0), round(score, DIGITS))
    return tags


def _pair(named: Named | None) -> list[Any]:
    return ["", 0] if named is None else [named.name, round(named.score, DIGITS)]


def _colours(row: list[Any]) -> FaceColours:
    hair, hair_score, eyes, eyes_score = row
    return FaceColours(
        Named(hair, float(hair_score)) if hair in HAIR.names else None,
        Named(eyes, float(eyes_score)) if eyes in EYES.names else None,
    )
