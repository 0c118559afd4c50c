"""Groups of similar frames: who is kept, who is dropped, and that no pair is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ingest.algorithms import near_duplicates
from ingest.algorithms.descriptors import as_vectors
from ingest.algorithms.near_duplicates import find_groups, nearest_of, ranked, similar_pairs

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]


def _descriptors(seed: int, count: int, *, per_shot: int = 6, size: int = 32, spread: float = 0.2) -> U8:
    """Rows in tight and loose clumps on a sphere, as the frames of shots are."""
    rng = np.random.default_rng(seed)
    shots = rng.normal(size=(max(1, count // per_shot), size))
    shots /= np.linalg.norm(shots, axis=1, keepdims=True)
    noise = rng.normal(size=(count, size)) / np.sqrt(size) * rng.uniform(0, 2 * spread, (count, 1))
    rows = shots[rng.integers(0, len(shots), count)] + noise
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.clip(np.rint(rows * 140) + 128, 1, 255).astype(np.uint8)


def _cosines(descriptors: U8) -> NDArray[np.float64]:
    vectors = as_vectors(descriptors).astype(np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return np.asarray(vectors @ vectors.T)


def _by_the_book(descriptors: U8, quality: F32, threshold: float, pinned: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The rule row by row, with the full table of cosines."""
    cosine = _cosines(descriptors)
    kept_of = np.arange(len(descriptors))
    remaining: list[int] = []
    for row in ranked(quality, pinned):
        neighbours = [other for other in remaining if cosine[row, other] >= threshold]
        if neighbours and not pinned[row]:
            kept_of[row] = max(neighbours, key=lambda other: cosine[row, other])
        else:
            remaining.append(int(row))
    return kept_of


SETS = st.tuples(st.integers(0, 10_000), st.integers(1, 160), st.sampled_from([0.9, 0.95, 0.98]), st.booleans())


@given(SETS)
@settings(max_examples=60, deadline=None)
def test_the_invariants_hold_for_any_set(case: tuple[int, int, float, bool]) -> None:
    seed, count, threshold, with_pins = case
    descriptors, rng = _descriptors(seed, count), np.random.default_rng(seed)
    quality = rng.integers(0, 40, count).astype(np.float32)
    pinned = (rng.random(count) < 0.1) & with_pins
    groups = find_groups(descriptors, quality, threshold, pinned=pinned)
    cosine, remaining = _cosines(descriptors), groups.is_representative
    rows = np.arange(count)

    assert remaining[pinned].all()
    assert remaining[groups.representative].all(), "a dropped frame belongs to a kept one, never to another dropped one"
    assert (cosine[rows, groups.representative] >= threshold - 1e-6).all()
    assert np.allclose(groups.distance, np.where(remaining, 0.0, 1 - cosine[rows, groups.representative]), atol=1e-5)
    order = np.empty(count, dtype=np.int64)
    order[ranked(quality, pinned)] = rows
    assert (order[groups.representative] <= order).all(), "the kept copy is the better one"
    free = np.flatnonzero(remaining & ~pinned)
    separate = cosine[np.ix_(free, free)].copy()
    np.fill_diagonal(separate, -1.0)
    assert (separate < threshold + 1e-6).all()


@given(SETS)
@settings(max_examples=40, deadline=None)
def test_the_result_equals_the_rule_worked_row_by_row(case: tuple[int, int, float, bool]) -> None:
    seed, count, threshold, with_pins = case
    descriptors, rng = _descriptors(seed, count), np.random.default_rng(seed)
    quality = rng.permutation(count).astype(np.float32)
    pinned = (rng.random(count) < 0.1) & with_pins
    cosine = _cosines(descriptors)
    close_calls = np.abs(cosine - threshold) < 1e-6
    if close_calls.any():
        return  # rounding may decide these either way
    groups = find_groups(descriptors, quality, threshold, pinned=pinned)
    expected = _by_the_book(descriptors, quality, threshold, pinned)
    rows = np.arange(count)
    assert np.array_equal(groups.is_representative, expected == rows)
    assert np.allclose(cosine[rows, groups.representative], cosine[rows, expected], atol=1e-6)


@given(st.integers(0, 10_000), st.integers(2, 120))
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_rows_does_not_matter(seed: int, count: int) -> None:
    descriptors, rng = _descriptors(seed, count), np.random.default_rng(seed)
    quality = rng.permutation(count).astype(np.float32)
    shuffled = rng.permutation(count)
    groups = find_groups(descriptors, quality, 0.95)
    again = find_groups(descriptors[shuffled], quality[shuffled], 0.95)
    assert np.array_equal(again.is_representative, groups.is_representative[shuffled])
    assert np.array_equal(again.distance, groups.distance[shuffled])


def test_blocks_and_cells_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    descriptors = _descriptors(3, 12_000, per_shot=8, size=64)
    quality = np.random.default_rng(3).random(12_000).astype(np.float32)
    complete = find_groups(descriptors, quality, 0.94)
    assert 0.1 < complete.is_representative.mean() < 0.9
    monkeypatch.setattr(near_duplicates, "_BLOCK", 700)
    monkeypatch.setattr(near_duplicates, "_INNER", 130)
    monkeypatch.setattr("ingest.algorithms.near_index._CELLS_FROM", 10**9)
    parts = find_groups(descriptors, quality, 0.94)
    assert np.array_equal(complete.representative, parts.representative)
    assert np.array_equal(complete.distance, parts.distance)


def test_cells_lose_no_pair() -> None:
    descriptors = _descriptors(4, 14_000, per_shot=5, size=64, spread=0.3)
    sample = descriptors[::70]
    rows, ids, _ = similar_pairs(sample, descriptors, 0.9)
    left, right = as_vectors(sample).astype(np.float64), as_vectors(descriptors).astype(np.float64)
    cosine = (left / np.linalg.norm(left, axis=1, keepdims=True)) @ (
        right / np.linalg.norm(right, axis=1, keepdims=True)
    ).T
    expected = set(zip(*(part.tolist() for part in np.nonzero(cosine >= 0.9 + 1e-6)), strict=True))
    allowed = set(zip(*(part.tolist() for part in np.nonzero(cosine >= 0.9 - 1e-6)), strict=True))
    assert len(expected) > 500
    collected = set(zip(rows.tolist(), ids.tolist(), strict=True))
    assert expected <= collected <= allowed


def test_a_new_episode_finds_its_copies_among_the_kept_frames_of_earlier_ones() -> None:
    kept_descriptors = _descriptors(5, 300, per_shot=1)
    fresh = _descriptors(6, 50, per_shot=1)
    result, distance = nearest_of(np.concatenate([kept_descriptors[40:60], fresh]), kept_descriptors, 0.95)
    assert np.array_equal(result[:20], np.arange(40, 60))
    assert (distance[:20] < 1e-5).all()
    assert (result[20:] == -1).all()
    assert np.isinf(distance[20:]).all()


def test_there_are_no_chains_along_a_slow_pan() -> None:
    angles = np.linspace(0, 1.2, 60)
    rows = np.stack([np.cos(angles), np.sin(angles), *np.zeros((14, 60))], axis=1)
    descriptors = np.clip(np.rint(rows * 120) + 128, 1, 255).astype(np.uint8)
    groups = find_groups(descriptors, np.linspace(1, 0, 60).astype(np.float32), 0.95)
    assert groups.is_representative.sum() >= 4
    assert (groups.distance <= 0.05 + 1e-6).all()


def test_equal_frames_of_equal_quality_keep_the_first() -> None:
    descriptors = np.repeat(_descriptors(7, 1), 5, axis=0)
    groups = find_groups(descriptors, np.ones(5, dtype=np.float32), 1.0 - 1e-6)
    assert groups.representative.tolist() == [0, 0, 0, 0, 0]


@pytest.mark.parametrize("count", [0, 1])
def test_none_and_one_frame_are_kept(count: int) -> None:
    groups = find_groups(np.full((count, 32), 140, dtype=np.uint8), np.zeros(count, dtype=np.float32))
    assert groups.is_representative.all()
    assert len(groups.representative) == count


def test_wrong_input_is_refused_with_its_reason() -> None:
    rows, quality = np.full((3, 8), 140, dtype=np.uint8), np.zeros(3, dtype=np.float32)
    with pytest.raises(ValueError, match="threshold"):
        find_groups(rows, quality, 1.5)
    with pytest.raises(ValueError, match="one value per descriptor"):
        find_groups(rows, quality[:2])
    with pytest.raises(ValueError, match="finite"):
        find_groups(rows, np.asarray([0.0, np.nan, 1.0], dtype=np.float32))
    with pytest.raises(ValueError, match="uint8"):
        find_groups(quality[None, :], quality[:1])  # type: ignore[arg-type]


def test_the_first_of_the_others_is_found_as_any_other_at_its_distance() -> None:
    rows = _descriptors(3, 8, per_shot=1)
    nearest, distance = nearest_of(rows, rows)
    assert nearest.tolist() == list(range(8))
    assert (distance >= 0).all()
    assert distance == pytest.approx(np.zeros(8), abs=1e-5)
    assert (nearest.dtype, distance.dtype) == (np.int64, np.float32)


def test_among_no_others_nothing_is_similar() -> None:
    rows = _descriptors(3, 4)
    nearest, distance = nearest_of(rows, rows[:0])
    assert nearest.tolist() == [-1] * 4
    assert np.isinf(distance).all()
    for pair in (similar_pairs(rows, rows[:0]), similar_pairs(rows[:0], rows)):
        assert [len(column) for column in pair] == [0, 0, 0]
        assert [column.dtype for column in pair] == [np.int64, np.int64, np.float32]
