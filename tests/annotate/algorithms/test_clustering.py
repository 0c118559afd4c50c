"""Clusters: pure, complete, deterministic; joining; two faces of one picture."""

from __future__ import annotations

import numpy as np
import pytest
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
    clusters = c.cluster(points)
    assert len(clusters.size) == 12
    assert clusters.size.tolist() == [30] * 12
    for label in range(12):
        assert len(set(truth[clusters.label == label])) == 1
    assert clusters.purity == pytest.approx(30.5 / 31)  # all 30 of 30 fit to the others


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
    clusters = c.cluster(points)
    assert len(clusters.label) == count
    assert np.array_equal(np.bincount(clusters.label, minlength=len(clusters.size)), clusters.size)
    assert (np.diff(clusters.size) <= 0).all()
    assert ((clusters.purity >= 0) & (clusters.purity <= 1)).all()


@pytest.mark.parametrize(
    ("fitting", "size", "purity"),
    [(2, 2, 2.5 / 3), (10, 10, 10.5 / 11), (0, 2, 0.5 / 3), (9, 10, 9.5 / 11), (1, 1, 0), (0, 1, 0)],
)
def test_few_faces_prove_little_and_one_alone_nothing(fitting, size, purity):
    assert c.purity_of([fitting], [size])[0] == pytest.approx(purity)


def test_a_face_fits_that_would_join_the_others_of_its_cluster():
    # Two at 0 and one at 1: to the others the first two have sqrt((0 + 1) / 2) = 0.71, the third has 1.
    points = np.array([[0.0, 0], [0, 0], [1, 0]], np.float32)
    label, size = np.zeros(3, np.int64), np.array([3])
    assert c._distance_to_others(points, label, size) == pytest.approx([0.5**0.5, 0.5**0.5, 1.0])
    for merge_distance, fitting in ((0.9, 2), (1.1, 3), (0.6, 0)):
        assert c.measured(points, label, merge_distance=merge_distance)[0] == pytest.approx((fitting + 0.5) / 4)


def test_faces_of_a_track_are_one_person_whatever_they_look_like():
    points = np.array([[0.0, 0], [0, 0], [1, 0]], np.float32)
    assert c.cluster(points, track=np.zeros(3, np.int64), merge_distance=0.1).purity[0] == pytest.approx(3.5 / 4)
    # Two tracks that scatter round middles near each other, and a third that is somebody else.
    around = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]], np.float32)
    points = np.concatenate([around, around + 0.2, around + np.float32([9, 0])]).astype(np.float32)
    track, label = np.repeat([0, 1, 2], 4), np.repeat([0, 0, 1], 4)
    assert c.measured(points, label, track=track, merge_distance=0.5) == pytest.approx([8.5 / 9, 4.5 / 5])
    assert c.measured(points, label, merge_distance=0.5) == pytest.approx([0.5 / 9, 0.5 / 5])
    together = np.zeros(12, np.int64)
    assert c.measured(points, together, track=track, merge_distance=0.5)[0] == pytest.approx(0.5 / 13)


def test_two_faces_of_one_picture_make_a_cluster_doubtful():
    features, _ = crowd(1, 20)
    points = c.learn_projection(features).apply(features)
    separate = np.arange(20)
    alone = c.cluster(points, keep_apart=separate).purity[0]
    separate[1::2] = separate[::2]
    assert c.cluster(points, keep_apart=separate).purity[0] < 0.1 < alone


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
