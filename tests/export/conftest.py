"""A small show in the database, with real pictures in the store, that datasets are made from."""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from annotate.models import Character, Face, FaceCluster, FrameTag, NamedBy, Tag, TagCategory
from export.algorithms.plan import Plan
from export.algorithms.recipe import Recipe
from export.build.freezing import freeze
from ingest.imaging.store import Store
from ingest.models import Collection, Episode, Frame, FrameState, ImageType, Source, SourceKind

SIZE = (320, 180)


@dataclass
class Show:
    """What the tests reach for."""

    collection: Collection
    episode: Episode
    fanart: Episode
    frames: list[Frame]
    characters: dict[str, Character]
    store: Store


def drawn(number: int) -> bytes:
    """A small PNG, another one for every number."""
    image = Image.new("RGB", SIZE, (40 + number * 7 % 200, 60, 120))
    draw = ImageDraw.Draw(image)
    draw.ellipse((90 + number % 60, 30, 180 + number % 60, 130), fill=(250, 220, 200))
    draw.text((4, 4), str(number), fill="white")
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def show(collection: Collection, settings: Any) -> Show:
    """12 frames of an episode (Hinata 4, Hinata and Kokona 3, Kokona 2, nobody known 2, no face 1), 3 of fan art."""
    store = Store(Path(settings.KOMA_DATA_DIR) / "store")
    source = Source.objects.create(
        collection=collection, kind=SourceKind.VIDEO, name="yama S2 - 04.mkv", path="x.mkv", sha256="ab" * 32
    )
    episode = Episode.objects.create(
        collection=collection, source=source, series="yama", season=2, number="04", title="yama S2 - 04", decoded=2400
    )
    art = Source.objects.create(
        collection=collection,
        kind=SourceKind.PICTURES,
        name="fan art",
        path="art",
        sha256="cd" * 32,
        image_type=ImageType.FANART,
        exportable=False,
    )
    fanart = Episode.objects.create(collection=collection, source=art, series="yama", title="fan art", decoded=3)
    people = {name: Character.objects.create(collection=collection, name=name) for name in ("Hinata", "Kokona")}
    people["Hinata Hairdown"] = Character.objects.create(
        collection=collection, name="Hinata Hairdown", parent=people["Hinata"]
    )
    cluster = FaceCluster.objects.create(collection=collection, number=3, size=2)
    casts = [["Hinata"]] * 3 + [["Hinata Hairdown"]] + [["Hinata", "Kokona"]] * 3 + [["Kokona"]] * 2 + [[""]] * 2 + [[]]
    tags = {
        name: Tag.objects.get_or_create(name=name, defaults={"category": category})[0]
        for name, category in (
            ("1girl", TagCategory.GENERAL),
            ("2girls", TagCategory.GENERAL),
            ("smile", TagCategory.GENERAL),
            ("yama_no_susume", TagCategory.COPYRIGHT),
            ("highres", TagCategory.META),
        )
    }
    frames = []
    for number, cast in enumerate(casts):
        name = store.put(drawn(number), "png")
        frame = Frame.objects.create(
            collection=collection,
            episode=episode,
            index=number * 10,
            time_s=number * 2.5,
            width=SIZE[0],
            height=SIZE[1],
            file=name,
            preview=name,
            face_count=len(cast),
            tagged=True,
        )
        frames.append(frame)
        for index, who in enumerate(cast):
            Face.objects.create(
                collection=collection,
                frame=frame,
                left=0.1 + 0.45 * index,
                right=0.4 + 0.45 * index,
                top=0.2,
                bottom=0.2 + 0.1 * (2 + number % 5),
                character=people.get(who),
                cluster=None if who else cluster,
                named_by=NamedBy.MODEL if who else NamedBy.NONE,
            )
        for tag in ("smile", "highres", "yama_no_susume", "2girls" if len(cast) == 2 else "1girl"):
            FrameTag.objects.create(frame=frame, tag=tags[tag], score=0.9)
    Frame.objects.create(
        collection=collection,
        episode=episode,
        index=999,
        width=SIZE[0],
        height=SIZE[1],
        preview=frames[0].file,
        state=FrameState.DROPPED,
        reason="duplicate",
        duplicate_of=frames[0],
    )
    for number in range(3):
        Frame.objects.create(
            collection=collection,
            episode=fanart,
            index=number,
            name=f"artist/pic{number}.png",
            width=SIZE[0],
            height=SIZE[1],
            file=(picture := store.put(drawn(100 + number), "png")),
            preview=picture,
            face_count=0,
        )
    return Show(collection, episode, fanart, frames, people, store)


def plan_of(collection: Collection, recipe: Recipe) -> Plan:
    """The plan that an export of the recipe would write now, in memory."""
    with tempfile.TemporaryDirectory() as folder:
        plan = freeze(collection, recipe, Path(folder) / "manifest").plan
        return replace(plan, items=tuple(plan.items))
