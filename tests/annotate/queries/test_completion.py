"""Completion from memory says what the database says, and follows every import."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.contrib.auth.models import User
from hypothesis import given
from hypothesis import strategies as st

from annotate.actions import tags as tag_actions
from annotate.actions.vocabulary import import_rows
from annotate.algorithms.completion import Completion
from annotate.models import Tag
from annotate.queries import completion
from annotate.queries.completion import complete
from ingest.models import Collection, Episode, Frame, Source

TYPED = ("h", "ha", "hair", "air", "_ha", "Long H", "blue", "do", "hairdo", "ö", "100%", "a_b", "nothing", "r", "", " ")
ROWS = (
    'hair,0,50,"hairdo,coiffure"\nlong_hair,0,900,\nchair,0,5000,\nhair_bow,0,90,"bow_of_hair"\nhaö_x,0,7,\n'
    '100%,0,5,\na_b,0,2,\naxb,0,3,\nblue_eyes,0,40,"blue eyes,ha_eyes"\nblue_hair,0,40,\nah,0,1,\n'
)
names = st.lists(st.sampled_from("ab_ö"), min_size=1, max_size=6).map("".join)


@given(st.lists(names, unique=True, max_size=30), st.lists(names, unique=True, max_size=10), names, st.integers(1, 15))
def test_what_is_found_is_what_a_look_at_every_name_finds(
    tags: list[str], spellings: list[str], typed: str, most: int
) -> None:
    aliases = [(alias, 100 + index % len(tags)) for index, alias in enumerate(spellings)] if tags else []
    expected = []
    for rank, name in enumerate(tags):
        by_alias = any(alias.startswith(typed) for alias, key in aliases if key == 100 + rank)
        inside = len(typed) > 2
        ways = (
            name == typed,
            name.startswith(typed),
            by_alias,
            inside and f"_{typed}" in name,
            inside and typed in name,
        )
        if any(ways):
            expected.append((ways.index(True), 100 + rank))
    result = Completion([100 + rank for rank in range(len(tags))], tags, aliases).find(typed, limit=most)
    assert result == sorted(expected)[:most]


def shown(collection: Collection, typed: str, *, most: int = 12) -> list[str]:
    return [tag.name for tag in complete(collection, typed, limit=most)]


def expected(collection: Collection, typed: str, *, most: int = 12) -> list[str]:
    return [tag.name for tag in Tag.objects.visible_in(collection.pk).completing(typed)[:most]]


def say(collection: Collection, words: list[str], by: User) -> None:
    source = Source.objects.create(
        collection=collection, kind="video", name="a", path="a", sha256=f"{collection.pk:064}"
    )
    episode = Episode.objects.create(collection=collection, source=source, title="a")
    frame = Frame.objects.create(collection=collection, episode=episode, index=0, width=4, height=3)
    tag_actions.add(collection=collection, frames=[frame], names=words, by=by)


@pytest.mark.django_db
@pytest.mark.parametrize("most", [2, 12])
def test_the_common_vocabulary_and_the_words_of_a_collection_come_in_one_order(
    collection: Collection, bob: User, most: int
) -> None:
    import_rows(io.StringIO(ROWS))
    other = Collection.objects.create(name="Other")
    say(collection, ["hair_of_mine", "my_hair", "hair", "mohair"], bob)
    say(other, ["hair_of_others", "their_hair"], bob)
    for here in (collection, other):
        for typed in TYPED:
            assert shown(here, typed, most=most) == expected(here, typed, most=most), typed
    assert "hair_of_mine" in shown(collection, "hair") and "hair_of_mine" not in shown(other, "hair")


@pytest.mark.django_db
def test_an_import_is_seen_at_once_whatever_it_changed(collection: Collection) -> None:
    import_rows(io.StringIO("hair,0,5,\nhair_bow,0,9,\n"))
    assert shown(collection, "hair") == ["hair", "hair_bow"]
    import_rows(io.StringIO('hair_bow,0,9,\nhair_tie,0,99,"band"\n'))  # a new tag with another spelling
    assert shown(collection, "hair") == ["hair", "hair_tie", "hair_bow"]
    assert shown(collection, "ban") == ["hair_tie"]
    import_rows(io.StringIO("hair_bow,0,999,\n"))  # another count
    assert shown(collection, "hair") == ["hair", "hair_bow", "hair_tie"]
    import_rows(io.StringIO('hair_bow,0,999,"band"\n'))  # a spelling that means another tag now
    assert shown(collection, "ban") == ["hair_bow"]


@pytest.mark.django_db
def test_names_are_read_once_for_an_import_and_not_for_peoples_words(
    collection: Collection, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Any] = []
    read = completion._read
    monkeypatch.setattr(completion, "_read", lambda: reads.append(1) or read())
    import_rows(io.StringIO(ROWS))
    shown(collection, "hair")
    say(collection, ["something_new"], bob)
    assert shown(collection, "something") == ["something_new"]
    assert len(reads) == 1


@pytest.mark.django_db
def test_a_vocabulary_that_is_too_large_for_memory_is_searched_in_the_database(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completion, "NAMES_MAX", 5)
    import_rows(io.StringIO(ROWS))
    assert shown(collection, "hair") == expected(collection, "hair") != []
    assert completion._common() is None
