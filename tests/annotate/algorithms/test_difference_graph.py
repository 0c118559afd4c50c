"""Groups where only near pairs are compared: on people that lie apart they are those of all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from annotate.algorithms import difference_clustering, difference_graph, near_groups
from annotate.algorithms.difference_clustering import DEFAULTS, NOBODY, square_of
from annotate.algorithms.difference_graph import BLOCK, graph_of, measure_of, neighbours_of, proof_of
from annotate.algorithms.near_vectors import By, nearest

THRESHOLD = DEFAULTS["dbscan"].eps
WAYS = sorted(DEFAULTS)


def among(vectors):
    """Half of 1 - cosine: 0 the same direction."""
    assert len(vectors) <= near_groups.LISTED
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return ((1 - unit @ unit.T) / 2).astype(np.float32)


def differences(first, second):
    return among(np.concatenate([first, second]))[: len(first), len(first) :]


def gaps(vectors):
    """The mean gap: length counts, direction does not."""
    return np.abs(vectors[:, None] - vectors[None]).mean(axis=2).astype(np.float32)


def crowd(*, seed: int, people: int, faces: int, scenes: int = 1, wide: int = 96):
    """Vectors of people who look a little different in each scene, with near copies within it, and of strangers."""
    dice = np.random.default_rng(seed)
    middles = dice.normal(size=(people, 1, wide)) + 0.4 * dice.normal(size=(people, scenes, wide))
    who, where = dice.integers(0, people, faces), dice.integers(0, scenes, faces)
    result = middles[who, where] + 0.2 * dice.normal(size=(faces, wide))
    strangers = dice.random(faces) < 0.08
    result[strangers] = dice.normal(size=(int(strangers.sum()), wide))
    return result.astype(np.float16)


def by_near_pairs(points, way: str):
    by = measure_of(points, among)
    blocks = [neighbours_of(points, slice(index, index + 300), among, by=by) for index in range(0, len(points), 300)]
    return difference_graph.group(points, graph_of(blocks), among, DEFAULTS[way], by=by, threshold=THRESHOLD)


def by_all_pairs(points, way: str):
    return difference_clustering.group(points.astype(np.float32), differences, DEFAULTS[way], threshold=THRESHOLD)


def same_groups(first, second) -> bool:
    pairs = set(zip(first.tolist(), second.tolist()))
    strangers = np.array_equal(first == NOBODY, second == NOBODY)
    return strangers and len(pairs) == len(set(first.tolist())) == len(set(second.tolist()))


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 12), st.integers(60, 700), st.sampled_from(WAYS))
def test_people_that_lie_apart_are_grouped_as_by_all_pairs(seed: int, people: int, faces: int, way: str) -> None:
    points = crowd(seed=seed, people=people, faces=faces)
    assert same_groups(by_all_pairs(points, way), by_near_pairs(points, way))


@pytest.mark.parametrize("scenes", [5, 20])  # a hundred copies a scene; more scenes than a group has neighbours
@pytest.mark.parametrize("way", WAYS)
def test_a_person_whose_every_scene_has_more_copies_than_a_face_has_neighbours_is_one_group(
    way: str, scenes: int
) -> None:
    points = crowd(seed=3, people=3, faces=1_500 if scenes == 5 else 2_400, scenes=scenes)
    exact = by_all_pairs(points, way)
    assert len(set(exact.tolist()) - {NOBODY}) == 3
    assert same_groups(exact, by_near_pairs(points, way))


def test_the_graph_holds_the_networks_own_differences_whatever_the_blocks() -> None:
    points = crowd(seed=1, people=4, faces=400)
    complete = graph_of([neighbours_of(points, slice(0, 400), among, by=By.ANGLE)])
    parts = graph_of(
        [neighbours_of(points, slice(index, index + 90), among, by=By.ANGLE) for index in range(0, 400, 90)]
    )
    assert (complete.indices == parts.indices).all() and np.abs(complete.data - parts.data).max() < 1e-6
    square = square_of(points.astype(np.float32), lambda a, b: differences(a, b))
    known = complete.tocoo()
    assert np.abs(square[known.row, known.col] - known.data).max() < 1e-6
    nearest_of_0 = set(np.argsort(square[0])[1 : difference_graph.NEIGHBOURS + 1].tolist())
    assert nearest_of_0 <= set(complete[[0]].indices.tolist())


def test_copies_are_each_others_neighbours_and_nobody_is_its_own() -> None:
    points = np.ones((120, 8), np.float16)
    neighbours = neighbours_of(points, slice(0, 120), among, by=By.ANGLE)
    assert neighbours.rows.shape == (120, difference_graph.NEIGHBOURS)
    assert not (neighbours.rows == np.arange(120)[:, None]).any()
    assert neighbours.differences.max() < 1e-6


def test_near_means_what_the_network_means_by_it() -> None:
    dice = np.random.default_rng(0)
    assert measure_of(crowd(seed=0, people=5, faces=300), among) is By.ANGLE
    lengths = (dice.random((300, 1)) * np.ones((1, 16))).astype(np.float16)  # all of one direction
    assert measure_of(lengths, gaps) is By.DISTANCE


def test_the_proof_tells_how_many_of_the_most_alike_were_compared() -> None:
    points = crowd(seed=2, people=4, faces=500)
    blocks = [neighbours_of(points, slice(0, 500), among, by=By.ANGLE)]
    proof = proof_of(points, blocks, among, threshold=THRESHOLD)
    assert proof.hits == proof.true_neighbours > 400
    wrong = difference_graph.Neighbours(np.roll(blocks[0].rows, 7, axis=0), blocks[0].differences)
    assert proof_of(points, [wrong], among, threshold=THRESHOLD).hits < 0.7 * proof.true_neighbours


@pytest.mark.parametrize("by", list(By))
def test_the_nearest_are_the_nearest_over_any_number_of_blocks(by: By, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate.algorithms.near_vectors.QUERIES", 30)
    monkeypatch.setattr("annotate.algorithms.near_vectors.STORED", 70)
    stored = np.random.default_rng(4).normal(size=(500, 24)).astype(np.float16)
    result = nearest(stored[:100], stored, 9, by=by)
    wide = stored.astype(np.float64)
    if by is By.ANGLE:
        wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    square = ((wide[:100, None] - wide[None]) ** 2).sum(axis=2)
    assert result.tolist() == np.argsort(square, axis=1)[:, :9].tolist()
    assert nearest(stored[:3], stored[:4], 9, by=by).shape == (3, 4)


def test_a_stop_is_heard_in_each_block() -> None:
    reports = []

    def tell() -> None:
        reports.append(1)
        if len(reports) > 3:
            raise InterruptedError

    points = np.ones((BLOCK * 8, 4), np.float16)
    with pytest.raises(InterruptedError):
        nearest(points[:BLOCK], points, 5, by=By.ANGLE, on_progress=tell)


@pytest.mark.parametrize("members", [39, 40])
def test_a_group_that_is_compared_whole_takes_in_who_is_the_same_person_as_twenty_of_it(members: int) -> None:
    table = np.ones((members + 1, members + 1), np.float32)
    table[members, :21] = table[:21, members] = 0.0
    points = np.arange(members + 1, dtype=np.float32)[:, None]

    def told(vectors):
        places = vectors[:, 0].astype(int)
        return table[np.ix_(places, places)]

    label = np.append(np.zeros(members, np.int64), NOBODY)
    graph = csr_array((members + 1, members + 1), dtype=np.float32)
    rows = np.array([members])
    neighbours = near_groups.matched(
        points, graph, label, rows, told, by=By.DISTANCE, threshold=THRESHOLD, on_progress=lambda: None
    )
    exact = difference_clustering.matched(table[members:, :members], label[:members], threshold=THRESHOLD)
    assert neighbours.tolist() == exact.tolist() == [0]


def test_pairs_that_are_added_from_both_sides_have_one_answer() -> None:
    graph = csr_array((np.array([0.2, 0.2], np.float32), ([0, 1], [1, 0])), shape=(4, 4))
    left_rows, other = np.array([0, 3, 1]), np.array([3, 0, 0])
    more = difference_graph._with(graph, left_rows, other, np.array([0.1, 0.3, 0.9], np.float32)).toarray()
    assert np.array_equal(more, more.T)
    assert more[0, 3] == np.float32(0.1)
    assert more[0, 1] == np.float32(0.2)


@pytest.mark.parametrize(("first", "second"), [(12, 25), (13, 20), (13, 40), (20, 20)])
def test_groups_that_reach_the_share_exactly_are_joined_both_ways(first: int, second: int) -> None:
    sizes = np.array([first, second], float)
    count = round(0.85 * first * second)
    assert count == pytest.approx(0.85 * first * second)
    part = count / (first * second) * sizes[0] * sizes[1]
    neighbours = near_groups._joined([{1: part}, {0: part}], sizes.copy(), share=0.85)
    exact = difference_clustering.joined_groups(np.array([[0.0, count], [count, 0.0]]), sizes.copy(), share=0.85)
    assert neighbours.tolist() == exact.tolist() == [0, 0]
