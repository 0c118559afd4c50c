"""OPTICS of ours gives what scikit-learn's gives, on all pairs and on sparse ones, and can be stopped."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array

from annotate.algorithms.optics import TELL_EVERY, optics


@pytest.mark.parametrize("seed", range(12))
def test_groups_are_those_of_scikit_learn_dense_and_sparse(seed: int) -> None:
    from sklearn.cluster import OPTICS  # a second of processor time, in each process that collects tests

    dice = np.random.default_rng(seed)
    count, wide = int(dice.integers(6, 120)), int(dice.integers(1, 5))
    points = dice.normal(size=(count, wide)) + 6 * dice.integers(0, 4, size=(count, 1))
    if seed % 3 == 0:
        points = points.round()  # many equal differences
    square = np.abs(points[:, None] - points[None]).mean(axis=2).astype(np.float32)
    for eps in (0.3, 1.0, np.inf):
        first, second = np.nonzero((square <= eps) & ~np.eye(count, dtype=bool))
        sparse = csr_array((square[first, second], (first, second)), shape=square.shape)
        for minimum in (2, 5):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                reference = OPTICS(max_eps=eps, min_samples=minimum, metric="precomputed").fit_predict(square)
            assert optics(square, eps=eps, min_samples=minimum).tolist() == reference.tolist()
            assert optics(sparse, eps=eps, min_samples=minimum).tolist() == reference.tolist()


def test_it_tells_that_it_lives_and_can_be_stopped() -> None:
    square = np.ones((3 * TELL_EVERY, 3 * TELL_EVERY), np.float32) - np.eye(3 * TELL_EVERY, dtype=np.float32)
    reports = []

    def tell() -> None:
        reports.append(1)
        if len(reports) == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        optics(square, eps=2.0, min_samples=2, on_progress=tell)
    assert len(reports) == 2
