"""Agreement worked out by hand, and its invariants."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from annotate.algorithms.agreement import Agreement

COUNTS = some.integers(0, 500)


def test_kappa_of_the_textbook_example_is_four_tenths() -> None:
    # 50 grants, two readers: both yes 20, both no 15, first only 5, second only 10.
    result = Agreement(both=20, only_first=5, only_second=10, frames=50)
    assert result.kappa == pytest.approx(0.4)
    assert result.share == pytest.approx(20 / 35)


def test_full_agreement_is_one_also_where_nobody_ever_said_it() -> None:
    assert Agreement(0, 0, 0, 100).kappa == 1.0 and Agreement(0, 0, 0, 0).share == 1.0
    assert Agreement(7, 0, 0, 100).kappa == pytest.approx(1.0)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_who_is_first_does_not_matter_and_kappa_stays_in_its_range(both: int, one: int, two: int, none: int) -> None:
    frames = both + one + two + none
    result, turned = Agreement(both, one, two, frames), Agreement(both, two, one, frames)
    assert result.kappa == pytest.approx(turned.kappa) and result.share == turned.share
    assert -1.0 - 1e-9 <= result.kappa <= 1.0 + 1e-9
