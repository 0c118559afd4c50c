"""Tags computed from pixels and face boxes without a network, each with a score from 0 to 1 (Danbooru names).

Uses only NumPy and OpenCV, no models and no database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from annotate.algorithms.colour_names import BACKGROUNDS, EYES, HAIR, lab_of
from annotate.algorithms.face_features import Box, cut_head, in_white_light

ByteArray = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]

COMPUTED_VERSION = "computed-tags-1"
SCORE_MIN = 0.35
HEAD_PX = 96  # of the head crop that hair and eyes are judged on
THUMB_SIDE_PX = 192  # pictures are judged as a whole at this longer side

# Danbooru adds these by size alone.
LOWRES_SIDE_MAX, HIGHRES, ABSURDRES = 500, (1600, 1200), (3200, 2400)
WIDE_RATIO_MIN, WIDE_SIDE_MIN = 4.0, 1024

GREY_CHROMA_MAX = 6.0  # LAB steps; JPEG leaves some colour in grey drawings
ONE_HUE_SPREAD_MAX = 0.06  # 1 - resultant length of the hues
PLAIN_DISTANCE_MAX = 7.0  # LAB steps from the border's median that still are the same plain colour
SKIN_SHARE_NO_HUMANS_MAX = 0.004
EYES_SHUT_MAX = 0.02  # share of the eye windows with an eye's paint
IRIS_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Tagged:
    """The computed tags with scores, and the number of faces."""

    tags: dict[str, float]
    people: int


def computed_tags(
    picture: ByteArray,
    faces: Sequence[Box],
    *,
    size: tuple[int, int] | None = None,
    people_elsewhere: bool = False,
) -> Tagged:
    """Tag a uint8 RGB picture [h, w, 3] with the boxes of its faces in pixels.

    `size` is the width and height of the original when `picture` is a smaller copy. `people_elsewhere` says that other
    pictures of the same shot show faces: then the lack of one here proves nothing.
    """
    height, width = picture.shape[:2]
    tags = dict(size_tags(*(size or (width, height))))
    scale = THUMB_SIDE_PX / max(width, height)
    thumb = picture
    if scale < 1:
        shape = (max(1, round(width * scale)), max(1, round(height * scale)))
        thumb = np.asarray(cv2.resize(picture, shape, interpolation=cv2.INTER_AREA), np.uint8)
    lab = lab_of(thumb.reshape(-1, 3)).reshape(*thumb.shape[:2], 3)
    tags |= colour_range_tags(lab)
    colourless = tags.get("monochrome", 0.0)
    tags |= background_tags(lab, [_scaled(face, min(scale, 1.0)) for face in faces])
    for face in faces:
        for name, score in face_colour_tags(cut_head(picture, face, side_px=HEAD_PX)).items():
            tags[name] = max(tags.get(name, 0.0), score * (1.0 - colourless))
    tags |= framing_tags([(face[1] / height, face[3] / height) for face in faces])
    if len(faces) == 1:
        tags["solo"] = 0.9
    if not faces and not people_elsewhere:
        tags["no_humans"] = _no_humans(lab)
    return Tagged({name: round(score, 4) for name, score in tags.items() if score >= SCORE_MIN}, len(faces))


def size_tags(width: int, height: int) -> dict[str, float]:
    """Return the tags for the size of the original in pixels."""
    tags = []
    if width <= LOWRES_SIDE_MAX and height <= LOWRES_SIDE_MAX:
        tags.append("lowres")
    if width >= HIGHRES[0] or height >= HIGHRES[1]:
        tags.append("highres")
    if width >= ABSURDRES[0] or height >= ABSURDRES[1]:
        tags.append("absurdres")
    if width >= WIDE_SIDE_MIN and width >= WIDE_RATIO_MIN * height:
        tags.append("wide_image")
    if height >= WIDE_SIDE_MIN and height >= WIDE_RATIO_MIN * width:
        tags.append("tall_image")
    return dict.fromkeys(tags, 1.0)


def colour_range_tags(lab: FloatArray) -> dict[str, float]:
    """`greyscale` (no colour; Danbooru also calls it `monochrome`) and `monochrome` (one hue) of LAB [h, w, 3]."""
    a, b = lab[..., 1].ravel(), lab[..., 2].ravel()
    chroma = np.hypot(a, b)
    loud = float(np.percentile(chroma, 99))
    if loud <= GREY_CHROMA_MAX:
        sure = 1.0 - 0.5 * loud / GREY_CHROMA_MAX
        return {"greyscale": sure, "monochrome": sure}
    # A faded or dark picture has few hues too: only a clearly tinted one counts.
    weights = np.where(chroma > 3.0, chroma, 0.0)
    if weights.sum() <= 0 or (chroma > 3.0).mean() < 0.3:
        return {}
    spread = 1.0 - float(np.hypot(a[chroma > 3.0].sum(), b[chroma > 3.0].sum()) / weights.sum())
    if spread >= ONE_HUE_SPREAD_MAX or float(np.std(lab[..., 0])) < 4.0:
        return {}
    return {"monochrome": 1.0 - 0.5 * spread / ONE_HUE_SPREAD_MAX}


def background_tags(lab: FloatArray, faces: Sequence[Box]) -> dict[str, float]:
    """`simple_background` and its colour when the border (but for the lower edge, where bodies stand) is plain."""
    height, width = lab.shape[:2]
    edge = max(2, round(0.06 * min(height, width)))
    border = np.zeros((height, width), bool)
    border[:edge] = True
    border[: int(height * 0.6), :edge] = True
    border[: int(height * 0.6), -edge:] = True
    for left, top, right, bottom in faces:  # hair may reach the border
        grow_x, grow_y = 0.5 * (right - left), 0.6 * (bottom - top)
        rows = slice(max(0, int(top - grow_y)), max(0, int(bottom + grow_y)))
        border[rows, max(0, int(left - grow_x)) : max(0, int(right + grow_x))] = False
    pixels = lab[border]
    if len(pixels) < 50:
        return {}
    middle = np.median(pixels, axis=0).astype(np.float32)
    flat_share = float((np.linalg.norm(pixels - middle, axis=1) <= PLAIN_DISTANCE_MAX).mean())
    flat_share_everywhere = float((np.linalg.norm(lab.reshape(-1, 3) - middle, axis=1) <= PLAIN_DISTANCE_MAX).mean())
    # Without a subject before it there is no background: the picture is a blank, or a sky.
    if flat_share < 0.9 or flat_share_everywhere < 0.15 or (not faces and flat_share_everywhere > 0.98):
        return {}
    score = min(1.0, (flat_share - 0.8) / 0.2)
    shares = BACKGROUNDS.shares(middle[None])[0]
    best = int(shares.argmax())
    return {"simple_background": score, f"{BACKGROUNDS.names[best]}_background": score * float(shares[best])}


def framing_tags(faces: Sequence[tuple[float, float]]) -> dict[str, float]:
    """`close-up`, `portrait` or `upper_body` from the tallest face's top and bottom as fractions of the height."""
    if not faces:
        return {}
    top, bottom = max(faces, key=lambda face: face[1] - face[0])
    face = max(bottom - top, 1e-6)
    below = (1.0 - bottom) / face  # how many face heights of body there is room for
    close = _rise(face, 0.40, 0.55)
    portrait = _rise(face, 0.20, 0.30) * (1.0 - close) * (1.0 - _rise(below, 1.1, 1.7))
    upper = _rise(face, 0.10, 0.14) * _rise(below, 1.1, 1.7) * (1.0 - _rise(below, 3.0, 4.0)) * (1.0 - close)
    return {"close-up": close, "portrait": portrait, "upper_body": upper}


def face_colour_tags(head: ByteArray) -> dict[str, float]:
    """Hair and eye colour of a square head crop as `cut_head` gives it (uint8 RGB, 64 pixels or more)."""
    side = head.shape[0]
    lab = lab_of(in_white_light(head).reshape(-1, 3)).reshape(side, side, 3)
    skin = np.median(_window(lab, 0.5, 0.77, 0.14, 0.05), axis=0).astype(np.float32)
    hair = np.concatenate([_window(lab, 0.5, 0.24, 0.20, 0.09), _window(lab, 0.5, 0.42, 0.20, 0.07)])
    hair = _unlike_skin(hair, skin)
    shares = HAIR.shares(hair).mean(axis=0)
    best = int(shares.argmax())
    tags = {f"{HAIR.names[best]}_hair": float(shares[best])} | _eye_tags(lab, skin, np.median(hair, axis=0))
    return {name: score for name, score in tags.items() if score >= SCORE_MIN}


def _unlike_skin(pixels: FloatArray, skin: FloatArray) -> FloatArray:
    distance = np.linalg.norm((pixels - skin) * np.array([0.5, 1, 1], np.float32), axis=1)
    pixels_left = pixels[distance > 10.0]
    return pixels_left if len(pixels_left) >= 0.25 * len(pixels) else pixels  # else hair in the colour of skin


def _eye_tags(lab: FloatArray, skin: FloatArray, hair: npt.NDArray[Any]) -> dict[str, float]:
    """Eye colour from the pixels of both eyes that are neither skin nor its shadow, nor white, and rather not hair."""
    eyes = np.concatenate([_window(lab, 0.37, 0.655, 0.085, 0.075), _window(lab, 0.63, 0.655, 0.085, 0.075)])
    flat = np.array([0.5, 1, 1], np.float32)
    chroma = np.hypot(eyes[:, 1], eyes[:, 2])
    # The shadow of skin is skin's colour, weaker as it darkens; what deviates from it is paint of the eye.
    shadow = skin[None, 1:] * np.clip(eyes[:, :1] / max(float(skin[0]), 1.0), 0.3, 1.1)
    deviation = np.linalg.norm(eyes[:, 1:] - shadow, axis=1)
    coloured = (chroma > 10) & (eyes[:, 0] > 20)
    unlike_skin = np.linalg.norm((eyes - skin) * flat, axis=1) > 14
    weight = np.minimum(deviation, chroma) * (coloured & unlike_skin & (eyes[:, 0] < 88))
    # Brown and orange eyes have the hue of skin, but are darker than any shadow on a face.
    weight = np.maximum(weight, 0.6 * chroma * (coloured & (eyes[:, 0] < 0.62 * skin[0])))
    weight *= np.where(np.linalg.norm((eyes - hair) * flat, axis=1) < 12, 0.25, 1.0)
    clear = float((weight > 4).mean())
    if clear < EYES_SHUT_MAX:
        return {}
    strongest = np.argsort(-weight, kind="stable")[: max(6, round(IRIS_SHARE * len(eyes)))]
    colour = (eyes[strongest] * weight[strongest, None]).sum(axis=0) / weight[strongest].sum()
    shares = EYES.shares(colour[None].astype(np.float32))[0]
    best = int(shares.argmax())
    return {f"{EYES.names[best]}_eyes": float(shares[best]) * min(1.0, clear / IRIS_SHARE)}


def _no_humans(lab: FloatArray) -> float:
    """Return the score for no people if no face was detected: skin tones and blank pictures lower it."""
    lightness, a, b = (lab[..., plane] for plane in range(3))
    chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a))
    skin = (lightness > 60) & (chroma > 8) & (chroma < 38) & (hue > 20) & (hue < 75)
    share = float(skin.mean())
    return max(0.0, 1.0 - 0.5 * share / SKIN_SHARE_NO_HUMANS_MAX) if float(lightness.std()) > 5.0 else 0.0


def _window(lab: FloatArray, x: float, y: float, half_x: float, half_y: float) -> FloatArray:
    height, width = lab.shape[:2]
    rows = slice(max(0, round((y - half_y) * height)), max(1, round((y + half_y) * height)))
    columns = slice(max(0, round((x - half_x) * width)), max(1, round((x + half_x) * width)))
    return lab[rows, columns].reshape(-1, 3)


def _rise(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0.0, 1.0))


def _scaled(face: Box, scale: float) -> Box:
    return (face[0] * scale, face[1] * scale, face[2] * scale, face[3] * scale)
