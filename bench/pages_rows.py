"""Fills a database with one large collection, as months of work would: rows are drawn from a fixed seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import numpy as np
from django.contrib.auth.models import User
from django.core.management.color import no_style
from django.db import connection, models
from django.db.models import JSONField

from annotate.models import Caption, Character, CharacterAlias, Face, FaceCluster, FrameTag, ModelVersion, Tag
from export.models import ExportJob, Recipe
from ingest.algorithms.descriptors import DESCRIPTOR_SIZE
from ingest.models import Collection, Episode, Frame, Membership, Operation, PipelineRun, Shot, Source, StageRun
from ingest.pipeline.registry import stages

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EPISODES, SHOTS = 60, 300  # shots per episode
CHARACTERS, CLUSTERS, TAGS = 60, 4_000, 6_000
TAGS_A_FRAME = 20
PEOPLE, OPERATIONS, RUNS, EXPORTS = 6, 20_000, 121, 60
KEPT = 0.65
REASONS = ("duplicate", "duplicate", "duplicate", "fade", "black", "motion", "blend", "person")
PLACEHOLDER = "data:image/webp;base64," + "UklGRl" * 40
EMBEDDING = bytes(512)


def fill(frames: int, faces: int) -> Collection:
    """All rows, without files. Uses COPY on PostgreSQL."""
    random = np.random.default_rng(7)
    collection = Collection.objects.create(name="Benchmark show")
    others = Collection.objects.bulk_create([Collection(name=f"Another show {n}") for n in range(5)])
    people = User.objects.bulk_create([User(username=f"person{n}") for n in range(PEOPLE)])
    members = [Membership(collection=c, user=p, role=30) for c in [collection, *others] for p in people]
    Membership.objects.bulk_create(members)
    model = ModelVersion.objects.create(task="faces", name="builtin", revision="1")
    episode_keys = _episodes(collection)
    _characters(collection)
    is_kept = random.random(frames) < KEPT
    face_frames = np.sort(random.choice(np.flatnonzero(is_kept), size=faces))
    face_count = np.bincount(face_frames, minlength=frames)
    _put(Frame, _FRAME, _frames(collection, episode_keys, frames, is_kept, face_count, random))
    _faces(collection, model, face_frames, random)
    _tags(model, frames, random)
    _history(collection, people)
    _runs(collection, people[0], episode_keys)
    Recipe.objects.create(collection=collection, name="All", params={})
    Caption.objects.bulk_create(
        [Caption(frame_id=1 + 997 * n, text="a girl", by=people[0]) for n in range(frames // 2000)]
    )
    with connection.cursor() as cursor:
        tables = [Collection, Episode, Source, Shot, Frame, Face, FaceCluster, Character, Tag, FrameTag, Operation]
        for statement in connection.ops.sequence_reset_sql(no_style(), [*tables, PipelineRun, StageRun, ExportJob]):
            cursor.execute(statement)
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
    return collection


_FRAME = (
    *("id", "collection", "episode", "shot", "index", "time_s", "end_s", "width", "height", "file", "preview"),
    *("placeholder", "descriptor", "quality", "measures", "state", "reason", "duplicate_of", "distance"),
    *("excluded", "face_count", "tagged"),
)


def _frames(
    collection: Collection, episodes: list[int], frames: int, is_kept: Any, face_count: Any, random: np.random.Generator
) -> Iterator[tuple[Any, ...]]:
    each = -(-frames // len(episodes))
    descriptors = random.integers(0, 256, (frames, DESCRIPTOR_SIZE), dtype=np.uint8)
    quality = random.random(frames)
    last_kept = 1
    for n in range(frames):
        nth, index = divmod(n, each)
        reason = "" if is_kept[n] else REASONS[n % len(REASONS)]
        copy = reason == "duplicate" and last_kept != n + 1
        if is_kept[n]:
            last_kept = n + 1
        shot = 1 + nth * SHOTS + index * SHOTS // each
        time_s = 0.8 * index
        file = _name(f"f{n}") if is_kept[n] else ""
        yield (
            *(
                n + 1,
                collection.pk,
                episodes[nth],
                shot,
                19 * index,
                time_s,
                time_s + 0.7,
                1920,
                1080,
                file,
                _name(f"p{n}"),
            ),
            *(PLACEHOLDER, descriptors[n].tobytes(), float(quality[n]), {"sharpness": 0.5, "contrast": 0.4}),
            *("kept" if is_kept[n] else "dropped", reason, last_kept if copy else None, 0.02 if copy else None),
            *(n % 211 == 0, int(face_count[n]), True),
        )


def _faces(collection: Collection, model: ModelVersion, face_frames: Any, random: np.random.Generator) -> None:
    """Clusters of falling size; three of four belong to a character, a tenth of all names were given by a person."""
    share = 1.0 / np.arange(1, CLUSTERS + 1) ** 0.6
    which = random.choice(CLUSTERS, size=len(face_frames), p=share / share.sum())
    sizes = np.bincount(which, minlength=CLUSTERS)
    clusters = (
        (1 + n, collection.pk, 1 + n, int(sizes[n]), 1 - n / CLUSTERS * 0.7, None, None) for n in range(CLUSTERS)
    )
    _put(FaceCluster, ("id", "collection", "number", "size", "purity", "guess", "guess_score"), clusters)
    chance = random.random((len(face_frames), 3))
    fields = (
        *("id", "collection", "frame", "left", "top", "right", "bottom", "score", "model_version", "crop", "embedding"),
        *("embedding_version", "cluster", "state", "character", "confidence", "named_by", "not_characters"),
    )

    def rows() -> Iterator[tuple[Any, ...]]:
        for n, (frame, cluster) in enumerate(zip(face_frames.tolist(), which.tolist(), strict=True)):
            state = "face" if chance[n, 0] < 0.95 else "nobody" if chance[n, 0] < 0.98 else "not_a_face"
            named = state == "face" and cluster % 4 != 3 and chance[n, 1] < 0.9
            by = ("person" if chance[n, 2] < 0.1 else "model") if named else ""
            left = 0.1 + 0.5 * chance[n, 1]
            yield (
                *(n + 1, collection.pk, frame + 1, left, 0.2, left + 0.2, 0.6, 0.5 + chance[n, 2] / 2, model.pk),
                *(_name(f"c{n}"), EMBEDDING, model.pk, cluster + 1, state),
                *(cluster % CHARACTERS + 1 if named else None, chance[n, 1] if by == "model" else None, by, []),
            )

    _put(Face, fields, rows())


def _tags(model: ModelVersion, frames: int, random: np.random.Generator) -> None:
    """Every frame bears the same number of tags out of a vocabulary in which a few are on every second frame."""
    names = (((n + 1), f"{'abcdefghij'[n % 10]}tag_{n}", 0, 1_000_000 // (n + 1)) for n in range(TAGS))
    _put(Tag, ("id", "name", "category", "post_count"), names)
    share = 1.0 / np.arange(1, TAGS + 1) ** 0.9
    share /= share.sum()
    index = datetime.now(UTC)

    def rows() -> Iterator[tuple[Any, ...]]:
        number = 0
        for n in range(0, frames, 1000):
            drawn = random.choice(TAGS, size=(min(1000, frames - n), TAGS_A_FRAME * 2), p=share)
            for frame, row in enumerate(drawn.tolist(), start=n + 1):
                for tag in list(dict.fromkeys(row))[:TAGS_A_FRAME]:
                    number += 1
                    yield number, frame, tag + 1, "yes", 0.8, model.pk, index

    _put(FrameTag, ("id", "frame", "tag", "state", "score", "model_version", "at"), rows())


def _episodes(collection: Collection) -> list[int]:
    keys = list(range(1, EPISODES + 1))
    sources = ((k, collection.pk, "video", f"Show - {k:02d}.mkv", f"/x/{k}.mkv", _hash(f"s{k}"), NOW) for k in keys)
    _put(Source, ("id", "collection", "kind", "name", "path", "sha256", "added_at"), sources)
    rows = ((k, collection.pk, k, "Show", 1, f"{k:02d}", f"Show {k}", 1440.0, 23.976, 34_000, NOW, NOW) for k in keys)
    fields = ("id", "collection", "source", "series", "season", "number", "title", "duration_s", "frame_rate")
    _put(Episode, (*fields, "decoded", "extracted_at", "created_at"), rows)
    length = 1440 / SHOTS
    shots = ((1 + e * SHOTS + n, e + 1, n, n * length, (n + 1) * length) for e in range(EPISODES) for n in range(SHOTS))
    _put(Shot, ("id", "episode", "index", "start_s", "end_s"), shots)
    return keys


def _characters(collection: Collection) -> None:
    rows = ((n + 1, collection.pk, f"Person {n:02d}", 1 + n % 7 if n >= 50 else None, NOW) for n in range(CHARACTERS))
    _put(Character, ("id", "collection", "name", "parent", "created_at"), rows)
    aliases = [
        CharacterAlias(collection=collection, character_id=n + 1, name=f"Alias {n}") for n in range(0, CHARACTERS, 2)
    ]
    CharacterAlias.objects.bulk_create(aliases)


def _history(collection: Collection, people: list[User]) -> None:
    rows = (
        (n + 1, collection.pk, people[n % PEOPLE].pk, "faces.name", f"{n % 90} faces named", NOW + timedelta(minutes=n))
        for n in range(OPERATIONS)
    )
    _put(Operation, ("id", "collection", "by", "kind", "summary", "at"), rows)


def _runs(collection: Collection, by: User, episodes: list[int]) -> None:
    """Runs through all stages, each eighth over all episodes, the others over one; and datasets."""
    ended = NOW + timedelta(hours=1)
    rows = ((n + 1, collection.pk, by.pk, NOW, ended, "done", "1.0") for n in range(RUNS))
    _put(PipelineRun, ("id", "collection", "created_by", "created_at", "finished_at", "state", "code_version"), rows)
    fields = (
        *("id", "run", "episode", "stage", "order", "queue", "state", "attempt", "total", "done", "counters"),
        *("timings", "log", "heartbeat_at", "started_at", "finished_at"),
    )

    def steps() -> Iterator[tuple[Any, ...]]:
        number = 0
        for run in range(RUNS):
            for order, stage in enumerate(stages().values()):
                over = episodes if run % 8 == RUNS % 8 else [episodes[run % len(episodes)]]
                for episode in over if stage.per_episode else [None]:
                    number += 1
                    yield (
                        *(number, run + 1, episode, stage.name, order, "cpu", "done", 1, 1600, 1600, {"kept": 900}),
                        *({"total": 60.0, "work": 50.0, "save": 5.0}, "begun\nended\n" * 5, ended, NOW, ended),
                    )

    _put(StageRun, fields, steps())
    jobs = [
        ExportJob(
            collection=collection, name=f"Set {n}", created_by=by, state="done", total=60_000, done=60_000,
            finished_at=ended,
            counters={"pictures": 60_000, "frames": 60_000, "folders": 900, "epoch": 80_000.0},
            folder=f"1 show/set-{n}", zip_file=f"1 show/set-{n}.zip",
        )
        for n in range(EXPORTS)
    ]  # fmt: skip
    ExportJob.objects.bulk_create(jobs)


def _put(model: type[models.Model], names: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    """Insert rows of the named fields; the others have their defaults."""
    fields = [model._meta.get_field(name) for name in names]
    rest = [f for f in model._meta.concrete_fields if f not in fields and not (f.primary_key or f.null)]
    constants = tuple(_ready(field)(field.get_default()) for field in rest)
    adapt = [(index, _ready(field)) for index, field in enumerate(fields) if isinstance(field, JSONField)]
    columns = ", ".join(connection.ops.quote_name(str(getattr(field, "column"))) for field in [*fields, *rest])  # noqa: B009
    table = connection.ops.quote_name(model._meta.db_table)

    def complete() -> Iterator[tuple[Any, ...]]:
        for row in rows:
            values = list(row)
            for index, ready in adapt:
                values[index] = ready(values[index])
            yield (*values, *constants)

    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in complete():
                    copy.write_row(row)
        else:
            marks = ", ".join(["%s"] * (len(fields) + len(rest)))
            insert = f"INSERT INTO {table} ({columns}) VALUES ({marks})"
            ready = complete()
            while part := list(islice(ready, 5000)):
                cursor.executemany(insert, part)


def _ready(field: Any) -> Callable[[Any], Any]:
    """What the database's own client takes for a value of the field."""
    if isinstance(field, JSONField):
        return json.dumps
    return lambda value: field.get_db_prep_save(value, connection)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _name(text: str) -> str:
    """A store name that no other row has, so that indexes are as large as in earnest."""
    digest = _hash(text)
    return f"{digest[:2]}/{digest[2:4]}/{digest}.webp"
