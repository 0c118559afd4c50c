"""A collection that chose CCIP: its faces are described, grouped, named and taught from outside by it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from annotate.actions import characters, faces, references
from annotate.algorithms import difference_graph
from annotate.backends.embedders.ccip import CcipEmbedder
from annotate.chosen_models import choices
from annotate.models import Face, FaceCluster, ModelVersion, NamedBy, ReferencePicture
from annotate.stages import difference_groups
from ingest.actions import runs
from ingest.models import Collection, Episode, PipelineRun, RunState, StageRun
from ingest.pipeline import claims, runner
from ingest.storage.stored_files import store
from tests.annotate.ccip_graphs import write_ccip
from tests.annotate.people import Looks

pytestmark = pytest.mark.django_db
RED = Looks(hair=(240, 20, 20), eyes=(200, 0, 0), collar=(240, 20, 20), skin=(255, 150, 140))
BLUE = Looks(hair=(20, 20, 240), eyes=(0, 0, 200), collar=(20, 20, 240), skin=(140, 150, 255))
Run = Callable[..., PipelineRun]


@pytest.fixture()
def ccip(collection: Collection, settings: Any) -> str:
    write_ccip(settings.KOMA_MODELS_DIR / "ccip-tiny", threshold=0.4)
    choices.choose(collection=collection, task="embedding", names=["ccip-tiny"], by=None)
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
    choices.choose(collection=collection, task="embedding", names=[], by=None)
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


@pytest.mark.parametrize("most", [4, 6_000])
def test_a_cancel_is_heard_while_faces_are_compared(
    collection: Collection, episode: Episode, ccip: str, run: Run, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(difference_groups, "ALL_PAIRS_MAX", most)
    run(episode, "embed")
    monkeypatch.setattr(claims, "CANCEL_EVERY_S", -1)
    started = runs.start(collection=collection, episodes=[episode], by=None, stage_names=["cluster"])
    compare, calls = CcipEmbedder.among, []

    def and_cancel(self: Any, vectors: Any) -> Any:
        PipelineRun.objects.filter(pk=started.pk).update(cancel_requested=True)
        calls.append(len(vectors))
        return compare(self, vectors)

    monkeypatch.setattr(CcipEmbedder, "among", and_cancel)
    assert runs.run_here(started).state == RunState.CANCELLED
    assert len(calls) == 1 and not FaceCluster.objects.exists()


@pytest.fixture()
def block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for very many faces: more than four people are compared with their nearest only, five a block."""
    monkeypatch.setattr(difference_groups, "ALL_PAIRS_MAX", 4)
    monkeypatch.setattr(difference_graph, "BLOCK", 5)


def members() -> list[set[int]]:
    """The faces of each cluster, by when they were found."""
    return sorted(
        ({face.frame.index for face in cluster.faces.select_related("frame")} for cluster in FaceCluster.objects.all()),
        key=min,
    )


BY_THRESHOLD: dict[str, Any] = {"params": {"cluster": {"ccip_method": "dbscan"}}}


def test_block_by_block_people_get_the_clusters_of_all_pairs_and_newcomers_join_them(
    episode: Episode, ccip: str, run: Run, block_by_block: None, settings: Any
) -> None:
    Face.objects.filter(frame__index__gte=10).update(crop="")
    done = run(episode, "embed", "cluster", **BY_THRESHOLD)
    assert members() == [{0, 2, 4, 6, 8}, {1, 3, 5, 7, 9}]
    row = done.stages.get(stage="cluster")
    assert (row.done, row.total) == (10, 10)
    assert row.counters["people_compared_with_nearest"] == 10
    assert "10 people are too many to compare each with all others (more than 4)" in row.log
    assert "of the 40 most similar ones, 40 were compared (100.0 %)." in row.log
    assert not list((settings.KOMA_DATA_DIR / "compared").iterdir())  # nothing stays when the clusters are made
    for face in Face.objects.filter(frame__index__gte=10):
        face.crop = Face.objects.get(frame__index=face.frame.index - 2).crop
        face.save()
    run(episode, "embed", "cluster", **BY_THRESHOLD)
    assert members() == [{0, 2, 4, 6, 8, 10}, {1, 3, 5, 7, 9, 11}]


class Killed(BaseException):
    """As a kill: nothing in between catches it."""


@pytest.mark.parametrize("after", [1, 2])
def test_killed_between_blocks_it_goes_on_with_those_that_are_left(
    collection: Collection, episode: Episode, ccip: str, run: Run, block_by_block: None, after: int,
    monkeypatch: pytest.MonkeyPatch, settings: Any,
) -> None:  # fmt: skip
    run(episode, "embed")
    started = runs.start(
        collection=collection, episodes=[episode], by=None, stage_names=["cluster"],
        params={"cluster": {"ccip_method": "dbscan"}},
    )  # fmt: skip
    compare = difference_groups.FaceGrouping.compare

    def dying(self: Any, number: int) -> int:
        if number == after:
            raise Killed
        return compare(self, number)

    with monkeypatch.context() as patch:
        patch.setattr(difference_groups.FaceGrouping, "compare", dying)
        with pytest.raises(Killed):
            runs.run_here(started)
    files = sorted((settings.KOMA_DATA_DIR / "compared").rglob("*.npz"))
    assert [path.name for path in files] == [f"{number:06d}.npz" for number in range(after)]
    if after == 2:
        files[0].write_bytes(files[0].read_bytes()[:200])  # torn by a power cut: made anew
    StageRun.objects.filter(run=started).update(state=RunState.QUEUED, token="")
    runner.execute(started.stages.get().pk)
    row = started.stages.get()
    assert row.state == RunState.DONE, row.error
    assert row.counters["blocks_from_before"] == 1
    assert (row.done, row.total) == (12, 12)
    assert members() == [{0, 2, 4, 6, 8, 10}, {1, 3, 5, 7, 9, 11}]


def test_faces_that_look_different_now_are_compared_anew(
    collection: Collection, episode: Episode, ccip: str, run: Run, block_by_block: None, settings: Any
) -> None:
    old = settings.KOMA_DATA_DIR / "compared" / str(collection.pk) / "another question"
    gone = settings.KOMA_DATA_DIR / "compared" / "999"
    for folder in (old, gone):
        folder.mkdir(parents=True)
        (folder / "000000.npz").write_bytes(b"no block")
    row = run(episode, "embed", "cluster", **BY_THRESHOLD).stages.get(stage="cluster")
    assert "blocks_from_before" not in row.counters
    assert not old.exists() and not gone.exists()


def test_a_folder_that_cannot_be_written_is_reported_and_stops_nothing(
    collection: Collection, episode: Episode, ccip: str, run: Run, block_by_block: None, settings: Any
) -> None:
    (settings.KOMA_DATA_DIR / "compared").mkdir(parents=True)
    (settings.KOMA_DATA_DIR / "compared" / str(collection.pk)).write_bytes(b"a file in its place")
    row = run(episode, "embed", "cluster", **BY_THRESHOLD).stages.get(stage="cluster")
    assert row.log.count("cannot be written") == 1
    assert len(members()) == 2


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
    choices.choose(collection=collection, task="embedding", names=[], by=None)
    assert run(episode, "embed").stages.get().counters == {"references": 1, "faces": 12}
    row.refresh_from_db()
    assert row.embedding_version is not None and row.embedding_version.name != ccip


def test_a_collection_that_wants_no_embedder_is_left_alone(collection: Collection, episode: Episode, run: Run) -> None:
    choices.choose(collection=collection, task="embedding", names=["none"], by=None)
    run(episode, "embed", "cluster", "identify")
    assert not Face.objects.filter(embedding__isnull=False).exists() and not FaceCluster.objects.exists()
