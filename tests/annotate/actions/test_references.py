"""Reference pictures from a folder: read once, described, never a bad file without its reason."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from django.contrib.auth.models import User

from annotate.actions import references
from annotate.models import Character, ReferencePicture
from ingest.errors import BadInput
from ingest.models import Collection, Operation
from ingest.storage.stored_files import store

pytestmark = pytest.mark.django_db


def head(path: Path, colour: tuple[int, int, int]) -> None:
    picture = np.full((96, 96, 3), colour, np.uint8)
    cv2.circle(picture, (48, 56), 30, (200, 220, 250), -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture)


def test_each_sub_folder_is_a_character_and_a_second_time_adds_nothing(
    collection: Collection, alice: User, tmp_path: Path
) -> None:
    head(tmp_path / "Hinata" / "1.png", (40, 80, 160))
    head(tmp_path / "Hinata" / "2.png", (44, 84, 160))
    head(tmp_path / "Aoba Kokona" / "1.png", (200, 80, 40))
    (tmp_path / "Hinata" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    (tmp_path / "Hinata" / "notes.txt").write_text("hello")

    added = references.add_folder(collection=collection, folder=tmp_path, by=alice)
    again = references.add_folder(collection=collection, folder=tmp_path, by=alice)

    assert (added.characters, added.pictures, added.known) == (2, 3, 0)
    assert (again.pictures, again.known) == (0, 3)
    assert [line.split(":")[0] for line in added.left_out] == ["Hinata/broken.png"]
    assert set(Character.objects.values_list("name", flat=True)) == {"Hinata", "Aoba Kokona"}
    for row in ReferencePicture.objects.all():
        assert row.embedding
        assert store().exists(row.crop)
    assert Operation.objects.filter(kind="references.add").count() == 2


def test_a_folder_without_people_is_refused(collection: Collection, alice: User, tmp_path: Path) -> None:
    head(tmp_path / "loose.png", (1, 2, 3))

    with pytest.raises(BadInput, match="one folder of face pictures per character"):
        references.add_folder(collection=collection, folder=tmp_path, by=alice)
