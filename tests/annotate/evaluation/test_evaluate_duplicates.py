"""`manage.py evaluate duplicates` on folders whose truth is known."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from django.core.management import CommandError, call_command

from annotate.evaluation.copies import COPIES


def scene(seed: int) -> np.ndarray:
    """A picture of coloured shapes, unlike that of any other seed."""
    rng = np.random.default_rng(seed)
    picture = np.full((180, 320, 3), rng.integers(0, 255, 3), np.uint8)
    for _ in range(12):
        x, y = rng.integers(0, 320), rng.integers(0, 180)
        cv2.circle(picture, (int(x), int(y)), int(rng.integers(15, 60)), rng.integers(0, 255, 3).tolist(), -1)
    return picture


def save(path: Path, picture: np.ndarray, quality: int = 95) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])


def evaluate(folder: Path, *more: str) -> dict:
    out = StringIO()
    call_command("evaluate", "duplicates", str(folder), "--json", *more, stdout=out)
    return json.loads(out.getvalue())


def test_single_pictures_are_copied_and_the_copies_found(tmp_path: Path) -> None:
    for seed in range(6):
        save(tmp_path / f"{seed}.jpg", scene(seed))
    answer = evaluate(tmp_path)
    assert answer["pictures"] == 6 and answer["copies"] == 6 * len(COPIES)
    assert {kind["name"] for kind in answer["kinds"]} == set(COPIES)
    result = {kind["name"]: kind["found"] for kind in answer["kinds"]}
    assert result["JPEG quality 30"] == 1.0 and result["dimmed to 60 %"] == 1.0
    assert answer["precision"] == 1.0 and answer["false"] == []
    assert answer["recall"] == pytest.approx(np.mean(list(result.values())), abs=0.001)


def test_folders_of_copies_are_the_truth_and_another_model_is_asked_the_same(tmp_path: Path) -> None:
    for seed in range(4):
        save(tmp_path / f"scene {seed}" / "a.jpg", scene(seed))
        save(tmp_path / f"scene {seed}" / "b.jpg", scene(seed), quality=20)
    for model in ("builtin", "dhash"):
        answer = evaluate(tmp_path, "--model", model)
        assert (answer["copies"], answer["precision"], answer["recall"]) == (4, 1.0, 1.0)


def test_two_equal_pictures_in_different_groups_are_false_pairs_and_a_stranger_in_a_group_is_missed(
    tmp_path: Path,
) -> None:
    for name, seed in (("a", 1), ("b", 2), ("c", 1)):
        save(tmp_path / f"{name}.png", scene(seed))
    (tmp_path / "groups.json").write_text(json.dumps({"one": ["a.png", "b.png"], "two": ["c.png"]}))
    answer = evaluate(tmp_path)
    assert answer["false"] == [["a.png", "c.png", 1.0]]
    assert answer["missed"][0][:2] == ["a.png", "b.png"]
    assert (answer["precision"], answer["recall"]) == (0.0, 0.0)


def test_the_curve_falls_in_recall_and_its_ends_are_all_and_nothing(tmp_path: Path) -> None:
    for seed in range(4):
        save(tmp_path / f"{seed}.jpg", scene(seed))
    curve = evaluate(tmp_path)["curve"]
    assert [point[0] for point in curve] == sorted(point[0] for point in curve)
    assert [point[2] for point in curve] == sorted((point[2] for point in curve), reverse=True)
    assert curve[0][2] == 1.0 and curve[-1][2] == 0.0


@pytest.mark.parametrize(
    ("truth", "words"),
    [
        ("[", "cannot be read as JSON"),
        ('{"a": "b.png"}', "must hold"),
        ('{"a": ["../b.png"]}', "without a folder"),
        ('{"a": ["gone.png"]}', "missing"),
    ],
)
def test_bad_groups_are_refused_with_a_message(tmp_path: Path, truth: str, words: str) -> None:
    (tmp_path / "groups.json").write_text(truth)
    with pytest.raises(CommandError, match=words):
        evaluate(tmp_path)


def test_one_picture_is_nothing_to_compare_and_a_broken_one_is_named(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", scene(1))
    with pytest.raises(CommandError, match="holds 1 pictures"):
        evaluate(tmp_path)
    save(tmp_path / "b.jpg", scene(2))
    (tmp_path / "c.jpg").write_bytes(b"no picture")
    assert evaluate(tmp_path)["unreadable"][0].startswith("c.jpg: ")


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no model 'nothing'"):
        evaluate(tmp_path, "--model", "nothing")
