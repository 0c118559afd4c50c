"""`evaluate characters` on folders of heads: counts, near-twins, errors in words, and the shared pictures' targets."""

from __future__ import annotations

import json

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from annotate.algorithms.face_features import cut_head
from annotate.evaluation import characters
from tests.annotate.people import ANNA, BETH, CARA, add_head, scenery


@pytest.fixture()
def folder(tmp_path):
    """Three people, eight heads each; one of them is saved twice, one file is no picture."""
    for name, looks in (("anna", ANNA), ("beth", BETH), ("cara", CARA)):
        (tmp_path / name).mkdir()
        for number in range(8):
            picture = scenery(seed=number)
            left, top, right, bottom = add_head(picture, looks, x=0.4 + 0.02 * number, y=0.5, face=0.4, seed=number)
            head = cut_head(picture, (left * 480, top * 270, right * 480, bottom * 270), side_px=96)
            Image.fromarray(head).save(tmp_path / name / f"{number}.png")
    Image.open(tmp_path / "anna" / "3.png").save(tmp_path / "anna" / "copy.jpg", quality=80)
    (tmp_path / "beth" / "broken.png").write_bytes(b"no picture")
    (tmp_path / "readme.txt").write_text("not a person")
    return tmp_path


def measure(folder, capsys, *more):
    call_command("evaluate", "characters", str(folder), "--json", *more)
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def test_different_people_are_distinguished_and_twins_removed(folder, capsys, monkeypatch):
    scores = measure(folder, capsys, "--shots", "1,3", "--draws", "4")
    assert (scores["characters"], scores["accuracy"]) == (3, {"1": 1.0, "3": 1.0})
    assert scores["twins_removed"] >= 1
    assert scores["faces"] + scores["twins_removed"] == 25
    assert scores["ms_per_face"] > 0
    assert len(scores["unreadable"]) == 1
    assert "broken.png" in scores["unreadable"][0]


def test_too_few_pictures_and_no_folder_are_reported(folder, tmp_path):
    with pytest.raises(CommandError, match="20 named faces need more than 20 pictures"):
        call_command("evaluate", "characters", str(folder), "--shots", "20")
    with pytest.raises(CommandError, match="two characters"):
        call_command("evaluate", "characters", str(folder / "anna"))
    with pytest.raises(CommandError, match="is not a folder"):
        call_command("evaluate", "characters", str(tmp_path / "nowhere"))


def test_twins_are_found_by_their_distance_in_bits():
    base = np.zeros(8, np.uint8)
    neighbours, far = base.copy(), base.copy()
    neighbours[0] = 0b1111
    far[0] = 0b11111
    assert characters.without_twins([base, neighbours, far]).tolist() == [0, 2]


def test_the_shared_characters_reach_the_targets(test_data, capsys):
    scores = measure(test_data / "characters", capsys, "--shots", "1,5,10,20", "--draws", "20")
    assert (scores["characters"], scores["faces"]) == (6, 546)
    expected = {"1": 0.75, "5": 0.88, "10": 0.93, "20": 0.95}
    assert all(scores["accuracy"][shots] >= minimum for shots, minimum in expected.items()), scores["accuracy"]
