"""The texts beside pictures are kept as they are, read again when they change, and told where no picture is."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from ingest.actions import runs, sources
from ingest.models import Collection, Episode, Frame, FrameState, PipelineRun, RunState, SideFile
from ingest.pipeline import registry
from tests.films import png


@pytest.fixture(autouse=True)
def _stages(settings: Any) -> Any:
    settings.PIPELINE_STAGES = [
        "ingest.stages.read_pictures.ReadPictures", "ingest.stages.side_files.ReadSideFiles",
    ]  # fmt: skip
    registry.stages.cache_clear()
    yield
    registry.stages.cache_clear()


def run(episode: Episode, alice: User) -> PipelineRun:
    done = runs.run_here(runs.start(collection=episode.collection, episodes=[episode], by=alice))
    assert done.state == RunState.DONE, [stage.error for stage in done.stages.all()]
    return done


def kept() -> dict[str, dict[str, str]]:
    collected: dict[str, dict[str, str]] = {}
    for row in SideFile.objects.select_related("frame").order_by("pk"):
        collected.setdefault(row.frame.name, {})[row.name] = row.text
    return collected


def write(root: Path) -> dict[str, str]:
    files = {
        "a.png.tags": "1girl, hat", "a.TXT": "A girl stands.", "sub/b.json": '{"tags": ["hat"]}',
        "sub/.b_meta.json": "{}", "alone.txt": "x", "multiply.txt": "2",
    }  # fmt: skip
    (root / "sub").mkdir(parents=True)
    for name, shade in (("a.png", 1), ("sub/b.png", 9), ("c.png", 17)):
        (root / name).write_bytes(png(shade=shade))
    for name, text in files.items():
        (root / name).write_text(text)
    return files


EXPECTED = {
    "a.png": {"a.png.tags": "1girl, hat", "a.TXT": "A girl stands."},
    "sub/b.png": {"b.json": '{"tags": ["hat"]}', ".b_meta.json": "{}"},
}


def test_of_a_folder_they_are_kept_and_read_again_when_they_change(
    collection: Collection, alice: User, tmp_path: Path
) -> None:
    write(tmp_path / "art")
    episode = sources.register(collection=collection, path=tmp_path / "art", by=alice)
    run(episode, alice)
    assert kept() == EXPECTED
    episode.refresh_from_db()
    assert [text for text in episode.warnings if "beside no picture" in text] == [
        "1 tag file without a picture: alone.txt. Name them like the pictures (a.png, a.txt)."
    ] or "alone.txt" in episode.warnings[-1]
    rows = list(SideFile.objects.values_list("pk", flat=True))
    Frame.objects.update(tagged=True)
    run(episode, alice)
    assert list(SideFile.objects.values_list("pk", flat=True)) == rows
    assert Frame.objects.filter(tagged=False).count() == 0

    (tmp_path / "art" / "c.txt").write_text("late")
    (tmp_path / "art" / "a.TXT").unlink()
    (tmp_path / "art" / "a.png.tags").write_text("2girls")
    run(episode, alice)
    assert kept()["a.png"] == {"a.png.tags": "2girls", "a.TXT": "A girl stands."}
    assert kept()["c.png"] == {"c.txt": "late"}
    assert set(Frame.objects.filter(tagged=False).values_list("name", flat=True)) == {"a.png", "c.png"}


def test_of_a_zip_and_beside_a_single_picture_of_the_library(
    collection: Collection, alice: User, tmp_path: Path
) -> None:
    root = tmp_path / "art"
    write(root)
    with zipfile.ZipFile(tmp_path / "art.zip", "w") as packed:
        for path in root.rglob("*"):
            if path.is_file():
                packed.write(path, path.relative_to(root).as_posix())
    run(sources.register(collection=collection, path=tmp_path / "art.zip", by=alice), alice)
    assert kept() == EXPECTED
    Frame.objects.all().delete()
    run(sources.register(collection=collection, path=root / "a.png", by=alice), alice)
    assert kept() == {"a.png": EXPECTED["a.png"]}


def test_of_a_picture_and_its_small_copy_with_tags_the_large_one_is_kept(
    collection: Collection, alice: User, settings: Any
) -> None:
    """A drawing all under fine lines: hi.png (1280 x 960), lo.jpg (640 x 480) with lo.txt beside it."""
    settings.PIPELINE_STAGES = [*settings.PIPELINE_STAGES, "ingest.stages.dedup.Dedup"]
    registry.stages.cache_clear()
    run(sources.register(collection=collection, path=Path(__file__).parent / "duplicate", by=alice), alice)
    states = dict(Frame.objects.values_list("name", "state"))
    assert states == {"hi.png": FrameState.KEPT, "lo.jpg": FrameState.DROPPED}
    assert set(kept()) == {"lo.jpg"}
