"""`manage.py evaluate faces` on a tiny folder, on bad folders, and on real drawings where they are at hand."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from django.core.management import CommandError, call_command

from ingest.imaging.encode import PictureFormat, encode
from tests.annotate.face_graph import picture_with, write_graph


@pytest.fixture()
def folder(tmp_path: Path, settings: Any) -> Path:
    """Two pictures: one with a hit and a miss, one with a false positive."""
    settings.KOMA_MODELS_DIR = tmp_path / "models"
    write_graph(settings.KOMA_MODELS_DIR)
    path = tmp_path / "pictures"
    path.mkdir()
    (path / "a.png").write_bytes(encode(picture_with((2, 3)), PictureFormat("png")))
    (path / "b.png").write_bytes(encode(picture_with((5, 1)), PictureFormat("png")))
    # On a.png the found box is (16, 24, 24, 32): IoU with the first true box is 64 / 128.
    write_truth(
        path, {"a.png": {"boxes": [[16, 24, 24, 40], [40, 8, 48, 16]], "size": [64, 48]}, "b.png": {"boxes": []}}
    )
    return path


def write_truth(folder: Path, truth: object) -> None:
    (folder / "boxes.json").write_text(json.dumps(truth), encoding="utf-8")


def evaluate(folder: Path, *more: str) -> str:
    out = StringIO()
    call_command("evaluate", "faces", str(folder), "--model", "tiny", *more, stdout=out)
    return out.getvalue()


def test_hits_misses_and_false_positives_are_counted(folder: Path) -> None:
    answer = json.loads(evaluate(folder, "--json"))
    expected = {"pictures": 2, "faces": 2, "hits_iou30": 1, "hits_iou50": 1, "false_positives_iou30": 1}
    assert {key: answer[key] for key in expected} == expected
    assert answer["ms_per_picture"] > 0
    assert answer["model"] == "tiny 1"


def test_the_words_name_the_pictures_that_went_wrong(folder: Path) -> None:
    text = evaluate(folder)
    assert "1 of 2 faces at IoU 0.3" in text
    assert "missed: 1 in a.png" in text
    assert "false positives: 1 in b.png" in text


def test_pictures_that_are_not_listed_are_reported(folder: Path) -> None:
    (folder / "c.png").write_bytes((folder / "a.png").read_bytes())
    problems = StringIO()
    call_command("evaluate", "faces", str(folder), "--model", "tiny", "--json", stdout=StringIO(), stderr=problems)
    assert "'c.png'" in problems.getvalue()


@pytest.mark.parametrize(
    ("truth", "reason"),
    [
        ({}, "lists no pictures"),
        ({"a.png": {"boxes": [[1, 2, 3]]}}, "must be rows of left, top, right, bottom"),
        ({"a.png": {"boxes": [[5, 5, 5, 9]]}}, "right > left"),
        ({"a.png": {}}, "must be rows of left, top, right, bottom"),
        ({"../a.png": {"boxes": []}}, "without a folder"),
        ({"gone.png": {"boxes": []}}, "first 'gone.png'"),
        ([1, 2], "lists no pictures"),
    ],
)
def test_a_bad_boxes_file_is_named(folder: Path, truth: object, reason: str) -> None:
    write_truth(folder, truth)
    with pytest.raises(CommandError, match=reason):
        evaluate(folder)


def test_a_folder_without_boxes_and_a_missing_folder_are_named(folder: Path) -> None:
    (folder / "boxes.json").write_text("{oops")
    with pytest.raises(CommandError, match="cannot be read as JSON"):
        evaluate(folder)
    (folder / "boxes.json").unlink()
    with pytest.raises(CommandError, match=r"boxes\.json is missing"):
        evaluate(folder)
    with pytest.raises(CommandError, match="is not a folder"):
        evaluate(folder / "none")


def test_a_file_that_is_no_picture_is_named(folder: Path) -> None:
    (folder / "b.png").write_text("hello")
    with pytest.raises(CommandError, match=r"b\.png"):
        evaluate(folder)


def test_a_model_that_is_not_installed_is_named(folder: Path) -> None:
    with pytest.raises(CommandError, match=r"There is no gone\.onnx"):
        call_command("evaluate", "faces", str(folder), "--model", "gone", stdout=StringIO())


def test_naming_is_measured_by_the_same_command(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    for person, colour in (("a", (1.0, 0.2, 0.2)), ("b", (0.2, 0.2, 1.0))):
        (tmp_path / person).mkdir()
        for number in range(4):
            picture = cv2.resize(random.uniform(100, 255, (6, 6, 1)), (64, 64))[..., None] * colour
            cv2.imwrite(str(tmp_path / person / f"{number}.png"), picture[..., ::-1])
    out = StringIO()
    call_command("evaluate", "characters", str(tmp_path), "--shots", "1", "--draws", "2", "--json", stdout=out)
    answer = json.loads(out.getvalue())
    assert answer["characters"] == 2
    assert answer["accuracy"] == {"1": 1.0}
    with pytest.raises(CommandError):
        call_command("evaluate", "characters", str(tmp_path), "--shots", "one", stdout=StringIO())


def test_the_built_in_model_reaches_its_figures_on_real_drawings(test_data: Path) -> None:
    out = StringIO()
    call_command("evaluate", "faces", str(test_data / "faces" / "eval_illustrations"), "--json", stdout=out)
    answer = json.loads(out.getvalue())
    assert answer["faces"] == 39
    assert answer["hits_iou30"] == 39
    assert answer["hits_iou50"] >= 36
    assert answer["false_positives_iou30"] <= 1


def test_the_built_in_model_is_quiet_on_scenery(test_data: Path, tmp_path: Path) -> None:
    names = sorted(path.name for path in (test_data / "backgrounds").iterdir() if path.suffix in {".jpg", ".png"})
    for name in names:
        (tmp_path / name).symlink_to(test_data.resolve() / "backgrounds" / name)
    write_truth(tmp_path, {name: {"boxes": []} for name in names})
    out = StringIO()
    call_command("evaluate", "faces", str(tmp_path), "--json", stdout=out)
    answer = json.loads(out.getvalue())
    assert answer["pictures"] == 60
    assert answer["false_positives_iou30"] <= 2
