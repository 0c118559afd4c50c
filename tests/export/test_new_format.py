"""A format is one file and one row: recipe, page, preview, build and read-back follow from it."""

from __future__ import annotations

import shutil

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from export.actions import jobs
from export.algorithms import format_names
from export.algorithms.balance import Balance
from export.algorithms.recipe import RecipeError, parse
from export.build import export_job
from export.formats.contract import Format
from export.formats.contract import Path as FolderPath
from export.formats.registry import FORMATS, format_of
from export.formats.side_files import SideFiles, count_pictures
from export.readback import comparing
from tests.export.conftest import Show

pytestmark = pytest.mark.django_db


def dotted_folders(balance: Balance) -> dict[FolderPath, FolderPath]:
    return {share.path: ("set", "..".join(share.path)) for share in balance.folders}


class DottedWriter(SideFiles):
    def close(self) -> tuple[str, ...]:
        self.sink.write("set/folders.txt", str(len(self.plan.balance.folders)).encode())
        return ()


DOTTED = Format(
    name="dotted",
    label="one folder, levels joined by dots",
    open=lambda plan, recipe, sink: DottedWriter(plan, recipe, sink, DOTTED),
    check=lambda folder, recipe: count_pictures(folder, recipe, DOTTED),
    folders=dotted_folders,
    levels=lambda folders: tuple(folders[1].split("..")),
    rounding="round",
    warnings=lambda recipe: ("The dotted trainer reads one line.",),
)


@pytest.fixture
def dotted(monkeypatch: pytest.MonkeyPatch) -> Format:
    monkeypatch.setitem(FORMATS, DOTTED.name, DOTTED)
    monkeypatch.setattr(format_names, "NAMES", [*format_names.NAMES, DOTTED.name])
    return DOTTED


def test_an_unknown_layout_is_refused_with_the_known_ones() -> None:
    with pytest.raises(RecipeError, match=r"output\.layout: choose from hierarchy, kohya.*; found 'dotted'"):
        parse({"output": {"layout": "dotted"}})


def test_a_registered_layout_is_built_and_its_folders_are_read_back(show: Show, alice: User, dotted: Format) -> None:
    recipe = parse({"arrange": {"min_per_combination": 1}, "output": {"layout": "dotted", "captions": "lines"}})
    job = jobs.start(collection=show.collection, recipe=recipe, name="Dotted", by=alice)
    export_job.execute(job.pk)
    job.refresh_from_db()
    folder = jobs.inside_exports(job.folder)
    assert int((folder / "set" / "folders.txt").read_text()) == len(
        [p for p in (folder / "set").iterdir() if p.is_dir()]
    )
    assert "The dotted trainer reads one line." in (folder / "dataset.json").read_text()
    assert not comparing.read_back(folder).moved

    hinata = next(path for path in (folder / "set").iterdir() if ".Hinata." in path.name and "+" not in path.name)
    kokona = hinata.with_name(hinata.name.replace("Hinata", "Kokona"))
    kokona.mkdir(exist_ok=True)
    picture = next(hinata.glob("*.png"))
    for path in hinata.glob(f"{picture.stem}.*"):
        shutil.move(path, kokona / path.name)
    (moved,) = comparing.read_back(folder).moved
    assert moved.now == ("Kokona",)


def test_the_page_offers_a_registered_layout_and_shows_whole_repeats(
    show: Show, as_alice: Client, dotted: Format
) -> None:
    page = as_alice.get(reverse("export", args=[show.collection.pk])).content.decode()
    assert 'value="dotted"' in page
    assert dotted.label in page
    preview = reverse("export_preview", args=[show.collection.pk])
    assert "Repeats" in as_alice.post(preview, {"output.layout": "dotted"}).content.decode()
    assert format_of(parse({"output": {"layout": "dotted"}})) is dotted


def test_every_name_that_recipes_may_say_is_a_format_and_the_other_way_round() -> None:
    assert sorted(FORMATS) == sorted(format_names.NAMES)
    assert all(row.name == name for name, row in FORMATS.items())
