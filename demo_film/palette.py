"""Colours: the named hair, eye and cloth colours (names as Danbooru writes them) and how they darken and lighten."""

from __future__ import annotations

Colour = tuple[float, float, float]

HAIR: dict[str, Colour] = {
    "black": (62, 58, 76),
    "brown": (128, 88, 70),
    "blonde": (240, 208, 122),
    "pink": (240, 162, 184),
    "blue": (104, 142, 216),
    "purple": (150, 116, 190),
    "red": (192, 72, 70),
    "green": (112, 174, 128),
    "white": (226, 228, 240),
    "aqua": (126, 208, 214),
    "orange": (232, 142, 84),
    "grey": (158, 160, 176),
}
EYES: dict[str, Colour] = {
    "blue": (62, 128, 214),
    "red": (206, 56, 70),
    "green": (60, 164, 104),
    "purple": (144, 88, 198),
    "brown": (142, 88, 56),
    "yellow": (226, 178, 58),
    "aqua": (52, 180, 192),
    "pink": (224, 96, 148),
    "orange": (226, 122, 50),
}
SKIN: dict[str, Colour] = {
    "fair": (255, 234, 220),
    "light": (253, 225, 205),
    "warm": (246, 210, 182),
    "tan": (222, 172, 138),
    "dark": (166, 116, 90),
}
CLOTH: dict[str, Colour] = {
    "white": (244, 244, 250),
    "navy": (56, 66, 110),
    "grey": (142, 146, 160),
    "black": (58, 58, 72),
    "red": (196, 66, 74),
    "pink": (244, 178, 196),
    "yellow": (246, 214, 122),
    "green": (112, 168, 126),
    "teal": (80, 150, 158),
    "blue": (112, 154, 220),
    "purple": (140, 114, 182),
    "brown": (150, 112, 88),
    "beige": (232, 214, 186),
    "orange": (236, 148, 88),
}


def mix(a: Colour, b: Colour, t: float) -> Colour:
    """`a` at t = 0, `b` at t = 1."""
    return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t)


def shade(c: Colour, strength: float = 1.0) -> Colour:
    """The shadow tone of a colour: darker and towards violet, as cel painters mix it."""
    dark: Colour = (c[0] * 0.70 + 4, c[1] * 0.64 + 2, c[2] * 0.76 + 10)
    return mix(c, dark, strength)


def skin_shade(c: Colour) -> Colour:
    """The shadow tone of skin: warmer than that of cloth."""
    return (c[0] * 0.90, c[1] * 0.77, c[2] * 0.76)


def lighten(c: Colour, t: float = 0.4) -> Colour:
    """A highlight tone."""
    return mix(c, (255, 253, 250), t)


def line(c: Colour) -> Colour:
    """The colour of an outline round a surface of colour `c`."""
    return (c[0] * 0.36 + 8, c[1] * 0.28 + 6, c[2] * 0.36 + 16)
