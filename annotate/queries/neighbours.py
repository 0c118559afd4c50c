"""The frames before and after one in a list: what the arrow keys of its page lead to."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from annotate.queries import search
from ingest.models import Frame


@dataclass(frozen=True)
class Neighbours:
    """Up to `n` frames on each side of a frame, in page order.

    `number` is the frame's place in the list from 1, None where the list does not hold it; `search.COUNT_MAX` + 1 is a
    lower bound.
    """

    before: list[Frame]
    after: list[Frame]
    number: int | None

    @property
    def previous(self) -> int | None:
        return self.before[-1].pk if self.before else None

    @property
    def following(self) -> int | None:
        return self.after[0].pk if self.after else None


def neighbours(rows: QuerySet[Frame], frame: Frame, *, n: int) -> Neighbours:
    """Where `frame` is in the list `rows`, or would be. Four short queries."""
    position = f"{frame.episode_id}.{frame.index}"
    earlier = search.before(rows, position)
    with_names = rows.select_related("episode")
    is_member = rows.filter(pk=frame.pk).exists()
    return Neighbours(
        before=list(search.before(with_names, position).order_by("-episode_id", "-index")[:n])[::-1],
        after=list(search.after(with_names, position)[:n]),
        number=earlier.order_by().values("pk")[: search.COUNT_MAX].count() + 1 if is_member else None,
    )
