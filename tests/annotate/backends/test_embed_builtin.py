"""The built-in embedder: crops that are cut badly still say the same, and damaged files are told."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from annotate.algorithms.face_features import cut_head
from annotate.backends.embedders.builtin import BuiltinEmbedder
from annotate.backends.model_files import weights
from demo_film.crops import random_head
from ingest.errors import BadInput


def drawn(identity, view, *, shift=0.0, grow=1.0):
    """A head crop of a drawn person whose box is off by `shift` of its width and `grow` times as large."""
    head = random_head(np.random.default_rng([identity, view]), 160, identity=identity, back_views=False, room=2.4)
    assert head.box is not None
    left, top, right, bottom = head.box
    width = right - left
    x, y, half = (left + right) / 2 + shift * width, (top + bottom) / 2 + shift * width / 2, width / 2 * grow
    return cut_head(head.picture, (x - half, y - half, x + half, y + half), side_px=128)


def test_a_badly_cut_head_is_described_nearly_as_a_well_cut_one():
    embedder = BuiltinEmbedder()
    good, off, other = embedder.embed([drawn(3, 1), drawn(3, 1, shift=0.12, grow=1.2), drawn(8, 1)])
    assert good.shape == (embedder.length,)
    assert 3 * np.linalg.norm(good - off) < np.linalg.norm(good - other)


def test_a_picture_without_a_face_and_one_that_is_not_square_are_described_too():
    vectors = BuiltinEmbedder().embed([np.full((40, 90, 3), 90, np.uint8), drawn(5, 2)[:100]])
    assert np.isfinite(vectors).all()


def test_the_answer_does_not_depend_on_the_batch_and_packing_keeps_it():
    embedder = BuiltinEmbedder()
    crops = [drawn(3, 1), drawn(8, 1), drawn(9, 4)]
    together = embedder.embed(crops)
    alone = np.concatenate([embedder.embed([crop]) for crop in crops])
    assert np.array_equal(together, alone)
    stored = [embedder.pack(row) for row in together]
    assert {len(data) for data in stored} == {embedder.length}
    assert np.abs(embedder.unpack(stored) - together).max() < 0.01
    with pytest.raises(ValueError, match="3 values"):
        embedder.unpack([b"abc"])


def test_a_mirrored_head_is_the_same_person():
    embedder = BuiltinEmbedder()
    head = drawn(3, 1)
    existing, back, other = embedder.embed([head, np.ascontiguousarray(head[:, ::-1]), drawn(8, 1)])
    assert 3 * np.linalg.norm(existing - back) < np.linalg.norm(existing - other)


@pytest.mark.parametrize("name", ["face_metric.npz", "head_place.onnx", "heads.onnx"])
def test_a_damaged_file_is_reported(tmp_path, monkeypatch, name):
    for stem in ("face_metric", "head_place", "heads"):
        for path in weights.BUILTIN.glob(f"{stem}.*"):
            shutil.copy(path, tmp_path / path.name)
    (tmp_path / name).write_bytes(b"not what it was")
    monkeypatch.setattr(weights, "BUILTIN", tmp_path)
    with pytest.raises(BadInput, match=name.replace(".", r"\.")):
        BuiltinEmbedder()
