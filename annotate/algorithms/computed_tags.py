"""Tags computed from pixels and face boxes without a network, each with a score from 0 to 1 (Danbooru names).

Uses only NumPy and OpenCV, no models and no database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from annotate.algorithms.colour_names import BACKGROUNDS, lab_of
from annotate.algorithms.face_colours import FaceColours, face_colours
from annotate.algorithms.face_features import Box

ByteArray = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]

COMPUTED_VERSION = "computed-tags-2"
SCORE_MIN = 0.35
THUMB_SIDE_PX = 192  # pictures are judged as a whole at this longer side

# Danbooru adds these by size alone.
LOWRES_SIDE_MAX, HIGHRES, ABSURDRES = 500, (1600, 1200), (3200, 2400)
WIDE_RATIO_MIN, WIDE_SIDE_MIN = 4.0, 1024

GREY_CHROMA_MAX = 6.0  # LAB steps; JPEG leaves some colour in grey drawings
GREY_RANGE_MIN = 12.0  # LAB steps from the dark to the light parts: a black or faded picture has no colours to judge
# A picture of one ink: at each lightness one colour, and this far from it at most (LAB steps; middle and nearly all).
INK_DEVIATIONS_MAX = (1.6, 5.0)
INK_CHROMA_MIN = 10.0
INK_LEVELS = 12  # of lightness
# An old photograph, lamplight and a room of wood all have these hues: not said of them.
WARM_HUES = (15.0, 115.0)
PLAIN_DISTANCE_MAX = 7.0  # LAB steps from the border's median that still are the same plain colour
SOLO_FACE_MIN = 0.12  # of the height; in wider shots others turn their backs or are too small to detect
SKIN_SHARE_NO_HUMANS_MAX = 0.004


@dataclass(frozen=True, slots=True)
class Tagged:
    """The computed tags with scores, the number of faces, and the colours of each; none in a monochrome picture."""

    tags: dict[str, float]
    people: int
    colours: tuple[FaceColours, ...] = ()


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
    tags |= background_tags(lab, [_scaled(face, min(scale, 1.0)) for face in faces])
    colours: tuple[FaceColours, ...] = ()
    if "monochrome" not in tags:
        colours = tuple(face_colours(picture, face) for face in faces)
        for of_face in colours:
            for name, score in colour_tags(of_face).items():
                tags[name] = max(tags.get(name, 0.0), score)
    tags |= framing_tags([(face[1] / height, face[3] / height) for face in faces])
    if len(faces) == 1 and (faces[0][3] - faces[0][1]) / height >= SOLO_FACE_MIN:
        tags["solo"] = 0.9
    if not faces and not people_elsewhere:
        tags["no_humans"] = _no_humans(lab)
    return Tagged({name: round(score, 4) for name, score in tags.items() if score >= SCORE_MIN}, len(faces), colours)


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
    """`greyscale` (no colour; Danbooru also calls it `monochrome`) and `monochrome` (one ink) of LAB [h, w, 3]."""
    lightness, colours = lab[..., 0].ravel(), lab[..., 1:].reshape(-1, 2)
    dark, light = np.percentile(lightness, [5, 95])
    if light - dark < GREY_RANGE_MIN:
        return {}
    loud = float(np.percentile(np.hypot(*colours.T), 99))
    if loud <= GREY_CHROMA_MAX:
        sure = 1.0 - 0.5 * loud / GREY_CHROMA_MAX
        return {"greyscale": sure, "monochrome": sure}
    levels = np.clip((lightness - dark) / (light - dark) * INK_LEVELS, 0, INK_LEVELS - 1).astype(int)
    inks = np.array(
        [np.median(colours[levels == n], axis=0) if (levels == n).any() else (0, 0) for n in range(INK_LEVELS)]
    )
    a, b = max(inks, key=lambda ink: float(np.hypot(*ink)))
    hue = float(np.degrees(np.arctan2(b, a))) % 360
    if np.hypot(a, b) < INK_CHROMA_MIN or WARM_HUES[0] <= hue <= WARM_HUES[1]:
        return {}
    deviations = np.percentile(np.hypot(*(colours - inks[levels]).T), [50, 98])
    worst = float(np.max(deviations / INK_DEVIATIONS_MAX))
    return {"monochrome": 1.0 - 0.5 * worst} if worst <= 1.0 else {}


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


def colour_tags(colours: FaceColours) -> dict[str, float]:
    """Return the tags for the colours of one face with their scores."""
    tags = {}
    if colours.hair is not None:
        tags[f"{colours.hair.name}_hair"] = colours.hair.score
    if colours.eyes is not None:
        tags[f"{colours.eyes.name}_eyes"] = colours.eyes.score
    return tags


def _no_humans(lab: FloatArray) -> float:
    """Return the score for no people if no face was detected: skin tones and blank pictures lower it."""
    lightness, a, b = (lab[..., plane] for plane in range(3))
    chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a))
    skin = (lightness > 60) & (chroma > 8) & (chroma < 38) & (hue > 20) & (hue < 75)
    share = float(skin.mean())
    return max(0.0, 1.0 - 0.5 * share / SKIN_SHARE_NO_HUMANS_MAX) if float(lightness.std()) > 5.0 else 0.0


def _rise(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0.0, 1.0))


def _scaled(face: Box, scale: float) -> Box:
    return (face[0] * scale, face[1] * scale, face[2] * scale, face[3] * scale)
