"""The headless command: every input told, resumed where it stopped, one JSON line last."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ingest.models import Collection, Frame
from tests import films
from tests.export.conftest import drawn

pytestmark = pytest.mark.django_db(transaction=True)


def run(*args: object, ok: bool = True) -> dict[str, Any]:
    """The JSON of a call; `ok`: whether it must end with exit code 0."""
    out, code = StringIO(), 0
    try:
        call_command("build_dataset", *map(str, args), "--json", stdout=out, stderr=StringIO())
    except SystemExit as end:
        code = int(end.code or 0)
    assert code == (0 if ok else 1), out.getvalue()
    return dict(json.loads(out.getvalue().splitlines()[-1]))


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_film_and_a_zip_become_a_data_set_and_a_second_call_gives_the_same(tmp_path: Path) -> None:
    film = films.film(tmp_path / "[Group] Yama no Susume - 04 [1080p].mp4")
    packed = tmp_path / "fan art.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(3):
            archive.writestr(f"artist/{number}.png", drawn(number))
    args = (film, packed, "--collection", "Yama", "--out", tmp_path / "out", "--min-faces", 0)

    first = run(*args)
    before = hashes(tmp_path / "out")
    second = run(*args)

    assert [entry["ok"] for entry in first["inputs"]] == [True, True]
    assert first["inputs"][0]["episode"] == "EP04"
    assert first["counts"]["exported"] == first["counts"]["kept"] == Frame.objects.kept().count()
    assert first["seconds"]["extract"] > 0
    assert "export" in first["seconds"]
    assert any(name.startswith("others/") and "YamanoSusume_EP04_" in name for name in before)
    assert any("artist" in name or "fanart" in name for name in before)
    assert hashes(tmp_path / "out") == before
    assert second["counts"] == first["counts"]
    assert Collection.objects.count() == 1


def test_an_input_that_cannot_be_used_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    film = films.film(tmp_path / "Show - 01.mp4")
    lie = tmp_path / "lie.mp4"
    lie.write_text("I am a text.")
    empty = tmp_path / "folder"
    empty.mkdir()

    result = run(
        *(film, lie, empty, tmp_path / "gone.mkv"),
        *("--collection", "C", "--out", tmp_path / "out", "--min-faces", 0),
        ok=False,
    )

    assert [entry["ok"] for entry in result["inputs"]] == [True, False, False, False]
    assert all(entry["reason"] for entry in result["inputs"][1:])
    assert (tmp_path / "out" / "dataset.json").is_file()


def test_of_two_inputs_of_one_name_the_one_without_a_picture_is_named_and_a_cut_film_is_reported(
    tmp_path: Path,
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    good = films.film(tmp_path / "a" / "Show - 01.mkv")
    complete_film = films.film(
        tmp_path / "b" / "Show - 01.mkv", seconds=4, shade=120, width=640, height=360
    ).read_bytes()
    (tmp_path / "b" / "Show - 01.mkv").write_bytes(complete_film[: len(complete_film) // 2])
    (tmp_path / "c" / "one.png").write_bytes(b"no picture at all")

    result = run(
        *(good, tmp_path / "b" / "Show - 01.mkv", tmp_path / "c"),
        *("--collection", "C", "--out", tmp_path / "out", "--min-faces", 0),
        ok=False,
    )

    assert [entry["ok"] for entry in result["inputs"]] == [True, True, False]
    assert "No pictures were produced. one.png" in result["inputs"][2]["reason"]
    assert [text for text in result["warnings"] if text.startswith("Show - 01.mkv: ")]


def test_refused_pictures_within_a_folder_are_no_success_and_each_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "art"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes(drawn(number))
    for number in range(120):
        (folder / f"bad{number:03}.png").write_bytes(b"no picture at all")
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "9.png").write_bytes(drawn(9))

    result = run(
        *(folder, tmp_path / "good", "--collection", "C", "--out", tmp_path / "out", "--min-faces", 0), ok=False
    )

    bad, good = result["inputs"]
    assert (bad["ok"], bad["refused_count"], len(bad["refused"])) == (False, 120, 100)
    assert bad["refused"][0]["file"] == "bad000.png"
    assert bad["refused"][0]["reason"]
    assert (good["ok"], good["refused"]) == (True, [])
    assert result["counts"]["exported"] == result["counts"]["kept"] > 0
    listed = json.loads(Path(result["refused_file"]).read_text("utf-8"))
    assert Path(result["refused_file"]).parent == tmp_path
    assert [row["file"] for row in listed] == [f"bad{number:03}.png" for number in range(120)]


def test_what_the_browser_says_of_inputs_models_and_stages_is_said_by_a_config_and_by_options(tmp_path: Path) -> None:
    film = films.film(tmp_path / "film.mp4")
    for name in ("people", "secret"):
        (tmp_path / name).mkdir()
    (tmp_path / "people" / "1.png").write_bytes(drawn(1))
    (tmp_path / "secret" / "2.png").write_bytes(drawn(2))
    (tmp_path / "config.toml").write_text(
        """
        collection = "C"
        out = "out"
        defaults = {series = "Yama", licence_note = "own work"}
        models = {tags = "none"}
        inputs = [
            {path = "film.mp4", season = 2, number = "04"},
            {path = "people", image_type = "regularization"},
            {path = "secret", exportable = false, series = "Other", title = "Not for others"},
        ]
        run = {stages = ["extract", "read_pictures", "detect"], keep = true}
        [stages.detect]
        threshold = 0.7
        [recipe]
        selection = {min_faces = 0}
        arrange = {format = "image_type"}
        """
    )
    options = ("--set", "recipe.caption.max_tags=3", "--set", "stages.detect.lbp_step=7")

    result = run("--config", tmp_path / "config.toml", *options)

    collection = Collection.objects.get()
    rows = {row.source.name: row for row in collection.episodes.select_related("source")}
    yama, people, secret = rows["film.mp4"], rows["people"], rows["secret"]
    assert (yama.series, yama.label, yama.source.licence_note) == ("Yama", "S2 EP04", "own work")
    assert people.source.image_type == "regularization"
    assert (secret.source.exportable, secret.series, secret.title) == (False, "Other", "Not for others")
    created = collection.runs.get()
    assert created.params["detect"] == {"threshold": 0.7, "lbp_step": 7}
    assert set(created.stages.values_list("stage", flat=True)) == {"extract", "read_pictures", "detect"}
    assert collection.run_defaults["detect"]["threshold"] == 0.7
    assert list(collection.model_choices.values_list("task", "name")) == [("tags", "none")]
    assert set(result["counts"]["by_level"]) == {"screenshots", "regularization"}
    assert result["counts"]["left_out"] == {"from a source that may not be exported": 1}
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["recipe"]["caption"]["max_tags"] == 3

    changed = run(film, "--collection", "C", "--out", tmp_path / "out", "--min-faces", 0, "--image-type", "fanart")

    assert changed["inputs"][0]["episode"] == "S2 EP04"
    yama.source.refresh_from_db()
    assert yama.source.image_type == "fanart"


def test_settings_of_a_stage_that_does_not_run_are_refused(tmp_path: Path) -> None:
    film = films.film(tmp_path / "Show - 01.mp4")
    common = (str(film), "--collection", "C", "--out", str(tmp_path / "out"), "--stage", "extract")

    with pytest.raises(CommandError, match=r"stages\.detect: this stage does not run"):
        call_command("build_dataset", *common, "--set", "stages.detect.threshold=0.5")


def test_nothing_to_write_and_foreign_files_in_the_way_end_with_words_and_exit_code_1(tmp_path: Path) -> None:
    film = films.film(tmp_path / "Show - 01.mp4")

    nothing = run(film, "--collection", "C", "--out", tmp_path / "out", ok=False)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    in_the_way = run(film, "--collection", "C", "--out", tmp_path / "mine", "--min-faces", 0, ok=False)

    assert "No picture would be in this dataset" in nothing["error"]
    assert "not a Koma dataset" in in_the_way["error"]
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_mistakes_in_the_call_are_reported_before_any_work(tmp_path: Path) -> None:
    bad = tmp_path / "r.toml"
    bad.write_text("[caption]\ncolour = 1\n")
    common = ("x.mp4", "--collection", "C", "--out", str(tmp_path / "out"))
    for extra, words in (
        (("--recipe", str(bad)), "no such setting"),
        (("--recipe", "nothing.json"), "cannot be read"),
        (("--recipe", "r.yaml"), "toml or .json"),
        (("--references", str(tmp_path / "none")), "no such folder"),
        (("--min-faces", "-1"), "min_faces"),
        (("--config", "nothing.toml"), "cannot be read"),
        (("--season", "two"), "Season 'two'"),
        (("--image-type", "photo"), "no image type"),
        (("--set", "stages.tag.colour=1"), "no setting"),
        (("--model", "tags"), "TASK=NAME"),
    ):
        with pytest.raises(CommandError, match=words):
            call_command("build_dataset", *common, *extra)
    assert not Collection.objects.exists()


def test_references_and_a_recipe_file_are_used(tmp_path: Path) -> None:
    film = films.film(tmp_path / "Show - 01.mp4")
    people = tmp_path / "people" / "Hinata"
    people.mkdir(parents=True)
    (people / "1.png").write_bytes(drawn(1))
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[selection]\nmin_faces = 0\nformat = "webp"\n[output]\nlayout = "kohya"\n')

    result = run(
        *(film, "--collection", "C", "--out", tmp_path / "out"),
        *("--references", tmp_path / "people", "--recipe", recipe),
    )

    assert result["counts"]["characters"] == 1
    assert list((tmp_path / "out").glob("*_others~face_height_ratio_*/*.webp"))


@pytest.mark.slow
def test_a_command_that_was_killed_goes_on_and_ends_with_the_same_data_set(
    tmp_path: Path, with_tables: Callable[[Path], Path]
) -> None:
    import os
    import subprocess
    import sys
    import time

    film = films.film(tmp_path / "Show - 01.mp4", seconds=6, width=320, height=180)
    root = Path(__file__).resolve().parents[2]

    def call(name: str) -> subprocess.Popen[str]:
        environment = {
            key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "KOMA_EXPORT_DIR")
        }
        return subprocess.Popen(
            [
                *(sys.executable, "manage.py", "build_dataset", str(film), "--collection", "C", "--json"),
                *("--out", str(tmp_path / name / "out"), "--min-faces", "0"),
            ],
            cwd=root,
            env=environment
            | {"KOMA_DATA_DIR": str(tmp_path / name / "data"), "DJANGO_SETTINGS_MODULE": "project.settings"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    for name in ("whole", "killed"):
        with_tables(tmp_path / name / "data")
    complete = call("whole")
    lines = iter(complete.stderr.readline, "")  # type: ignore[union-attr]
    stages = [line.split(":")[0] for line in lines]
    assert complete.wait() == 0
    assert "identify" in stages

    for stage in ("extract", "detect", "writing"):
        killed = call("killed")
        for line in iter(killed.stderr.readline, ""):  # type: ignore[union-attr]
            if line.startswith(stage):
                time.sleep(0.1)
                killed.kill()
                break
        killed.wait()
    last = call("killed")
    out, err = last.communicate()

    assert last.returncode == 0, err
    assert json.loads(out.splitlines()[-1])["ok"]
    assert hashes(tmp_path / "killed" / "out") == hashes(tmp_path / "whole" / "out")
