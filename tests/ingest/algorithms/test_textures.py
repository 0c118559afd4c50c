"""Texture is no noise: of two copies of a picture without flat places the better one is worth more."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.best_copy import measured_pairs, noisy, resized, right, value
from demo_film.crops import random_scene
from demo_film.textures import TEXTURES, textured
from ingest.algorithms.detail import detail

SEEN_NOISE = ("foliage", "lines, 16 px", "lines, 37 px", "stripes, 20 px", "rain", "dithering", "pixel art")
SIZES = ("full / half q90", "full / two thirds q90", "full / enlarged half", "full / blurred 1.5", "grain 2 / half q90")


@pytest.mark.parametrize("name", TEXTURES)
def test_of_two_copies_of_a_textured_picture_the_one_with_more_detail_is_worth_more(name: str) -> None:
    for seed in (0, 1):
        by_pair = measured_pairs(textured(name, seed), SIZES)
        assert min(by_pair.values()) > 0, by_pair


@pytest.mark.parametrize("name", SEEN_NOISE)
def test_of_a_textured_picture_the_clean_copy_is_worth_more_than_the_noisy_one(name: str) -> None:
    picture = textured(name, 0)
    assert value(picture) > value(noisy(picture, 6)) + 0.2


@pytest.mark.parametrize("name", TEXTURES)
def test_texture_is_no_noise(name: str) -> None:
    grey = cv2.cvtColor(textured(name, 2), cv2.COLOR_RGB2GRAY)
    assert detail(np.asarray(grey, np.uint8)).noise < 0.5


def test_noise_of_a_picture_with_flat_places_is_told_whatever_its_level() -> None:
    picture = random_scene(np.random.default_rng(1), (1280, 720))[0]
    levels = [detail(np.asarray(cv2.cvtColor(noisy(picture, sigma), cv2.COLOR_RGB2GRAY))).noise for sigma in (0, 3, 6)]
    assert levels == pytest.approx([0, 1.0, 2.0], abs=0.6)
    assert levels[0] < 0.1 < levels[1] < levels[2]


def test_of_real_pictures_the_better_copy_is_worth_more(test_data: Path) -> None:
    result = right(test_data, drawn=False)
    assert set(result) == {"backgrounds", "faces/eval_illustrations"}
    for kind, by_pair in result.items():
        for pair in (*SIZES, "full q85 / half", "full / noise 6", "full / q30"):
            better = np.mean(np.asarray(by_pair[pair]) > 0)
            assert better >= 0.9, (kind, pair)


def test_of_real_pictures_a_sharp_half_is_worth_more_than_an_enlarged_third(test_data: Path) -> None:
    result = right(test_data, drawn=False, names=("half / enlarged third x3",))
    assert np.mean(np.asarray(result["backgrounds"]["half / enlarged third x3"]) > 0) >= 0.9


def test_a_picture_that_is_made_smaller_keeps_its_worth_order(test_data: Path) -> None:
    """Each step down costs: no size between is worth more than a larger one."""
    picture = resized(np.asarray(cv2.imread(str(test_data / "backgrounds" / "school_forest1.jpg")), np.uint8), 0.5)
    values = [value(resized(picture, scale)) for scale in (1, 0.75, 0.5, 0.35)]
    assert values == sorted(values, reverse=True)
