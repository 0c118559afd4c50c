"""Characters of the last release get the digits that the faces page showed for them."""

from __future__ import annotations

import pytest

from tests.migrating import tables_of

BEFORE = [("annotate", "0023_state_labels")]


@pytest.mark.django_db(transaction=True)
def test_those_with_the_most_faces_get_the_keys_of_their_collection() -> None:
    with tables_of(*BEFORE) as old:
        for title in ("Long", "Short"):
            collection = old.get_model("ingest", "Collection").objects.create(name=title)
            source = old.get_model("ingest", "Source").objects.create(
                collection=collection, kind="pictures", name="art", path="art", sha256="0" * 64
            )
            episode = old.get_model("ingest", "Episode").objects.create(
                collection=collection, source=source, title="art"
            )
            frame = old.get_model("ingest", "Frame").objects.create(
                collection=collection, episode=episode, index=0, name="a.png", width=9, height=9
            )
            for n in range(12 if title == "Long" else 2):
                who = old.get_model("annotate", "Character").objects.create(collection=collection, name=f"C{n:02}")
                for _ in range(n):
                    old.get_model("annotate", "Face").objects.create(
                        collection=collection, frame=frame, left=0, top=0, right=1, bottom=1, character=who
                    )
            other = old.get_model("annotate", "Character").objects.create(collection=collection, name="No face at all")
            old.get_model("annotate", "Face").objects.create(
                collection=collection, frame=frame, left=0, top=0, right=1, bottom=1, character=other, state="nobody"
            )
    from annotate.models import Character

    def keys(title: str) -> dict[str, int]:
        rows = Character.objects.filter(collection__name=title, key__isnull=False)
        return dict(rows.values_list("name", "key"))

    assert keys("Long") == {f"C{12 - key:02}": key for key in range(1, 10)}
    assert keys("Short") == {"C01": 1}
