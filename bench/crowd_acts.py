"""Chooses what a person of the crowd does next: reads the collection as a page would, then sends one form."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from annotate.models import Character, CharacterAlias, Face, FaceCluster, FrameTag
from bench.crowd import Browser
from ingest.models import Frame, Operation

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from bench.crowd import Crowd

NAMES = ("Aoi", "Beth", "Cara", "Dana", "Emi", "Fumi", "Gin", "Hinata")
TAGS = ("smile", "hat", "red_hair", "outdoors", "night", "rain")


class Person:
    """Chooses by its own random numbers, so that a seed gives the same intentions again."""

    def __init__(self, crowd: Crowd, user: User, *, seed: str) -> None:
        self.random = random.Random(seed)
        self.collection = crowd.collection
        self.user = user
        self.browser = Browser(crowd, user)
        self.acts: dict[Callable[[], None], int] = {
            self.answer_face: 18, self.answer_faces: 12, self.answer_cluster: 10, self.split_cluster: 3,
            self.make_character: 4, self.change_character: 10, self.merge: 4, self.split_character: 4,
            self.draw: 6, self.move: 5, self.delete_box: 3, self.tag: 8, self.tag_frames: 5, self.decide: 8,
            self.caption: 5, self.check_frame: 2, self.say_who_is_there: 5, self.undo: 20, self.undo_older: 5,
        }  # fmt: skip

    def action(self) -> None:
        """One form, or none where there is nothing to choose."""
        (action,) = self.random.choices(list(self.acts), weights=list(self.acts.values()))
        action()

    def post(self, path: str, **data: Any) -> None:
        """Send a form named after its act."""
        kind = f"{path.split('/')[0]} {data.get('act', '')}".strip()
        self.browser.post(kind, path, data)

    def name(self) -> str:
        """Mostly a name of the cast, sometimes a new one."""
        return self.random.choice(NAMES) if self.random.random() < 0.7 else f"New {self.random.randrange(40)}"

    def choose_row(self, rows: Any) -> Any:
        """Any of the rows, as they are now; None where there is none."""
        keys = list(rows.order_by("pk").values_list("pk", flat=True))
        return rows.filter(pk=self.random.choice(keys)).first() if keys else None

    def face(self) -> Face | None:
        row: Face | None = self.choose_row(Face.objects.filter(collection=self.collection))
        return row

    def frame(self) -> Frame:
        row: Frame = self.choose_row(Frame.objects.filter(collection=self.collection))
        return row

    def character(self) -> Character | None:
        row: Character | None = self.choose_row(Character.objects.filter(collection=self.collection))
        return row

    def choose_keys(self, rows: Any, keys_max: int) -> list[int]:
        keys = list(rows.order_by("pk").values_list("pk", flat=True))
        return self.random.sample(keys, min(len(keys), self.random.randint(1, keys_max)))

    def answer_face(self) -> None:
        face = self.face()
        action = self.random.choice(("name", "name", "name", "nobody", "not_a_face", "is_face"))
        if face is not None:
            more = {"name": self.name()} if action == "name" else {}
            self.post(f"faces/{face.pk}/change/", act=action, version=face.version, **more)

    def answer_faces(self) -> None:
        action = self.random.choice(("name", "name", "nobody", "not_a_face", "unname", "confirm", "reference"))
        faces = Face.objects.filter(collection=self.collection)
        if action in ("confirm", "reference"):
            faces = faces.named()
        if chosen := self.choose_keys(faces, 6):
            self.post("faces/change/", act=action, face=chosen, name=self.name())

    def answer_cluster(self) -> None:
        cluster = self.choose_row(FaceCluster.objects.filter(collection=self.collection))
        if cluster is None:
            return
        out = self.choose_keys(cluster.faces.all(), 2) if cluster.faces.exists() and self.random.random() < 0.4 else []
        action = self.random.choice(("name", "name", "name", "nobody"))
        self.post(f"clusters/{cluster.pk}/change/", act=action, name=self.name(), out=out)

    def split_cluster(self) -> None:
        cluster = self.choose_row(FaceCluster.objects.filter(collection=self.collection))
        if cluster is not None and cluster.faces.exists():
            self.post(f"clusters/{cluster.pk}/change/", act="split", out=self.choose_keys(cluster.faces.all(), 2))

    def make_character(self) -> None:
        self.post("characters/create/", name=self.name())

    def change_character(self) -> None:
        who, action = (
            self.character(),
            self.random.choice(("rename", "alias", "alias_remove", "outfit_of", "outfit_of")),
        )
        if who is None:
            return
        data: dict[str, Any] = {"act": action, "version": who.version}
        if action in ("rename", "alias"):
            data["name"] = self.name() if action == "rename" else f"Alias {self.random.randrange(30)}"
        elif action == "alias_remove":
            alias = self.choose_row(CharacterAlias.objects.filter(collection=self.collection))
            data["alias"] = alias.pk if alias else 0
        else:
            other = self.character()
            data["parent"] = other.pk if other and other.pk != who.pk and self.random.random() < 0.7 else ""
        self.post(f"characters/{who.pk}/change/", **data)

    def merge(self) -> None:
        who, into = self.character(), self.character()
        if who is not None and into is not None and who.pk != into.pk:
            self.post(f"characters/{who.pk}/change/", act="merge", into=into.pk, version=who.version)

    def split_character(self) -> None:
        who = self.character()
        if who is None:
            return
        faces = self.choose_keys(Face.objects.filter(character=who), 3)
        action = self.random.choice(("split", "outfit"))
        if faces:
            self.post(
                "faces/change/", act=action, face=faces, character=who.pk, name=f"Part {self.random.randrange(40)}"
            )

    def box(self) -> dict[str, float]:
        left, top = self.random.uniform(0, 0.7), self.random.uniform(0, 0.7)
        return {"left": left, "top": top, "right": left + 0.2, "bottom": top + 0.25}

    def draw(self) -> None:
        self.post(f"frames/{self.frame().pk}/box/", **self.box())

    def move(self) -> None:
        face = self.face()
        if face is not None:
            self.post(f"frames/{face.frame_id}/box/", face=face.pk, version=face.version, **self.box())

    def delete_box(self) -> None:
        face = self.face()
        if face is not None:
            self.post(f"faces/{face.pk}/change/", act="delete", version=face.version)

    def tag(self) -> None:
        frame = self.frame()
        tag_names = list(FrameTag.objects.filter(frame=frame, state="yes").values_list("tag__name", flat=True))
        remove = [self.random.choice(tag_names)] if tag_names and self.random.random() < 0.4 else []
        add = self.random.choice(TAGS) if not remove or self.random.random() < 0.4 else ""
        self.post(f"frames/{frame.pk}/tags/", add=add, remove=remove)

    def tag_frames(self) -> None:
        frames = self.choose_keys(Frame.objects.filter(collection=self.collection), 8)
        action = self.random.choice(("tag_add", "tag_add", "tag_remove"))
        self.post("frames/change/", act=action, frame=frames, tag=self.random.choice(TAGS))

    def decide(self) -> None:
        frames = self.choose_keys(Frame.objects.filter(collection=self.collection), 4)
        action = self.random.choice(("drop", "restore", "leave_out", "let_in"))
        self.post("frames/change/", act=action, frame=frames)

    def caption(self) -> None:
        text = {"clear": "1"} if self.random.random() < 0.2 else {"text": f"A girl, {self.random.randrange(10**6)}."}
        self.post(f"frames/{self.frame().pk}/caption/change/", **text)

    def check_frame(self) -> None:
        self.post(f"frames/{self.frame().pk}/check/", act=self.random.choice(("check", "uncheck")))

    def say_who_is_there(self) -> None:
        self.post(
            f"frames/{self.frame().pk}/characters/", **{self.random.choice(("add", "add", "remove")): self.name()}
        )

    def undo(self) -> None:
        self.post("undo/")

    def undo_older(self) -> None:
        """An operation to undo, one's own or, as a lead, anybody's; later work most often depends on the newest."""
        operations = Operation.objects.filter(collection=self.collection, undone_at=None, undoes=None)
        if self.random.random() < 0.7:
            operations = operations.filter(by=self.user)
        keys = list(operations.order_by("-pk").values_list("pk", flat=True)[:30])
        if keys:
            self.post(f"undo/{self.random.choice(keys)}/")
