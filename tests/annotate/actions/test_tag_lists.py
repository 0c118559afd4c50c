"""Lists by which tags are dropped: what can be read, which one counts, from the page and from the command."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from annotate.actions import tag_lists
from annotate.actions.tag_lists import Kind
from annotate.backends.taggers import filter_lists
from annotate.models import TagList
from ingest.actions import history
from ingest.errors import BadInput, Conflict
from ingest.models import Collection, Operation
from tests.pages import html_of

pytestmark = pytest.mark.django_db
HAIR = b'{"Hair": ["long hair", "short_hair"]}'


def test_both_forms_of_a_list_of_included_tags_are_read() -> None:
    expected = {"hair": frozenset({"long_hair", "short_hair"})}
    assert filter_lists.parse_overlaps(HAIR, name="a.json").overlaps == expected
    rows = [{"query": "hair", "has_overlap": ["long hair", "short hair"]}, {"query": "sky", "has_overlap": None}]
    parsed = filter_lists.parse_overlaps(b"\xef\xbb\xbf" + json.dumps(rows).encode(), name="a.json")
    assert parsed.overlaps == expected
    assert (parsed.count, parsed.notes) == (1, [])


def test_a_tag_never_includes_itself_and_two_that_include_each_other_are_reported() -> None:
    parsed = filter_lists.parse_overlaps(b'{"a": ["a", "b"], "b": ["a"], "c": ["c"]}', name="a.json")
    assert parsed.overlaps == {"a": frozenset({"b"}), "b": frozenset({"a"})}
    assert "no tag implies itself: a, c" in parsed.notes[0]
    assert "a and b imply each other" in parsed.notes[1]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"hair\nsky\n", "is not JSON"),
        (b'{"hair": "long hair"}', "entry 1 .'hair'.: it must be a tag with a list"),
        (b'{"sky": ["blue sky"], "hair": [7]}', "entry 2"),
        (b'{"hair": ["long\\u0007hair"]}', "cannot be a tag"),
        (b'{"": ["x"]}', "cannot be a tag"),
        (b'["hair"]', "holds no lists of tags by tag"),
        (b"{}", "has no tag"),
        (b"a\xff", "not valid UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_list_of_included_tags_that_cannot_be_used_is_reported_with_its_place(data: bytes, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        filter_lists.parse_overlaps(data, name="a.json")


def test_unwanted_tags_stand_one_a_line() -> None:
    parsed = filter_lists.parse_unwanted(b"Virtual YouTuber\n\n cosplay \nCosplay\n", name="a.txt")
    assert parsed.unwanted == ("virtual_youtuber", "cosplay")
    assert parsed.notes == ["cosplay occurred more than once."]
    for data, result in ((b'a\n"b, c\n', "line 2, .* not closed"), (b"\n \n", "holds no tag"), (b'["a"]', "like JSON"),
                       (b"a\n" + b"x" * 201, "line 2: .* cannot be a tag")):  # fmt: skip
        with pytest.raises(BadInput, match=result):
            filter_lists.parse_unwanted(data, name="a.txt")


def test_a_far_too_large_list_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filter_lists, "FILE_MAX", 10)
    with pytest.raises(BadInput, match="at most 10 B"):
        filter_lists.parse_unwanted(b"long_hair\nsky\n", name="a.txt")


def test_a_newer_list_counts_and_undo_brings_the_older_one_back(collection: Collection, alice: Any) -> None:
    tag_lists.add(collection=collection, kind=Kind.UNWANTED, name="one.txt", data=b"cosplay\n", by=alice)
    tag_lists.add(collection=collection, kind=Kind.UNWANTED, name="two.txt", data=b"parody\n", by=alice)
    assert tag_lists.used(collection, Kind.UNWANTED).parsed.unwanted == ("parody",)
    history.undo_last(collection=collection, by=alice)
    assert tag_lists.used(collection, Kind.UNWANTED).parsed.unwanted == ("cosplay",)
    again, _ = tag_lists.add(collection=collection, kind=Kind.UNWANTED, name="2.txt", data=b"parody\n", by=alice)
    assert again.used and again.name == "two.txt"  # the same bytes are the same list
    assert TagList.objects.count() == 2


@pytest.mark.postgres
def test_undo_of_an_older_change_leaves_the_list_that_counts_by_now(collection: Collection, alice: Any) -> None:
    for name in ("one", "two"):
        tag_lists.add(collection=collection, kind=Kind.UNWANTED, name=name, data=name.encode(), by=alice)
    older = Operation.objects.filter(kind="tags.list").latest("pk")
    tag_lists.add(collection=collection, kind=Kind.UNWANTED, name="three", data=b"three", by=alice)
    with pytest.raises(Conflict, match="Nothing was undone"):
        history.undo(older, by=alice)
    assert tag_lists.used(collection, Kind.UNWANTED).parsed.unwanted == ("three",)
    tag_lists.use(collection=collection, kind=Kind.UNWANTED, key=None, by=alice)
    history.undo(older, by=alice)
    assert tag_lists.used(collection, Kind.UNWANTED).parsed.unwanted == ("one",)


def test_only_a_few_lists_that_do_not_count_are_kept(collection: Collection, alice: Any) -> None:
    for number in range(9):
        tag_lists.add(collection=collection, kind=Kind.UNWANTED, name="a", data=f"tag{number}".encode(), by=alice)
    assert TagList.objects.filter(used=False).count() == tag_lists.KEPT
    assert tag_lists.used(collection, Kind.UNWANTED).parsed.unwanted == ("tag8",)


def test_the_installed_list_counts_where_the_collection_has_none(collection: Collection, settings: Any) -> None:
    with pytest.raises(BadInput, match=r"no list of implied tags.*manage\.py tag_lists.*download tag_filtering"):
        tag_lists.used(collection, Kind.INCLUDED)
    folder = settings.KOMA_MODELS_DIR / "tag_filtering"
    folder.mkdir(parents=True)
    (folder / "overlap_tags.json").write_bytes(HAIR)
    installed = tag_lists.used(collection, Kind.INCLUDED)
    assert "hair" in installed.parsed.overlaps
    tag_lists.add(collection=collection, kind=Kind.INCLUDED, name="a.json", data=b'{"sky": ["blue sky"]}', by=None)
    uploaded = tag_lists.used(collection, Kind.INCLUDED)
    assert set(uploaded.parsed.overlaps) == {"sky"} and uploaded.digest != installed.digest
    tag_lists.use(collection=collection, kind=Kind.INCLUDED, key=None, by=None)
    assert tag_lists.used(collection, Kind.INCLUDED) == installed


def test_a_lead_adds_and_chooses_lists_on_the_page(collection: Collection, as_alice: Client, as_bob: Client) -> None:
    here = f"/c/{collection.pk}/models/lists/"
    file = SimpleUploadedFile("mine.json", HAIR)
    page = html_of(as_alice.post(here, {"kind": "included", "file": file}, follow=True))
    assert "mine.json (1 tag) is used" in page
    assert "mine.json, 1 tag," in page and "by alice" in page
    row = TagList.objects.get()
    page = html_of(as_alice.post(here, {"kind": "included", "use": ""}, follow=True))
    assert "no list of this collection" in page
    as_alice.post(here, {"kind": "included", "use": row.pk})
    row.refresh_from_db()
    assert row.used
    other = Collection.objects.create(name="Other")
    foreign, _ = tag_lists.add(collection=other, kind=Kind.INCLUDED, name="x", data=HAIR, by=None)
    for values, result in (
        ({"kind": "included", "use": foreign.pk}, "no longer exists"),
        ({"kind": "included", "use": "abc"}, "This list does not exist"),
        ({"kind": "odd", "use": ""}, "not a kind of list"),
        ({"kind": "unwanted"}, "Choose a file"),
        ({"kind": "unwanted", "file": SimpleUploadedFile("a.txt", b'"a, b')}, "not closed"),
    ):
        referer = f"http://testserver/c/{collection.pk}/models/"
        page = html_of(as_alice.post(here, values, follow=True, headers={"Referer": referer}))
        assert result in page, values
    row.refresh_from_db()
    assert row.used
    assert as_bob.post(here, {"kind": "included", "use": ""}).status_code in (403, 404)


def test_the_command_adds_shows_and_takes_back(collection: Collection, tmp_path: Any) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("cosplay\n")
    out = io.StringIO()
    call_command("tag_lists", str(collection.pk), "--unwanted", str(path), stdout=out)
    assert "Unwanted tags: mine.txt, 1 tag" in out.getvalue() and "Implied tags: no list" in out.getvalue()
    call_command("tag_lists", str(collection.pk), "--none", "unwanted", stdout=out)
    assert not TagList.objects.filter(used=True).exists()
    path.write_text('"a, b')
    with pytest.raises(CommandError, match="line 1"):
        call_command("tag_lists", str(collection.pk), "--unwanted", str(path))
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("tag_lists", str(collection.pk), "--included", str(tmp_path / "none.json"))
