"""A headless build can be told all that the browser's forms can say; mistakes are told all at once."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from annotate.chosen_models.tasks import TASKS
from annotate.models import TagList
from export import forms, recipe_text
from export.algorithms.recipe import Recipe
from export.build import without_browser_config
from export.build.without_browser_config import Config, ConfigError
from export.management.commands.build_dataset import ABOUT
from ingest.actions import sources
from ingest.algorithms.typed_lists import format_list
from ingest.errors import BadInput
from ingest.models import Collection, Episode
from ingest.pipeline.registry import stages
from ingest.pipeline.settings import settings_of

OTHER_WORDS = {
    "level": "arrange.format",
    "weight.pattern": "balance.weights",
    "weight.value": "balance.weights",
    "weights.csv": "balance.weights",
}


class Fields(HTMLParser):
    """Names and values of the fields of a page's forms that a person can fill in, and of hidden ones."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.shown: set[str] = set()
        self.hidden: dict[str, set[str]] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        name = values.get("name") or ""
        if tag not in ("input", "select", "textarea") or not name:
            return
        if values.get("type") == "hidden":
            self.hidden.setdefault(name, set()).add(values.get("value") or "")
        elif values.get("type") not in ("submit", "button", "search") and name != "q":  # the search in the top bar
            self.shown.add(name)


def fields_of(client: Client, name: str, *args: object) -> Fields:
    return Fields(client.get(reverse(name, args=args)).content.decode())


@pytest.mark.django_db
def test_every_field_of_the_export_page_is_a_setting_of_the_recipe(collection: Collection, as_alice: Client) -> None:
    names = fields_of(as_alice, "export", collection.pk).shown - {"recipe_name", "name"}
    known = {f"{section}.{name}" for section, hints in recipe_text.settings().items() for name in hints}

    assert len(names) > 50
    assert {OTHER_WORDS.get(name, name) for name in names} <= known


@pytest.mark.django_db
def test_every_field_of_the_page_that_starts_a_run_is_an_entry_of_the_config(
    collection: Collection, as_alice: Client
) -> None:
    from ingest.models import Source

    source = Source.objects.create(collection=collection, kind="video", name="x", path="x", sha256="a" * 64)
    Episode.objects.create(collection=collection, source=source, title="x")
    fields = fields_of(as_alice, "run_start", collection.pk)
    known = {f"{name}.{setting}" for name, stage in stages().items() for setting in settings_of(stage)}

    assert len(known) > 20
    assert known <= fields.shown
    assert fields.shown - known == {"episode", "stage", "keep"}  # inputs, run.stages, run.keep


@pytest.mark.django_db
def test_every_task_and_kind_of_list_of_the_models_page_is_an_entry_of_the_config(
    collection: Collection, as_alice: Client
) -> None:
    fields = fields_of(as_alice, "collection_models", collection.pk)
    tasks, kinds = fields.hidden["task"], fields.hidden["kind"]

    config = without_browser_config.from_dict(
        {"models": dict.fromkeys(tasks, "none"), "tag_lists": dict.fromkeys(kinds, "")}, folder=Path()
    )

    assert tasks == set(TASKS) == set(config.models)
    assert kinds == set(TagList.Kind.values) == set(config.tag_lists)
    assert fields.shown - {"name", "file", "use"} == set()


@pytest.mark.django_db
def test_every_field_of_an_episode_is_an_entry_of_the_config_and_an_option(
    collection: Collection, as_alice: Client
) -> None:
    from ingest.models import Source

    source = Source.objects.create(collection=collection, kind="video", name="x", path="x", sha256="a" * 64)
    row = Episode.objects.create(collection=collection, source=source, title="x")
    visible = (
        fields_of(as_alice, "add_episodes", collection.pk).shown
        | fields_of(as_alice, "episode", collection.pk, row.pk).shown
    )

    assert {"series", "season", "number", "image_type", "licence_note", "exportable"} <= visible
    assert visible - {"files", "file", "folder", "still", "t"} <= set(sources.FIELDS), visible
    assert set(ABOUT) | {"exportable"} == set(sources.FIELDS)


def test_every_setting_of_the_recipe_can_be_said_as_a_text() -> None:
    config = Config()
    for section, values in Recipe().as_dict().items():
        for name, value in values.items():
            text = {
                "types": "\n".join(f"{key} = {word}" for key, word in dict(value).items()) if name == "types" else "",
                "weights": "1_character,2",
            }.get(name)
            if text is None:
                text = format_list(value) if isinstance(value, list) else "" if value is None else str(value)
            without_browser_config.option(config, f"recipe.{section}.{name}={text}")

    result = config.parsed_recipe().as_dict()
    assert result["balance"].pop("weights") == [["1_character", 2.0]]
    expected = Recipe().as_dict()
    del expected["balance"]["weights"]
    assert result == expected


def test_the_form_and_the_command_line_read_a_text_alike() -> None:
    post = QueryDict(mutable=True)
    post.update(
        {"caption.blacklist": "a，b", "selection.max_faces": " 3 ", "crops.around": "", "arrange.format": "character"}
    )
    config = Config()
    for name, text in post.items():
        without_browser_config.option(config, f"recipe.{name}={text}")

    recipe = forms.recipe_from(post)

    assert recipe.caption.blacklist == ("a", "b")
    assert config.parsed_recipe().selection == recipe.selection
    assert config.parsed_recipe().caption.blacklist == recipe.caption.blacklist


def test_a_config_is_read_from_toml_and_json_with_paths_from_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        """
        collection = "Show"
        out = "sets/show"
        references = "faces"
        [defaults]
        series = "Show"
        licence_note = "own work"
        [[inputs]]
        path = "a.mkv"
        season = 2
        number = "04"
        [[inputs]]
        path = "people"
        image_type = "regularization"
        exportable = false
        series = ""
        [models]
        tags = "none"
        boxes = []
        [tag_lists]
        unwanted = ""
        [run]
        stages = ["extract", "tag"]
        keep = true
        [stages.tag]
        general_threshold = 0.4
        [recipe.selection]
        min_faces = 0
        """
    )

    config = without_browser_config.read(tmp_path / "c.toml")
    (tmp_path / "c.json").write_text(json.dumps({"inputs": ["b.mkv"], "recipe": {"caption": {"max_tags": 3}}}))

    assert (config.collection, config.out, config.references) == ("Show", tmp_path / "sets/show", tmp_path / "faces")
    assert [row.path.name for row in config.inputs] == ["a.mkv", "people"]
    assert config.about(config.inputs[0]) == {"series": "Show", "licence_note": "own work", "season": 2, "number": "04"}
    assert config.about(config.inputs[1])["exportable"] is False
    assert config.about(config.inputs[1])["series"] == ""
    assert config.models == {"tags": ["none"], "boxes": []}
    assert config.tag_lists == {"unwanted": None}
    assert (config.stages, config.keep) == (["extract", "tag"], True)
    assert config.params == {"tag": {"general_threshold": 0.4}}
    assert config.parsed_recipe().selection.min_faces == 0
    assert without_browser_config.read(tmp_path / "c.json").parsed_recipe().caption.max_tags == 3


def test_every_mistake_of_a_config_is_reported_at_once_with_its_place() -> None:
    wrong: dict[str, Any] = {
        "colour": 1,
        "collection": 3,
        "defaults": {"season": "two"},
        "inputs": [{"series": "x"}, {"path": "a", "exportable": "no"}, {"path": "b", "colour": "red"}],
        "models": {"taste": "sweet"},
        "tag_lists": {"best": "x"},
        "run": {"stages": ["dance"], "speed": 2},
        "stages": {"tag": {"general_threshold": "high"}, "dance": {"x": 1}, "detect": {"colour": 1}},
        "recipe": {"caption": {"colour": 1}},
    }

    with pytest.raises(ConfigError) as error:
        without_browser_config.from_dict(wrong, folder=Path())

    text = "\n".join(error.value.errors)
    for words in (
        "colour: no such entry", "collection: a text", "defaults: Season 'two'", "inputs 1: its path is missing",
        "inputs 2.exportable: true or false", "inputs 3: An episode has no field", "'taste' is not a task",
        "'best' is not a kind of list", "no stage 'dance'", "run.speed: no such entry", "'high' is not a number",
        "there is no setting 'colour'", "recipe: caption.colour",
    ):  # fmt: skip
        assert words in text, words


@pytest.mark.parametrize(
    "text",
    ["tag", "stages.tag", "stages.tag.colour=1", "stages.no.at=1", "recipe.caption.colour=1", "recipe.x=1", "=1"],
)
def test_an_option_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        without_browser_config.option(Config(), text)
