"""The database is emptied after a test also where the last request of a closed page writes meanwhile."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from annotate.models import Presence
from ingest.models import Collection
from tests import emptying


@pytest.mark.sqlite_only
@pytest.mark.django_db(transaction=True)
def test_a_row_that_comes_between_looking_and_deleting_is_deleted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    person, collection = User.objects.create_user("last"), Collection.objects.create(name="Closed")
    look, looks = emptying._with_rows, []

    def look_then_write(connection: object) -> list[str]:
        tables = look(connection)
        if not looks:
            Presence.objects.create(collection=collection, user=person, place="faces", until="2026-01-01T00:00Z")
        looks.append(tables)
        return tables

    monkeypatch.setattr(emptying, "_with_rows", look_then_write)
    emptying.empty()
    assert len(looks) > 2
    assert not User.objects.exists() and not Presence.objects.exists()
