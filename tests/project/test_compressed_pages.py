"""Pages travel compressed; pictures and downloads as they are."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Face
from ingest.models import Collection
from tests.annotate.views.conftest import Show, make_show

ACCEPTS: Any = {"HTTP_ACCEPT_ENCODING": "gzip, deflate, br"}


@pytest.fixture()
def show(collection: Collection) -> Show:
    return make_show(collection)


@pytest.mark.parametrize("page", ["episodes", "frames", "faces", "characters", "models"])
def test_a_page_travels_compressed_and_is_the_same_page(as_alice: Client, show: Show, page: str) -> None:
    address = reverse(page) if page == "models" else reverse(page, args=[show.collection.pk])
    plain = as_alice.get(address)
    packed = as_alice.get(address, **ACCEPTS)
    assert not plain.has_header("Content-Encoding")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert len(packed.content) < len(plain.content) / 2
    assert len(gzip.decompress(packed.content)) == pytest.approx(len(plain.content), abs=200)


def test_a_page_reads_differently_each_time_so_its_length_tells_no_secret(as_alice: Client, show: Show) -> None:
    address = reverse("faces", args=[show.collection.pk])
    lengths = {len(as_alice.get(address, **ACCEPTS).content) for _ in range(8)}
    assert len(lengths) > 1


def test_a_picture_is_sent_as_it_is_stored(as_alice: Client, show: Show) -> None:
    crop = Face.objects.exclude(crop="").values_list("crop", flat=True).first() or show.frames[0].preview
    answer = as_alice.get(reverse("file", args=[show.collection.pk, crop]), **ACCEPTS)
    assert answer.status_code == 200
    assert answer.streaming
    assert not answer.has_header("Content-Encoding")
