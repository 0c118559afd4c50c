"""Tags of drawings of `training.redrawn`: the truth for the tag head."""

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

_NEAR = 1.25  # a second colour name is also correct if it is almost as close


def truth(what: Plan, *, tone: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Labels [tags] of 0 and 1, and which of them are known [tags]: closed eyes have no colour."""
    appearance, pose = what.appearance, what.pose
    seen = set(appearance.tags) & set(TAGS)
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
    is_labelled = np.ones(len(TAGS), np.float32)
    for index, name in enumerate(TAGS):
        if name in EYE_TAGS and shut:
            is_labelled[index] = 0.0
        if name == "blush" and 0.3 < pose.blush < 0.8:
            is_labelled[index] = 0.0
        if name in ("open_mouth", "closed_mouth") and pose.mouth == "small" and pose.talk == 0:
            is_labelled[index] = 0.0
    return answers, is_labelled


def names_of(colour: Colour, table: dict[str, Colour]) -> list[str]:
    """The names of the closest colour of a table in LAB and of those almost as close."""
    distance = {name: float(np.linalg.norm(lab(colour) - lab(other))) for name, other in table.items()}
    distance_min = min(distance.values())
    return [name for name, far in distance.items() if far <= max(distance_min * _NEAR, distance_min + 1.0)]


def lab(colour: Colour) -> NDArray[np.float32]:
    """CIELAB [3] of an RGB colour of 0..255."""
    return np.asarray(cv2.cvtColor(np.array([[colour]], np.float32) / 255.0, cv2.COLOR_RGB2LAB)[0, 0], np.float32)
