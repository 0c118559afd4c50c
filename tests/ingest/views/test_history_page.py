"""The list of changes: a line has an undo only where there is something to take back."""

from __future__ import annotations

from pathlib import Path

from django.contrib.auth.models import User
from django.test import Client

from ingest.actions import sources
from ingest.models import Collection
from tests.films import film
from tests.pages import html_of


def test_a_line_that_cannot_be_undone_has_no_button(
    as_alice: Client, alice: User, collection: Collection, tmp_path: Path
) -> None:
    episode = sources.register(collection=collection, path=film(tmp_path / "Show - 03.mkv"), by=alice)
    page = html_of(as_alice.get(f"/c/{collection.pk}/history/"))
    assert "EP03 added" in page
    assert "Undo</button>" not in page
    sources.change(episode=episode, by=alice, values={"number": "04"})
    page = html_of(as_alice.get(f"/c/{collection.pk}/history/"))
    assert page.count("Undo</button>") == 1
