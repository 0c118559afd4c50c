"""Extraction gives each picture once, with its time, its shot and what a second pass needs to find it again."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from ingest.imaging import seeking
from ingest.imaging.encode import PictureFormat, encode, encode_preview, placeholder
from ingest.imaging.extraction import (
    Extracted,
    ExtractParams,
    ExtractSummary,
    FrameRequest,
    decode_picture,
    decode_pictures,
    extract,
)
from ingest.imaging.video import UnreadableVideo
from tests.ingest.imaging.films import scene, with_mouth, write_film


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    black = np.zeros((180, 320, 3), np.uint8)
    talk = [with_mouth(scene(1), opening) for opening in (0, 0, 0, 0, 6, 6, 6, 0, 0, 6, 6, 6)]
    return write_film(
        tmp_path_factory.mktemp("film") / "film.mkv",
        talk + [scene(2)] * 12 + [black] * 6 + [scene(3)] * 6,
        options={"crf": "12"},
    )


def taken(path: Path, **params: object) -> tuple[list[Extracted], ExtractSummary]:
    summary = ExtractSummary()
    return list(extract(path, ExtractParams(**params), summary=summary)), summary  # type: ignore[arg-type]


def test_drawings_come_with_runs_shots_and_reasons(film: Path) -> None:
    pictures, summary = taken(film)
    assert [(p.shot, p.count, p.state, p.reason) for p in pictures] == [
        (0, 6, "kept", ""),
        (0, 6, "kept", ""),
        (1, 12, "kept", ""),
        (1, 6, "dropped", "black"),
        (2, 6, "kept", ""),
    ]
    assert summary.decoded == 36
    assert (summary.kept_count, summary.dropped_count, summary.device, summary.warnings) == (4, 1, "CPU", [])
    assert summary.shot_starts == pytest.approx([0.0, 12 * 1001 / 24000, 30 * 1001 / 24000], abs=0.002)
    assert [p.index for p in pictures] == sorted({p.index for p in pictures})
    for picture in pictures:
        assert (picture.image is None) == (picture.state == "dropped")
        assert max(picture.preview.shape) <= 320
        assert picture.first_s <= picture.time_s <= picture.end_s


def test_a_second_pass_gives_the_same_bytes(film: Path) -> None:
    first, second = taken(film)[0], taken(film)[0]
    for a, b in zip(first, second, strict=True):
        assert (a.index, a.pts, a.count, a.measures) == (b.index, b.pts, b.count, b.measures)
        assert np.array_equal(a.preview, b.preview) and np.array_equal(a.descriptor, b.descriptor)
        if a.image is not None and b.image is not None:
            assert encode(a.image, PictureFormat()) == encode(b.image, PictureFormat())


def test_a_picture_is_found_again_by_its_time(film: Path) -> None:
    for picture in taken(film)[0]:
        again = decode_picture(film, FrameRequest(picture.time_s))
        if picture.image is not None:
            assert np.array_equal(again, picture.image)


@pytest.mark.parametrize("name", ["film.mkv", "film.mp4", "film.avi"])
def test_pictures_at_many_times_are_those_of_each_time_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = write_film(tmp_path / name, [scene(i // 3) for i in range(300)], options={"g": "30"})
    step = 1001 / 24000
    # Near each other, twice the same, between two pictures, far on, back again, and the last one.
    times = [3 * step, 4 * step, 4 * step, 5.5 * step, 40 * step, 290 * step, 12 * step, 13 * step, 299 * step]
    alone = [decode_picture(path, FrameRequest(time_s)) for time_s in times]
    opened: list[Path] = []
    real = seeking.open_video
    monkeypatch.setattr(seeking, "open_video", lambda path, **more: (opened.append(path), real(path, **more))[1])
    together = list(decode_pictures(path, [FrameRequest(time_s) for time_s in times]))
    assert all(np.array_equal(item, other) for item, other in zip(alone, together, strict=True))
    assert len(opened) == 4  # the first five, the far one, the next two, the last one


def test_pictures_of_a_film_that_breaks_off_are_those_before_the_break(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.mkv", [scene(i // 3) for i in range(120)], options={"g": "30"})
    complete = decode_picture(path, FrameRequest(0.5))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    pictures = decode_pictures(path, [FrameRequest(0.5), FrameRequest(1.0)])
    assert np.array_equal(next(pictures), complete)


def test_intervals_and_key_frames_take_what_they_say(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.mkv", [scene(i) for i in range(48)], options={"g": "12", "sc_threshold": "0"})
    every, _ = taken(path, mode="interval", every_s=0.5)
    assert [p.index for p in every] == [0, 12, 24, 36]
    assert sum(p.count for p in every) == 48
    keys, summary = taken(path, mode="keyframes")
    assert [p.time_s for p in keys] == pytest.approx([i * 12 * 1001 / 24000 for i in range(4)], abs=0.002)
    assert summary.decoded == 4


def test_bars_are_trimmed_and_the_picture_is_found_again_without_them(tmp_path: Path) -> None:
    pictures = [cv2.copyMakeBorder(scene(i // 6, height=140), 20, 20, 0, 0, cv2.BORDER_CONSTANT) for i in range(24)]
    path = write_film(tmp_path / "film.mkv", pictures)
    result, summary = taken(path, trim_bars=True)
    assert summary.box == (0, 20, 320, 160)
    assert {p.image.shape for p in result if p.image is not None} == {(140, 320, 3)}
    assert np.array_equal(decode_picture(path, FrameRequest(result[0].time_s, box=(0, 20, 320, 160))), result[0].image)
    assert taken(path)[1].box is None


def test_a_dark_scene_is_not_taken_for_bars(tmp_path: Path) -> None:
    night = [np.where(np.arange(180)[:, None, None] < 40, 2, scene(i // 6)).astype(np.uint8) for i in range(18)]
    path = write_film(tmp_path / "film.mkv", [*night, *[scene(9)] * 6])
    assert taken(path, trim_bars=True)[1].box is None


@pytest.mark.parametrize("levels", [("tv", "tv"), ("pc", "pc"), ("pc", "tv")])
@pytest.mark.parametrize("mode", ["drawings", "interval"])
def test_black_and_white_pictures_are_dropped_whatever_range_the_film_says(
    tmp_path: Path, levels: tuple[str, str], mode: str
) -> None:
    black, white = np.zeros((180, 320, 3), np.uint8), np.full((180, 320, 3), 255, np.uint8)
    pictures = [scene(1)] * 12 + [black] * 12 + [scene(2)] * 12 + [white] * 12
    path = write_film(tmp_path / "film.mkv", pictures, levels=levels)
    assert [p.reason for p in taken(path, mode=mode)[0]] == ["", "black", "", "white"]


@pytest.mark.parametrize("levels", [("tv", "tv"), ("pc", "tv")])
def test_the_last_trace_of_a_scene_before_black_is_black(tmp_path: Path, levels: tuple[str, str]) -> None:
    trace = np.asarray(scene(1) // 28, np.uint8)
    pictures = [scene(1)] * 12 + [trace] + [np.zeros_like(trace)] * 6
    result, _ = taken(write_film(tmp_path / "film.mkv", pictures, levels=levels, options={"crf": "8"}))
    assert [(p.count, p.reason) for p in result] == [(12, ""), (7, "black")]


@pytest.mark.parametrize("levels", [("tv", "tv"), ("pc", "pc"), ("pc", "tv")])
def test_a_dim_scene_is_kept_and_bars_are_found_whatever_range_the_film_says(
    tmp_path: Path, levels: tuple[str, str]
) -> None:
    dim = [np.asarray(scene(i // 6, height=140) // 5, np.uint8) for i in range(24)]
    pictures = [cv2.copyMakeBorder(picture, 20, 20, 0, 0, cv2.BORDER_CONSTANT) for picture in dim]
    result, summary = taken(write_film(tmp_path / "film.mkv", pictures, levels=levels), trim_bars=True)
    assert not {p.reason for p in result} & {"black", "white"}
    assert summary.box == (0, 20, 320, 160)


def test_wrong_choices_are_refused_with_a_message() -> None:
    for choice, words in (({"mode": "all"}, "unknown mode 'all'"), ({"every_s": 0}, "more than 0 seconds")):
        with pytest.raises(ValueError, match=words):
            ExtractParams(**choice)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown picture format 'bmp'"):
        PictureFormat("bmp")


def test_a_file_that_is_no_film_raises(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("nothing to see")
    with pytest.raises(UnreadableVideo, match=r"notes\.mp4: is a text file"):
        list(extract(path))


@pytest.mark.parametrize(("name", "worst"), [("png", 0), ("webp-lossless", 0), ("jpeg", 6), ("webp", 12)])
def test_a_format_gives_back_the_picture(name: str, worst: int) -> None:
    picture = cv2.GaussianBlur(scene(2), (5, 5), 0)
    how = PictureFormat(name)
    data = encode(picture, how)
    assert data == encode(picture, how)
    seen = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert np.abs(seen.astype(int) - picture).max() <= worst * 4
    assert np.abs(seen.astype(int) - picture).mean() <= worst


def test_a_picture_too_wide_for_webp_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="choose png or jpeg"):
        encode(np.zeros((4, 20_000, 3), np.uint8), PictureFormat("webp"))


def test_previews_and_placeholders_are_small() -> None:
    assert len(encode_preview(scene(1))) < 30_000
    assert placeholder(scene(1)).startswith("data:image/webp;base64,") and len(placeholder(scene(1))) < 400


def test_the_drawn_and_the_real_cut_shown_twice_have_their_holds(test_data: Path) -> None:
    pictures, summary = taken(test_data / "video" / "real_cuts_ep01.mp4", full_pictures=False)
    assert summary.decoded == 1590
    kept_pictures = [p for p in pictures if p.state == "kept"]
    # 18 frames a drawing: each of them once, as each is held; the pan, the grain and the zoom collapse.
    assert 40 <= len(kept_pictures) <= 80
    assert {"fade"} <= {p.reason for p in pictures}
    held = {p.first_s for p in kept_pictures}
    assert all(any(abs(start - (6.256 + i * 0.75075)) < 0.05 for start in held) for i in range(15))
