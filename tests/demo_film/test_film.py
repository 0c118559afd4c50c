"""The drawn episode against its own ground truth."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import av
import numpy as np
import pytest

from demo_film.__main__ import main
from demo_film.film import draw_episode, draw_in_steps, draw_small
from demo_film.script import make_script
from demo_film.truth import Truth, read_truth, truth_path

FULL = 1798  # frames of 75 s


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    path = tmp_path_factory.mktemp("film") / "ep.mp4"
    return path, draw_small(path, seed=3, seconds=12)


@pytest.fixture(scope="module")
def luma(small: tuple[Path, Truth]) -> list[np.ndarray]:
    with av.open(str(small[0])) as box:
        return [f.to_ndarray(format="gray").astype(np.int16) for f in box.decode(video=0)]


def test_the_film_has_the_frames_and_the_rate_that_its_truth_says(small: tuple[Path, Truth], luma: list) -> None:
    path, truth = small
    with av.open(str(path)) as box:
        stream = box.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert (stream.average_rate.numerator, stream.average_rate.denominator) == truth.fps
        assert (stream.width, stream.height) == truth.size
    assert len(luma) == truth.frames == round(12 * 24000 / 1001)


def test_shots_follow_each_other_without_gap(small: tuple[Path, Truth]) -> None:
    truth = small[1]
    assert truth.shots[0].start == 0 and truth.shots[-1].end == truth.frames
    assert all(a.end == b.start for a, b in itertools.pairwise(truth.shots))
    assert [s.index for s in truth.shots] == list(range(len(truth.shots)))


def test_each_frame_shows_one_drawing_or_is_in_a_transition(small: tuple[Path, Truth]) -> None:
    truth = small[1]
    drawings = truth.drawing_of_frame()
    blended = {f for t in truth.transitions for f in range(t.start, t.end)}
    assert {i for i, d in enumerate(drawings) if d < 0} == blended
    assert sum(d.frames for d in truth.drawings) == truth.frames - len(blended)
    for drawing in truth.drawings:
        shot = truth.shots[drawing.shot]
        assert all(shot.start <= start < end <= shot.end for start, end in drawing.runs)


def test_held_drawings_stay_still_in_the_decoded_film_and_other_drawings_differ(
    small: tuple[Path, Truth], luma: list
) -> None:
    truth = small[1]
    held = {d.id for d in truth.drawings if d.motion == "held"}
    drawings = truth.drawing_of_frame()
    same, cut = [], []
    starts = {s.start for s in truth.shots}
    for i, (a, b) in enumerate(itertools.pairwise(drawings)):
        change = float(np.abs(luma[i] - luma[i + 1]).mean())
        if a == b and a in held:
            same.append(change)
        elif i + 1 in starts and a >= 0 and b >= 0:
            cut.append(change)
    assert max(same) < 3.0 < min(cut)


def test_faces_lie_in_the_picture_and_backs_have_none(small: tuple[Path, Truth]) -> None:
    truth = small[1]
    names = {c["name"] for c in truth.characters}
    faces = 0
    for frame in range(truth.frames):
        for person, (left, top, right, bottom) in truth.faces_at(frame):
            faces += 1
            assert 0 <= left < right <= 1 and 0 <= top < bottom <= 1
            assert person.view != "back"
            assert person.name in names or person.key.startswith("extra_")
    assert faces > 50


def test_a_face_is_where_the_truth_says_it_is(tmp_path: Path) -> None:
    truth = draw_small(tmp_path / "a.mp4", seed=9, seconds=8)
    with av.open(str(tmp_path / "a.mp4")) as box:
        frames = [f.to_ndarray(format="rgb24") for f in box.decode(video=0)]
    inside = []
    for drawing in truth.drawings:
        start, end = drawing.runs[0]
        place = (start + end) // 2
        for person, (left, top, right, bottom) in truth.faces_at(place):
            if person.view != "front" or right - left < 0.06:
                continue
            picture = frames[place]
            h, w = picture.shape[:2]
            y, x = top * 0.25 + bottom * 0.75, (left + right) / 2
            r, g, b = (int(v) for v in picture[int(y * h), int(x * w)])
            inside.append(r >= g >= b - 12)  # skin, lips: never green or blue, under any light but the night's
    assert inside and np.mean(inside) > 0.7


def test_the_truth_is_read_back_as_it_was_written(small: tuple[Path, Truth]) -> None:
    path, truth = small
    again = read_truth(truth_path(path))
    assert [d.runs for d in again.drawings] == [d.runs for d in truth.drawings]
    assert again.shots == truth.shots and again.characters == truth.characters
    assert again.drawing_of_frame() == truth.drawing_of_frame()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_film(tmp_path: Path) -> None:
    hashes = []
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        draw_small(tmp_path / f"{name}.mp4", seed=seed, seconds=3, size=(192, 108))
        film = (tmp_path / f"{name}.mp4").read_bytes()
        hashes.append(hashlib.sha256(film + truth_path(tmp_path / f"{name}.mp4").read_bytes()).hexdigest())
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize("seed", [1, 2, 7])
def test_a_full_episode_holds_what_the_demo_needs(seed: int) -> None:
    plans, cast, extras = make_script(seed, FULL)
    assert sum(p.frames for p in plans) == FULL and len(plans) >= 30
    assert len(cast) >= 6 and len({p.name for p in cast}) == len(cast) and len(extras) >= 3
    hair = [{appearance.hair for appearance in p.appearances.values()} for p in cast]
    assert hair[0] == hair[1]
    changing = [p for p in cast if len(p.appearances) == 2]
    assert len(changing) == 1
    worn = {(a.person.key, a.costume) for p in plans for a in p.actors}
    assert {(changing[0].key, c) for c in changing[0].appearances} <= worn
    assert {p.key for p in cast} <= {k for k, _ in worn}
    first, second = changing[0].appearances.values()
    assert first.back != second.back and first.outfit != second.outfit
    views = {pose.view for p in plans for poses, _ in p.beats for pose in poses}
    assert views == {"front", "three_quarter", "side", "back"}
    assert {len(p.actors) for p in plans} >= {0, 1, 2, 3, 4}
    assert {"still", "zoom_in"} <= {p.camera for p in plans} and any(p.camera.startswith("pan") for p in plans)
    assert any(p.fade_in for p in plans) and any(p.fade_out for p in plans) and any(p.cross for p in plans)
    opening = [p for p in plans if p.part == "opening"]
    again = [p for p in plans if p.part == "opening_again"]
    assert plans[-len(again) :] == again
    assert [(p.actors, p.beats, p.ground) for p in opening] == [(p.actors, p.beats, p.ground) for p in again]
    assert any(pose.talk for p in plans for poses, _ in p.beats for pose in poses)
    assert any(a.person.name == "" for p in plans for a in p.actors)


def test_no_two_seeds_share_a_name() -> None:
    names = [p.name for seed in range(60) for p in make_script(seed, 200)[1]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("seed", [1, 2])
def test_a_lip_flap_changes_at_most_twelve_pixels(seed: int) -> None:
    from demo_film.stage import Stage

    plans, _, _ = make_script(seed, FULL)
    plan = next(p for p in plans if p.kind in ("talk", "two") and any(q.talk == 1 for b, _ in p.beats for q in b))
    stage = Stage(plan, (1280, 720))
    order = [c for c, _ in stage.beats()]
    talks = {c: max(q.talk for q in stage._poses[c]) for c in order}
    shut = next(c for c in order if talks[c] == 0)
    wide = next(c for c in order if talks[c] == 1)
    a, b = (stage.draw(c).raw.astype(np.int16) for c in (shut, wide))
    ys, xs = np.nonzero(np.abs(a - b).max(axis=2) > 24)
    assert len(ys) > 0
    assert ys.max() - ys.min() < 12
    assert xs.max() - xs.min() < 26  # a closed mouth is a wider line than an open one


def test_impossible_films_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="even"):
        draw_episode(tmp_path / "x.mp4", seed=1, seconds=6, size=(321, 180))
    with pytest.raises(ValueError, match="seconds"):
        draw_episode(tmp_path / "x.mp4", seed=1, seconds=0)
    assert main([str(tmp_path / "x.mp4"), "--size", "big"]) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_height_that_is_even_only_is_enough(tmp_path: Path) -> None:
    draw_small(tmp_path / "x.mp4", seed=7, seconds=2, size=(160, 90))
    with av.open(str(tmp_path / "x.mp4")) as film:
        assert {(picture.width, picture.height) for picture in film.decode(video=0)} == {(160, 90)}


def test_without_grain_the_drawings_are_the_same_and_frames_of_a_held_drawing_are_alike(tmp_path: Path) -> None:
    lumas, truths = [], []
    for grain in (True, False):
        path = tmp_path / f"{grain}.mp4"
        truths.append(draw_episode(path, seed=3, seconds=4, size=(320, 180), grain=grain))
        with av.open(str(path)) as film:
            lumas.append(np.stack([f.to_ndarray(format="gray")[:180].astype(np.int16) for f in film.decode(video=0)]))
    assert truths[0] == truths[1]
    assert np.abs(lumas[0] - lumas[1]).mean() < 2.5
    shown = truths[0].drawing_of_frame()
    held = {d.id for d in truths[0].drawings if d.motion == "held"}
    steps = [i for i in range(len(shown) - 1) if shown[i] == shown[i + 1] and shown[i] in held]
    changes = [float(np.mean([np.abs(luma[i] - luma[i + 1]).mean() for i in steps])) for luma in lumas]
    assert changes[1] < 0.2 < changes[0]


def test_a_film_is_drawn_in_steps_and_one_that_is_given_up_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    steps = draw_in_steps(path, seed=3, seconds=4, size=(192, 108), grain=False)
    assert next(steps) == 24
    assert not path.exists()
    steps.close()
    assert list(tmp_path.iterdir()) == []
    assert list(draw_in_steps(path, seed=3, seconds=4, size=(192, 108), grain=False)) == [24, 48, 72, 96]
    assert path.is_file() and read_truth(truth_path(path)).frames == 96
