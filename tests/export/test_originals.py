"""Pictures leave as they came: the same bytes where nothing changes them, else pixels that begin with the original."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from django.contrib.auth.models import User
from PIL import Image

from export.actions import jobs
from export.algorithms.recipe import parse
from export.build import export_job
from export.readback.comparing import read_back
from ingest.actions import runs, sources
from ingest.models import Collection, RunState
from ingest.pipeline import registry

NAMES = ("plain", "photo", "see", "moving", "turned", "grey")


def noisy(seed: int, size: tuple[int, int] = (640, 600)) -> Image.Image:
    """Noise: no lossy copy of it comes near."""
    small = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3)).astype(np.uint8)
    return Image.fromarray(small)


def packed(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


@pytest.fixture
def came(tmp_path: Path) -> dict[str, bytes]:
    """Files by name, as people have them."""
    veil = noisy(3).convert("RGBA")
    veil.putalpha(Image.linear_gradient("L").resize(veil.size))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a title"
    files = {
        "plain.png": packed(noisy(1), "PNG"),
        "photo.JPEG": packed(noisy(2), "JPEG", quality=70, exif=b"Exif\0\0" + Image.Exif().tobytes()[6:]),
        "see.png": packed(veil, "PNG"),
        "moving.gif": packed(noisy(4), "GIF", save_all=True, append_images=[noisy(5)], duration=50),
        "turned.jpg": packed(noisy(6, (640, 520)), "JPEG", quality=90, exif=exif),
        "grey.png": packed(noisy(7).convert("L"), "PNG"),
    }
    folder = tmp_path / "art"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return files


@pytest.fixture
def pictures(collection: Collection, alice: User, came: dict[str, bytes], tmp_path: Path, settings: Any) -> Collection:
    settings.PIPELINE_STAGES = ["ingest.stages.read_pictures.ReadPictures"]
    registry.stages.cache_clear()
    episode = sources.register(collection=collection, path=tmp_path / "art", by=alice)
    assert runs.run_here(runs.start(collection=collection, episodes=[episode], by=alice)).state == RunState.DONE
    registry.stages.cache_clear()
    return collection


def exported(collection: Collection, by: User, **selection: Any) -> dict[str, Path]:
    """Pictures of a dataset by the stem that their file came with."""
    recipe = parse(
        {"selection": {"min_faces": 0, **selection}, "output": {"zip": False}, "metadata": {"version": "v2"}}
    )
    job = jobs.start(collection=collection, recipe=recipe, name="set", by=by)
    assert export_job.execute(job.pk) == RunState.DONE, job.error
    job.refresh_from_db()
    folder = jobs.inside_exports(job.folder)
    collected = {}
    for path in folder.rglob("*"):
        if not path.name.startswith(".") and path.suffix not in (".json", ".txt", ".md") and path.is_file():
            collected[path.stem.rpartition("_")[2]] = path
            assert json.loads(path.with_suffix(".json").read_text())["filename"] == path.name
    assert set(collected) == set(NAMES)
    assert read_back(folder).unchanged == len(NAMES)
    return collected


def pixels(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_as_it_came_means_byte_for_byte_whatever_the_format(
    pictures: Collection, alice: User, came: dict[str, bytes]
) -> None:
    files = exported(pictures, alice, format="original")
    for name, data in came.items():
        path = files[name.partition(".")[0]]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == hashlib.sha256(data).hexdigest(), name
    assert {path.suffix for path in files.values()} == {".png", ".jpg", ".gif"}
    assert files["photo"].suffix == ".jpg"
    with Image.open(files["moving"]) as image:
        assert image.n_frames == 2
    with Image.open(files["see"]) as image:
        assert image.getextrema()[3] == (0, 255)


def test_a_png_asked_for_as_png_is_itself_and_all_others_have_the_pixels_of_their_original(
    pictures: Collection, alice: User, came: dict[str, bytes]
) -> None:
    files = exported(pictures, alice, format="png")
    assert {path.suffix for path in files.values()} == {".png"}
    for name in ("plain.png", "grey.png"):
        assert files[name.partition(".")[0]].read_bytes() == came[name]
    assert np.array_equal(pixels(files["photo"].read_bytes()), pixels(came["photo.JPEG"]))
    assert np.array_equal(pixels(files["moving"].read_bytes()), pixels(came["moving.gif"]))
    upright = pixels(came["turned.jpg"])[::-1].transpose(1, 0, 2)
    assert np.array_equal(pixels(files["turned"].read_bytes()), upright)
    veil = np.asarray(Image.open(io.BytesIO(came["see.png"])), np.uint16)
    white = (veil[..., :3] * veil[..., 3:] + 255 * (255 - veil[..., 3:]) + 127) // 255
    with Image.open(files["see"]) as image:
        assert image.mode == "RGB"
        assert np.array_equal(np.asarray(image), white)


def test_a_jpeg_asked_for_as_jpeg_is_not_written_a_second_time(
    pictures: Collection, alice: User, came: dict[str, bytes]
) -> None:
    files = exported(pictures, alice, format="jpeg")
    assert files["photo"].read_bytes() == came["photo.JPEG"]
    with Image.open(files["turned"]) as image:
        assert image.getexif().get(0x0112, 1) == 1  # no reader may leave it lying on its side
        assert image.size == (520, 640)


def test_what_is_made_smaller_begins_with_the_original(
    pictures: Collection, alice: User, came: dict[str, bytes]
) -> None:
    """Each is held against the original and against a JPEG of it, which is what earlier versions began with."""
    files = exported(pictures, alice, format="png", size=512)
    for name in ("plain.png", "see.png", "grey.png"):
        rgb = pixels(came[name])
        if name == "see.png":
            continue
        size = (round(640 * 512 / 600), 512)
        written_pixels = pixels(files[name.partition(".")[0]].read_bytes())
        assert np.array_equal(written_pixels, cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)), name
        lossy = pixels(packed(Image.fromarray(rgb), "JPEG", quality=95, subsampling=0))
        assert not np.array_equal(written_pixels, cv2.resize(lossy, size, interpolation=cv2.INTER_AREA))


def test_as_it_came_made_smaller_keeps_the_format_where_it_is_one_of_the_three(
    pictures: Collection, alice: User, came: dict[str, bytes]
) -> None:
    files = exported(pictures, alice, format="original", size=512)
    assert {stem: path.suffix for stem, path in files.items()} == {
        "plain": ".png", "photo": ".jpg", "see": ".png", "moving": ".png", "turned": ".jpg", "grey": ".png",
    }  # fmt: skip
    for path in files.values():
        with Image.open(path) as image:
            assert min(image.size) == 512
            assert image.mode == "RGB"


def test_crops_do_not_keep_the_whole_picture_from_leaving_as_it_came(
    pictures: Collection, alice: User, came: dict[str, bytes]
) -> None:
    from annotate.models import Face
    from ingest.models import Frame

    frame = Frame.objects.get(name="plain.png")
    Face.objects.create(collection=pictures, frame=frame, left=0.2, top=0.2, right=0.5, bottom=0.6)
    recipe = parse({"selection": {"min_faces": 1}, "crops": {"enabled": True}, "output": {"zip": False}})
    job = jobs.start(collection=pictures, recipe=recipe, name="crops", by=alice)
    assert export_job.execute(job.pk) == RunState.DONE
    job.refresh_from_db()
    written = {path.stem: path.read_bytes() for path in jobs.inside_exports(job.folder).rglob("*.png")}
    complete = next(data for stem, data in written.items() if stem.endswith("_plain"))
    cut = next(data for stem, data in written.items() if not stem.endswith("_plain"))
    assert complete == came["plain.png"]
    square = pixels(cut)
    rgb = pixels(came["plain.png"])
    side = square.shape[0]
    columns = [x for x in range(rgb.shape[1] - side + 1) if np.array_equal(rgb[:side, x : x + side], square)]
    assert len(columns) == 1
