"""CCIP's interface on tiny graphs: what is fed, how vectors are compared, what its files may say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from annotate.backends.embedders.ccip import CcipEmbedder
from annotate.backends.embedders.known_embedders import DifferenceEmbedder, open_embedder, packed, unpack_of
from annotate.backends.model_files import registry
from ingest.errors import BadInput
from tests.annotate.ccip_graphs import write_ccip


@pytest.fixture()
def model(tmp_path: Path) -> CcipEmbedder:
    return CcipEmbedder(write_ccip(tmp_path / "ccip-tiny"), device="cpu")


def test_pictures_are_stretched_and_normalised_as_clip_wants_it(model: CcipEmbedder) -> None:
    picture = np.zeros((50, 100, 3), np.uint8)
    picture[:] = (255, 51, 0)
    assert model.fit(picture).shape == (384, 384, 3)
    vector = model.embed([picture])[0]
    expected = [(1.0 - 0.48145466) / 0.26862954, (0.2 - 0.4578275) / 0.26130258, (0.0 - 0.40821073) / 0.27577711]
    assert vector.shape == (768,)
    assert vector[:3] == pytest.approx(expected, abs=1e-3)
    assert (vector.reshape(-1, 3) == vector[:3]).all()


def test_bilinear_mixes_neighbours(model: CcipEmbedder) -> None:
    # Two pixels, black and white, stretched to 384: Pillow's bilinear ramps linearly between their middles.
    picture = np.zeros((1, 2, 3), np.uint8)
    picture[0, 1] = 255
    row = model.fit(picture)[0, :, 0].astype(int)
    assert row[0] == 0 and row[-1] == 255 and abs(row[191] + row[192] - 255) <= 1 and (np.diff(row) >= 0).all()
    assert row[144] == pytest.approx(255 * (144.5 - 96) / 192, abs=1)


def test_differences_are_the_block_across_two_lists(model: CcipEmbedder) -> None:
    first = np.repeat(np.array([[0.0], [1.0]], np.float32), 768, axis=1)
    second = np.repeat(np.array([[0.25], [1.0], [3.0]], np.float32), 768, axis=1)
    assert model.differences(first, second).tolist() == [[0.25, 1.0, 3.0], [0.75, 0.0, 2.0]]


def test_long_lists_go_through_in_blocks_with_the_same_answer(model: CcipEmbedder) -> None:
    values = np.linspace(0, 1, 140, dtype=np.float32)
    vectors = np.repeat(values[:, None], 768, axis=1)
    result = model.differences(vectors, vectors[:130])
    assert np.abs(result - np.abs(values[:, None] - values[None, :130])).max() < 1e-4


def test_vectors_come_back_from_their_bytes(model: CcipEmbedder) -> None:
    vectors = np.random.default_rng(0).normal(size=(3, 768)).astype(np.float32)
    stored = [packed(model, vector) for vector in vectors]
    assert len(stored[0]) == 1536
    assert np.abs(unpack_of(model)(stored) - vectors).max() < 0.003
    with pytest.raises(ValueError, match="7 bytes"):
        model.unpack([b"1234567"])


def test_threshold_and_clusterings_come_from_the_models_files(tmp_path: Path) -> None:
    folder = write_ccip(tmp_path / "m", threshold=0.19)
    (folder / "cluster.json").write_text(json.dumps({"optics": {"eps": 0.2, "min_samples": 4}, "dbscan": {"eps": 9}}))
    model = CcipEmbedder(folder, device="cpu")
    assert model.threshold == 0.19 and isinstance(model, DifferenceEmbedder)
    ways = {name: (item.method, item.eps, item.min_samples) for name, item in model.clusterings.items()}
    assert ways == {
        "optics": ("optics", 0.5, 5), "dbscan": ("dbscan", 0.19, 2), "dbscan_2": ("dbscan", 0.12921, 2),
        "dbscan_free": ("dbscan", 0.12912, 2), "optics_best": ("optics", 0.2, 4),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "threshold"),
    [("ccip-caformer-24-randaug-pruned", 0.178475), ("ccip-caformer-6-randaug-pruned_fp32", 0.195122),
     ("ccip-caformer-5_fp32", 0.183973), ("other", 0.178475)],
)  # fmt: skip
def test_without_its_file_the_threshold_is_the_published_one(tmp_path: Path, name: str, threshold: float) -> None:
    assert CcipEmbedder(write_ccip(tmp_path / name, threshold=None), device="cpu").threshold == threshold


@pytest.mark.parametrize("text", ["{", '{"threshold": "x"}', '{"threshold": -1}', '{"threshold": NaN}', "[" * 5000])
def test_a_threshold_that_is_none_is_refused_with_a_message(tmp_path: Path, text: str) -> None:
    (write_ccip(tmp_path / "m") / "metrics.json").write_text(text)
    with pytest.raises(BadInput, match=r"metrics\.json"):
        CcipEmbedder(tmp_path / "m", device="cpu")


def test_files_that_are_missing_or_change_places_are_refused_with_a_message(tmp_path: Path) -> None:
    folder = write_ccip(tmp_path / "m")
    (folder / "model_feat.onnx").rename(folder / "x")
    (folder / "model_metrics.onnx").rename(folder / "model_feat.onnx")
    with pytest.raises(BadInput, match="is missing"):
        CcipEmbedder(folder, device="cpu")
    (folder / "x").rename(folder / "model_metrics.onnx")
    with pytest.raises(BadInput, match="not part of CCIP"):
        CcipEmbedder(folder, device="cpu")


def test_it_is_found_by_its_files_and_opened_by_its_name(tmp_path: Path) -> None:
    write_ccip(tmp_path / "ccip-tiny")
    assert [(installed_model.name, installed_model.task) for installed_model in registry.installed(tmp_path)] == [
        ("ccip-tiny", "embedding")
    ]
    assert isinstance(open_embedder("ccip-tiny", tmp_path, device="cpu"), CcipEmbedder)
