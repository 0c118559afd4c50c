"""PSNR and SSIM against values worked out by hand and by their definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from annotate.algorithms.likeness import psnr, ssim


def grey(level: int, side: int = 16) -> NDArray[np.uint8]:
    return np.full((side, side, 3), level, np.uint8)


def noise(seed: int, side: int = 24) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def test_psnr_of_a_constant_difference() -> None:
    assert psnr(grey(100), grey(110)) == pytest.approx(10 * math.log10(255**2 / 100))
    assert psnr(grey(100), grey(100)) == 100.0


def test_ssim_of_flat_pictures_is_its_brightness_term_alone() -> None:
    c1 = (0.01 * 255) ** 2
    assert ssim(grey(100), grey(150)) == pytest.approx((2 * 100 * 150 + c1) / (100**2 + 150**2 + c1))
    assert ssim(grey(100), grey(100)) == pytest.approx(1)


def test_ssim_follows_its_definition_pixel_by_pixel() -> None:
    """The published formula written out with loops over every window."""
    first, second = noise(1), noise(2)
    second = ((first.astype(int) * 2 + second) // 3).astype(np.uint8)
    places = np.arange(11) - 5
    row = np.exp(-(places**2) / (2 * 1.5**2))
    weights = np.outer(row, row) / np.outer(row, row).sum()
    x, y = (picture.astype(float) @ [0.299, 0.587, 0.114] for picture in (first, second))
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    collected = []
    for top in range(24 - 10):
        for left in range(24 - 10):
            a, b = x[top : top + 11, left : left + 11], y[top : top + 11, left : left + 11]
            ma, mb = (weights * a).sum(), (weights * b).sum()
            va, vb = (weights * (a - ma) ** 2).sum(), (weights * (b - mb) ** 2).sum()
            both = (weights * (a - ma) * (b - mb)).sum()
            collected.append((2 * ma * mb + c1) * (2 * both + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))
    assert ssim(first, second) == pytest.approx(np.mean(collected), abs=1e-9)


def test_opposite_pictures_are_less_alike_than_none() -> None:
    item = noise(3)
    assert ssim(item, 255 - item) < -0.5


def test_pictures_of_different_or_too_small_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="different sizes"):
        psnr(grey(1), grey(1, side=15))
    with pytest.raises(ValueError, match="at least 11 x 11"):
        ssim(grey(1, side=10), grey(1, side=10))
