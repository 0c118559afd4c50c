"""Paths that some systems cannot open are told before anything is written, and short names help."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from annotate.models import Character
from export.actions import jobs
from export.algorithms.recipe import parse
from export.build import export_job
from export.build.path_lengths import Length, PathLengths, length_below, length_of, problem_at
from export.models import ExportJob
from export.readback import comparing
from ingest.models import Episode
from tests.export.conftest import Show
from tests.pages import html_of

LONG = {
    "selection": {"min_faces": 0},
    "arrange": {
        "keep_source_structure": True,
        "min_per_combination": 1,
        "format": "series/n_characters/character/fh_ratio",
    },
}


@pytest.fixture
def long_show(show: Show) -> Show:
    """The show under a title as they are given in Japan, and with long names."""
    title = "Sora no Ue no Yama ni Noboru Shoujo-tachi no Nagai Natsuyasumi no Monogatari"
    Episode.objects.filter(pk=show.episode.pk).update(series=title)
    for number, row in enumerate(show.characters.values()):
        Character.objects.filter(pk=row.pk).update(name=f"Princess Number {number} of the Kingdom beyond the Mountains")
    return show


def built(show: Show, by: User, **arrange: Any) -> tuple[ExportJob, Path]:
    recipe = parse(LONG | {"arrange": LONG["arrange"] | arrange})
    job = jobs.start(collection=show.collection, recipe=recipe, name="Long", by=by)
    export_job.execute(job.pk)
    job.refresh_from_db()
    return job, jobs.inside_exports(job.folder)


def longest_of(folder: Path) -> int:
    return max(len(path.relative_to(folder).as_posix()) for path in folder.rglob("*") if path.is_file())


@pytest.mark.django_db
def test_the_length_that_is_reported_is_that_of_the_longest_file(long_show: Show, alice: User) -> None:
    job, folder = built(long_show, alice)
    complete = 40 + len(folder.name) + 1 + longest_of(folder)

    assert complete > 259
    (answer,) = [text for text in job.warnings if "Windows" in text]
    assert f"the longest has {complete}; the limit is 259" in answer


@pytest.mark.django_db
def test_short_names_fit_and_are_read_back(long_show: Show, alice: User) -> None:
    job, folder = built(long_show, alice, short_names=True)

    assert 40 + len(folder.name) + 1 + longest_of(folder) <= 259
    assert not any("Windows" in text for text in job.warnings)
    names = set(json.loads((folder / "dataset.json").read_text())["characters"].values())
    assert names == {row.name for row in Character.objects.filter(collection=long_show.collection)}
    changes = comparing.read_back(folder)
    assert (changes.unchanged, changes.open) == (12, ())


@pytest.mark.django_db
def test_the_page_tells_it_before_and_one_button_chooses_short_names(
    long_show: Show, as_alice: Client, as_bob: Client
) -> None:
    form = {
        "selection.min_faces": "0",
        "arrange.keep_source_structure": "on",
        "arrange.min_per_combination": "1",
        "level": ["series", "n_characters", "character", "fh_ratio"],
    }
    preview = reverse("export_preview", args=[long_show.collection.pk])

    page = html_of(as_alice.post(preview, form))
    assert "a path that Windows cannot open" in page
    assert 'value="arrange.short_names=on"' in page
    assert 'value="arrange.short_names=on"' not in html_of(as_bob.post(preview, form))
    assert "Windows" not in html_of(as_alice.post(preview, form | {"arrange.short_names": "on"}))
    flat = html_of(as_alice.post(preview, form | {"output.layout": "kohya"}))
    assert "Windows" not in flat  # one folder of at most 100 bytes

    changed = as_alice.post(
        reverse("export_change", args=[long_show.collection.pk]), form | {"set": "arrange.short_names=on"}
    )

    assert 'name="arrange.short_names" checked' in html_of(changed)
    assert "Windows" not in html_of(changed)


@pytest.mark.django_db
def test_paths_that_this_server_cannot_write_are_refused_before_any_work(show: Show, tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["x" * 200] * 20)

    with pytest.raises(export_job.BadInput, match="Choose short names"):
        export_job.write(
            show.collection, parse({}), folder=tmp_path / "b", target=deep, on_progress=lambda done, total: None
        )

    assert not (tmp_path / "b").exists()


def test_windows_counts_a_sign_outside_the_first_plane_twice() -> None:
    assert length_of("a木👨") == Length(1 + 3 + 4, 1 + 1 + 2)
    assert problem_at(Path("/" + "x" * 4000), Length(93, 93)) == ""
    assert "4,096 bytes" in problem_at(Path("/" + "x" * 4000), Length(94, 94))


@given(st.integers(0, 400), st.integers(1, 5))
def test_a_picture_counts_once_its_path_has_more_than_259_characters(units: int, count: int) -> None:
    lengths = PathLengths(top=Length(9, 9))
    lengths.add(Length(units, units), count)

    assert (lengths.windows == count) == (40 + 9 + 1 + units > 259)
    assert bool(lengths.warnings) == bool(lengths.windows)


@pytest.mark.parametrize(
    ("more", "ending"),
    [
        ({}, ".webp"),
        ({"output": {"caption_ending": ".caption"}}, ".caption"),
        ({"output": {"masks": "onetrainer"}}, "-masklabel.png"),
        ({"metadata": {"version": "v2"}}, "._meta.json"),
        ({"output": {"masks": "folder"}}, ".masks/.png"),
    ],
)
def test_the_longest_file_of_a_picture_counts(more: dict[str, Any], ending: str) -> None:
    assert length_below(("ab", "c"), length_of("stem"), parse(more)) == length_of(f"ab/c/stem{ending}")
