"""Selection and size of exported pictures; each one left out has a reason, which is counted and shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from export.algorithms.rows import Picture

Encoding = Literal["png", "webp", "jpeg"]
Format = Literal["original", "png", "webp", "jpeg"]  # original: the source file, if nothing changes it
Side = Literal["longest", "shortest"]
SIZES = (0, 512, 768, 1024)

NO_FACE = "without a face"
TOO_FEW = "with fewer faces than required"
TOO_MANY = "with more faces than allowed"
NOBODY_NAMED = "without a named character"
SOMEBODY_UNNAMED = "with a face without a name"
WRONG_TYPE = "of an image type not chosen"
WRONG_EPISODE = "of an episode not chosen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Filters and size; `size` 0 keeps the size, `max_faces` None sets no upper limit.

    `named`: only pictures with a named character; `all_named`: only those without a face that has no name.
    """

    min_faces: int = 1
    max_faces: int | None = None
    named: bool = False
    all_named: bool = False
    image_types: tuple[str, ...] = ()
    episodes: tuple[str, ...] = ()
    size: int = 0
    side: Side = "shortest"
    format: Format = "png"

    def __post_init__(self) -> None:
        if self.min_faces < 0:
            raise ValueError("min_faces: must be 0 or more")
        if self.max_faces is not None and self.max_faces < self.min_faces:
            raise ValueError("max_faces: must not be below min_faces")
        if self.size not in SIZES:
            raise ValueError("size: choose 512, 768, 1024, or 0 for any")


def reason_left_out(picture: Picture, selection: Selection) -> str | None:
    """Return why a picture is left out, or None if it is exported."""
    if len(picture.faces) < selection.min_faces:
        return NO_FACE if selection.min_faces == 1 else TOO_FEW
    if selection.max_faces is not None and len(picture.faces) > selection.max_faces:
        return TOO_MANY
    if selection.named and not picture.names:
        return NOBODY_NAMED
    if selection.all_named and picture.unnamed_faces:
        return SOMEBODY_UNNAMED
    if selection.image_types and picture.image_type not in selection.image_types:
        return WRONG_TYPE
    if selection.episodes and picture.episode not in selection.episodes:
        return WRONG_EPISODE
    return None


def written_size(width: int, height: int, selection: Selection) -> tuple[int, int]:
    """Return the size in pixels after limiting the chosen side; never enlarged, never below one pixel."""
    measured = max(width, height) if selection.side == "longest" else min(width, height)
    if selection.size == 0 or measured <= selection.size:
        return width, height
    scale = selection.size / measured
    return max(1, round(width * scale)), max(1, round(height * scale))
