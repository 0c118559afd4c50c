"""The settings of a run as people see them: worded choices, help, an empty threshold, mistakes named by their label."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from django.test import Client
from django.utils import timezone

from ingest.actions import history
from ingest.errors import BadInput
from ingest.imaging.encode import FORMATS
from ingest.imaging.extraction import MODES
from ingest.models import Collection, PipelineRun, Source
from ingest.pipeline.registry import stages
from ingest.stages.extract import ExtractChoices
from ingest.views.run_form import posted_params
from tests.ingest.views.test_collections import episode_of
from tests.pages import html_of


def form(**values: str) -> QueryDict:
    form = QueryDict(mutable=True)
    form.update({name.replace("__", "."): value for name, value in values.items()})
    return form


def test_every_stage_says_what_it_does_and_every_setting_has_words() -> None:
    for stage in stages().values():
        assert stage.about.endswith("."), stage.name
        for field in fields(stage.params_type):
            assert field.metadata.get("label"), f"{stage.name}.{field.name}"


def test_the_choices_are_all_that_the_code_knows() -> None:
    offered = {field.name: field.metadata.get("choices", ()) for field in fields(ExtractChoices)}
    assert [value for value, _ in offered["mode"]] == list(MODES)
    assert {value for value, _ in offered["picture_format"]} == set(FORMATS)


def test_the_page_shows_them_and_starts_a_run_with_what_was_chosen(as_alice: Client, collection: Collection) -> None:
    episode = episode_of(collection)
    address = f"/c/{collection.pk}/runs/start/"
    page = html_of(as_alice.get(address))
    for words in (
        "every distinct drawing",
        "lossless webp",
        "Trim letterbox bars",
        "Similarity threshold",
        "the model&#x27;s default",
    ):
        assert words in page
    chosen: dict[str, Any] = {"episode": episode.pk, "stage": ["extract", "detect"], "extract.mode": "interval"}
    chosen |= {"extract.every_s": "2.5", "extract.trim_bars.shown": "1", "extract.trim_bars": "on"}
    as_alice.post(address, chosen | {"detect.threshold": ""})
    params = PipelineRun.objects.get().params
    assert params["extract"] == {"mode": "interval", "every_s": 2.5, "trim_bars": True}
    assert params["detect"] == {"threshold": None}


def test_settings_that_are_kept_are_those_of_the_next_run_and_can_be_undone(
    as_alice: Client, collection: Collection, alice: User
) -> None:
    episode = episode_of(collection)
    address = f"/c/{collection.pk}/runs/start/"
    as_alice.post(address, {"episode": episode.pk, "stage": "extract", "extract.mode": "keyframes", "keep": "on"})
    assert 'value="keyframes" selected' in html_of(as_alice.get(address))
    collection.refresh_from_db()
    assert collection.run_defaults == {"extract": {"mode": "keyframes"}}
    history.undo_last(collection=collection, by=alice)
    collection.refresh_from_db()
    assert collection.run_defaults == {}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"extract__mode": "all"}, "Frames, Which frames: 'all' is not one of drawings"),
        ({"extract__picture_format": "tiff"}, "'tiff' is not one of jpeg"),
        ({"dedup__threshold": "high"}, "Similar frames, Similarity threshold: 'high' is not a number"),
        ({"detect__threshold": "nan"}, "Find faces, Threshold: 'nan' is not a number"),
    ],
)
def test_a_mistake_is_named_by_its_label(values: dict[str, str], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        posted_params(form(**values))


def test_the_only_episode_is_chosen_though_it_was_read_and_the_estimate_names_a_group(
    as_alice: Client, collection: Collection
) -> None:
    episode = episode_of(collection)
    type(episode).objects.update(extracted_at=timezone.now(), title="Fan art", number="")
    Source.objects.update(kind="pictures", size_bytes=1000)
    page = html_of(as_alice.get(f"/c/{collection.pk}/runs/start/"))
    assert f'value="{episode.pk}" checked' in page
    query = {"episode": episode.pk, "stage": "read_pictures"}
    words = html_of(as_alice.post(f"/c/{collection.pk}/runs/estimate/", query))
    assert "Fan art: <b>under 1 s</b>" in words
    Source.objects.update(kind="video")
    type(episode).objects.update(duration_s=1400)
    words = html_of(as_alice.post(f"/c/{collection.pk}/runs/estimate/", query | {"stage": "extract"}))
    assert "1 episode: about <b>" in words
