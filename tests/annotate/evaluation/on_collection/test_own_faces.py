"""Which frames of a collection are complete truth, and a detector measured on them."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from annotate.actions import boxes, characters, checks, faces
from annotate.backends.boxes.known_detectors import open_detector
from annotate.evaluation.on_collection import faces as own
from annotate.evaluation.on_collection.progress import Silent
from annotate.models import CheckedFrame, Face
from ingest.actions import history
from ingest.errors import BadInput
from ingest.models import Collection, Frame
from tests.annotate.evaluation.on_collection.conftest import MakeFrame, cell_box

pytestmark = pytest.mark.django_db


def said(collection: Collection) -> dict[str, Any]:
    return {"collection": collection, "by": None}


def test_a_frame_that_a_person_checked_is_complete_also_without_a_face(
    collection: Collection, make_frame: MakeFrame
) -> None:
    first, empty = make_frame([(2, 3)], boxes=[(2, 3)]), make_frame([], boxes=[])
    make_frame([(1, 1)], boxes=[(1, 1)])
    assert own.complete_frames(collection) == ()
    for frame in (first, empty):
        checks.check(frame=frame, **said(collection))
    complete = own.complete(collection)
    assert (own.complete_frames(collection), complete.checked, complete.settled) == ((first.pk, empty.pk), 2, 0)
    assert (complete.faces, complete.drawn, complete.found_by) == (1, 0, (("elder", 1),))


def test_how_much_there_is_takes_two_queries_whatever_there_is(
    collection: Collection, make_frame: MakeFrame, django_assert_num_queries: Any
) -> None:
    for _ in range(5):
        checks.check(frame=make_frame([(2, 3)], boxes=[(2, 3)]), **said(collection))
    with django_assert_num_queries(2):
        complete = own.complete(collection)
    result, held = complete.words()
    assert result == "5 frames with all faces reviewed: in 5 a person marked all faces as reviewed."
    assert held.startswith("They hold 5 faces (5 first found by elder).")
    Frame.objects.filter(pk__in=own.complete_frames(collection)[1:]).delete()
    result, held = own.complete(collection).words()
    assert result.startswith("1 frame with all faces reviewed:") and held.startswith("It holds 1 face (")


def test_names_given_to_crops_make_no_frame_complete_but_a_corrected_frame_with_all_names_is(
    collection: Collection, make_frame: MakeFrame
) -> None:
    named, corrected, half = (make_frame([(2, 3)], boxes=[(2, 3), (5, 1)]) for _ in range(3))
    anna = characters.find_or_create(name="Anna", **said(collection))
    for frame in (named, corrected):
        faces.assign(faces=list(frame.faces.all()), character=anna, **said(collection))
    for frame in (corrected, half):
        boxes.draw(frame=frame, box=cell_box((6, 4)), **said(collection))
    complete = own.complete(collection)
    assert (own.complete_frames(collection), complete.settled, complete.faces, complete.drawn) == (
        (corrected.pk,),
        1,
        3,
        1,
    )
    Frame.objects.filter(pk=corrected.pk).update(state="dropped", reason="person")
    assert own.complete_frames(collection) == ()


def test_what_a_run_finds_after_the_check_is_no_truth_and_a_denied_box_neither(
    collection: Collection, make_frame: MakeFrame
) -> None:
    frame = make_frame([(2, 3)], boxes=[(2, 3), (5, 1)])
    faces.not_a_face(faces=[frame.faces.last()], **said(collection))
    checks.check(frame=frame, **said(collection))
    left, top, right, bottom = cell_box((6, 4))
    Face.objects.create(collection=collection, frame=frame, left=left, top=top, right=right, bottom=bottom)
    complete = own.complete(collection)
    assert (complete.frames, complete.faces) == (1, 1)


def test_a_check_is_undone_in_one_step_and_taken_back(collection: Collection, make_frame: MakeFrame, bob: Any) -> None:
    frame = make_frame([(2, 3)], boxes=[(2, 3)])
    checks.check(collection=collection, frame=frame, by=bob)
    assert CheckedFrame.objects.get().by == bob and frame.faces.get().box_by_person
    history.undo_last(collection=collection, by=bob)
    assert not CheckedFrame.objects.exists() and not frame.faces.get().box_by_person
    checks.check(collection=collection, frame=frame, by=bob)
    checks.check(collection=collection, frame=frame, by=bob)
    checks.uncheck(collection=collection, frame=frame, by=bob)
    assert not CheckedFrame.objects.exists() and frame.faces.get().box_by_person


def test_hits_misses_and_alarms_are_counted_on_complete_frames_and_lead_to_them(
    collection: Collection, make_frame: MakeFrame
) -> None:
    good, missing, alarm = (
        make_frame([(2, 3)], boxes=[(2, 3)]), make_frame([], boxes=[(4, 4)]), make_frame([(1, 1)], boxes=[]),
    )  # fmt: skip
    make_frame([(6, 1)], boxes=[])  # not checked: what is found there is nobody's mistake
    for frame in (good, missing, alarm):
        checks.check(frame=frame, **said(collection))
    scores = own.measure(collection, open_detector("tiny", settings.KOMA_MODELS_DIR), Silent())
    assert (scores.pictures, scores.faces, scores.hits_iou50, scores.false_positives_iou30) == (3, 2, 1, 1)
    wrong = {mistake.frame: mistake.words for mistake in scores.mistakes()}
    assert wrong == {missing.pk: "1 missed, 0 false", alarm.pk: "0 missed, 1 false"}
    assert "3 frames with all faces reviewed" in scores.notes()[0]
    assert "2 first found by elder" in scores.notes()[1]


def test_of_many_frames_an_even_sample_is_measured_and_reported(
    collection: Collection, make_frame: MakeFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "FRAMES_MAX", 2)
    for _ in range(5):
        checks.check(frame=make_frame([(2, 3)], boxes=[(2, 3)]), **said(collection))
    scores = own.measure(collection, open_detector("tiny", settings.KOMA_MODELS_DIR), Silent())
    assert scores.pictures == 2 and "sample of 2" in scores.notes()[-1]


def test_a_lost_picture_is_reported_and_no_truth_at_all_is_reported(
    collection: Collection, make_frame: MakeFrame
) -> None:
    detector = open_detector("tiny", settings.KOMA_MODELS_DIR) if make_frame([], boxes=[]) else None
    assert detector is not None
    with pytest.raises(BadInput, match="No frames with all faces reviewed yet"):
        own.measure(collection, detector, Silent())
    lost, existing = make_frame([(2, 3)], boxes=[(2, 3)]), make_frame([(2, 3)], boxes=[(2, 3)])
    Frame.objects.filter(pk=lost.pk).update(file="00/00/" + "0" * 64 + ".png")
    for frame in (lost, existing):
        checks.check(frame=frame, **said(collection))
    scores = own.measure(collection, detector, Silent())
    assert scores.pictures == 1 and "was left out" in scores.notes()[-1]


def test_the_command_measures_a_collection_by_its_name_or_number(collection: Collection, make_frame: MakeFrame) -> None:
    checks.check(frame=make_frame([(2, 3)], boxes=[(2, 3)]), **said(collection))
    out = StringIO()
    call_command(
        "evaluate", "faces", "--collection", collection.name, "--model", "tiny", "--json", stdout=out, stderr=StringIO()
    )
    output = json.loads(out.getvalue())
    assert (output["pictures"], output["faces"], output["hits_iou30"]) == (1, 1, 1)
    call_command(
        "evaluate", "faces", "--collection", str(collection.pk), "--model", "tiny", "--json",
        stdout=(by_number := StringIO()), stderr=StringIO(),
    )  # fmt: skip
    assert json.loads(by_number.getvalue())["hits_iou30"] == 1
    for more, words in ((["--collection", "Nowhere"], "There is no collection 'Nowhere'"), ([], "Give a folder or")):
        with pytest.raises(CommandError, match=words):
            call_command("evaluate", "faces", *more)
