"""Final changes of a whole canvas: light, blur, compression, greys, line drawing, brush-like flattening."""

from __future__ import annotations

import cv2
import numpy as np

from training.scenery import Picture


def line_art(rng: np.random.Generator, picture: Picture) -> Picture:
    """A manga-like copy without colour: dark lines on white from a difference of blurs, some with flat grey tones."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = cv2.GaussianBlur(grey, (0, 0), float(rng.uniform(0.4, 0.8)))
    wide = cv2.GaussianBlur(grey, (0, 0), float(rng.uniform(1.2, 2.2)))
    lines = np.clip(1 - (wide - fine - rng.uniform(0.5, 3)) / rng.uniform(4, 12), 0, 1)
    if rng.random() < 0.6:
        steps = int(rng.integers(2, 5))
        tone = np.round(wide / 255 * steps) / steps
        lines = np.minimum(lines, np.clip(tone + rng.uniform(0.0, 0.4), 0, 1))
    return np.asarray(cv2.cvtColor((255 * lines).astype(np.uint8), cv2.COLOR_GRAY2RGB), np.uint8)


def flattened(rng: np.random.Generator, picture: Picture) -> Picture:
    """Few tones and smooth patches, as painted or filtered backgrounds have them."""
    if rng.random() < 0.5:
        picture = cv2.bilateralFilter(picture, 5, float(rng.uniform(20, 80)), 3)
    else:
        picture = cv2.medianBlur(picture, int(rng.choice([3, 5])))
    if rng.random() < 0.5:
        step = int(rng.integers(12, 48))
        picture = (picture // step * step + step // 2).clip(0, 255).astype(np.uint8)
    return picture


def painted(rng: np.random.Generator, picture: Picture) -> Picture:
    """Makes a photograph or drawing look like painted scenery: smooth strokes, inked edges, evening, night, blur."""
    pick = rng.random()
    if pick < 0.3:
        reach, keep = float(rng.uniform(5, 40)), float(rng.uniform(0.15, 0.6))
        picture = cv2.edgePreservingFilter(picture, flags=cv2.RECURS_FILTER, sigma_s=reach, sigma_r=keep)
    elif pick < 0.5:
        picture = cv2.medianBlur(picture, int(rng.choice([3, 5, 7])))
    elif pick < 0.7:
        picture = flattened(rng, picture)
    if rng.random() < 0.25:
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        inked = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 7, rng.uniform(4, 12))
        weight = rng.uniform(0.2, 0.7) * (1 - inked.astype(np.float32) / 255)[..., None]
        picture = (picture * (1 - weight)).astype(np.uint8)
    if rng.random() < 0.3:
        hues = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV).astype(np.float32) * (1, rng.uniform(0.5, 1.8), 1)
        picture = cv2.cvtColor(np.clip(hues, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB)
    if rng.random() < 0.25:  # night is blue, evening orange
        light = np.array([0.45, 0.55, 0.85] if rng.random() < 0.5 else [1.15, 0.85, 0.6]) * rng.uniform(0.7, 1.1)
        picture = np.clip(picture * light, 0, 255).astype(np.uint8)
    if rng.random() < 0.12:
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.8, 4)))
    return np.asarray(picture, np.uint8)


def spoil(rng: np.random.Generator, picture: Picture, *, grey: float, lines: float) -> Picture:
    """Brightness, tint, blur, grain and compression of the whole canvas; shares of `grey` ones and line drawings."""
    if rng.random() < 0.4:
        tint = rng.uniform(0.7, 1.15, 3) * rng.uniform(0.6, 1.2)
        picture = np.clip(picture * tint + rng.normal(0, 8), 0, 255).astype(np.uint8)
    if rng.random() < 0.08:
        picture = flattened(rng, picture)
    pick = rng.random()
    if pick < lines:
        picture = line_art(rng, picture)
    elif pick < lines + grey:
        picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.3, 1.0)))
    if rng.random() < 0.2:
        picture = np.clip(picture + rng.normal(0, rng.uniform(2, 10), picture.shape), 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        done, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))])
        again = cv2.imdecode(packed, cv2.IMREAD_COLOR) if done else None
        picture = picture if again is None else again
    return picture
