"""A collection that chose CCIP: its faces are described, grouped, named and taught from outside by it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from annotate.actions import characters, faces, model_choices, references
from annotate.backends.embed_ccip import CcipEmbedder
from annotate.models import Face, FaceCluster, ModelVersion, NamedBy, ReferencePicture
from ingest.actions import runs
from ingest.models import Collection, Episode, PipelineRun, RunState, StageRun
from ingest.pipeline import runner
from ingest.restoring import store
from tests.annotate.ccip_graphs import write_ccip
from tests.annotate.people import Looks

pytestmark = pytest.mark.django_db
RED = Looks(hair=(240, 20, 20), eyes=(200, 0, 0), collar=(240, 20, 20), skin=(255, 150, 140))
BLUE = Looks(hair=(20, 20, 240), eyes=(0, 0, 200), collar=(20, 20, 240), skin=(140, 150, 255))
Run = Callable[..., PipelineRun]


@pytest.fixture()
def ccip(collection: Collection, settings: Any) -> str:
    write_ccip(settings.KOMA_MODELS_DIR / "ccip-tiny", threshold=0.4)
    model_choices.choose(collection=collection, task="embedding", names=["ccip-tiny"], by=None)
    return "ccip-tiny"


@pytest.fixture()
def episode(make_episode: Callable[..., Episode]) -> Episode:
    return make_episode([[RED], [BLUE]] * 6)


def hair(face: Face) -> int:
    """0 for RED, 1 for BLUE."""
    return face.frame.index % 2


def test_faces_are_described_by_the_chosen_model_and_again_after_another_choice(
    collection: Collection, episode: Episode, ccip: str, run: Run
) -> None:
    run(episode, "embed")
    version = ModelVersion.objects.get(task="embedding", name=ccip)
    assert {len(bytes(face.embedding or b"")) for face in Face.objects.all()} == {1536}
    assert set(Face.objects.values_list("embedding_version", flat=True)) == {version.pk}
    assert run(episode, "embed").stages.get().counters == {}
    model_choices.choose(collection=collection, task="embedding", names=[], by=None)
    run(episode, "embed")
    assert not Face.objects.filter(embedding_version=version).exists()


def test_faces_are_described_by_the_worker_that_has_the_card_and_by_the_model_as_it_is_now(
    collection: Collection, episode: Episode, ccip: str, who_stages: None, settings: Any
) -> None:
    models: dict[str, Any] = {}  # of a process that goes on

    def describe() -> StageRun:
        begun = runs.start(collection=collection, episodes=[episode], by=None, stage_names=["embed"])
        row = begun.stages.get()
        assert runner.execute(row.pk, models=models) == RunState.DONE
        return row

    assert describe().queue == "gpu"
    first = ModelVersion.objects.get(task="embedding", name=ccip)
    folder = settings.KOMA_MODELS_DIR / ccip
    shutil.rmtree(folder)
    write_ccip(folder, threshold=0.4)
    (folder / "koma.json").write_text('{"family": "ccip", "revision": "renewed"}')
    describe()
    assert len(models) == 1
    assert not Face.objects.filter(embedding_version=first).exists()


def test_each_person_is_a_cluster_and_newcomers_join(episode: Episode, ccip: str, run: Run) -> None:
    Face.objects.filter(frame__index__gte=10).update(crop="")
    run(episode, "embed", "cluster", params={"cluster": {"ccip_method": "dbscan"}})  # eps: the threshold
    assert FaceCluster.objects.count() == 2
    for cluster in FaceCluster.objects.all():
        assert (
            len({hair(face) for face in cluster.faces.all()}) == 1
            and cluster.size == 5
            and cluster.purity == pytest.approx(5.5 / 6, abs=1e-4)
        )
    late = Face.objects.filter(frame__index__gte=10)
    for face in late:
        face.crop = Face.objects.get(frame__index=face.frame.index - 2).crop
        face.save()
    run(episode, "embed", "cluster")
    assert FaceCluster.objects.count() == 2
    assert sorted(FaceCluster.objects.values_list("size", flat=True)) == [6, 6]


def test_a_cancel_is_heard_while_faces_are_compared(
    collection: Collection, episode: Episode, ccip: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(episode, "embed")
    monkeypatch.setattr(runner, "HEARTBEAT_EVERY_S", -1)
    asked = runs.start(collection=collection, episodes=[episode], by=None, stage_names=["cluster"])
    compare = CcipEmbedder.differences

    def and_cancel(self: Any, first: Any, second: Any) -> Any:
        PipelineRun.objects.filter(pk=asked.pk).update(cancel_requested=True)
        return compare(self, first, second)

    monkeypatch.setattr(CcipEmbedder, "differences", and_cancel)
    assert runs.run_here(asked).state == RunState.CANCELLED
    assert not FaceCluster.objects.exists()


def test_one_named_face_names_the_others_of_that_person(
    collection: Collection, episode: Episode, ccip: str, run: Run
) -> None:
    run(episode, "embed", "cluster")
    anna = characters.find_or_create(collection=collection, name="Anna", by=None)
    first = Face.objects.filter(frame__index=0).get()
    faces.assign(collection=collection, faces=[first], character=anna, by=None)
    run(episode, "identify")
    named = Face.objects.filter(character=anna, named_by=NamedBy.MODEL)
    assert {hair(face) for face in named} == {0} and named.count() == 5
    assert not Face.objects.filter(frame__index=1, character__isnull=False).exists()


def test_a_folder_of_references_teaches_by_it(
    collection: Collection, episode: Episode, ccip: str, run: Run, tmp_path: Path, settings: Any
) -> None:
    run(episode, "embed")
    red = Face.objects.get(frame__index=0)
    folder = tmp_path / "cast" / "Anna"
    folder.mkdir(parents=True)
    (folder / "a.jpg").write_bytes(store().read(red.crop))
    references.add_folder(collection=collection, folder=tmp_path / "cast", by=None)
    row = ReferencePicture.objects.get()
    assert row.embedding_version is not None and row.embedding_version.name == ccip
    run(episode, "identify")
    assert {hair(face) for face in Face.objects.filter(character__name="Anna")} == {0}
    # Another embedder: the same pictures teach it without being brought again.
    model_choices.choose(collection=collection, task="embedding", names=[], by=None)
    assert run(episode, "embed").stages.get().counters == {"references": 1, "faces": 12}
    row.refresh_from_db()
    assert row.embedding_version is not None and row.embedding_version.name != ccip


def test_a_collection_that_wants_no_embedder_is_left_alone(collection: Collection, episode: Episode, run: Run) -> None:
    model_choices.choose(collection=collection, task="embedding", names=["none"], by=None)
    run(episode, "embed", "cluster", "identify")
    assert not Face.objects.filter(embedding__isnull=False).exists() and not FaceCluster.objects.exists()
