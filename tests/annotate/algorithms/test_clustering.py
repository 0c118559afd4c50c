"""Clusters: pure, complete, deterministic; joining; two faces of one picture."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.algorithms import clustering as c


def crowd(people, each, *, size=60, seed=0, spread=0.03):
    random = np.random.default_rng(seed)
    middles = random.random((people, size)) * 0.9
    truth = random.permutation(np.repeat(np.arange(people), each))
    return (middles[truth] + random.normal(0, spread, (len(truth), size))).astype(np.float32), truth


def test_people_who_differ_get_a_cluster_each():
    features, truth = crowd(12, 30)
    points = c.learn_projection(features).apply(features)
    found = c.cluster(points)
    assert len(found.size) == 12
    assert found.size.tolist() == [30] * 12
    for label in range(12):
        assert len(set(truth[found.label == label])) == 1
    assert (found.purity > 0.3).all()


def test_the_same_faces_give_the_same_clusters_and_blocks_do_not_matter():
    features, _ = crowd(40, 60)
    projection = c.learn_projection(features)
    points = projection.apply(features)
    in_parts = np.concatenate([projection.apply(features[start : start + 7]) for start in range(0, len(features), 7)])
    again = c.learn_projection(features).apply(features)
    assert np.allclose(points, in_parts, atol=1e-5)
    assert np.array_equal(points, again)
    assert np.array_equal(c.cluster(points).label, c.cluster(again).label)


@given(st.integers(0, 60), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_every_face_is_in_exactly_one_cluster(count, seed):
    points = np.random.default_rng(seed).normal(0, 0.4, (count, 5)).astype(np.float32)
    found = c.cluster(points)
    assert len(found.label) == count
    assert np.array_equal(np.bincount(found.label, minlength=len(found.size)), found.size)
    assert (np.diff(found.size) <= 0).all()
    assert ((found.purity >= 0) & (found.purity <= 1)).all()


def test_two_faces_of_one_picture_make_a_cluster_doubtful():
    features, _ = crowd(1, 20)
    points = c.learn_projection(features).apply(features)
    apart = np.arange(20)
    alone = c.cluster(points, apart=apart).purity[0]
    apart[1::2] = apart[::2]
    assert c.cluster(points, apart=apart).purity[0] < 0.1 < alone


def test_new_faces_join_where_they_belong_and_strangers_join_nobody():
    features, truth = crowd(6, 20)
    points = c.learn_projection(features).apply(features)
    old = truth < 4
    owner = truth[old]
    places = c.join(points, points[old], owner)
    assert np.array_equal(places[old], truth[old])
    assert (places[~old] == c.NOBODY).all()
    assert (c.join(points, points[:0], truth[:0]) == c.NOBODY).all()


def test_many_leaders_are_thinned_out_instead_of_filling_the_memory(monkeypatch):
    monkeypatch.setattr(c, "LEADERS_MAX", 20)
    points = np.random.default_rng(3).normal(0, 3, (300, 4)).astype(np.float32)
    assert c.cluster(points).size.sum() == 300
