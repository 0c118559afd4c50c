"""Files of a face set: exact sizes, the right pixels, and how many passes each picture had, told by the file."""

from __future__ import annotations

import hashlib
import io
import json
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from annotate.backends.upscalers.known_upscalers import open_upscaler
from annotate.backends.upscalers.resize import ResizeUpscaler
from export.algorithms.crops import Crop
from export.algorithms.plan import make_plan
from export.algorithms.recipe import parse
from export.algorithms.rows import Face, Picture
from export.build import write as build_module
from export.build.write import build
from export.formats.pictures import cut
from ingest.errors import KomaError
from ingest.imaging.passes import read_passes
from ingest.imaging.store import Store
from tests.annotate.upscale_graph import write_esrgan

WIDTH, HEIGHT = 320, 180


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def picture(store: Store, *, side: int, at: tuple[int, int] = (160, 90), passes: int = 0) -> Picture:
    """A picture of fours of equal pixels with a face of `side` pixels whose middle lies at a place."""
    rgb = np.random.default_rng(3).integers(0, 255, (HEIGHT // 4, WIDTH // 4, 3), dtype=np.uint8)
    rgb = rgb.repeat(4, axis=0).repeat(4, axis=1)
    file = store.put(cv2.imencode(".png", rgb[:, :, ::-1])[1].tobytes(), "png")
    left, top = at[0] - side / 2, at[1] - side / 2
    face = Face(left=left / WIDTH, top=top / HEIGHT, right=(left + side) / WIDTH, bottom=(top + side) / HEIGHT)
    return Picture(key="s:1", stem="p", file=file, width=WIDTH, height=HEIGHT, faces=(face,), passes=passes)


def written(folder: Path, name: str) -> tuple[np.ndarray, dict, int]:
    path = next(folder.rglob(name))
    data = path.read_bytes()
    return np.array(Image.open(io.BytesIO(data))), json.loads(path.with_suffix(".json").read_text()), read_passes(data)


def test_a_face_is_cut_upscaled_by_the_model_and_brought_to_its_size(store: Store, tmp_path: Path) -> None:
    write_esrgan(tmp_path / "models" / "tiny" / "RealESRGAN_x4plus_anime_6B.onnx")
    model = open_upscaler("tiny", tmp_path / "models", device="cpu")
    row = picture(store, side=64)  # crop of 96 pixels, one pass of 4: 384, then 192
    recipe = parse({"face_set": {"enabled": True, "size": 192}, "upscale": {"model": "tiny"}})
    plan = make_plan([row], recipe, factor=4)

    build(plan, recipe, store=store, folder=tmp_path / "out", upscaler=model)

    rgb, facts, answer = written(tmp_path / "out", "p_face1.png")
    source = np.array(Image.open(io.BytesIO(store.read(row.file))))[42:138, 112:208]
    assert np.array_equal(rgb, source.repeat(2, axis=0).repeat(2, axis=1))  # four times, then the mean of each two
    assert facts["upscale"] == {"passes": 1, "model": "tiny"}
    assert facts["face_set"] == {
        "source": "s:1", "face": [128.0, 58.0, 192.0, 122.0], "square": [112, 42, 96], "border": "inside",
    }  # fmt: skip
    assert answer == 1
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["upscaled"] == {"1": 1}


@pytest.mark.parametrize(("ending", "form"), [(".png", "png"), (".jpg", "jpeg"), (".webp", "webp")])
def test_every_format_tells_its_passes_and_those_before_are_added(
    store: Store, tmp_path: Path, ending: str, form: str
) -> None:
    recipe = parse({"selection": {"format": form}, "face_set": {"enabled": True, "least": 16}})
    plan = make_plan([picture(store, side=24, passes=1)], recipe)  # crop of 36: two passes to 144

    built = build(plan, recipe, store=store, folder=tmp_path / "out", upscaler=ResizeUpscaler("lanczos"))

    rgb, facts, answer = written(tmp_path / "out", f"p_face1{ending}")
    assert rgb.shape == (128, 128, 3)
    assert facts["upscale"]["passes"] == answer == 3
    assert any("1 picture has more than 2 passes" in text for text in built.warnings)


def test_a_picture_upscaled_before_tells_so_again_though_nothing_was_added(store: Store, tmp_path: Path) -> None:
    recipe = parse({})
    build(make_plan([picture(store, side=64, passes=2)], recipe), recipe, store=store, folder=tmp_path / "out")
    _, facts, answer = written(tmp_path / "out", "p.png")
    assert answer == facts["upscale"]["passes"] == 2


def test_a_small_picture_grows_to_exactly_the_least_size(store: Store, tmp_path: Path) -> None:
    recipe = parse({"upscale": {"below": 200}})
    plan = make_plan([picture(store, side=64)], recipe)
    build(plan, recipe, store=store, folder=tmp_path / "out", upscaler=ResizeUpscaler("bicubic"))
    rgb, facts, _ = written(tmp_path / "out", "p.png")
    assert rgb.shape == (200, 356, 3)
    assert facts["upscale"] == {"passes": 1, "model": "bicubic"}


def test_no_pass_leaves_the_stored_bytes_as_they_are(store: Store, tmp_path: Path) -> None:
    row, recipe = picture(store, side=64), parse({"upscale": {"below": 100}})
    build(make_plan([row], recipe), recipe, store=store, folder=tmp_path / "out")
    assert next((tmp_path / "out").rglob("p.png")).read_bytes() == store.read(row.file)


def test_a_set_stopped_and_begun_again_has_the_same_bytes(store: Store, tmp_path: Path) -> None:
    recipe = parse({"face_set": {"enabled": True, "whole": True}})
    plan = make_plan([picture(store, side=side) for side in (60, 64, 70)][:1], recipe)

    def files(name: str) -> dict[str, str]:
        return {
            path.relative_to(tmp_path / name).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }

    def stop(done: int) -> None:
        if done:
            raise KomaError("stopped")

    upscaler = ResizeUpscaler("lanczos")
    with pytest.raises(KomaError, match="stopped"):
        build(plan, recipe, store=store, folder=tmp_path / "a", upscaler=upscaler, on_progress=stop)
    build(plan, recipe, store=store, folder=tmp_path / "a", upscaler=upscaler)
    build(plan, recipe, store=store, folder=tmp_path / "b", upscaler=upscaler)
    assert files("a") == files("b")
    assert {name.rpartition("/")[2] for name in files("a") if name.endswith(".png")} == {"p.png", "p_face1.png"}


def test_a_plan_with_passes_needs_an_upscaler(store: Store, tmp_path: Path) -> None:
    recipe = parse({"face_set": {"enabled": True}})
    with pytest.raises(ValueError, match="an upscaler must be given"):
        build(make_plan([picture(store, side=50)], recipe), recipe, store=store, folder=tmp_path / "out")


def test_beyond_the_rim_the_picture_is_black_repeated_or_mirrored() -> None:
    row = np.arange(1, 6, dtype=np.uint8)[None, :, None].repeat(5, axis=0).repeat(3, axis=2)  # columns 1 to 5
    nothing = Picture(key="k", stem="s", file="f", width=5, height=5)

    def first_row(border: str, left: int) -> list[int]:
        return cut(row, Crop(left, 0, 5, nothing, border=border))[0, :, 0].tolist()

    assert first_row("black", -2) == [0, 0, 1, 2, 3]
    assert first_row("edge", -2) == [1, 1, 1, 2, 3]
    assert first_row("reflect", -2) == [3, 2, 1, 2, 3]
    assert first_row("edge", 3) == [4, 5, 5, 5, 5]
    assert first_row("reflect", 3) == [4, 5, 4, 3, 2]
    assert first_row("reflect", -11) == [4, 3, 2, 1, 2]


class Slow(ResizeUpscaler):
    """Takes a moment for each picture, as networks do."""

    def __init__(self) -> None:
        super().__init__("lanczos")
        self.made = 0

    def upscale(self, picture: np.ndarray, *, times: int) -> np.ndarray:
        time.sleep(0.2)
        self.made += 1
        return super().upscale(picture, times=times)


def test_while_pictures_are_upscaled_the_worker_is_heard_and_can_be_stopped(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_module, "_ALIVE_EVERY_S", 0.05)
    recipe = parse({"face_set": {"enabled": True}})
    rows = [replace(picture(store, side=64), key=f"s:{number}", stem=f"p{number}") for number in range(12)]
    plan = make_plan(rows, recipe)
    reports: list[int] = []

    def stop(done: int) -> None:
        reports.append(done)
        if len(reports) > 3:
            raise KomaError("stopped")

    slow = Slow()
    with pytest.raises(KomaError, match="stopped"):
        build(plan, recipe, store=store, folder=tmp_path / "out", upscaler=slow, on_progress=stop)
    assert len(reports) == 4 and max(reports) < 6  # long before the first batch of sixteen was done
    assert slow.made < 6  # those that had begun ended, the others never began
    reports.clear()
    built = build(plan, recipe, store=store, folder=tmp_path / "out", upscaler=slow, on_progress=reports.append)
    assert built.resumed == 12 - built.written > 0
    assert len(set(reports)) > 2 and reports == sorted(reports)  # pictures count as they are done, not batches
