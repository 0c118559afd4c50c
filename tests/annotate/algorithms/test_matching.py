"""Few-shot naming: right names, a class of one, strangers unlike anybody, both ways of inverting."""

from __future__ import annotations

import math

import numpy as np
import pytest

from annotate.algorithms import matching


def people(count, each, *, size=40, spread=0.05, seed=0):
    random = np.random.default_rng(seed)
    middles = random.normal(0, 0.3, (count, size))
    labels = np.repeat(np.arange(count) * 10, each)
    features = middles[labels // 10] + random.normal(0, spread, (count * each, size))
    return features.astype(np.float32), labels


def test_one_named_face_each_names_the_rest():
    features, labels = people(5, 12)
    first = np.arange(0, 60, 12)
    model = matching.fit(features[first], labels[first], background=features)
    result = model.labels[matching.scores(model, features).argmax(axis=1)]
    assert (result == labels).all()


def test_a_stranger_is_like_nobody_and_a_known_face_is_like_itself():
    features, labels = people(6, 20)
    known = labels < 40
    model = matching.fit(features[known][::2], labels[known][::2], background=features)
    likeness = matching.likeness(model, features)
    assert likeness[known].max(axis=1).min() > 0.5
    assert likeness[~known].max(axis=1).max() < 0.5
    assert (likeness >= 0).all()
    assert (likeness.sum(axis=1) <= 1 + 1e-5).all()


def test_one_person_alone_is_told_from_the_background():
    features, labels = people(4, 15)
    model = matching.fit(features[:3], labels[:3], background=features)
    likeness = matching.likeness(model, features)[:, 0]
    assert likeness[:15].min() > likeness[15:].max()


def test_many_faces_and_few_values_take_the_other_way_to_the_same_scores():
    features, labels = people(3, 30, size=8)
    few = np.arange(0, 90, 2)
    wide = np.pad(features, ((0, 0), (0, 200)))  # more values than faces: Woodbury
    narrow_model = matching.fit(features[few], labels[few])
    wide_model = matching.fit(wide[few], labels[few])
    assert np.allclose(matching.scores(narrow_model, features), matching.scores(wide_model, wide), atol=1e-2)


def test_a_person_with_very_many_faces_is_learned_from_an_even_part():
    labels = np.array([1] * 2000 + [2] * 3)
    rows = matching.evenly(labels)
    assert np.bincount(labels[rows]).tolist() == [0, matching.FACES_A_PERSON_MAX, 3]
    assert rows[0] == 0
    assert 1999 in rows


def test_nothing_named_is_refused():
    with pytest.raises(ValueError, match="name at least one"):
        matching.fit(np.zeros((0, 4), np.float32), [])


def test_without_named_faces_there_are_no_rows_to_learn_from():
    assert matching.evenly(np.empty(0, np.int64)).tolist() == []


def test_scores_and_likeness_are_what_their_formulas_give():
    """A face one step from the centre both ways: marks of 1.5 and 1, softened; nearness of 1 and one half."""
    model = matching.FewShotModel(
        labels=np.array([1, 2]), centre=np.array([1, 0], np.float32), weights=np.array([[2, 0], [0, 2]], np.float32),
        bias=np.array([-0.5, -1], np.float32), spans=np.array([2, 4], np.float32),
    )  # fmt: skip
    face = np.array([[2, 1]], np.float32)
    assert matching.scores(model, face).tolist() == [[1.5, 1.0]]
    first = 1 / (1 + math.exp(-0.5 / matching.TEMPERATURE))
    expected = [
        share / (1 + math.exp(-(nearness - matching.NEARNESS_MIDDLE) / matching.NEARNESS_WIDTH))
        for share, nearness in ((first, 1.0), (1 - first, 0.5))
    ]
    likeness = matching.likeness(model, face)
    assert likeness[0] == pytest.approx(expected, rel=1e-5)
    assert likeness.dtype == matching.scores(model, face).dtype == np.float32


def test_a_face_far_from_everybody_is_like_nobody_and_no_number_overflows():
    model = matching.FewShotModel(
        labels=np.array([1, 2]), centre=np.zeros(2, np.float32), weights=np.eye(2, dtype=np.float32),
        bias=np.zeros(2, np.float32), spans=np.full(2, 1e-9, np.float32),
    )  # fmt: skip
    with np.errstate(all="raise", under="ignore"):
        likeness = matching.likeness(model, np.array([[-9, -9], [9, 8]], np.float32))
    assert np.isfinite(likeness).all()
    assert likeness[0].max() < 1e-6
    assert likeness[1].argmax() == 0


def test_without_a_named_face_nothing_is_learned():
    with pytest.raises(ValueError, match=r"^name at least one face first$"):
        matching.fit(np.zeros((0, 4), np.float32), [])


@pytest.mark.parametrize("faces_each", [12, 2])  # more faces than values, and fewer
def test_marks_differ_by_half_the_difference_of_the_distances_within_people(faces_each):
    """The definition of a linear discriminant: Mahalanobis distances to the means, by the pooled covariance."""
    features, labels = people(3, faces_each, size=12)
    model = matching.fit(features, labels, ridge=0.01)
    means = np.stack([features[labels == label].mean(axis=0) for label in model.labels]).astype(np.float64)
    within = features - means[labels // 10]
    covariance = within.T @ within / (len(features) - 3) + 0.01 * np.eye(12)
    distances = np.stack(
        [np.einsum("nd,nd->n", row, np.linalg.solve(covariance, row.T).T) for row in features - means[:, None]]
    ).T
    marks = matching.scores(model, features)
    expected = (distances[:, :1] - distances[:, 1:]) / 2
    assert marks[:, 1:] - marks[:, :1] == pytest.approx(expected, rel=1e-3, abs=1e-2)


def test_the_average_face_lies_between_the_people_and_the_background_and_is_no_nearness():
    features, labels = people(2, 5)
    background = np.full((7, 40), 0.5, np.float32)
    background[:, 0] = 2
    means = np.stack([features[labels == label].mean(axis=0) for label in (0, 10)])
    model = matching.fit(features[:8], labels[:8], background=background)
    half = (np.stack([means[0], features[5:8].mean(axis=0)]).mean(axis=0) + background.mean(axis=0)) / 2
    assert model.centre == pytest.approx(half, abs=1e-5)
    nearness = (matching.scores(model, np.stack([model.centre, means[0]])) - model.bias) / model.spans
    assert nearness[:, 0] == pytest.approx([0, 1], abs=1e-3)
