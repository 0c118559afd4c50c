"""What a network gets, worked out by hand for small pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from annotate.backends.runtime.inputs import Fit, InputSpec, Resample, padded, resized

RED = np.array([200, 100, 50], np.uint8)


def test_padding_puts_a_wide_picture_in_the_middle_and_its_odd_row_below() -> None:
    picture = np.broadcast_to(RED, (2, 5, 3))
    fitted = InputSpec(5, 5, Fit.PAD_SQUARE, fill=255).fit(picture)
    assert fitted.shape == (5, 5, 3)
    assert (fitted[1:3] == RED).all() and (fitted[[0, 3, 4]] == 255).all()


def test_a_letterbox_keeps_the_ratio_and_pads_after() -> None:
    fitted = InputSpec(8, 8, Fit.LETTERBOX, fill=0).fit(np.broadcast_to(RED, (2, 4, 3)))
    assert (fitted[2:6] == RED).all() and not fitted[:2].any() and not fitted[6:].any()


@given(some.integers(1, 3000), some.integers(1, 3000))
def test_a_letterboxed_picture_touches_two_opposite_sides(width: int, height: int) -> None:
    fitted = InputSpec(16, 12, Fit.LETTERBOX, Resample.NEAREST, fill=0).fit(np.full((height, width, 3), 9, np.uint8))
    filled = fitted[:, :, 0] == 9
    assert filled.any(axis=0).all() or filled.any(axis=1).all()


def test_sides_go_up_to_a_multiple_and_small_pictures_are_not_enlarged_further() -> None:
    spec = InputSpec(640, 640, Fit.MULTIPLE)
    assert spec.fit(np.zeros((50, 100, 3), np.uint8)).shape == (64, 128, 3)
    assert spec.fit(np.zeros((720, 1280, 3), np.uint8)).shape == (384, 640, 3)  # 360 -> 384


def test_alpha_lands_on_white() -> None:
    picture = np.zeros((1, 2, 4), np.uint8)
    picture[0, 1] = [100, 0, 0, 128]
    fitted = InputSpec(2, 1).fit(picture)
    assert fitted[0].tolist() == [[255, 255, 255], [177, 127, 127]]


def test_the_tensor_turns_channels_scales_and_changes_the_layout() -> None:
    spec = InputSpec(1, 1, bgr=True, scale=1 / 255, mean=(0.5, 0.5, 0.5), std=(0.5, 0.25, 1.0))
    tensor = spec.tensor(np.array([[[[255, 0, 51]]]], np.uint8))
    assert tensor.shape == (1, 3, 1, 1)
    assert tensor.ravel() == pytest.approx([(0.2 - 0.5) / 0.5, -0.5 / 0.25, 0.5], abs=1e-6)
    raw = InputSpec(1, 1, bgr=True, nchw=False, scale=1).tensor(np.array([[[[1, 2, 3]]]], np.uint8))
    assert raw.tolist() == [[[[3.0, 2.0, 1.0]]]]


def test_nearest_and_area_differ_as_their_names_say() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[0, 0] = 100
    assert InputSpec(1, 1, resample=Resample.AREA).fit(picture)[0, 0, 0] == 25
    assert InputSpec(1, 1, resample=Resample.NEAREST).fit(picture)[0, 0, 0] in (0, 100)


def test_anything_but_bytes_of_a_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="uint8"):
        InputSpec(2, 2).fit(np.zeros((2, 2), np.uint8))


@given(
    wide=some.integers(1, 90), high=some.integers(1, 90), side=some.integers(1, 70),
    resample=some.sampled_from(list(Resample)), fill=some.sampled_from([0, 114, 255]), seed=some.integers(0, 99),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_padding_to_a_square_gives_the_bytes_of_padding_first_whatever_the_order_of_work(
    wide: int, high: int, side: int, resample: Resample, fill: int, seed: int
) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (high, wide, 3), dtype=np.uint8)
    square = padded(picture, max(high, wide), max(high, wide), fill=fill)
    spec = InputSpec(side, side, fit_by=Fit.PAD_SQUARE, resample=resample, fill=fill)
    np.testing.assert_array_equal(spec.fit(picture), resized(square, side, side, resample))
