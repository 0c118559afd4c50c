"""Few-shot naming of faces by a two-covariance model, with "unknown" as a possible answer.

A face is a person plus noise, both normally distributed: x = y + e with y ~ N(0, B) and e ~ N(0, W), the two-covariance
model of Brümmer and de Villiers, "The speaker partitioning problem" (Odyssey 2010). A face's score for a person is the
logarithm of how much likelier it is as one more face of that person than as a face of anybody. B + W is the covariance
of the collection's own faces; W comes from a prior and from the named faces.

Knows nothing of the database. Labels are whole numbers; UNKNOWN means nobody that was named.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from annotate.algorithms import clustering

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

UNKNOWN = -1
CONFIDENCE_MIN = 0.5
# The prior of W: this variance in each direction, and this share of B + W. It counts as much as so many named faces.
NOISE, NOISE_SHARE, NOISE_FACES = 0.015, 0.05, 100
# The prior of B + W, which counts as much as so many faces: a few faces do not show how much people can differ.
SPREAD, SPREAD_FACES = 0.045, 100
# Logarithms of likelihoods are divided by it: the values of a vector depend on each other more than the model knows.
TEMPERATURE = 4.0
# Log odds of anybody unnamed against all named people together, before a face is seen.
STRANGER = -1.5
# They are lowered until only this share of the named faces would stay unknown if it were not named: drawings by many
# hands differ more than those of a film. The odds above count as much as so many named faces.
UNKNOWN_SHARE, STRANGER_FACES = 0.1, 10
# Unnamed faces move the middle of the person whom they resemble; together they count as much as so many named faces.
UNNAMED_FACES, ROUNDS = 1.0, 2
# More named faces of one person than this add time, not accuracy.
FACES_A_PERSON_MAX = 400
SAMPLE_MAX = 2000  # faces that a population is learned from
BLOCK = 8192  # rows scored at once


@dataclass(frozen=True, slots=True)
class Population:
    """What faces of a collection look like: their principal directions, and a sample of them as points [M, d]."""

    projection: clustering.Projection
    points: FloatArray


@dataclass(frozen=True, slots=True)
class FewShotModel:
    """Scorer of the named people, one row of `labels` [K] each; `unnamed` is the score of anybody unnamed.

    A point z is the projected vector times `basis` [d, d], its scores are z² @ squares.T + z @ weights.T + bias.
    """

    labels: IntArray
    projection: clustering.Projection
    basis: FloatArray
    squares: FloatArray
    weights: FloatArray
    bias: FloatArray
    unnamed: float


def population_of(sample: FloatArray) -> Population:
    """Learn a population from vectors [M, D] of its faces, named or not, 0 < M <= SAMPLE_MAX."""
    projection = clustering.learn_projection(sample)
    return Population(projection, projection.apply(sample))


def fit(
    features: FloatArray,
    labels: npt.ArrayLike,
    *,
    background: FloatArray | None = None,
    population: Population | None = None,
) -> FewShotModel:
    """Learn the named people from `features` [N, D] and their `labels` [N].

    The `population` is what anybody looks like; without one it is learned from the named faces and from unnamed ones
    of the same pictures, `background` [M, D]. Raises ValueError without a named face.
    """
    names = np.asarray(labels, np.int64)
    if not len(names):
        raise ValueError("name at least one face first")
    chosen = evenly(names)
    named, names = features[chosen], names[chosen]
    if population is None:
        population = population_of(named if background is None else np.concatenate([named, background]))
    people, person = np.unique(names, return_inverse=True)
    points = population.projection.apply(named).astype(np.float64)
    sample = population.points.astype(np.float64)
    unnamed = _score_of_unnamed(points, person, sample)
    basis, between = _basis(points, person, sample)
    sums, counts = _sums(points @ basis, person)
    seen = sample @ basis
    scorer = _Scorer.of(sums, counts, between)
    for _ in range(ROUNDS):
        shares = _shares(scorer.scores(seen), unnamed)
        shares *= np.minimum(1.0, UNNAMED_FACES / np.maximum(shares.sum(axis=0), 1e-9))
        scorer = _Scorer.of(sums + shares.T @ seen, counts + shares.sum(axis=0), between)
    return FewShotModel(
        labels=people,
        projection=population.projection,
        basis=basis.astype(np.float32),
        squares=scorer.squares.astype(np.float32),
        weights=scorer.weights.astype(np.float32),
        bias=scorer.bias.astype(np.float32),
        unnamed=unnamed,
    )


def points_of(model: FewShotModel, features: FloatArray) -> FloatArray:
    """Points [N, d] of vectors [N, D]. The point of faces' mean is the mean of their points."""
    return np.asarray(model.projection.apply(features) @ model.basis, np.float32)


def scores(model: FewShotModel, features: FloatArray) -> FloatArray:
    """Log likelihood ratios [N, K], softened, in the order of `model.labels`; the largest is the best person."""
    return _scores(model, points_of(model, features))


def likeness(model: FewShotModel, features: FloatArray) -> FloatArray:
    """How surely each face [N] is each person [K], 0..1; what is missing from 1 in a row is "somebody unknown"."""
    return likeness_of_points(model, points_of(model, features))


def likeness_of_points(model: FewShotModel, points: FloatArray) -> FloatArray:
    """As `likeness`, for points [N, d] of faces, or for the means of faces that are one person anyway."""
    out = np.empty((len(points), len(model.labels)), np.float32)
    for start in range(0, len(points), BLOCK):
        out[start : start + BLOCK] = _shares(_scores(model, points[start : start + BLOCK]), model.unnamed)
    return out


def evenly(labels: IntArray, *, maximum: int = FACES_A_PERSON_MAX) -> IntArray:
    """Return the rows to learn from: at most `maximum` per character, evenly spaced."""
    rows = []
    for person in np.unique(labels):
        rows_of_person = np.flatnonzero(labels == person)
        take = np.linspace(0, len(rows_of_person) - 1, min(len(rows_of_person), maximum)).round().astype(np.int64)
        rows.append(rows_of_person[take])
    return np.concatenate([np.empty(0, np.int64), *rows])


@dataclass(frozen=True, slots=True)
class _Scorer:
    """Softened log likelihood ratios of points z [N, d] with W = I: z² @ squares.T + z @ weights.T + bias."""

    squares: DoubleArray
    weights: DoubleArray
    bias: DoubleArray

    @classmethod
    def of(cls, sums: DoubleArray, counts: DoubleArray, between: DoubleArray) -> _Scorer:
        """Build from the sum [K, d] and number [K] of each person's faces; `between` [d] is the diagonal of B.

        After n faces with the sum s, a person's next face has the mean b s / (1 + n b) and the variance
        1 + b / (1 + n b); anybody's has the mean 0 and the variance 1 + b.
        """
        left = between / (1.0 + counts[:, None] * between)
        mean, variance, anybody = left * sums, 1.0 + left, 1.0 + between
        squares = 0.5 * (1.0 / anybody - 1.0 / variance)
        bias = 0.5 * (np.log(anybody / variance) - mean**2 / variance).sum(axis=1)
        return cls(squares / TEMPERATURE, mean / variance / TEMPERATURE, bias / TEMPERATURE)

    def scores(self, points: DoubleArray) -> DoubleArray:
        return np.asarray(points**2 @ self.squares.T + points @ self.weights.T + self.bias)


def _scores(model: FewShotModel, points: FloatArray) -> FloatArray:
    return np.asarray(points**2 @ model.squares.T + points @ model.weights.T + model.bias, np.float32)


def _shares(marks: FloatArray | DoubleArray, unnamed: float) -> DoubleArray:
    """Probabilities [N, K] of the people with scores [N, K], beside anybody unnamed with the score `unnamed`."""
    highest = np.maximum(marks.max(axis=1, keepdims=True), unnamed).astype(np.float64)
    shares = np.exp(marks - highest)
    return np.asarray(shares / (shares.sum(axis=1, keepdims=True) + np.exp(unnamed - highest)))


def _basis(points: DoubleArray, person: IntArray, sample: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """The basis [d, d] in which W is the identity and B is diagonal, and that diagonal [d]."""
    size = np.eye(points.shape[1])
    total = (sample.T @ sample + SPREAD_FACES * SPREAD * size) / (len(sample) + SPREAD_FACES)
    sums, counts = _sums(points, person)
    offsets = points - (sums / counts[:, None])[person]
    freedom = len(points) - len(counts)
    prior = NOISE * size + NOISE_SHARE * total
    within = (NOISE_FACES * prior + offsets.T @ offsets) / (NOISE_FACES + freedom)
    from scipy.linalg import eigh  # a quarter of a second, which no page waits for

    variances, basis = eigh(total, within)
    return np.asarray(basis), np.maximum(variances - 1.0, 1e-6)


def _sums(points: DoubleArray, person: IntArray) -> tuple[DoubleArray, DoubleArray]:
    """Sum [K, d] and number [K] of each person's points [N, d]."""
    sums = np.zeros((int(person.max()) + 1, points.shape[1]))
    np.add.at(sums, person, points)
    return sums, np.bincount(person).astype(np.float64)


def _score_of_unnamed(points: DoubleArray, person: IntArray, sample: DoubleArray) -> float:
    """The score of anybody unnamed: see STRANGER. Every second face of each person is scored without being named."""
    assumed = float(np.log(person.max() + 1) + STRANGER)
    position = np.zeros(len(person), np.int64)
    order = np.argsort(person, kind="stable")
    counts = np.bincount(person)
    position[order] = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    usable = counts[person] > 1
    if not usable.any():
        return assumed
    marks = []
    for part in range(2):
        learned, asked = usable & (position % 2 == part), usable & (position % 2 != part)
        _, owner = np.unique(person[learned], return_inverse=True)
        basis, between = _basis(points[learned], owner, sample)
        scorer = _Scorer.of(*_sums(points[learned] @ basis, owner), between)
        column = np.unique(person[asked], return_inverse=True)[1]
        marks.append(scorer.scores(points[asked] @ basis)[np.arange(len(column)), column])
    count = int(usable.sum())
    seen = float(np.quantile(np.concatenate(marks), UNKNOWN_SHARE))
    return min(assumed, (count * seen + STRANGER_FACES * assumed) / (count + STRANGER_FACES))
