"""Queries against rows: tags with colons, scores, who is on a frame without a face."""

from __future__ import annotations

import pytest

from annotate.algorithms.query import QueryError, parse
from annotate.models import FileFacts, FrameTag, Tag
from annotate.queries.search import frames
from ingest.models import Collection, Frame

pytestmark = pytest.mark.django_db


def found(collection: Collection, text: str) -> list[int]:
    return list(frames(collection, parse(text)).order_by("index").values_list("index", flat=True))


def test_a_tag_with_a_colon_is_found_with_and_without_quotes(make_frames, collection: Collection) -> None:
    one, _ = make_frames(2)
    name = "re:zero_kara_hajimeru_isekai_seikatsu"
    FrameTag.objects.create(frame=one, tag=Tag.objects.create(name=name))
    for text in (name, f'"{name}"', f"tag:{name}", 're:"zero kara hajimeru isekai seikatsu"'):
        assert found(collection, text) == [0], text
    assert found(collection, f"-{name}") == [1]


@pytest.mark.parametrize("text", ["password:x", "user__password__startswith:a", "frame__collection:1", "charcter:Miku"])
def test_an_unknown_filter_is_refused_by_name_and_the_filters_are_told(collection: Collection, text: str) -> None:
    with pytest.raises(QueryError, match=f"There is no filter {text.partition(':')[0]}: and no tag .*character:"):
        frames(collection, parse(text))


def test_scores_and_texts_that_were_not_understood_are_found(make_frames, collection: Collection) -> None:
    rows = make_frames(4)
    for frame, score, left in zip(rows, (-3, 50, None), ([], ["title:x"], []), strict=False):
        FileFacts.objects.create(frame=frame, score=score, left=left)
    assert found(collection, "score:>=50") == [1]
    assert found(collection, "score:<0") == [0]
    assert found(collection, "is:unread") == [1]


@pytest.fixture
def make_frames(collection: Collection):
    """`make_frames(2)`: bare kept frames."""
    from ingest.models import Episode, Source

    source = Source.objects.create(collection=collection, kind="pictures", name="a", path="a", sha256="0" * 64)
    episode = Episode.objects.create(collection=collection, source=source, title="a")

    def make(count: int) -> list[Frame]:
        return [
            Frame.objects.create(collection=collection, episode=episode, index=index, width=9, height=9)
            for index in range(count)
        ]

    return make
