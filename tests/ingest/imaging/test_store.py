"""Files are whole or absent, and no name leads out of the store."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ingest.imaging.store import Store, StoreFull, UnknownName, free_bytes, name_for


def test_the_same_bytes_are_one_file_under_the_name_of_their_hash(tmp_path: Path) -> None:
    store = Store(tmp_path)
    name = store.put(b"frame", ".png")
    assert name == store.put(b"frame", "png")
    assert name.endswith(".png")
    assert name[:2] + name[3:5] == name[6:10]
    assert store.read(name) == b"frame"
    assert store.is_sound(name)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [store.path(name)]


def test_many_are_named_in_order(tmp_path: Path) -> None:
    store = Store(tmp_path)
    names = store.put_many([(b"a", "png"), (b"b", "webp"), (b"a", "png")])
    assert names[0] == names[2]
    assert [store.read(n) for n in names] == [b"a", b"b", b"a"]


def test_a_shortened_file_is_replaced_and_a_changed_one_is_noticed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    name = store.put(b"whole content", "png")
    store.path(name).write_bytes(b"wh")
    assert not store.is_sound(name)
    store.put(b"whole content", "png")
    assert store.is_sound(name)
    assert store.remove(name)
    assert not store.remove(name)
    assert not store.exists(name)
    assert not store.is_sound(name)


@pytest.mark.parametrize(
    "name",
    ["../secret_key", "/etc/passwd", "", "ab/cd/../../../x.png", "temp/x",
     "ab/cd/" + "a" * 64 + ".png", "aa/aa/" + "a" * 64 + ".html",
     "aa/aa/" + "a" * 64 + ".png\n", "aa/aa/" + "A" * 64 + ".png", "aa/aa/" + "a" * 63 + "\0.png"],
)  # fmt: skip
def test_no_name_leads_out_of_the_store(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path / "store")
    for action in (store.path, store.open, store.exists, store.remove):
        with pytest.raises(UnknownName):
            action(name)


def test_only_known_endings_are_kept(tmp_path: Path) -> None:
    for suffix in ("html", "svg", "../x", "png/../../x", ""):
        with pytest.raises(ValueError, match="does not support"):
            Store(tmp_path).put(b"x", suffix)
    assert name_for("ab" * 32, ".JPEG").endswith(".jpg")


def test_a_disk_near_its_reserve_refuses_before_writing(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", reserve_bytes=free_bytes(tmp_path) + 2**30)
    with pytest.raises(StoreFull, match="disk is full"):
        store.put(b"x", "png")
    assert not list(tmp_path.rglob("*.png"))


WRITER = """
import resource, sys
from pathlib import Path
from ingest.imaging.store import Store, StoreFull
store = Store(Path(sys.argv[1]))
kept = store.put(b"k" * 1000, "png")
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    store.put(b"z" * 1_000_000, "png")
except StoreFull as full:
    print(full)
    assert store.read(kept) == b"k" * 1000
    sys.exit(7)
"""


def test_a_write_that_the_system_cuts_short_leaves_nothing_half(tmp_path: Path) -> None:
    """RLIMIT_FSIZE cuts a write in the middle just as a full disk does."""
    done = subprocess.run([sys.executable, "-c", WRITER, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 7, done.stderr
    assert "disk is full" in done.stdout
    assert "Free some space" in done.stdout
    assert [p.stat().st_size for p in tmp_path.rglob("*") if p.is_file()] == [1000]


def test_a_full_file_system_is_reported_as_such(tmp_path: Path) -> None:
    """A real full tmpfs where we may mount one; else the kernel's own always-full device stands in."""
    mounted = tmp_path / "small"
    mounted.mkdir()
    created = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mounted)], capture_output=True, check=False
    )
    if created.returncode == 0:
        try:
            store = Store(mounted)
            stored = store.put(b"small", "png")
            with pytest.raises(StoreFull, match="No space left"):
                store.put(os.urandom(300_000), "png")
            assert store.read(stored) == b"small"
            assert len([p for p in mounted.rglob("*") if p.is_file()]) == 1
        finally:
            subprocess.run(["umount", str(mounted)], check=True)
        return
    temp = tmp_path / "store" / "temp"
    temp.parent.mkdir()
    with pytest.raises(OSError) as caught, Path("/dev/full").open("wb") as full:
        full.write(b"x")
        full.flush()
    assert caught.value.errno == errno.ENOSPC
    from ingest.imaging.store import full as message

    assert "No space left" in str(message(temp, caught.value))


def test_only_old_temp_files_are_swept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    name = store.put(b"x", "png")
    old, new = tmp_path / "temp" / "old", tmp_path / "temp" / "new"
    old.write_bytes(b"half")
    new.write_bytes(b"being written")
    os.utime(old, (time.time() - 2 * 86400,) * 2)
    assert store.sweep() == 1
    assert not old.exists()
    assert new.exists()
    assert store.exists(name)
    assert Store(tmp_path / "never used").sweep() == 0
