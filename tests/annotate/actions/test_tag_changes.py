"""Tags of a whole collection renamed, merged, removed: counted first, then one operation that one undo takes back."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotate.actions import tag_changes, tags
from annotate.actions.tag_changes import Change
from annotate.models import FrameTag, ModelVersion, Tag, TagAlias, TagCount, TagState
from annotate.queries import search
from ingest.actions import history
from ingest.errors import BadInput
from ingest.models import Collection, Episode, Frame, Operation, Source
from tests.database_work import cost

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def tags_on(frame: Frame) -> dict[str, str]:
    return dict(FrameTag.objects.filter(frame=frame).values_list("tag__name", "state"))


@pytest.fixture()
def tagged(frames: list[Frame], detector: ModelVersion) -> list[Frame]:
    """Of a model: grey_hair on all three, gray_hair on the second, hat on the first."""
    for name, indexes in (("grey_hair", (0, 1, 2)), ("gray_hair", (1,)), ("hat", (0,))):
        tag = Tag.objects.create(name=name)
        for index in indexes:
            FrameTag.objects.create(frame=frames[index], tag=tag, score=0.7, model_version=detector)
    return frames


def test_a_dry_run_counts_and_writes_nothing(collection: Collection, tagged: list[Frame], alice: User) -> None:
    tags.remove(collection=collection, frames=[tagged[2]], names=["gray_hair"], by=alice)
    before = list(FrameTag.objects.order_by("pk").values_list())
    plan = tag_changes.planned(
        collection=collection, names={"grey_hair": "gray_hair", "hat": "", "unknown": "x"}, frames=None
    )
    assert plan == [
        Change("grey_hair", "gray_hair", frames=3, already=1, refused=1),
        Change("hat", "", frames=1),
    ]
    assert list(FrameTag.objects.order_by("pk").values_list()) == before


def test_a_merge_moves_the_tag_on_every_frame_and_no_model_brings_it_back(
    collection: Collection, tagged: list[Frame], alice: User
) -> None:
    done = tag_changes.apply(collection=collection, names={"grey_hair": "gray_hair"}, frames=None, by=alice)
    assert [tags_on(frame) for frame in tagged] == [
        {"grey_hair": "no", "gray_hair": "yes", "hat": "yes"},
        {"grey_hair": "no", "gray_hair": "yes"},
        {"grey_hair": "no", "gray_hair": "yes"},
    ]
    assert set(FrameTag.objects.filter(tag__name="grey_hair").values_list("by_person", "by")) == {(True, alice.pk)}
    assert done.summary == "Tags grey_hair → gray_hair on 3 frames"
    count = TagCount.objects.get(tag_id=Tag.objects.get(name="gray_hair").pk, state=TagState.YES)
    assert count.n == 3


def test_one_undo_takes_all_of_it_back(collection: Collection, tagged: list[Frame], alice: User) -> None:
    before = list(FrameTag.objects.order_by("pk").values_list("frame", "tag", "state", "score", "model_version", "by"))
    done = tag_changes.apply(
        collection=collection, names={"grey_hair": "gray_hair", "hat": "", "gray_hair": "silver"}, frames=None, by=alice
    )
    history.undo(done, by=alice)
    after = FrameTag.objects.order_by("pk").values_list("frame", "tag", "state", "score", "model_version", "by")
    assert list(after) == before


def test_of_a_chain_each_frame_goes_one_step(collection: Collection, tagged: list[Frame], alice: User) -> None:
    tag_changes.apply(
        collection=collection, names={"grey_hair": "gray_hair", "gray_hair": "silver_hair"}, frames=None, by=alice
    )
    yes = [{name for name, state in tags_on(frame).items() if state == "yes"} for frame in tagged]
    assert yes == [{"gray_hair", "hat"}, {"gray_hair", "silver_hair"}, {"gray_hair"}]


def test_what_a_person_removed_stays_removed(
    collection: Collection, tagged: list[Frame], alice: User, bob: User
) -> None:
    tags.remove(collection=collection, frames=[tagged[2]], names=["gray_hair"], by=bob)
    tag_changes.apply(collection=collection, names={"grey_hair": "gray_hair"}, frames=None, by=alice)
    assert tags_on(tagged[2]) == {"grey_hair": "no", "gray_hair": "no"}
    assert FrameTag.objects.get(frame=tagged[2], tag__name="gray_hair").by == bob


def test_a_filter_narrows_the_frames_and_another_collection_is_never_touched(
    collection: Collection, tagged: list[Frame], alice: User
) -> None:
    other = Collection.objects.create(name="Other")
    source = Source.objects.create(collection=other, kind="pictures", name="b", path="b", sha256="1" * 64)
    episode = Episode.objects.create(collection=other, source=source, title="b")
    theirs = Frame.objects.create(collection=other, episode=episode, index=0, width=9, height=9)
    FrameTag.objects.create(frame=theirs, tag=Tag.objects.get(name="grey_hair"))
    with_hat = search.frames(collection, search.terms_of(collection, "hat"))
    tag_changes.apply(collection=collection, names={"grey_hair": ""}, frames=with_hat, by=alice)
    assert [tags_on(frame)["grey_hair"] for frame in [*tagged, theirs]] == ["no", "yes", "yes", "yes"]
    tag_changes.apply(collection=collection, names={"grey_hair": ""}, frames=None, by=alice)
    assert tags_on(theirs) == {"grey_hair": "yes"}


def test_an_alias_means_its_tag(collection: Collection, tagged: list[Frame], alice: User) -> None:
    TagAlias.objects.create(name="grayish_hair", tag=Tag.objects.get(name="gray_hair"))
    plan = tag_changes.planned(collection=collection, names={"hat": "grayish hair"}, frames=None)
    assert [change.new_name for change in plan] == ["gray_hair"]
    assert tag_changes.planned(collection=collection, names={"gray_hair": "grayish_hair"}, frames=None) == []


def test_too_many_rows_are_refused_with_the_number(
    collection: Collection, tagged: list[Frame], alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tag_changes, "ROWS_MAX", 2)
    with pytest.raises(BadInput, match="would change 3 tags on frames; at most 2"):
        tag_changes.apply(collection=collection, names={"grey_hair": "x"}, frames=None, by=alice)
    assert Operation.objects.count() == 0


def test_a_dry_run_of_too_many_rows_counts_them_and_no_clashes(
    collection: Collection, tagged: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tag_changes, "ROWS_MAX", 2)
    plan = tag_changes.planned(collection=collection, names={"grey_hair": "gray_hair"}, frames=None)
    assert plan == [Change("grey_hair", "gray_hair", frames=3)]


def test_a_dry_run_takes_as_many_queries_for_many_tags_as_for_one(collection: Collection, tagged: list[Frame]) -> None:
    more = Tag.objects.bulk_create(Tag(name=f"grey_{n}") for n in range(50))
    FrameTag.objects.bulk_create(FrameTag(frame=tagged[n % 3], tag=tag) for n, tag in enumerate(more))
    names = {"grey_hair": "gray_hair"} | {tag.name: "hat" if n % 2 else "gray_hair" for n, tag in enumerate(more)}

    def dry_run(names: dict[str, str], frames: Any) -> tuple[int, int]:
        plan: list[Change] = []
        costs = cost(lambda: plan.extend(tag_changes.planned(collection=collection, names=names, frames=frames)))
        assert len(plan) == len(names)
        return costs

    for frames in (None, Frame.objects.filter(collection=collection)):
        assert dry_run(names, frames)[0] == dry_run({"grey_hair": "gray_hair"}, frames)[0]


def test_counting_a_removal_everywhere_reads_no_frames(collection: Collection, tagged: list[Frame]) -> None:
    def dry_run() -> tuple[int, int]:
        return cost(lambda: tag_changes.planned(collection=collection, names={"hat": ""}, frames=None))

    before = dry_run()
    hat, first = Tag.objects.get(name="hat"), tagged[0]
    fresh = Frame.objects.bulk_create(
        Frame(collection=collection, episode=first.episode, index=n, width=9, height=9) for n in range(10, 310)
    )
    FrameTag.objects.bulk_create(FrameTag(frame=frame, tag=hat) for frame in fresh)
    queries, steps = dry_run()
    # Each query may count a step more or less: SQLite goes on counting where the last use of its statement ended.
    assert queries == before[0] and steps <= before[1] + queries
    assert tag_changes.planned(collection=collection, names={"hat": ""}, frames=None) == [Change("hat", "", 301)]


@pytest.mark.parametrize("bad", ["a,b", "x" * 201, "a\u202eb"])
def test_a_name_that_cannot_be_a_tag_is_refused(
    collection: Collection, tagged: list[Frame], alice: User, bad: str
) -> None:
    with pytest.raises(BadInput):
        tag_changes.apply(collection=collection, names={"hat": bad}, frames=None, by=alice)


def test_nothing_to_change_is_told_and_leaves_no_entry_in_the_history(
    collection: Collection, tagged: list[Frame], alice: User
) -> None:
    with pytest.raises(BadInput, match="No frame has these tags any more"):
        tag_changes.apply(collection=collection, names={"unknown": "x"}, frames=None, by=alice)
    assert Operation.objects.count() == 0


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["", "a", "b", "c", "d", "e"]), min_size=1))
def test_the_dry_run_says_what_happens(
    collection: Collection, frames: list[Frame], alice: User, names: dict[str, str]
) -> None:
    FrameTag.objects.all().delete()
    for frame, present in zip(frames, ("ab", "bc", "d"), strict=True):
        for name in present:
            FrameTag.objects.create(frame=frame, tag=Tag.objects.get_or_create(name=name)[0])
    before = {frame.pk: {name for name, state in tags_on(frame).items() if state == "yes"} for frame in frames}
    plan: list[Any] = tag_changes.planned(collection=collection, names=names, frames=None)
    if not plan:
        return
    tag_changes.apply(collection=collection, names=names, frames=None, by=alice)
    meant = {change.name: change.new_name for change in plan}
    for frame in frames:
        expected = {meant.get(name, name) for name in before[frame.pk]} - {""}
        assert {name for name, state in tags_on(frame).items() if state == "yes"} == expected
