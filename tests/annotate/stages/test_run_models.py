"""Every kept frame is shown once to every chosen model; their raw answers stay, whatever interrupts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotate.algorithms import packing
from annotate.backends.feeding import decoding
from annotate.backends.runtime import device, onnx_session
from annotate.models import Face, ModelAnswer, ModelChoice, ModelVersion
from annotate.stages import run_models
from annotate.tagging import stored_scores
from ingest.actions import runs
from ingest.imaging import decode
from ingest.imaging.encode import PictureFormat, encode
from ingest.imaging.store import Store
from ingest.models import Collection, Episode, Frame, FrameState, PipelineRun, RunState, Source
from ingest.pipeline import registry, runner
from tests.annotate.face_graph import picture_with, write_graph
from tests.annotate.onnx_graphs import write_yolo
from tests.annotate.picture_nets import write_tagger

pytestmark = pytest.mark.django_db
FRAMES = 9


@pytest.fixture(autouse=True)
def only_look(settings: Any) -> Iterator[None]:
    settings.PIPELINE_STAGES = ["annotate.stages.run_models.RunModels"]
    registry.stages.cache_clear()
    yield
    registry.stages.cache_clear()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("reader")]


@pytest.fixture()
def store(settings: Any) -> Store:
    return Store(settings.KOMA_DATA_DIR / "store")


@pytest.fixture()
def models(settings: Any) -> Path:
    folder: Path = settings.KOMA_MODELS_DIR
    return folder


@pytest.fixture()
def episode(collection: Collection, store: Store) -> Episode:
    """Frames of one colour: red falls, green rises with the index, blue is 51."""
    source = Source.objects.create(collection=collection, kind="video", name="a.mkv", path="a.mkv", sha256="a" * 64)
    created = Episode.objects.create(collection=collection, source=source, title="a")
    for index in range(FRAMES):
        picture = np.tile(np.array([[[255 - 10 * index, 10 * index, 51]]], np.uint8), (6, 6, 1))
        file = store.put(encode(picture, PictureFormat("png")), "png")
        Frame.objects.create(collection=collection, episode=created, index=index, width=6, height=6, file=file)
    return created


def run(episode: Episode, **params: Any) -> PipelineRun:
    return runs.run_here(
        runs.start(collection=episode.collection, episodes=[episode], by=None, params={"run_models": params})
    )


def rows() -> list[tuple[str, int, bytes]]:
    names = ("model_version__name", "frame__index", "data")
    return sorted((name, index, bytes(data)) for name, index, data in ModelAnswer.objects.values_list(*names))


def scores(name: str) -> dict[int, list[float]]:
    scored_version = stored_scores.stored_version(ModelVersion.objects.get(name=name))
    return {
        row.frame.index: [round(float(score), 3) for score in scored_version.unpack(bytes(row.data))]
        for row in ModelAnswer.objects.filter(model_version=scored_version.version).select_related("frame")
    }


def test_without_models_it_does_nothing(episode: Episode) -> None:
    done = run(episode)
    assert done.state == RunState.DONE
    assert done.stages.get().counters == {}


def test_every_kept_frame_gets_the_raw_scores_of_the_collections_tagger(episode: Episode, models: Path) -> None:
    write_tagger(models / "one")
    Frame.objects.filter(index=3).update(state=FrameState.DROPPED)
    done = run(episode)
    stage = done.stages.get()
    assert done.state == RunState.DONE, stage.error
    assert stage.device.startswith("CPU")
    assert stage.counters == {"frames": FRAMES - 1, "answers": FRAMES - 1}
    result = scores("one")
    assert sorted(result) == [0, 1, 2, 4, 5, 6, 7, 8]
    assert result[5] == pytest.approx([51 / 255, 50 / 255, 205 / 255], abs=2e-3)  # blue first, as the graph wants it
    assert {"decode", "wait", "copy", "compute"} <= set(stage.timings)


def test_a_second_run_asks_nobody_and_opens_no_model(episode: Episode, models: Path) -> None:
    write_tagger(models / "one")
    run(episode)
    before = rows()
    opened: dict[str, Any] = {}
    again = runs.start(collection=episode.collection, episodes=[episode], by=None)
    runner.execute(again.stages.get().pk, models=opened)
    assert again.stages.get().counters == {}
    assert opened == {}
    assert rows() == before


def test_detectors_are_not_opened_either_where_nothing_is_left_to_ask(episode: Episode, models: Path) -> None:
    answer = np.array([[320, 320, 128, 320, 0.9]], np.float32).T
    write_yolo(models / "head_detect_v1", answer, names="{0: 'head'}")
    ModelChoice.objects.create(collection=episode.collection, task="boxes", name="head_detect_v1")
    run(episode)
    before = rows()
    assert len(before) == FRAMES
    opened: dict[str, Any] = {}
    again = runs.start(collection=episode.collection, episodes=[episode], by=None)
    runner.execute(again.stages.get().pk, models=opened)
    assert again.stages.get().state == RunState.DONE
    assert opened == {}
    Frame.objects.filter(index=0).get().model_answers.all().delete()
    runner.execute(
        runs.start(collection=episode.collection, episodes=[episode], by=None).stages.get().pk, models=opened
    )
    assert any("head_detect_v1" in key for key in opened)
    assert rows() == before
    # Other weights under the same name are another version, which has seen nothing yet.
    write_yolo(models / "head_detect_v1", answer * np.float32(0.99), names="{0: 'head'}")
    run(episode)
    assert len(rows()) == 2 * FRAMES


def test_further_models_are_asked_beside_the_chosen_one_with_one_decode_a_frame(
    episode: Episode, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tagger(models / "one")
    write_tagger(models / "two", turned=True)
    decoded: list[str] = []
    real = decode.read_picture

    def counted(data: bytes, *, name: str) -> Any:
        decoded.append(name)
        return real(data, name=name)

    monkeypatch.setattr(decoding, "read_picture", counted)
    Frame.objects.filter(index__lt=4).update(state=FrameState.DROPPED)
    assert run(episode).stages.get().counters == {"frames": 5, "answers": 5}
    assert len(decoded) == 5
    Frame.objects.update(state=FrameState.KEPT)
    decoded.clear()
    assert run(episode, also="two").stages.get().counters == {"frames": FRAMES, "answers": 4 + FRAMES}
    assert sorted(decoded) == sorted(f"frame {index}" for index in range(FRAMES))
    first, second = scores("one"), scores("two")
    for index in range(FRAMES):
        assert np.add(first[index], second[index]) == pytest.approx(1, abs=3e-3)


def test_the_collections_choice_is_followed(episode: Episode, models: Path) -> None:
    write_tagger(models / "one")
    write_tagger(models / "two")
    ModelChoice.objects.create(collection=episode.collection, task="tags", name="two")
    run(episode)
    assert {name for name, _, _ in rows()} == {"two"}
    ModelChoice.objects.update(name="none")
    ModelAnswer.objects.all().delete()
    assert run(episode).state == RunState.DONE
    assert rows() == []


def test_boxes_are_kept_as_shares_of_the_picture(episode: Episode, models: Path) -> None:
    # One box of 320 x 320 in the middle of 640 x 640, in the form of YOLOv8: centre, size, score.
    answer = np.array([[320], [320], [320], [320], [0.9]], np.float32)
    write_yolo(models / "head_detect_v2.0_s", answer, names="{0: 'head'}")
    done = run(episode, models="head_detect_v2.0_s")
    assert done.state == RunState.DONE, done.stages.get().error
    assert ModelAnswer.objects.count() == FRAMES
    boxes, result, labels = packing.unpack_boxes(bytes(ModelAnswer.objects.get(frame__index=0).data))
    assert boxes[0].tolist() == pytest.approx([0.25, 0.25, 0.75, 0.75], abs=0.2)
    assert result.tolist() == pytest.approx([0.9], abs=1e-3)
    assert labels.tolist() == [0]


def test_a_broken_picture_is_reported_by_name_and_the_others_are_answered(
    episode: Episode, models: Path, store: Store
) -> None:
    write_tagger(models / "one")
    Frame.objects.filter(index=2).update(file=store.put(b"no picture", "png"))
    gone = Frame.objects.get(index=6)
    store.remove(gone.file)
    done = run(episode)
    stage = done.stages.get()
    assert done.state == RunState.DONE, stage.error
    assert stage.counters == {"frames": FRAMES - 2, "answers": FRAMES - 2, "unreadable": 2}
    assert "frame 2" in stage.log
    assert "frame 6" in stage.log


def test_a_model_that_breaks_fails_the_stage_with_its_words(episode: Episode, models: Path) -> None:
    write_tagger(models / "one")
    (models / "one" / "model.onnx").write_bytes(b"cut off")
    done = run(episode)
    assert done.state == RunState.FAILED
    assert "cannot load this weights file" in done.stages.get().error


def test_an_unknown_model_is_refused_with_those_that_are_there(episode: Episode, models: Path) -> None:
    write_tagger(models / "one")
    done = run(episode, also="three")
    assert "no model 'three'" in done.stages.get().error
    assert "one" in done.stages.get().error


def test_a_chosen_model_that_was_removed_stops_only_where_it_never_answered(episode: Episode, models: Path) -> None:
    write_tagger(models / "one")
    ModelChoice.objects.create(collection=episode.collection, task="tags", name="one")
    (models / "one").rename(models / ".away")
    assert "no model 'one'" in run(episode).stages.get().error
    (models / ".away").rename(models / "one")
    run(episode)
    before = rows()
    (models / "one").rename(models / ".away")
    done = run(episode)
    assert done.state == RunState.DONE
    assert rows() == before


def test_a_model_that_was_installed_anew_is_opened_anew_by_a_process_that_knows_the_old_one(
    episode: Episode, models: Path
) -> None:
    write_tagger(models / "one")
    opened: dict[str, Any] = {}
    first = runs.start(collection=episode.collection, episodes=[episode], by=None)
    runner.execute(first.stages.get().pk, models=opened)
    write_tagger(models / "one", turned=True)
    second = runs.start(collection=episode.collection, episodes=[episode], by=None)
    runner.execute(second.stages.get().pk, models=opened)
    old, new = ModelVersion.objects.filter(name="one").order_by("pk")
    for frame in Frame.objects.all():
        tags = stored_scores.load([old, new], [frame.pk])
        single, two = (packing.unpack_classes(tags[version.pk][frame.pk]) for version in (old, new))
        assert single + two == pytest.approx(1, abs=3e-3)


def test_cuda_is_refused_with_a_message_where_it_does_not_start(episode: Episode, models: Path) -> None:
    write_tagger(models / "one")
    done = run(episode, device="cuda")
    if done.state == RunState.DONE:
        pytest.skip("CUDA starts here")
    assert "device=cuda, but CUDA" in done.stages.get().error
    assert rows() == []


def test_a_cancelled_run_keeps_what_was_written_and_resumes_to_the_same_rows(
    episode: Episode, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tagger(models / "one")
    run(episode)
    complete = rows()
    ModelAnswer.objects.all().delete()
    monkeypatch.setattr(run_models, "BATCH", 2)
    started = runs.start(collection=episode.collection, episodes=[episode], by=None)
    real = run_models.RunModels.work

    def cancelling(stage: run_models.RunModels, batch: Any) -> Any:
        runs.cancel(started, by=None)
        return real(stage, batch)

    monkeypatch.setattr(run_models.RunModels, "work", cancelling)
    assert runs.run_here(started).state == RunState.CANCELLED
    assert len(rows()) == 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("reader")]
    monkeypatch.setattr(run_models.RunModels, "work", real)
    assert runs.run_here(runs.resume(started, by=None)).state == RunState.DONE
    assert rows() == complete


def pretend_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    real = onnx_session.open_session

    def as_if_on_gpu(*args: Any, **values: Any) -> onnx_session.Opened:
        return replace(real(*args, **values), on_gpu=True)

    monkeypatch.setattr(onnx_session, "open_session", as_if_on_gpu)
    monkeypatch.setattr(
        onnx_session, "open_beside", lambda graph, _: onnx_session._session(graph, threads=1, cuda=False)
    )
    monkeypatch.setattr(device, "GPU", "cpu")


def test_frames_for_a_gpu_are_read_by_processes_and_the_rows_are_the_same_as_by_threads(
    episode: Episode, models: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way over a GPU, on the processor: all but the device itself."""
    write_tagger(models / "one")
    Frame.objects.filter(index=2).update(file=store.put(b"no picture", "png"))
    Frame.objects.filter(index=4).update(file="../../etc/passwd")
    first = run(episode).stages.get()
    by_threads = rows()
    ModelAnswer.objects.all().delete()
    pretend_a_gpu(monkeypatch)
    opened: dict[str, Any] = {}
    again = runs.start(collection=episode.collection, episodes=[episode], by=None)
    try:
        assert runner.execute(again.stages.get().pk, models=opened) == RunState.DONE
        assert opened[run_models.PROCESSES]._all
    finally:
        opened[run_models.PROCESSES].close()
    assert rows() == by_threads
    assert len(by_threads) == FRAMES - 2
    for stage in (first, again.stages.get()):
        assert stage.counters["unreadable"] == 2
        assert "frame 2: this is not a picture" in stage.log
        assert "frame 4 " in stage.log


def test_a_model_that_cannot_have_its_pictures_from_another_process_is_named_in_the_log(
    episode: Episode, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tagger(models / "one")
    pretend_a_gpu(monkeypatch)
    monkeypatch.setattr(run_models, "fits_apart", lambda model: False)
    stage = run(episode).stages.get()
    assert stage.counters["answers"] == FRAMES
    assert "since one cannot take them from another one" in stage.log


def test_a_frame_that_was_deleted_meanwhile_stops_nothing(
    episode: Episode, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tagger(models / "one")
    real = run_models.RunModels.work

    def deleting(stage: run_models.RunModels, batch: Any) -> Any:
        Frame.objects.filter(index=1).delete()
        return real(stage, batch)

    monkeypatch.setattr(run_models.RunModels, "work", deleting)
    assert run(episode).state == RunState.DONE
    assert len(rows()) == FRAMES - 1


def test_face_detectors_look_beside_others_and_change_no_face(episode: Episode, models: Path, store: Store) -> None:
    frame = episode.frames.get(index=0)
    frame.file = store.put(encode(picture_with((2, 3)), PictureFormat("png")), "png")
    frame.save()
    write_graph(models)
    assert run(episode, also="tiny, builtin").state == RunState.DONE
    boxes, stored, _ = packing.unpack_boxes(
        bytes(ModelAnswer.objects.get(model_version__name="tiny", frame=frame).data)
    )
    assert boxes[0] == pytest.approx([16 / 64, 24 / 48, 24 / 64, 32 / 48], abs=1e-4) and len(stored) == 1
    result = ModelAnswer.objects.filter(model_version__task="faces")
    assert result.values("model_version").distinct().count() == 2 and result.count() == 2 * FRAMES
    assert not Face.objects.exists()
