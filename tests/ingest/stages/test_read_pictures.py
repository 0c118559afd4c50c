"""Folders and zips of pictures become frames, once; what cannot be read is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User

from ingest.actions import runs, sources
from ingest.actions.sources import About, AlreadyThere
from ingest.algorithms.descriptors import distance
from ingest.algorithms.quality import QUALITY_VERSION
from ingest.imaging.encode import PictureFormat
from ingest.imaging.still import read_still
from ingest.imaging.store import Store
from ingest.models import Collection, Episode, Frame, PipelineRun, RunState, SkippedInput
from ingest.pipeline import registry, runner
from tests.films import png, zipped


@pytest.fixture(autouse=True)
def _stages(settings: Any) -> Any:
    settings.PIPELINE_STAGES = ["ingest.stages.read_pictures.ReadPictures"]
    registry.stages.cache_clear()
    yield
    registry.stages.cache_clear()


@pytest.fixture()
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "fan art"
    (root / "sub").mkdir(parents=True)
    for number in (1, 2, 10):
        (root / f"{number}.png").write_bytes(png(shade=number))
    (root / "sub" / "a.png").write_bytes(png(shade=77))
    (root / "broken.png").write_bytes(png(shade=3)[:200])
    (root / "page.png").write_bytes(b"<!doctype html><script>alert(1)</script>")
    (root / "1.png.tags").write_text("character: kuraue hinata\ngeneral: smile, <b>bold</b>\n")
    (root / "notes.doc").write_text("x")
    return root


def run(collection: Collection, episode: Episode, alice: User) -> PipelineRun:
    return runs.run_here(runs.start(collection=collection, episodes=[episode], by=alice))


def rows(episode: Episode) -> list[tuple[Any, ...]]:
    fields = ("index", "name", "width", "height", "file", "preview", "descriptor", "quality", "measures", "state")
    return [
        tuple(bytes(v) if isinstance(v, memoryview) else v for v in row)
        for row in Frame.objects.filter(episode=episode).order_by("index").values_list(*fields)
    ]


def test_a_folder_becomes_frames_in_natural_order(
    collection: Collection, alice: User, folder: Path, settings: Any
) -> None:
    episode = sources.register(collection=collection, path=folder, by=alice, about=About(series="Show"))
    done = run(collection, episode, alice)
    assert done.state == RunState.DONE
    frames = list(Frame.objects.filter(episode=episode).order_by("index"))
    assert [frame.name for frame in frames] == ["1.png", "2.png", "10.png", "sub/a.png"]
    files = Store(settings.KOMA_DATA_DIR / "store")
    assert all(files.is_sound(frame.file) and files.is_sound(frame.preview) for frame in frames)

    assert all(frame.descriptor and frame.quality_version == QUALITY_VERSION for frame in frames)
    skipped = dict(SkippedInput.objects.filter(episode=episode).values_list("name", "reason"))
    assert set(skipped) == {"broken.png", "page.png", "notes.doc"}
    assert "web page" in skipped["page.png"]
    assert "incomplete" in skipped["broken.png"]
    episode.refresh_from_db()
    assert episode.decoded == 7
    assert "3 of 7" in episode.warnings[0]
    assert done.stages.get().counters == {"kept": 4, "unreadable": 3}


def test_a_second_run_changes_nothing_and_reads_only_what_is_new(
    collection: Collection, alice: User, folder: Path
) -> None:
    episode = sources.register(collection=collection, path=folder, by=alice)
    run(collection, episode, alice)
    before = rows(episode)
    run(collection, episode, alice)
    assert rows(episode) == before
    (folder / "0 new.png").write_bytes(png(shade=55))
    (folder / "broken.png").write_bytes(png(shade=3))
    run(collection, episode, alice)
    after = rows(episode)
    assert [row for row in after if row in before] == before
    assert {row[1] for row in after} - {row[1] for row in before} == {"0 new.png", "broken.png"}
    assert not SkippedInput.objects.filter(name="broken.png").exists()


def test_a_run_killed_after_any_batch_ends_with_the_same_rows(
    collection: Collection, alice: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest.stages import read_pictures

    monkeypatch.setattr(read_pictures, "BATCH", 2)
    path = zipped(tmp_path / "a.zip", {f"{n}.png": png(shade=n) if n != 3 else b"no picture" for n in range(9)})
    episode = sources.register(collection=collection, path=path, by=alice)
    run(collection, episode, alice)
    undisturbed = rows(episode)
    skipped = list(SkippedInput.objects.values_list("name", "reason"))
    Frame.objects.all().delete()
    SkippedInput.objects.all().delete()
    for stop in range(4):
        started = runs.start(collection=collection, episodes=[episode], by=alice)
        stage_run = runner.STAGES.claim(started.stages.get().pk)
        assert stage_run is not None
        stage = runner._open(stage_run, {})
        for number, batch in enumerate(stage.batches()):
            result = stage.work(batch)  # files are written
            if number == stop:
                break  # killed before the rows are
            stage.save(result)
        PipelineRun.objects.all().delete()
    run(collection, episode, alice)
    assert rows(episode) == undisturbed
    assert list(SkippedInput.objects.values_list("name", "reason")) == skipped


def test_a_zip_with_traps_gives_its_good_pictures(collection: Collection, alice: User, tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "traps.zip",
        {
            "ok.png": png(),
            "../evil.png": png(shade=1),
            "inner.zip": b"PK",
            "__MACOSX/._ok.png": b"x",
            "a.txt": b"1girl, smile",
        },
    )
    episode = sources.register(collection=collection, path=path, by=alice)
    run(collection, episode, alice)
    assert [frame.name for frame in Frame.objects.all()] == ["ok.png"]
    reasons = dict(SkippedInput.objects.values_list("name", "reason"))
    assert set(reasons) == {"../evil.png", "inner.zip"}
    assert "points outside" in reasons["../evil.png"]
    assert not (tmp_path.parent / "evil.png").exists()


def test_a_source_that_is_gone_says_so(collection: Collection, alice: User, folder: Path) -> None:
    episode = sources.register(collection=collection, path=folder, by=alice)
    folder.rename(folder.with_name("moved"))
    done = run(collection, episode, alice)
    assert done.state == RunState.FAILED
    assert "is missing" in done.stages.get().error


def test_a_full_disk_stops_the_run_with_words_and_it_goes_on_later(
    collection: Collection, alice: User, folder: Path, settings: Any
) -> None:
    episode = sources.register(collection=collection, path=folder, by=alice)
    settings.KOMA_DISK_RESERVE_BYTES = 2**62
    stopped = run(collection, episode, alice)
    assert stopped.state == RunState.FAILED
    assert "disk is full" in stopped.stages.get().error
    assert not Frame.objects.exists()
    settings.KOMA_DISK_RESERVE_BYTES = 0
    runs.run_here(runs.resume(stopped, by=alice))
    assert Frame.objects.count() == 4


def test_a_link_that_leads_out_of_the_folder_is_not_followed(
    collection: Collection, alice: User, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.png").write_bytes(png(shade=99))
    (folder / "trap.png").symlink_to(tmp_path / "secret.png")
    episode = sources.register(collection=collection, path=folder, by=alice)
    run(collection, episode, alice)
    assert not Frame.objects.filter(name="trap.png").exists()
    assert "outside the folder" in SkippedInput.objects.get(name="trap.png").reason


def test_the_same_folder_or_the_same_zip_twice_is_recognised(
    collection: Collection, alice: User, folder: Path, tmp_path: Path
) -> None:
    episode = sources.register(collection=collection, path=folder, by=alice)
    (folder / "new.png").write_bytes(png(shade=5))  # it grew: still the same folder
    with pytest.raises(AlreadyThere, match="fan art") as caught:
        sources.register(collection=collection, path=folder, by=alice)
    assert caught.value.episode == episode


def test_a_picture_and_the_film_frame_of_it_have_near_descriptors() -> None:
    """Pictures are measured as a film's frame of the same content is."""
    import io

    from PIL import Image

    y, x = np.mgrid[0:360, 0:640]
    rgb = np.stack([x * 255 // 639, y * 255 // 359, (x + y) % 256], axis=2).astype(np.uint8)
    rgb[100:200, 200:400] = (240, 200, 40)
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "PNG")
    still = read_still(out.getvalue(), name="a.png", picture_format=PictureFormat("png"))
    small = io.BytesIO()
    Image.fromarray(rgb).resize((320, 180)).save(small, "JPEG", quality=60)
    other = read_still(small.getvalue(), name="b.jpg", picture_format=PictureFormat("png"))
    far = read_still(png(shade=4, size=(640, 360)), name="c.png", picture_format=PictureFormat("png"))
    assert distance(still.descriptor, other.descriptor) < 0.1 * distance(still.descriptor, far.descriptor)
    assert 16 <= still.measures.brightness <= 235


def test_a_working_copy_too_wide_for_its_format_is_a_png() -> None:
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.new("RGBA", (17_000, 8), (9, 99, 200, 90)).save(out, "PNG")
    still = read_still(out.getvalue(), name="wide.png", picture_format=PictureFormat("webp"))
    assert (still.suffix, still.width) == ("png", 17_000)
