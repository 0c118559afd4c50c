"""Faces become rows and crops; a second run changes nothing, another model changes only what no person decided."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotate.actions import boxes as box_actions
from annotate.chosen_models import choices
from annotate.models import Face, FaceState, ModelVersion, NamedBy
from annotate.stages.detect import DetectParams
from ingest.actions import runs
from ingest.errors import BadInput
from ingest.imaging.encode import PictureFormat, encode
from ingest.imaging.store import Store
from ingest.models import Collection, Episode, Frame, FrameState, PipelineRun, RunState, Source
from ingest.pipeline import registry, runner
from tests.annotate.face_graph import picture_with, write_graph
from tests.annotate.onnx_graphs import write_yolo

pytestmark = pytest.mark.django_db
SIZE = (64, 48)


@pytest.fixture(autouse=True)
def only_detect(settings: Any) -> Iterator[None]:
    settings.PIPELINE_STAGES = ["annotate.stages.detect.Detect"]
    registry.stages.cache_clear()
    yield
    registry.stages.cache_clear()


@pytest.fixture()
def store(settings: Any) -> Store:
    write_graph(settings.KOMA_MODELS_DIR)
    return Store(settings.KOMA_DATA_DIR / "store")


@pytest.fixture()
def episode(collection: Collection, store: Store) -> Episode:
    """Three frames: one face, two faces, none."""
    source = Source.objects.create(collection=collection, kind="video", name="a.mkv", path="a.mkv", sha256="a" * 64)
    episode = Episode.objects.create(collection=collection, source=source, title="a")
    for index, cells in enumerate([[(2, 3)], [(1, 1), (5, 4)], []]):
        file = store.put(encode(picture_with(*cells, size=SIZE), PictureFormat("png")), "png")
        Frame.objects.create(
            collection=collection, episode=episode, index=index, width=SIZE[0], height=SIZE[1], file=file
        )
    return episode


def run(episode: Episode, **params: Any) -> PipelineRun:
    chosen = {"detect": {"model": "tiny"} | params}
    done = runs.run_here(runs.start(collection=episode.collection, episodes=[episode], by=None, params=chosen))
    assert done.state == RunState.DONE, done.stages.get().error
    return done


def rows() -> list[tuple[Any, ...]]:
    names = ("frame__index", "left", "top", "right", "bottom", "score", "crop", "state", "character__name", "version")
    return sorted(Face.objects.values_list("pk", *names))


def test_faces_become_rows_with_relative_boxes_counts_and_crops(episode: Episode, store: Store) -> None:
    done = run(episode)
    face = Face.objects.get(frame__index=0)
    assert (face.left, face.top, face.right, face.bottom) == pytest.approx((16 / 64, 24 / 48, 24 / 64, 32 / 48))
    assert list(Frame.objects.order_by("index").values_list("face_count", flat=True)) == [1, 2, 0]
    assert all(store.exists(crop) for crop in Face.objects.values_list("crop", flat=True))
    assert done.stages.get().counters == {"frames": 3, "faces": 3}
    assert done.stages.get().device.startswith("CPU")
    assert face.model_version == ModelVersion.objects.get(task="faces", name="tiny", revision="1")


def test_a_second_run_looks_at_nothing_and_changes_nothing(episode: Episode) -> None:
    run(episode)
    before = rows()
    assert run(episode).stages.get().counters == {}
    assert rows() == before


def test_looking_again_at_a_half_done_frame_gives_the_same_rows(episode: Episode) -> None:
    run(episode)
    before = rows()
    Frame.objects.update(face_count=None)
    run(episode)
    assert rows() == before


def test_dropped_frames_and_frames_without_a_file_are_not_looked_at(episode: Episode) -> None:
    Frame.objects.filter(index=0).update(state=FrameState.DROPPED)
    Frame.objects.filter(index=1).update(file="")
    assert run(episode).stages.get().counters == {"frames": 1, "faces": 0}
    assert not Face.objects.exists()


def test_another_threshold_is_another_version_and_drops_what_it_does_not_find(episode: Episode, store: Store) -> None:
    weak = picture_with((2, 3), size=SIZE, colour=(160, 0, 0))
    Frame.objects.filter(index=0).update(file=store.put(encode(weak, PictureFormat("png")), "png"))
    run(episode)
    assert Face.objects.count() == 3
    run(episode, threshold=0.9)
    assert sorted(Face.objects.values_list("frame__index", flat=True)) == [1, 1]
    assert Frame.objects.get(index=0).face_count == 0
    assert ModelVersion.objects.filter(task="faces").count() == 2


def test_a_persons_boxes_and_denials_survive_another_model(episode: Episode, alice: Any) -> None:
    run(episode)
    collection = episode.collection
    left, right = Face.objects.filter(frame__index=1).order_by("left")
    box_actions.move(collection=collection, face=left, box=(0.1, 0.15, 0.27, 0.36), by=alice)
    box_actions.delete(collection=collection, face=right, by=alice)
    empty = Frame.objects.get(index=2)
    drawn = box_actions.draw(collection=collection, frame=empty, box=(0.5, 0.5, 0.75, 0.9), by=alice)
    run(episode, threshold=0.4)
    left.refresh_from_db()
    right.refresh_from_db()
    assert (left.left, left.bottom) == (0.1, 0.36)
    assert right.state == FaceState.NOT_A_FACE
    assert Face.objects.filter(frame__index=1).count() == 2
    assert list(Frame.objects.order_by("index").values_list("face_count", flat=True)) == [1, 1, 1]
    drawn.refresh_from_db()
    assert drawn.crop
    assert left.crop


@pytest.mark.parametrize(
    ("box", "faces"),
    [((0.1, 0.2, 0.7, 0.95), 1), ((0.27, 0.52, 0.35, 0.64), 1), ((0.35, 0.6, 0.7, 0.95), 2)],
    ids=["round it", "inside it", "beside it"],
)
def test_a_find_inside_a_persons_box_or_round_it_is_that_face(
    episode: Episode, alice: Any, box: tuple[float, float, float, float], faces: int
) -> None:
    """The face lies from 0.25 to 0.375 and from 0.5 to 0.667; the boxes overlap too little to be one by that."""
    frame = Frame.objects.get(index=0)
    box_actions.draw(collection=episode.collection, frame=frame, box=box, by=alice)
    run(episode)
    assert Face.objects.filter(frame=frame).count() == faces


def test_a_name_given_by_a_person_keeps_a_face_that_is_not_found_again(
    episode: Episode, store: Store, alice: Any
) -> None:
    run(episode)
    Face.objects.filter(frame__index=0).update(state=FaceState.NOBODY, named_by=NamedBy.PERSON, named_user=alice)
    black = picture_with(size=SIZE)
    Frame.objects.filter(index=0).update(file=store.put(encode(black, PictureFormat("png")), "png"))
    run(episode, threshold=0.6)
    assert Face.objects.get(frame__index=0).named_by == NamedBy.PERSON


def test_a_frame_whose_picture_is_gone_is_reported_and_looked_at_once_it_is_back(
    episode: Episode, store: Store
) -> None:
    frame = Frame.objects.get(index=0)
    file_bytes = store.read(frame.file)
    store.path(frame.file).unlink()
    first = run(episode).stages.get()
    assert first.counters == {"frames": 2, "faces": 2, "unreadable": 1}
    assert "frame 0 was left out" in first.log
    store.put(file_bytes, "png")
    run(episode)
    assert Face.objects.filter(frame=frame).count() == 1


def test_bad_parameters_are_refused_before_anything_runs(episode: Episode) -> None:
    with pytest.raises(ValueError, match="threshold"):
        DetectParams(threshold=1.5)
    with pytest.raises(BadInput, match="threshold"):
        run(episode, threshold=0)


def test_a_model_that_is_not_there_fails_the_stage_with_its_name(episode: Episode) -> None:
    done = runs.run_here(
        runs.start(collection=episode.collection, episodes=[episode], by=None, params={"detect": {"model": "gone"}})
    )
    assert done.state == RunState.FAILED
    assert "There is no gone.onnx" in done.stages.get().error


def test_a_collection_that_wants_no_detector_is_left_alone_and_its_choice_is_followed(
    episode: Episode, settings: Any
) -> None:
    folder = settings.KOMA_MODELS_DIR / "face_detect_tiny"
    write_yolo(folder, np.array([[320, 320, 64, 64, 0.9]] * 8, np.float32).T)  # times the red of the picture
    (folder / "koma.json").write_text('{"family": "yolo_faces", "options": {"confidence": 0.001}}')
    for name, result in (("none", set()), ("face_detect_tiny", {"face_detect_tiny"})):
        choices.choose(collection=episode.collection, task="faces", names=[name], by=None)
        Face.objects.all().delete()
        Frame.objects.update(face_count=None)
        stages = runs.run_here(runs.start(collection=episode.collection, episodes=[episode], by=None)).stages
        assert stages.get().error == "" and set(Face.objects.values_list("model_version__name", flat=True)) == result


def test_a_cascades_settings_are_another_revision(episode: Episode, test_data: Path, settings: Any) -> None:
    name = "lbpcascade_animeface"
    (settings.KOMA_MODELS_DIR / f"{name}.xml").write_bytes((test_data / "models" / f"{name}.xml").read_bytes())
    run(episode, model=name)
    run(episode, model=name, lbp_box_scale=1.5, lbp_border="clamp")
    versions = ModelVersion.objects.filter(name=name).order_by("pk").values_list("revision", flat=True)
    assert list(versions) == ["1", "1 with box_scale 1.5, border clamp"]
    with pytest.raises(ValueError, match="lbp_border"):
        DetectParams(lbp_border="pad")


def test_a_process_that_goes_on_keeps_one_detector_and_opens_it_again_for_other_files_or_settings(
    episode: Episode, settings: Any
) -> None:
    models: dict[str, Any] = {}

    def detector(**params: Any) -> Any:
        chosen = {"detect": {"model": "tiny"} | params}
        row = runs.start(collection=episode.collection, episodes=[episode], by=None, params=chosen).stages.get()
        assert runner.execute(row.pk, models=models) == RunState.DONE
        (opened,) = models.values()
        return opened[1]

    first = detector()
    assert detector() is first
    assert detector(threshold=0.9) is not first
    again = detector()
    assert again is not first
    file = settings.KOMA_MODELS_DIR / "tiny.onnx"
    file.write_bytes(file.read_bytes())
    os.utime(file, ns=(1, 1))
    assert detector() is not again
