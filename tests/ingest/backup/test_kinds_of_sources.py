"""A backup holds whatever a collection was made of, and is read back before anybody relies on it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from ingest.actions import sources
from ingest.actions.sources import About
from ingest.backup.read import restore
from ingest.backup.write import write
from ingest.errors import BadInput, KomaError
from ingest.models import Collection, Frame, Source
from ingest.restoring import source_path
from ingest.storage.stored_files import store
from tests.films import film, png, zipped

pytestmark = pytest.mark.postgres

Files = dict[str, bytes]


def pictures(folder: Path) -> Files:
    return {"1.png": png(shade=1), "2.png": png(shade=2)}


def archive(ending: str) -> Callable[[Path], Files]:
    def files(folder: Path) -> Files:
        return {f"pages{ending}": zipped(folder / "pages.zip", pictures(folder)).read_bytes()}

    return files


UPLOADED: dict[str, tuple[Callable[[Path], Files], str]] = {
    "a zip": (archive(".zip"), ".zip"),
    "a comic": (archive(".cbz"), ".cbz"),
    "several pictures at once": (pictures, ".zip"),
    "a single picture": (lambda folder: {"1.png": png(shade=1)}, ".png"),
    "a film": (lambda folder: {"Show - 01.mkv": film(folder / "Show - 01.mkv").read_bytes()}, ".mkv"),
}


@pytest.mark.parametrize("kind", UPLOADED)
def test_what_was_uploaded_comes_back_byte_for_byte(
    collection: Collection, alice: User, as_alice: Client, tmp_path: Path, kind: str
) -> None:
    files, ending = UPLOADED[kind]
    sent = [SimpleUploadedFile(name, data) for name, data in files(tmp_path).items()]
    answer = as_alice.post(f"/c/{collection.pk}/add/", {"files": sent}, follow=True)
    assert answer.status_code == 200
    before = Source.objects.get()
    content = source_path(before).read_bytes()
    assert source_path(before).suffix == ending
    assert write(collection=collection, target=tmp_path / "b.zip").missing == ()
    back = restore(source=tmp_path / "b.zip", owner=alice, name="Second")
    after = Source.objects.get(collection=back.collection)
    assert back.notes == ()
    assert source_path(after) != source_path(before)
    assert source_path(after).suffix == ending
    assert source_path(after).read_bytes() == content
    assert (after.sha256, after.name) == (before.sha256, before.name)


def test_a_folder_of_the_library_is_read_where_it_lies(
    collection: Collection, alice: User, tmp_path: Path, settings: Any
) -> None:
    folder = tmp_path / "library" / "art"
    folder.mkdir(parents=True)
    zipped(folder / "more.zip", pictures(tmp_path))
    for name, data in pictures(tmp_path).items():
        (folder / name).write_bytes(data)
    settings.KOMA_LIBRARY_DIRS = [tmp_path / "library"]
    sources.register(collection=collection, path=folder, by=alice, about=About())
    write(collection=collection, target=tmp_path / "b.zip")
    back = restore(source=tmp_path / "b.zip", owner=alice, name="Second")
    assert back.notes == ()
    assert source_path(Source.objects.get(collection=back.collection)) == folder


def test_only_sources_may_be_archives(collection: Collection, alice: User, tmp_path: Path) -> None:
    write(collection=collection, target=tmp_path / "b.zip")
    for name in ("more.zip", "store/more.zip", "sources/more.zip"):
        bad = tmp_path / "bad.zip"
        bad.write_bytes((tmp_path / "b.zip").read_bytes())
        with zipfile.ZipFile(bad, "a") as added:
            added.writestr(name, b"PK")
        with pytest.raises(BadInput, match="archives in archives"):
            restore(source=bad, owner=alice)


def uploaded(collection: Collection, by: User, data_dir: Path, path: Path, ending: str) -> Path:
    """A film as an upload leaves it, under a file name with this ending."""

    def place(inspected: Any) -> str:
        relative = f"sources/{collection.pk}/{inspected.sha256}.{ending}"
        (data_dir / relative).parent.mkdir(parents=True)
        (data_dir / relative).write_bytes(path.read_bytes())
        return relative

    return source_path(sources.register(collection=collection, path=path, by=by, about=About(), place=place).source)


def test_a_backup_that_could_not_be_restored_is_not_kept(
    collection: Collection, alice: User, tmp_path: Path, settings: Any
) -> None:
    place = uploaded(collection, alice, settings.KOMA_DATA_DIR, film(tmp_path / "Show - 01.mkv"), "muchtoolong")
    target = tmp_path / "b.zip"
    target.write_bytes(b"yesterday's")
    with pytest.raises(KomaError, match=r"could not be verified.*b\.zip: sources/.*muchtoolong is not the name"):
        write(collection=collection, target=target)
    with pytest.raises(CommandError, match="could not be verified"):
        call_command("backup", str(collection.pk), str(target))
    assert target.read_bytes() == b"yesterday's"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".b.zip")] == []
    good = place.with_suffix(".mkv")
    place.rename(good)
    Source.objects.update(path=str(good.relative_to(settings.KOMA_DATA_DIR)))
    write(collection=collection, target=target)
    restore(source=target, owner=alice)


def test_a_picture_or_film_that_rotted_is_named(
    collection: Collection, alice: User, tmp_path: Path, settings: Any
) -> None:
    place = uploaded(collection, alice, settings.KOMA_DATA_DIR, film(tmp_path / "Show - 01.mkv"), "mkv")
    name = store().put(png(), "png")
    episode = Source.objects.get().episode
    Frame.objects.create(collection=collection, episode=episode, index=0, width=48, height=32, file=name, preview=name)
    for path, words in ((place, f"sources/{place.name}"), (store().path(name), f"store/{name}")):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(KomaError, match=f"could not be verified.*{words} is damaged"):
            write(collection=collection, target=tmp_path / "b.zip")
        assert not (tmp_path / "b.zip").exists()
        path.write_bytes(content)
    write(collection=collection, target=tmp_path / "b.zip")
