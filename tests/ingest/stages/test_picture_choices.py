"""Damaged pictures and files of several pictures, through the real stage and the real export."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from PIL import Image

from export.actions import jobs
from export.algorithms.recipe import parse
from export.build import export_job
from ingest.actions import runs, sources
from ingest.imaging.decode import read_picture
from ingest.imaging.store import Store
from ingest.models import Collection, Episode, Frame, PipelineRun, RunState, SkippedInput
from ingest.pipeline import registry
from tests.ingest.imaging.rare_files import HEIC, colours, tiff


@pytest.fixture(autouse=True)
def _stages(settings: Any) -> Any:
    settings.PIPELINE_STAGES = ["ingest.stages.read_pictures.ReadPictures"]
    registry.stages.cache_clear()
    yield
    registry.stages.cache_clear()


def noise(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (160, 200, 3)).astype(np.uint8))


def packed(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def run(collection: Collection, episode: Episode, by: User, **params: Any) -> PipelineRun:
    done = runs.run_here(runs.start(collection=collection, episodes=[episode], by=by, params={"read_pictures": params}))
    assert done.state == RunState.DONE
    return done


def exported(collection: Collection, by: User, **selection: Any) -> dict[str, bytes]:
    chosen = {"min_faces": 0, **selection}
    recipe = parse({"selection": chosen, "output": {"zip": False}})
    job = jobs.start(collection=collection, recipe=recipe, name="set", by=by)
    assert export_job.execute(job.pk) == RunState.DONE, job.error
    job.refresh_from_db()
    paths = [path for path in jobs.inside_exports(job.folder).rglob("*") if path.is_file() and path.name[0] != "."]
    return {path.name: path.read_bytes() for path in paths if path.suffix not in (".json", ".txt", ".md")}


def pixels(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_damaged_pictures_are_set_aside_and_used_when_a_later_run_is_asked_to(
    collection: Collection, alice: User, tmp_path: Path, settings: Any
) -> None:
    complete = packed(noise(1), "PNG")
    folder = tmp_path / "art"
    folder.mkdir()
    files = {
        "half.png": complete[: len(complete) * 6 // 10],
        "rest.jpg": packed(noise(2), "JPEG")[:3000],
        "sound.png": complete,
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    episode = sources.register(collection=collection, path=folder, by=alice)
    run(collection, episode, alice)
    assert set(Frame.objects.values_list("name", flat=True)) == {"sound.png"}
    assert "Use damaged pictures" in SkippedInput.objects.get(name="half.png").reason

    run(collection, episode, alice, use_damaged=True)

    half = Frame.objects.get(name="half.png")
    assert (half.original_use, half.width) == ("damaged", 200)
    assert 60 < half.height < 110
    assert any("rows are missing" in note for note in half.measures["notes"])
    assert Store(settings.KOMA_DATA_DIR / "store").read(half.original) == files["half.png"]
    assert "rows are readable" in SkippedInput.objects.get(name="rest.jpg").reason
    for form in ("png", "original"):
        written = exported(collection, alice, format=form)
        assert set(written) == {"art_half.png", "art_sound.png"}
        assert written["art_sound.png"] == complete
        assert np.array_equal(pixels(written["art_half.png"]), pixels(complete)[: half.height])


def test_the_pictures_of_an_animation_become_frames_where_that_is_asked_for(
    collection: Collection, alice: User, tmp_path: Path, settings: Any
) -> None:
    black = Image.new("RGB", (200, 160))
    pictures = [noise(1), black, noise(2), noise(3)]
    data = packed(pictures[0], "WEBP", save_all=True, append_images=pictures[1:], lossless=True, duration=70)
    folder = tmp_path / "art"
    folder.mkdir()
    (folder / "1 moving.webp").write_bytes(data)
    (folder / "2 still.png").write_bytes(packed(noise(4), "PNG"))
    episode = sources.register(collection=collection, path=folder, by=alice)
    run(collection, episode, alice, every_picture=True)
    rows = list(Frame.objects.order_by("index").values_list("index", "name", "page", "original_use"))
    assert rows == [
        (0, "1 moving.webp", 1, "part"), (1, "2 still.png", None, "plain"),
        (2, "1 moving.webp", 3, "part"), (3, "1 moving.webp", 4, "part"),
    ]  # fmt: skip
    files = Store(settings.KOMA_DATA_DIR / "store")
    originals = set(Frame.objects.filter(original_use="part").values_list("original", flat=True))
    assert [files.read(name) for name in originals] == [data]
    before = list(Frame.objects.order_by("pk").values())
    run(collection, episode, alice, every_picture=True)
    assert list(Frame.objects.order_by("pk").values()) == before
    for form in ("png", "original"):
        written = exported(collection, alice, format=form)
        assert set(written) == {"art_1movingp001.png", "art_1movingp003.png", "art_1movingp004.png", "art_2still.png"}
        for page, seed in ((1, 1), (3, 2), (4, 3)):
            assert np.array_equal(pixels(written[f"art_1movingp00{page}.png"]), np.asarray(noise(seed)))


def test_more_pictures_than_a_file_may_give_are_left_out_and_reported(
    collection: Collection, alice: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest.stages import read_pictures

    monkeypatch.setattr(read_pictures, "PICTURES_OF_FILE_MAX", 2)
    images = [noise(seed) for seed in range(4)]
    path = tmp_path / "long.gif"
    path.write_bytes(packed(images[0], "GIF", save_all=True, append_images=images[1:], duration=50))
    done = run(collection, sources.register(collection=collection, path=path, by=alice), alice, every_picture=True)
    assert Frame.objects.count() == 2
    assert "more than 2 pictures" in done.stages.get().log
    assert not SkippedInput.objects.exists()


def test_rare_kinds_come_in_and_go_out_as_they_came_and_as_png(
    collection: Collection, alice: User, tmp_path: Path
) -> None:
    rgb = colours()
    files = {
        "deep.tif": tiff(rgb.astype(np.uint16) * 257, tile=16, deflate=True),
        "float.tiff": tiff(rgb.astype(np.float32) / 255),
        "photo.heic": HEIC,
    }
    folder = tmp_path / "art"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    run(collection, sources.register(collection=collection, path=folder, by=alice), alice)
    came = exported(collection, alice, format="original")
    assert came == {"art_deep.tif": files["deep.tif"], "art_float.tif": files["float.tiff"], "art_photo.heic": HEIC}
    flat = exported(collection, alice, format="png")
    assert np.array_equal(pixels(flat["art_deep.png"]), rgb)
    assert np.array_equal(pixels(flat["art_float.png"]), rgb)
    assert np.array_equal(pixels(flat["art_photo.png"]), read_picture(HEIC, name="photo.heic").rgb)
