"""Cascades are read by OpenCV, which believes their numbers: what is hostile never reaches it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from annotate.backends.boxes import cascade_check
from annotate.backends.boxes.lbp import CascadeFaces
from annotate.backends.model_files.importing import import_model
from ingest.errors import BadInput

CASCADE = """<?xml version="1.0"?>
<opencv_storage><cascade type_id="opencv-cascade-classifier"><stageType>BOOST</stageType>
<featureType>LBP</featureType><height>24</height><width>24</width>
<stageParams><maxWeakCount>1</maxWeakCount></stageParams><featureParams><maxCatCount>256</maxCatCount></featureParams>
<stageNum>1</stageNum><stages><_><maxWeakCount>1</maxWeakCount><stageThreshold>-1.</stageThreshold><weakClassifiers>
<_><internalNodes>0 -1 0 -1 -1 -1 -1 -1 -1 -1 -1</internalNodes><leafValues>-1. 1.</leafValues></_>
</weakClassifiers></_></stages><features><_><rect>0 0 8 8</rect></_></features></cascade></opencv_storage>"""


def opened(folder: Path, text: str) -> CascadeFaces:
    (folder / "mine.xml").write_text(text)
    return CascadeFaces([folder], name="mine")


def test_a_cascade_whose_numbers_have_their_place_is_opened(tmp_path: Path) -> None:
    (boxes,) = opened(tmp_path, CASCADE).detect([np.zeros((64, 64, 3), np.uint8)])
    assert boxes.boxes.shape[1] == 4


def test_published_cascades_pass(test_data: Path) -> None:
    cascade_check.check(test_data / "models" / "lbpcascade_animeface.xml")


def test_those_that_come_with_opencv_pass_but_for_one_of_an_older_form() -> None:
    refused = []
    files = sorted(Path(cv2.data.haarcascades).glob("*.xml"))
    for path in files:
        try:
            cascade_check.check(path)
        except BadInput:
            refused.append(path.name)
    assert len(files) > 10
    assert refused == ["haarcascade_license_plate_rus_16stages.xml"]


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("0 0 8 8", "0 0 9 8"), ("0 0 8 8", "-1 0 8 8"), ("0 0 8 8", "0 0 0 0"), ("0 0 8 8", "0 0 2147483647 8"),
        ("0 0 8 8", ""), ("0 0 8 8", "9" * 5000), ("0 -1 0 ", "0 -1 1 "), ("0 -1 0 ", "0 -1 -1 "),
        ("0 -1 0 ", "1 -1 0 "), ("0 -1 0 ", "0 -2 0 "), ("0 -1 0 ", "0 -1 99999999 "), ("-1. 1.", "-1."),
        (">256<", ">0<"), (">256<", ">999999999<"), (">LBP<", ">HOG<"), (">LBP<", ">HAAR<"),
        ("<width>24<", "<width>99999<"), ("<height>24<", "<height>0<"), ("<features>", "<other>"),
        ("<features>", "<features><_><rect>0 0 8 8</rect></_></features><features>"),
        ("<?xml", "<!DOCTYPE x [<!ENTITY a 'b'>]><?xml"), ("<opencv_storage>", "<opencv_storage>" + "<a>" * 100_000),
    ],
    ids=range(22),
)  # fmt: skip
def test_a_cascade_whose_numbers_lead_elsewhere_is_refused_with_a_message(
    tmp_path: Path, was: str, becomes: str
) -> None:
    """Deep nesting ends the process by itself; the others read what is not theirs, or never come to an end."""
    text = CASCADE.replace(was, becomes, 1)
    assert text != CASCADE
    with pytest.raises(BadInput, match="not a valid OpenCV cascade"):
        opened(tmp_path, text)


@pytest.mark.parametrize("text", ["", "%YAML:1.0\n---\ncascade: 1\n", '{"cascade": 1}', "<a/>", "<opencv_storage/>"])
def test_what_only_opencv_would_take_for_a_cascade_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput):
        opened(tmp_path, text)


def test_a_way_that_leads_back_in_a_tree_is_refused(tmp_path: Path) -> None:
    """Whoever followed it would walk in circles."""
    node = "0 -1 0 -1 -1 -1 -1 -1 -1 -1 -1"
    back = f"1 -1 0{' -1' * 8} 1 -1 0{' -1' * 8}"
    text = CASCADE.replace(node, back).replace("-1. 1.", "-1. 1. 1.")
    with pytest.raises(BadInput, match="leads nowhere or back"):
        opened(tmp_path, text)
    fine = text.replace(back, f"1 -1 0{' -1' * 8} 0 -2 0{' -1' * 8}")
    assert len(opened(tmp_path, fine).detect([np.zeros((32, 32, 3), np.uint8)])) == 1


def test_an_imported_cascade_is_looked_through_before_it_is_opened(tmp_path: Path) -> None:
    source = tmp_path / "mine"
    source.mkdir()
    (source / "mine.xml").write_text("<opencv_storage>" + "<a>" * 100_000)
    imported = import_model(source, tmp_path / "models", family="builtin_faces")
    with pytest.raises(BadInput, match="nested too deeply"):
        CascadeFaces([imported.path], name="mine")
