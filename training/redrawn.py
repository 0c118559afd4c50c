"""One person redrawn by many hands: drawn heads with continuous colours, and crops changed as another artist might.

What a person keeps (hair, eyes, skin, hair style) belongs to the identity's number; shades, line, proportions, light,
clothes and paper belong to each drawing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from annotate.algorithms.face_features import cut_head
from demo_film.backgrounds import random_background
from demo_film.canvas import Canvas
from demo_film.cast import ACCESSORIES, FRINGES, Appearance, Pose, pick, random_appearance, random_outfit, random_pose
from demo_film.characters import Light, draw_person
from demo_film.palette import EYES, HAIR, SKIN, Colour

Pixels = NDArray[np.uint8]
FloatArray = NDArray[np.float32]
Box = tuple[float, float, float, float]

DRAWN_PX = 96
HEAD_PX = 64
OWN = "own"  # a name for the person's own colour in the palette's tables while it is drawn
# Difference between two artists' shades of a colour, in LAB (lightness, green-red, blue-yellow).
SHADE_HAIR = (7.0, 4.0, 5.0)
SHADE_EYES = (8.0, 6.0, 7.0)
SHADE_SKIN = (3.0, 2.0, 3.0)
# Boxes of detectors are inexact: shifted by a share of the face's width, and smaller or larger.
BOX_NOISE = 0.05
SCALE_NOISE = 0.12


@dataclass(frozen=True)
class Somebody:
    """What stays the same in all drawings of one person."""

    appearance: Appearance
    hair: Colour
    eyes: Colour
    skin: Colour
    tone: float  # how dark skin is, 0 fair to 1


def somebody(identity: int) -> Somebody:
    """The person of a number, with named colours and ones between them."""
    random = np.random.default_rng([identity, 7013])
    appearance = random_appearance(random)
    hair = _between(random, HAIR, appearance.hair, (10.0, 7.0, 8.0))
    eyes = _between(random, EYES, appearance.eyes, (10.0, 9.0, 9.0))
    tone = float(random.choice([0.0, 0.15, 0.3, 0.8], p=[0.45, 0.3, 0.17, 0.08]))
    skin = _shifted(random, _mixed(SKIN["fair"], SKIN["dark"], tone), (2.0, 1.5, 2.0))
    return Somebody(appearance, hair, eyes, skin, tone)


@dataclass(frozen=True)
class Plan:
    """The content of one drawing of a person."""

    appearance: Appearance
    hair: Colour
    eyes: Colour
    skin: Colour
    pose: Pose


def plan(random: np.random.Generator, who: Somebody) -> Plan:
    """The next drawing of a person: clothes, shades, view and expression."""
    appearance = _worn(random, who.appearance)
    hair = _shifted(random, who.hair, SHADE_HAIR)
    eyes = _shifted(random, who.eyes, SHADE_EYES)
    skin = _shifted(random, who.skin, SHADE_SKIN)
    pose = random_pose(random, back_views=False)
    if abs(pose.yaw) > 60 and random.random() < 0.6:  # profiles are rarer in illustrations than in films
        pose = replace(pose, yaw=pose.yaw * 0.45)
    return Plan(appearance, hair, eyes, skin, pose)


def redraw(random: np.random.Generator, who: Somebody, *, px: int = HEAD_PX) -> Pixels:
    """One drawing of a person in its own style: a head crop uint8 RGB [px, px, 3] with the content of `plan`."""
    what = plan(random, who)
    appearance = replace(what.appearance, hair=OWN, eyes=OWN, skin=OWN)
    HAIR[OWN], EYES[OWN], SKIN[OWN] = what.hair, what.eyes, what.skin
    try:
        canvas = Canvas(_paper(random), ss=2)
        unit = DRAWN_PX / 2 / (2.2 * float(random.uniform(0.9, 1.15)))
        x, y = (float(value) for value in DRAWN_PX / 2 + random.normal(0, 0.03, 2) * DRAWN_PX)
        drawn = draw_person(canvas, appearance, what.pose, x=x, y=y - 2.0, unit=unit, light=Light())
        picture = canvas.finish()
    finally:
        del HAIR[OWN], EYES[OWN], SKIN[OWN]
    if drawn.face is None:
        raise ValueError("a head from behind was drawn")
    return by_hand(random, cut_head(picture, missed(random, drawn.face), side_px=px))


def by_hand(random: np.random.Generator, head: Pixels) -> Pixels:
    """A head crop uint8 RGB [n, n, 3] as another hand, film or scanner would give it; regions keep their hue."""
    head = _warped(random, head)
    if random.random() < 0.5:
        head = _lines(random, head)
    out = _light(random, head)
    return _worn_down(random, out)


def recoloured(random: np.random.Generator, head: Pixels) -> Pixels:
    """The same head with another shade for each of its areas of one colour."""
    lab = cv2.cvtColor(head.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)
    small = cv2.resize(lab, (24, 24), interpolation=cv2.INTER_AREA).reshape(-1, 3)
    centres = small[random.permutation(len(small))[:6]]
    for _ in range(4):
        nearest = ((small[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
        for index in range(len(centres)):
            if (nearest == index).any():
                centres[index] = small[nearest == index].mean(axis=0)
    shifts = random.normal(0.0, (5.0, 3.0, 4.0), (len(centres), 3)).astype(np.float32)
    distance = ((lab.reshape(-1, 1, 3) - centres[None]) ** 2).sum(axis=2)
    share = np.exp(-(distance - distance.min(axis=1, keepdims=True)) / 200.0)
    share /= share.sum(axis=1, keepdims=True)
    return _bytes(cv2.cvtColor(lab + (share @ shifts).reshape(lab.shape).astype(np.float32), cv2.COLOR_LAB2RGB) * 255.0)


def _worn(random: np.random.Generator, appearance: Appearance) -> Appearance:
    """Mostly the usual clothes and hair; strands, chin and eyes as the hand draws them."""
    if random.random() < 0.5:
        appearance = replace(appearance, outfit=random_outfit(random, boy=appearance.boy))
    if random.random() < 0.25:
        appearance = replace(appearance, accessory=pick(random, ACCESSORIES))
    if random.random() < 0.12 and not appearance.boy:
        appearance = replace(appearance, fringe=pick(random, FRINGES))
    if random.random() < 0.35:
        appearance = replace(appearance, eye_shape=pick(random, ("round", "sharp", "droopy")))
    chin = float(np.clip(appearance.chin * 0.5 + random.normal(0, 0.04), -0.1, 0.1))
    return replace(appearance, locks=int(random.integers(1 << 30)), chin=chin)


def _paper(random: np.random.Generator) -> Pixels:
    kind = random.random()
    if kind < 0.5:
        return random_background(random, (DRAWN_PX, DRAWN_PX))
    paper = np.full((DRAWN_PX, DRAWN_PX, 3), 255, np.uint8)
    if kind < 0.75:
        paper[:] = random.integers(40, 256, 3)
    return paper


def missed(random: np.random.Generator, box: Box) -> Box:
    """The box as a detector might find it: moved, larger or smaller."""
    edges = np.array(box)
    middle, half = (edges[:2] + edges[2:]) / 2, (edges[2:] - edges[:2]) / 2 * np.exp(random.normal(0.0, SCALE_NOISE))
    edges = np.concatenate([middle - half, middle + half]) + random.normal(0, BOX_NOISE, 4) * (edges[2] - edges[0])
    left, top, right, bottom = (float(value) for value in edges)
    return left, top, right, bottom


def _warped(random: np.random.Generator, head: Pixels) -> Pixels:
    """Other proportions: larger or smaller eyes, a longer or wider face, a bend of everything."""
    side = head.shape[0]
    axis = (np.arange(side, dtype=np.float32) + 0.5) / side
    across, down = np.meshgrid(axis, axis)
    x, y = across.copy(), down.copy()
    growth = float(random.normal(0.0, 0.14))
    for eye in (0.37, 0.63):
        nearest = np.exp(-(((across - eye) / 0.11) ** 2 + ((down - 0.67) / 0.10) ** 2))
        x -= growth * nearest * (across - eye)
        y -= growth * nearest * (down - 0.67)
    stretch = np.exp(random.normal(0.0, 0.05, 2))
    x, y = 0.5 + (x - 0.5) * stretch[0], 0.6 + (y - 0.6) * stretch[1]
    bend = cv2.resize(
        random.normal(0.0, 0.012, (4, 4, 2)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC
    )
    maps = ((x + bend[:, :, 0]) * side - 0.5).astype(np.float32), ((y + bend[:, :, 1]) * side - 0.5).astype(np.float32)
    return np.asarray(cv2.remap(head, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _lines(random: np.random.Generator, head: Pixels) -> Pixels:
    """Heavier or fainter lines."""
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    other = cv2.erode(head, cross) if random.random() < 0.5 else cv2.dilate(head, cross)
    share = float(random.uniform(0.2, 0.8))
    return np.asarray(cv2.addWeighted(np.asarray(other, np.uint8), share, head, 1 - share, 0), np.uint8)


def _light(random: np.random.Generator, head: Pixels) -> FloatArray:
    """Soft shadows, the tone curve, the strength of colours and the tint of the light; 0..255."""
    side = head.shape[0]
    soft = cv2.resize(random.normal(0.0, 0.09, (3, 3)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    out = (head.astype(np.float32) / 255.0) ** float(np.exp(random.normal(0.0, 0.18)))
    out *= np.exp(soft)[:, :, None]
    grey = out.mean(axis=2, keepdims=True)
    out = grey + (out - grey) * float(np.exp(random.normal(0.0, 0.22)))
    tint = np.exp(random.normal(0.0, 0.03 if random.random() < 0.85 else 0.10, 3)).astype(np.float32)
    return np.asarray(np.clip(out * tint * 255.0, 0.0, 255.0), np.float32)


def _worn_down(random: np.random.Generator, head: FloatArray) -> Pixels:
    """Blur, grain and compression."""
    if random.random() < 0.4:
        head = np.asarray(cv2.GaussianBlur(head, (0, 0), float(random.uniform(0.3, 1.0))), np.float32)
    if random.random() < 0.3:
        head = head + random.normal(0.0, float(random.uniform(1.0, 6.0)), head.shape).astype(np.float32)
    out = _bytes(head)
    if random.random() < 0.4:
        quality = int(random.integers(30, 90))
        data: Any = cv2.imencode(".jpg", out[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        out = np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[:, :, ::-1])
    return out


def _between(random: np.random.Generator, table: dict[str, Colour], name: str, spread: tuple[float, ...]) -> Colour:
    """A colour of the table, often part of the way to another one, and off by a little."""
    names = [key for key in table if key != OWN]
    colour = table[name]
    if random.random() < 0.35:
        colour = _mixed(colour, table[names[int(random.integers(len(names)))]], float(random.uniform(0.0, 0.5)))
    return _shifted(random, colour, spread)


def _mixed(a: Colour, b: Colour, share: float) -> Colour:
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)


def _shifted(random: np.random.Generator, colour: Colour, spread: tuple[float, ...]) -> Colour:
    lab = cv2.cvtColor(np.array([[colour]], np.float32) / 255.0, cv2.COLOR_RGB2LAB)
    lab += random.normal(0.0, spread, 3).astype(np.float32)
    lab[..., 0] = np.clip(lab[..., 0], 4, 98)
    r, g, b = (float(v) for v in np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)[0, 0] * 255.0, 0.0, 255.0))
    return r, g, b


def _bytes(values: Any) -> Pixels:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
