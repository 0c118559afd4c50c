"""What is cached under a stamp is made once, whatever its value."""

from __future__ import annotations

import pytest

from ingest.stamp import cached


@pytest.mark.parametrize("value", [None, 0, "", [], {"a": 1}, (1,)])
def test_a_value_is_made_once_at_a_stamp_also_when_it_is_none(value: object) -> None:
    calls: list[int] = []

    def make() -> object:
        calls.append(1)
        return value

    assert [cached(f"figures{value!r}", "1:2", make) for _ in range(3)] == [value] * 3
    assert len(calls) == 1
    assert cached(f"figures{value!r}", "1:3", make) == value  # another stamp
    assert len(calls) == 2
