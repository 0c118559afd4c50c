"""Watches the SQL of all connections and notes where rows are locked out of order."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

LOCKS = re.compile(
    r'\s*(?:UPDATE "(?P<updated>\w+)"|DELETE FROM "(?P<deleted>\w+)"'
    r'|SELECT .*? FROM "(?P<selected>\w+)".* FOR (?:NO KEY )?UPDATE)',
    re.DOTALL,
)
# In this order; rows of a collection share one place, since nobody else writes there under the collection's lock.
COLLECTION, RUN, STAGE_RUN, ROWS = range(4)
PLACES = {"ingest_collection": COLLECTION, "ingest_pipelinerun": RUN, "ingest_stagerun": STAGE_RUN} | dict.fromkeys(
    (
        "ingest_source", "ingest_episode", "ingest_shot", "ingest_frame", "ingest_operation", "annotate_character",
        "annotate_characteralias", "annotate_referencepicture", "annotate_facecluster", "annotate_face",
        "annotate_frametag", "annotate_caption", "annotate_checkedframe", "annotate_modelcaption", "annotate_taglist",
        "annotate_modelchoice", "annotate_framecharacter",
    ),
    ROWS,
)  # fmt: skip


class Watch:
    """What was locked in the transaction that each connection is in, and what was out of order."""

    def __init__(self) -> None:
        self.locked: dict[int, list[str]] = {}
        self.locks = 0
        self.problems: list[str] = []

    def saw(self, connection: BaseDatabaseWrapper, sql: str) -> None:
        match = LOCKS.match(str(sql))
        table = next((name for name in match.groups() if name), "") if match else ""
        if table not in PLACES or not connection.in_atomic_block:
            return  # one statement by itself holds nothing while it waits
        before = self.locked.setdefault(id(connection), [])
        if table in before:
            return
        self.locks += 1
        place = PLACES[table]
        late = [other for other in before if PLACES[other] > place]
        if late or (place == ROWS and "ingest_collection" not in before):
            why = f"after {', '.join(late)}" if late else "without the collection's lock"
            stack = "".join(line for line in traceback.format_stack() if "/site-packages/" not in line)
            self.problems.append(f"{table} is locked {why}: {sql:.200}\n{stack[-1500:]}")
        before.append(table)

    def ended(self, connection: BaseDatabaseWrapper) -> None:
        self.locked.pop(id(connection), None)


@contextmanager
def watching(patch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Watch all connections of this process, in all threads, until the block ends."""
    watch = Watch()
    execute = CursorWrapper._execute_with_wrappers

    def watched(self: Any, sql: str, *args: Any, **more: Any) -> Any:
        watch.saw(self.db, sql)
        return execute(self, sql, *args, **more)

    with patch.context() as patched:
        patched.setattr(CursorWrapper, "_execute_with_wrappers", watched)
        for name in ("commit", "rollback"):
            end = getattr(BaseDatabaseWrapper, name)

            def ended(self: Any, end: Any = end) -> Any:
                watch.ended(self)
                return end(self)

            patched.setattr(BaseDatabaseWrapper, name, ended)
        yield watch
