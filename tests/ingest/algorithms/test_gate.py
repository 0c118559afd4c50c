"""The gate keeps each distinct drawing once, and collapses cameras, fades, dissolves and grain."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.algorithms.gate import Drawing, Gate, GateParams, View
from tests.ingest.imaging.films import scene, with_mouth

U8 = NDArray[np.uint8]


def view(number: int, picture: U8) -> View[U8]:
    yuv = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)
    luma = np.ascontiguousarray(yuv[:, :, 0])
    v, u = (
        np.ascontiguousarray(cv2.resize(yuv[:, :, i], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
        for i in (1, 2)
    )
    return View(number, number, number / 24, luma, luma, u, v, picture)


def drawings(pictures: list[U8], **params: float) -> list[Drawing[U8]]:
    gate: Gate[U8] = Gate(GateParams(**params), full_range=True)  # type: ignore[arg-type]
    result = [d for number, picture in enumerate(pictures) for d in gate.add(view(number, picture))]
    return result + list(gate.finish())


def kept(pictures: list[U8]) -> list[Drawing[U8]]:
    return [d for d in drawings(pictures) if not d.reason]


def noisy(picture: U8, seed: int, level: float = 4.0) -> U8:
    grain = np.random.default_rng(seed).normal(0, level, picture.shape[:2])[:, :, None]
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def large(seed: int) -> U8:
    return scene(seed, width=960, height=540)


def test_a_held_drawing_is_one_run() -> None:
    result = drawings([scene(1)] * 20)
    assert [(d.count, d.first_s, d.last_s, d.reason) for d in result] == [(20, 0.0, 19 / 24, "")]


def test_a_flapping_mouth_gives_each_of_its_drawings_once() -> None:
    closed, half, wide = (with_mouth(scene(1), opening) for opening in (0, 3, 6))
    flap = [closed] * 6 + [half] * 2 + [wide] * 3 + [half] * 2 + [closed] * 3 + [half] * 2 + [wide] * 3
    assert sorted(d.count for d in kept(flap)) == [6, 6, 9]


def test_a_thin_mouth_line_counts() -> None:
    without = with_mouth(scene(1), 0)
    line = without.copy()
    cv2.line(line, (150, 120), (161, 120), (60, 20, 20), 1)
    assert len(kept([without] * 5 + [line] * 5)) == 2


def test_a_change_of_colour_alone_counts() -> None:
    before = np.full((180, 320, 3), 128, np.uint8)
    cv2.circle(before, (160, 90), 30, (200, 90, 90), -1)
    yuv = cv2.cvtColor(before, cv2.COLOR_RGB2YCrCb)
    yuv[:, :, 1:] = np.where(yuv[:, :, 1:] == 128, 128, 256 - yuv[:, :, 1:].astype(int)).astype(np.uint8)
    after = cv2.cvtColor(yuv, cv2.COLOR_YCrCb2RGB)
    assert len(kept([before] * 5 + [after] * 5)) == 2


def test_live_grain_is_one_drawing() -> None:
    assert len(kept([noisy(scene(2), i) for i in range(24)])) == 1


def test_a_mouth_in_live_grain_still_counts() -> None:
    pictures = [noisy(with_mouth(scene(2), 0 if i < 12 else 6), i, level=2.0) for i in range(24)]
    assert len(kept(pictures)) == 2


def test_a_pan_collapses() -> None:
    wide = large(3)
    pictures = [wide[100:280, 100 + 3 * i : 420 + 3 * i] for i in range(30)]
    assert len(kept(pictures)) <= 2


def test_a_mouth_that_opens_in_a_pan_counts() -> None:
    closed, wide_open = (with_mouth(large(3), opening, at=(300, 190)) for opening in (0, 7))
    pictures = [(closed if i < 12 else wide_open)[100:280, 150 + 2 * i : 470 + 2 * i] for i in range(24)]
    assert len(kept(pictures)) == 2


def test_a_zoom_collapses() -> None:
    wide = large(4)
    pictures = []
    for i in range(30):
        half_width, half_height = 320 - 3 * i, 180 - round(3 * i * 180 / 320)
        part = wide[270 - half_height : 270 + half_height, 480 - half_width : 480 + half_width]
        pictures.append(cv2.resize(part, (320, 180), interpolation=cv2.INTER_AREA))
    assert len(kept(pictures)) <= 3


@pytest.mark.parametrize("rising", [True, False])
def test_a_fade_is_dropped_for_its_reason_and_the_whole_picture_kept(*, rising: bool) -> None:
    shares = [i / 24 for i in range(25)] + [1.0] * 12
    pictures = [np.rint(scene(5) * share).astype(np.uint8) for share in (shares if rising else shares[::-1])]
    result = drawings(pictures)
    assert {d.reason for d in result} == {"", "fade", "black"}
    best = [d for d in result if not d.reason]
    assert len(best) == 1
    assert np.abs(best[0].best.frame.astype(int) - scene(5)).mean() < 3 if best[0].best.frame is not None else True
    assert (best[0].best.number >= 23) if rising else (best[0].best.number <= 12)


def test_a_dissolve_is_dropped_and_a_shot_begins() -> None:
    mixes = [cv2.addWeighted(scene(6), 1 - i / 12, scene(7), i / 12, 0) for i in range(1, 12)]
    gate = Gate(full_range=True)
    pictures = [scene(6)] * 10 + mixes + [scene(7)] * 10
    result = [d for number, picture in enumerate(pictures) for d in gate.add(view(number, picture))]
    result += gate.finish()
    assert sorted(d.shot for d in result if not d.reason) == [0, 1]
    assert all(d.first_number < 10 or d.best.number >= 20 for d in result if not d.reason)
    assert "blend" in {d.reason for d in result}
    assert gate.shot_starts[1] == pytest.approx(10 / 24, abs=0.09)


@pytest.mark.parametrize(("darkest", "brightest"), [(0, 255), (16, 235)], ids=["full range", "limited range"])
def test_black_and_white_frames_are_dropped_for_their_reason(darkest: int, brightest: int) -> None:
    black, white = (np.full((180, 320, 3), level, np.uint8) for level in (darkest, brightest))
    result = drawings([scene(1)] * 5 + [black] * 4 + [scene(2)] * 5 + [white] * 3)
    assert [(d.reason, d.count) for d in result] == [("", 5), ("black", 4), ("", 5), ("white", 3)]


def test_a_cut_begins_a_shot_and_a_mouth_does_not() -> None:
    gate = Gate(full_range=True)
    pictures = [with_mouth(scene(1), i % 3 * 3) for i in range(12)] + [scene(2)] * 12
    for number, picture in enumerate(pictures):
        list(gate.add(view(number, picture)))
    assert gate.shot_starts == [0.0, 0.5]


def test_what_is_given_out_is_in_order_and_complete_in_a_long_restless_shot() -> None:
    pictures = [with_mouth(scene(1), opening, at=(60 + 8 * x, 90)) for x in range(24) for opening in (0, 6)]
    result = drawings(pictures * 2, open_max=16)
    assert sum(d.count for d in result) <= 96
    assert len(result) == 48
    assert len({d.first_number for d in result}) == 48


def test_full_pictures_are_let_go_once_given_out() -> None:
    gate = Gate(GateParams(open_max=8), full_range=True)
    for number, picture in enumerate(
        scene(1) if i < 0 else with_mouth(scene(1), 4, at=(50 + 4 * i, 90)) for i in range(60)
    ):
        list(gate.add(view(number, picture)))
        assert sum(d.best.frame is not None for d in gate._known) <= 9


def test_a_small_mouth_in_a_still_picture_is_never_taken_for_a_camera_movement() -> None:
    # Grain moves every cell a little, as a camera would; the mouth must count all the same.
    for seed in range(3):
        pictures = [noisy(with_mouth(scene(seed), 0 if i < 8 else 4), 50 * seed + i, level=1.5) for i in range(16)]
        assert len(kept(pictures)) == 2
