"""Danbooru's colour names for drawn hair, eyes and backgrounds, as soft assignments: every name gets a share."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

# What people call these colours in drawings, as sRGB: light, middle and shadow tones of each name.
HAIR_SAMPLES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "blonde": ((250, 226, 150), (238, 204, 110), (214, 174, 92), (246, 222, 178), (226, 190, 70)),
    "black": ((24, 22, 28), (42, 40, 50), (56, 54, 72), (40, 34, 34), (68, 64, 80)),
    "brown": ((124, 84, 60), (96, 62, 48), (150, 104, 74), (172, 124, 88), (84, 58, 54), (140, 96, 84)),
    "red": ((188, 52, 50), (150, 36, 44), (214, 74, 66), (120, 28, 38), (176, 64, 64)),
    "pink": ((248, 178, 198), (240, 150, 178), (226, 124, 160), (250, 204, 214), (206, 134, 152)),
    "purple": ((150, 112, 188), (116, 80, 150), (182, 150, 214), (90, 62, 120), (134, 90, 160)),
    "blue": ((96, 140, 214), (64, 96, 180), (138, 176, 232), (48, 66, 130), (82, 108, 168)),
    "green": ((108, 172, 120), (70, 130, 84), (150, 204, 146), (52, 94, 66), (124, 176, 92)),
    "grey": ((150, 150, 162), (120, 120, 130), (172, 172, 182), (136, 136, 152)),
    "white": ((244, 244, 248), (228, 228, 238), (212, 214, 226)),
    "orange": ((232, 140, 74), (244, 164, 100), (206, 112, 56), (226, 128, 84)),
    "aqua": ((120, 208, 212), (86, 184, 192), (160, 228, 226), (60, 150, 160), (94, 176, 168)),
}
# Where the colour of an iris lies in LAB once skin, whites and lines are left out, as `computed_tags` does it: medians
# over drawn heads in white light. Lights and lashes make them duller and bluer than the paint.
EYE_POINTS: dict[str, tuple[float, float, float]] = {
    "blue": (45, 7, -32),
    "red": (42, 27, 0),
    "green": (52, -4, -3),
    "purple": (44, 23, -31),
    "brown": (50, 13, 0),
    "yellow": (57, 4, 18),
    "aqua": (56, -8, -12),
    "pink": (48, 26, -12),
    "orange": (45, 16, 10),
}
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


HAIR = ColourNames.of_rgb(HAIR_SAMPLES)
EYES = ColourNames({name: np.array([point], np.float32) for name, point in EYE_POINTS.items()}, softness=7.0)
BACKGROUNDS = ColourNames.of_rgb(BACKGROUND_SAMPLES)
