"""Brackets that trainers read as weights, and several captions a picture: a person's newest words are first."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from annotate.actions import captions as caption_actions
from annotate.models import Caption, FileCaption, ModelCaption, ModelVersion
from export.actions import jobs
from export.algorithms.captions import CaptionOptions, caption, escaped
from export.algorithms.metadata import Facts
from export.algorithms.plan import captions_of
from export.algorithms.recipe import parse
from export.build import export_job, rows_from_database
from export.readback import comparing
from export.readback.correct_files import correct_files
from tests.export.conftest import Show

LINES = {"output": {"captions": "lines"}, "arrange": {"min_per_combination": 1}}


def test_brackets_are_escaped_where_the_recipe_says_so_and_nowhere_else() -> None:
    facts = Facts(characters=("saber_(fate)",), tags=("slime_(substance)", ":)"), general="x")

    assert caption(facts, CaptionOptions(), key="k") == "saber (fate), x, slime (substance), :)"
    assert caption(facts, CaptionOptions(escape_brackets=True), key="k") == (
        r"saber \(fate\), x, slime \(substance\), :\)"
    )
    assert caption(facts, CaptionOptions(escape_brackets=True, separator=" (1.2) "), key="k").count("(1.2)") == 2


@given(st.text(st.sampled_from("ab()[] \\"), max_size=20))
def test_escaping_twice_is_escaping_once(text: str) -> None:
    assert escaped(escaped(text)) == escaped(text)
    assert text.count("(") == escaped(text).count("(")


@pytest.fixture
def told(show: Show, alice: User) -> Show:
    """The first frame has a file's two captions, an old and a new one of models, and a person's between them."""
    frame = show.frames[0]
    for position, text in enumerate(("From a file (2).", "Another of the file.")):
        FileCaption.objects.create(frame=frame, beside=frame, position=position, text=text)
    now = timezone.now()
    for name, text, hours in (("a", "Old of a model.", -5), ("b", "New of\na model [x].", 5)):
        version = ModelVersion.objects.create(task="caption", name=name, revision="1")
        ModelCaption.objects.create(
            frame=frame, model_version=version, text=text, asked="q", written_at=now + timedelta(hours=hours)
        )
    return show


def lines(show: Show, **recipe: Any) -> tuple[str, ...]:
    (picture,) = rows_from_database.pictures_of([show.frames[0]])
    return captions_of(picture, parse(recipe))


@pytest.mark.django_db
def test_files_and_models_follow_the_recipes_caption_the_newest_model_first(told: Show) -> None:
    first = lines(told)

    assert len(first) == 1
    assert lines(told, **LINES) == (
        *first,
        "From a file (2).",
        "Another of the file.",
        "New of a model [x].",
        "Old of a model.",
    )
    assert lines(told, **LINES, caption={"escape_brackets": True})[1::2] == (
        r"From a file \(2\).",
        r"New of a model \[x\].",
    )


@pytest.mark.django_db
def test_a_persons_newest_words_are_first_word_for_word_and_older_ones_of_models_stay_out(
    told: Show, alice: User, bob: User
) -> None:
    for text, by in (("First try", alice), ("Hinata (smiling) on a mountain", bob)):
        caption_actions.write(collection=told.collection, frame=told.frames[0], text=text, by=by)

    assert Caption.objects.count() == 1
    assert lines(told, caption={"escape_brackets": True}) == ("Hinata (smiling) on a mountain",)
    assert lines(told, **LINES) == (
        "Hinata (smiling) on a mountain",
        "From a file (2).",
        "Another of the file.",
        "New of a model [x].",
    )


@pytest.mark.django_db
@pytest.mark.parametrize(("layout", "words"), [("hierarchy", "EveryDream2"), ("kohya", "--enable_wildcard")])
def test_the_file_has_a_line_each_the_trainers_reading_is_reported_and_a_correction_keeps_the_other_lines(
    told: Show, alice: User, layout: str, words: str
) -> None:
    recipe = parse(LINES | {"output": {"captions": "lines", "layout": layout}})
    job = jobs.start(collection=told.collection, recipe=recipe, name="Lines", by=alice)
    export_job.execute(job.pk)
    job.refresh_from_db()
    folder = jobs.inside_exports(job.folder)
    (path,) = folder.rglob(f"yama_S2EP04_000000{'.txt' if layout == 'hierarchy' else '.caption'}")

    assert [text for text in job.warnings if words in text]
    written = path.read_text().split("\n")
    assert len(written) == 5
    assert written[0].startswith("Hinata, ")
    target = Path(next(folder.rglob("yama_S2EP04_000070.png")).parent)
    for companion in (*path.parent.glob("yama_S2EP04_000000.*"),):
        companion.rename(target / companion.name)
    assert correct_files(folder, comparing.read_back(folder)).open == []
    after = (target / path.name).read_text().split("\n")
    assert after[0].startswith("Kokona, ")
    assert after[1:] == written[1:]
