"""Names for the groups and faces that a page shows, from the faces named so far: a sample is compared, at once.

The same comparison as in the stage Name faces (`identification`), with as many faces as a response can wait for: a few
of each group, and a few of each character as examples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from django.core.cache import cache
from django.db.models import F, Q, Sum, Window
from django.db.models.functions import Mod, RowNumber
from threadpoolctl import threadpool_limits

from annotate.algorithms import identity, matching
from annotate.backends.embedders.known_embedders import Comparison
from annotate.chosen_models.embedder import comparison_of
from annotate.models import Character, Face, FaceCluster, FaceCount, FaceState, ModelVersion, ReferencePicture
from annotate.naming.identification import DIGITS, KNOWN, Model, likeness_of
from annotate.naming.known_faces import KnownFaces
from ingest.models import Collection, FrameState
from ingest.stamp import stamp

IntArray = npt.NDArray[np.int64]

CLUSTERS_MAX = 60  # of one question
FACES_MAX = 60  # in no group, of one question
FACES_A_CLUSTER = 6  # the clearest
# Examples: 20 characters with 24 faces each take 0.02 s of processor time.
EXAMPLES_MAX = 480
EXAMPLES_A_CHARACTER = 24
CHARACTERS_MAX = 160  # those with the most named faces
POPULATION = 512  # faces of the sample that shows what anybody looks like
KEEP_S = 60  # as `ingest.stamp`, for writes that it does not see


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Who a group or face probably is, and how sure that is (identity.CONFIDENCE_MIN to 1)."""

    name: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Suggestions:
    """By key of the groups and faces that were compared; None: nobody of the cast."""

    clusters: dict[int, Suggestion | None]
    faces: dict[int, Suggestion | None]


def suggest(collection: Collection, *, clusters: Sequence[int], faces: Sequence[int]) -> Suggestions:
    """Compare groups and single faces, by key, with the characters named so far.

    Those beyond CLUSTERS_MAX and FACES_MAX, without a vector or of another collection are left out, and so is
    everything while nobody has a name. Raises BadInput when the recognition model cannot be used.
    """
    nothing = Suggestions({}, {})
    read_at = stamp(collection)  # before anything is read: somebody may name faces meanwhile
    counts = _named_counts(collection)
    comparison = comparison_of(collection) if counts else None
    if comparison is None:
        return nothing
    rows = _rows(collection, clusters[:CLUSTERS_MAX], faces[:FACES_MAX])
    version = _version(rows, comparison)
    rows = [row for row in rows if row["embedding_version_id"] == version]
    if version is None or not rows:
        return nothing
    try:
        with threadpool_limits(1):  # a page has little to compute: synchronising threads would cost more
            model = _model(collection, comparison, version, counts, cache_key=f"{read_at}:{version}")
            return _compared(rows, comparison, model) if model is not None else nothing
    except ValueError:  # vectors that an older Koma computed: the next run computes them anew
        return nothing


def _compared(rows: list[dict[str, Any]], comparison: Comparison, model: Model) -> Suggestions:
    column = {int(label): place for place, label in enumerate(model.labels)}
    known = np.array(
        [column.get(row["character_id"], identity.UNKNOWN) if row["named_by"] in KNOWN else identity.UNKNOWN
         for row in rows], np.int64,
    )  # fmt: skip
    vectors = comparison.vectors([bytes(row["embedding"]) for row in rows])
    identities = identity.decide(
        likeness_of(model, vectors),
        cluster=np.array([row["cluster_id"] or -1 for row in rows], np.int64),
        picture=np.array([row["frame_id"] for row in rows], np.int64),
        known=known,
        ruled_out=_ruled_out(rows, column),
    )
    names = dict(Character.objects.filter(pk__in=list(column)).values_list("pk", "name"))

    def suggestion(person: int, confidence: float) -> Suggestion | None:
        name = names.get(int(model.labels[person])) if person != identity.UNKNOWN else None
        return None if name is None else Suggestion(name, round(float(confidence), DIGITS))

    waiting = np.array([row["character_id"] is None for row in rows])
    groups: dict[int, int] = {}
    group = np.array(
        [groups.setdefault(row["group"], len(groups)) if row["group"] and waits else -1
         for row, waits in zip(rows, waiting)], np.int64,
    )  # fmt: skip
    inside = group >= 0
    grouped = identity.of_groups(
        identity.Identities(identities.person[inside], identities.confidence[inside]), group[inside], len(groups)
    )
    alone = np.flatnonzero(waiting & ~inside)
    return Suggestions(
        {key: suggestion(grouped.person[index], grouped.confidence[index]) for key, index in groups.items()},
        {rows[index]["pk"]: suggestion(identities.person[index], identities.confidence[index]) for index in alone},
    )


def _rows(collection: Collection, clusters: Sequence[int], faces: Sequence[int]) -> list[dict[str, Any]]:
    """The faces to compare: of each group the clearest that wait, with those already named in it, and `faces`.

    `group` is the group that is asked for; 0 for a single face.
    """
    # By the groups of the collection, not by the collection: SQLite would go through all of its faces.
    own = list(FaceCluster.objects.filter(collection=collection, pk__in=clusters).values_list("pk", flat=True))
    real = Face.objects.filter(state=FaceState.FACE).order_by()
    waiting = Q(character__isnull=True)
    ranked = real.filter(waiting | Q(named_by__in=KNOWN), cluster__in=own).annotate(
        rank=Window(
            RowNumber(), partition_by=[F("cluster_id"), F("named_by")], order_by=[F("score").desc(), F("pk").asc()]
        )
    )
    # Keys alone come out of the index; whole rows are read for what is compared.
    chosen = ranked.filter(rank__lte=FACES_A_CLUSTER).values("pk")
    fields = (
        "pk", "frame_id", "cluster_id", "named_by", "character_id", "not_characters", "embedding",
        "embedding_version_id",
    )  # fmt: skip
    described = Face.objects.filter(embedding__isnull=False, frame__state=FrameState.KEPT).order_by("pk")
    requested = set(own)
    rows: dict[int, dict[str, Any]] = {}
    for part in (described.filter(pk__in=chosen), described.filter(waiting, pk__in=list(faces), state=FaceState.FACE)):
        for row in part.values(*fields, "collection_id"):
            if row["collection_id"] != collection.pk:
                continue
            rows[row["pk"]] = row | {"group": row["cluster_id"] if row["cluster_id"] in requested else 0}
    return list(rows.values())


def _version(rows: Sequence[Mapping[str, Any]], comparison: Comparison) -> int | None:
    """The newest version of the chosen embedder among the vectors."""
    versions = ModelVersion.objects.filter(
        pk__in={row["embedding_version_id"] for row in rows}, task="embedding", name=comparison.name
    )
    return versions.order_by("-pk").values_list("pk", flat=True).first()


def _ruled_out(rows: Sequence[Mapping[str, Any]], column: Mapping[int, int]) -> dict[int, list[int]]:
    """By row the columns of characters that people denied, or that another face of the picture is."""
    taken: dict[int, set[int]] = {}
    frames = {row["frame_id"] for row in rows}
    others = Face.objects.filter(frame__in=frames, state=FaceState.FACE, named_by__in=KNOWN, character__isnull=False)
    for frame, character in others.order_by().values_list("frame_id", "character_id"):
        taken.setdefault(frame, set()).add(character)
    ruled_out = {}
    for place, row in enumerate(rows):
        if row["character_id"] is None:
            denied = {*row["not_characters"], *taken.get(row["frame_id"], ())}
            if columns := [column[key] for key in denied if key in column]:
                ruled_out[place] = columns
    return ruled_out


def _named_counts(collection: Collection) -> dict[int, int]:
    """Known faces and reference pictures by character, the most first; at most CHARACTERS_MAX."""
    named = FaceCount.objects.filter(collection_id=collection.pk, state=FaceState.FACE, named_by__in=KNOWN, n__gt=0)
    rows = named.exclude(character_id=0).order_by().values_list("character_id").annotate(sum=Sum("n"))
    counts = dict(rows)
    for character in ReferencePicture.objects.filter(collection=collection).values_list("character_id", flat=True):
        counts[character] = counts.get(character, 0) + 1
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:CHARACTERS_MAX])


@dataclass(slots=True)
class _Learned:
    """What was learned last of a collection, and the faces that were its examples: (known faces, keys) by character."""

    cache_key: str
    model: Model | None
    examples: dict[int, tuple[int, list[int]]]


def _model(
    collection: Collection, comparison: Comparison, version: int, counts: Mapping[int, int], *, cache_key: str
) -> Model | None:
    """The model of the examples, learned anew after each change (`cache_key`); None where they have no vectors.

    One entry of the cache per collection: a model has about a megabyte.
    """
    key = f"suggestions-{collection.pk}"
    last: _Learned | None = cache.get(key)
    if last is not None and last.cache_key == cache_key:
        return last.model
    maximum = min(EXAMPLES_A_CHARACTER, max(1, EXAMPLES_MAX // len(counts)))
    old = last.examples if last is not None else {}
    examples = {
        character: old[character] if old.get(character, (0,))[0] == n else (n, _evenly(collection, character))
        for character, n in counts.items()
    }
    labels, data = _examples(collection, examples, version, maximum)
    model: Model | None = None
    if len(labels):
        vectors = comparison.vectors(data)
        if comparison.metric is not None:
            model = KnownFaces.of(vectors, labels, comparison.metric)
        else:
            model = matching.fit(vectors, labels, population=_population(collection, comparison, version))
    # Vectors that a network compares are read again: that is little beside comparing them.
    is_stored = comparison.metric is None
    cache.set(key, _Learned(cache_key if is_stored else "", model if is_stored else None, examples), KEEP_S)
    return model


def _evenly(collection: Collection, character: int) -> list[int]:
    """Keys of at most EXAMPLES_A_CHARACTER known faces of a character, evenly spaced."""
    faces = Face.objects.filter(
        collection=collection, character=character, state=FaceState.FACE, named_by__in=KNOWN
    ).order_by("pk")
    keys = np.array(faces.values_list("pk", flat=True), np.int64)
    chosen = matching.evenly(np.zeros(len(keys), np.int64), maximum=EXAMPLES_A_CHARACTER)
    return [int(key) for key in keys[chosen]]


def _examples(
    collection: Collection, examples: Mapping[int, tuple[int, list[int]]], version: int, maximum: int
) -> tuple[IntArray, list[bytes]]:
    """Characters [N] and packed vectors [N] of at most `maximum` examples per character: faces, reference pictures."""
    pictures = ReferencePicture.objects.filter(
        collection=collection, character__in=list(examples), embedding__isnull=False, embedding_version=version
    )
    owners: list[int] = []
    sources: list[tuple[bool, int]] = []  # whether it is a picture, and its key
    for key, character in pictures.order_by("pk").values_list("pk", "character_id"):
        owners.append(character)
        sources.append((True, key))
    for character, (_, keys) in examples.items():
        owners += [character] * len(keys)
        sources += [(False, key) for key in keys]
    chosen = [sources[place] for place in matching.evenly(np.array(owners, np.int64), maximum=maximum)]
    picture_rows = pictures.filter(pk__in=[key for is_picture, key in chosen if is_picture])
    # Read with the vectors: a face may have got another name since the keys were chosen.
    face_rows = Face.objects.filter(
        pk__in=[key for is_picture, key in chosen if not is_picture], state=FaceState.FACE, named_by__in=KNOWN,
        character__isnull=False, embedding__isnull=False, embedding_version=version, frame__state=FrameState.KEPT,
    )  # fmt: skip
    rows = [
        (int(character or 0), bytes(data or b""))
        for queryset in (picture_rows, face_rows)
        for character, data in queryset.order_by("pk").values_list("character_id", "embedding")
    ]
    return np.array([character for character, _ in rows], np.int64), [data for _, data in rows]


def _population(collection: Collection, comparison: Comparison, version: int) -> matching.Population | None:
    """What a sample of the collection's faces looks like; None where none has a vector. Cached for a while."""
    key = f"population-{collection.pk}-{version}"
    population: matching.Population | None = cache.get(key)
    if population is None:
        faces = Face.objects.filter(collection=collection, state=FaceState.FACE)
        step = max(1, faces.order_by().count() // POPULATION) | 1  # odd, as keys may come in twos
        keys = faces.alias(part=Mod(F("pk"), step)).filter(part=0).order_by("pk").values("pk")[:POPULATION]
        rows = Face.objects.filter(pk__in=list(keys.values_list("pk", flat=True)), embedding__isnull=False)
        data = list(rows.filter(embedding_version=version).order_by("pk").values_list("embedding", flat=True))
        if not data:
            return None
        population = matching.population_of(comparison.vectors([bytes(vector or b"") for vector in data]))
        cache.set(key, population, KEEP_S)
    return population
