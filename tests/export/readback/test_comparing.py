"""A dataset that a person re-sorted is read back: into its own files, and into the collection as a person's word."""

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

from annotate.actions import faces
from annotate.models import Character, Face, FrameCharacter, NamedBy, NameOrigin
from export.actions import jobs
from export.algorithms.recipe import parse
from export.build import export_job
from export.models import ExportJob
from export.readback import applying, comparing
from export.readback.correct_files import correct_files
from ingest.actions import history
from ingest.errors import BadInput
from tests.export.conftest import Show
from tests.pages import html_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(show: Show, alice: User) -> ExportJob:
    recipe = parse({"arrange": {"min_per_combination": 1}})
    started = jobs.start(collection=show.collection, recipe=recipe, name="First", by=alice)
    export_job.execute(started.pk)
    started.refresh_from_db()
    return started


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
    rows = Face.objects.filter(frame=show.frames[number]).order_by("left")
    return [face.character.name if face.character else None for face in rows]


def test_an_untouched_data_set_says_nothing_new(folder: Path) -> None:
    changes = comparing.read_back(folder)

    assert changes.moved == changes.open == changes.misplaced == changes.gone == ()
    assert changes.unchanged == 11


def test_moved_pictures_rename_their_faces_and_one_undo_takes_it_back(show: Show, alice: User, folder: Path) -> None:
    move(folder, "yama_S2EP04_000000", "1_character/Kokona/face_height_ratio_25-50")
    move(folder, "yama_S2EP04_000010", "1_character/Aoba Mai/face_height_ratio_25-50")
    move(folder, "yama_S2EP04_000040", "2_characters/Hinata Hairdown+Kokona/face_height_ratio_50-75")
    move(folder, "yama_S2EP04_000070", "others/face_height_ratio_25-50")
    move(folder, "yama_S2EP04_000090", "1_character/Kokona/face_height_ratio_50-75")

    changes = comparing.read_back(folder)
    applied = applying.apply(collection=show.collection, moved=changes.moved, by=alice)

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

    applied = applying.apply(collection=show.collection, moved=comparing.read_back(folder).moved, by=alice)

    assert applied.named == 0
    reasons = {row.path.rpartition("/")[2]: row.reason for row in applied.open}
    assert "unclear which face" in reasons["yama_S2EP04_000040.png"]
    assert "renamed since the export" in reasons["yama_S2EP04_000000.png"]
    assert names_on(show, 4) == ["Hinata", "Kokona"]


def test_a_single_face_with_a_name_is_never_renamed_because_another_name_was_added(
    show: Show, alice: User, folder: Path
) -> None:
    move(folder, "yama_S2EP04_000000", "2_characters/Hinata+Kokona/face_height_ratio_25-50")

    applied = applying.apply(collection=show.collection, moved=comparing.read_back(folder).moved, by=alice)

    assert names_on(show, 0) == ["Hinata"]
    assert [row.reason for row in applied.open] == [
        "every face in it has a name already, so none can be Kokona; draw or name it on its page"
    ]


def test_what_was_applied_is_not_open_the_second_time(show: Show, alice: User, folder: Path) -> None:
    move(folder, "yama_S2EP04_000000", "1_character/Kokona/face_height_ratio_25-50")
    moved = comparing.read_back(folder).moved

    first = applying.apply(collection=show.collection, moved=moved, by=alice)
    second = applying.apply(collection=show.collection, moved=moved, by=alice)

    assert (first.named, first.open) == (1, [])
    assert (second.named, second.open) == (0, [])


def test_what_a_person_said_since_the_export_stands(show: Show, alice: User, bob: User, folder: Path) -> None:
    for number in (0, 1):
        move(folder, f"yama_S2EP04_0000{number}0", "1_character/Kokona/face_height_ratio_25-50")
    faces.confirm(collection=show.collection, faces=show.frames[1].faces.all(), by=bob)

    applied = applying.apply(collection=show.collection, moved=comparing.read_back(folder).moved, by=alice)

    assert names_on(show, 0) == ["Kokona"]
    assert names_on(show, 1) == ["Hinata"]
    assert ["a person named Hinata there since the export" in row.reason for row in applied.open] == [True]


def test_a_new_name_means_the_character_whose_folder_is_spelled_so_and_two_are_not_guessed(
    show: Show, alice: User, folder: Path
) -> None:
    for name in ("Mr. X", "M.r. Y", "Mr Y."):
        Character.objects.create(collection=show.collection, name=name)
    move(folder, "yama_S2EP04_000000", "1_character/Mr X/face_height_ratio_25-50")
    move(folder, "yama_S2EP04_000010", "1_character/Mr Y/face_height_ratio_25-50")
    move(folder, "yama_S2EP04_000020", "1_character/Ena/face_height_ratio_25-50")

    changes = comparing.read_back(folder)
    proposal = applying.propose(collection=show.collection, moved=changes.moved)
    applied = applying.apply(collection=show.collection, moved=changes.moved, by=alice)

    assert proposal.new == {"Ena"}
    assert [names_on(show, number) for number in (0, 1, 2)] == [["Mr. X"], ["Hinata"], ["Ena"]]
    assert [row.reason for row in applied.open] == ["'Mr Y' could be M.r. Y or Mr Y."]


def test_a_picture_without_a_face_gets_and_loses_its_characters_by_its_folder(show: Show, alice: User) -> None:
    back_view, other = show.frames[11], show.frames[9]
    for frame, name in ((back_view, "Hinata"), (other, "Kokona")):
        FrameCharacter.objects.create(frame=frame, character=show.characters[name], origin=NameOrigin.FILE)
    Face.objects.filter(frame=other).delete()
    recipe = parse({"arrange": {"min_per_combination": 1}, "selection": {"min_faces": 0}})
    started = jobs.start(collection=show.collection, recipe=recipe, name="Backs", by=alice)
    export_job.execute(started.pk)
    started.refresh_from_db()
    folder = jobs.inside_exports(started.folder)
    move(folder, "yama_S2EP04_000110", "1_character/Kokona/face_height_ratio_0-25")
    move(folder, "yama_S2EP04_000090", "others/face_height_ratio_0-25")

    applied = applying.apply(collection=show.collection, moved=comparing.read_back(folder).moved, by=alice)
    again = applying.apply(collection=show.collection, moved=comparing.read_back(folder).moved, by=alice)

    tags = FrameCharacter.objects.filter(frame__in=(back_view, other)).order_by("frame__index", "character__name")
    assert [(row.frame_id, row.character.name, row.state, row.origin) for row in tags] == [
        (other.pk, "Kokona", "no", NameOrigin.PERSON),
        (back_view.pk, "Hinata", "no", NameOrigin.PERSON),
        (back_view.pk, "Kokona", "yes", NameOrigin.PERSON),
    ]
    assert (applied.placed, applied.open) == (3, [])
    assert (again.placed, again.open) == (0, [])


def test_names_of_clusters_are_no_characters_on_the_way_back(show: Show, alice: User) -> None:
    recipe = parse({"arrange": {"min_per_combination": 1, "name_clusters": True}})
    Character.objects.create(collection=show.collection, name="cluster_03")
    Face.objects.filter(frame=show.frames[0]).update(character=Character.objects.get(name="cluster_03"))
    started = jobs.start(collection=show.collection, recipe=recipe, name="Clusters", by=alice)
    export_job.execute(started.pk)
    started.refresh_from_db()
    folder = jobs.inside_exports(started.folder)

    move(folder, "yama_S2EP04_000090", "1_character/Kokona/face_height_ratio_50-75")
    move(folder, "yama_S2EP04_000100", "1_character/cluster_03/face_height_ratio_25-50")
    applied = applying.apply(collection=show.collection, moved=comparing.read_back(folder).moved, by=alice)

    assert len(list(folder.glob("1_character/cluster_03_/*/*.png"))) == 0
    assert names_on(show, 9) == ["Kokona"]
    assert names_on(show, 10) == ["cluster_03"]
    assert (applied.named, applied.open) == (2, [])


def test_the_files_of_moved_pictures_are_corrected_but_not_a_persons_caption(folder: Path) -> None:
    for stem in ("yama_S2EP04_000000", "yama_S2EP04_000010"):
        move(folder, stem, "1_character/Kokona/face_height_ratio_25-50")
    files = next(folder.rglob("yama_S2EP04_000010.txt"))
    files.write_text("My own words")

    outcome = correct_files(folder, comparing.read_back(folder))

    assert (outcome.corrected, outcome.attached, outcome.open) == (2, 0, [])
    assert json.loads(next(folder.rglob("yama_S2EP04_000000.json")).read_text())["character"] == ["Kokona"]
    assert next(folder.rglob("yama_S2EP04_000000.txt")).read_text() == "Kokona, anishot yamaS2EP04, 1girl, smile"
    assert files.read_text() == "My own words"
    assert correct_files(folder, comparing.read_back(folder)).open == []


def test_a_changed_caption_that_still_names_who_is_gone_is_reported(folder: Path) -> None:
    move(folder, "yama_S2EP04_000000", "1_character/Kokona/face_height_ratio_25-50")
    next(folder.rglob("yama_S2EP04_000000.txt")).write_text("Hinata on a mountain")

    (row,) = correct_files(folder, comparing.read_back(folder)).open

    assert "still names Hinata" in row.reason


def test_a_picture_moved_alone_finds_its_files_by_name_and_one_without_is_reported(folder: Path) -> None:
    target = folder / "1_character/Kokona/face_height_ratio_25-50"
    for number in (0, 1, 2):
        picture = next(folder.rglob(f"yama_S2EP04_0000{number}0.png"))
        target.mkdir(parents=True, exist_ok=True)
        picture.rename(target / picture.name)
    next(folder.rglob("yama_S2EP04_000010.json")).unlink()
    shutil.copy(next(folder.rglob("yama_S2EP04_000020.json")), folder)

    changes = comparing.read_back(folder)
    outcome = correct_files(folder, changes)

    assert len(changes.moved) == 3
    assert (target / "yama_S2EP04_000000.json").is_file()
    assert json.loads((target / "yama_S2EP04_000000.json").read_text())["character"] == ["Kokona"]
    assert (target / "yama_S2EP04_000000.txt").read_text().startswith("Kokona")
    assert (outcome.corrected, outcome.attached) == (1, 4)
    assert "its JSON is missing" in outcome.open[0].reason
    assert any("has 2 files of one kind" in row.reason and "000020" in row.path for row in changes.open)


def test_masks_follow_their_picture_in_their_own_folder(folder: Path) -> None:
    here = next(folder.rglob("yama_S2EP04_000000.png"))
    mask = folder / ".masks" / here.relative_to(folder)
    mask.parent.mkdir(parents=True)
    shutil.copy(here, mask)
    move_only = folder / "1_character/Kokona/face_height_ratio_25-50"
    move_only.mkdir(parents=True, exist_ok=True)
    here.rename(move_only / here.name)

    correct_files(folder, comparing.read_back(folder))

    assert (folder / ".masks/1_character/Kokona/face_height_ratio_25-50" / here.name).is_file()
    assert not mask.exists()


def test_every_json_of_a_v2_data_set_is_corrected_with_its_caption_and_group(show: Show, alice: User) -> None:
    recipe = parse({"arrange": {"min_per_combination": 1}, "metadata": {"version": "v2"}})
    started = jobs.start(collection=show.collection, recipe=recipe, name="v2", by=alice)
    export_job.execute(started.pk)
    started.refresh_from_db()
    folder = jobs.inside_exports(started.folder)
    move(folder, "yama_S2EP04_000000", "1_character/Kokona/face_height_ratio_25-50")

    assert correct_files(folder, comparing.read_back(folder)).corrected == 1

    for name in ("yama_S2EP04_000000.json", ".yama_S2EP04_000000_meta.json"):
        body = json.loads((folder / "1_character/Kokona/face_height_ratio_25-50" / name).read_text())
        assert body["characters"] == ["Kokona"]
        assert body["caption"].startswith("Kokona, ")
        assert body["group_id"] == "1_character_Kokona_face_height_ratio_25_50"


def test_the_flat_folders_of_kohya_are_read_back_also_with_one_level(show: Show, alice: User) -> None:
    recipe = parse({"arrange": {"min_per_combination": 1, "format": "character"}, "output": {"layout": "kohya"}})
    Character.objects.filter(name="Kokona").update(name="Kokona~Aoba")
    started = jobs.start(collection=show.collection, recipe=recipe, name="flat", by=alice)
    export_job.execute(started.pk)
    started.refresh_from_db()
    folder = jobs.inside_exports(started.folder)
    assert comparing.read_back(folder).open == ()

    move(folder, "yama_S2EP04_000000", next(folder.glob("*_Kokona*")).name)
    move(folder, "yama_S2EP04_000010", "7_Kokona～Aoba")
    changes = comparing.read_back(folder)

    assert [row.now for row in changes.moved] == [("Kokona~Aoba",)] * 2
    assert changes.open == ()


def test_both_spellings_of_six_and_rare_combinations_are_understood(folder: Path) -> None:
    move(folder, "yama_S2EP04_000040", "6+_charcters/character_others/face_height_ratio_50-75")
    move(folder, "yama_S2EP04_000050", "6+_charcters/A+B+C+D+E+F/face_height_ratio_50-75")

    changes = comparing.read_back(folder)

    assert [row.now for row in changes.moved] == [("A", "B", "C", "D", "E", "F")]
    assert [row.reason for row in changes.open] == ["its folder names no character; Hinata and Kokona is kept"]


def test_copies_strangers_and_losses_are_reported(folder: Path) -> None:
    picture = next(folder.rglob("yama_S2EP04_000000.png"))
    shutil.copy(picture, folder / "holiday.png")
    picture.unlink()

    changes = comparing.read_back(folder)

    assert changes.gone == ("yama_S2EP04_000000",)
    assert [str(row) for row in changes.open] == [
        "holiday.png: not a picture of this dataset, or renamed; it was left unchanged"
    ]


def test_a_picture_in_two_folders_is_in_neither(folder: Path) -> None:
    picture = next(folder.rglob("yama_S2EP04_000000.png"))
    target = folder / "1_character/Kokona/face_height_ratio_25-50"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(picture, target)

    changes = comparing.read_back(folder)

    assert changes.moved == ()
    assert [("lies in 2 places" in row.reason) for row in changes.open] == [True]


def test_every_picture_is_counted_once(folder: Path) -> None:
    """One moved to other people, one elsewhere for the same, one copied twice more, one deleted; the rest lie still."""
    pictures = [path for path in folder.rglob("*.png") if ".masks" not in path.parts]
    move(folder, "yama_S2EP04_000000", "1_character/Kokona/face_height_ratio_25-50")
    move(folder, "yama_S2EP04_000010", "1_character/Hinata/face_height_ratio_75-100")
    copied = next(folder.rglob("yama_S2EP04_000020.png"))
    for name in ("0-25", "75-100"):
        target = folder / f"1_character/Kokona/face_height_ratio_{name}"
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(copied, target)
    next(folder.rglob("yama_S2EP04_000040.png")).unlink()

    changes = comparing.read_back(folder)

    assert [row.stem for row in changes.moved] == ["yama_S2EP04_000000"]
    assert changes.elsewhere == 1
    assert [row.path for row in changes.open] == [copied.stem]
    assert "lies in 3 places" in changes.open[0].reason
    assert changes.gone == ("yama_S2EP04_000040",)
    assert changes.unchanged == len(pictures) - 4


def test_a_data_set_of_an_older_version_is_still_read_and_a_shared_folder_is_not_guessed(folder: Path) -> None:
    path = folder / "dataset.json"
    data = json.loads(path.read_text())
    del data["characters"]
    for row in data["folders"]:
        del row["levels"]
    for entry in data["pictures"].values():
        entry.pop("by_person", None)
    stems = sorted(data["pictures"])
    folder_of = {stem: data["pictures"][stem]["folder"] for stem in stems}
    shared = [stem for stem in stems if "/Kokona/" in folder_of[stem]]
    path.write_text(json.dumps(data))
    move(folder, "yama_S2EP04_000000", "1_character/Kokona/face_height_ratio_25-50")
    assert [row.now for row in comparing.read_back(folder).moved] == [("Kokona",)]

    data["pictures"][shared[0]]["characters"] = ["Kokon.a"]
    path.write_text(json.dumps(data))

    assert [row.reason for row in comparing.read_back(folder).open] == [
        "'Kokona' could be Kokon.a or Kokona (folder 'Kokona')"
    ]


def test_a_folder_without_a_sound_manifest_is_refused(folder: Path, tmp_path: Path) -> None:
    for text in ("", "[]", '{"recipe": {}, "pictures": 3}', '{"recipe": {"x": 1}, "pictures": {}}'):
        (folder / "dataset.json").write_text(text)
        with pytest.raises(BadInput, match="not a Koma dataset"):
            comparing.read_back(folder)


def test_the_command_shows_writes_and_applies(show: Show, folder: Path, tmp_path: Path) -> None:
    move(folder, "yama_S2EP04_000000", "1_character/Kokona/face_height_ratio_25-50")
    out = StringIO()

    call_command("reread_dataset", str(folder), "--write", "--apply", "Tiny show", stdout=out)

    assert "Hinata -> Kokona" in out.getvalue()
    assert "1 face named" in out.getvalue()
    assert names_on(show, 0) == ["Kokona"]
    names = tmp_path / "names.txt"
    names.write_text("Hinata, Ena")
    out = StringIO()
    move(folder, "yama_S2EP04_000010", "1_character/Nobody/face_height_ratio_25-50")
    with pytest.raises(SystemExit) as end:
        call_command("reread_dataset", str(folder), "--characters", str(names), stdout=out)
    assert end.value.code == 1
    assert "'Nobody' is not a known character" in out.getvalue()
    with pytest.raises(CommandError, match="not a Koma dataset"):
        call_command("reread_dataset", str(tmp_path))


@pytest.mark.parametrize("text", ["[" * 200_000, '{"recipe": {}, "pictures": ' + "1" * 5000 + "}", "[1e400]"])
def test_a_hostile_manifest_is_no_data_set(tmp_path: Path, text: str) -> None:
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(CommandError, match=r"not a Koma dataset.*dataset\.json"):
        call_command("reread_dataset", str(tmp_path))


@pytest.mark.parametrize("text", ["[" * 200_000, '{"image_size": [1' + "0" * 400 + ", 1]}", '{"fh_ratio": Infinity}'])
def test_a_hostile_json_beside_a_picture_is_left_open(folder: Path, text: str) -> None:
    move(folder, "yama_S2EP04_000000", "1_character/Kokona/face_height_ratio_25-50")
    path = next(folder.rglob("yama_S2EP04_000000.json"))
    path.write_text(text)

    result = correct_files(folder, comparing.read_back(folder))

    assert result.corrected == 0
    assert ["cannot be read" in row.reason for row in result.open] == [True]
    assert path.read_text() == text


@pytest.mark.parametrize("index", ["²", "1" * 30, "1" * 5000, "٣", ""])
def test_a_key_that_is_no_number_means_no_frame(index: str) -> None:
    moved = [comparing.Moved(stem="a", key=f"ab:{text}", path="a.png", before=(), now=("A",)) for text in (index, "12")]
    assert [(source, number) for source, number, _ in comparing.by_key(moved)] == [("ab", 12)]


def test_the_command_lists_everything_as_json_and_ends_with_1_when_something_is_open(show: Show, folder: Path) -> None:
    move(folder, "yama_S2EP04_000000", "1_character/Kokona/face_height_ratio_25-50")
    move(folder, "yama_S2EP04_000010", "2_characters/Hinata+Kokona/face_height_ratio_25-50")
    next(folder.rglob("yama_S2EP04_000000.json")).unlink()
    shutil.copy(next(folder.rglob("yama_S2EP04_000020.png")), folder / "holiday.png")
    out = StringIO()

    with pytest.raises(SystemExit) as end:
        call_command("reread_dataset", str(folder), "--write", "--apply", "Tiny show", "--json", stdout=out)

    result = json.loads(out.getvalue())
    assert end.value.code == 1
    assert result["ok"] is False
    assert len(result["moved"]) == 2
    assert (result["named"], result["corrected"]) == (1, 1)
    assert sorted(row["path"].rpartition("/")[2] for row in result["open"]) == [
        "holiday.png",
        "yama_S2EP04_000000.png",
        "yama_S2EP04_000010.png",
    ]


def test_the_page_shows_what_moved_and_reviewers_apply_it(
    show: Show, job: ExportJob, folder: Path, as_bob: Client, as_charlie: Client
) -> None:
    path = reverse("export_reread", args=[show.collection.pk, job.pk])
    assert "No pictures moved" in html_of(as_bob.get(path))
    move(folder, "yama_S2EP04_000000", "1_character/Kokona/face_height_ratio_25-50")

    assert "1 picture moved" in html_of(as_bob.get(path))
    assert as_charlie.get(path).status_code == 404
    answer: Any = as_bob.post(path, follow=True)

    assert "1 face named" in html_of(answer)
    assert names_on(show, 0) == ["Kokona"]
    assert "1 already named" in html_of(as_bob.get(path))
    move(folder, "yama_S2EP04_000010", "2_characters/Hinata+Kokona/face_height_ratio_25-50")
    page = html_of(as_bob.get(path))
    assert "1 unclear" in page
    assert "every face in it has a name already" in page
    assert '<button class="btn primary"' not in page
    shutil.rmtree(folder)
    assert "not a Koma dataset" in html_of(as_bob.get(path))
