"""Colours of the hair and the eyes of one drawn face, in the light that falls on its skin; silent where unsure.

Uses only NumPy and OpenCV, no models and no database.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from annotate.algorithms.colour_names import EYES, HAIR, NamedRanges, lab_of
from annotate.algorithms.face_features import Box, cut_head, head_crop_of

ByteArray = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]
Inside = tuple[int, int, int, int]

SIDE_PX = 96  # of the head crop that is measured
FACE_PX_MIN = 20.0  # below this a few pixels would decide

# A light colours skin and hair alike. Skin is painted within a narrow range, so its difference from this RGB is the
# light, in part: the rest may be a tan. Lightness counts less, because a dark skin is no dark light.
SKIN = np.array([250, 224, 206], np.float32)
CHEEKS = (0.5, 0.74, 0.14, 0.07)  # centre x, y, half width, half height in parts of the head crop
LIGHT_RANGE, CAST_RANGE = (0.8, 2.4), (0.6, 1.7)
LIGHT_STRENGTH = 0.7
CAST_STRENGTHS = (0.8, 0.35)  # light alone, and mostly a tan: a name must hold for both

# Where hair is expected: window, weight. Scenery, hats and skin lie in some of them.
HAIR_WINDOWS = (
    ((0.50, 0.22, 0.20, 0.09), 1.2),
    ((0.50, 0.40, 0.20, 0.06), 1.0),
    ((0.14, 0.52, 0.09, 0.14), 0.7),
    ((0.86, 0.52, 0.09, 0.14), 0.7),
)
HAIR_SHARE_MIN = 0.12  # of a window's pixels that are not skin
HAIR_TONES = (0.15, 0.85)  # quantiles of lightness: without outlines and highlights
HAIR_REACH = 14.0  # LAB steps (lightness counts 0.6) within which tones are one colour
HAIR_SUPPORT_MIN = 0.55  # weighted share of the windows that have the colour
SKIN_REACH = 9.0

# Each eye is looked for in this band, near its usual place.
EYE_BAND = (0.52, 0.80)
EYE_PLACES, EYE_Y, EYE_SPREAD = (0.375, 0.625), 0.655, (0.07, 0.055)
EYE_TILT_PX = 5  # how much higher one eye may be
IRIS_RADIUS = (0.062, 0.070)
IRIS_SHARE = 0.3  # of the disc's pixels: those that differ most from skin and its shadow
PIXELS_MIN = 6


@dataclass(frozen=True, slots=True)
class Named:
    """The Danbooru name of a colour (`brown`) with a score from 0 to 1."""

    name: str
    score: float


@dataclass(frozen=True, slots=True)
class FaceColours:
    """Colours of one face; None: not sure."""

    hair: Named | None = None
    eyes: Named | None = None


@dataclass(frozen=True, slots=True)
class EyeLimits:
    """What an eye needs before its colour counts.

    `contrast`: of the eye with its surroundings; `coloured`: share of the disc with an iris's colour; `dark`: share of
    lash and pupil; `white`: share of white around the disc. At most: `hair`, the share in the colour of the hair, and
    `spread` of the iris's pixels in LAB steps.
    """

    contrast: float
    coloured: float
    dark: float
    white: float
    hair: float
    spread: float


# An eye that agrees with the other one, and an eye alone. Shut eyes have little contrast and no white.
AGREEING = EyeLimits(contrast=9, coloured=0.25, dark=0.0, white=0.0, hair=0.45, spread=13)
ALONE = EyeLimits(contrast=16, coloured=0.4, dark=0.12, white=0.03, hair=0.25, spread=8)
OTHER_CONTRAST = 12.0  # an eye without a name that is this clear contradicts, unless its colour is near
OTHER_REACH = 14.0
WHITE_MIN = 0.015
WHITE_MIN_LIKE_HAIR = 0.04  # strands before shut eyes look like eyes in the colour of the hair
ALONE_SCORE = 0.6


@dataclass(frozen=True, slots=True)
class _Eye:
    rgb: FloatArray
    contrast: float
    coloured: float
    dark: float
    white: float
    hair: float
    spread: float

    def meets(self, limits: EyeLimits) -> bool:
        enough = all(getattr(self, name) >= getattr(limits, name) for name in ("contrast", "coloured", "dark", "white"))
        return enough and self.hair <= limits.hair and self.spread <= limits.spread


def face_colours(picture: ByteArray, box: Box) -> FaceColours:
    """Name the colours of the face in `box` (pixels) of a uint8 RGB picture [h, w, 3]."""
    crop = head_crop_of(box)
    height, width = picture.shape[:2]
    scale = SIDE_PX / crop.side
    inside = (
        max(0, round(-crop.left * scale)), max(0, round(-crop.top * scale)),
        min(SIDE_PX, round((width - crop.left) * scale)), min(SIDE_PX, round((height - crop.top) * scale)),
    )  # fmt: skip
    is_small = max(box[2] - box[0], box[3] - box[1]) < FACE_PX_MIN
    return FaceColours() if is_small else head_colours(cut_head(picture, box, side_px=SIDE_PX), inside)


def head_colours(head: ByteArray, inside: Inside = (0, 0, SIDE_PX, SIDE_PX)) -> FaceColours:
    """Name the colours of a head crop by `cut_head` (uint8 RGB [SIDE_PX, SIDE_PX, 3]).

    `inside`: left, top, right and bottom of the part that lies in the picture; the rest repeats its edge.
    """
    lab = lab_of(head.reshape(-1, 3)).reshape(SIDE_PX, SIDE_PX, 3)
    is_inside = np.zeros((SIDE_PX, SIDE_PX), bool)
    is_inside[inside[1] : inside[3], inside[0] : inside[2]] = True
    skin = np.median(_window(lab, CHEEKS).reshape(-1, 3), axis=0).astype(np.float32)
    lights = _lights(head)
    hair, support = _hair(lab, head, is_inside, skin)
    named_hair = None
    if hair is not None and support >= HAIR_SUPPORT_MIN:
        name = _name(HAIR, hair, lights)
        named_hair = Named(name, min(1.0, support)) if name else None
    hair_lab = None if hair is None else lab_of(hair[None])[0]
    return FaceColours(named_hair, _name_eyes(_eyes(lab, head, skin, hair_lab), lights, named_hair))


def _lights(head: ByteArray) -> list[FloatArray]:
    """Return the factors per channel that undo the light, for each of CAST_STRENGTHS."""
    cheeks = _window(head, CHEEKS).reshape(-1, 3).astype(np.float32)
    brightness = cheeks.sum(axis=1)
    low, high = np.quantile(brightness, [0.4, 0.95])
    skin = np.median(cheeks[(brightness >= low) & (brightness <= high)], axis=0)
    gain = SKIN / np.maximum(skin, 8.0)
    light = float(np.exp(np.log(gain).mean()))
    level = np.clip(light, *LIGHT_RANGE) ** LIGHT_STRENGTH
    cast = np.clip(gain / light, *CAST_RANGE)
    return [(level * cast**strength).astype(np.float32) for strength in CAST_STRENGTHS]


def _in_light(rgb: FloatArray, light: FloatArray) -> FloatArray:
    return np.asarray(lab_of(np.clip(rgb * light, 0.0, 255.0)[None])[0], np.float32)


def _name(names: NamedRanges, rgb: FloatArray, lights: list[FloatArray]) -> str:
    """Return the name that a colour has in the first light, "" if it has another one in the second."""
    first, *others = [names.name_of(_in_light(rgb, light)) for light in lights]
    return first if all(other in (first, "") for other in others) else ""


def _hair(lab: FloatArray, head: ByteArray, is_inside: BoolArray, skin: FloatArray) -> tuple[FloatArray | None, float]:
    """Return the RGB of the hair's middle tone and the weighted share of the windows that have it."""
    tones, colours, weights = [], [], []
    for window, weight in HAIR_WINDOWS:
        pixels = _window(lab, window).reshape(-1, 3)
        is_hair = _window(is_inside, window).reshape(-1) & (_distance(pixels, skin, 0.5) > SKIN_REACH)
        share = float(is_hair.mean())
        if share < HAIR_SHARE_MIN:
            continue
        pixels, rgb = pixels[is_hair][::2], _window(head, window).reshape(-1, 3)[is_hair][::2]
        low, high = np.quantile(pixels[:, 0], HAIR_TONES)
        is_middle = (pixels[:, 0] >= low) & (pixels[:, 0] <= high)
        tones.append(pixels[is_middle])
        colours.append(rgb[is_middle])
        weights.append(weight * share)
    best, max_support = None, -1.0
    for candidates in tones:
        middle = np.median(candidates, axis=0)
        shares = [float((_distance(pixels, middle, 0.6) < HAIR_REACH).mean()) for pixels in tones]
        support = sum(share * weight for share, weight in zip(shares, weights, strict=True))
        if support > max_support:
            best, max_support = middle, support
    if best is None:
        return None, 0.0
    has_colour = _distance(np.concatenate(tones), best, 0.6) < HAIR_REACH
    return np.median(np.concatenate(colours)[has_colour], axis=0).astype(np.float32), max_support / sum(weights)


def _eyes(lab: FloatArray, head: ByteArray, skin: FloatArray, hair: FloatArray | None) -> list[_Eye | None]:
    """Locate and measure the left and the right eye."""
    band = slice(round(EYE_BAND[0] * SIDE_PX), round(EYE_BAND[1] * SIDE_PX))
    pixels, rgb = lab[band], head[band]
    y, x = np.mgrid[band, 0:SIDE_PX] / SIDE_PX
    lightness, chroma = pixels[..., 0], np.hypot(pixels[..., 1], pixels[..., 2])
    # The shadow of skin is skin's colour, weaker as it darkens; what deviates from it is paint of the eye.
    shadow = skin[1:] * np.clip(lightness[..., None] / max(float(skin[0]), 1.0), 0.3, 1.1)
    deviation = np.hypot(*np.moveaxis(pixels[..., 1:] - shadow, -1, 0))
    is_hair = np.zeros(lightness.shape, bool) if hair is None else _distance(pixels, hair, 0.5) < 11
    tone = float(np.hypot(skin[1], skin[2]))
    is_white = (lightness > skin[0] - 12) & (deviation > 0.45 * tone + 1) & (chroma < 0.75 * tone + 3)
    strength = np.clip(0.8 * (skin[0] - lightness), 0, 45) + np.minimum(deviation, 35)
    strength = np.where(is_white, 5.0, np.where(is_hair, 0.5 * strength, strength)).astype(np.float32)
    blobs = cv2.GaussianBlur(strength, (0, 0), 3.0) - 0.75 * cv2.GaussianBlur(strength, (0, 0), 8.0)
    nearness = [
        np.exp(-0.5 * (((x - place) / EYE_SPREAD[0]) ** 2 + ((y - EYE_Y) / EYE_SPREAD[1]) ** 2)) for place in EYE_PLACES
    ]
    sides = [np.maximum(blobs, 0.0) * weights for weights in nearness]
    # Both eyes at about the same height.
    left, right = (side.max(axis=1) for side in sides)
    rows = np.arange(len(left))
    together = np.where(np.abs(rows[:, None] - rows) <= EYE_TILT_PX, left[:, None] + right, -1.0)
    places = divmod(int(together.argmax()), len(rows))
    eyes: list[_Eye | None] = []
    for row, side in zip(places, sides, strict=True):
        column = int(side[row].argmax())
        centre_x, centre_y = column / SIDE_PX, round(EYE_BAND[0] * SIDE_PX) / SIDE_PX + row / SIDE_PX
        radius = ((x - centre_x) / IRIS_RADIUS[0]) ** 2 + ((y - centre_y - 0.008) / IRIS_RADIUS[1]) ** 2
        disc = radius <= 1.0
        around = (radius <= 2.6) & (np.abs(y - centre_y) < 0.05)
        is_paint = disc & (lightness > 12) & (lightness < 90) & ~is_white
        if is_paint.sum() < PIXELS_MIN + 2:
            eyes.append(None)
            continue
        paint, paint_chroma = pixels[is_paint], chroma[is_paint]
        weight = np.minimum(deviation[is_paint], paint_chroma) * (paint_chroma > 8)
        # Brown and orange eyes have the hue of skin, but are darker than any shadow on a face.
        is_darker = (paint[:, 0] < 0.66 * skin[0]) & (paint_chroma > 8)
        weight = np.maximum(weight, 0.7 * paint_chroma * is_darker)
        weight[_distance(paint, skin, 0.5) < 13] = 0.0
        weight[is_hair[is_paint]] *= 0.5
        strongest = np.argsort(-weight, kind="stable")[: max(PIXELS_MIN, int(IRIS_SHARE * len(weight)))]
        strongest = strongest[weight[strongest] > 4]
        if len(strongest) < PIXELS_MIN:
            eyes.append(None)
            continue
        hues = paint[strongest, 1:]
        eyes.append(
            _Eye(
                rgb=np.median(rgb[is_paint][strongest].astype(np.float32), axis=0),
                contrast=float(side[row, column]),
                coloured=float((weight > 6).mean()),
                dark=float((lightness < 0.5 * skin[0])[disc].mean()),
                white=float(is_white[around].mean()),
                hair=float(is_hair[disc].mean()),
                spread=float(np.median(np.hypot(*(hues - np.median(hues, axis=0)).T))),
            )
        )
    return eyes


def _name_eyes(eyes: list[_Eye | None], lights: list[FloatArray], hair: Named | None) -> Named | None:
    """Name the colour that both eyes have, or that of the one that can be seen well."""
    names = [_name(EYES, eye.rgb, lights) if eye is not None and eye.meets(AGREEING) else "" for eye in eyes]
    left, right = eyes
    if left is not None and right is not None and names[0] and names[0] == names[1]:
        between = _name(EYES, np.asarray((left.rgb + right.rgb) / 2, np.float32), lights)
        white_min = WHITE_MIN_LIKE_HAIR if hair is not None and hair.name == between else WHITE_MIN
        if between == names[0] and max(left.white, right.white) >= white_min:
            return Named(names[0], 1.0)
    for (eye, name), (other, other_name) in _each_and_other(eyes, names):
        if eye is None or not name or other_name or not eye.meets(ALONE):
            continue
        differs = other is not None and other.meets(AGREEING) and other.contrast >= OTHER_CONTRAST
        if other is None or not differs or _hue_distance(eye, other, lights[0]) < OTHER_REACH:
            return Named(name, ALONE_SCORE)
    return None


def _each_and_other(
    eyes: list[_Eye | None], names: list[str]
) -> Iterator[tuple[tuple[_Eye | None, str], tuple[_Eye | None, str]]]:
    left, right = zip(eyes, names, strict=True)
    yield left, right
    yield right, left


def _hue_distance(eye: _Eye, other: _Eye, light: FloatArray) -> float:
    return float(np.hypot(*(_in_light(eye.rgb, light) - _in_light(other.rgb, light))[1:]))


def _distance(lab: FloatArray, colour: npt.NDArray[Any], lightness: float) -> FloatArray:
    """Distances of LAB [..., 3] from a colour, with lightness weighted."""
    differences = (lab - colour) * np.array([lightness, 1, 1], np.float32)
    return np.asarray(np.sqrt((differences**2).sum(axis=-1)), np.float32)


def _window(plane: npt.NDArray[Any], window: tuple[float, float, float, float]) -> npt.NDArray[Any]:
    x, y, half_x, half_y = window
    rows = slice(max(0, round((y - half_y) * SIDE_PX)), round((y + half_y) * SIDE_PX))
    columns = slice(max(0, round((x - half_x) * SIDE_PX)), round((x + half_x) * SIDE_PX))
    return plane[rows, columns]
