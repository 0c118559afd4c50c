"""Zips packed by friends, by Windows, and by enemies."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.imaging.archive import BadArchive, BadMember, Limits, Refused, ZipReader, read_all


def packed(
    path: Path, members: list[tuple[str | zipfile.ZipInfo, bytes]], *, method: int = zipfile.ZIP_DEFLATED
) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data, method)
    return path


def reasons(reader: ZipReader) -> dict[str, str]:
    return {refused.name: refused.reason for refused in reader.refused}


def test_plain_members_come_out_whole_and_in_order(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", [("b/2.png", b"two"), ("b/", b""), ("1.png", b"one")])
    with ZipReader(path, name="a.zip") as reader:
        assert [(m.name, reader.read(m)) for m in reader.members] == [("b/2.png", b"two"), ("1.png", b"one")]
        assert reader.refused == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil.png", "points outside"),
        ("a/../../evil.png", "points outside"),
        ("a\\..\\..\\evil.png", "points outside"),
        ("/etc/evil.png", "absolute"),
        ("C:\\evil.png", "absolute"),
        ("a\nb.png", "control"),
        ("x" * 500 + ".png", "longer"),
        ("inner.zip", "archives in archives"),
    ],
)
def test_a_hostile_name_is_refused_and_its_neighbours_are_read(tmp_path: Path, name: str, reason: str) -> None:
    path = packed(tmp_path / "a.zip", [(name, b"evil"), ("good.png", b"good")])
    with ZipReader(path, name="a.zip") as reader:
        assert [m.name for m in reader.members] == ["good.png"]
        assert reason in next(iter(reasons(reader).values()))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    info = zipfile.ZipInfo("trap.png")
    info.create_system = 3
    info.external_attr = (kind | 0o777) << 16
    path = packed(tmp_path / "a.zip", [(info, b"/etc/passwd"), ("good.png", b"good")])
    with ZipReader(path, name="a.zip") as reader:
        assert [m.name for m in reader.members] == ["good.png"]
        assert "link" in reasons(reader)["trap.png"] or "device" in reasons(reader)["trap.png"]


def test_a_zero_byte_in_a_name_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", [("evilX.png", b"evil")])
    path.write_bytes(path.read_bytes().replace(b"evilX.png", b"evil\0.png"))
    with ZipReader(path, name="a.zip") as reader:
        assert reader.members == []
        assert "zero byte" in reader.refused[0].reason
        assert "\0" not in reader.refused[0].name


def test_of_a_name_used_twice_the_first_is_read(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = packed(tmp_path / "a.zip", [("a.png", b"first"), ("a.png", b"second"), ("./a.png", b"third")])
    with ZipReader(path, name="a.zip") as reader:
        assert [(m.name, reader.read(m)) for m in reader.members] == [("a.png", b"first")]
        assert [r.reason for r in reader.refused] == ["the archive contains this name twice; the first one is used"] * 2


def test_names_that_differ_in_case_are_two_pictures(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", [("A.png", b"upper"), ("a.png", b"lower")])
    with ZipReader(path, name="a.zip") as reader:
        assert [reader.read(m) for m in reader.members] == [b"upper", b"lower"]


def test_a_member_that_swells_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", [("bomb.png", b"\0" * 4_000_000), ("good.png", b"good")])
    with ZipReader(path, name="a.zip", limits=Limits(ratio_free_bytes=1_000_000)) as reader:
        assert [m.name for m in reader.members] == ["good.png"]
        assert "zip bomb" in reasons(reader)["bomb.png"]
    with ZipReader(path, name="a.zip", limits=Limits(member_bytes_max=1000)) as reader:
        assert "larger" in reasons(reader)["bomb.png"]


def test_too_much_in_all_or_too_many_members_refuse_the_archive(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", [(f"{i}.png", b"x" * 1000) for i in range(20)])
    with pytest.raises(BadArchive, match=r"a\.zip.*20,000 bytes.*Split"):
        ZipReader(path, name="a.zip", limits=Limits(total_bytes_max=19_999))
    with pytest.raises(BadArchive, match="20 files"):
        ZipReader(path, name="a.zip", limits=Limits(members_max=19))


def test_overlapping_members_refuse_the_archive(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", [("a.png", b"x" * 5000), ("b.png", b"y" * 5000)], method=zipfile.ZIP_STORED)
    raw = bytearray(path.read_bytes())
    entry = raw.rfind(b"PK\x01\x02")
    raw[entry + 42 : entry + 46] = struct.pack("<L", 10)  # b.png now starts inside a.png
    path.write_bytes(raw)
    with pytest.raises(BadArchive, match="overlap"):
        ZipReader(path, name="a.zip")


def test_a_size_that_lies_is_noticed_while_reading(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", [("a.png", b"x" * 5000)])
    raw = bytearray(path.read_bytes())
    entry = raw.rfind(b"PK\x01\x02")
    raw[entry + 24 : entry + 28] = struct.pack("<L", 100)
    path.write_bytes(raw)
    with ZipReader(path, name="a.zip") as reader, pytest.raises(BadMember, match="Create the zip again"):
        reader.read(reader.members[0])


def test_a_damaged_member_does_not_spoil_the_others(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", [("a.png", b"x" * 500), ("b.png", b"good")], method=zipfile.ZIP_STORED)
    raw = bytearray(path.read_bytes())
    raw[100] ^= 0xFF
    path.write_bytes(raw)
    result = list(read_all(path, name="a.zip"))
    assert isinstance(result[0], Refused)
    assert "CRC" in result[0].reason
    assert not isinstance(result[1], Refused)
    assert result[1][1] == b"good"


def test_an_encrypted_member_says_so(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", [("a.png", b"secret")])
    raw = bytearray(path.read_bytes())
    for cursor, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.find(cursor) + place] |= 1
    path.write_bytes(raw)
    with ZipReader(path, name="a.zip") as reader:
        assert "password" in reasons(reader)["a.png"]


@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
def test_japanese_names_without_the_utf8_mark_are_read(tmp_path: Path, encoding: str) -> None:
    name = "山のススメ/第01話.png"
    raw_name = name.encode(encoding)
    out = io.BytesIO()
    body, crc = b"data", zlib.crc32(b"data")
    sizes = struct.pack("<LLLHH", crc, 4, 4, len(raw_name), 0)
    out.write(b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 0, 0, 33) + sizes + raw_name + body)
    start = out.tell()
    out.write(
        b"PK\x01\x02"
        + struct.pack("<HHHHHH", 20, 20, 0, 0, 0, 33)
        + sizes
        + struct.pack("<HHHLL", 0, 0, 0, 0, 0)
        + raw_name
    )
    size = out.tell() - start
    out.write(b"PK\x05\x06" + struct.pack("<HHHHLLH", 0, 0, 1, 1, size, start, 0))
    path = tmp_path / "a.zip"
    path.write_bytes(out.getvalue())
    with ZipReader(path, name="a.zip") as reader:
        assert [(m.name, reader.read(m)) for m in reader.members] == [(name, b"data")]


def test_what_operating_systems_leave_is_distinguished(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", [("__MACOSX/._a.png", b"x"), (".DS_Store", b"x"), ("a.png", b"x")])
    with ZipReader(path, name="a.zip") as reader:
        assert [m.name for m in reader.members] == ["a.png"]
        assert all(refused.leftover for refused in reader.refused)


def test_read_all_tells_what_is_no_picture(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", [("a.PNG", b"x"), ("notes.doc", b"x")])
    result = list(read_all(path, name="a.zip", endings=frozenset({"png"})))
    assert not isinstance(result[0], Refused)
    assert result[1] == Refused("notes.doc", "its name is not that of a picture")


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04" + b"x" * 100, b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_zip_says_so(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.zip"
    path.write_bytes(data)
    with pytest.raises(BadArchive, match=r"bad\.zip"):
        ZipReader(path, name="bad.zip")


def test_a_zip_cut_in_the_middle_says_so(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", [(f"{i}.png", bytes(range(256)) * 20) for i in range(5)])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BadArchive, match="incomplete"):
        ZipReader(path, name="a.zip")


def test_a_member_without_a_name_is_set_aside(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", [("a.png", b"hello"), ("x.png", b"other")])
    path.write_bytes(path.read_bytes().replace(b"x.png", b"\0.png"))
    with ZipReader(path, name="a.zip") as reader:
        assert [member.name for member in reader.members] == ["a.png"]
        assert len(reader.refused) == 1


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=8))
def test_flipped_bytes_never_break_the_reader(
    tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[int, int]]
) -> None:
    path = packed(tmp_path_factory.mktemp("z") / "a.zip", [("a.png", b"hello" * 9), ("b/c.png", b"other" * 9)])
    raw = bytearray(path.read_bytes())
    for place, value in flips:
        raw[place % len(raw)] = value
    path.write_bytes(raw)
    try:
        for result in read_all(path, name="a.zip", limits=Limits(member_bytes_max=10_000)):
            if not isinstance(result, Refused):
                assert ".." not in result[0].name.split("/")
                assert len(result[1]) <= 10_000
    except BadArchive as refused:
        assert "a.zip" in str(refused)
