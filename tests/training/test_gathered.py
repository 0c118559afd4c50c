"""Face-free pictures of others: gathered once, divided for good, pasted within the canvas."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.finish import painted
from training.gathered import LONGEST, OBJECT, Gathered, gather, read_gathered
from training.synthesis import Material, canvas


def _clutter(seed: int, height: int, width: int, channels: int = 3) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, channels), np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def _cut_out(seed: int, size: int) -> np.ndarray:
    picture = _clutter(seed, size, size, 4)
    picture[..., 3] = 0
    picture[size // 4 : -size // 4, size // 4 : -size // 4, 3] = 255
    return picture


def _source(folder: Path, name: str, *, seed: int) -> Path:
    source = folder / name
    (source / "art").mkdir(parents=True)
    cv2.imwrite(str(source / "art" / "street.png"), _clutter(seed, 900, 1600))
    cv2.imwrite(str(source / "art" / "lamp.png"), _cut_out(seed + 1, 400))
    cv2.imwrite(str(source / "art" / "hero.png"), _clutter(seed + 2, 400, 400))
    (source / "art" / "broken.png").write_bytes(b"no picture")
    return source


def test_opaque_pictures_become_scenery_and_cut_out_ones_objects(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for part in ("scenery", "objects"):
        (out / part).mkdir(parents=True)
    seen: set[bytes] = set()
    assert gather(_source(tmp_path, "game", seed=1), out, ["*/hero.png"], seen) == (1, 1)
    street = cv2.imread(str(next((out / "scenery").iterdir())))
    lamp = cv2.imread(str(next((out / "objects").iterdir())), cv2.IMREAD_UNCHANGED)
    assert street is not None
    assert lamp is not None
    assert street.shape == (round(900 * LONGEST / 1600), LONGEST, 3)
    assert lamp.shape == (OBJECT, OBJECT, 4)


def test_a_picture_that_another_source_has_too_is_taken_once(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for part in ("scenery", "objects"):
        (out / part).mkdir(parents=True)
    seen: set[bytes] = set()
    first, second = _source(tmp_path, "a", seed=4), _source(tmp_path, "b", seed=4)
    assert gather(first, out, [], seen) == (2, 1)
    assert gather(second, out, [], seen) == (0, 0)


def test_no_source_that_is_held_out_takes_part_in_training(tmp_path: Path) -> None:
    (tmp_path / "scenery").mkdir()
    for source in ("ash", "birch", "cedar"):
        for number in range(12):
            picture = np.full((8, 8, 3), 20 * ("ash", "birch", "cedar").index(source) + number, np.uint8)
            cv2.imwrite(str(tmp_path / "scenery" / f"{source}~{number * 0x11111111:08x}.jpg"), picture)
    learn, hold = read_gathered(tmp_path)
    birch = {path.read_bytes() for path in (tmp_path / "scenery").glob("birch~*")}
    assert not birch & set(learn.scenery)
    assert birch <= set(hold.scenery)
    assert len(learn.scenery) + len(hold.scenery) == 36
    assert not set(learn.scenery) & set(hold.scenery)


def test_a_folder_without_gathered_pictures_is_refused_with_a_message(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no gathered pictures"):
        read_gathered(tmp_path)


def test_no_labelled_face_is_lost_behind_gathered_objects() -> None:
    done, packed = cv2.imencode(".jpg", _clutter(9, 300, 400))
    assert done
    things = Gathered([packed.tobytes()], [cv2.cvtColor(_cut_out(3, 64), cv2.COLOR_BGRA2RGBA)])
    rng = np.random.default_rng(10)
    for _ in range(60):
        picture, truth = canvas(rng, 128, Material(gathered=things), sides=(14.0, 80.0))
        assert picture.shape == (128, 128, 3)
        assert picture.dtype == np.uint8
        for x, y, width, height in truth.tolist():
            part = picture[
                max(0, int(y - height / 2)) : int(y + height / 2), max(0, int(x - width / 2)) : int(x + width / 2)
            ]
            assert part.size
            assert float(part.std()) > 0  # a drawn face is there, not a plain colour


def test_painting_over_keeps_the_size_of_a_picture() -> None:
    rng = np.random.default_rng(11)
    for _ in range(60):
        created = painted(rng, _clutter(12, 96, 80))
        assert created.shape == (96, 80, 3)
        assert created.dtype == np.uint8
