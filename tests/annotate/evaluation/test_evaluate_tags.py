"""`manage.py evaluate tags` on tiny folders whose figures are worked out by hand."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from annotate.evaluation import kinds
from annotate.evaluation.tag_truth import read_truth
from ingest.imaging.encode import PictureFormat, encode
from tests.annotate.people import ANNA, add_head, scenery
from tests.annotate.scorer_graphs import write_classifier, write_linear, write_model, write_tags


def flat(red: int, green: int, blue: int) -> bytes:
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[...] = (red, green, blue)
    return encode(picture, PictureFormat("png"))


@pytest.fixture()
def folder(tmp_path: Path, settings: Any) -> Path:
    """A tagger that gives red, green and blue of the first pixel as scores of three tags, and a fourth always 0.6.

    Pictures a to d; at 0.35 it says: a red fourth, b red green fourth, c fourth, d blue fourth.
    """
    settings.KOMA_MODELS_DIR = tmp_path / "models"
    model = settings.KOMA_MODELS_DIR / "wd-tiny"
    model.mkdir(parents=True)
    weights = np.zeros((48, 5))
    weights[[2, 1, 0], [1, 2, 3]] = 1  # blue comes first
    write_model(model, side=4, weights=weights, bias=[0.5, 0, 0, 0, 0.6])
    write_tags(model, [("general", 9), ("red", 0), ("green_thing", 0), ("blue", 0), ("fourth", 0)])
    path = tmp_path / "pictures"
    path.mkdir()
    for name, colour in {"a": (204, 0, 0), "b": (102, 255, 0), "c": (51, 0, 51), "d": (0, 0, 255)}.items():
        (path / f"{name}.png").write_bytes(flat(*colour))
    (path / "a.txt").write_text("red, fourth")
    (path / "b.txt").write_text("green thing")
    (path / "c.txt").write_text("red, castle")
    (path / "d.txt").write_text("blue, fourth")
    return path


def evaluate(folder: Path, *more: str) -> Any:
    out = StringIO()
    call_command("evaluate", "tags", str(folder), "--model", "wd-tiny", "--json", *more, stdout=out, stderr=StringIO())
    return json.loads(out.getvalue())


def test_each_tag_and_all_together_are_measured_as_by_hand(folder: Path) -> None:
    scores = evaluate(folder)
    assert (scores["pictures"], scores["tags"], scores["unknown_tags"]) == (4, 4, 1)  # nobody labels castles
    rows = {row["name"]: row for row in scores["per_tag"]}
    # red: true in a and c; told in a (0.8) and b (0.4), missed in c (0.2). Best at 0.8: precision 1, recall 1/2; at
    # 0.2 precision 2/3, recall 1, F1 0.8.
    red = rows["red"]
    assert (red["true"], red["told"], red["right"]) == (2, 2, 1)
    assert (red["precision"], red["recall"], red["f1"]) == (0.5, 0.5, 0.5)
    assert (red["best_threshold"], red["best_f1"]) == (0.2, 0.8)
    assert (rows["green_thing"]["f1"], rows["blue"]["f1"]) == (1.0, 1.0)
    # fourth: told four times, true twice.
    assert (rows["fourth"]["precision"], rows["fourth"]["recall"]) == (0.5, 1.0)
    # Told 2 + 1 + 1 + 4 = 8, right 1 + 1 + 1 + 2 = 5, true 2 + 1 + 1 + 2 = 6.
    assert scores["micro"] == {"precision": 0.625, "recall": 0.8333, "f1": round(10 / 14, 4)}
    assert scores["macro"] == {"precision": 0.75, "recall": 0.875, "f1": round((0.5 + 1 + 1 + 2 / 3) / 4, 4)}
    # One threshold for all: at 0.2 everything that is true is told, with red in b, blue in c and fourth in b, c wrong:
    # 6 of 10; at 0.6: red a, green b, blue d, fourth a to d: 5 of 7, F1 10/13.
    assert (scores["best_threshold"], scores["best_f1"]) == (0.6, round(10 / 13, 4))
    assert scores["ms_per_picture"] > 0
    assert scores["model"] == "wd-tiny"


def test_ratings_count_only_where_the_truth_tells_them(folder: Path) -> None:
    assert "rating:general" not in {row["name"] for row in evaluate(folder)["per_tag"]}
    (folder / "a.txt").write_text("red\nrating: general\nfourth")
    (folder / "a.txt").unlink()
    (folder / "a.png.tags").write_text("general: red, fourth\nrating: g\n")
    rows = {row["name"]: row for row in evaluate(folder)["per_tag"]}
    assert (rows["rating:general"]["told"], rows["rating:general"]["right"]) == (4, 1)


def test_a_table_tells_the_tags_too(folder: Path) -> None:
    (folder / "tags.csv").write_text('file,tags\na.png,"red, green thing"\nb.png,red fourth\n')
    assert read_truth(folder).tags == {
        "a.png": frozenset({"red", "green_thing"}), "b.png": frozenset({"red", "fourth"}),
    }  # fmt: skip
    assert evaluate(folder)["pictures"] == 2


def test_a_classifier_is_measured_like_a_tagger(folder: Path, settings: Any) -> None:
    write_classifier(settings.KOMA_MODELS_DIR / "kind", ["monochrome", "normal"], [0.2, 0.8])
    rows = "\n".join(f"{name}.png,monochrome:{kind}" for name, kind in zip("abcd", ["normal"] * 3 + ["monochrome"]))
    (folder / "tags.csv").write_text(f"file,tags\n{rows}\n")
    scores = evaluate(folder, "--model", "kind")
    assert scores["micro"] == {"precision": 0.75, "recall": 0.75, "f1": 0.75}


def test_computed_tags_can_be_measured(tmp_path: Path, settings: Any) -> None:
    picture = scenery(seed=3)
    add_head(picture, ANNA, x=0.5, y=0.5, face=0.32)
    (tmp_path / "a.png").write_bytes(encode(picture, PictureFormat("png")))
    (tmp_path / "a.txt").write_text("lowres, highres")
    out = StringIO()
    call_command("evaluate", "tags", str(tmp_path), "--json", stdout=out)
    rows = {row["name"]: row for row in json.loads(out.getvalue())["per_tag"]}
    assert (rows["lowres"]["recall"], rows["highres"]["recall"]) == (1.0, 0.0)


def test_the_table_is_there_to_read_and_the_worst_are_named(folder: Path, settings: Any) -> None:
    (folder / "e.png").write_bytes(flat(1, 2, 3))
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "broken.txt").write_text("red")
    scores = kinds.KINDS["tags"].run(folder, settings.KOMA_MODELS_DIR, {"model": "wd-tiny", "threads": 1})
    text = "\n".join(scores.lines())
    assert "all answers" in text and "green_thing" in text
    notes = " ".join(scores.notes())
    assert "broken.png" in notes and "'e.png'" in notes and "'castle'" in notes
    worst = [(mistake.pictures, mistake.words) for mistake in scores.mistakes()]
    assert worst[0] == (("c.png",), "red is true, but got only 0.20")
    assert (("b.png",), "fourth was predicted (0.60), but is not true") in worst


def test_a_folder_without_truth_is_reported(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for bad, words in ((tmp_path / "empty", "has no tags for"), (tmp_path / "nowhere", "is not a folder")):
        with pytest.raises(CommandError, match=words):
            evaluate(bad)
    with pytest.raises(CommandError, match="no model 'wd-big' for tags"):
        evaluate(folder, "--model", "wd-big")
    for text, words in (("a,b\n", "columns file,tags"), ("file,tags\n../a.png,x\n", "without a folder"),
                        ("file,tags\nz.png,x\n", "are missing")):  # fmt: skip
        (folder / "tags.csv").write_text(text)
        with pytest.raises(CommandError, match=words):
            evaluate(folder)
    (folder / "tags.csv").write_text("file,tags\na.png,castle\n")
    with pytest.raises(CommandError, match="no label for any of its tags"):
        evaluate(folder)


def test_a_picture_that_the_model_does_not_take_is_left_out_and_named(tmp_path: Path, settings: Any) -> None:
    """The pixel of a line's height would become two thousand, and its length forty millions."""
    model = settings.KOMA_MODELS_DIR / "pixai-tiny"
    model.mkdir(parents=True)
    write_tags(model, [("sky", 0), ("sea", 0)])
    write_linear(model / "model.onnx", ["n", 3, 4, 4], np.zeros((48, 2)), bias=[0.9, 0.1], output="prediction")
    stages = ({"type": "resize", "size": 2000}, {"type": "resize", "size": [4, 4]}, {"type": "to_tensor"})
    (model / "preprocess.json").write_text(json.dumps({"stages": stages}))
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name, shape in (("good", (20, 30, 3)), ("line", (1, 20_000, 3))):
        (pictures / f"{name}.png").write_bytes(encode(np.zeros(shape, np.uint8), PictureFormat("png")))
        (pictures / f"{name}.txt").write_text("sky")
    out, seen = StringIO(), StringIO()
    call_command("evaluate", "tags", str(pictures), "--model", "pixai-tiny", "--json", stdout=out, stderr=seen)
    output = json.loads(out.getvalue())
    assert output["pictures"] == 1
    (pictures / "good.png").unlink()
    (pictures / "good.txt").unlink()
    with pytest.raises(CommandError, match=r"line\.png: its 20000 x 1 pixels are too long and thin"):
        call_command("evaluate", "tags", str(pictures), "--model", "pixai-tiny", stdout=out, stderr=seen)
