"""Which faces of a picture get which names when its folder says that other characters are in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A face as it is now: its name (empty: not known), whether a person gave it, and whom people ruled out for it."""

    face: int
    name: str = ""
    by_person: bool = False
    ruled_out: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Faces to name and to make unknown, characters who are on the picture without a face and who are not after all.

    Or the reason why it is not plain which face is meant.
    """

    named: tuple[tuple[int, str], ...] = ()
    unnamed: tuple[int, ...] = ()
    displayed: tuple[str, ...] = ()
    not_shown: tuple[str, ...] = ()
    reason: str = ""


def settle(
    faces: Sequence[Known],
    *,
    before: Iterable[str],
    now: Iterable[str],
    by_person: frozenset[str] | None,
    faceless: Mapping[str, bool] | None = None,
) -> Settled:
    """What a move from a folder of `before` to one of `now` plainly says about who is on a picture.

    `faceless`: characters who are known to be on it by other evidence than faces -> whether a person said so. Plain
    are: names taken away; one name exchanged for another where a single face is in the picture, or where it has no
    face; one name more where exactly one face has none; any names of a picture without faces. Nothing is changed that
    people said since: `by_person` are the names that people had given when the dataset was made (None: not known).
    """
    other = faceless or {}
    names_wanted = set(now)
    current = {face.name for face in faces if face.name} | set(other)
    if current == names_wanted:
        return Settled()
    if current != set(before):
        return Settled(reason="its faces were named otherwise since the export")
    added, removed = sorted(names_wanted - current), current - names_wanted
    leaving = [face for face in faces if face.name in removed]
    names_by_person = {face.name for face in leaving if face.by_person} | {name for name in removed if other.get(name)}
    since = sorted(names_by_person - (by_person or frozenset()))
    if since:
        when = "" if by_person is None else " since the export"
        return Settled(reason=f"a person named {' and '.join(since)} there{when}; name the face on its page")
    not_shown = tuple(sorted(removed & set(other)))
    if not added:
        return Settled(unnamed=tuple(face.face for face in leaving), not_shown=not_shown)
    if not faces:
        return Settled(displayed=tuple(added), not_shown=not_shown)
    without = [face for face in faces if not face.name]
    only_other = removed - {face.name for face in leaving}
    if len(added) == len(only_other) == 1 and not leaving and not without:
        return Settled(displayed=tuple(added), not_shown=not_shown)
    target, reason = _target(added, leaving, without, unplaced=bool(only_other))
    if target is None:
        return Settled(reason=reason)
    if added[0] in target.ruled_out:
        return Settled(reason=f"a person said that its face is not {added[0]}; name it on its page")
    return Settled(named=((target.face, added[0]),), not_shown=not_shown)


def _target(
    added: list[str], leaving: list[Known], without: list[Known], *, unplaced: bool
) -> tuple[Known | None, str]:
    """The one face that can be meant, or why there is none. `unplaced`: a name without a face goes as well."""
    who = " and ".join(added)
    if len(added) > 1:
        return None, f"it is not plain which face is {' and which '.join(added)}; name them on its page"
    if not leaving and not unplaced:
        if len(without) == 1:
            return without[0], ""
        if not without:
            return None, f"every face in it has a name already, so none can be {who}; draw or name it on its page"
        return None, f"it is not plain which of {len(without)} faces is {who}; name it on its page"
    if len(leaving) == 1 and not without and not unplaced:
        return leaving[0], ""
    return None, f"it is not plain which face is {who}; name it on its page"
