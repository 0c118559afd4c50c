"""The learned metric: what one person's descriptions differ in counts less, the rest stays."""

from __future__ import annotations

import numpy as np
import pytest

from annotate.algorithms import metric


def heads(*, within, people=40, each=6, size=5, seed=0):
    """Descriptions [n, size] that vary within a person by `within` [size] and their people [n]."""
    random = np.random.default_rng(seed)
    names = np.repeat(np.arange(people), each)
    return (random.normal(size=(people, size))[names] + random.normal(size=(len(names), size)) * within), names


def test_the_direction_in_which_one_person_varies_is_shrunk_by_the_known_amount():
    rows, names = heads(within=np.array([0.5, 0, 0, 0, 0]))
    learned = metric.learn([(rows, names, 1.0)])
    seen = learned.apply(np.eye(5, dtype=np.float32))
    assert seen[0, 0] == pytest.approx(1 / np.sqrt(1 + 0.25 / metric.NOISE), rel=0.1)
    assert np.allclose(np.diag(seen)[1:], 1.0, atol=0.01)


def test_sources_count_by_their_share_not_by_their_size():
    many, few = (
        heads(within=np.array([0.3, 0, 0, 0, 0]), people=200),
        heads(within=np.array([0, 0.3, 0, 0, 0]), people=20),
    )
    seen = metric.learn([(*many, 0.5), (*few, 0.5)]).apply(np.eye(5, dtype=np.float32))
    assert seen[0, 0] == pytest.approx(seen[1, 1], rel=0.15)


@pytest.mark.parametrize("people", [2, 60])
def test_both_ways_to_find_directions_agree_with_the_whole_whitening(people):
    rows, names = heads(within=np.linspace(0.05, 0.4, 12), people=people, each=4, size=12)
    learned = metric.learn([(rows, names, 1.0)])
    means = np.stack([rows[names == name].mean(axis=0) for name in range(people)])
    inside = rows - means[names]
    covariance = inside.T @ inside / (len(rows) - people)
    values, vectors = np.linalg.eigh(np.eye(12) + covariance / metric.NOISE)
    complete = vectors / np.sqrt(values) @ vectors.T
    assert np.allclose(learned.apply(np.eye(12, dtype=np.float32)), complete, atol=1e-3)
