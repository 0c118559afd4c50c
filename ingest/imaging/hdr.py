"""Tone-maps high dynamic range (PQ and HLG, BT.2020) to sRGB, so that white is white in every program.

PQ is SMPTE ST 2084, HLG is ARIB STD-B67, both as in ITU-R BT.2100; diffuse white (203 cd/m2) is from ITU-R BT.2408.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

PQ, HLG = "pq", "hlg"
LABELS = {PQ: "HDR (PQ)", HLG: "HDR (HLG)"}
_TRANSFERS = {16: PQ, 18: HLG}  # H.273 numbers of transfer characteristics
_BT2020 = 9  # H.273 number of the colour primaries

WHITE_NITS = 203.0  # cd/m2 of diffuse white
PEAK_NITS = 1000.0  # cd/m2, peak of the nominal HLG display
KNEE = 0.75  # share of white, linear: light below it is unchanged, light above it is compressed into the rest
CODES = 1024  # entries of the tables: a 10 bit signal
_LINEAR_STEPS = 4096

# Linear BT.2020 to BT.709 (ITU-R BT.2087).
_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], dtype=np.float32
)


def transfer_of(frame: VideoFrame) -> str:
    """PQ or HLG, or "" for a frame of standard range."""
    return _TRANSFERS.get(int(frame.color_trc), "")


def is_wide(frame: VideoFrame) -> bool:
    """Whether the colours are those of BT.2020; assumed if unspecified, since HDR films use no others."""
    return int(frame.color_primaries) in (_BT2020, 2)


def to_srgb(signal: F32, transfer: str, *, wide: bool) -> U8:
    """Convert coded R'G'B' float32[h, w, 3] of 0..1 to sRGB uint8[h, w, 3]."""
    codes = np.clip(signal * (CODES - 1) + 0.5, 0, CODES - 1).astype(np.uint16)
    linear_light = _linear(transfer)[codes]  # 1.0 is diffuse white
    if transfer == HLG:
        linear_light = _system_gamma(linear_light)
    if wide:
        linear_light = np.maximum(cv2.transform(linear_light, _TO_709), 0)
    # The brightest channel decides, so that hues do not change.
    brightest_channel = linear_light.max(axis=2)
    scale = np.divide(
        tone_curve(brightest_channel),
        brightest_channel,
        out=np.ones_like(brightest_channel),
        where=brightest_channel > KNEE,
    )
    steps = np.sqrt(np.clip(linear_light * scale[:, :, None], 0, 1)) * (_LINEAR_STEPS - 1)
    picture: U8 = _srgb()[(steps + 0.5).astype(np.uint16)]
    return picture


def tone_curve(light: Any) -> Any:
    """Map light (1.0 is diffuse white) to 0..1: identical up to KNEE, then approaching 1."""
    room = 1 - KNEE
    over = np.maximum(light - KNEE, 0)
    return np.minimum(light, KNEE) + room * over / (over + room)


@cache
def luma_table(transfer: str, *, full_range: bool) -> U8:
    """Table uint8[1024] from a 10 bit grey level to the tone-mapped 8 bit level, both in the same range."""
    codes = np.arange(CODES, dtype=np.float32)
    black, span = (0.0, 1023.0) if full_range else (64.0, 876.0)
    grey = np.clip((codes - black) / span, 0, 1)[None, :, None].repeat(3, axis=2)
    level = to_srgb(grey.astype(np.float32), transfer, wide=False)[0, :, 0].astype(np.float32) / 255
    return np.clip((level * 255 if full_range else 16 + level * 219) + 0.5, 0, 255).astype(np.uint8)


@cache
def _linear(transfer: str) -> F32:
    """float32[1024]: light by signal level, 1.0 for diffuse white; display light for PQ, scene light for HLG."""
    x = np.arange(CODES, dtype=np.float64) / (CODES - 1)
    if transfer == PQ:
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        power = x ** (1 / m2)
        light = 10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1) / WHITE_NITS
    else:
        a = 0.17883277
        b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
        light = np.where(x <= 0.5, x * x / 3, (np.exp((x - c) / a) + b) / 12)
    return light.astype(np.float32)


def _system_gamma(scene: F32) -> F32:
    """Convert HLG scene light to the light of a PEAK_NITS display: luminance to the power of 1.2."""
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593], dtype=np.float32)
    gain = np.power(np.maximum(luminance, 1e-6), np.float32(0.2)) * np.float32(PEAK_NITS / WHITE_NITS)
    return scene * gain[:, :, None]


@cache
def _srgb() -> U8:
    """Table uint8[4096] from the square root of linear light to sRGB; the root gives dark tones finer steps."""
    light = (np.arange(_LINEAR_STEPS, dtype=np.float64) / (_LINEAR_STEPS - 1)) ** 2
    level = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (level * 255 + 0.5).astype(np.uint8)
