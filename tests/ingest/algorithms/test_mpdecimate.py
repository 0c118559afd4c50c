"""The kept list of the mpdecimate rule equals ffmpeg's."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from ingest.imaging.extraction import ExtractParams, extract
from tests.ingest.imaging.films import ffmpeg, scene, with_mouth, write_film


def kept_by_ffmpeg(path: Path) -> list[int]:
    """The times in ticks that pass ffmpeg's filter with the rule's numbers."""
    tags = ffmpeg("-i", str(path), "-vf", "mpdecimate=hi=64*200:lo=64*50:frac=0.33,showinfo", "-f", "null", "-")
    return [int(result) for result in re.findall(r"Parsed_showinfo.*? pts: *(\d+)", tags)]


def kept_by_us(path: Path) -> list[int]:
    return [picture.pts for picture in extract(path, ExtractParams(mode="mpdecimate", full_pictures=False))]


def films() -> dict[str, list[np.ndarray]]:
    random = np.random.default_rng(8)
    wide = scene(3, width=960, height=540)
    still = scene(4)
    return {
        "mouths": [with_mouth(scene(1), opening) for opening in (0, 0, 0, 3, 3, 6, 6, 6, 3, 0, 0, 9, 9)],
        "pan": [wide[100:280, i : i + 320] for i in range(0, 40, 2)],
        "slow fade": [np.rint(still * (1 - i / 80)).astype(np.uint8) for i in range(40)],
        "grain": [np.clip(still + random.normal(0, 9, still.shape), 0, 255).astype(np.uint8) for _ in range(12)],
        "left edge": [with_mouth(still, i % 4, at=(4, 60)) for i in range(16)],
        "odd size": [with_mouth(scene(5, width=334, height=190), i // 3) for i in range(24)],
    }


@pytest.mark.parametrize("name", films())
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p"])
def test_the_kept_frames_are_those_of_ffmpeg(tmp_path: Path, name: str, pixel_format: str) -> None:
    path = write_film(tmp_path / "film.mkv", films()[name], pixel_format=pixel_format)
    expected = kept_by_ffmpeg(path)
    assert expected
    assert kept_by_us(path) == expected


def test_the_kept_frames_of_the_real_episode_are_those_of_ffmpeg(test_data: Path) -> None:
    path = test_data / "video" / "real_cuts_ep01.mp4"
    assert kept_by_us(path) == kept_by_ffmpeg(path)
