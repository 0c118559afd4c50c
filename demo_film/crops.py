"""Drawn people in random places, for training face detectors and embeddings: pictures with their true boxes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from demo_film.backgrounds import random_background
from demo_film.canvas import Canvas, Pixels
from demo_film.cast import Appearance, random_appearance, random_outfit, random_pose
from demo_film.characters import Box, Drawn, Light, draw_person

IDENTITIES = 1_000_000
_LIGHTS = ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (1.0, 0.87, 0.78), (0.68, 0.72, 0.94), (1.0, 0.97, 0.9))


@dataclass(frozen=True)
class Head:
    """One head: a square picture, the face's box in pixels (None from behind), the identity, view and tags."""

    picture: Pixels
    box: Box | None
    identity: int
    view: str
    tags: list[str]


def identity_appearance(identity: int) -> Appearance:
    """The appearance of an identity number; the same number is always the same person."""
    return random_appearance(np.random.default_rng([identity, 7001]))


def _dressed(rng: np.random.Generator, identity: int) -> Appearance:
    appearance = identity_appearance(identity)
    return replace(appearance, outfit=random_outfit(rng, boy=appearance.boy))


def _light(rng: np.random.Generator) -> Light:
    r, g, b = (float(v) for v in _LIGHTS[int(rng.integers(len(_LIGHTS)))])
    return Light((r, g, b))


def random_head(
    rng: np.random.Generator, px: int, *, identity: int | None = None, back_views: bool = True, room: float = 1.35
) -> Head:
    """A person's head in a square of `px` pixels over a random background; `room`: half the side in skull radii."""
    who = int(rng.integers(IDENTITIES)) if identity is None else identity
    appearance = _dressed(rng, who)
    pose = random_pose(rng, back_views=back_views)
    canvas = Canvas(random_background(rng, (px, px)), ss=2 if px >= 96 else 3)
    unit = px / 2 / (room * float(rng.uniform(0.85, 1.2)))
    x, y = px / 2 + float(rng.normal(0, 0.05)) * px, px * 0.47 + float(rng.normal(0, 0.05)) * px
    drawn = draw_person(canvas, appearance, pose, x=x, y=y, unit=unit, light=_light(rng))
    return Head(canvas.finish(), drawn.face, who, pose.view, appearance.tags)


def _hidden(face: Box, later: list[Drawn]) -> bool:
    """Whether someone drawn later covers a third or more of a face's box."""
    area = (face[2] - face[0]) * (face[3] - face[1])
    for other in later:
        left, top, right, bottom = other.head
        wide = min(face[2], right) - max(face[0], left)
        high = min(face[3], bottom + (right - left)) - max(face[1], top)
        if wide > 0 and high > 0 and wide * high > area * 0.33:
            return True
    return False


def random_scene(
    rng: np.random.Generator, size: tuple[int, int], *, people: int | None = None
) -> tuple[Pixels, list[Box], list[int]]:
    """A picture uint8 RGB of `size` (width, height) with none to four people.

    Returns it with the boxes of the faces that can be seen (pixels, within the picture) and whose they are. Backs of
    heads are drawn and have no box; a face that another person or the picture's edge hides by a third has none either
    and is not drawn on purpose, so that no picture holds an unmarked face that is plainly visible.
    """
    width, height = size
    canvas = Canvas(random_background(rng, size))
    light = _light(rng)
    count = int(rng.choice([0, 1, 2, 3, 4], p=[0.08, 0.4, 0.27, 0.15, 0.1])) if people is None else people
    spots: list[tuple[float, float, float]] = []
    for _ in range(count * 8):
        if len(spots) == count:
            break
        unit = height * float(np.exp(rng.uniform(np.log(0.035), np.log(0.34 if count < 2 else 0.2))))
        x = float(rng.uniform(min(unit, width / 2), max(width - unit, width / 2)))
        y = float(rng.uniform(min(unit * 0.9, height / 2), max(height - unit * 1.3, height / 2)))
        # Keep heads separate and off other faces: nearer people stand lower and are wider than distant ones.
        if all(abs(x - ox) > 1.9 * (unit + ou) * 0.78 for ox, _, ou in spots):
            spots.append((x, y, unit))
    boxes: list[Box] = []
    who: list[int] = []
    drawn: list[tuple[Drawn, int]] = []
    for x, y, unit in sorted(spots, key=lambda s: s[2]):
        identity = int(rng.integers(IDENTITIES))
        pose = random_pose(rng)
        drawn.append((draw_person(canvas, _dressed(rng, identity), pose, x=x, y=y, unit=unit, light=light), identity))
    for i, (crop, identity) in enumerate(drawn):
        if crop.face is None or _hidden(crop.face, [d for d, _ in drawn[i + 1 :]]):
            continue
        left, top, right, bottom = crop.face
        boxes.append((max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height))))
        who.append(identity)
    return canvas.finish(), boxes, who
