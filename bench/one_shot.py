"""python -m bench.one_shot [--write]: naming from a few named faces on characters that nothing was chosen on.

Drawn casts with sisters, equal hair colours and strangers (`bench.drawn_casts`, seeds from HOLD_OUT on), and the real
characters of HELD_OUT. Beside Koma's naming the table has the discriminants of the release before. Both go through
the same tracks and groups; named faces are drawn at random, and faces of their shots are not asked.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from annotate.algorithms import clustering, identity, matching
from annotate.algorithms.face_features import cut_head
from annotate.backends.embedders.builtin import BuiltinEmbedder
from annotate.evaluation.characters import dhash, without_twins
from bench import drawn_casts
from bench.characters import TEST_DATA, open_picture
from bench.report import table, write
from training.head_material import CROP_FACE, CROP_MIDDLE, faces_of

cv2.setNumThreads(1)  # as in every process of Koma
HELD_OUT = ("kinomoto_sakura", "lelouch_lamperouge", "suzumiya_haruhi")
OTHERS = 300  # faces of unknown people, as strangers beside the real characters
SHOTS, DRAWS = (1, 5, 10, 20), 5
SECTION = "Characters: naming from few faces, held out"
HEADER = ("faces", "named", "best name right", "named right", "named wrong", "strangers named")
TIMED_FACES = 20_000

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Faces:
    """Vectors [N, D] of faces; persons from `cast` on are strangers; `shot` [N] numbers the shots."""

    vectors: F32
    person: I64
    shot: I64
    cast: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """Faces with their tracks and groups, which do not depend on who is named."""

    faces: Faces
    population: matching.Population
    track: I64
    group: I64


Method = Callable[[Prepared, I64], tuple[F32, F32]]  # named rows -> scores and likeness [N, K]


def two_covariances(prepared: Prepared, named: I64) -> tuple[F32, F32]:
    """As the stage *Name faces*."""
    vectors = BuiltinEmbedder.balance(prepared.faces.vectors)
    model = matching.fit(vectors[named], prepared.faces.person[named], population=prepared.population)
    points = clustering.means(matching.points_of(model, vectors), prepared.track)
    likeness = matching.likeness_of_points(model, points)
    marks = np.log(np.maximum(likeness, 1e-30))
    return marks[prepared.track], likeness[prepared.track]


def discriminants(prepared: Prepared, named: I64) -> tuple[F32, F32]:
    """The release before: ridge discriminants, and how far a face lies from the average face towards the person."""
    vectors, labels = prepared.faces.vectors.astype(np.float64), prepared.faces.person[named]
    rest = np.setdiff1d(np.arange(len(vectors)), named)
    means = np.stack([vectors[named][labels == person].mean(axis=0) for person in range(prepared.faces.cast)])
    average = (means.mean(axis=0) + vectors[rest].mean(axis=0)) / 2
    within = (vectors[named] - means[labels]) / np.sqrt(max(len(named) - len(means), 1))
    inner = within @ within.T + 0.005 * np.eye(len(named))
    offsets = means - average
    weights = (offsets - np.linalg.solve(inner, within @ offsets.T).T @ within) / 0.005
    spans = np.maximum((weights * offsets).sum(axis=1), 1e-9)
    marks = (vectors - average) @ weights.T - spans / 2
    shares = np.exp((marks - marks.max(axis=1, keepdims=True)) / 4.0)
    shares /= shares.sum(axis=1, keepdims=True)
    nearness = (marks + spans / 2) / spans
    familiar = 1.0 / (1.0 + np.exp(-np.clip((nearness - 0.35) / 0.10, -60, 60)))
    return marks.astype(np.float32), (shares * familiar).astype(np.float32)


def prepare(faces: Faces) -> Prepared:
    """Tracks and groups as the stages make them; a shot is one track, as these drawings have no places."""
    track = np.unique(faces.shot, return_inverse=True)[1]
    points = clustering.learn_projection(faces.vectors).apply(faces.vectors)
    rows = np.unique(np.linspace(0, len(points) - 1, min(len(points), matching.SAMPLE_MAX)).round().astype(int))
    population = matching.population_of(BuiltinEmbedder.balance(faces.vectors[rows]))
    return Prepared(faces, population, track, clustering.cluster(points, track=track).label)


def measure(prepared: Prepared, method: Method, shots: int, draws: int) -> NDArray[np.float64]:
    """Shares of faces: best name right, named right, named wrong; and of strangers that are named."""
    person, cast = prepared.faces.person, prepared.faces.cast
    rows = []
    for draw in range(draws):
        random = np.random.default_rng(draw)
        named = np.concatenate([random.permutation(np.flatnonzero(person == who))[:shots] for who in range(cast)])
        queries = ~np.isin(prepared.faces.shot, prepared.faces.shot[named])
        marks, likeness = method(prepared, named)
        known = np.full(len(person), identity.UNKNOWN, np.int64)
        known[named] = person[named]
        answer = identity.decide(
            likeness, track=prepared.track, cluster=prepared.group, picture=np.arange(len(person)), known=known,
            ruled_out={},
        ).person  # fmt: skip
        of_cast, strangers = queries & (person < cast), queries & (person >= cast)
        right, is_named = answer == person, answer != identity.UNKNOWN
        rows.append(
            [
                (marks.argmax(axis=1) == person)[of_cast].mean(),
                right[of_cast].mean(),
                (is_named & ~right)[of_cast].mean(),
                is_named[strangers].mean(),
            ]
        )
    return np.asarray(np.mean(rows, axis=0))


def drawn_sets(embedder: BuiltinEmbedder, seeds: range) -> Iterator[tuple[str, list[Faces]]]:
    """The drawn casts by kind."""
    film = drawn_casts.in_films
    kinds: list[tuple[str, int, range, Callable[[int], drawn_casts.CastFaces]]] = [
        ("films: 20 characters, 12 strangers", 20, seeds[:3], lambda seed: film(seed, 20, strangers=12, shots=8)),
        ("films: 4 characters, 3 strangers", 4, seeds, lambda seed: film(seed, 4, strangers=3, shots=4)),
        (
            "many hands: 20 characters, 12 strangers", 20, seeds[:3],
            lambda seed: drawn_casts.by_hands(seed, 20, strangers=12, drawings=20),
        ),
    ]  # fmt: skip
    for name, cast, numbers, draw in kinds:
        drawn = [draw(seed) for seed in numbers]
        yield name, [Faces(embedder.embed(faces.heads), faces.person, faces.shot, cast) for faces in drawn]


def real_sets(embedder: BuiltinEmbedder, folder: Path) -> Iterator[tuple[str, list[Faces]]]:
    """The held-out real characters with faces of others as strangers, and each of them in turn as the stranger."""
    heads, person = [], []
    for number, name in enumerate(HELD_OUT):
        pictures = [open_picture(path) for path in sorted((folder / "characters" / name).iterdir())]
        distinct = without_twins([dhash(picture) for picture in pictures])
        heads += [pictures[row] for row in distinct]
        person += [number] * len(distinct)
    vectors, who = embedder.embed(heads), np.array(person, np.int64)
    faces = list(faces_of(folder / "faces" / "face_crops_64px.zip"))
    half, side = CROP_FACE * faces[0].shape[0] / 2, faces[0].shape[0]
    x, y = CROP_MIDDLE[0] * side, CROP_MIDDLE[1] * side
    chosen = np.random.default_rng(0).permutation(len(faces))[1 : 2 * OTHERS : 2]
    others = embedder.embed([cut_head(faces[row], (x - half, y - half, x + half, y + half)) for row in chosen])
    everybody = np.concatenate([who, np.full(len(others), len(HELD_OUT))])
    with_others = Faces(np.concatenate([vectors, others]), everybody, np.arange(len(everybody)), len(HELD_OUT))
    yield f"real: {len(HELD_OUT)} characters, {len(others)} faces of others", [with_others]
    last = len(HELD_OUT) - 1
    turns = []
    for stranger in range(len(HELD_OUT)):
        swapped = np.where(who == stranger, last, np.where(who == last, stranger, who))
        turns.append(Faces(vectors, swapped, np.arange(len(who)), last))
    yield "real: 2 characters, the third a stranger", turns


def rows_of(name: str, sets: list[Faces]) -> Iterator[tuple[object, ...]]:
    """A row per number of named faces: before and now."""
    prepared = [prepare(faces) for faces in sets]
    fewest = min(int(np.bincount(faces.person)[: faces.cast].min()) for faces in sets)
    for shots in SHOTS:
        if 2 * shots >= fewest:  # too few are left to be asked
            break
        before, now = (
            100 * np.mean([measure(item, method, shots, DRAWS) for item in prepared], axis=0)
            for method in (discriminants, two_covariances)
        )
        yield (name, shots, *(f"{old:.1f} → {new:.1f} %" for old, new in zip(before, now, strict=True)))


def costs(faces: Faces) -> str:
    """Processor time of learning and of naming, for many faces made of these."""
    prepared = prepare(replace(faces, shot=np.arange(len(faces.person))))
    random = np.random.default_rng(0)
    vectors = BuiltinEmbedder.balance(faces.vectors[random.integers(len(faces.person), size=TIMED_FACES)])
    started = time.process_time()
    matching.population_of(vectors[: matching.SAMPLE_MAX])
    population_s = time.process_time() - started
    named = np.flatnonzero(faces.person < faces.cast)
    started = time.process_time()
    model = matching.fit(
        BuiltinEmbedder.balance(faces.vectors[named]), faces.person[named], population=prepared.population
    )
    fit_s = time.process_time() - started
    started = time.process_time()
    for start in range(0, len(vectors), 4096):
        matching.likeness(model, vectors[start : start + 4096])
    each = (time.process_time() - started) / len(vectors)
    return (
        f"Processor time: {population_s:.1f} s to learn what anybody looks like from {matching.SAMPLE_MAX:,} faces, "
        f"{fit_s:.2f} s for {faces.cast} characters with {len(named):,} named faces, {1000 * each:.2f} ms per face."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=6, help="drawn casts")
    parser.add_argument("--data", type=Path, default=TEST_DATA)
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    embedder = BuiltinEmbedder()
    rows: list[tuple[object, ...]] = []
    sets = dict(real_sets(embedder, options.data))
    sets |= drawn_sets(embedder, range(drawn_casts.HOLD_OUT + 1, drawn_casts.HOLD_OUT + 1 + options.seeds))
    for name, faces in sets.items():
        rows += rows_of(name, faces)
        print(table(HEADER, rows), flush=True)
    largest = max((faces[0] for faces in sets.values()), key=lambda faces: faces.cast)
    text = (
        "The discriminants of the release before → now. Shares of the characters' faces that were not named: the best "
        "name is right, whatever its confidence; named right and named wrong above the threshold, the rest stays "
        f"unknown. Strangers are never named by hand. Mean of {DRAWS} draws. Of drawn casts, half are sisters or have "
        "another's hair colour, and of the strangers two thirds. Choices were made on other casts and other real "
        f"characters.\n\n{table(HEADER, rows)}\n\n{costs(largest)}"
    )
    print(text)
    if options.write:
        write(SECTION, text)


if __name__ == "__main__":
    main()
