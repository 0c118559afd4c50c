"""Presets of the export page: complete recipes for the usual purposes, one row each in PRESETS.

All follow the set where a fixed number would suit only large ones: `min_per_combination` 0 gives the main characters of
a small set folders of their own, and `max_multiply` 0 lets no few pictures rule an epoch (`balance.cap_of`).
Everything that is not mentioned has the recipe's default.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from export.algorithms.captions import CaptionOptions
from export.algorithms.face_set import FaceSetOptions
from export.algorithms.levels import Arrangement
from export.algorithms.recipe import BalanceOptions, OutputOptions, Recipe
from export.algorithms.selection import Selection

EVERY_TAG = 1000  # more than any picture has


@dataclass(frozen=True, slots=True)
class Preset:
    """A recipe with the key of its address, its name, and one line that says what it gives. `counted`: noun of its
    pictures."""

    key: str
    label: str
    description: str
    recipe: Recipe
    counted: str = "picture"


def _character_lora() -> Recipe:
    """What a LoRA of one or several characters is trained with.

    - Pictures with exactly one face, and that one named: a second person would be learned as part of the first.
    - One folder per character, and none by face height: the few pictures of a character stay together.
    - kohya's `N_name` folders, which kohya's scripts and interfaces need; other trainers read them as folders. Repeats
      begin at 5, as from there on rounding to whole repeats changes no share by more than a tenth.
    - Captions begin with the character's name, the trigger word. The reference's description (image type, series,
      episode), series and artist are left out: they would become part of it.
    - Tags of hair and eyes are left out, and those of clothes where the outfit is part of the name: what always goes
      with the character belongs to the trigger word, and only what is written can be changed in a prompt.
    - At most 20 tags: with the name they stay within the 75 tokens that CLIP reads.
    - No square crops: trainers sort pictures of all shapes into buckets, and crops would show each face twice.
    - The shorter side is at most 1024 pixels: SDXL trains with 1024, larger files only take room.
    """
    return Recipe(
        selection=Selection(min_faces=1, max_faces=1, named=True, size=1024),
        arrange=Arrangement(format="character", min_per_combination=0),
        caption=CaptionOptions(
            order=("characters", "rating", "tags", "count", "copyright", "general", "artist", "facepos", "prose"),
            general_prob=0.0,
            artist_prob=0.0,
            max_tags=20,
            drop_hair=True,
            drop_eyes=True,
            drop_outfit=True,
        ),
        balance=BalanceOptions(min_multiply=5.0, max_multiply=0.0),
        output=OutputOptions(layout="kohya"),
    )


def _whole_show() -> Recipe:
    """The reference's dataset of a show, for a fine-tune of its style and all characters.

    Every picture with a face, in folders by number of characters, character and face height, and its captions. The
    shorter side is at most 1024 pixels, as above.
    """
    return Recipe(
        selection=Selection(size=1024),
        arrange=Arrangement(min_per_combination=0),
        balance=BalanceOptions(max_multiply=0.0),
    )


def _face_set() -> Recipe:
    """Each face as a square of the standard size, in one folder per character, for classifiers and embedders.

    Every character has a folder, however rare, since a classifier needs all its classes; each face is used once. The
    caption is the name alone: tags describe the whole picture, not the face.
    """
    return Recipe(
        arrange=Arrangement(format="character", min_per_combination=1),
        caption=CaptionOptions(general_prob=0.0, artist_prob=0.0, rating_prob=0.0, tags_prob=0.0),
        face_set=FaceSetOptions(enabled=True),
        balance=BalanceOptions(max_multiply=1.0),
    )


def _everything() -> Recipe:
    """All kept pictures with all that is known of them, as a basis for tools of one's own.

    With and without faces, as the original files, with every tag; each picture once. Folders are those of the show, but
    no combination is rare.
    """
    return Recipe(
        selection=Selection(min_faces=0, format="original"),
        arrange=Arrangement(min_per_combination=1),
        caption=CaptionOptions(max_tags=EVERY_TAG),
        balance=BalanceOptions(max_multiply=1.0),
    )


PRESETS: dict[str, Preset] = {
    preset.key: preset
    for preset in (
        Preset(
            "character-lora",
            "Character LoRA",
            "Pictures of one character alone, a folder per character, captions that begin with the name",
            _character_lora(),
        ),
        Preset(
            "whole-show",
            "Whole show",
            "Every picture with a face, by number of characters, character and face height, balanced",
            _whole_show(),
        ),
        Preset("face-set", "Face set", "Every face as a square of 128 px, a folder per character", _face_set(), "face"),
        Preset(
            "everything",
            "Everything",
            "All kept pictures as original files, also without faces, with every tag",
            _everything(),
        ),
    )
}
DEFAULT = PRESETS["whole-show"]  # what a collection without a saved recipe begins with


def preset_of(recipe: Recipe) -> Preset | None:
    """Return the preset with this recipe, whatever its seed, or None."""
    for preset in PRESETS.values():
        seed = preset.recipe.caption.seed
        if replace(recipe, caption=replace(recipe.caption, seed=seed)) == preset.recipe:
            return preset
    return None
