"""Files of the store that nothing names go; whatever a row, the history or a writer at work needs stays."""

from __future__ import annotations

import os
import threading
import time
import zipfile
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from annotate.actions import boxes
from annotate.models import Face
from ingest.actions import collections, history
from ingest.backup.read import restore
from ingest.backup.write import write
from ingest.errors import BadInput
from ingest.models import Collection, Episode, Frame, Source
from ingest.storage import forgotten_files, stored_files
from ingest.storage.stored_files import store
from tests.films import png

pytestmark = pytest.mark.django_db
DAYS = 3 * 24 * 3600


@pytest.fixture()
def frame(collection: Collection) -> Frame:
    source = Source.objects.create(collection=collection, kind="pictures", name="a", path="a", sha256="a" * 64)
    episode = Episode.objects.create(collection=collection, source=source, title="a")
    file = store().put(png(shade=1, size=(160, 120)), "png")
    return Frame.objects.create(
        collection=collection, episode=episode, index=0, width=160, height=120, file=file, preview=put("preview"),
        original=file,
    )  # fmt: skip


def put(words: str) -> str:
    return store().put(words.encode(), "jpg")


def age(*names: str, seconds: float = DAYS) -> None:
    for name in names:
        os.utime(store().path(name), (time.time() - seconds,) * 2)


def stored_names() -> set[str]:
    return {name for _, name in store().names()}


def test_old_files_that_nothing_names_go_and_all_others_stay(frame: Frame) -> None:
    forgotten, young = put("of a box that was moved"), put("of a worker that has not saved yet")
    age(forgotten, frame.file, frame.preview)
    (store().root / "ab").mkdir(exist_ok=True)
    swept = forgotten_files.sweep_from(store())
    assert (swept.seen, swept.forgotten, swept.size) == (4, 1, len("of a box that was moved"))
    assert stored_names() == {frame.file, frame.preview, young}


def test_the_crop_of_a_deleted_box_stays_while_an_undo_can_bring_it_back(frame: Frame, alice: User) -> None:
    drawn = boxes.draw(collection=frame.collection, frame=frame, box=(0.1, 0.1, 0.5, 0.6), by=alice)
    crop = put("the head")
    Face.objects.filter(pk=drawn.pk).update(crop=crop)
    age(crop, frame.file, frame.preview)
    done = boxes.delete(collection=frame.collection, face=drawn.pk, by=alice)
    assert not Face.objects.filter(crop=crop).exists()
    assert forgotten_files.sweep_from(store()).forgotten == 0
    history.undo(done, by=alice)
    assert Face.objects.get(crop=crop)
    assert crop in stored_names()


def test_crops_outlive_no_deleted_collection(frame: Frame, alice: User) -> None:
    moved = put("crop of a box that was moved before")
    named = {frame.file, frame.preview}
    age(moved, *named)
    collections.delete(collection=frame.collection, typed_name=frame.collection.name, by=alice)
    assert stored_names() == {moved}
    forgotten_files.sweep_from(store())
    assert stored_names() == set()


def test_a_sweep_looks_at_a_part_and_the_next_one_goes_on_behind_it(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [put(f"{n}") for n in range(40)]
    age(*names)
    monkeypatch.setattr(forgotten_files, "FILES_MAX", 15)
    assert [forgotten_files.sweep().seen for _ in range(3)] == [15, 15, 10]
    assert stored_names() == set()
    assert forgotten_files.sweep() == forgotten_files.Swept()  # and from the start again


def test_what_is_put_again_while_a_sweep_looks_is_young_and_stays(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = put("the same bytes")
    age(name)
    original = stored_files.named

    def meanwhile(names: Any) -> set[str]:
        in_use = original(names)
        assert put("the same bytes") == name  # a writer at this moment: it finds the file, or writes it again
        return in_use

    monkeypatch.setattr(stored_files, "named", meanwhile)
    assert forgotten_files.sweep_from(store()).forgotten == 0
    assert stored_names() == {name} and store().is_sound(name)


def test_what_gets_a_row_while_a_sweep_looks_stays(frame: Frame, monkeypatch: pytest.MonkeyPatch) -> None:
    name = put("named at the last moment")
    age(name)
    original, calls = stored_files.named, []

    def meanwhile(names: Any) -> set[str]:
        in_use = original(names) if calls else set()
        calls.append(names)
        Frame.objects.filter(pk=frame.pk).update(preview=name)
        return in_use

    monkeypatch.setattr(stored_files, "named", meanwhile)
    assert forgotten_files.sweep_from(store()).forgotten == 0
    assert name in stored_names()


def test_what_a_killed_sweep_had_set_aside_comes_back(collection: Collection) -> None:
    name = put("set aside")
    assert store().set_aside(name) is not None
    assert stored_names() == set()
    forgotten_files.sweep_from(store())
    assert stored_names() == {name}


def test_writers_at_work_lose_nothing_to_sweeps_beside_them(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real files and threads; rows are a set here, since what races is the files."""
    files, rows, stop = store(), set[str](), threading.Event()
    monkeypatch.setattr(stored_files, "named", lambda names: rows & set(names))

    def write(seed: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            name = files.put(f"{(seed * number) % 400}".encode(), "jpg")  # again and again, after more than `age_s`
            time.sleep(0.001)
            rows.add(name)
            if number % 3 == 0:
                rows.discard(name)  # a box was moved

    threads = [threading.Thread(target=write, args=(seed + 3,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    forgotten, until = 0, time.monotonic() + 2
    while time.monotonic() < until:
        forgotten += forgotten_files.sweep_from(files, age_s=0.03).forgotten
    stop.set()
    for thread in threads:
        thread.join()
    assert forgotten > 0
    assert rows and all(files.is_sound(name) for name in rows)


def test_the_command_counts_with_a_dry_run_and_then_deletes(frame: Frame) -> None:
    name = put("x" * 2048)
    age(name)
    out = StringIO()
    call_command("sweep_store", "--dry-run", stdout=out)
    assert out.getvalue() == "3 stored files checked; 1 unreferenced file (2 kB) would be deleted.\n"
    assert name in stored_names()
    out = StringIO()
    call_command("sweep_store", stdout=out)
    assert "1 unreferenced file (2 kB) deleted." in out.getvalue()
    assert stored_names() == {frame.file, frame.preview}


def copy_of(frame: Frame, by: User) -> Collection:
    """A second collection with the same picture, as the same film gives."""
    copy = collections.create(name="Second", by=by)
    source = Source.objects.create(collection=copy, kind="pictures", name="a", path="a", sha256="a" * 64)
    episode = Episode.objects.create(collection=copy, source=source, title="a")
    for index, crop in enumerate(Face.objects.values_list("crop", flat=True)):
        other = Frame.objects.create(
            collection=copy, episode=episode, index=index, width=160, height=120, file=frame.file, preview=frame.preview
        )
        Face.objects.create(collection=copy, frame=other, left=0, top=0, right=0.5, bottom=0.5, crop=crop)
    return copy


def test_deleting_a_second_collection_leaves_what_the_history_of_the_first_holds(frame: Frame, alice: User) -> None:
    drawn = boxes.draw(collection=frame.collection, frame=frame, box=(0.1, 0.1, 0.5, 0.6), by=alice)
    crop, second_file = put("the head"), put("of the second alone")
    Face.objects.filter(pk=drawn.pk).update(crop=crop)
    copy = copy_of(frame, alice)
    Frame.objects.filter(collection=copy).update(preview=second_file)
    done = boxes.delete(collection=frame.collection, face=drawn.pk, by=alice)
    assert collections.delete(collection=copy, typed_name="Second", by=alice) == 1
    assert stored_names() == {frame.file, frame.preview, crop}
    history.undo(done, by=alice)
    assert Face.objects.get(crop=crop)


def test_a_refused_restore_leaves_what_the_history_holds(frame: Frame, alice: User, tmp_path: Path) -> None:
    drawn = boxes.draw(collection=frame.collection, frame=frame, box=(0.1, 0.1, 0.5, 0.6), by=alice)
    crop = store().put(png(shade=5), "png")
    Face.objects.filter(pk=drawn.pk).update(crop=crop)
    write(collection=frame.collection, target=tmp_path / "b.zip")
    boxes.delete(collection=frame.collection, face=drawn.pk, by=alice)
    before = stored_names()
    with zipfile.ZipFile(tmp_path / "b.zip") as old, zipfile.ZipFile(tmp_path / "bad.zip", "w") as bad:
        for info in old.infolist():
            bad.writestr(info.filename, b"{}" if info.filename == "rows/ingest.Frame.jsonl" else old.read(info))
    with pytest.raises(BadInput, match="damaged"):
        restore(source=tmp_path / "bad.zip", owner=alice)
    assert crop in before
    assert stored_names() == before
