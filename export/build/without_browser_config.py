"""Configuration of a headless build, with all settings of the browser's forms, in TOML, JSON or as options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotate.actions import tag_lists
from annotate.chosen_models.tasks import TASKS
from export import recipe_text
from export.algorithms.recipe import Recipe, RecipeError, parse
from ingest import outside_json
from ingest.actions import sources
from ingest.errors import BadInput
from ingest.pipeline.contract import parse_params
from ingest.pipeline.registry import stage_named, stages
from ingest.pipeline.settings import settings_of, typed

SECTIONS = ("collection", "out", "references", "recipe", "defaults", "inputs", "models", "tag_lists", "run", "stages")
RUN = ("stages", "keep")
NO_LIST = ""  # the collection uses no list of this kind


class ConfigError(BadInput):
    """An invalid config; every wrong entry is named."""

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__("The config cannot be used: " + "; ".join(errors))
        self.errors = tuple(errors)


@dataclass(slots=True)
class InputConfig:
    """An input and its metadata, fields of `sources.FIELDS`."""

    path: Path
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Config:
    """Everything besides the pictures. `defaults` apply to every input that does not override them.

    `stages`: those to run; None for the default ones. `keep`: save these settings for later runs.
    """

    collection: str = ""
    out: Path | None = None
    references: Path | None = None
    recipe: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    inputs: list[InputConfig] = field(default_factory=list)
    models: dict[str, list[str]] = field(default_factory=dict)
    tag_lists: dict[str, Path | None] = field(default_factory=dict)
    stages: list[str] | None = None
    params: dict[str, dict[str, Any]] = field(default_factory=dict)
    keep: bool = False

    def about(self, input_config: InputConfig) -> dict[str, Any]:
        """Return all metadata of an input."""
        return self.defaults | input_config.about

    def parsed_recipe(self) -> Recipe:
        """Return the parsed recipe. Raises ConfigError."""
        try:
            return parse(self.recipe)
        except RecipeError as error:
            raise ConfigError([f"recipe: {text}" for text in error.errors]) from error


def read(path: Path) -> Config:
    """Read a config from a TOML or JSON file; paths are relative to the file's folder. Raises ConfigError."""
    if path.suffix.lower() not in (".toml", ".json"):
        raise BadInput(f"{path}: a config is a .toml or .json file.")
    try:
        text = outside_json.read_bytes(path, bytes_max=outside_json.SMALL).decode("utf-8-sig")
        data = outside_json.parsed_toml(text) if path.suffix.lower() == ".toml" else outside_json.parsed(text)
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: the config cannot be read ({error}).") from error
    return from_dict(data, folder=path.parent)


def from_dict(data: object, *, folder: Path) -> Config:
    """Parse a config from a dict. Raises ConfigError naming every wrong entry."""
    reader = _Reader(folder)
    config = reader.config(data)
    if reader.errors:
        raise ConfigError(reader.errors)
    return config


def option(config: Config, text: str) -> None:
    """Apply an option `stages.STAGE.SETTING=VALUE` or `recipe.SECTION.SETTING=VALUE`. Raises BadInput."""
    name, sign, value = text.partition("=")
    kind, _, rest = name.strip().partition(".")
    section, dot, setting = rest.partition(".")
    if not sign or not dot or kind not in ("stages", "recipe"):
        raise BadInput(
            f"{text!r}: write stages.STAGE.SETTING=VALUE, such as stages.detect.threshold=0.4, or "
            "recipe.SECTION.SETTING=VALUE, such as recipe.caption.max_tags=20."
        )
    if kind == "stages":
        config.params.setdefault(section, {})[setting] = stage_value(section, setting, value.strip())
        return
    try:
        config.recipe.setdefault(section, {})[setting] = recipe_text.value(section, setting, value)
    except ValueError as error:
        raise BadInput(f"{text!r}: {error}.") from error


def model(config: Config, text: str) -> None:
    """Apply an option `TASK=NAME`, repeatable for further models of a task; an empty name means the default."""
    task, sign, name = text.partition("=")
    if not sign:
        raise BadInput(f"{text!r}: write TASK=NAME, such as tags=wd-swinv2-v3.")
    _task(task.strip())
    config.models.setdefault(task.strip(), []).extend([name.strip()] if name.strip() else [])


def stage_value(stage: str, setting: str, text: str) -> Any:
    """Parse the value of a stage's setting. Raises BadInput."""
    known = settings_of(stage_named(stage))
    if setting not in known:
        names = ", ".join(known) or "none"
        raise BadInput(f"stages.{stage}: there is no setting {setting!r}; there are: {names}.")
    return typed(text, known[setting], stage_named(stage).label)


def _task(name: str) -> None:
    if name not in TASKS:
        raise BadInput(f"models: {name!r} is not a task; there are: {', '.join(TASKS)}.")


@dataclass(slots=True)
class _Reader:
    """Parses a dict and collects all errors."""

    folder: Path
    errors: list[str] = field(default_factory=list)

    def config(self, data: object) -> Config:
        config = Config()
        table = self._table(data, "the config")
        for name in table:
            if name not in SECTIONS:
                self.errors.append(f"{name}: no such entry; there are {', '.join(SECTIONS)}")
        config.collection = self._text(table.get("collection", ""), "collection")
        for name in ("out", "references"):
            if table.get(name):
                setattr(config, name, self._path(table[name], name))
        config.recipe = self._recipe(table.get("recipe", {}))
        config.defaults = self._about(self._table(table.get("defaults", {}), "defaults"), "defaults")
        rows = table.get("inputs", [])
        if not isinstance(rows, list):
            self.errors.append("inputs: a list is expected, each entry with its path")
            rows = []
        config.inputs = [row for number, entry in enumerate(rows, 1) if (row := self._input(entry, f"inputs {number}"))]
        for task, names in self._table(table.get("models", {}), "models").items():
            config.models[task] = self._names(names, f"models.{task}")
            self._try(_task, task)
        for kind, value in self._table(table.get("tag_lists", {}), "tag_lists").items():
            self._try(tag_lists.kind_of, kind)
            config.tag_lists[kind] = None if value == NO_LIST else self._path(value, f"tag_lists.{kind}")
        self._run(config, self._table(table.get("run", {}), "run"))
        for stage, values in self._table(table.get("stages", {}), "stages").items():
            self._stage(config, stage, self._table(values, f"stages.{stage}"))
        return config

    def _run(self, config: Config, table: Mapping[str, Any]) -> None:
        for name in table:
            if name not in RUN:
                self.errors.append(f"run.{name}: no such entry; there are {', '.join(RUN)}")
        if "stages" in table:
            config.stages = self._names(table["stages"], "run.stages")
            for name in config.stages:
                self._try(stage_named, name)
        if not isinstance(table.get("keep", False), bool):
            self.errors.append("run.keep: true or false is expected")
        config.keep = table.get("keep") is True

    def _stage(self, config: Config, stage: str, values: Mapping[str, Any]) -> None:
        settings_read: dict[str, Any] = {}
        for name, value in values.items():
            if isinstance(value, dict | list):
                self.errors.append(f"stages.{stage}.{name}: one value is expected, found {value!r}")
                continue
            text = str(value).lower() if isinstance(value, bool) else str(value)
            done, settings_read[name] = self._try(stage_value, stage, name, text)
            if not done:
                return
        if stage in stages():
            self._try(lambda: parse_params(stage_named(stage).params_type, settings_read, stage=stage))
        config.params[stage] = settings_read

    def _input(self, entry: object, place: str) -> InputConfig | None:
        if isinstance(entry, str):
            return InputConfig(self._path(entry, place))
        table = dict(self._table(entry, place))
        if not table.get("path"):
            self.errors.append(f"{place}: its path is missing")
            return None
        path = self._path(table.pop("path"), f"{place}.path")
        return InputConfig(path, self._about(table, place))

    def _about(self, values: Mapping[str, Any], place: str) -> dict[str, Any]:
        for name, value in values.items():
            if name == "exportable" and not isinstance(value, bool):
                self.errors.append(f"{place}.{name}: true or false is expected, found {value!r}")
                return {}
            if name != "exportable" and (isinstance(value, bool) or not isinstance(value, str | int | float)):
                self.errors.append(f"{place}.{name}: a text is expected, found {value!r}")
                return {}
        texts = {name: value if name == "exportable" else str(value) for name, value in values.items()}
        done, cleaned = self._try(sources.checked, texts)
        if not done:
            self.errors[-1] = f"{place}: {self.errors[-1]}"
        return cleaned if done else {}

    def _recipe(self, value: object) -> dict[str, Any]:
        """Read a recipe from a table or from the path of a file."""
        if isinstance(value, str):
            try:
                return recipe_text.read_file(self._path(value, "recipe")).as_dict()
            except BadInput as error:
                self.errors.append(error.message)
                return {}
        sections = {
            name: dict(self._table(rows, f"recipe.{name}")) for name, rows in self._table(value, "recipe").items()
        }
        try:
            parse(sections)
        except RecipeError as error:
            self.errors += [f"recipe: {text}" for text in error.errors]
        return sections

    def _table(self, value: object, place: str) -> Mapping[str, Any]:
        if isinstance(value, Mapping):
            return value
        self.errors.append(f"{place}: a table is expected, found {str(value)[:60]!r}")
        return {}

    def _names(self, value: object, place: str) -> list[str]:
        names = [value] if isinstance(value, str) else value
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            return [name for name in names if name]
        self.errors.append(f"{place}: a text or a list of texts is expected")
        return []

    def _text(self, value: object, place: str) -> str:
        if isinstance(value, str):
            return value
        self.errors.append(f"{place}: a text is expected")
        return ""

    def _path(self, value: object, place: str) -> Path:
        return self.folder / self._text(value, place)

    def _try(self, call: Any, *values: Any) -> tuple[bool, Any]:
        try:
            return True, call(*values)
        except BadInput as error:
            self.errors.append(error.message.removesuffix("."))
            return False, None
