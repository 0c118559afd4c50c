"""A release stays what it was: whatever people change afterwards, it is written with the same bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from annotate.models import Character, Face, FrameTag, Tag
from export.actions import jobs, releases
from export.algorithms.recipe import Recipe, parse
from export.build import export_job, release_job
from export.models import ExportJob, Release
from ingest.actions import collections
from ingest.errors import BadInput, Conflict
from ingest.models import DropReason, Frame, FrameState, Operation, RunState
from ingest.storage import forgotten_files, stored_files
from tests.export.conftest import Show

pytestmark = pytest.mark.django_db

RECIPE = parse(
    {
        "arrange": {"min_per_combination": 1},
        "selection": {"min_faces": 0},
        "crops": {"enabled": True},
        "caption": {"shuffle_tags": True, "tags_prob": 0.7},
        "output": {"zip": False},
    }
)


def frozen(show: Show, by: User, *, name: str = "yama", recipe: Recipe = RECIPE) -> Release:
    release = releases.start(collection=show.collection, recipe=recipe, name=name, notes="", by=by)
    assert release_job.execute(release.pk) == RunState.DONE
    release.refresh_from_db()
    return release


def built(release: Release, by: User, **output: Any) -> tuple[ExportJob, dict[str, str]]:
    recipe = parse({"output": {"zip": False} | output})
    job = jobs.start(collection=release.collection, recipe=recipe, name="Set", by=by, release=release)
    assert export_job.execute(job.pk) == RunState.DONE, ExportJob.objects.get(pk=job.pk).error
    job.refresh_from_db()
    return job, hashes(jobs.inside_exports(job.folder))


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_release_is_written_with_the_same_bytes_after_everything_changed(show: Show, alice: User) -> None:
    release = frozen(show, alice)
    _, before = built(release, alice)
    assert sum(path.endswith(".png") for path in before) > 12

    Character.objects.filter(name="Hinata").update(name="Renamed")
    Face.objects.filter(collection=show.collection).update(character=None, left=0.0)
    FrameTag.objects.filter(frame__collection=show.collection).delete()
    FrameTag.objects.create(frame=show.frames[1], tag=Tag.objects.create(name="new_tag"))
    for frame in show.frames[:4]:
        name = frame.file
        Frame.objects.filter(pk=frame.pk).update(state=FrameState.DROPPED, reason=DropReason.PERSON, file="")
        stored_files.remove_unused(stored_files.store(), [name])
    show.frames[5].delete()
    forgotten_files.sweep()

    _, after = built(release, alice)
    assert after == before
    fresh = frozen(show, alice)
    assert fresh.sha256 != release.sha256
    assert (fresh.name, fresh.number) == ("yama", 2)


def test_a_release_counts_what_its_page_shows(show: Show, alice: User) -> None:
    release = frozen(show, alice)
    figures = release.counters["figures"]
    assert figures["pictures"] == release.total == len(release_job.manifest_of(release))
    assert figures["characters"]["Hinata"] > figures["characters"]["Kokona"] > 0
    assert sum(figures["aspects"].values()) == figures["pictures"]
    assert sum(figures["tokens"].values()) == figures["pictures"]
    assert sum(figures["face_sizes"].values()) == figures["faces"]
    assert release.counters["left_out"] == {"from a source that may not be exported": 3}
    assert release.pictures.filter(frame__isnull=False).count() == release.counters["stored_pictures"] == 12


def test_a_release_without_pictures_fails_with_the_reasons(show: Show, alice: User) -> None:
    recipe = parse({"selection": {"min_faces": 9}})
    release = releases.start(collection=show.collection, recipe=recipe, name="none", notes="", by=alice)
    assert release_job.execute(release.pk) == RunState.FAILED
    release.refresh_from_db()
    assert "12 with fewer faces than required" in release.error
    assert not release.pictures.exists()


@pytest.mark.parametrize(("name", "words"), [("", "Enter a name"), ("yama v2", "version out"), ("x" * 121, "longer")])
def test_names_are_checked(show: Show, alice: User, name: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        releases.start(collection=show.collection, recipe=RECIPE, name=name, notes="", by=alice)


def test_a_deleted_release_frees_its_files_and_stays_in_the_history(show: Show, alice: User) -> None:
    release = frozen(show, alice)
    job, _ = built(release, alice)
    with pytest.raises(Conflict, match="Delete the exports"):
        releases.delete(release, reason="", by=alice)
    jobs.delete(job)
    manifest = release.file
    releases.delete(release, reason="licence withdrawn", by=alice)
    assert not Release.objects.exists()
    assert "yama v1 deleted: licence withdrawn" in Operation.objects.latest("pk").summary
    stored_files.remove_unused(stored_files.store(), [manifest])
    assert not stored_files.store().exists(manifest)


def test_a_release_is_built_in_another_format_than_it_was_frozen_for(show: Show, alice: User) -> None:
    release = frozen(show, alice)
    _, files = built(release, alice, layout="kohya")
    assert any(path.startswith("1_1_character~Hinata") for path in files)


def test_a_collection_is_deleted_with_its_releases_and_their_datasets_rows(show: Show, alice: User) -> None:
    release = frozen(show, alice)
    job, files = built(release, alice)
    collections.delete(collection=show.collection, typed_name=show.collection.name, by=alice)
    assert not Release.objects.exists()
    assert not ExportJob.objects.exists()
    assert hashes(jobs.inside_exports(job.folder)) == files
