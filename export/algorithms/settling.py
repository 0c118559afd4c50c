"""Assignment of names to faces when a picture was moved to a folder of other characters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The current state of a face: its name (empty: unknown), whether a person gave it, and characters ruled out."""

    face: int
    name: str = ""
    by_person: bool = False
    ruled_out: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Faces to name or make unknown, and characters without a face to add or remove.

    Or the reason why the face is ambiguous.
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
    """Derive the unambiguous changes from a move between the folders of `before` and `now`.

    `faceless`: characters known to be on it without a face -> whether a person said so. Unambiguous are: removed names;
    one name replaced by another if the picture has a single face, or if the name has no face; one added name if exactly
    one face is unnamed; any names of a picture without faces. Labels given since are kept: `by_person` are the names
    that people had given when the dataset was built (None: unknown).
    """
    other = faceless or {}
    names_wanted = set(now)
    current = {face.name for face in faces if face.name} | set(other)
    if current == names_wanted:
        return Settled()
    if current != set(before):
        return Settled(reason="its faces were renamed since the export")
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
        return Settled(reason=f"a person marked its face as not {added[0]}; name it on its page")
    return Settled(named=((target.face, added[0]),), not_shown=not_shown)


def _target(
    added: list[str], leaving: list[Known], without: list[Known], *, unplaced: bool
) -> tuple[Known | None, str]:
    """Return the only possible face, or why there is none. `unplaced`: a name without a face is removed as well."""
    who = " and ".join(added)
    if len(added) > 1:
        return None, f"it is unclear which faces are {' and '.join(added)}; name them on its page"
    if not leaving and not unplaced:
        if len(without) == 1:
            return without[0], ""
        if not without:
            return None, f"every face in it has a name already, so none can be {who}; draw or name it on its page"
        return None, f"it is unclear which of {len(without)} faces is {who}; name it on its page"
    if len(leaving) == 1 and not without and not unplaced:
        return leaving[0], ""
    return None, f"it is unclear which face is {who}; name it on its page"
