"""Twenty people at once, through the real pages of the running site: no error, no lost answer, no drift.

`python -m bench.crowd` is the long run.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from bench.crowd import Crowd, fill
from tests.safety.lock_order import watching

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres, pytest.mark.time_limit(300)]

PEOPLE, STEPS = 20, 8


@pytest.mark.parametrize("seed", [1])
def test_twenty_people_lose_nothing_and_break_nothing(
    live_server: Any, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    collection, users = fill(PEOPLE)
    crowd = Crowd(collection, live_server.thread.host, live_server.thread.port, seed=seed, steps=STEPS)
    with watching(monkeypatch) as watch:
        crowd.work(users)
    assert not crowd.faults(), "\n".join([*crowd.faults()[:20], crowd.table()])
    assert sum(answer.status < 300 for answer in crowd.answers) > 0.5 * PEOPLE * STEPS, crowd.table()
    if connection.vendor == "postgresql":
        assert watch.locks > PEOPLE * STEPS
        assert not watch.problems, "\n".join(watch.problems[:3])
