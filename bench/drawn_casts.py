"""Casts of drawn people who are hard to tell apart, as one-shot naming meets them: sisters and equal hair colours.

Of every four people the second is a sister of the first (the same face, eyes and skin under other hair), the third has
the first one's hair colour (in another style, with another face), and the fourth is anybody. Strangers are like
members of the cast in the same two ways, but are never named.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from annotate.algorithms.face_features import cut_head
from demo_film.backgrounds import random_background
from demo_film.canvas import Canvas
from demo_film.cast import ACCESSORIES, BACKS, FRINGES, Appearance, pick, random_appearance, random_outfit, random_pose
from demo_film.characters import Light, draw_person
from demo_film.palette import EYES, HAIR
from training.redrawn import Somebody, missed, redraw

Pixels = NDArray[np.uint8]
PICTURE_PX, HEAD_PX = 160, 96
SHOT_FRAMES = 3  # faces of one shot: the same light, place and clothes
LIGHTS = ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (1.0, 0.87, 0.78), (0.68, 0.72, 0.94), (1.0, 0.97, 0.9))
HOLD_OUT = 100  # casts of seeds below it are for choosing, the others for reporting


@dataclass(frozen=True, slots=True)
class CastFaces:
    """Head crops [N] of a cast and its strangers; `person` [N] numbers the cast from 0, strangers from the cast's size
    on; `shot` [N] says which faces follow each other in one shot."""

    heads: list[Pixels]
    person: NDArray[np.int64]
    shot: NDArray[np.int64]


def cast(seed: int, size: int, *, strangers: int) -> list[Appearance]:
    """The `size` members of a cast and its `strangers`, all different in hair, eyes or style."""
    random = np.random.default_rng([seed, 3307])
    members: list[Appearance] = []
    while len(members) < size:
        first = members[-1 - (len(members) - 1) % 4] if len(members) % 4 else None
        kind = len(members) % 4
        new = random_appearance(random) if first is None or kind == 3 else _like(random, first, sister=kind == 1)
        if all(_differ(new, other) for other in members):
            members.append(new)
    while len(members) < size + strangers:
        index = len(members) - size
        new = _like(random, members[int(random.integers(size))], sister=index % 3 == 0)
        if index % 3 == 2:
            new = random_appearance(random)
        if all(_differ(new, other) for other in members):
            members.append(new)
    return members


def in_films(seed: int, size: int, *, strangers: int, shots: int) -> CastFaces:
    """Each person in `shots` shots of SHOT_FRAMES faces, each with a place, a light and a view of its own."""
    heads, person, shot = list[Pixels](), list[int](), list[int]()
    for number, who in enumerate(cast(seed, size, strangers=strangers)):
        for scene in range(shots):
            random = np.random.default_rng([seed, number, scene, 3308])
            dressed = who if random.random() < 0.6 else replace(who, outfit=random_outfit(random, boy=who.boy))
            tint = LIGHTS[int(random.integers(len(LIGHTS)))]
            place = random_background(random, (PICTURE_PX, PICTURE_PX))
            for _ in range(SHOT_FRAMES):
                heads.append(_drawn(random, dressed, place, Light(tint)))
                person.append(number)
                shot.append(number * shots + scene)
    return CastFaces(heads, np.array(person), np.array(shot))


def by_hands(seed: int, size: int, *, strangers: int, drawings: int) -> CastFaces:
    """Each person in `drawings` drawings by as many hands; each is a shot of its own."""
    heads, person = list[Pixels](), list[int]()
    for number, who in enumerate(cast(seed, size, strangers=strangers)):
        skin = np.random.default_rng([seed, number, 3309])
        body = Somebody(who, HAIR[who.hair], EYES[who.eyes], (253.0, 225.0, 205.0), float(skin.choice([0.0, 0.15])))
        for hand in range(drawings):
            heads.append(redraw(np.random.default_rng([seed, number, hand, 3310]), body))
            person.append(number)
    return CastFaces(heads, np.array(person), np.arange(len(person)))


def _like(random: np.random.Generator, who: Appearance, *, sister: bool) -> Appearance:
    """A sister of `who`, or somebody else with the same hair colour."""
    other = random_appearance(random, boy=False, hair="" if sister else who.hair)
    backs = [back for back in BACKS if back != who.back]
    fringes = [fringe for fringe in FRINGES if fringe != who.fringe]
    accessories = [accessory for accessory in dict.fromkeys(ACCESSORIES) if accessory != who.accessory]
    other = replace(other, back=pick(random, backs), fringe=pick(random, fringes), accessory=pick(random, accessories))
    if not sister:
        return other
    return replace(other, eyes=who.eyes, skin=who.skin, eye_shape=who.eye_shape, chin=who.chin)


def _differ(who: Appearance, other: Appearance) -> bool:
    """Whether two people can be told apart by more than an accessory."""
    names = ("hair", "eyes", "fringe", "back")
    return len([name for name in names if getattr(who, name) != getattr(other, name)]) >= 2


def _drawn(random: np.random.Generator, who: Appearance, place: Pixels, light: Light) -> Pixels:
    canvas = Canvas(place.copy(), ss=2)
    unit = PICTURE_PX / 2 / (2.2 * float(random.uniform(0.9, 1.2)))
    x, y = (float(value) for value in PICTURE_PX * (np.array([0.5, 0.47]) + random.normal(0, 0.03, 2)))
    box = draw_person(canvas, who, random_pose(random, back_views=False), x=x, y=y, unit=unit, light=light).face
    if box is None:
        raise ValueError("a head from behind was drawn")
    return cut_head(canvas.finish(), missed(random, box), side_px=HEAD_PX)
