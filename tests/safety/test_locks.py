"""Locks: one order everywhere, nobody writes over what was said meanwhile, and who lost a turn takes it again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from annotate.actions import boxes, captions, characters, checks, clusters, frame_characters, tags
from annotate.actions import faces as face_actions
from annotate.models import Character, Face, FaceState, NamedBy
from ingest import locking
from ingest.actions import collections, frames, history, runs, sources
from ingest.errors import Conflict, KomaError
from ingest.models import Collection, Frame, Source
from ingest.pipeline import registry
from tests.annotate.face_graph import write_graph
from tests.conftest import client_of
from tests.safety.conftest import World
from tests.safety.lock_order import watching

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

HELD_S = 0.6


def meanwhile(first: Callable[[], Any], second: Callable[[], Any]) -> tuple[Any, Any]:
    """Run `first` in a transaction that stays open while `second` begins on a connection of its own; both results."""
    opened = threading.Event()
    results: dict[str, Any] = {}

    def hold_open() -> None:
        try:
            with transaction.atomic():
                results["first"] = first()
                opened.set()
                time.sleep(HELD_S)
        finally:
            connection.close()

    def follow() -> None:
        try:
            opened.wait(20)
            results["second"] = second()
        except KomaError as error:
            results["second"] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=action) for action in (hold_open, follow)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results["first"], results["second"]


def test_an_undo_sees_what_somebody_says_at_that_moment(world: World, alice: User, bob: User) -> None:
    """It waits, looks, and leaves the other person's answer alone."""
    operation = face_actions.not_a_face(collection=world.collection, faces=[world.faces[0]], by=bob)
    _, undone = meanwhile(
        lambda: face_actions.nobody(collection=world.collection, faces=[world.faces[0]], by=alice),
        lambda: history.undo(operation, by=bob),
    )
    assert isinstance(undone, Conflict)
    face = Face.objects.get(pk=world.faces[0].pk)
    assert (face.state, face.named_user_id) == (FaceState.NOBODY, alice.pk)


def test_two_who_change_one_episode_at_once_leave_a_history_without_a_gap(world: World, alice: User, bob: User) -> None:
    episode = world.rows["episode_id"]
    stale = type(episode).objects.select_related("source").get(pk=episode.pk)
    meanwhile(
        lambda: sources.change(episode=episode, by=alice, values={"title": "One"}),
        lambda: sources.change(episode=stale, by=bob, values={"title": "Two"}),
    )
    first, second = history.Revision.objects.filter(model="ingest.Episode").order_by("pk")
    assert (second.before, second.after) == (first.after, {"title": "Two"})


def test_similar_image_removal_leaves_a_frame_to_the_person_who_decides_while_it_compares(
    world: World, alice: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy that a person restores between the reading and the writing stays, and so does the one that lost its
    better copy to a person's drop."""
    from ingest.algorithms.descriptors import DESCRIPTOR_SIZE, DESCRIPTOR_VERSION
    from ingest.algorithms.quality import QUALITY_VERSION
    from ingest.stages.dedup import Dedup

    same = {"descriptor": bytes(range(256)) * (DESCRIPTOR_SIZE // 256) + bytes(DESCRIPTOR_SIZE % 256)}
    Frame.objects.filter(pk__in=[frame.pk for frame in world.frames]).update(
        descriptor_version=DESCRIPTOR_VERSION, quality=0.1, quality_version=QUALITY_VERSION, **same
    )
    best, copy, other = world.frames
    Frame.objects.filter(pk=best.pk).update(quality=0.9)
    read = threading.Event()
    decided = threading.Event()
    work = Dedup.work

    def slow(self: Dedup, batch: Any) -> Any:
        read.set()
        decided.wait(20)
        return work(self, batch)

    monkeypatch.setattr(Dedup, "work", slow)
    settings.PIPELINE_STAGES = ["ingest.stages.dedup.Dedup"]
    registry.stages.cache_clear()

    def decide() -> None:
        try:
            read.wait(20)
            frames.restore(collection=world.collection, frames=[copy], by=alice)
            frames.drop(collection=world.collection, frames=[best], by=alice)
        finally:
            decided.set()
            connection.close()

    person = threading.Thread(target=decide)
    try:
        run = runs.start(collection=world.collection, episodes=[], by=None, stage_names=["dedup"])
        person.start()
        assert runs.run_here(run).state == "done", run.stages.get().error
    finally:
        person.join(30)
        registry.stages.cache_clear()
    states = dict(Frame.objects.filter(pk__in=[best.pk, copy.pk, other.pk]).values_list("pk", "state"))
    assert states == {best.pk: "dropped", copy.pk: "kept", other.pk: "kept"}
    assert Frame.objects.get(pk=other.pk).duplicate_of_id is None


@pytest.mark.postgres_only  # SQLite has one writer
def test_bulk_work_of_one_collection_does_not_hold_up_another(world: World, alice: User) -> None:
    other = Collection.objects.create(name="Other")
    began = time.monotonic()
    seconds: list[float] = []

    def second() -> None:
        characters.create(collection=other, name="Zed", by=alice)
        seconds.append(time.monotonic() - began)

    meanwhile(lambda: characters.create(collection=world.collection, name="Zed", by=alice), second)
    assert seconds[0] < HELD_S


def test_who_loses_a_deadlock_runs_again_from_the_start(world: World) -> None:
    """Two transactions wait for each other's row; PostgreSQL ends one of them, and both end well."""
    a, b = (Character.objects.create(collection=world.collection, name=name) for name in "AB")
    both = threading.Barrier(2)
    runs_of: list[str] = []
    problems: list[BaseException] = []

    def action(name: str, rows: list[Character]) -> None:
        runs_of.append(name)
        with transaction.atomic():
            for index, row in enumerate(rows):
                Character.objects.filter(pk=row.pk).update(version=7)
                if index == 0 and connection.vendor == "postgresql" and len(runs_of) <= 2:
                    both.wait(20)

    def run(name: str, rows: list[Character]) -> None:
        try:
            locking.retried(lambda: action(name, rows))
        except BaseException as error:  # noqa: BLE001 - told below
            problems.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=args) for args in (("first", [a, b]), ("second", [b, a]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not problems
    assert len(runs_of) == (3 if connection.vendor == "postgresql" else 2)


def test_a_view_that_lost_its_turn_every_time_says_so_by_the_kind_of_error(
    world: World, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg.errors
    from django.db import OperationalError

    tried: list[int] = []

    def lost(**_: Any) -> None:
        tried.append(1)
        raise OperationalError("any words") from psycopg.errors.DeadlockDetected()

    monkeypatch.setattr("annotate.actions.faces.history.operation", lost)
    monkeypatch.setattr(locking, "WAIT_S", 0)
    url = world.address("faces_change")
    answer = client_of(alice).post(url, {"act": "nobody", "face": world.faces[0].pk}, headers={"HX-Request": "true"})
    assert answer.status_code == 503
    assert "busy with another change" in answer.headers["HX-Trigger"]
    assert len(tried) == locking.ATTEMPTS


def test_sqlite_that_is_busy_is_known_by_its_code(tmp_path: Any) -> None:
    import sqlite3

    from django.db import OperationalError

    first, second = (sqlite3.connect(tmp_path / "x.sqlite3", timeout=0, isolation_level=None) for _ in range(2))
    first.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError) as raised:
        second.execute("BEGIN IMMEDIATE")
    error = OperationalError("other words")
    error.__cause__ = raised.value
    assert locking.is_turn_taking(error)
    error.__cause__ = sqlite3.OperationalError("database is locked")  # words alone say nothing
    assert not locking.is_turn_taking(error)
    first.close(), second.close()


@pytest.mark.postgres_only  # SQLite locks no rows
def test_every_action_and_stage_takes_its_locks_in_one_order(
    world: World, alice: User, bob: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_graph(settings.KOMA_MODELS_DIR)
    settings.PIPELINE_STAGES = [
        "ingest.stages.dedup.Dedup", "ingest.stages.pictures.Pictures", "annotate.stages.detect.Detect",
        "annotate.stages.embed.Embed", "annotate.stages.cluster.Cluster", "annotate.stages.identify.Identify",
    ]  # fmt: skip
    common: dict[str, Any] = {"collection": world.collection, "by": alice}
    face, other, third = world.faces
    frame, second = world.frames[:2]
    Source.objects.update(exportable=True)
    with watching(monkeypatch) as watch:
        zed = characters.create(name="Zed", **common)
        face_actions.assign(faces=[face, other], character=zed, **common)
        face_actions.is_not(faces=[third], character=zed, **common)
        face_actions.confirm(faces=[face], **common)
        face_actions.set_reference(faces=[face], is_reference=True, **common)
        face_actions.unname(faces=[other], **common)
        face_actions.not_a_face(faces=[third], **common)
        drawn = boxes.draw(frame=frame, box=(0.5, 0.5, 0.7, 0.8), character="Yui", **common)
        boxes.move(face=drawn, box=(0.5, 0.5, 0.6, 0.8), **common)
        checks.check(frame=frame, **common)
        checks.uncheck(frame=frame, **common)
        boxes.delete(face=drawn, **common)
        characters.rename(character=zed, name="Zoe", **common)
        characters.set_parent(character=zed, parent=Character.objects.get(name="Yui"), **common)
        characters.set_parent(character=zed, parent=None, **common)
        characters.split(character=zed, faces=[face], name="Zed in red", as_outfit=True, **common)
        characters.merge(character=Character.objects.get(name="Yui"), into=zed, **common)
        clusters.name(cluster=world.rows["cluster_id"], character="Zoe", **common)
        fresh = clusters.split(cluster=world.rows["cluster_id"], faces=[face.pk], **common)
        clusters.merge(into=world.rows["cluster_id"], others=[fresh], **common)
        clusters.take_out(faces=[face], **common)
        tags.add(frames=[frame, second], names=["smile", "hat"], **common)
        tags.remove(frames=[frame], names=["hat"], **common)
        captions.write(frame=second, text="A girl.", **common)
        frame_characters.decide(frame=second, character="Mai", yes=True, **common)
        frames.drop(frames=[frame], **common)
        frames.restore(frames=[frame], **common)
        frames.leave_out(frames=[frame], excluded=True, **common)
        sources.change(episode=world.rows["episode_id"], by=alice, values={"title": "T", "licence_note": "L"})
        collections.rename(collection=world.collection, name="Other name", by=alice)
        with_undo = 0
        while True:
            try:
                history.undo_last(collection=world.collection, by=alice)
                with_undo += 1
            except Conflict:
                continue
            except KomaError:
                break
        registry.stages.cache_clear()
        try:
            run = runs.start(collection=world.collection, episodes=[world.rows["episode_id"]], by=alice,
                             params={"detect": {"model": "tiny"}}, stage_names=list(registry.stages()))  # fmt: skip
            runs.run_here(run)
        finally:
            registry.stages.cache_clear()
    assert run.state == "done", [row.error for row in run.stages.all()]
    assert with_undo > 25
    assert watch.locks > 200
    assert not watch.problems, "\n".join(watch.problems[:3])
    assert Face.objects.filter(named_by=NamedBy.PERSON, state=FaceState.FACE, character=None).count() == 0
