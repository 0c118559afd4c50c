"""Films of every container and codec are read; damaged and hostile ones are told apart in words."""

from __future__ import annotations

import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from ingest.imaging.planes import colour_space_of, rgb
from ingest.imaging.seeking import seek_frame
from ingest.imaging.video import Limits, UnreadableVideo, open_video, probe
from tests.ingest.imaging.films import ffmpeg, scene, with_mouth, write_film, write_sound

COMBINATIONS = [
    ("libx264", "mkv", "h264"),
    ("libx264", "mp4", "h264"),
    ("libx264", "ts", "h264"),
    ("libx264", "avi", "h264"),
    ("libx265", "mp4", "hevc"),
    ("libx265", "mkv", "hevc"),
    ("libsvtav1", "mp4", "av1"),
    ("libsvtav1", "webm", "av1"),
    ("libvpx-vp9", "webm", "vp9"),
    ("mpeg4", "avi", "mpeg4"),
    ("mpeg4", "mkv", "mpeg4"),
    ("mpeg2video", "mpg", "mpeg2video"),
    ("mpeg2video", "ts", "mpeg2video"),
]


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    # 192 rows: the AV1 encoder writes damaged films of other heights.
    return [scene(1, height=192)] * 8 + [scene(2, height=192)] * 8


@pytest.mark.parametrize(("codec", "ending", "name"), COMBINATIONS)
def test_every_frame_of_a_codec_in_a_container_is_read(
    tmp_path: Path, pictures: list[np.ndarray], codec: str, ending: str, name: str
) -> None:
    path = write_film(tmp_path / f"film.{ending}", pictures, codec=codec)
    with open_video(path) as video:
        frames = list(video.frames())
        assert video.info.codec == name
        assert (video.info.width, video.info.height, video.info.silent) == (320, 192, True)
        assert video.warnings == []
    assert len(frames) == 16
    assert [f.time_s for f in frames] == pytest.approx([i * 1001 / 24000 for i in range(16)], abs=0.002)
    seen = rgb(frames[12].frame, colour_space_of(frames[12].frame))
    assert np.abs(seen.astype(int) - scene(2, height=192)).mean() < 8


@pytest.mark.parametrize(("codec", "pixel_format"), [("libx264", "yuv420p10le"), ("libx265", "yuv420p10le")])
def test_ten_bits_are_read_as_the_same_colours(
    tmp_path: Path, pictures: list[np.ndarray], codec: str, pixel_format: str
) -> None:
    path = write_film(tmp_path / "film.mkv", pictures, codec=codec, pixel_format=pixel_format)
    assert probe(path).bit_depth == 10
    timed, info = seek_frame(path, 0.0)
    assert (
        np.abs(
            rgb(timed.frame, colour_space_of(timed.frame, info.pixel_aspect)).astype(int) - scene(1, height=192)
        ).mean()
        < 8
    )


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m"])
@pytest.mark.parametrize("levels", ["tv", "pc"])
def test_colours_follow_the_marks_of_the_film(tmp_path: Path, matrix: str, levels: str) -> None:
    colours = np.zeros((64, 192, 3), np.uint8)
    colours[:, :64], colours[:, 64:128], colours[:, 128:] = (220, 40, 30), (30, 190, 60), (40, 60, 210)
    simple = tmp_path / "plain.mkv"
    write_film(simple, [colours] * 3, codec="ffv1", pixel_format="bgr0")
    marked = tmp_path / "marked.mp4"
    named = {"bt709": "bt709", "smpte170m": "smpte170m"}[matrix]
    turn = f"scale=out_color_matrix={named}:out_range={levels},format=yuv444p"
    marks = ["-colorspace", matrix, "-color_range", levels, "-color_primaries", matrix, "-color_trc", matrix]
    ffmpeg("-i", str(simple), "-vf", turn, "-c:v", "libx264", "-qp", "1", *marks, str(marked))
    timed, _ = seek_frame(marked, 0.0)
    seen = rgb(timed.frame, colour_space_of(timed.frame)).astype(int)
    for column in (32, 96, 160):
        assert np.abs(seen[32, column] - colours[32, column].astype(int)).max() <= 4


def test_a_variable_rate_keeps_its_times(tmp_path: Path) -> None:
    times = [0, 40, 200, 210, 1000, 1033, 4000]
    path = write_film(tmp_path / "film.mkv", [scene(i) for i in range(7)], times=times)
    with open_video(path) as video:
        assert [f.time_s for f in video.frames()] == pytest.approx([t / 1000 for t in times], abs=0.0011)


@pytest.mark.parametrize("ending", ["mkv", "mp4", "ts", "avi"])
def test_the_frame_at_a_time_is_the_one_that_the_pass_saw(tmp_path: Path, ending: str) -> None:
    film = [with_mouth(scene(i // 9), i % 9) for i in range(60)]
    path = write_film(tmp_path / f"film.{ending}", film, options={"g": "12", "bf": "2"})
    with open_video(path) as video:
        frames = [(f.time_s, rgb(f.frame, colour_space_of(f.frame))) for f in video.frames()]
    assert len(frames) == 60
    for number in (0, 1, 11, 12, 13, 31, 59):
        timed, _ = seek_frame(path, frames[number][0])
        assert timed.time_s == frames[number][0]
        assert np.array_equal(rgb(timed.frame, colour_space_of(timed.frame)), frames[number][1])


def test_between_two_frames_the_earlier_one_is_on_show(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.mkv", [scene(1), scene(2), scene(3)], times=[0, 500, 1000])
    assert seek_frame(path, 0.9)[0].time_s == pytest.approx(0.5, abs=0.001)


def test_interlaced_frames_are_combed_out(tmp_path: Path) -> None:
    still = scene(4)
    combed = []
    for number in range(12):
        picture = still.copy()
        for field in (0, 1):
            bar = np.zeros_like(picture)
            x = 40 + number * 12 + field * 6
            bar[:, x : x + 20] = 255
            picture[field::2] = np.maximum(picture, bar)[field::2]
        combed.append(picture)
    options = {"flags": "+ildct+ilme", "x264-params": "tff=1", "qp": "8"}
    path = write_film(tmp_path / "film.mkv", combed, options=options)
    with open_video(path) as video:
        frames = list(video.frames())
        assert video.interlaced
    assert len(frames) == 12
    seen = rgb(frames[6].frame, colour_space_of(frames[6].frame)).astype(int)
    comb = np.abs(2 * seen[1:-1] - seen[:-2] - seen[2:])[:, 100:150].mean()
    before = np.abs(2 * combed[6].astype(int)[1:-1] - combed[6].astype(int)[:-2] - combed[6].astype(int)[2:])
    assert comb < 0.4 * before[:, 100:150].mean()


@pytest.mark.parametrize(("degrees", "turns"), [("90", 1), ("180", 2), ("270", 3)])
def test_a_turned_film_comes_out_upright(tmp_path: Path, degrees: str, turns: int) -> None:
    straight = write_film(tmp_path / "straight.mp4", [scene(5)] * 4, options={"qp": "4"})
    path = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", degrees, "-i", str(straight), "-c", "copy", str(path))
    timed, info = seek_frame(path, 0.0)
    seen = rgb(timed.frame, colour_space_of(timed.frame, info.pixel_aspect))
    assert np.abs(seen.astype(int) - np.rot90(scene(5), turns)).mean() < 6
    assert (info.width, info.height) == (seen.shape[1], seen.shape[0])


def test_broad_pixels_of_a_dvd_become_square(tmp_path: Path) -> None:
    flat = write_film(tmp_path / "flat.mkv", [scene(6, width=360, height=240)] * 3)
    path = tmp_path / "broad.mkv"
    ffmpeg("-i", str(flat), "-vf", "setsar=32/27", "-c:v", "mpeg4", str(path))
    timed, info = seek_frame(path, 0.0)
    seen = rgb(timed.frame, colour_space_of(timed.frame, info.pixel_aspect))
    assert seen.shape[:2] == (240, 427) == (info.height, info.width)


def test_sound_beside_the_picture_is_noticed(tmp_path: Path) -> None:
    assert not probe(write_film(tmp_path / "film.mkv", [scene(1)] * 4, tones=10)).silent


def test_of_a_film_cut_in_the_middle_the_rest_is_kept(tmp_path: Path) -> None:
    complete_film = write_film(tmp_path / "whole.mkv", [scene(i // 4) for i in range(120)], options={"g": "12"})
    path = tmp_path / "cut.mkv"
    path.write_bytes(complete_film.read_bytes()[: complete_film.stat().st_size // 2])
    with open_video(path) as video:
        frames = list(video.frames())
        assert 30 < len(frames) < 90
        assert any("ends at 0:00:0" in line and "of 0:00:05.0" in line for line in video.warnings)


def test_damage_in_the_middle_is_passed_over_and_reported(tmp_path: Path) -> None:
    complete_film = write_film(tmp_path / "whole.ts", [scene(i // 4) for i in range(120)], options={"g": "12"})
    data = bytearray(complete_film.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = os.urandom(3000)
    path = tmp_path / "damaged.ts"
    path.write_bytes(data)
    with open_video(path) as video:
        assert len(list(video.frames())) > 80
        assert any("damaged places, the first at about 0:00:0" in line for line in video.warnings)


def test_an_mp4_without_its_end_says_that_its_index_is_missing(tmp_path: Path) -> None:
    complete_film = write_film(tmp_path / "whole.mp4", [scene(i) for i in range(24)])
    path = tmp_path / "cut.mp4"
    path.write_bytes(complete_film.read_bytes()[: complete_film.stat().st_size // 2])
    with pytest.raises(UnreadableVideo, match=r"cut\.mp4: the index of this mp4/mov file is missing"):
        open_video(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"Dear diary, today I drew a cat.\n" * 40, "is a text file, not a film"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "is a picture, not a film"),
        (bytes(5000), "is not a film in a known format"),
        (b"\x1a\x45\xdf\xa3" + bytes(range(256)) * 8, "the file is damaged"),
        (b"RIFF\x10\x00\x00\x00AVI LIST" + bytes(64), "fake.mp4"),
    ],
)
def test_what_is_no_film_is_refused_by_its_content(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "fake.mp4"
    path.write_bytes(content)
    with pytest.raises(UnreadableVideo, match=words), open_video(path) as video:
        list(video.frames())


def test_sound_alone_is_no_film(tmp_path: Path) -> None:
    with pytest.raises(UnreadableVideo, match="contains no video"):
        probe(write_sound(tmp_path / "song.mp4"))


def test_a_folder_and_a_pipe_are_no_films(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    for name in (".", "pipe.mp4"):
        with pytest.raises(UnreadableVideo, match="not a regular file"):
            probe(tmp_path / name)
    with pytest.raises(UnreadableVideo, match="No such file"):
        probe(tmp_path / "gone.mp4")


@pytest.fixture
def website() -> Iterator[tuple[str, list[str]]]:
    requests: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            self.send_error(404)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", requests
    server.shutdown()
    thread.join()
    server.server_close()


LISTS = {
    "m3u8 to an address": "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{url}/a.ts\n#EXT-X-ENDLIST\n",
    "m3u8 to a file": "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{film}\n#EXT-X-ENDLIST\n",
    "m3u8 with a mark before it": "\ufeff\n#EXTM3U\n#EXTINF:4,\n{film}\n",
    "concat to a file": "ffconcat version 1.0\nfile '{film}'\n",
    "concat to an address": "ffconcat version 1.0\nfile '{url}/b.mp4'\n",
    "dash": '<?xml version="1.0"?><MPD><BaseURL>{url}/c/</BaseURL></MPD>',
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_playlist_named_mp4_opens_nothing_else(tmp_path: Path, website: tuple[str, list[str]], kind: str) -> None:
    url, request = website
    film = write_film(tmp_path / "secret.ts", [scene(1)] * 4)
    os.utime(film, (1, 1))
    path = tmp_path / "list.mp4"
    path.write_text(LISTS[kind].format(url=url, film=film), encoding="utf-8")
    with pytest.raises(UnreadableVideo, match="not supported"):
        open_video(path)
    with pytest.raises(UnreadableVideo):
        seek_frame(path, 0.0)
    assert request == []


def test_a_playlist_behind_the_marks_of_a_film_opens_nothing_else(
    tmp_path: Path, website: tuple[str, list[str]]
) -> None:
    url, request = website
    text = f"\n#EXTM3U\n#EXTINF:4,\n{url}/a.ts\n".encode()
    for name, cursor in {"a.mp4": b"\x00\x00\x00\x08free", "b.mp4": b"\x1a\x45\xdf\xa3", "c.mp4": b"FLV\x01"}.items():
        (tmp_path / name).write_bytes(cursor + text * 20)
        with pytest.raises(UnreadableVideo), open_video(tmp_path / name) as video:
            list(video.frames())
    assert request == []


@pytest.mark.parametrize(
    "name", ["http:x.mp4", "concat:a|b.mp4", "subfile,,start,0,end,9,,:x.mp4", "%03d.mp4", "-i.mp4"]
)
def test_a_name_is_never_an_address(tmp_path: Path, name: str) -> None:
    film = write_film(tmp_path / "plain.mp4", [scene(1)] * 4)
    film.rename(tmp_path / name)
    assert probe(tmp_path / name).width == 320


def test_too_many_pixels_and_too_long_films_are_refused(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.mkv", [scene(1)] * 48)
    with pytest.raises(UnreadableVideo, match="320 x 180 pixels exceed"):
        probe(path, limits=Limits(max_pixels=10_000))
    with pytest.raises(UnreadableVideo, match="its length of 0:00:02"):
        probe(path, limits=Limits(max_seconds=1.0))
    with pytest.raises(UnreadableVideo, match="longer than"), open_video(path, limits=Limits(max_frames=10)) as video:
        list(video.frames())


def test_without_a_gpu_the_cpu_decodes_with_a_warning(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.mkv", [scene(1)] * 4)
    with open_video(path, use_gpu=True) as video:
        assert len(list(video.frames())) == 4
        is_warned = video.device == "CPU" and "decoded on the CPU" in video.warnings[0]
        assert is_warned or "NVDEC" in video.device


def test_the_real_episode_has_all_its_frames(test_data: Path) -> None:
    with open_video(test_data / "video" / "real_cuts_ep01.mp4") as video:
        assert sum(1 for _ in video.frames()) == 1590
        assert (video.info.width, video.info.height) == (1280, 720)
    assert cv2.__version__
