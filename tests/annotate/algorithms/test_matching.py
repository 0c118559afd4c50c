"""Few-shot naming: right names, a class of one, strangers unlike anybody, scores by their definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import multivariate_normal

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


def test_without_a_named_face_nothing_is_learned():
    with pytest.raises(ValueError, match=r"^name at least one face first$"):
        matching.fit(np.zeros((0, 4), np.float32), [])


def test_scores_are_log_likelihood_ratios_of_the_two_covariance_model(monkeypatch):
    """By the definition: a face of a person given that person's named faces, against a face of anybody."""
    monkeypatch.setattr(matching, "UNNAMED_FACES", 0.0)
    random = np.random.default_rng(5)
    middles = random.normal(0, 1, (30, 4))
    sample = (np.repeat(middles, 8, axis=0) + random.normal(0, 0.05, (240, 4))).astype(np.float32)
    named = np.r_[0:3, 8, 16:18]
    model = matching.fit(sample[named], named // 8, population=matching.population_of(sample))
    points = model.projection.apply(sample).astype(np.float64)
    size = np.eye(4)
    total = (points.T @ points + matching.SPREAD_FACES * matching.SPREAD * size) / (240 + matching.SPREAD_FACES)
    offsets = points[named] - np.stack([points[named][named // 8 == row // 8].mean(axis=0) for row in named])
    prior = matching.NOISE_FACES * (matching.NOISE * size + matching.NOISE_SHARE * total)
    within = (prior + offsets.T @ offsets) / (matching.NOISE_FACES + 6 - 3)
    between = total - within
    expected = []
    for rows in (np.r_[0:3], [8], np.r_[16:18]):
        spread = np.linalg.inv(np.linalg.inv(between) + len(rows) * np.linalg.inv(within))
        middle = spread @ np.linalg.solve(within, points[rows].sum(axis=0))
        person, anybody = multivariate_normal(middle, spread + within), multivariate_normal(np.zeros(4), total)
        expected.append(person.logpdf(points) - anybody.logpdf(points))
    marks = matching.scores(model, sample)
    assert marks == pytest.approx(np.stack(expected, axis=1) / matching.TEMPERATURE, rel=1e-3, abs=1e-3)
    assert marks.dtype == np.float32


def test_likeness_is_the_share_of_a_person_beside_the_others_and_anybody_unnamed():
    features, labels = people(4, 6)
    model = matching.fit(features[::6], labels[::6], background=features)
    odds = np.exp(matching.scores(model, features).astype(np.float64))
    expected = odds / (odds.sum(axis=1, keepdims=True) + math.exp(model.unnamed))
    likeness = matching.likeness(model, features)
    assert likeness == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert likeness.dtype == np.float32


def test_unnamed_faces_move_the_middle_of_whom_they_resemble_and_do_not_outweigh_the_named_one(monkeypatch):
    features, labels = people(6, 40, spread=0.12)
    first = np.arange(0, 240, 40)
    others = np.setdiff1d(np.arange(240), first)
    population = matching.population_of(features)

    def mean_score(rows, unnamed):
        monkeypatch.setattr(matching, "UNNAMED_FACES", unnamed)
        model = matching.fit(features[first], labels[first], population=population)
        return matching.scores(model, features[rows])[np.arange(len(rows)), labels[rows] // 10].mean()

    assert mean_score(others, 1.0) > mean_score(others, 0.0) + 0.2
    assert mean_score(first, 1.0) > mean_score(first, math.inf) + 0.2


def test_named_faces_that_would_stay_unknown_lower_the_odds_of_strangers_but_one_face_each_tells_nothing():
    alike, labels = people(5, 10, spread=0.02)
    unlike, _ = people(5, 10, spread=0.35)
    first = np.arange(0, 50, 10)
    assumed = math.log(5) + matching.STRANGER
    assert matching.fit(alike, labels, background=alike).unnamed == pytest.approx(assumed)
    assert matching.fit(unlike[first], labels[first], background=unlike).unnamed == pytest.approx(assumed)
    assert matching.fit(unlike, labels, background=unlike).unnamed < assumed - 1


def test_faces_are_scored_alike_whatever_block_they_are_in(monkeypatch):
    features, labels = people(3, 7)
    model = matching.fit(features[::7], labels[::7], background=features)
    expected = matching.likeness(model, features)
    monkeypatch.setattr(matching, "BLOCK", 4)
    assert matching.likeness(model, features) == pytest.approx(expected, abs=1e-6)


def test_the_point_of_a_mean_is_the_mean_of_the_points():
    features, labels = people(3, 7)
    model = matching.fit(features[::7], labels[::7], background=features)
    mean = matching.points_of(model, features[:5].mean(axis=0, keepdims=True))
    assert mean[0] == pytest.approx(matching.points_of(model, features[:5]).mean(axis=0), abs=1e-4)


def test_a_face_far_from_everybody_is_like_nobody_and_no_number_overflows():
    features, labels = people(3, 7)
    model = matching.fit(features[::7], labels[::7], background=features)
    with np.errstate(all="raise", under="ignore"):
        likeness = matching.likeness(model, np.stack([1e4 * features[0], -1e4 * features[0], features[0]]))
    assert np.isfinite(likeness).all()
    assert likeness[:2].max() < 1e-6
    assert likeness[2].argmax() == 0


def test_two_faces_are_enough_to_learn_from():
    features, labels = people(2, 1)
    model = matching.fit(features[:1], labels[:1], background=features[1:])
    likeness = matching.likeness(model, features)
    assert likeness[0, 0] > likeness[1, 0]
    assert np.isfinite(matching.likeness(matching.fit(features[:1], labels[:1]), features)).all()
