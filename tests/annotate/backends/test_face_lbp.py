"""The cascade's three numbers do what they say, on pictures with known faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from annotate.algorithms.box_scale import Border
from annotate.backends.boxes.known_detectors import CascadeOptions, open_detector
from annotate.backends.boxes.lbp import CascadeFaces
from ingest.errors import BadInput
from ingest.imaging.decode import read_picture


@pytest.fixture()
def folder(test_data: Path) -> Path:
    return test_data / "models"


@pytest.fixture(scope="module")
def picture(test_data: Path):
    """The first illustration in which the cascade sees a face."""
    folder = test_data / "faces" / "eval_illustrations"
    for path in sorted(folder.iterdir()):
        if path.suffix in (".jpg", ".png"):
            rgb = read_picture(path, name=path.name).rgb
            if len(boxes_of(test_data / "models", rgb)):
                return rgb
    raise AssertionError("the cascade sees no face in any illustration")


def boxes_of(folder: Path, picture, **options):
    return CascadeFaces([folder], **options).detect([picture])[0].boxes


def test_the_box_scale_enlarges_and_changes_nothing_else(folder: Path, picture) -> None:
    face = boxes_of(folder, picture, box_scale=1)
    head = boxes_of(folder, picture, border=Border.CLAMP)
    assert len(face) and len(head) == len(face)
    sides = face[:, 2:] - face[:, :2]
    grown = np.concatenate([face[:, :2] - sides / 4, face[:, 2:] + sides / 4], axis=1)
    limit = np.array([picture.shape[1], picture.shape[0]] * 2)
    assert np.allclose(head, np.clip(grown, 0, limit), atol=1e-3)


def test_no_face_is_smaller_than_the_least_one(folder: Path, picture) -> None:
    face = boxes_of(folder, picture, box_scale=1)
    side = float((face[:, 2] - face[:, 0]).max())
    assert not len(boxes_of(folder, picture, box_scale=1, side_min=int(side * 1.3)))
    assert len(boxes_of(folder, picture, box_scale=1, side_min=int(side * 0.7)))


def test_results_of_other_settings_can_be_distinguished(folder: Path) -> None:
    assert CascadeOptions().words == ""
    words = CascadeOptions(step=1.5, box_scale=1.5, border=Border.DROP).words
    assert words == "step 1.5, box_scale 1.5, border drop"
    model = open_detector("lbpcascade_animeface", folder, cascade=CascadeOptions(step=1.5, side_min=64))
    assert model.info.settings == {
        "step": 1.5, "side_min": 64, "neighbours": 5, "box_scale": 1.0, "border": "shift",
    }  # fmt: skip


@pytest.mark.parametrize("wrong", [{"step": 1.0}, {"side_min": 0}, {"box_scale": -1}, {"border": Border.PAD}])
def test_numbers_that_cannot_be_used_are_refused_with_a_message(folder: Path, wrong) -> None:
    with pytest.raises(BadInput, match=r"pyramid step|border"):
        CascadeFaces([folder], **wrong)
