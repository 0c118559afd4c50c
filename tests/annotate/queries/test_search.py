"""Queries against rows: tags with colons, scores, who is on a frame without a face."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone

from annotate.algorithms.query import QueryError, parse
from annotate.models import (
    Caption,
    Character,
    CharacterAlias,
    Face,
    FaceState,
    FileCaption,
    FileFacts,
    FrameCharacter,
    FrameTag,
    ModelCaption,
    ModelVersion,
    Tag,
    TagAlias,
    TagState,
)
from annotate.queries import search
from annotate.queries.search import IS_VALUES, frames, terms_of
from ingest.models import Collection, Episode, Frame, FrameState, Source

pytestmark = pytest.mark.django_db


def found(collection: Collection, text: str) -> list[int]:
    return list(frames(collection, terms_of(collection, text)).order_by("index").values_list("index", flat=True))


def test_a_tag_with_a_colon_is_found_with_and_without_quotes(make_frames, collection: Collection) -> None:
    first, _ = make_frames(2)
    name = "re:zero_kara_hajimeru_isekai_seikatsu"
    FrameTag.objects.create(frame=first, tag=Tag.objects.create(name=name))
    for text in (name, f'"{name}"', f"tag:{name}", 're:"zero kara hajimeru isekai seikatsu"'):
        assert found(collection, text) == [0], text
    assert found(collection, f"-{name}") == [1]


@pytest.fixture
def hair(make_frames, collection: Collection) -> None:
    """Frames 0 to 4 with blue_hair; both words as tags of their own; hair; a long name; nothing."""
    tags = [["blue_hair"], ["blue", "hair"], ["hair"], ["hair_over_one_eye", "solo"], []]
    for frame, names in zip(make_frames(5), tags, strict=True):
        for name in names:
            FrameTag.objects.create(frame=frame, tag=Tag.objects.get_or_create(name=name)[0])
    Tag.objects.get(name="blue_hair").aliases.create(name="azure_hair")


@pytest.mark.parametrize(
    ("text", "indexes"),
    [
        ("blue hair", [0]),
        ("Blue Hair", [0]),
        ("azure hair", [0]),
        ("blue, hair", [1]),
        ("tag:blue tag:hair", [1]),
        ('"blue" hair', [1]),
        ("-blue hair", [1, 2, 3, 4]),
        ("-blue -hair", [0, 3, 4]),
        ("hair over one eye solo", [3]),
        ("solo, hair over one eye", [3]),
        ("hair -blue", [2]),
        ("blue hair solo", []),
    ],
)
def test_a_tag_is_found_as_pages_write_it_with_spaces(
    hair: None, collection: Collection, text: str, indexes: list[int]
) -> None:
    assert found(collection, text) == indexes


@pytest.fixture
def cast(hair: None, collection: Collection) -> None:
    """Beside `hair`: Mio on frames 0 and 1, her outfit Mio Pool on 2, Solo on 4; Mio's alias is Mio-chan."""
    mio = Character.objects.create(collection=collection, name="Mio")
    pool = Character.objects.create(collection=collection, name="Mio Pool", parent=mio)
    solo = Character.objects.create(collection=collection, name="Solo")
    CharacterAlias.objects.create(collection=collection, character=mio, name="Mio-chan")
    for index, who in ((0, mio), (1, mio), (2, pool), (4, solo)):
        frame = Frame.objects.get(collection=collection, index=index)
        Face.objects.create(frame=frame, character=who, collection=collection, left=0, top=0, right=1, bottom=1)


@pytest.mark.parametrize(
    ("text", "indexes"),
    [
        ("Mio", [0, 1, 2]),
        ("mio", [0, 1, 2]),
        ("mio-CHAN", [0, 1, 2]),
        ("mio pool", [2]),
        ("mio_pool", [2]),
        ('"Mio Pool"', [2]),
        ("-mio", [3, 4]),
        ("mio blue hair", [0]),
        ("blue hair mio", [0]),
        ("hair mio", [1, 2]),
        ("-hair mio", [0]),
        ("solo", [3]),  # a tag comes first
        ("character:solo", [4]),
    ],
)
def test_a_word_that_is_no_tag_but_a_name_of_the_cast_finds_the_character(
    cast: None, collection: Collection, text: str, indexes: list[int]
) -> None:
    assert found(collection, text) == indexes


def test_a_name_of_the_cast_after_tag_or_of_another_collection_is_no_character(
    cast: None, collection: Collection
) -> None:
    other = Collection.objects.create(name="Other")
    for where, text in ((collection, "tag:mio"), (other, "mio")):
        with pytest.raises(QueryError, match="There is no tag 'mio'"):
            found(where, text)


@pytest.mark.parametrize(
    ("text", "indexes"),
    [
        ("*hair", [0, 1, 2]),
        ("*hair*", [0, 1, 2, 3]),
        ("tag:hair_*", [3]),
        ("-*hair* solo", []),
        ("b*e", [1]),
        ("-*hair*", [4]),
        ('"* hair"', [0]),
        ("hair *hair", [1, 2]),
        ("*HAIR -blue", [0, 2]),
    ],
)
def test_an_asterisk_stands_for_any_part_of_a_tag(
    hair: None, collection: Collection, text: str, indexes: list[int]
) -> None:
    assert found(collection, text) == indexes


def test_a_pattern_that_no_tag_of_the_collection_matches_is_refused(hair: None, collection: Collection) -> None:
    other = Collection.objects.create(name="Other")
    for where, text in ((collection, "*wings"), (other, "*hair")):
        with pytest.raises(QueryError, match=f"No tag of this collection matches '{re.escape(text)}'"):
            found(where, text)


def test_a_word_that_is_no_tag_brings_the_tags_that_are_like_it(hair: None, collection: Collection) -> None:
    for text, similar in (("blu_hair", "blue hair"), ("over", "hair over one eye"), ("hai", "hair, blue hair")):
        with pytest.raises(QueryError, match=f"There is no tag '{text}'. Similar tags: {similar}"):
            found(collection, text)
    with pytest.raises(QueryError, match=r"There is no tag 'blu_hair'\.$"):
        found(Collection.objects.create(name="Other"), "blu_hair")


def test_a_word_that_is_spelled_wrong_brings_the_tags_with_words_like_it(make_frames, collection: Collection) -> None:
    [frame] = make_frames(1)
    for name in ("grey_hair", "grass", "tray", "green_hair", "hair_bow", "smile"):
        FrameTag.objects.create(frame=frame, tag=Tag.objects.create(name=name))
    for text, similar in (
        ("gray hair", "grey hair"),
        ("tag:gray_hair", "grey hair"),
        ("hiar", "grey hair"),
        ("hiar", "hair bow"),
        ("gray_hiar", "grey hair"),
    ):
        with pytest.raises(QueryError, match=f"There is no tag .* Similar tags: .*{similar}"):
            found(collection, text)


def test_words_that_are_no_tag_together_are_tags_of_their_own(hair: None, collection: Collection) -> None:
    with pytest.raises(QueryError, match="no tag 'wings'"):
        found(collection, "blue wings")


def test_words_of_another_collection_do_not_join(hair: None, make_frames, alice) -> None:
    other = Collection.objects.create(name="Other")
    with pytest.raises(QueryError, match="no tag 'blue'"):
        found(other, "blue hair")


def test_a_reason_is_found_as_the_menu_writes_it(make_frames, collection: Collection) -> None:
    frame, _ = make_frames(2)
    Frame.objects.filter(pk=frame.pk).update(state=FrameState.DROPPED, reason="blend")
    for text in ("reason:blend", 'reason:"blend of two shots"', "reason:blend_of_two_shots"):
        assert found(collection, text) == [0], text


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("similar", "duplicate"), ("similar_to", "duplicate"), ("Fade", "fade"), ("pan", "motion"), ("zoom", "motion"),
        ('"nearly black"', "black"), ("white", "white"), ("nearly", ""), ("inside", ""), ("sim", ""), ("kept", ""),
    ],
)  # fmt: skip
def test_a_reason_is_found_by_the_words_that_pages_write_if_they_are_of_no_other(
    make_frames, collection: Collection, words: str, reason: str
) -> None:
    frame, _ = make_frames(2)
    Frame.objects.filter(pk=frame.pk).update(state=FrameState.DROPPED, reason=reason)
    if reason:
        assert found(collection, f"reason:{words}") == [0]
    else:
        with pytest.raises(QueryError, match="reason: is one of"):
            found(collection, f"reason:{words}")


@pytest.mark.parametrize(
    "text", ["password:x", "user__password__startswith:a", "frame__collection:1", "charcter:Miku:x"]
)
def test_an_unknown_filter_is_refused_by_name_and_the_filters_are_reported(collection: Collection, text: str) -> None:
    with pytest.raises(QueryError, match=f"There is no filter {text.partition(':')[0]}: and no tag .*character:"):
        frames(collection, parse(text))


def test_scores_and_texts_that_were_not_understood_are_found(make_frames, collection: Collection) -> None:
    rows = make_frames(4)
    for frame, score, left in zip(rows, (-3, 50, None), ([], ["title:x"], []), strict=False):
        FileFacts.objects.create(frame=frame, score=score, left=left)
    assert found(collection, "score:>=50") == [1]
    assert found(collection, "score:<0") == [0]
    assert found(collection, "is:unread") == [1]


def test_each_state_finds_its_frames_and_its_opposite_the_others(make_frames, collection: Collection, alice) -> None:
    """Of ten frames each of the first nine meets one condition."""
    rows = make_frames(10)
    Frame.objects.update(tagged=True)
    mio = Character.objects.create(collection=collection, name="Mio")
    version = ModelVersion.objects.create(task="caption", name="a")
    box = {"collection": collection, "left": 0, "top": 0, "right": 1, "bottom": 1}
    Face.objects.create(frame=rows[0], character=mio, **box)
    Face.objects.create(frame=rows[1], **box)
    Face.objects.create(frame=rows[9], state=FaceState.NOT_A_FACE, **box)
    Frame.objects.filter(pk=rows[2].pk).update(excluded=True)
    Frame.objects.filter(pk=rows[3].pk).update(decided=True)
    Caption.objects.create(frame=rows[4], text="By hand.", by=alice)
    FileCaption.objects.create(frame=rows[5], beside=rows[5], text="Of a file.", position=0)
    FileFacts.objects.create(frame=rows[6], left=["title:x"])
    FileFacts.objects.create(frame=rows[9], left=[])
    ModelCaption.objects.create(frame=rows[7], model_version=version, text="By a model.", written_at=timezone.now())
    Frame.objects.filter(pk=rows[8].pk).update(tagged=False)
    states = (
        "named", "unnamed", "excluded", "decided", "captioned", "filecaptioned", "unread", "described", "untagged",
    )  # fmt: skip
    assert set(states) == set(IS_VALUES)
    for number, state in enumerate(states):
        assert found(collection, f"is:{state}") == [number], state
        assert found(collection, f"-is:{state}") == [other for other in range(10) if other != number], state


@pytest.mark.parametrize(
    ("text", "expected"),
    [("faces:2", [2]), ("faces:>2", [3]), ("faces:>=2", [2, 3]), ("faces:<2", [0, 1]), ("faces:<=2", [0, 1, 2])],
)
def test_numbers_are_compared_as_written(make_frames, collection: Collection, text: str, expected: list[int]) -> None:
    for number, frame in enumerate(make_frames(4)):
        Frame.objects.filter(pk=frame.pk).update(face_count=number)
    assert found(collection, text) == expected


def test_dropped_frames_are_found_by_state_reason_and_likeness_alone(make_frames, collection: Collection) -> None:
    best, copy, black, other = make_frames(4)
    Frame.objects.filter(pk=copy.pk).update(state=FrameState.DROPPED, reason="duplicate", duplicate_of=best)
    Frame.objects.filter(pk=black.pk).update(state=FrameState.DROPPED, reason="black")
    for text, expected in {
        "": [0, 3], "state:kept": [0, 3], "state:dropped": [1, 2], "state:all": [0, 1, 2, 3],
        "reason:duplicate": [1], "reason:black": [2], f"like:{best.pk}": [0, 1], f"like:{copy.pk}": [0, 1],
        f"like:{other.pk}": [3],
    }.items():  # fmt: skip
        assert found(collection, text) == expected, text


def test_a_character_is_found_by_any_name_with_its_outfits_and_where_no_face_shows_it(
    make_frames, collection: Collection
) -> None:
    rows = make_frames(7)
    mio, yui = (Character.objects.create(collection=collection, name=name) for name in ("Mio", "Yui"))
    outfit = Character.objects.create(collection=collection, name="Mio Hairdown", parent=mio)
    for who, name in ((yui, "Hirasawa"), (mio, "Akiyama")):
        CharacterAlias.objects.create(collection=collection, character=who, name=name)
    box = {"collection": collection, "left": 0, "top": 0, "right": 1, "bottom": 1}
    for frame, who in ((rows[0], mio), (rows[1], outfit), (rows[2], yui), (rows[3], None)):
        Face.objects.create(frame=frame, character=who, **box)
    Face.objects.create(frame=rows[5], character=mio, state=FaceState.NOT_A_FACE, **box)
    for text in ("character:mio", "character:AKIYAMA"):
        assert found(collection, text) == [0, 1], text
    for frame, state in ((rows[4], TagState.YES), (rows[6], TagState.NO)):
        FrameCharacter.objects.create(frame=frame, character=mio, state=state, origin="file")
    assert found(collection, "character:Mio") == [0, 1, 4]
    assert found(collection, "-character:Mio") == [2, 3, 5, 6]
    assert found(collection, 'character:"Mio Hairdown"') == [1]
    assert found(collection, "character:unnamed") == [3]
    assert found(collection, "character:none") == [3, 5, 6]
    other = Collection.objects.create(name="Other")
    ritsu = Character.objects.create(collection=other, name="Ritsu")
    CharacterAlias.objects.create(collection=other, character=ritsu, name="Tainaka")
    for name in ("Ritsu", "Tainaka"):
        with pytest.raises(QueryError, match=f"no character '{name}' here"):
            found(collection, f"character:{name}")


@pytest.mark.parametrize("most", [5_000, 1])
def test_frames_with_all_of_several_tags_are_found_however_many_they_are(
    make_frames, collection: Collection, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(search, "HITS_MAX", most)
    rows = make_frames(6)
    smile, hat, tree = (Tag.objects.create(name=name) for name in ("smile", "red_hat", "tree"))
    TagAlias.objects.create(name="smiling", tag=smile)
    for index, tags in enumerate(((smile, hat), (smile, hat), (smile,), (hat, tree), (smile, hat, tree), (smile, hat))):
        for tag in tags:
            FrameTag.objects.create(frame=rows[index], tag=tag)
    FrameTag.objects.filter(frame=rows[1], tag=hat).update(state=TagState.NO)
    FrameTag.objects.create(frame=rows[3], tag=smile, state=TagState.NO)
    for text in ("smile red_hat", 'tag:smiling "red hat"', "red_hat SMILE"):
        assert found(collection, text) == [0, 4, 5], text
    assert found(collection, "smile red_hat tree") == [4]
    assert found(collection, "smile red_hat -tree") == [0, 5]
    assert found(collection, "-smile -red_hat") == []
    monkeypatch.setattr(search, "RARE_TAG_FRAMES", 0)
    assert found(collection, "smile red_hat") == [0, 4, 5]


def test_a_tag_of_another_collection_is_unknown_here(make_frames, collection: Collection) -> None:
    frame = make_frames(1)[0]
    FrameTag.objects.create(frame=frame, tag=Tag.objects.create(name="secret"))
    other = Collection.objects.create(name="Other")
    assert found(collection, "secret") == [0]
    with pytest.raises(QueryError, match=r"There is no tag 'secret'\."):
        found(other, "secret")


def test_an_episode_is_found_by_its_label_title_or_key_in_its_collection_only(
    make_frames, collection: Collection
) -> None:
    episode = make_frames(2)[0].episode
    Episode.objects.filter(pk=episode.pk).update(title="The Hill", series="Yama", season=2, number=4)
    episode.refresh_from_db()
    for text in (episode.label, "the hill", str(episode.pk)):
        assert found(collection, f'episode:"{text}"') == [0, 1], text
    other = Collection.objects.create(name="Other")
    for where, text in ((collection, "hill"), (other, "the hill")):
        with pytest.raises(QueryError, match=f"There is no episode '{text}' here"):
            found(where, f'episode:"{text}"')


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("state:odd", "state: is kept, dropped or all, not 'odd'"),
        ("reason:odd", "reason: is one of .*, not 'odd'"),
        ("is:odd", "is: is one of named, unnamed, .*, not 'odd'"),
    ],
)
def test_a_value_that_does_not_exist_is_refused_with_the_choices(collection: Collection, text: str, told: str) -> None:
    with pytest.raises(QueryError, match=told):
        found(collection, text)


def test_the_rows_after_a_page_mark_are_those_behind_it_in_page_order(make_frames, collection: Collection) -> None:
    first = make_frames(3)
    source = Source.objects.create(collection=collection, kind="pictures", name="b", path="b", sha256="1" * 64)
    later = Episode.objects.create(collection=collection, source=source, title="b")
    last = Frame.objects.create(collection=collection, episode=later, index=1, width=9, height=9)
    rows = frames(collection, [])
    assert set(search.after(rows, f"{first[0].episode_id}.1")) == {first[2], last}
    assert set(search.after(rows, f"{later.pk}.0")) == {last}
    assert not search.after(rows, f"{later.pk}.1").exists()
    for mark in ("", "x.y", "7"):
        assert search.after(rows, mark).count() == 4


@pytest.fixture
def make_frames(collection: Collection):
    """`make_frames(2)`: bare kept frames."""
    source = Source.objects.create(collection=collection, kind="pictures", name="a", path="a", sha256="0" * 64)
    episode = Episode.objects.create(collection=collection, source=source, title="a")

    def make(count: int) -> list[Frame]:
        return [
            Frame.objects.create(collection=collection, episode=episode, index=index, width=9, height=9)
            for index in range(count)
        ]

    return make
