"""Rows of a release in which the stage `run_models` was called `look` come through, and go back."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps

from ingest.errors import BadInput
from ingest.models import Collection, Operation, PipelineRun, Revision, StageRun
from ingest.pipeline.registry import stage_named, stages
from ingest.pipeline.renamed import RENAMED, rename_stages
from tests.migrating import tables_of

BEFORE = [("ingest", "0014_best_copy"), ("annotate", "0020_tag_completion")]
TALLY = {"count": 1, "seconds": 2.0}


def rows(registry: Any, stage: str, name: str = "Old") -> Any:
    """A collection with a run of the stage, settings kept for it and a revision of these."""
    settings = {"detect": {"threshold": 0.4}, stage: {"models": "one"}}
    collection = registry.get_model("ingest", "Collection").objects.create(name=name, run_defaults=settings)
    run = registry.get_model("ingest", "PipelineRun").objects.create(
        collection=collection, params=settings, tallies={stage: TALLY, "tag": TALLY}, code_version="0.3.0"
    )
    for order, each in enumerate((stage, "tag")):
        registry.get_model("ingest", "StageRun").objects.create(run=run, stage=each, order=order, queue="gpu")
    operation = registry.get_model("ingest", "Operation").objects.create(collection=collection, kind="x", summary="x")
    registry.get_model("ingest", "Revision").objects.create(
        operation=operation, model="ingest.Collection", object_id=collection.pk,
        before={"run_defaults": {}}, after={"run_defaults": settings},
    )  # fmt: skip
    return collection


def names_of(registry: Any, collection: int) -> list[list[str]]:
    """The stages that each kind of row names."""
    run = registry.get_model("ingest", "PipelineRun").objects.get(collection=collection)
    stage_runs = registry.get_model("ingest", "StageRun").objects.filter(run=run).order_by("order")
    revision = registry.get_model("ingest", "Revision").objects.get(operation__collection=collection)
    settings = registry.get_model("ingest", "Collection").objects.get(pk=collection).run_defaults
    before, after = revision.before["run_defaults"], revision.after["run_defaults"]
    return [[row.stage for row in stage_runs], *map(list, (run.params, run.tallies, settings, before, after))]


def expected(stage: str) -> list[list[str]]:
    return [[stage, "tag"], ["detect", stage], [stage, "tag"], ["detect", stage], [], ["detect", stage]]


@pytest.mark.django_db(transaction=True)
def test_rows_settings_and_history_of_the_stage_look_are_renamed_and_back() -> None:
    with tables_of(*BEFORE) as old:
        collection = rows(old, "look").pk
        assert names_of(old, collection) == expected("look")
    assert names_of(apps, collection) == expected("run_models")
    assert PipelineRun.objects.get().params["run_models"] == {"models": "one"}
    with tables_of(*BEFORE) as old:
        assert names_of(old, collection) == expected("look")
    assert {row.stage for row in StageRun.objects.all()} <= set(stages())


@pytest.mark.django_db
def test_one_collection_alone_can_be_renamed_and_what_has_its_new_name_stays() -> None:
    first, other = rows(apps, "look", "one"), rows(apps, "look", "other")
    Collection.objects.filter(pk=first.pk).update(run_defaults={"look": {"models": "a"}, "run_models": {"models": "b"}})
    rename_stages(apps, RENAMED, collection=first.pk)
    assert Collection.objects.get(pk=first.pk).run_defaults == {"run_models": {"models": "b"}}
    assert names_of(apps, first.pk)[0] == ["run_models", "tag"]
    assert names_of(apps, other.pk) == expected("look")
    assert Operation.objects.count() == Revision.objects.count() == 2


def test_the_old_name_in_a_config_is_answered_by_the_new_one() -> None:
    assert set(RENAMED.values()) <= set(stages()) and not set(RENAMED) & set(stages())
    with pytest.raises(BadInput, match="'look' is now called 'run_models'"):
        stage_named("look")
