"""What the export page shows from its caches is what it would show without them: for each setting, after each write."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from PIL import Image

from annotate.actions import captions, characters, faces, tags
from annotate.models import Face
from export.algorithms.recipe import Recipe, parse
from export.preview.result import Preview, is_counted, preview
from ingest.actions import frames
from ingest.models import Frame
from tests.annotate.upscale_graph import write_esrgan
from tests.export.conftest import Show

pytestmark = pytest.mark.django_db

SIZE = (1600, 900)
FACES = {"enabled": True, "least": 8, "grow": 8}
# For each setting that decides which pictures there are and where they lie: what it stands beside, and another value.
SETTINGS: dict[str, tuple[dict[str, Any], Any]] = {
    "selection.min_faces": ({}, 2),
    "selection.max_faces": ({}, 1),
    "selection.named": ({}, True),
    "selection.all_named": ({}, True),
    "selection.image_types": ({"selection": {"min_faces": 0}}, ["fanart"]),
    "selection.episodes": ({}, ["yama S2 - 04"]),
    "selection.size": ({}, 1024),
    "selection.side": ({"selection": {"size": 1024}}, "longest"),
    "selection.format": ({}, "webp"),
    "arrange.format": ({}, "character"),
    "arrange.max_characters": ({}, 1),
    "arrange.min_per_combination": ({}, 1),
    "arrange.face_ratio_range": ({}, 10),
    "arrange.keep_source_structure": ({"selection": {"min_faces": 0}}, True),
    "arrange.no_character": ({"selection": {"min_faces": 0}}, "0_characters"),
    "arrange.old_spelling": ({"arrange": {"max_characters": 1}}, True),
    "arrange.name_clusters": ({}, True),
    "arrange.short_names": ({}, True),
    "crops.enabled": ({}, True),
    "crops.around": ({"crops": {"enabled": True}}, 1.2),
    "crops.pad": ({"crops": {"enabled": True}}, False),
    "face_set.enabled": ({"face_set": FACES | {"enabled": False}}, True),
    "face_set.whole": ({"face_set": FACES}, True),
    "face_set.scale": ({"face_set": FACES}, 2.5),
    "face_set.least": ({"face_set": FACES}, 780),
    "face_set.grow": ({"face_set": FACES}, 1000),
    "face_set.size": ({"face_set": FACES}, 256),
    "face_set.border": ({"face_set": FACES}, "drop"),
    "upscale.model": ({"upscale": {"below": 2000}}, "four"),
    "upscale.below": ({"upscale": {"below": 1000}}, 4000),
}


@pytest.fixture(autouse=True)
def _large_frames(show: Show, settings: Any) -> None:
    """Sides that the settings of sizes tell apart, and an upscaler that needs fewer passes."""
    out = io.BytesIO()
    Image.new("RGB", SIZE, "teal").save(out, "PNG")
    name = show.store.put(out.getvalue(), "png")
    Frame.objects.update(width=SIZE[0], height=SIZE[1], file=name, preview=name)
    write_esrgan(settings.KOMA_MODELS_DIR / "four" / "RealESRGAN_x4plus_anime_6B.onnx")


def recipe_with(base: dict[str, Any], setting: str = "", value: Any = None) -> Recipe:
    """At least two pictures a folder, so that some are put together and some are not."""
    sections = {name: dict(values) for name, values in base.items()}
    sections.setdefault("arrange", {}).setdefault("min_per_combination", 3)
    if setting:
        section, _, name = setting.partition(".")
        sections.setdefault(section, {})[name] = value
    return parse(sections)


def fresh(show: Show, recipe: Recipe) -> Preview:
    cache.clear()
    return preview(show.collection, recipe)


@pytest.mark.parametrize("setting", SETTINGS)
def test_another_setting_shows_what_it_gives(show: Show, setting: str) -> None:
    base, value = SETTINGS[setting]
    before, after = recipe_with(base), recipe_with(base, setting, value)
    assert before != after
    expected = fresh(show, after), fresh(show, before)
    assert preview(show.collection, after) == expected[0]  # the other one's rows are in the cache
    assert preview(show.collection, before) == expected[1]


def test_every_setting_of_what_goes_out_is_tried() -> None:
    sections = ("selection", "arrange", "crops", "face_set", "upscale")
    recipe = Recipe()
    assert set(SETTINGS) == {
        f"{name}.{setting.name}" for name in sections for setting in dataclasses.fields(getattr(recipe, name))
    }


def leave_out(show: Show, by: User) -> Any:
    return frames.leave_out(collection=show.collection, frames=[show.frames[0]], excluded=True, by=by)


def name_a_face(show: Show, by: User) -> Any:
    face = Face.objects.filter(frame=show.frames[9]).get()
    return faces.assign(collection=show.collection, faces=[face], character="Kokona", by=by)


WRITES: dict[str, Callable[[Show, User], Any]] = {
    "a frame dropped": lambda show, by: frames.drop(collection=show.collection, frames=[show.frames[0]], by=by),
    "a frame left out": leave_out,
    "a face named": name_a_face,
    "a face denied": lambda show, by: faces.not_a_face(
        collection=show.collection, faces=Face.objects.filter(frame=show.frames[0]), by=by
    ),
    "a character renamed": lambda show, by: characters.rename(
        collection=show.collection, character=show.characters["Hinata"], name="Kuraue Hinata", by=by
    ),
    "a tag added": lambda show, by: tags.add(collection=show.collection, frames=show.frames, names=["hat"], by=by),
    "a caption written": lambda show, by: captions.write(
        collection=show.collection, frame=show.frames[0], text="By hand.", by=by
    ),
}


@pytest.mark.parametrize("name", WRITES)
def test_what_a_person_writes_shows_at_once(show: Show, alice: User, name: str) -> None:
    recipe = recipe_with({"caption": {"tags_prob": 1.0}})
    before = preview(show.collection, recipe)
    assert preview(show.collection, recipe) == before
    WRITES[name](show, alice)
    after = preview(show.collection, recipe)
    assert after == fresh(show, recipe)
    assert after != before


def test_a_preview_that_is_counted_reads_no_frames_again(show: Show, alice: User) -> None:
    recipe = recipe_with({})
    cache.clear()
    assert not is_counted(show.collection, recipe)
    preview(show.collection, recipe)
    assert is_counted(show.collection, recipe)
    assert is_counted(show.collection, recipe_with({"balance": {"max_multiply": 7}}))
    assert not is_counted(show.collection, recipe_with({}, "selection.min_faces", 2))
    frames.drop(collection=show.collection, frames=[Frame.objects.get(pk=show.frames[0].pk)], by=alice)
    assert not is_counted(show.collection, recipe)
