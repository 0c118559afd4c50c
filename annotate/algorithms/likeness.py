"""Similarity of two pictures of one size: PSNR in decibels, and SSIM as published."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]

WINDOW, SIGMA = 11, 1.5  # of the Gaussian, both as published
K1, K2, LEVELS = 0.01, 0.03, 255.0
PSNR_MAX = 100.0  # told for equal pictures, whose PSNR is infinite


def psnr(first: U8, second: U8) -> float:
    """10 log10(255^2 / mean squared difference) over all channels of uint8 [h, w, 3]; 100 for equal pictures."""
    _check(first, second)
    error = float(np.mean((first.astype(np.float64) - second) ** 2))
    return PSNR_MAX if error == 0 else min(PSNR_MAX, 10 * math.log10(LEVELS**2 / error))


def ssim(first: U8, second: U8) -> float:
    """Mean structural similarity of the brightness of uint8 RGB [h, w, 3], -1 to 1 (equal).

    Wang, Bovik, Sheikh, Simoncelli: Image quality assessment: from error visibility to structural similarity (2004),
    equation 13: an 11 x 11 Gaussian of sigma 1.5 with weights of sum 1, taken only where it lies inside the picture.
    Raises ValueError for pictures smaller than that window.
    """
    _check(first, second)
    if min(first.shape[:2]) < WINDOW:
        raise ValueError(f"SSIM needs at least {WINDOW} x {WINDOW} pixels, not {first.shape[1]} x {first.shape[0]}")
    x, y = luma(first), luma(second)
    mean_x, mean_y = _mean(x), _mean(y)
    variance_x, variance_y = _mean(x * x) - mean_x**2, _mean(y * y) - mean_y**2
    both = _mean(x * y) - mean_x * mean_y
    c1, c2 = (K1 * LEVELS) ** 2, (K2 * LEVELS) ** 2
    above = (2 * mean_x * mean_y + c1) * (2 * both + c2)
    below = (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return float(np.mean(above / below))


def luma(rgb: U8) -> F64:
    """Brightness 0..255 by BT.601: 0.299 R + 0.587 G + 0.114 B."""
    return np.asarray(rgb.astype(np.float64) @ np.array([0.299, 0.587, 0.114]), np.float64)


def _mean(values: F64) -> F64:
    inside = WINDOW // 2
    kernel = cv2.getGaussianKernel(WINDOW, SIGMA, cv2.CV_64F)
    means = np.asarray(cv2.sepFilter2D(values, cv2.CV_64F, kernel, kernel), np.float64)
    return means[inside:-inside, inside:-inside]


def _check(first: U8, second: U8) -> None:
    if first.shape != second.shape:
        raise ValueError(f"the pictures have different sizes: {first.shape} and {second.shape}")
