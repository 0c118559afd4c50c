"""A hub on this machine with one small model, and a client that does not wait long."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from annotate.backends.model_files.catalogue import File, Model
from annotate.backends.model_files.remote import Hub
from tests.annotate.hub_server import FakeHub, serving

REPOSITORY = "somebody/tiny-tagger"
WEIGHTS = random.Random(7).randbytes(300_000)
TAGS = b"tag_id,name,category,count\n1,solo,0,9\n"
MODEL = Model(
    "tiny", "tags", "wd", REPOSITORY,
    (
        File("model.onnx", "model.onnx"),
        File("lists/tags.csv", "selected_tags.csv"),
        File("more.json", "more.json", optional=True),
    ),
)  # fmt: skip


@pytest.fixture()
def hub() -> Iterator[FakeHub]:
    fake = FakeHub()
    fake.add(REPOSITORY, "model.onnx", b"\x08\x08" + WEIGHTS)
    fake.add(REPOSITORY, "lists/tags.csv", TAGS)
    fake.licences[REPOSITORY] = "mit"
    with serving(fake):
        yield fake


@pytest.fixture()
def client(hub: FakeHub) -> Hub:
    return Hub(hub.base, timeout_s=5, wait_s=0.01)
