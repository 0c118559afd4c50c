"""Groups of frames in one pose: a row is dropped only for a better one that shows the same; comparisons are bounded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ingest.algorithms.descriptors import DESCRIPTOR_SIZE
from ingest.algorithms.near_duplicates import find_groups
from ingest.algorithms.pose_groups import ROUNDS_MAX, find_pose_groups

I64 = NDArray[np.int64]
F32 = NDArray[np.float32]


def shot(count: int, seed: int = 1, change: float = 0.1) -> NDArray[np.uint8]:
    """Descriptors of one shot, at distances of about `change` squared."""
    random = np.random.default_rng(seed)
    base = random.normal(size=DESCRIPTOR_SIZE)
    noise = random.normal(size=(count, DESCRIPTOR_SIZE))
    rows = base / np.linalg.norm(base) + change * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return np.clip(np.rint(rows / np.linalg.norm(rows, axis=1, keepdims=True) * 400) + 128, 1, 255).astype(np.uint8)


class Compare:
    """Says that rows of one pose are the same, and counts the comparisons of each row."""

    def __init__(self, poses: I64) -> None:
        self.poses = poses
        self.asked = np.zeros(len(poses), np.int64)

    def __call__(self, rows: I64, others: I64, similarity: F32) -> NDArray[np.bool_]:
        np.add.at(self.asked, rows, 1)
        assert len(similarity) == len(rows)
        return np.asarray(self.poses[rows] == self.poses[others])


def test_each_pose_keeps_its_best_row_and_the_rest_point_to_it() -> None:
    random = np.random.default_rng(4)
    poses, quality = random.integers(0, 5, 60), random.permutation(60).astype(np.float32)
    compare = Compare(poses)
    groups = find_pose_groups(shot(60), quality, compare)
    for pose in range(5):
        rows = np.flatnonzero(poses == pose)
        best = rows[quality[rows].argmax()]
        assert set(groups.representative[rows].tolist()) == {int(best)}
    assert groups.is_representative.sum() == 5
    assert (groups.distance[~groups.is_representative] > 0).all()
    assert compare.asked.max() <= 5


def test_other_shots_are_never_compared() -> None:
    both = np.concatenate([shot(10, 1), shot(10, 2)])
    groups = find_pose_groups(both, np.arange(20, dtype=np.float32), Compare(np.zeros(20, np.int64)))
    assert groups.representative.tolist() == [9] * 10 + [19] * 10


def test_views_beyond_the_threshold_are_compared_too_and_join_if_they_show_the_same() -> None:
    views, quality = shot(12, change=0.3), np.arange(12, dtype=np.float32)
    assert find_groups(views, quality).is_representative.all()
    assert find_pose_groups(views, quality, Compare(np.zeros(12, np.int64))).representative.tolist() == [11] * 12
    assert find_pose_groups(views, quality, Compare(np.arange(12))).is_representative.all()


def test_pinned_rows_stay_and_come_first() -> None:
    pinned = np.arange(10) < 2
    groups = find_pose_groups(shot(10), np.arange(10, dtype=np.float32), Compare(np.zeros(10, np.int64)), pinned=pinned)
    assert set(np.flatnonzero(groups.is_representative).tolist()) == {0, 1}


def test_comparisons_are_bounded_and_what_is_left_is_decided_by_the_threshold() -> None:
    compare = Compare(np.arange(200))
    groups = find_pose_groups(shot(200), np.arange(200, dtype=np.float32), compare)
    assert compare.asked.max() == ROUNDS_MAX
    assert groups.is_representative.sum() == ROUNDS_MAX + 1
    assert not len(find_pose_groups(shot(0), np.zeros(0, np.float32), compare).representative)
