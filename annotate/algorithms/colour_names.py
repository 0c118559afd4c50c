"""Danbooru's colour names for drawn hair, eyes and backgrounds.

Hair and eyes have a name only where it is sure; of a background, every name gets a share.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

Range = tuple[float, float]
ANY: Range = (0.0, 360.0)
COOL: Range = (255.0, 315.0)  # painters cool their greys

# Ranges of lightness, chroma and hue in degrees (LAB) of flat paint in white light. Between the ranges lies what people
# name differently: light brown and blonde, teal, mauve. There nothing is said. A hue range may pass 360.
HAIR_RANGES: tuple[tuple[str, Range, Range, Range], ...] = (
    ("black", (0, 34), (0, 6), ANY),
    ("black", (0, 32), (0, 14), COOL),
    ("black", (0, 28), (0, 8), ANY),
    ("black", (0, 27), (0, 14), (255, 325)),
    ("grey", (48, 72), (0, 6), ANY),
    ("grey", (48, 73), (0, 14), COOL),
    ("white", (82, 100), (0, 6), ANY),
    ("white", (82, 100), (0, 11), COOL),
    ("brown", (26, 58), (10, 30), (20, 38)),
    ("brown", (26, 58), (10, 42), (38, 85)),
    ("blonde", (68, 100), (17, 90), (70, 110)),
    ("orange", (55, 90), (38, 90), (45, 69)),
    ("red", (28, 60), (33, 90), (5, 38)),
    ("pink", (64, 95), (14, 60), (318, 390)),
    ("purple", (20, 75), (18, 90), (295, 338)),
    ("blue", (22, 66), (18, 90), (240, 289)),
    ("blue", (66, 85), (27, 90), (240, 289)),
    ("blue", (22, 85), (45, 110), (289, 294)),
    ("aqua", (48, 95), (12, 70), (184, 226)),
    ("green", (30, 95), (14, 90), (112, 165)),
)
EYE_RANGES: tuple[tuple[str, Range, Range, Range], ...] = (
    ("blue", (0, 100), (15, 110), (264, 297)),
    ("red", (0, 50), (28, 110), (4, 37)),
    ("green", (0, 100), (13, 110), (102, 168)),
    ("purple", (0, 100), (19, 110), (303, 322)),
    ("brown", (24, 44), (10, 19), (36, 68)),
    ("brown", (24, 40), (19, 28), (36, 68)),
    ("yellow", (40, 100), (20, 110), (73, 90)),
    ("aqua", (0, 100), (13, 110), (183, 240)),
    ("pink", (50, 75), (24, 110), (338, 353)),
    ("orange", (44, 62), (23, 110), (48, 65)),
)
BACKGROUND_SAMPLES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "white": ((255, 255, 255), (246, 246, 246)),
    "black": ((0, 0, 0), (14, 14, 16)),
    "grey": ((128, 128, 128), (190, 190, 190), (70, 70, 74)),
    "red": ((200, 40, 44), (150, 24, 30)),
    "pink": ((250, 190, 206), (236, 130, 168)),
    "purple": ((140, 96, 180), (190, 160, 220)),
    "blue": ((80, 130, 210), (150, 196, 240), (40, 60, 130)),
    "green": ((90, 170, 100), (170, 216, 160), (40, 100, 60)),
    "yellow": ((248, 220, 90), (250, 240, 170)),
    "orange": ((240, 150, 70), (250, 190, 130)),
    "brown": ((130, 90, 60), (90, 60, 44)),
    "aqua": ((110, 210, 214), (170, 234, 234)),
}
# Lightness says less about the name of a colour than hue does: light falls differently in each scene.
LIGHTNESS_WEIGHT = 0.6
SOFTNESS = 9.0


def lab_of(rgb: npt.NDArray[np.uint8] | npt.NDArray[np.float32]) -> FloatArray:
    """Turn RGB rows [N, 3] of 0..255 into CIE LAB rows (L 0..100)."""
    rows = np.asarray(rgb, np.float32).reshape(-1, 1, 3) / 255.0
    return np.asarray(cv2.cvtColor(rows, cv2.COLOR_RGB2LAB), np.float32).reshape(-1, 3)


class NamedRanges:
    """Colour names with the ranges of lightness, chroma and hue that surely have them."""

    def __init__(self, ranges: tuple[tuple[str, Range, Range, Range], ...]) -> None:
        self.names: tuple[str, ...] = tuple(dict.fromkeys(name for name, *_ in ranges))
        self._ranges = ranges

    def name_of(self, lab: FloatArray) -> str:
        """Return the name of a LAB colour [3]; "" between the names."""
        lightness, chroma = float(lab[0]), float(np.hypot(lab[1], lab[2]))
        hue = float(np.degrees(np.arctan2(lab[2], lab[1]))) % 360.0
        for name, (darkest, lightest), (dullest, loudest), (first, last) in self._ranges:
            is_hue = first <= hue <= last or first <= hue + 360.0 <= last
            if darkest <= lightness <= lightest and dullest <= chroma <= loudest and is_hue:
                return name
        return ""


class ColourNames:
    """Colour names with sample colours; assigns every colour a share of each name."""

    def __init__(self, points: dict[str, FloatArray], *, softness: float = SOFTNESS) -> None:
        """`points`: LAB rows a name; `softness`: LAB steps over which one name fades into the next."""
        self.names: tuple[str, ...] = tuple(points)
        self._owner = np.repeat(np.arange(len(points)), [len(rows) for rows in points.values()])
        self._tones = np.concatenate(list(points.values())) * np.array([LIGHTNESS_WEIGHT, 1, 1], np.float32)
        self._softness = softness

    @classmethod
    def of_rgb(cls, samples: dict[str, tuple[tuple[int, int, int], ...]]) -> ColourNames:
        """From sample colours in sRGB."""
        return cls({name: lab_of(np.array(tones, np.uint8)) for name, tones in samples.items()})

    def shares(self, lab: FloatArray) -> FloatArray:
        """Shares [N, names] of LAB rows [N, 3]; each row sums to 1."""
        scaled = lab * np.array([LIGHTNESS_WEIGHT, 1, 1], np.float32)
        squares = ((scaled[:, None, :] - self._tones[None]) ** 2).sum(axis=2)
        nearest = np.stack([squares[:, self._owner == name].min(axis=1) for name in range(len(self.names))], axis=1)
        nearest -= nearest.min(axis=1, keepdims=True)
        weights = np.exp(-nearest / (2 * self._softness**2))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


HAIR = NamedRanges(HAIR_RANGES)
EYES = NamedRanges(EYE_RANGES)
BACKGROUNDS = ColourNames.of_rgb(BACKGROUND_SAMPLES)
