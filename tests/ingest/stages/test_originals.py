"""Every picture is kept exactly as it came, through the real stage, beside a working copy only where one is needed."""

from __future__ import annotations

import hashlib
import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from PIL import Image, ImageCms

from ingest import humane
from ingest.actions import estimates, runs, sources
from ingest.backup.read import restore
from ingest.backup.write import write
from ingest.imaging import still
from ingest.imaging.decode import read_picture
from ingest.imaging.store import Store
from ingest.models import Collection, Episode, Frame, PipelineRun, RunState
from ingest.pipeline import registry
from tests.films import zipped
from tests.migrating import tables_of


@pytest.fixture(autouse=True)
def _stages(settings: Any) -> Any:
    settings.PIPELINE_STAGES = ["ingest.stages.read_pictures.ReadPictures"]
    registry.stages.cache_clear()
    yield
    registry.stages.cache_clear()


def drawn(*, shade: int = 0, size: tuple[int, int] = (96, 64)) -> Image.Image:
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    return Image.fromarray(np.stack([x * 2 % 256, y * 3 % 256, (x + y + shade) % 256], axis=2).astype(np.uint8))


def packed(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def see_through() -> Image.Image:
    image = drawn().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def moving(kind: str) -> bytes:
    return packed(drawn(), kind, save_all=True, append_images=[drawn(shade=90), drawn(shade=170)], duration=80)


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return packed(drawn(), "JPEG", quality=95, exif=exif)


def far_colours() -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    lab = ImageCms.applyTransform(
        drawn(), ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    )
    return packed(lab, "TIFF", icc_profile=profile)


# name, bytes, ending in the store, whether pages and models use it as it is
ORDINARY = {
    "a.png": (packed(drawn(), "PNG"), "png"),
    "b.JPG": (packed(drawn(), "JPEG", quality=80, comment=b"by me"), "jpg"),
    "c.webp": (packed(drawn(), "WEBP", lossless=True), "webp"),
    "d.png": (packed(drawn(shade=9), "JPEG", quality=90), "jpg"),  # its name is wrong
    "e.jfif": (packed(drawn(shade=8), "JPEG"), "jpg"),
    "f.png": (packed(drawn().convert("L"), "PNG"), "png"),
    "g.png": (packed(drawn().convert("P"), "PNG"), "png"),
    "h.avif": (packed(drawn(), "AVIF", quality=90), "avif"),
    "opaque.png": (packed(drawn().convert("RGBA"), "PNG"), "png"),
}
SPECIAL = {
    "alpha.png": (packed(see_through(), "PNG"), "png"),
    "moving.gif": (moving("GIF"), "gif"),
    "moving.webp": (moving("WEBP"), "webp"),
    "moving.png": (moving("PNG"), "png"),
    "ink.jpg": (packed(drawn().convert("CMYK"), "JPEG"), "jpg"),
    "turned.jpg": (turned(), "jpg"),
    "lab.tif": (far_colours(), "tif"),
    "deep.png": (packed(Image.fromarray((np.arange(96 * 64) * 10).astype(np.uint16).reshape(64, 96)), "PNG"), "png"),
    "old.bmp": (packed(drawn(), "BMP"), "bmp"),
    "scan.tiff": (packed(drawn(), "TIFF"), "tif"),
}


def run(collection: Collection, episode: Episode, by: User, **params: Any) -> PipelineRun:
    return runs.run_here(
        runs.start(collection=collection, episodes=[episode], by=by, params={"read_pictures": params} if params else {})
    )


@pytest.fixture(params=["folder", "zip", "single"])
def frames(request: pytest.FixtureRequest, collection: Collection, alice: User, tmp_path: Path) -> dict[str, Frame]:
    """One frame of each file, come in by each way."""
    files = {name: data for name, (data, _) in (ORDINARY | SPECIAL).items()}
    folder = tmp_path / "art"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    paths = {"folder": [folder], "zip": [zipped(tmp_path / "art.zip", files)], "single": sorted(folder.iterdir())}
    for path in paths[request.param]:
        episode = sources.register(collection=collection, path=path, by=alice)
        assert run(collection, episode, alice).state == RunState.DONE
    return {frame.name: frame for frame in Frame.objects.all()}


def test_the_bytes_that_came_are_the_bytes_that_are_kept(frames: dict[str, Frame], settings: Any) -> None:
    files = Store(settings.KOMA_DATA_DIR / "store")
    assert set(frames) == set(ORDINARY | SPECIAL)
    for name, (data, ending) in (ORDINARY | SPECIAL).items():
        frame = frames[name]
        assert frame.original == f"{(h := hashlib.sha256(data).hexdigest())[:2]}/{h[2:4]}/{h}.{ending}", name
        assert files.read(frame.original) == data
        assert frame.original_bytes == len(data)


def test_only_what_pages_and_models_cannot_use_has_a_working_copy(frames: dict[str, Frame], settings: Any) -> None:
    files = Store(settings.KOMA_DATA_DIR / "store")
    for name in ORDINARY:
        assert (frames[name].file, frames[name].original_use) == (frames[name].original, "plain"), name
    for name, (data, _) in SPECIAL.items():
        frame = frames[name]
        assert frame.file != frame.original, name
        assert frame.file.endswith(".jpg")
        preview = read_picture(files.read(frame.file), name=name)
        seen = read_picture(data, name=name)
        assert preview.reads_as_is
        assert (preview.width, preview.height) == (frame.width, frame.height) == (seen.width, seen.height)
        assert np.abs(preview.rgb.astype(int) - seen.rgb).mean() < 3, name
    plain_but_rare = {name for name in SPECIAL if frames[name].original_use == "plain"}
    assert plain_but_rare == {"old.bmp", "scan.tiff"}
    stored = {path.suffix for path in (settings.KOMA_DATA_DIR / "store").rglob("*") if path.is_file()}
    assert stored == {".png", ".jpg", ".webp", ".gif", ".bmp", ".tif", ".avif"}


def test_a_huge_picture_has_a_smaller_copy_and_keeps_its_own_size(
    collection: Collection, alice: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(still, "LARGE_PIXELS", 5_000)
    path = tmp_path / "poster.png"
    path.write_bytes(packed(drawn(), "PNG"))
    run(collection, sources.register(collection=collection, path=path, by=alice), alice)
    frame = Frame.objects.get()
    assert (frame.width, frame.height, frame.original_use) == (96, 64, "plain")
    copy = read_picture(Store(settings.KOMA_DATA_DIR / "store").read(frame.file), name="copy")
    assert copy.width * copy.height <= 5_000
    assert abs(copy.width / copy.height - 1.5) < 0.02


def as_the_last_release_left_them(settings: Any) -> dict[str, str]:
    """Rows with a JPEG instead of the file that came; returns the JPEGs by name."""
    files = Store(settings.KOMA_DATA_DIR / "store")
    jpegs = {}
    for frame in Frame.objects.all():
        rgb = read_picture(files.read(frame.original), name=frame.name).rgb
        jpegs[frame.name] = files.put(packed(Image.fromarray(rgb), "JPEG", quality=95), "jpg")
    originals = set(Frame.objects.values_list("original", flat=True))
    for name, file in jpegs.items():
        Frame.objects.filter(name=name).update(file=file, original="", original_bytes=0, original_use="")
    for name in originals - set(jpegs.values()):
        files.remove(name)
    return jpegs


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_pictures_of_the_last_release_get_their_files_again_from_the_source(
    collection: Collection, alice: User, tmp_path: Path, settings: Any
) -> None:
    files = Store(settings.KOMA_DATA_DIR / "store")
    folder = tmp_path / "art"
    folder.mkdir()
    values = {name: (ORDINARY | SPECIAL)[name][0] for name in ("a.png", "alpha.png")}
    values |= {"gone.png": packed(drawn(shade=50), "PNG"), "other.png": packed(drawn(shade=70), "PNG")}
    for name, data in values.items():
        (folder / name).write_bytes(data)
    episode = sources.register(collection=collection, path=folder, by=alice)
    run(collection, episode, alice)
    jpegs = as_the_last_release_left_them(settings)
    keys = dict(Frame.objects.values_list("name", "pk"))
    (folder / "gone.png").unlink()
    (folder / "other.png").write_bytes(packed(drawn(shade=70).transpose(Image.Transpose.ROTATE_180), "PNG"))

    want = estimates.estimate(collection=collection, episodes=[episode], stage_names=["read_pictures"])
    done = run(collection, episode, alice)

    assert want.disk_bytes == episode.source.size_bytes
    assert done.state == RunState.DONE
    assert dict(Frame.objects.values_list("name", "pk")) == keys
    now = {frame.name: frame for frame in Frame.objects.all()}
    assert files.read(now["a.png"].original) == values["a.png"]
    assert now["a.png"].file == now["a.png"].original
    assert not files.exists(jpegs["a.png"])
    assert files.read(now["alpha.png"].original) == values["alpha.png"]
    assert now["alpha.png"].original_use == "rendered"
    for name in ("gone.png", "other.png"):
        assert (now[name].original, now[name].file) == ("", jpegs[name])
        assert files.exists(jpegs[name])
    log = done.stages.get().log
    assert "other.png is a different picture now" in log
    left = {path.name for path in (settings.KOMA_DATA_DIR / "store").rglob("*") if path.is_file()}
    rows = Frame.objects.values_list("file", "preview", "original")
    named = {name.rpartition("/")[2] for row in rows for name in row}
    assert left == named - {""}


def test_what_a_run_stores_is_reported(collection: Collection, alice: User, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (400, 500, 3)).astype(np.uint8)
    data = {"a.png": packed(Image.fromarray(noise), "PNG"), "b.gif": moving("GIF")}
    episode = sources.register(collection=collection, path=zipped(tmp_path / "a.zip", data), by=alice)
    done = run(collection, episode, alice)
    log = done.stages.get().log
    assert f"{humane.filesize(sum(map(len, data.values())))} of original files" in log


def test_a_deleted_episode_takes_its_originals_along(
    collection: Collection, alice: User, tmp_path: Path, settings: Any
) -> None:
    first = zipped(tmp_path / "a.zip", {name: data for name, (data, _) in SPECIAL.items()})
    shared = zipped(tmp_path / "b.zip", {"old.bmp": SPECIAL["old.bmp"][0]})
    single, two = (sources.register(collection=collection, path=path, by=alice) for path in (first, shared))
    run(collection, single, alice)
    run(collection, two, alice)
    sources.delete(episode=single, by=alice)
    left = {path.suffix for path in (settings.KOMA_DATA_DIR / "store").rglob("*") if path.is_file()}
    assert left == {".bmp", ".jpg"}


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_rows_of_the_last_release_are_there_after_the_migration() -> None:
    """Migrated back to it and forth again, with rows that it wrote."""
    with tables_of(("ingest", "0006_bare_frames")) as old:
        art = old.get_model("ingest", "Collection").objects.create(name="Old")
        source = old.get_model("ingest", "Source").objects.create(
            collection=art, kind="pictures", name="art", path="/art", sha256="a" * 64
        )
        episode = old.get_model("ingest", "Episode").objects.create(collection=art, source=source, title="art")
        name = f"ab/cd/abcd{'0' * 60}.jpg"
        old.get_model("ingest", "Frame").objects.create(
            collection=art, episode=episode, index=3, name="a.png", width=9, height=8, file=name, preview=name
        )
    frame = Frame.objects.get(collection__name="Old")
    assert (frame.index, frame.name, frame.file, frame.width) == (3, "a.png", name, 9)
    assert (frame.original, frame.original_bytes, frame.original_use, frame.page) == ("", 0, "", None)


def test_a_restored_backup_has_the_files_as_they_came(
    collection: Collection, alice: User, tmp_path: Path, settings: Any
) -> None:
    values = {name: data for name, (data, _) in (ORDINARY | SPECIAL).items()}
    episode = sources.register(collection=collection, path=zipped(tmp_path / "a.zip", values), by=alice)
    run(collection, episode, alice)
    backup_file = tmp_path / "art.koma"
    assert write(collection=collection, target=backup_file).missing == ()
    shutil.rmtree(settings.KOMA_DATA_DIR / "store")
    restored = restore(source=backup_file, owner=alice).collection
    files = Store(settings.KOMA_DATA_DIR / "store")
    rows = Frame.objects.filter(collection=restored)
    assert {row.name: files.read(row.original) for row in rows} == values
    assert all(files.is_sound(row.file) and row.original_bytes == len(values[row.name]) for row in rows)
