"""Groups from differences, on numbers on a line whose difference is their gap."""

from __future__ import annotations

import numpy as np
import pytest

from annotate.algorithms.difference_clustering import (
    DEFAULTS,
    NOBODY,
    Clustering,
    across_of,
    clusters_of,
    filtered,
    group,
    likeness,
    matched,
    merge_vectors,
    merged,
    nearest,
    square_of,
)

NEAR = Clustering("dbscan", 0.11, 2)


def gaps(first, second):
    return np.abs(first[:, :1] - second[None, :, 0]).astype(np.float32)


def line(*values):
    return np.array(values, np.float32)[:, None]


def test_the_square_is_the_same_in_blocks_and_at_once() -> None:
    points = np.random.default_rng(0).random((300, 1)).astype(np.float32)
    square = square_of(points, gaps)
    assert np.array_equal(square, gaps(points, points))
    assert np.array_equal(across_of(points, points[:200], gaps), square[:, :200])


def test_the_defaults_are_the_published_ones() -> None:
    result = {name: (item.method, item.eps, item.min_samples) for name, item in DEFAULTS.items()}
    assert result == {
        "optics": ("optics", 0.5, 5), "dbscan": ("dbscan", 0.178475, 2), "dbscan_2": ("dbscan", 0.12921, 2),
        "dbscan_free": ("dbscan", 0.12912, 2), "optics_best": ("optics", 0.18365, 5),
    }  # fmt: skip


@pytest.mark.parametrize("way", [Clustering("dbscan", 0.11, 2), Clustering("optics", 0.5, 3)])
def test_two_heaps_and_a_loner_are_two_groups_and_noise(way: Clustering) -> None:
    points = line(0.0, 0.02, 0.04, 0.06, 5.0, 5.02, 5.04, 5.06, 50.0)
    label = clusters_of(square_of(points, gaps), way)
    assert len(set(label[:4])) == 1 and len(set(label[4:8])) == 1 and label[0] != label[4]
    assert NOBODY not in label[:8] and label[8] == NOBODY


def test_too_few_points_are_noise_and_an_unknown_way_is_refused() -> None:
    assert clusters_of(np.zeros((1, 1), np.float32), DEFAULTS["dbscan"]).tolist() == [NOBODY]
    assert clusters_of(np.zeros((3, 3), np.float32), DEFAULTS["optics"]).tolist() == [NOBODY] * 3
    with pytest.raises(ValueError, match="kmeans"):
        clusters_of(np.zeros((9, 9), np.float32), Clustering("kmeans", 1, 2))


def test_a_newcomer_joins_the_nearest_group_if_enough_of_it_is_the_same_person() -> None:
    members, owner = line(0.0, 0.1, 0.2, 0.9, 1.0), np.array([0, 0, 0, 1, 1])
    # 0.25: gaps .25 .15 .05, two of three within 0.2 -> joins; 0.45: .45 .35 .25 -> mean nearest 0, none within.
    result = matched(gaps(line(0.25, 0.45, 0.95), members), owner, threshold=0.2)
    assert result.tolist() == [0, NOBODY, 1]


def test_a_share_of_just_six_tenths_or_twenty_members_are_enough() -> None:
    three_of_five = np.array([[0.1, 0.1, 0.1, 0.9, 0.9]], np.float32)
    assert matched(three_of_five, np.zeros(5, np.int64), threshold=0.1).tolist() == [0]
    many = np.full((2, 100), 0.9, np.float32)
    many[0, :20], many[1, :19] = 0.1, 0.1
    assert matched(many, np.zeros(100, np.int64), threshold=0.1).tolist() == [0, NOBODY]


def test_groups_of_one_person_are_joined_also_the_very_first() -> None:
    points = line(0.0, 0.0, 0.1, 0.1, 3.0)
    label = np.array([0, 0, 1, 1, 2])
    assert merged(square_of(points, gaps), label, threshold=0.15).tolist() == [0, 0, 0, 0, 2]
    assert merged(square_of(points, gaps), label, threshold=0.05).tolist() == label.tolist()


def test_joining_goes_on_until_nothing_changes() -> None:
    points = line(0.0, 0.1, 0.2)
    assert merged(square_of(points, gaps), np.array([0, 1, 2]), threshold=0.2).tolist() == [0, 0, 0]


def test_a_member_unlike_most_of_its_group_is_taken_out() -> None:
    points = line(0.0, 0.01, 0.02, 0.9)
    assert filtered(square_of(points, gaps), np.zeros(4, np.int64), threshold=0.1).tolist() == [0, 0, 0, NOBODY]


def test_people_are_groups_and_strangers_are_in_none() -> None:
    points = line(*[0.0, 0.01, 0.02, 5.0, 5.01, 5.02] * 20, 99.0)
    label = group(points, gaps, NEAR, threshold=0.1)
    assert len(set(label[points[:, 0] < 1])) == 1 and len(set(label[(points[:, 0] > 1) & (points[:, 0] < 9)])) == 1
    assert label[0] != label[3] and label[-1] == NOBODY and set(label) == {NOBODY, 0, 1}
    assert group(points[:0], gaps, NEAR, threshold=0.1).tolist() == []


def joined_step_by_step(square, label, threshold, share):
    """The rule as it is written: all pairs of groups are counted anew after each joining."""
    label = label.copy()
    while True:
        groups = [int(item) for item in np.unique(label[label != NOBODY])]
        best, which = -1.0, None
        for index, first in enumerate(groups):
            for second in groups[index + 1 :]:
                part = float((square[np.ix_(label == first, label == second)] <= threshold).mean())
                if part > best:
                    best, which = part, (first, second)
        if which is None or best < share:
            return label
        label[label == which[1]] = which[0]


@pytest.mark.parametrize("seed", range(8))
def test_joining_by_sums_is_joining_by_counting_anew(seed: int) -> None:
    dice = np.random.default_rng(seed)
    points = dice.random((60, 1)).astype(np.float32) * 3
    label = dice.integers(-1, 9, 60) if seed % 2 else (points[:, 0] * 4).astype(int) - 1
    square = square_of(points, gaps)
    for threshold, share in ((0.3, 0.5), (0.6, 0.85), (1.0, 0.3)):
        expected = joined_step_by_step(square, label, threshold, share)
        assert merged(square, label, threshold=threshold, share=share).tolist() == expected.tolist()


def test_the_nearest_known_face_names_and_at_the_threshold_it_is_even() -> None:
    known, owner = line(0.0, 0.3, 1.0), np.array([0, 0, 1])
    smallest = nearest(gaps(line(0.31, 0.5, 0.65, 3.0), known), owner, people=2)
    assert smallest[0].tolist() == pytest.approx([0.01, 0.69]) and smallest[2].tolist() == pytest.approx([0.35, 0.35])
    sure = likeness(smallest, threshold=0.2)
    assert sure[0, 0] > 0.95 and sure[0, 1] < 0.01
    assert sure[1, 0] == pytest.approx(0.5, abs=0.01)  # 0.2 off: just the threshold, the other one far
    assert sure[2].max() < 0.3 and sure[3].max() < 0.01
    assert likeness(nearest(np.zeros((1, 0), np.float32), np.zeros(0, np.int64), people=1), threshold=0.2)[0, 0] < 0.01


def test_a_merged_vector_is_the_mean_direction_as_long_as_the_vectors_are() -> None:
    merged_one = merge_vectors(np.array([[3.0, 0.0], [0.0, 5.0]], np.float32))
    assert merged_one.tolist() == [2.0, 2.0]  # directions (1,0), (0,1): mean (.5,.5); mean length 4
