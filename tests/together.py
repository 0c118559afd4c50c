"""Which tests stay in one process: what a file makes once for its tests is not made again by each process."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parents[1]
SIGNS = ('scope="module"', "xdist_group")


class Together(LoadScopeScheduling):
    """Hands out the tests of a file as one piece where one of SIGNS is in it, and all others one by one.

    By the text of the file, since this runs where nothing is collected; xdist's own way, `--dist loadgroup`, adds the
    group to the identifiers of tests, which pytest 9.2 ignores.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return path if stays_together(path) else nodeid

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        """Forget a test that is done, so that what is assigned is what is left."""
        test = self.registered_collections[node][item_index]
        scope = self._split_scope(test)
        del self.assigned_work[node][scope][test]
        if not self.assigned_work[node][scope]:
            del self.assigned_work[node][scope]
        self._reschedule(node)

    def remove_node(self, node: Any) -> str | None:
        """Hand out what a dead process had left, without the test at which it died, which has failed with that; returns
        this test. xdist 3.8 also hands out that test again, which kills one process after another (with a limit of 240
        s each, for more than an hour), and empty pieces, for whose end the run waits for ever."""
        pieces = self.assigned_work.pop(node)
        crashed = None
        for scope, tests in pieces.items():
            for test in tests:
                if crashed is None:
                    crashed = test
                else:
                    self.workqueue.setdefault(scope, {})[test] = False
        for other in self.nodes:
            self._reschedule(other)
        return crashed

    def _reschedule(self, node: Any) -> None:
        """Give a process that has collected work until it has enough, or its end where there is none. xdist 3.8 gives
        one piece, and a process begins a test only when it knows the next: one that replaces a dead process would wait
        for ever. It also fails where a second process dies before the first is replaced."""
        while node in self.registered_collections and not node.shutting_down:
            if not self.workqueue:
                node.shutdown()
                return
            if self._pending_of(self.assigned_work[node]) > 2:
                return
            self._assign_work_unit(node)


@cache
def stays_together(path: str) -> bool:
    """Whether the tests of this file, a path below the root of the repository, belong into one process."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return any(sign in text for sign in SIGNS)
