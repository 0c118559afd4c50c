"""Descriptors hold what a copy keeps and let go of what a copy changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ingest.algorithms.descriptors import DESCRIPTOR_SIZE, as_vectors, describe, distance, distances

U8 = NDArray[np.uint8]


def _planes(seed: int, *, height: int = 135, width: int = 240) -> tuple[U8, U8, U8]:
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32) / np.float32(height)
    luma = np.full((height, width), 110.0, dtype=np.float32)
    for _ in range(8):
        x, y, size, level = rng.uniform(0, 1.78), rng.uniform(0, 1), rng.uniform(0.1, 0.4), rng.uniform(-60, 60)
        luma += np.float32(level) * ((rows - y) ** 2 + (columns - x) ** 2 < size * size)
    chroma = [128 + (luma[::2, ::2] - 110) * np.float32(rng.uniform(-0.4, 0.4)) for _ in range(2)]
    planes = [np.clip(plane, 0, 255).astype(np.uint8) for plane in (luma, *chroma)]
    return planes[0], planes[1], planes[2]


def test_a_descriptor_is_a_row_of_bytes_of_one_size() -> None:
    for height, width in ((135, 240), (1, 1), (3, 700), (720, 1280)):
        described = describe(*_planes(1, height=height, width=width))
        assert described.dtype == np.uint8
        assert described.shape == (DESCRIPTOR_SIZE,)
    assert DESCRIPTOR_SIZE <= 256


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_dimming_and_noise_stay_near_while_another_picture_is_far(seed: int) -> None:
    luma, u, v = _planes(seed)
    rng = np.random.default_rng(seed)
    noisy = np.clip(luma * 0.7 + rng.normal(0, 4, luma.shape), 0, 255).astype(np.uint8)
    dim = [np.clip((plane.astype(np.float32) - 128) * 0.7 + 128, 0, 255).astype(np.uint8) for plane in (u, v)]
    unchanged = describe(luma, u, v)
    assert distance(unchanged, describe(noisy, dim[0], dim[1])) < 0.02
    assert distance(unchanged, describe(*_planes(seed + 20_000))) > 0.1


def test_a_subtitle_moves_a_descriptor_less_than_the_same_text_in_the_middle() -> None:
    luma, u, v = _planes(5)
    low, middle = luma.copy(), luma.copy()
    low[115:127, 60:180:2] = 255
    middle[60:72, 60:180:2] = 255
    unchanged = describe(luma, u, v)
    assert distance(unchanged, describe(low, u, v)) < 0.5 * distance(unchanged, describe(middle, u, v))


@pytest.mark.parametrize("level", [0, 16, 128, 255])
def test_a_flat_picture_has_a_descriptor_that_equals_itself(level: int) -> None:
    grey = np.full((68, 120), 128, dtype=np.uint8)
    described = describe(np.full((135, 240), level, dtype=np.uint8), grey, grey)
    assert distance(described, described) == pytest.approx(0.0, abs=1e-6)
    opposite = describe(np.full((135, 240), 255 - level, dtype=np.uint8), grey, grey)
    assert (distance(described, opposite) > 0.3) == (level in (0, 16, 255))


def test_one_against_many_equals_one_by_one() -> None:
    many = np.stack([describe(*_planes(seed)) for seed in range(12)])
    row = distances(many[3], many)
    assert row[3] == pytest.approx(0.0, abs=1e-6)
    assert np.array_equal(row, np.asarray([distance(many[3], other) for other in many], dtype=np.float32))
    assert np.array_equal(as_vectors(many).astype(np.int64) + 128, many.astype(np.int64))
