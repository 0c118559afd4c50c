"""Whatever is wrong with a JSON or TOML file from outside is said in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.algorithms import metadata
from ingest import outside_json
from ingest.imaging.side_json import parse_json, parse_toml

DEEP = "[" * 200_000
LONG = "1" * 5000


@pytest.mark.parametrize(
    ("text", "words"),
    [(DEEP, "nested too deeply"), ('{"a":' * 200_000, "nested too deeply"), (LONG, "too many digits"), ("{", "line 1")],
)
def test_what_cannot_be_read_is_a_value_error(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        outside_json.parsed(text)
    with pytest.raises(ValueError, match=words):
        outside_json.read(path)


def test_other_encodings_and_large_files_are_value_errors(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b"\xff\xfe[")
    with pytest.raises(ValueError, match="utf-16"):
        outside_json.read(path)
    path.write_text("[1, 2, 3]")
    assert outside_json.read(path, bytes_max=9) == [1, 2, 3]
    with pytest.raises(ValueError, match="larger than 8 B"):
        outside_json.read(path, bytes_max=8)


def test_toml_is_read_as_carefully() -> None:
    assert outside_json.parsed_toml("a = 1") == {"a": 1}
    with pytest.raises(ValueError, match="nested too deeply"):
        outside_json.parsed_toml(f"a = {DEEP}")


def test_files_beside_pictures_may_hold_anything() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json(DEEP)
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_toml(f"a = {DEEP}")
    digits = "1" * 400
    assert parse_json(f'{{"characters": ["A"], "facepos": [[0, 0, {digits}, 1]]}}').boxes == ()


@pytest.mark.parametrize("number", [int("1" * 400), float("inf"), float("nan"), "x", None, [1]])
def test_numbers_of_a_picture_are_finite(number: object) -> None:
    metadata.read({"facepos": [[0, 0, 1, 1]], "image_size": [2, 3], "fh_ratio": 0.5, "tags": {"a": 1}})
    body: dict[str, object]
    for body in ({"facepos": [[0, 0, number, 1]]}, {"image_size": [number, 3]}, {"tags": {"a": number}}):
        with pytest.raises(ValueError, match="number"):
            metadata.read(body)
