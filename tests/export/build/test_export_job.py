"""From the database to a folder and a zip: what goes out, what stays out, and that nothing is ever half there."""

from __future__ import annotations

import hashlib
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import django_rq
import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from annotate.models import Caption, Face, FaceState
from export.actions import jobs
from export.algorithms.recipe import Recipe, parse
from export.build import export_job, rows_from_database
from export.build.export_job import EXPORTS
from export.build.sinks import move_whole, zip_folder
from export.jobs import sweep, wake
from export.models import ExportJob
from ingest.actions import collections
from ingest.errors import BadInput, Conflict, KomaError
from ingest.models import Frame, RunState
from ingest.pipeline import claims
from tests.export.conftest import Show

pytestmark = pytest.mark.django_db

RECIPE = parse({"arrange": {"min_per_combination": 2}, "caption": {"shuffle_tags": True, "seed": 5}})


def started(show: Show, alice: User, recipe: Recipe = RECIPE) -> ExportJob:
    return jobs.start(collection=show.collection, recipe=recipe, name="First set", by=alice)


def finished(show: Show, alice: User, recipe: Recipe = RECIPE) -> ExportJob:
    job = started(show, alice, recipe)
    assert export_job.execute(job.pk) == RunState.DONE, ExportJob.objects.get(pk=job.pk).error
    job.refresh_from_db()
    return job


def test_an_export_ends_as_a_folder_and_a_zip_with_the_same_files(show: Show, alice: User) -> None:
    job = finished(show, alice)

    folder = jobs.inside_exports(job.folder)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    with zipfile.ZipFile(jobs.inside_exports(job.zip_file)) as archive:
        assert sorted(name.split("/", 1)[1] for name in archive.namelist()) == names
    assert job.total == job.done == 11
    assert "1_character/Hinata/face_height_ratio_25-50/yama_S2EP04_000010.png" in names
    assert "2_characters/Hinata+Kokona/face_height_ratio_50-75/multiply.txt" in names
    assert any(name.startswith("others/face_height_ratio_") for name in names)
    assert any(name.startswith("1_character/character_others/") for name in names)  # one of Hinata Hairdown
    assert not jobs.building_folder(job.pk).exists()


def test_what_stays_out_is_counted_with_its_reason(show: Show, alice: User) -> None:
    Frame.objects.filter(pk=show.frames[0].pk).update(excluded=True)

    job = finished(show, alice)

    assert job.counters["left_out"] == {
        rows_from_database.NOT_EXPORTABLE: 3,
        rows_from_database.EXCLUDED: 1,
        "without a face": 1,
    }
    assert job.counters["pictures"] == 10


def test_captions_and_json_say_what_the_database_says(show: Show, alice: User) -> None:
    Caption.objects.create(frame=show.frames[0], text="Hinata waves.", by=alice)
    Face.objects.filter(frame=show.frames[4], character=show.characters["Kokona"]).update(state=FaceState.NOT_A_FACE)

    folder = jobs.inside_exports(finished(show, alice).folder)

    first = next(folder.rglob("yama_S2EP04_000000.txt"))
    assert first.read_text() == "Hinata waves."
    second = next(folder.rglob("yama_S2EP04_000010.txt"))
    assert second.read_text() == "Hinata, anishot yamaS2EP04, 1girl, smile"
    data = json.loads(next(folder.rglob("yama_S2EP04_000040.json")).read_text())
    assert data["n_faces"] == 1
    assert data["character"] == ["Hinata"]
    assert data["copyright"] == ["yama_no_susume"]
    assert "highres" not in data["tags"]


def test_what_the_page_shows_of_a_finished_export_is_counted_right(show: Show, alice: User) -> None:
    for frame in show.frames[:2]:
        Caption.objects.create(frame=frame, text="By hand.", by=alice)
    recipe = parse({"arrange": {"min_per_combination": 2}, "crops": {"enabled": True}, "upscale": {"below": 400}})

    job = finished(show, alice, recipe)

    folder = jobs.inside_exports(job.folder)
    pictures = list(folder.rglob("*.png"))
    captions = [path.read_text() for path in folder.rglob("*.txt") if path.name != "multiply.txt"]
    counters = job.counters
    assert counters["pictures"] == len(pictures) == job.total
    assert counters["frames"] == 11
    assert counters["captions_by_person"] == captions.count("By hand.") == 2
    assert counters["folders"] == len({path.parent for path in pictures})
    assert sum(counters["upscaled"].values()) == len(pictures)
    assert counters["left_out"] == {"from a source that may not be exported": 3, "without a face": 1}
    assert (counters["phase"], counters["resumed"]) == ("done", 0)
    assert "packed_percent" not in counters
    assert job.size_bytes == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_clusters_without_a_name_go_to_others_or_get_a_number_when_asked(show: Show, alice: User) -> None:
    named = parse({"arrange": {"name_clusters": True, "min_per_combination": 1}})

    folder = jobs.inside_exports(finished(show, alice).folder)
    numbered = jobs.inside_exports(finished(show, alice, named).folder)

    assert (folder / "others").is_dir()
    assert (numbered / "1_character" / "cluster_03").is_dir()
    assert not (numbered / "others").exists()


def test_two_exports_of_one_recipe_have_the_same_bytes(show: Show, alice: User) -> None:
    def digest(job: ExportJob) -> dict[str, str]:
        folder = jobs.inside_exports(job.folder)
        return {
            p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in folder.rglob("*")
            if p.is_file()
        }

    assert digest(finished(show, alice)) == digest(finished(show, alice))


def test_a_cancelled_export_leaves_nothing_in_its_place_and_goes_on_when_resumed(
    show: Show, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = started(show, alice)
    monkeypatch.setattr(claims, "REPORT_EVERY_S", 0)
    real = claims.Reporter.__call__

    def cancels(self: Any, **values: Any) -> None:
        if values["done"] >= 11:  # all pictures are written, the folder is not moved yet
            jobs.cancel(job)
        real(self, **values)

    monkeypatch.setattr(claims.Reporter, "__call__", cancels)
    assert export_job.execute(job.pk) == RunState.CANCELLED
    assert not jobs.inside_exports(jobs.final_folder(job)).exists()
    assert len(list(jobs.building_folder(job.pk).rglob("*.png"))) == 11

    monkeypatch.setattr(claims.Reporter, "__call__", real)
    jobs.resume(job)
    assert export_job.execute(job.pk) == RunState.DONE
    job.refresh_from_db()
    assert job.counters["resumed"] == 11
    with pytest.raises(Conflict):
        jobs.resume(job)


def test_an_export_waits_in_the_database_when_redis_is_gone_and_a_dead_one_is_taken_back(
    show: Show, alice: User, queues: str
) -> None:
    job = started(show, alice)
    export_job.EXPORTS.claim(job.pk)
    ExportJob.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(hours=1))

    assert export_job.execute(job.pk) is None
    assert sweep() == 1
    job.refresh_from_db()
    assert job.state == RunState.QUEUED
    assert wake()
    assert django_rq.get_queue("export").count == 1, "the sweep called already: one worker needs no second call"


def test_a_real_worker_takes_the_export_from_its_queue(
    show: Show, alice: User, queues: str, django_capture_on_commit_callbacks: Any
) -> None:
    from rq import SimpleWorker

    job = started(show, alice)
    with django_capture_on_commit_callbacks(execute=True):
        wake()

    queue = django_rq.get_queue("export")
    SimpleWorker([queue], connection=queue.connection, serializer=queue.serializer).work(burst=True)

    job.refresh_from_db()
    assert job.state == RunState.DONE


def test_nothing_to_export_says_why(show: Show, alice: User) -> None:
    job = started(show, alice, parse({"selection": {"min_faces": 9}}))

    assert export_job.execute(job.pk) == RunState.FAILED
    job.refresh_from_db()
    assert (
        "No picture would be in this dataset: 3 from a source that may not be exported, 12 with fewer faces"
        in job.error
    )


def test_deleting_takes_folder_zip_and_row(show: Show, alice: User) -> None:
    job = finished(show, alice)
    folder, packed = jobs.inside_exports(job.folder), jobs.inside_exports(job.zip_file)

    jobs.delete(job)

    assert not folder.exists()
    assert not packed.exists()
    assert not ExportJob.objects.exists()


def killed_after_the_move(show: Show, alice: User, monkeypatch: pytest.MonkeyPatch) -> ExportJob:
    """A job whose worker died when the folder was in place and nothing had been written about it."""

    def move_and_die(built: Path, target: Path) -> None:
        move_whole(built, target)
        raise KeyboardInterrupt

    job = started(show, alice)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(export_job, "move_whole", move_and_die)
        export_job.execute(job.pk)
    EXPORTS.take_back_dead(max_age_s=-1)
    return job


def datasets() -> list[str]:
    """Whatever lies below the export folder but folders of collections."""
    root = jobs.inside_exports("x").parent
    return sorted(str(path.relative_to(root)) for path in root.glob("*/*") if path.parent.name != jobs.BUILDING)


def test_deleting_takes_what_killed_workers_left(show: Show, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    job = killed_after_the_move(show, alice, monkeypatch)
    final = jobs.inside_exports(jobs.final_folder(job))
    assert final.is_dir()
    final.with_name(f".{final.name}.zip.part").write_bytes(b"half")
    final.with_name(f".{final.name}.replaced").mkdir()
    jobs.delete(job)
    assert datasets() == []


def test_deleting_a_collection_keeps_its_datasets_and_takes_unfinished_ones(
    show: Show, alice: User, django_capture_on_commit_callbacks: Any
) -> None:
    done, half = finished(show, alice), started(show, alice)
    jobs.building_folder(half.pk).mkdir(parents=True)
    (jobs.building_folder(half.pk) / "a.png").write_bytes(b"half")
    with django_capture_on_commit_callbacks(execute=True):
        collections.delete(collection=show.collection, typed_name=show.collection.name, by=alice)
    assert not jobs.building_folder(half.pk).exists()
    assert datasets() == [done.folder, done.zip_file]


def test_an_export_goes_on_in_its_folder_after_the_collection_was_renamed(
    show: Show, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = killed_after_the_move(show, alice, monkeypatch)
    show.collection.name = "Renamed"
    show.collection.save()
    assert export_job.execute(job.pk) == RunState.DONE
    job.refresh_from_db()
    assert datasets() == [job.folder, job.zip_file]


def test_exports_of_the_same_long_name_are_packed_beside_each_other(tmp_path: Path) -> None:
    targets = [tmp_path / f"{'long ' * 16}-{number}.zip" for number in (1, 2)]
    for target in targets:
        target.with_suffix("").mkdir()
        (target.with_suffix("") / "a.txt").write_text(target.name)

    def pack_other(done: int) -> None:
        zip_folder(targets[1].with_suffix(""), targets[1], top="set")

    zip_folder(targets[0].with_suffix(""), targets[0], top="set", each=pack_other)
    for target in targets:
        with zipfile.ZipFile(target) as archive:
            assert archive.read("set/a.txt").decode() == target.name


@pytest.mark.parametrize("path", ["../x", "/etc", "", "a/../.."])
def test_no_path_of_a_row_leads_outside_of_the_export_folder(show: Show, path: str) -> None:
    with pytest.raises(KomaError, match="outside"):
        jobs.inside_exports(path)


def test_names_of_exports_are_checked(show: Show, alice: User) -> None:
    for name in ("", "  ", "x" * 200):
        with pytest.raises(BadInput, match="name"):
            jobs.start(collection=show.collection, recipe=RECIPE, name=name, by=alice)
    job = jobs.start(collection=show.collection, recipe=RECIPE, name="../../etc", by=alice)
    assert export_job.execute(job.pk) == RunState.DONE
    job.refresh_from_db()
    assert Path(job.folder).name == f"__.._etc-{job.pk}"


def test_reading_needs_the_same_number_of_queries_for_any_number_of_frames(
    show: Show, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(10):
        assert len(list(rows_from_database.pictures(show.collection))) == 12


def test_a_full_disk_is_reported_and_the_export_goes_on_when_there_is_room(show: Show, alice: User) -> None:
    import resource

    job = started(show, alice, parse({"output": {"zip": False}, "selection": {"format": "png", "min_faces": 0}}))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (900, hard))  # the kernel refuses larger files, as a full disk would
    try:
        assert export_job.execute(job.pk) == RunState.FAILED
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    job.refresh_from_db()
    assert "The server's disk is full" in job.error
    assert "press Resume or Retry" in job.error
    assert not jobs.inside_exports(jobs.final_folder(job)).exists()

    jobs.resume(job)
    assert export_job.execute(job.pk) == RunState.DONE


def test_an_export_leaves_the_space_free_that_the_settings_ask_for(show: Show, alice: User, settings: Any) -> None:
    settings.KOMA_DISK_RESERVE_BYTES = 2**60
    job = started(show, alice)

    assert export_job.execute(job.pk) == RunState.FAILED
    job.refresh_from_db()
    assert "The server's disk is full" in job.error
