"""Counts that the database keeps: whatever writes the rows, they say what counting anew would say."""

from __future__ import annotations

import random
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from annotate.models import Character, Face, FaceCount, FrameTag, NamedFrameCount, Tag
from ingest import counting
from ingest.models import Collection, Episode, Frame, FrameCount, Source

pytestmark = pytest.mark.django_db


def make_episodes(collection: Collection, count: int = 2) -> list[Episode]:
    sources = [
        Source.objects.create(
            collection=collection, kind="video", name=f"{n}.mkv", path=f"/{n}.mkv", sha256=f"{n:064d}"
        )
        for n in range(count)
    ]
    return [Episode.objects.create(collection=collection, source=source) for source in sources]


def make_frames(collection: Collection, episode: Episode, count: int) -> list[Frame]:
    first = 1 + max(episode.frames.values_list("index", flat=True), default=0)
    return Frame.objects.bulk_create(
        Frame(collection=collection, episode=episode, index=first + n, width=10, height=10) for n in range(count)
    )


def a_face(frame: Frame, **values: Any) -> Face:
    return Face(collection_id=frame.collection_id, frame=frame, left=0, top=0, right=1, bottom=1, **values)


def total(model: Any, **where: Any) -> int:
    return sum(model.objects.filter(**where).values_list("n", flat=True))


def test_counts_follow_a_name_a_drop_and_a_deletion(collection: Collection) -> None:
    episode = make_episodes(collection, 1)[0]
    frames = make_frames(collection, episode, 3)
    mio = Character.objects.create(collection=collection, name="Mio")
    faces = Face.objects.bulk_create([a_face(frames[0]), a_face(frames[0]), a_face(frames[1], character=mio)])
    assert total(FrameCount, state="kept") == 3
    assert total(FaceCount, character_id=mio.pk) == 1
    assert total(NamedFrameCount, frame_state="kept") == 1

    Face.objects.filter(frame=frames[0]).update(character=mio, named_by="person")
    assert total(FaceCount, character_id=mio.pk, named_by="person") == 2
    assert total(NamedFrameCount) == 2, "two named faces on one picture are one frame"

    Frame.objects.filter(pk=frames[0].pk).update(state="dropped", reason="person")
    assert total(NamedFrameCount, frame_state="kept") == 1
    assert total(FaceCount, frame_state="dropped") == 2

    faces[2].delete()
    mio.delete()  # the others lose their name by a cascade
    assert total(NamedFrameCount) == 0
    assert counting.differences(collection.pk) == []


@pytest.mark.parametrize("seed", range(4))
def test_counts_are_right_after_any_series_of_writes(collection: Collection, seed: int) -> None:
    rng = random.Random(seed)
    episodes = make_episodes(collection)
    tags = Tag.objects.bulk_create(Tag(name=f"tag_{n}") for n in range(3))
    people = [Character.objects.create(collection=collection, name=f"P{n}") for n in range(3)]

    def some(model: Any, most: int = 4) -> Any:
        keys = list(model.objects.filter(collection=collection).values_list("pk", flat=True))
        return model.objects.filter(pk__in=rng.sample(keys, min(len(keys), rng.randint(1, most))))

    def add_frames() -> None:
        make_frames(collection, rng.choice(episodes), rng.randint(1, 4))

    def add_frames_again() -> None:
        rows = [*some(Frame), Frame(collection=collection, episode=episodes[0], index=900, width=1, height=1)]
        for row in rows:
            row.pk = None
        Frame.objects.bulk_create(rows, ignore_conflicts=True)

    def add_faces() -> None:
        Face.objects.bulk_create(a_face(frame, character=rng.choice([None, *people])) for frame in some(Frame))

    def change_frames() -> None:
        state = rng.choice(["kept", "dropped"])
        some(Frame).update(state=state, reason="" if state == "kept" else rng.choice(["black", "person"]))

    def count_faces() -> None:
        some(Frame).update(face_count=rng.choice([None, 0, 1, 2]))

    def name_faces() -> None:
        some(Face).update(character=rng.choice([None, *people]), named_by=rng.choice(["", "model", "person"]))

    def name_by_row() -> None:
        rows = list(some(Face))
        for row in rows:
            row.character, row.state = rng.choice([None, *people]), rng.choice(["face", "nobody", "not_a_face"])
        Face.objects.bulk_update(rows, ["character", "state"])

    def move_faces() -> None:
        frame = some(Frame, 1).first()
        if frame is not None:
            some(Face).update(frame=frame)

    def change_other_columns() -> None:
        some(Face).update(score=F("score") + 1)
        some(Frame).update(quality=rng.random())

    def say_tags() -> None:
        frames = list(some(Frame))
        FrameTag.objects.bulk_create(
            (FrameTag(frame=frame, tag=rng.choice(tags), state=rng.choice(["yes", "no"])) for frame in frames),
            ignore_conflicts=True,
        )

    def change_tags() -> None:
        rows = FrameTag.objects.filter(frame__in=some(Frame))
        rows.update(state=rng.choice(["yes", "no"]), score=rng.random())

    def remove_tags() -> None:
        FrameTag.objects.filter(frame__in=some(Frame), tag=rng.choice(tags)).delete()

    def remove_faces() -> None:
        some(Face).delete()

    def remove_frames() -> None:
        some(Frame, 2).delete()

    def lose_a_character() -> None:
        some(Character, 1).delete()
        people[:] = list(Character.objects.filter(collection=collection)) or [
            Character.objects.create(collection=collection, name=f"New {rng.random()}")
        ]

    def fail() -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            add_frames()
            change_frames()
            Frame.objects.create(collection=collection, episode=episodes[0], index=7, width=1, height=1)
            Frame.objects.create(collection=collection, episode=episodes[0], index=7, width=1, height=1)

    writes = [add_frames, add_frames_again, add_faces, add_faces, change_frames, count_faces, name_faces, name_by_row]
    writes += [say_tags, say_tags, change_tags, remove_tags]
    writes += [move_faces, change_other_columns, remove_faces, remove_frames, lose_a_character, fail]
    add_frames()
    for _ in range(70):
        write = rng.choice(writes)
        write()
        assert counting.differences(collection.pk) == [], write.__name__
    episodes[0].delete()
    assert counting.differences(collection.pk) == []


def test_a_lost_trigger_is_made_again_and_everything_is_counted_anew(collection: Collection) -> None:
    episode = make_episodes(collection, 1)[0]
    counting.uninstall()
    make_frames(collection, episode, 5)
    assert counting.differences(collection.pk), "nothing counted them"
    counting.install()
    assert counting.differences(collection.pk) == []
    make_frames(collection, episode, 2)
    assert total(FrameCount, episode_id=episode.pk) == 7


def test_a_table_can_be_rebuilt_between_the_hooks_of_a_migration(collection: Collection) -> None:
    """SQLite rebuilds a changed table and refuses that while a trigger names it."""
    make_frames(collection, make_episodes(collection, 1)[0], 3)
    counting.before_migrate(using="default")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE ingest_frame RENAME TO ingest_frame_old")
        cursor.execute("ALTER TABLE ingest_frame_old RENAME TO ingest_frame")
    counting.after_migrate(using="default")
    assert counting.differences(collection.pk) == []
    assert total(FrameCount) == 3
