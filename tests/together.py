"""Which tests stay in one process: what a file makes once for its tests is not made again by each process."""

from __future__ import annotations

from functools import cache
from pathlib import Path

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


@cache
def stays_together(path: str) -> bool:
    """Whether the tests of this file, a path below the root of the repository, belong into one process."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return any(sign in text for sign in SIGNS)
