"""The JSON of each kind of scores: rows of the database hold it and scripts read it, so its names and order stay."""

from __future__ import annotations

import json

import pytest

from annotate.evaluation.characters import CharacterScores
from annotate.evaluation.duplicates import DuplicateScores, Kind
from annotate.evaluation.faces import FaceScores
from annotate.evaluation.mistakes import Mistake
from annotate.evaluation.on_collection.embedders import EmbedderScores
from annotate.evaluation.scores import Scores
from annotate.evaluation.tags import Measured, TagRow, TagScores
from annotate.evaluation.upscale import Method, UpscaleScores

MISTAKE = Mistake(("a.png",), "wrong")
THIRD = 1 / 3
MEASURED = Measured(THIRD, 2 / 3, 4 / 9)
FACES = FaceScores(
    pictures=4, faces=3, hits_iou30=2, hits_iou50=1, false_positives_iou30=5, ms_per_picture=12.3456, model="m",
    device="cpu", missed={"a.png": 1}, alarms={"b.png": 2}, wrong=(MISTAKE,), remarks=("note",),
)  # fmt: skip
CHARACTERS = CharacterScores(
    characters=2, faces=9, twins_removed=1, accuracy={1: THIRD, 5: 1.0}, ms_per_face=1.2345, model="m",
    unreadable=["bad.png"], wrong=(MISTAKE,), remarks=("note",),
)  # fmt: skip
DUPLICATES = DuplicateScores(
    model="m", pictures=3, copies=6, threshold=0.123456, precision=0.5, recall=THIRD, best_threshold=0.98765,
    best_f1=2 / 3, ms_per_picture=0.6789, kinds=(Kind("small", 7, 2 / 3, 0.1), Kind("grey", 1, 1.0, 0.2)),
    curve=((0.00001, THIRD, 1.0), (1.0, 0.0, 0.25)), missed=(("a.png", "b.png", 0.123456),), false=(("c", "d", 1.0),),
    unreadable=["bad.png"],
)  # fmt: skip
TAGS = TagScores(
    model="m", device="cpu", pictures=2, tags=1, unknown=3, micro=MEASURED, macro=Measured(1.0, 0.0, 0.0),
    best_threshold=0.12345, best_f1=0.98765, ms_per_picture=7.777,
    rows=(TagRow("red", 3, 2, 1, MEASURED, 0.55555, 0.66666),), curve=((0.5, THIRD, 1.0),), wrong=(MISTAKE,),
    remarks=["note"],
)  # fmt: skip
UPSCALE = UpscaleScores(
    model="m", device="cpu", factor=2, pictures=5, unreadable=("bad.png",), wrong=(MISTAKE,),
    ways=(Method("m", 30.12345, 0.9123456, 80.126), Method("bicubic", 28.0, 0.9, 1.0)),
)  # fmt: skip
EMBEDDERS = EmbedderScores(
    first="a", second="b", faces=10, of=20, named=4, people=2, waiting=6, groups=(3, 5), rand=THIRD, nearest_same=0.5,
    person_same=1.0, right=(2 / 3, None), rand_people=(None, 0.25), questions=((1, 2, 3, True),),
    pairs=((4, 5, False),), remarks=["note"],
)  # fmt: skip
EXPECTED = {
    "FaceScores": (
        '{"pictures": 4, "faces": 3, "hits_iou30": 2, "hits_iou50": 1, "false_positives_iou30": 5, '
        '"ms_per_picture": 12.35, "model": "m", "device": "cpu"}'
    ),
    "CharacterScores": (
        '{"model": "m", "characters": 2, "faces": 9, "twins_removed": 1, "accuracy": {"1": 0.3333, "5": 1.0}, '
        '"ms_per_face": 1.23, "unreadable": ["bad.png"]}'
    ),
    "DuplicateScores": (
        '{"model": "m", "pictures": 3, "copies": 6, "threshold": 0.123456, "precision": 0.5, "recall": 0.3333, '
        '"f1": 0.4, "best_threshold": 0.9877, "best_f1": 0.6667, "ms_per_picture": 0.68, '
        '"kinds": [{"name": "small", "pairs": 7, "found": 0.6667}, {"name": "grey", "pairs": 1, "found": 1.0}], '
        '"curve": [[0.0, 0.3333, 1.0], [1.0, 0.0, 0.25]], "missed": [["a.png", "b.png", 0.123456]], '
        '"false": [["c", "d", 1.0]], "unreadable": ["bad.png"]}'
    ),
    "TagScores": (
        '{"model": "m", "device": "cpu", "pictures": 2, "tags": 1, "unknown_tags": 3, '
        '"micro": {"precision": 0.3333, "recall": 0.6667, "f1": 0.4444}, "macro": {"precision": 1.0, '
        '"recall": 0.0, "f1": 0.0}, "best_threshold": 0.123, "best_f1": 0.9877, "ms_per_picture": 7.78, '
        '"per_tag": [{"name": "red", "true": 3, "told": 2, "right": 1, "precision": 0.3333, "recall": 0.6667, '
        '"f1": 0.4444, "best_threshold": 0.556, "best_f1": 0.6667}], "curve": [[0.5, 0.3333, 1.0]]}'
    ),
    "UpscaleScores": (
        '{"pictures": 5, "factor": 2, "psnr": 30.123, "ssim": 0.91235, "ms_per_megapixel": 80.13, '
        '"baselines": [{"name": "bicubic", "psnr": 28.0, "ssim": 0.9, "ms_per_megapixel": 1.0}], '
        '"unreadable": 1, "model": "m", "device": "cpu"}'
    ),
    "EmbedderScores": (
        '{"first": "a", "second": "b", "faces": 10, "of": 20, "named": 4, "people": 2, "waiting": 6, '
        '"rand": 0.3333, "nearest_same": 0.5, "person_same": 1.0, "right": [0.6667, null], "rand_people": [null, '
        '0.25], "groups": [3, 5], "questions": [[1, 2, 3, true]], "pairs": [[4, 5, false]]}'
    ),
}


@pytest.mark.parametrize("scores", [FACES, CHARACTERS, DUPLICATES, TAGS, UPSCALE, EMBEDDERS])
def test_scores_are_written_under_the_same_names_in_the_same_order(scores: Scores) -> None:
    assert json.dumps(scores.as_json()) == EXPECTED[type(scores).__name__]


@pytest.mark.parametrize("scores", [FACES, CHARACTERS, TAGS, UPSCALE])
def test_scores_give_the_mistakes_that_they_hold(scores: Scores) -> None:
    assert list(scores.mistakes()) == [MISTAKE]


def test_mistakes_of_duplicates_are_their_pairs_and_embedders_have_none() -> None:
    assert [mistake.words for mistake in DUPLICATES.mistakes()] == [
        "not found: a.png and b.png, 0.123", "taken for a copy: c and d, 1.000",
    ]  # fmt: skip
    assert list(EMBEDDERS.mistakes()) == []


def test_notes_are_remarks_and_then_what_could_not_be_read() -> None:
    notes = [scores.notes() for scores in (FACES, CHARACTERS, DUPLICATES, TAGS, UPSCALE, EMBEDDERS)]
    assert notes == [["note"], ["note", "bad.png"], ["bad.png"], ["note"], ["bad.png"], ["note"]]
    assert all(isinstance(lines, list) for lines in notes)
