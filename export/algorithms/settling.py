"""Which faces of a picture get which names when its folder says that other characters are in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    """Faces to name and to make unknown; or the reason why it is not plain which face is meant."""

    named: tuple[tuple[int, str], ...] = ()
    unnamed: tuple[int, ...] = ()
    reason: str = ""


def settle(
    faces: Sequence[Known], *, before: Iterable[str], now: Iterable[str], by_person: frozenset[str] | None
) -> Settled:
    """What a move from a folder of `before` to one of `now` plainly says about the faces of a picture.

    Plain are: names taken away; one name exchanged for another where a single face is in the picture; one name more
    where exactly one face has none. Nothing is changed that people said since: `by_person` are the names that people
    had given when the data set was made (None: not known).
    """
    wanted = set(now)
    current = {face.name for face in faces if face.name}
    if current == wanted:
        return Settled()
    if current != set(before):
        return Settled(reason="its faces were named otherwise since the export")
    added, removed = sorted(wanted - current), current - wanted
    leaving = [face for face in faces if face.name in removed]
    without = [face for face in faces if not face.name]
    since = sorted({face.name for face in leaving if face.by_person and face.name not in (by_person or ())})
    if since:
        when = "" if by_person is None else " since the export"
        return Settled(reason=f"a person named {' and '.join(since)} there{when}; name the face on its page")
    if not added:
        return Settled(unnamed=tuple(face.face for face in leaving))
    target, reason = _target(added, leaving, without, faces)
    if target is None:
        return Settled(reason=reason)
    if added[0] in target.ruled_out:
        return Settled(reason=f"a person said that its face is not {added[0]}; name it on its page")
    return Settled(named=((target.face, added[0]),))


def _target(
    added: list[str], leaving: list[Known], without: list[Known], faces: Sequence[Known]
) -> tuple[Known | None, str]:
    """The one face that can be meant, or why there is none."""
    who = " and ".join(added)
    if not faces:
        return None, f"no face was found in it that could be {who}; draw one on its page"
    if len(added) > 1:
        return None, f"it is not plain which face is {' and which '.join(added)}; name them on its page"
    if not leaving:
        if len(without) == 1:
            return without[0], ""
        if not without:
            return None, f"every face in it has a name already, so none can be {who}; draw or name it on its page"
        return None, f"it is not plain which of {len(without)} faces is {who}; name it on its page"
    if len(leaving) == 1 and not without:
        return leaving[0], ""
    return None, f"it is not plain which face is {who}; name it on its page"
