"""Freezing: the manifest of a collection says what an export writes, and stays as labels change."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User

from annotate.models import Face, FrameTag, ModelVersion, NamedBy, Tag
from export.algorithms.plan import make_plan
from export.algorithms.recipe import Recipe, parse
from export.build import rows_from_database
from export.build.freezing import freeze
from export.build.manifest_file import Manifest
from tests.export.conftest import Show

pytestmark = pytest.mark.django_db

RECIPE = parse({"arrange": {"min_per_combination": 1}, "selection": {"min_faces": 0}, "crops": {"enabled": True}})


@pytest.mark.parametrize("recipe", [RECIPE, parse({}), parse({"face_set": {"enabled": True}})])
def test_a_manifest_holds_exactly_what_planning_in_memory_gives(show: Show, tmp_path: Path, recipe: Recipe) -> None:
    manifest = freeze(show.collection, recipe, tmp_path / "m")
    plan = make_plan(rows_from_database.pictures(show.collection), recipe)
    assert list(manifest) == list(plan.items)
    assert manifest.plan.balance == plan.balance
    assert manifest.plan.spelled == plan.spelled
    assert manifest.plan.left_out == rows_from_database.left_out(show.collection) | dict(plan.left_out)
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_freezing_twice_gives_the_same_bytes_and_a_changed_label_others(show: Show, tmp_path: Path) -> None:
    for name in ("a", "b"):
        freeze(show.collection, RECIPE, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    FrameTag.objects.filter(tag__name="smile").first().delete()  # type: ignore[union-attr]
    freeze(show.collection, RECIPE, tmp_path / "c")
    assert Manifest(tmp_path / "a").sha256() != Manifest(tmp_path / "c").sha256()


def test_authors_are_resolved_so_that_the_manifest_can_be_read_without_the_database(
    show: Show, alice: User, tmp_path: Path
) -> None:
    frame = show.frames[0]
    model = ModelVersion.objects.create(task="tags", name="wd-swinv2", revision="v3", licence="Apache-2.0")
    FrameTag.objects.create(frame=frame, tag=Tag.objects.create(name="sea"), score=0.7, model_version=model)
    FrameTag.objects.create(frame=frame, tag=Tag.objects.create(name="sky"), by=alice, by_person=True)
    Face.objects.filter(frame=frame).update(named_by=NamedBy.PERSON, named_user=None)
    manifest = freeze(show.collection, RECIPE, tmp_path / "m")
    (picture,) = [item.picture for item in manifest if "sea" in item.picture.tags and item.crop is None]
    authors = {label.tag: manifest.header.authors[label.author] for label in picture.labels}
    assert (authors["sea"].kind, authors["sea"].name, authors["sea"].licence) == ("model", "wd-swinv2", "Apache-2.0")
    assert (authors["sky"].kind, authors["sky"].name) == ("person", "alice")
    assert {manifest.header.authors[face.name_author].kind for face in picture.faces if face.character} == {"person"}
    assert [source.name for source in manifest.header.sources] == ["yama S2 - 04.mkv"]


def test_a_freeze_that_is_stopped_leaves_nothing(show: Show, tmp_path: Path) -> None:
    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        freeze(show.collection, RECIPE, tmp_path / "m", on_progress=stop)
    assert list(tmp_path.iterdir()) == []
