"""What the browser takes for films, pictures and files beside them is what the server reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ingest.imaging.folders import VIDEO_ENDINGS, ZIP_ENDINGS
from ingest.imaging.formats import PICTURE_ENDINGS
from ingest.imaging.sidecars import SIDE_ENDINGS

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = "".join(path.read_text("utf-8") for path in sorted((ROOT / "static" / "js").rglob("*.js")))


@pytest.mark.parametrize(("name", "endings"), [("FILM", VIDEO_ENDINGS | ZIP_ENDINGS), ("SIDE_FILE", SIDE_ENDINGS)])
def test_the_upload_page_knows_the_same_endings(name: str, endings: frozenset[str]) -> None:
    [pattern] = re.findall(rf"const {name} = /\\\.\(([\w|?]+)\)\$/i;", SCRIPTS)
    known = {text for ending in pattern.split("|") for text in {ending.replace("?", ""), re.sub(".\\?", "", ending)}}
    assert known == endings


def test_its_pictures_come_from_the_servers_table() -> None:
    assert "form.dataset.pictures" in SCRIPTS
    assert {"jfif", "jpg", "jxl"} < PICTURE_ENDINGS
