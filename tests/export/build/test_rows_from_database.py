"""Rows of pictures: in the order of their keys, with who said each label."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from annotate.models import FrameTag, ModelVersion, NamedBy, Tag
from export.build import rows_from_database
from tests.export.conftest import Show

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("chunk", [1, 3, 2000])
def test_pictures_come_in_the_order_of_their_keys_whatever_the_size_of_a_read(
    show: Show, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = [picture.key for picture in rows_from_database.pictures(show.collection)]
    monkeypatch.setattr(rows_from_database, "CHUNK", chunk)
    assert [picture.key for picture in rows_from_database.pictures(show.collection)] == everything
    assert everything == sorted(set(everything))
    assert len(everything) > 3


def test_each_tag_says_who_gave_it_how_surely_and_when(show: Show, alice: User) -> None:
    frame = show.collection.frames.for_export().exclude(file="").first()
    assert frame is not None
    model = ModelVersion.objects.create(task="tags", name="wd", revision="3")
    red, blue, green = (Tag.objects.create(name=f"{colour}_sea") for colour in ("red", "blue", "green"))
    FrameTag.objects.create(frame=frame, tag=red, score=0.625, model_version=model)
    FrameTag.objects.create(frame=frame, tag=blue, by=alice, by_person=True)
    FrameTag.objects.create(frame=frame, tag=green, score=0.5)
    face = frame.faces.first()
    if face is not None:
        face.named_by, face.named_user = NamedBy.PERSON, alice
        face.save()
    rows = {row.stem: row for row in rows_from_database.pictures(show.collection)}
    picture = next(row for row in rows.values() if "red_sea" in row.tags)
    labels = {label.tag: label for label in picture.labels}
    assert labels["red_sea"].author == f"model:{model.pk}"
    assert labels["red_sea"].score == 0.625
    assert labels["blue_sea"].author == f"person:{alice.pk}"
    assert labels["green_sea"].author == "file"
    assert len(labels["blue_sea"].day) == len("2026-11-30")
    assert picture.origin.source == frame.episode.source.sha256
    assert picture.origin.index == frame.index
