"""Which tags a drawing of `training.redrawn` shows: the truth that the tag head learns from."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from demo_film.palette import EYES, HAIR, Colour
from training.redrawn import Plan

HAIR_TAGS = tuple(f"{name}_hair" for name in HAIR)
EYE_TAGS = tuple(f"{name}_eyes" for name in EYES)
STYLE_TAGS = (
    "short_hair", "medium_hair", "long_hair", "bob_cut", "twintails", "low_twintails", "ponytail", "side_ponytail",
    "double_bun", "blunt_bangs", "swept_bangs", "parted_bangs",
)  # fmt: skip
WORN_TAGS = ("glasses", "hairclip", "hair_ribbon", "hair_flower", "hairband", "dark_skin")
FACE_TAGS = ("closed_eyes", "open_mouth", "closed_mouth", "smile", "blush", "profile")
TAGS = (*HAIR_TAGS, *EYE_TAGS, *STYLE_TAGS, *WORN_TAGS, *FACE_TAGS)

_NEAR = 1.25  # a second colour name is right too when it lies nearly as near


def truth(what: Plan, *, tone: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Right answers [tags] of 0 and 1, and which of them are asked [tags]: eyes that are shut have no colour."""
    look, pose = what.look, what.pose
    seen = set(look.tags) & set(TAGS)
    seen = {name for name in seen if not name.endswith(("_hair", "_eyes")) or name in STYLE_TAGS}
    seen |= {f"{name}_hair" for name in names_of(what.hair, HAIR)}
    seen |= {f"{name}_eyes" for name in names_of(what.eyes, EYES)}
    shut = pose.eyes < 0.1 or pose.smiling_eyes
    opened = pose.talk > 0 or pose.mouth in ("open", "laugh", "grin", "small")
    seen |= {"closed_eyes"} if shut else set()
    seen |= {"open_mouth"} if opened else {"closed_mouth"}
    seen |= {"smile"} if pose.mouth in ("smile", "laugh", "grin") else set()
    seen |= {"blush"} if pose.blush >= 0.8 else set()
    seen |= {"profile"} if abs(pose.yaw) >= 65 else set()
    seen = seen - {"dark_skin"} | ({"dark_skin"} if tone > 0.6 else set())
    answers = np.array([name in seen for name in TAGS], np.float32)
    asked = np.ones(len(TAGS), np.float32)
    for at, name in enumerate(TAGS):
        if name in EYE_TAGS and shut:
            asked[at] = 0.0
        if name == "blush" and 0.3 < pose.blush < 0.8:
            asked[at] = 0.0
        if name in ("open_mouth", "closed_mouth") and pose.mouth == "small" and pose.talk == 0:
            asked[at] = 0.0
    return answers, asked


def names_of(colour: Colour, table: dict[str, Colour]) -> list[str]:
    """The name of the nearest colour of a table in LAB, and of those nearly as near."""
    distance = {name: float(np.linalg.norm(lab(colour) - lab(other))) for name, other in table.items()}
    least = min(distance.values())
    return [name for name, far in distance.items() if far <= max(least * _NEAR, least + 1.0)]


def lab(colour: Colour) -> NDArray[np.float32]:
    """CIELAB [3] of an RGB colour of 0..255."""
    return np.asarray(cv2.cvtColor(np.array([[colour]], np.float32) / 255.0, cv2.COLOR_RGB2LAB)[0, 0], np.float32)
