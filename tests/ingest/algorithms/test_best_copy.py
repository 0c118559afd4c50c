"""The best copy: what people worked on, then the worthiest, then the largest, then the earliest."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.algorithms.best_copy import preference, worth, worth_unmeasured
from ingest.algorithms.detail import detail
from ingest.algorithms.quality import Measures, measure, overall


def _worth(quality: list[float], side: list[int], text: list[float] | None = None) -> np.ndarray:
    shares = text if text is not None else [math.nan] * len(quality)
    return worth(np.asarray(quality, np.float32), np.asarray(side, np.float32), np.asarray(shares, np.float32))


def _best(quality: list[float], side: list[int], worked_on: list[bool], text: list[float] | None = None) -> int:
    value = _worth(quality, side, text)
    return int(preference(value, np.asarray(side, np.float32), worked_on=np.asarray(worked_on, bool)).argmax())


def test_the_better_copy_wins_and_of_equal_ones_the_first() -> None:
    assert _best([0.3, 0.6, 0.4], [720] * 3, [False] * 3) == 1
    assert _best([0.3, 0.3, 0.3], [720] * 3, [False] * 3) == 0
    assert _best([0.301, 0.302, 0.301], [720] * 3, [False] * 3) == 0


def test_the_larger_copy_wins_among_equally_good_ones() -> None:
    assert _best([0.3, 0.3, 0.3], [480, 1080, 720], [False] * 3) == 1
    assert _best([0.3, 0.3], [720, 722], [False] * 2) == 1


def test_a_film_that_was_only_enlarged_does_not_win_by_its_size() -> None:
    assert _best([0.2, 0.3], [1080, 720], [False] * 2) == 1


def test_what_a_person_worked_on_wins_over_everything() -> None:
    assert _best([9.9, 0.1, 0.2], [2160, 240, 240], [False, True, True]) == 2


def test_a_clean_copy_wins_over_one_in_which_a_model_found_text() -> None:
    assert _best([0.5, 0.1], [1080, 720], [False] * 2, [0.04, 0.0]) == 1
    assert _best([0.5, 0.1], [1080, 720], [False] * 2, [math.nan, math.nan]) == 0
    assert _best([0.3, 0.3], [720, 720], [False] * 2, [0.02, math.nan]) == 1


def test_a_row_of_the_older_rule_is_worth_what_its_copy_is_and_its_size() -> None:
    side = np.asarray([480, 720, 480, 360], np.float32)
    known = np.asarray([0.4, 0, 0, 0], np.float64)
    like = np.asarray([-1, 0, 0, 0], np.int64)
    old = np.asarray([0, 6.98, 10.52, 30], np.float32)  # small copies seemed sharper to it
    value = worth_unmeasured(old, side, np.full(4, np.nan, np.float32), copy_of=like, known_worth=known)
    assert value[1] > known[0] > value[2] > value[3]


def test_rows_of_the_older_rule_alone_compare_by_size_and_then_by_what_it_said() -> None:
    side = np.asarray([480, 720, 720], np.float32)
    old = np.asarray([10.52, 6.98, 7.5], np.float32)
    none = np.full(3, -1, np.int64)
    value = worth_unmeasured(old, side, np.full(3, np.nan, np.float32), copy_of=none, known_worth=np.zeros(3))
    assert list(np.argsort(value)) == [0, 1, 2]


def test_noise_blocks_lettering_and_few_bits_make_no_copy_better() -> None:
    clean = {"sharpness": 4.5, "contrast": 40.0, "brightness": 120.0, "blockiness": 0.0}
    best = overall(Measures(**clean))
    for name, value in (("noise", 2.0), ("lettering", 0.03), ("bits", 13.0), ("blockiness", 1.0)):
        assert overall(Measures(**(clean | {name: value}))) < best - 0.05, name
    assert overall(Measures(**(clean | {"noise": 0.3}))) == best, "grain is no fault"


@given(st.lists(st.tuples(st.floats(-50, 100), st.integers(1, 9000), st.booleans()), min_size=1, max_size=40))
def test_every_row_gets_a_number_of_its_own(rows: list[tuple[float, int, bool]]) -> None:
    quality, side, worked_on = zip(*rows, strict=True)
    value = _worth(list(quality), list(side))
    numbers = preference(value, np.asarray(side, np.float32), worked_on=np.asarray(worked_on, bool))
    assert sorted(numbers.tolist()) == list(range(len(rows)))


def test_an_enlarged_a_noisy_and_a_blurred_picture_have_no_more_detail_than_the_sharp_one() -> None:
    picture = np.full((720, 1280), 180, np.uint8)
    for x in range(60, 1240, 40):
        cv2.line(picture, (x, 40), (x + 25, 680), 40, 2, cv2.LINE_AA)
        cv2.circle(picture, (x, 300), 18, 90, 2, cv2.LINE_AA)
    small = np.asarray(cv2.resize(picture, (854, 480), interpolation=cv2.INTER_AREA), np.uint8)
    enlarged = np.asarray(cv2.resize(small, (1920, 1080), interpolation=cv2.INTER_LANCZOS4), np.uint8)
    noise = np.random.default_rng(0).normal(0, 5, picture.shape)
    noisy = np.asarray(np.clip(picture + noise, 0, 255), np.uint8)
    sharp = detail(picture).sharpness
    for other in (small, enlarged, np.asarray(cv2.GaussianBlur(picture, (0, 0), 2), np.uint8)):
        assert detail(other).sharpness < sharp - 0.1
    assert abs(detail(noisy).sharpness - sharp) < 0.1
    assert detail(noisy).noise > 1.0 > detail(picture).noise
    ten_bits = picture.astype(np.uint16) * 4
    assert detail(ten_bits, level=0.25).sharpness == pytest.approx(sharp, abs=0.02)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (8, 5000), (5000, 8), (40, 40)])
def test_pictures_of_any_shape_are_measured(shape: tuple[int, int]) -> None:
    flat = np.full(shape, 90, np.uint8)
    assert np.isfinite(overall(measure(flat, flat)))
    assert measure(flat, flat).sharpness == 0


def test_a_row_of_the_older_rule_follows_the_very_row_that_it_is_a_copy_of() -> None:
    side = np.full(3, 720, np.float32)
    known = np.asarray([1.0, 5.0, 0.0], np.float64)
    none = np.full(3, np.nan, np.float32)
    like = np.asarray([-1, -1, 1], np.int64)
    value = worth_unmeasured(np.zeros(3, np.float32), side, none, copy_of=like, known_worth=known)
    assert 4.9 < value[2] < 5.0


def test_a_row_of_the_older_rule_alone_has_its_size_its_quality_and_less_for_text() -> None:
    def alone(quality: float, side: float, text: float) -> float:
        item = [np.asarray([number], np.float32) for number in (quality, side, text)]
        like, known = np.asarray([-1], np.int64), np.zeros(1, np.float64)
        return float(worth_unmeasured(*item, copy_of=like, known_worth=known)[0])

    assert alone(10, 720, 0.0) > alone(10, 720, 0.04)
    assert alone(10, 720, math.nan) == alone(10, 720, 0.0)
    assert alone(11, 720, 0.0) > alone(10, 720, 0.0)
    assert alone(99, 480, 0.0) < alone(0, 1080, 0.0) + 1
