"""A data set that a person re-sorted is read back: into its own files, and into the collection as a person's word."""

from __future__ import annotations

import json
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from annotate.models import Face, NamedBy
from export import rereading, running
from export.actions import jobs, reread
from export.models import ExportJob
from export.recipe import parse
from ingest.actions import history
from ingest.errors import BadInput
from tests.export.conftest import Show

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(show: Show, alice: User) -> ExportJob:
    recipe = parse({"arrange": {"min_per_combination": 1}})
    made = jobs.start(collection=show.collection, recipe=recipe, name="First", by=alice)
    running.execute(made.pk)
    made.refresh_from_db()
    return made


@pytest.fixture
def folder(job: ExportJob) -> Path:
    return jobs.inside_exports(job.folder)


def move(folder: Path, stem: str, to: str) -> None:
    """Move a picture with its companions, as a file manager would."""
    target = folder / to
    target.mkdir(parents=True, exist_ok=True)
    for path in list(folder.rglob(f"{stem}.*")):
        shutil.move(path, target / path.name)


def names_on(show: Show, number: int) -> list[str | None]:
    faces = Face.objects.filter(frame=show.frames[number]).order_by("left")
    return [face.character.name if face.character else None for face in faces]


def test_an_untouched_data_set_says_nothing_new(folder: Path) -> None:
    found = rereading.read_back(folder)

    assert found.moved == ()
    assert found.unchanged == 11
    assert found.gone == found.unknown == ()


def test_moved_pictures_rename_their_faces_and_one_undo_takes_it_back(show: Show, alice: User, folder: Path) -> None:
    move(folder, "yama_S2EP04_000000", "1_character/Kokona/face_height_ratio_25-50")
    move(folder, "yama_S2EP04_000010", "1_character/Aoba Mai/face_height_ratio_25-50")
    move(folder, "yama_S2EP04_000040", "2_characters/Hinata Hairdown+Kokona/face_height_ratio_50-75")
    move(folder, "yama_S2EP04_000070", "others/face_height_ratio_25-50")
    move(folder, "yama_S2EP04_000090", "1_character/Kokona/face_height_ratio_50-75")

    found = rereading.read_back(folder)
    applied = reread.apply(collection=show.collection, moved=found.moved, by=alice)

    assert names_on(show, 0) == ["Kokona"]
    assert names_on(show, 1) == ["Aoba Mai"]
    assert names_on(show, 4) == ["Hinata Hairdown", "Kokona"]
    assert names_on(show, 7) == [None]
    assert names_on(show, 9) == ["Kokona"]
    assert (applied.named, applied.unnamed, applied.open) == (4, 1, [])
    assert Face.objects.get(frame=show.frames[0]).named_by == NamedBy.PERSON
    history.undo_last(collection=show.collection, by=alice)
    assert names_on(show, 7) == ["Kokona"]


def test_what_is_not_plain_stays_open_with_its_reason(show: Show, alice: User, folder: Path) -> None:
    move(folder, "yama_S2EP04_000040", "2_characters/Aoba Mai+Ena/face_height_ratio_50-75")
    move(folder, "yama_S2EP04_000000", "1_character/Kokona/face_height_ratio_25-50")
    Face.objects.filter(frame=show.frames[0]).update(character=show.characters["Hinata Hairdown"])

    applied = reread.apply(collection=show.collection, moved=rereading.read_back(folder).moved, by=alice)

    assert applied.named == 0
    assert any("not plain which face" in line for line in applied.open)
    assert any("named otherwise since the export" in line for line in applied.open)
    assert names_on(show, 4) == ["Hinata", "Kokona"]


def test_the_files_of_moved_pictures_are_corrected_but_not_a_persons_caption(folder: Path) -> None:
    for stem in ("yama_S2EP04_000000", "yama_S2EP04_000010"):
        move(folder, stem, "1_character/Kokona/face_height_ratio_25-50")
    kept = next(folder.rglob("yama_S2EP04_000010.txt"))
    kept.write_text("My own words")

    assert rereading.correct_files(folder, rereading.read_back(folder).moved) == 2

    assert json.loads(next(folder.rglob("yama_S2EP04_000000.json")).read_text())["character"] == ["Kokona"]
    assert next(folder.rglob("yama_S2EP04_000000.txt")).read_text() == "Kokona, anishot yamaS2EP04, 1girl, smile"
    assert kept.read_text() == "My own words"


def test_both_spellings_of_six_and_rare_combinations_are_understood(folder: Path) -> None:
    move(folder, "yama_S2EP04_000040", "6+_charcters/character_others/face_height_ratio_50-75")
    move(folder, "yama_S2EP04_000050", "6+_charcters/A+B+C+D+E+F/face_height_ratio_50-75")

    found = rereading.read_back(folder)

    assert [one.now for one in found.moved] == [("A", "B", "C", "D", "E", "F")]


def test_copies_strangers_and_losses_are_told(folder: Path) -> None:
    picture = next(folder.rglob("yama_S2EP04_000000.png"))
    shutil.copy(picture, folder / "holiday.png")
    picture.unlink()

    found = rereading.read_back(folder)

    assert found.gone == ("yama_S2EP04_000000",)
    assert found.unknown == ("holiday.png",)


def test_a_folder_without_a_sound_manifest_is_refused(folder: Path, tmp_path: Path) -> None:
    for text in ("", "[]", '{"recipe": {}, "pictures": 3}', '{"recipe": {"x": 1}, "pictures": {}}'):
        (folder / "dataset.json").write_text(text)
        with pytest.raises(BadInput, match="no data set of Koma"):
            rereading.read_back(folder)


def test_the_command_shows_writes_and_applies(show: Show, folder: Path, tmp_path: Path) -> None:
    move(folder, "yama_S2EP04_000000", "1_character/Kokona/face_height_ratio_25-50")
    out = StringIO()

    call_command("reread_dataset", str(folder), "--write", "--apply", "Tiny show", stdout=out)

    assert "Hinata -> Kokona" in out.getvalue()
    assert "1 faces named" in out.getvalue()
    assert names_on(show, 0) == ["Kokona"]
    names = tmp_path / "names.txt"
    names.write_text("Hinata, Ena")
    out = StringIO()
    move(folder, "yama_S2EP04_000010", "1_character/Nobody/face_height_ratio_25-50")
    call_command("reread_dataset", str(folder), "--characters", str(names), stdout=out)
    assert "'Nobody' is no known character" in out.getvalue()
    with pytest.raises(CommandError, match="no data set"):
        call_command("reread_dataset", str(tmp_path))


def test_the_page_shows_what_moved_and_reviewers_apply_it(
    show: Show, job: ExportJob, folder: Path, as_bob: Client, as_charlie: Client
) -> None:
    path = reverse("export_reread", args=[show.collection.pk, job.pk])
    assert "Nothing was moved" in as_bob.get(path).content.decode()
    move(folder, "yama_S2EP04_000000", "1_character/Kokona/face_height_ratio_25-50")

    assert "1 picture moved" in as_bob.get(path).content.decode()
    assert as_charlie.get(path).status_code == 404
    answer: Any = as_bob.post(path, follow=True)

    assert "1 faces named" in answer.content.decode()
    assert names_on(show, 0) == ["Kokona"]
    shutil.rmtree(folder)
    assert "no data set of Koma" in as_bob.get(path).content.decode()
