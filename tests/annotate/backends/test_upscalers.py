"""Upscalers: tiles leave no trace, networks are fed as they were trained, memory is bounded, refusals are in words."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from annotate.backends.contract import Upscaler
from annotate.backends.upscalers import known_upscalers, tiles
from annotate.backends.upscalers.tiles import enlarge, padded_to, starts
from ingest.errors import BadInput
from tests.annotate.upscale_graph import write_cdc, write_esrgan, write_smoother

ESRGAN_FILE, CDC_FILE = "RealESRGAN_x4plus_anime_6B.onnx", "HGSR-MHR-anime-aug_X4_320.onnx"
Picture = NDArray[np.uint8]


def noise(width: int, height: int) -> Picture:
    return np.random.default_rng(width * height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def repeated(picture: Picture, factor: int) -> Picture:
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def nearest(tile: Picture) -> NDArray[np.float32]:
    return repeated(tile, 2).astype(np.float32) / np.float32(255)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    write_esrgan(tmp_path / "esrgan" / ESRGAN_FILE)
    write_cdc(tmp_path / "cdc" / CDC_FILE)
    return tmp_path


def test_tiles_begin_where_the_reference_lets_them_begin() -> None:
    assert starts(512) == [0]
    assert starts(513) == [0, 1]
    assert starts(1280) == [0, 448, 768]
    assert starts(1920) == [0, 448, 896, 1344, 1408]
    assert starts(10) == [0]


@pytest.mark.parametrize(("width", "height"), [(1, 1), (5, 3), (16, 16), (17, 40), (61, 33), (100, 16)])
def test_tiles_of_an_exact_network_leave_no_seam_at_any_size(width: int, height: int) -> None:
    picture = noise(width, height)
    assert np.array_equal(enlarge(picture, nearest, factor=2, tile=16, overlap=5), repeated(picture, 2))


def test_where_tiles_overlap_their_answers_are_averaged() -> None:
    """Tiles of a row of 6 with tile 4, overlap 2 begin at 0 and 2; each answers its own number as grey."""
    calls: list[int] = []

    def numbered(tile: Picture) -> NDArray[np.float32]:
        calls.append(1)
        return np.full((2, 8, 3), 0.2 if len(calls) == 1 else 0.6, np.float32)

    enlarged = enlarge(np.zeros((1, 6, 3), np.uint8), numbered, factor=2, tile=4, overlap=2)
    assert enlarged[0, :, 0].tolist() == [51] * 4 + [102] * 4 + [153] * 4


def test_a_network_that_looks_around_gives_the_same_but_at_the_rims_of_tiles(tmp_path: Path) -> None:
    write_smoother(tmp_path / "soft" / ESRGAN_FILE, reach=2)
    (tmp_path / "soft" / "koma.json").write_text(json.dumps({"family": "real_esrgan", "factor": 2}))
    upscaler = known_upscalers.open_upscaler("soft", tmp_path, device="cpu")
    tiled: Any = known_upscalers.open_upscaler("soft", tmp_path, device="cpu")
    tiled._tile, tiled._overlap = 64, 16
    picture = noise(150, 90)
    equal = (upscaler.upscale(picture, times=1) == tiled.upscale(picture, times=1)).all(axis=2)[::2, ::2]
    down, across = (
        np.min(
            [abs(np.arange(side) - rim) for index in starts(side, tile=64, overlap=16) for rim in (index, index + 63)],
            axis=0,
        )
        for side in picture.shape[:2]
    )
    inner = (down[:, None] > 1) & (across[None, :] > 1)  # two pixels of a tile's own rim saw the black beyond it
    assert inner.mean() > 0.7
    assert equal[inner].all()
    assert not equal.all()


def test_a_large_picture_needs_memory_for_its_result_and_one_row_of_tiles() -> None:
    picture = noise(256, 2048)  # result 512 x 4096 x 3 = 6 MB; as floats it would be 25 MB, with weights 50
    tracemalloc.start()
    enlarge(picture, nearest, factor=2, tile=64, overlap=16)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12_000_000


def test_pictures_are_continued_by_reflection_to_a_multiple() -> None:
    row = np.arange(5, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
    assert padded_to(row, 4)[0, :, 0].tolist() == [0, 1, 2, 3, 4, 3, 2, 1]
    assert padded_to(row, 4).shape == (4, 8, 3)
    assert padded_to(noise(1, 1), 16).shape == (16, 16, 3)


def test_real_esrgan_is_fed_blue_first(tmp_path: Path) -> None:
    write_esrgan(tmp_path / "tinted" / ESRGAN_FILE, channels=(1.0, 0.5, 0.25))
    model = known_upscalers.open_upscaler("tinted", tmp_path, device="cpu")
    enlarged = model.upscale(np.full((3, 2, 3), (200, 100, 40), np.uint8), times=1)
    assert enlarged.shape == (12, 8, 3)
    assert enlarged[5, 5].tolist() == [50, 50, 40]  # red / 4, green / 2, blue as it was


@pytest.mark.parametrize("name", ["esrgan", "cdc"])
@pytest.mark.parametrize(("width", "height"), [(7, 5), (16, 32), (530, 20)])
def test_installed_networks_enlarge_every_pixel_exactly(models: Path, name: str, width: int, height: int) -> None:
    model = known_upscalers.open_upscaler(name, models, device="cpu")
    picture = noise(width, height)
    assert isinstance(model, Upscaler)
    assert model.factor == 4
    assert np.array_equal(model.upscale(picture, times=1), repeated(picture, 4))


def test_two_passes_enlarge_twice_and_none_changes_nothing(models: Path) -> None:
    model = known_upscalers.open_upscaler("cdc", models, device="cpu")
    picture = noise(6, 5)
    assert np.array_equal(model.upscale(picture, times=2), repeated(picture, 16))
    assert np.array_equal(model.upscale(picture, times=0), picture)


def test_a_card_may_ask_for_smaller_tiles(models: Path) -> None:
    card = models / "esrgan" / "koma.json"
    assert known_upscalers.open_upscaler("esrgan", models, device="cpu").info.settings["tile"] == 256
    card.write_text(json.dumps({"family": "real_esrgan", "options": {"tile": 64}}))
    model = known_upscalers.open_upscaler("esrgan", models, device="cpu")
    assert (model.info.settings["tile"], model.info.settings["overlap"]) == (64, 16)
    picture = noise(150, 70)
    assert np.array_equal(model.upscale(picture, times=1), repeated(picture, 4))
    for wrong in (8, 5000, "64"):
        card.write_text(json.dumps({"family": "real_esrgan", "options": {"tile": wrong}}))
        with pytest.raises(BadInput, match='"tile" must be a whole number from 32 to 2048'):
            known_upscalers.open_upscaler("esrgan", models, device="cpu")


def test_the_file_is_known_by_its_hash(models: Path) -> None:
    info = known_upscalers.open_upscaler("esrgan", models, device="cpu").info
    assert (info.task, info.name, len(info.sha256), info.settings["factor"]) == ("upscale", "esrgan", 64, 4)


def test_what_would_be_too_large_is_refused_before_it_is_made(models: Path) -> None:
    model = known_upscalers.open_upscaler("esrgan", models, device="cpu")
    picture = np.zeros((4000, 4000, 3), np.uint8)
    with pytest.raises(BadInput, match="16,000 x 16,000 pixels"):
        model.upscale(picture, times=1)
    assert tiles.PIXELS_MAX < 16_000**2


def test_a_graph_of_another_kind_is_refused(tmp_path: Path) -> None:
    write_cdc(tmp_path / "wrong" / ESRGAN_FILE)
    with pytest.raises(BadInput, match="not a Real-ESRGAN upscaler: it takes input, gives output"):
        known_upscalers.open_upscaler("wrong", tmp_path, device="cpu")
    write_esrgan(tmp_path / "same" / ESRGAN_FILE, factor=1)
    with pytest.raises(BadInput, match="16 x 16 pixels become 16 x 16"):
        known_upscalers.open_upscaler("same", tmp_path, device="cpu")


def test_a_model_whose_name_tells_another_factor_is_refused(tmp_path: Path) -> None:
    write_esrgan(tmp_path / "half" / ESRGAN_FILE, factor=2)
    assert known_upscalers.factor_of("half", tmp_path) == 4  # by its file's name
    with pytest.raises(BadInput, match="enlarges 2 times, but its name or card states 4"):
        known_upscalers.open_upscaler("half", tmp_path, device="cpu")
    (tmp_path / "half" / "koma.json").write_text(json.dumps({"family": "real_esrgan", "factor": 2}))
    assert known_upscalers.open_upscaler("half", tmp_path, device="cpu").factor == 2


def test_an_unknown_name_lists_what_is_installed(models: Path) -> None:
    with pytest.raises(BadInput, match="Installed for it: cdc, esrgan"):
        known_upscalers.open_upscaler("nobody", models)
    assert known_upscalers.names(models)[:2] == ["lanczos", "bicubic"]
    assert known_upscalers.names(models)[-2:] == ["cdc", "esrgan"]


def test_the_resamplers_are_there_without_any_model(tmp_path: Path) -> None:
    for name in ("lanczos", "bicubic"):
        enlarged = known_upscalers.open_upscaler(name, tmp_path).upscale(np.full((3, 5, 3), 90, np.uint8), times=2)
        assert enlarged.shape == (12, 20, 3)
        assert (enlarged == 90).all()
