"""Names from outside are text everywhere: on every page, in headers, JSON, logs of runs, and in files that go out."""

from __future__ import annotations

import json
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from annotate.actions import characters, tags
from annotate.models import Character, Face, NamedBy, Tag
from export.actions import jobs
from export.algorithms.recipe import parse
from export.build import export_job
from export.models import ExportJob
from ingest.errors import BadInput
from ingest.models import Collection, Frame, RunState, Source
from tests.conftest import client_of
from tests.pages import html_of
from tests.safety.conftest import PATTERNS, World, build, files_below, parameters
from tests.safety.test_addresses import IN_COLLECTION

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7|add:7 }}{% url 'x' %}",
    "../../etc/passwd",
    "x\r\nSet-Cookie: koma_session=1",
    "a\u202egnp.exe\u2066b",
    "=cmd|' /C calc'!A0",
    "a\x01\x1b[31mb\x7f",
    "コマ 🎞 e\u0301",
    "]]></script><!--",
    "con.",
    "a/b\\c:d*e?f|g",
    "x" * 4000,
]
BAD_ADDRESSES = ("javascript:", "data:text", "x")
PAGES = sorted(name for name, (get, _) in IN_COLLECTION.items() if get is not None and name not in ("file", "upload"))
HTMX = {"HX-Request": "true"}


class Tags(HTMLParser):
    """Collects what a browser would run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "script" and not (values.get("src") or "").startswith("/static/"):
            self.found.append("script without a file of ours")
        self.found += [f"{tag} {name}" for name in values if name.startswith("on")]
        self.found += [
            f"{tag} {name}={value}"
            for name, value in values.items()
            if name in ("href", "src", "action") and (value or "").lower().lstrip().startswith(BAD_ADDRESSES)
        ]  # fmt: skip
        if values.get("src") == "x":
            self.found.append("an image from a name")


def test_every_address_that_is_read_is_looked_at() -> None:
    assert set(PAGES) | {"file", "upload"} == {n for n, (get, _) in IN_COLLECTION.items() if get is not None}
    assert all(name in PATTERNS and parameters(name) for name in PAGES)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_name_is_text_on_every_page(db: None, alice: User, collection: Collection, text: str) -> None:
    world = build(collection, alice, shade=30, text=text)
    collection.name = text[:200]
    collection.save()
    client = client_of(alice)
    for name in PAGES:
        is_query = name in ("frames", "tag_names", "character_names", "query_names")
        answer = client.get(world.address(name), {"q": text} if is_query else {})
        # 404: no zip to download; 302: a still leads to its file, names for the rest to the faces where there are none
        assert answer.status_code in (200, 404) or name in ("frame_still", "faces_rest"), name
        assert answer.headers["X-Content-Type-Options"] == "nosniff", name
        assert not any(set(value) & {"\r", "\n", "\0"} for value in answer.headers.values()), name
        if answer.headers["Content-Type"].startswith("text/html"):
            seen = Tags()
            seen.feed(html_of(answer))
            assert seen.found == [], name
            assert "script-src 'self'" in answer.headers["Content-Security-Policy"], name
            assert "unsafe-eval" not in answer.headers["Content-Security-Policy"], name
            assert answer.headers["X-Frame-Options"] == "DENY", name
        elif answer.headers["Content-Type"] == "application/json":
            json.loads(answer.content)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_name_in_a_form_is_refused_or_comes_back_as_text(world: World, alice: User, text: str) -> None:
    """By htmx, whose toasts travel in a header: one line of ASCII, JSON, and nothing that a script puts in as HTML."""
    client = client_of(alice)
    forms: list[tuple[str, dict[str, Any]]] = [
        ("character_create", {"name": text}),
        ("character_change", {"act": "rename", "name": text + "2", "version": 1}),
        ("character_change", {"act": "alias", "name": text + "3"}),
        ("face_change", {"act": "name", "name": text}),
        ("cluster_change", {"act": "name", "name": text, "key": "k1"}),
        ("frame_tags", {"add": text}),
        ("frames_change", {"act": "tag_add", "tag": text, "frame": world.frames[0].pk, "key": "k2"}),
        ("caption_change", {"text": text}),
        ("episode_change", {"title": text, "series": text, "number": text[:20]}),
        ("collection_settings", {"name": text}),
        ("export_change", {"act": "save", "recipe_name": text, "name": text}),
        ("upload_begin", {"name": text + ".mkv", "size": 5, "key": text, "series": text, "licence_note": text}),
    ]
    for name, data in forms:
        answer = client.post(world.address(name), data, headers=HTMX)
        assert answer.status_code in (200, 204, 302, 409, 422), (name, answer.status_code)
        for header, value in answer.headers.items():
            assert not set(value) & {"\r", "\n", "\0"}, (name, header)
        if "HX-Trigger" in answer.headers:
            assert answer.headers["HX-Trigger"].isascii(), name
            assert isinstance(json.loads(answer.headers["HX-Trigger"])["toast"]["text"], str)
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            seen = Tags()
            seen.feed(html_of(answer))
            assert seen.found == [], name
    for row in (*Character.objects.all(), *Tag.objects.all(), *Collection.objects.all(), *Source.objects.all()):
        assert not any(ord(sign) < 32 or ord(sign) == 127 for sign in row.name), row.name


def test_marks_that_turn_the_direction_of_text_are_no_part_of_a_name(world: World, alice: User) -> None:
    common = {"collection": world.collection, "by": alice}
    for sign in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069":
        with pytest.raises(BadInput):
            characters.create(name=f"a{sign}b", **common)
        with pytest.raises(BadInput):
            tags.add(frames=[world.frames[0]], names=[f"a{sign}b"], **common)
    assert characters.create(name="کوما", **common).name == "کوما"  # words that are written from right to left are fine


def test_a_data_set_of_hostile_names_stays_in_its_folder(world: World, alice: User, settings: Any) -> None:
    """Names put into the database past every check; each becomes a harmless folder and one line of a caption."""
    frames = [
        Frame.objects.create(
            collection=world.collection, episode=world.rows["episode_id"], index=100 + n, width=32, height=18,
            file=world.rows["name"], preview=world.rows["name"], face_count=1, tagged=True,
        )
        for n in range(len(HOSTILE))
    ]  # fmt: skip
    for frame, text in zip(frames, HOSTILE, strict=True):
        person = Character.objects.create(collection=world.collection, name=text[:200])
        Face.objects.create(collection=world.collection, frame=frame, left=0.1, top=0.1, right=0.6, bottom=0.7,
                            character=person, named_by=NamedBy.PERSON)  # fmt: skip
        tag = Tag.objects.create(name=text[:200])
        frame.frame_tags.create(tag=tag, score=0.9)
    world.rows["episode_id"].series = "../../\r\n<b>"
    world.rows["episode_id"].save()
    for layout in ("hierarchy", "kohya"):
        recipe = parse({"arrange": {"min_per_combination": 1}, "output": {"layout": layout}})
        job = jobs.start(collection=world.collection, recipe=recipe, name="../../../evil", by=alice)
        assert export_job.execute(job.pk) == RunState.DONE, ExportJob.objects.get(pk=job.pk).error
        job.refresh_from_db()
        folder = jobs.inside_exports(job.folder)
        names = files_below(folder)
        assert len([name for name in names if name.endswith(".png")]) >= len(HOSTILE)
        for name in names:
            for part in name.split("/"):
                assert part not in ("", ".", ".."), name
                assert part.isprintable(), name
                assert not set(part) & set('<>:"\\|?*'), name
                assert len(part.encode()) <= 255, name
                assert part == part.rstrip(". "), name
            path = folder / name
            assert path.resolve().is_relative_to(Path(settings.KOMA_EXPORT_DIR).resolve())
            if name.endswith(".json"):
                json.loads(path.read_text(encoding="utf-8"))
            if name.endswith(".txt"):
                caption = path.read_text(encoding="utf-8")
                assert len(caption.splitlines()) <= 1, name
                assert not any(ord(sign) < 32 and sign != "\n" for sign in caption), name
        with zipfile.ZipFile(jobs.inside_exports(job.zip_file)) as archive:
            for name in archive.namelist():
                assert not name.startswith("/")
                assert ".." not in name.split("/")
        answer = client_of(alice).head(world.address("export_download", rows={"job_id": job}))
        assert "\n" not in answer.headers["Content-Disposition"]
    assert {path.split("/")[0] for path in files_below(Path(settings.KOMA_DATA_DIR))} <= {"store", "exports", "alive"}


def test_a_model_whose_tags_are_hostile_is_refused_by_its_row(tmp_path: Path) -> None:
    from annotate.backends.taggers.label_lists import read_table

    table = tmp_path / "selected_tags.csv"
    for name in ("a\nb", "a\x01b", "a\u202eb", "x" * 2**16, "a\u2028b"):
        table.write_text(f'tag_id,name,category,count\n1,1girl,0,5\n2,"{name}",0,5\n', encoding="utf-8")
        with pytest.raises(BadInput, match="row"):
            read_table(table)


def test_a_caption_by_hand_holds_no_control_characters(world: World, as_alice: Client) -> None:
    as_alice.post(world.address("caption_change"), {"text": "two\nlines\x01\x1b[31m\x85 end"})
    world.frames[0].refresh_from_db()
    assert world.frames[0].caption.text == "two lines[31m end"


def test_a_page_of_a_member_with_a_hostile_user_name_is_text(world: World, alice: User, as_alice: Client) -> None:
    member = world.rows["member_id"].user
    member.username = "<script>alert(1)</script>"
    member.save()
    for name in ("members", "history", "overview"):
        assert b"<script>alert" not in as_alice.get(world.address(name)).content
    assert b"<script>alert" not in client_of(member).get(world.address("overview")).content
