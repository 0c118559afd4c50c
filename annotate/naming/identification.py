"""Who every face of a collection is, compared with the faces that people or files named; "unknown" is valid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from annotate.algorithms import identity, matching
from annotate.algorithms.clustering import means
from annotate.algorithms.name_evidence import TAGGER
from annotate.backends.embedders.known_embedders import Comparison
from annotate.models import FaceState, FrameCharacter, ModelVersion, NamedBy, ReferencePicture, TagState
from annotate.naming import vectors
from annotate.naming.known_faces import KnownFaces
from ingest.models import Collection

FloatArray = npt.NDArray[np.float32]
KNOWN = (NamedBy.PERSON, NamedBy.FILE, NamedBy.COPY)  # origins whose names stay and serve as examples
DIGITS = 3  # of a confidence: smaller differences are noise and must not change rows
FIELDS = (
    "pk", "frame_id", "cluster_id", "state", "named_by", "character_id", "confidence", "version", "not_characters",
)  # fmt: skip
Model = matching.FewShotModel | KnownFaces


@dataclass(frozen=True, slots=True)
class Identified:
    """`faces`: rows of FIELDS that may be named; `identities` has one entry per face, with columns into `labels` [K],
    the characters' keys. None where nobody is named yet. `compared`: all faces with a vector."""

    faces: list[dict[str, Any]]
    identities: identity.Identities | None
    labels: npt.NDArray[np.int64]
    compared: int

    def answers(self) -> Iterator[tuple[dict[str, Any], int | None, float | None]]:
        """Yield each face with its character and confidence (0 to 1, rounded); None for an unknown face."""
        if self.identities is None:
            yield from ((row, None, None) for row in self.faces)
            return
        for row, column, confidence in zip(self.faces, self.identities.person, self.identities.confidence):
            if column == identity.UNKNOWN:
                yield row, None, None
            else:
                yield row, int(self.labels[column]), round(float(confidence), DIGITS)


def identify(
    collection: Collection,
    comparison: Comparison,
    version: ModelVersion,
    *,
    confidence_min: float = identity.CONFIDENCE_MIN,
    on_progress: Callable[[int], None] = lambda faces: None,
) -> Identified:
    """Compare all faces of the collection with a vector of `version` with those of known characters.

    Memory: the vectors of one chunk, and some numbers per face. `on_progress` is called with the number of faces
    compared since the last call, and may raise to stop.
    """
    rows = list(vectors.described(collection, version).values(*FIELDS))
    # "Not in the cast" is a person's label too: such faces are examples of unknown, never named.
    faces = [row for row in rows if row["state"] == FaceState.FACE]
    model = _learn(collection, rows, comparison, version)
    if model is None:
        return Identified(faces, None, np.zeros(0, np.int64), len(rows))
    known = np.full(len(faces), identity.UNKNOWN, np.int64)
    column = {int(label): column_index for column_index, label in enumerate(model.labels)}
    ruled_out: dict[int, list[int]] = {}
    only = _names_by_files(collection, faces)
    for row_index, row in enumerate(faces):
        if row["named_by"] in KNOWN and row["character_id"] in column:
            known[row_index] = column[row["character_id"]]
        denied = [column[key] for key in row["not_characters"] if key in column]
        if row["frame_id"] in only and known[row_index] == identity.UNKNOWN:
            denied += [place for key, place in column.items() if key not in only[row["frame_id"]]]
        if denied:
            ruled_out[row_index] = denied
    keys = [row["pk"] for row in faces]
    track = _tracks(keys, comparison) if keys else np.zeros(0, np.int64)
    identities = identity.decide(
        _likeness(model, keys, track, comparison, on_progress),
        track=track,
        cluster=np.array([row["cluster_id"] or -1 for row in faces], np.int64),
        picture=np.array([row["frame_id"] for row in faces], np.int64),
        known=known,
        ruled_out=ruled_out,
        confidence_min=confidence_min,
    )
    return Identified(faces, identities, model.labels, len(rows))


def _likeness(
    model: Model,
    keys: list[int],
    track: npt.NDArray[np.int64],
    comparison: Comparison,
    on_progress: Callable[[int], None],
) -> FloatArray:
    """How surely each face [N] is each character [K]. By distance, the mean of a track's faces is compared: it has
    less noise than each of them."""
    likeness = np.zeros((len(keys), len(model.labels)), np.float32)
    if not keys:
        return likeness
    points = np.zeros((len(keys), 0 if isinstance(model, KnownFaces) else len(model.basis)), np.float32)
    for places, features in vectors.chunks(keys, comparison.unpack):
        if isinstance(model, KnownFaces):
            likeness[places] = model.likeness(features)
        else:
            points[places] = matching.points_of(model, comparison.balance(features))
        on_progress(len(features))
    if isinstance(model, KnownFaces):
        return likeness
    return matching.likeness_of_points(model, means(points, track))[track]


def likeness_of(model: Model, features: FloatArray) -> FloatArray:
    """Return how surely each of `features` [N, D] is each character [K], 0 to 1."""
    return model.likeness(features) if isinstance(model, KnownFaces) else matching.likeness(model, features)


def _names_by_files(collection: Collection, faces: Sequence[dict[str, Any]]) -> dict[int, set[int]]:
    """Return the possible characters by frame key, where files or people name at least as many as there are faces."""
    count = Counter(row["frame_id"] for row in faces)
    names: dict[int, set[int]] = {}
    rows = FrameCharacter.objects.filter(frame__collection=collection).exclude(origin=TAGGER)
    for frame, character in rows.filter(state=TagState.YES).values_list("frame_id", "character_id").order_by():
        names.setdefault(frame, set()).add(character)
    return {frame: people for frame, people in names.items() if len(people) >= count[frame]}


def _tracks(keys: list[int], comparison: Comparison) -> npt.NDArray[np.int64]:
    unpack, metric = comparison.unpack, comparison.metric
    if metric is not None:
        half = vectors.half_vectors_of(keys, metric, unpack)
        none = np.zeros((0, 0), np.float32)
        return vectors.tracks_of(keys, none, distances=vectors.distances_by(metric, half))
    projection = vectors.projection_of(keys, unpack)
    return vectors.tracks_of(keys, vectors.points_of(keys, projection, unpack))


def _learn(
    collection: Collection, rows: Sequence[dict[str, Any]], comparison: Comparison, version: ModelVersion
) -> Model | None:
    """Build the model from named faces and reference pictures; None when nothing is named."""
    unpack = comparison.unpack
    named = [row for row in rows if row["named_by"] in KNOWN and row["character_id"] is not None]
    pictures = list(
        ReferencePicture.objects.filter(collection=collection, embedding__isnull=False, embedding_version=version)
        .order_by("pk")
        .values_list("character_id", "embedding")
    )
    if not named and not pictures:
        return None
    labels = np.array([row["character_id"] for row in named], np.int64)
    chosen = matching.evenly(labels)
    features = [vectors.vectors_of([named[index]["pk"] for index in chosen], unpack)] if len(chosen) else []
    owners = [labels[chosen]] if len(chosen) else []
    if pictures:
        features.append(unpack([data or b"" for _, data in pictures]))
        owners.append(np.array([of for of, _ in pictures], np.int64))
    if comparison.metric is not None:
        return KnownFaces.of(np.concatenate(features), np.concatenate(owners), comparison.metric)
    places = np.linspace(0, len(rows) - 1, min(len(rows), matching.SAMPLE_MAX)).round().astype(int)
    sample = vectors.vectors_of([rows[place]["pk"] for place in np.unique(places)], unpack)
    population = matching.population_of(comparison.balance(sample)) if len(sample) else None
    examples = comparison.balance(np.concatenate(features))
    return matching.fit(examples, np.concatenate(owners), population=population)
