"""Masks of a dataset: the right pixels, in a place where trainers expect or ignore them, and resumed with the rest."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.algorithms.crops import Crop
from export.algorithms.plan import make_plan
from export.algorithms.recipe import RecipeError, parse
from export.algorithms.rows import Face, Picture
from export.build.write import build
from export.formats.masks import is_mask, mask_bytes, place, size_of
from export.readback.comparing import read_back
from ingest.imaging.encode import PictureFormat, encode
from ingest.imaging.store import Store


class Left:
    """Says that the left half of a picture is a character; counts the pictures it saw."""

    identity = "left 1"

    def __init__(self) -> None:
        self.seen = 0

    def mask(self, rgb):
        self.seen += 1
        canvas = np.zeros(rgb.shape[:2], np.uint8)
        canvas[:, : rgb.shape[1] // 2] = 255
        return canvas


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def picture(store: Store, *, width: int = 80, height: int = 40) -> Picture:
    rgb = np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8)
    face = Face(left=0.5, top=0.25, right=0.75, bottom=0.75, character="Mai")
    return Picture(
        key="s:1", stem="p", file=store.put(encode(rgb, PictureFormat("png")), "png"), width=width, height=height,
        faces=(face,),
    )  # fmt: skip


def pixels(path: Path) -> np.ndarray:
    image = Image.open(io.BytesIO(path.read_bytes()))
    assert image.mode == "L"
    return np.array(image)


def built(store: Store, folder: Path, masker: Left, **recipe: object) -> None:
    created = parse({"selection": {"size": 0, "format": "png"}, **recipe})
    build(make_plan([picture(store)], created), created, store=store, folder=folder, masker=masker)


def test_a_mask_has_its_pictures_size_and_lies_in_a_folder_that_trainers_skip(store: Store, tmp_path: Path) -> None:
    built(store, tmp_path / "out", Left(), output={"masks": "folder"})
    (image,) = [path for path in (tmp_path / "out").rglob("p.png") if ".masks" not in path.parts]
    mask = tmp_path / "out" / ".masks" / image.relative_to(tmp_path / "out")
    assert size_of(image.read_bytes()) == (80, 40)
    assert (pixels(mask)[:, :40] == 255).all() and not pixels(mask)[:, 40:].any()


def test_onetrainer_finds_it_beside_the_picture(store: Store, tmp_path: Path) -> None:
    built(store, tmp_path / "out", Left(), output={"layout": "onetrainer", "masks": "onetrainer"})
    (mask,) = (tmp_path / "out").rglob("p-masklabel.png")
    assert (mask.parent / "p.png").is_file()


def test_crops_get_their_part_of_one_mask(store: Store, tmp_path: Path) -> None:
    masker = Left()
    built(
        store, tmp_path / "out", masker, output={"layout": "onetrainer", "masks": "onetrainer"}, crops={"enabled": True}
    )
    masks = sorted(path.name for path in (tmp_path / "out").rglob("*-masklabel.png"))
    assert len(masks) == 2 and masker.seen == 1
    for path in (tmp_path / "out").rglob("*-masklabel.png"):
        picture_path = path.with_name(path.name.replace("-masklabel", ""))
        assert pixels(path).shape[::-1] == size_of(picture_path.read_bytes())


def test_a_crop_beyond_the_picture_is_background_there() -> None:
    mask = np.full((10, 10), 255, np.uint8)
    data = mask_bytes(mask, (5, 5), Crop(picture=None, left=5, top=0, side=10))  # type: ignore[arg-type]
    result = np.array(Image.open(io.BytesIO(data)))
    assert result.shape == (5, 5) and (result[:, :2] == 255).all() and not result[:, 3:].any()


def test_masks_are_no_pictures_when_a_data_set_is_read_again(store: Store, tmp_path: Path) -> None:
    for layout, form in (("hierarchy", "folder"), ("onetrainer", "onetrainer"), ("kohya", "folder")):
        built(store, tmp_path / layout, Left(), output={"layout": layout, "masks": form})
        back = read_back(tmp_path / layout)
        assert (back.unchanged, back.open, back.misplaced, back.moved, back.gone) == (1, (), (), (), ())


def test_a_masker_is_given_exactly_where_masks_are_wanted(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="masker"):
        built(store, tmp_path / "out", Left())
    with pytest.raises(RecipeError, match=r"output\.masks: choose from none, folder, onetrainer"):
        parse({"output": {"masks": "alpha"}})


def test_places_are_told_from_pictures() -> None:
    assert place("a/b/p", "folder") == ".masks/a/b/p.png" and is_mask((".masks", "a", "p.png"))
    assert place("a/p", "onetrainer") == "a/p-masklabel.png" and is_mask(("a", "p-masklabel.png"))
    assert not is_mask(("a", "p.png"))
