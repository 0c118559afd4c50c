"""The end of a query is completed by names of the cast, the collection's tags, filters and their values."""

from __future__ import annotations

import pytest
from django.test import Client

from annotate.models import Character, CharacterAlias, FrameTag, Tag, TagState
from annotate.queries.query_completion import complete_query
from annotate.queries.search import frames, terms_of
from ingest.models import Collection, Episode, Frame, Source

pytestmark = pytest.mark.django_db


@pytest.fixture
def named(collection: Collection) -> Collection:
    """Three frames; hair on three, blue_hair on two, blush on one, hat removed; Mio (Akiyama), Mio Pool."""
    source = Source.objects.create(collection=collection, kind="pictures", name="a", path="a", sha256="0" * 64)
    episode = Episode.objects.create(collection=collection, source=source, title="a")
    rows = [
        Frame.objects.create(collection=collection, episode=episode, index=index, width=9, height=9)
        for index in range(3)
    ]
    for name, count in (("hair", 3), ("blue_hair", 2), ("blush", 1)):
        tag = Tag.objects.create(name=name)
        for frame in rows[:count]:
            FrameTag.objects.create(frame=frame, tag=tag)
    FrameTag.objects.create(frame=rows[0], tag=Tag.objects.create(name="hat"), state=TagState.NO)
    mio = Character.objects.create(collection=collection, name="Mio")
    Character.objects.create(collection=collection, name="Mio Pool", parent=mio)
    CharacterAlias.objects.create(collection=collection, character=mio, name="Akiyama")
    return collection


@pytest.mark.parametrize(
    ("typed", "queries"),
    [
        ("mi", ["Mio", '"Mio Pool"']),
        ("AKI", ["Mio"]),
        ("hai", ["hair", "blue hair"]),
        ("solo -hai", ["solo -hair", "solo -blue hair"]),
        ("hat, hai", ["hat, hair", "hat, blue hair"]),
        ("blue h", ["blue hair"]),
        ("mio po", ['"Mio Pool"', 'mio "Mio Pool"']),
        ("tag:blu", ["tag:blue_hair", "tag:blush"]),
        ("character:mi", ["character:Mio", 'character:"Mio Pool"']),
        ("faces:2 fa", ["faces:2 faces:"]),
        ("is:un", ["is:unnamed", "is:unread", "is:untagged"]),
        ("reason:sim", ["reason:duplicate"]),
        ("-reason:nea", ["-reason:black", "-reason:white"]),
        ("reason:dup", ["reason:duplicate"]),
        ("hair -state:dr", ["hair -state:dropped"]),
        ("hat", []),  # removed everywhere
        ("", []),
        ("hair ", []),
        ('"mio', []),
        ("a:b:c", []),
    ],
)
def test_a_query_is_completed_by_what_its_last_words_begin(named: Collection, typed: str, queries: list[str]) -> None:
    assert [query for query, _ in complete_query(named, typed, limit=12)] == queries


def test_what_completes_a_query_is_understood_by_the_search(named: Collection) -> None:
    for typed in (
        "mi",
        "aki",
        "hai",
        "blu",
        "faces:0 -hai",
        "character:mi",
        "tag:ha",
        "is:",
        "state:",
        "reason:",
        "mio po",
    ):
        completed = complete_query(named, typed, limit=12)
        assert completed
        for query, _ in completed:
            list(frames(named, terms_of(named, query)))


def test_names_come_with_what_they_are_and_no_more_than_wanted(named: Collection) -> None:
    assert complete_query(named, "hai", limit=1) == [("hair", "3 frames")]
    assert complete_query(named, "mi", limit=1) == [("Mio", "character")]
    assert complete_query(named, "reason:fa", limit=1) == [("reason:fade", "inside a fade")]


def test_names_of_another_collection_complete_nothing(named: Collection, as_alice: Client) -> None:
    other = Collection.objects.create(name="Other")
    assert [complete_query(other, typed, limit=9) for typed in ("mi", "blu", "tag:ha")] == [[], [], []]
    assert as_alice.get(f"/c/{other.pk}/names/queries/", {"q": "mi"}).status_code == 404
