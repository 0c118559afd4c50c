"""A library of the last release is all there after the update: every row, its counts, its history, its pages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.utils import timezone

from annotate.consistency import check
from annotate.models import Caption, Character, Face, FrameTag, NamedBy
from export.algorithms.recipe import Recipe
from ingest import counting
from ingest.actions import history
from ingest.imaging.encode import PictureFormat, encode
from ingest.models import Collection, Operation, PipelineRun
from ingest.storage.stored_files import store
from tests.conftest import client_of, make_user
from tests.migrating import tables_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]
LAST_RELEASE = (
    ("ingest", "0006_bare_frames"), ("annotate", "0013_tag_lists"), ("export", "0003_face_example_wanted"),
    ("project", "0001_initial"),
)  # fmt: skip
APPS = ("ingest", "annotate", "export", "project")
PAGES = (
    "", "episodes/", "episodes/{episode}/", "frames/", "frames/{frame}/", "faces/", "characters/",
    "characters/{character}/", "runs/", "runs/{run}/", "export/", "exports/", "history/", "members/",
)  # fmt: skip


class Past:
    """Rows as the last release wrote them: a row of every model, made by the models of then."""

    def __init__(self, old: Any, people: dict[str, int]) -> None:
        self.old, self.people, self.now = old, people, timezone.now()
        self.stored = store().put(encode(np.full((360, 640, 3), 99, np.uint8), PictureFormat("png")), "png")
        self.make_films()
        self.make_people()
        self.make_answers()
        self.make_history()
        self.make_exports()

    def add(self, label: str, **values: Any) -> Any:
        return self.old.get_model(*label.split(".")).objects.create(**values)

    def make_films(self) -> None:
        add = self.add
        here = self.here = {
            "collection": add("ingest.Collection", name="Old show", run_defaults={"dedup": {"threshold": 3.0}})
        }
        source = add(
            "ingest.Source", kind="video", name="ep04.mkv", path="/films/ep04.mkv", sha256="a" * 64,
            added_by_id=self.people["alice"], licence_note="ours", **here,
        )  # fmt: skip
        self.episode = add(
            "ingest.Episode", source=source, title="Ep 4", series="Old show", season=1, number="4", **here
        )
        shots = [add("ingest.Shot", episode=self.episode, index=i, start_s=i, end_s=i + 1) for i in range(2)]
        self.frames = [
            add(
                "ingest.Frame", episode=self.episode, shot=shots[i % 2], index=i, width=640, height=360, time_s=i / 2,
                name=f"{i}.png", face_count=(2, 1, 2, 0)[i], file=self.stored, preview=self.stored,
                measures={"side": {"general": ["hat"]}} if i == 0 else {}, **here,
            )
            for i in range(4)
        ]  # fmt: skip
        self.frames[3].state, self.frames[3].reason, self.frames[3].duplicate_of = (
            "dropped",
            "duplicate",
            self.frames[0],
        )
        self.frames[3].save()
        add("ingest.SkippedInput", episode=self.episode, name="b.txt", reason="no picture", **here)
        self.run = add("ingest.PipelineRun", state="done", code_version="0.2.0", finished_at=self.now, **here)
        add("ingest.StageRun", run=self.run, episode=self.episode, stage="detect", order=3, queue="gpu", state="done")
        add("ingest.Upload", key="u" * 32, name="c.mkv", size_bytes=9, received=4, user_id=self.people["bob"], **here)

    def make_people(self) -> None:
        for name, role in (("alice", 40), ("bob", 20)):
            self.add("ingest.Membership", user_id=self.people[name], role=role, **self.here)
        self.add(
            "ingest.Invitation",
            token_sha256="b" * 64,
            expires_at=self.now,
            created_by_id=self.people["alice"],
            **self.here,
        )
        self.add("project.LoginFailure", name="alice", address="127.0.0.1")

    def make_answers(self) -> None:
        add, here, frame = self.add, self.here, self.frames[0]
        detector = add("annotate.ModelVersion", task="faces", name="tiny")
        tagger = add("annotate.ModelVersion", task="tags", name="tiny WD")
        self.miku, self.rin = (add("annotate.Character", name=name, **here) for name in ("Miku", "Rin"))
        add("annotate.Character", name="Miku in red", parent=self.miku, **here)
        add("annotate.CharacterAlias", character=self.miku, name="hatsune_miku", **here)
        cluster = add("annotate.FaceCluster", number=1, size=3, purity=0.9, guess=self.rin, guess_score=0.5, **here)
        self.faces = [
            add(
                "annotate.Face", frame=self.frames[i // 2], left=0.1 + 0.4 * (i % 2), top=0.1, crop=self.stored,
                right=0.3 + 0.4 * (i % 2), bottom=0.4, model_version=detector, embedding=b"\x01\x02",
                embedding_version=detector,
                cluster=cluster if i % 2 else None, **named, **here,
            )
            for i, named in enumerate(
                (
                    {"character": self.miku, "named_by": "person", "named_user_id": self.people["bob"]},
                    {"not_characters": [self.miku.pk]},
                    {"character": self.rin, "named_by": "model", "confidence": 0.8},
                    {"state": "not_a_face", "named_by": "person", "named_user_id": self.people["alice"]},
                    {"state": "nobody", "named_by": "person", "named_user_id": self.people["bob"]},
                    {},
                )
            )
        ]  # fmt: skip
        add("annotate.FaceVector", face=self.faces[0], model_version=detector, head="hair", data=b"\x01\x02")
        add("annotate.ReferencePicture", character=self.miku, sha256="c" * 64, crop=self.stored, **here)
        hat, smile = add("annotate.Tag", name="hat", post_count=9), add("annotate.Tag", name="smile")
        add("annotate.TagAlias", tag=hat, name="cap")
        add("annotate.FrameTag", frame=frame, tag=hat, score=0.7, model_version=tagger)
        add("annotate.FrameTag", frame=frame, tag=smile, by_person=True, by_id=self.people["bob"])
        add("annotate.FrameTag", frame=self.frames[1], tag=hat, state="no", by_person=True, by_id=self.people["alice"])
        add("annotate.Caption", frame=frame, text="A girl stands.", by_id=self.people["alice"])
        add("annotate.CaptionAnswer", text="A girl sits.")
        add(
            "annotate.ModelCaption",
            frame=frame,
            model_version=tagger,
            text="A hat.",
            asked="d" * 8,
            written_at=self.now,
        )
        add("annotate.CheckedFrame", frame=frame, by_id=self.people["bob"])
        add("annotate.ModelLabels", model_version=tagger, rows=[["hat", 0]])
        add("annotate.ModelAnswer", frame=frame, model_version=tagger, data=b"\x00")
        add("annotate.ModelChoice", task="tags", name="tiny WD", **here)
        add("annotate.ModelTiming", task="tags", name="tiny WD", device="cpu", ms_per_picture=3, pictures=9)
        add("annotate.ModelJob", act="download", name="tiny WD", state="done", created_by_id=self.people["alice"])
        add("annotate.Evaluation", kind="tags", model="tiny WD", state="done", by_id=self.people["alice"], **here)
        add("annotate.TagList", kind="unwanted", name="ours", text="sky", digest="e" * 16, tags=1, **here)

    def make_history(self) -> None:
        """Bob named a face, and took it back; Alice dropped a frame, and wrote a caption."""

        def done(
            person: str, kind: str, summary: str, model: str, row: Any, before: Any, after: Any, **more: Any
        ) -> Any:
            operation = self.add(
                "ingest.Operation", kind=kind, summary=summary, by_id=self.people[person], **self.here, **more
            )
            self.add("ingest.Revision", operation=operation, model=model, object_id=row.pk, before=before, after=after)
            return operation

        face, nobody = self.faces[0], {"character_id": None, "named_by": "", "named_user_id": None, "version": 1}
        named = {"character_id": self.miku.pk, "named_by": "person", "named_user_id": self.people["bob"], "version": 1}
        self.naming = done(
            "bob", "faces.assign", "1 face named Miku", "annotate.Face", face, nobody, named, key="k" * 32
        )
        drop = done(
            "alice", "frames.drop", "1 frame dropped", "ingest.Frame", self.frames[1], {"state": "kept"},
            {"state": "dropped"}, undone_at=self.now,
        )  # fmt: skip
        done("alice", "undo", "Undone: 1 frame dropped", "ingest.Frame", self.frames[1], {"state": "dropped"},
             {"state": "kept"}, undoes=drop)  # fmt: skip

    def make_exports(self) -> None:
        recipe = Recipe().as_dict()
        self.add("export.Recipe", name="Mine", params=recipe, updated_by_id=self.people["alice"], **self.here)
        self.add("export.ExportJob", name="first", params=recipe, state="done", folder="old/first",
                 created_by_id=self.people["alice"], **self.here)  # fmt: skip
        self.add("export.FaceExample", digest="f" * 64, asked_at=self.now, state="done", **self.here)

    def rows(self) -> dict[str, dict[int, dict[str, Any]]]:
        """All rows of all models of then, by label and key."""
        return {
            model._meta.label: {row[model._meta.pk.attname]: row for row in model.objects.values()}
            for model in self.old.get_models()
            if model._meta.app_label in APPS
        }


def as_plain(value: Any) -> Any:
    """PostgreSQL gives bytes as a view of memory."""
    return bytes(value) if isinstance(value, memoryview) else value


def people() -> dict[str, User]:
    return {name: make_user(name) for name in ("alice", "bob")}


def test_every_row_of_the_last_release_is_there_after_the_update() -> None:
    users = people()
    with tables_of(*LAST_RELEASE) as old:
        past = Past(old, {name: user.pk for name, user in users.items()})
        before = past.rows()
    assert not [label for label, rows in before.items() if not rows]  # a row of every model
    for label, rows in before.items():
        model = apps.get_model(label)
        after = {row[model._meta.pk.attname]: row for row in model._default_manager.values()}
        assert rows.keys() <= after.keys(), label
        for key, row in rows.items():
            new = {name: as_plain(value) for name, value in after[key].items() if name in row}
            assert new == {name: as_plain(value) for name, value in row.items() if name in new}, label
    collection = Collection.objects.get(name="Old show")
    assert check(collection) == []
    assert counting.differences(collection.pk) == []


def test_old_answers_are_undone_and_pages_open_after_the_update() -> None:
    users = people()
    with tables_of(*LAST_RELEASE) as old:
        past = Past(old, {name: user.pk for name, user in users.items()})
    collection = Collection.objects.get(name="Old show")
    run = PipelineRun.objects.get(pk=past.run.pk)
    keys = {
        "episode": past.episode.pk, "frame": past.frames[0].pk, "character": past.miku.pk, "run": run.number,
    }  # fmt: skip
    as_alice = client_of(users["alice"])
    answers = {page: as_alice.get(f"/c/{collection.pk}/{page.format(**keys)}").status_code for page in PAGES}
    assert {page: status for page, status in answers.items() if status != 200} == {}
    done = history.undo(Operation.objects.get(pk=past.naming.pk), by=users["bob"])
    assert "1 face named Miku" in done.words
    face = Face.objects.get(pk=past.faces[0].pk)
    assert (face.character, face.named_by) == (None, NamedBy.NONE)
    assert Face.objects.get(pk=past.faces[1].pk).not_characters == [past.miku.pk]
    assert Character.objects.filter(parent=past.miku.pk).count() == 1
    assert Caption.objects.get().text == "A girl stands."
    assert FrameTag.objects.filter(by_person=True).count() == 2
    assert check(collection) == []
