"""Few-shot naming of faces: regularised linear discriminants, with "unknown" as a possible answer.

Pure numpy; knows nothing of the database. Labels are whole numbers; UNKNOWN means nobody that was named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

UNKNOWN = -1
# Added to each variance within a person; half of what the metric of the embedder leaves of the noise of drawn people.
RIDGE = 0.005
# Discriminant scores differ by some tens between people; this softens them into shares.
TEMPERATURE = 4.0
# Nearness (0 the average face, 1 the middle of the person) at which a face is as likely a stranger as the person.
NEARNESS_MIDDLE = 0.35
NEARNESS_WIDTH = 0.10
CONFIDENCE_MIN = 0.5
# More named faces of one person than this add time, not accuracy.
FACES_A_PERSON_MAX = 400


@dataclass(frozen=True, slots=True)
class FewShotModel:
    """Discriminants of the named people: score = (x - centre) @ weights.T + bias; one row a person in `labels`."""

    labels: IntArray
    centre: FloatArray
    weights: FloatArray
    bias: FloatArray
    spans: FloatArray


def fit(
    features: FloatArray, labels: npt.ArrayLike, *, background: FloatArray | None = None, ridge: float = RIDGE
) -> FewShotModel:
    """Learn the named people from `features` [N, D] and their `labels` [N].

    `background` [M, D] are unnamed faces of the same pictures; their mean is what "the average face" means, and is
    needed to tell anything when only one person is named. Raises ValueError without a named face.
    """
    names = np.asarray(labels, np.int64)
    if not len(names):
        raise ValueError("name at least one face first")
    chosen = evenly(names)
    named, names = features[chosen].astype(np.float64), names[chosen]
    people, index = np.unique(names, return_inverse=True)
    means = np.stack([named[index == person].mean(axis=0) for person in range(len(people))])
    # People weigh the same however many faces of each were named.
    average = means.mean(axis=0)
    if background is not None and len(background):
        average = (average + background.mean(axis=0, dtype=np.float64)) / 2
    offsets = means - average
    weights = _within_inverse(named - means[index], offsets, freedom=max(len(named) - len(people), 1), ridge=ridge)
    spans = np.einsum("kd,kd->k", weights, offsets)
    return FewShotModel(
        labels=people,
        centre=average.astype(np.float32),
        weights=weights.astype(np.float32),
        bias=(-0.5 * spans).astype(np.float32),
        spans=np.maximum(spans, 1e-9).astype(np.float32),
    )


def scores(model: FewShotModel, features: FloatArray) -> FloatArray:
    """Log-odds-like scores [N, K] in the order of `model.labels`; the largest is the best person."""
    return np.asarray((features - model.centre) @ model.weights.T + model.bias, np.float32)


def likeness(model: FewShotModel, features: FloatArray) -> FloatArray:
    """How surely each face [N] is each person [K], 0..1; what is missing from 1 in a row is "somebody unknown"."""
    marks = scores(model, features)
    shares = np.exp((marks - marks.max(axis=1, keepdims=True)) / TEMPERATURE)
    shares /= shares.sum(axis=1, keepdims=True)
    scaled = (marks - model.bias) / model.spans
    familiar = 1.0 / (1.0 + np.exp(-np.clip((scaled - NEARNESS_MIDDLE) / NEARNESS_WIDTH, -60, 60)))
    return np.asarray(shares * familiar, np.float32)


def _within_inverse(
    within: npt.NDArray[Any], offsets: npt.NDArray[Any], *, freedom: int, ridge: float
) -> npt.NDArray[Any]:
    """offsets @ inverse(within' within / freedom + ridge I), by whichever of the two Gram matrices is smaller."""
    count, size = within.shape
    if count < size:  # Woodbury: the inverse needs only the faces' products with one another
        inner = within @ within.T / freedom + ridge * np.eye(count)
        along = np.linalg.solve(inner, within @ offsets.T)  # [N, K]: far fewer columns than the faces have values
        return np.asarray((offsets - along.T @ within / freedom) / ridge)
    covariance = within.T @ within / freedom + ridge * np.eye(size)
    return np.asarray(np.linalg.solve(covariance, offsets.T).T)


def evenly(labels: IntArray, *, maximum: int = FACES_A_PERSON_MAX) -> IntArray:
    """Return the rows to learn from: at most `maximum` per character, evenly spaced."""
    rows = []
    for person in np.unique(labels):
        rows_of_person = np.flatnonzero(labels == person)
        take = np.linspace(0, len(rows_of_person) - 1, min(len(rows_of_person), maximum)).round().astype(np.int64)
        rows.append(rows_of_person[take])
    return np.concatenate([np.empty(0, np.int64), *rows])
