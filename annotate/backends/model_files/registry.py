"""Installed models, their families, and how to open them. A new adapter is one row of FAMILIES.

A model is a folder in the models folder, named after the model, with its files and a `koma.json`: family, source,
revision, licence, sha256 per file. A folder without one is recognised by its files. Single files (`NAME.onnx`,
`NAME.xml`) are face detectors. Models in packages of the Python index (`wheels`) count as installed where the package
is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from annotate.backends.model_files import weights
from annotate.backends.model_files.wheels import WHEELS, Wheel
from annotate.backends.runtime.onnx_session import AUTO
from ingest.errors import BadInput

CARD = "koma.json"
BUILTIN = "builtin"
NET = "model.onnx"


@dataclass(frozen=True, slots=True)
class Family:
    """A family of models with the same interface. `opener` is "module:function", called as f(installed, device=,
    threads=).

    A folder without a card belongs to the family when it holds all `files` (empty: a card is needed) and, where the
    files alone are ambiguous, its name begins with `starts`. `describer`, for scorers: "module:function" that returns
    labels, rules and identity without loading the network.
    """

    name: str
    task: str  # faces, boxes, tags, embedding, class, mask, text, upscale, caption
    opener: str
    files: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()
    describer: str = ""
    weights: str = ""  # the file whose hash, with the card, identifies the model
    metric_opener: str = ""  # of embedders that compare by a second network: opens that one alone, called as `opener`


def _scorer(name: str, task: str, module: str, describe: str, opener: str, *files: str) -> Family:
    """Build a family of taggers or classifiers from a module of `taggers`."""
    where = f"annotate.backends.{module}"
    return Family(name, task, f"{where}:{opener}", files, describer=f"{where}:{describe}")


FAMILIES = {
    family.name: family
    for family in (
        Family("builtin_faces", "faces", "annotate.backends.boxes.known_detectors:open_installed"),
        _scorer(
            "pixai", "tags", "taggers.pixai", "describe", "open_installed", NET, "selected_tags.csv", "preprocess.json"
        ),
        _scorer("wd", "tags", "taggers.wd", "describe", "open_installed", NET, "selected_tags.csv"),
        _scorer("cl_tagger", "tags", "taggers.cl", "describe", "open_installed", NET, "tag_mapping.json"),
        _scorer("cl_tagger_2", "tags", "taggers.cl", "describe", "open_installed", NET, "model_vocabulary.json"),
        _scorer(
            "deepdanbooru",
            "tags",
            "taggers.danbooru",
            "describe_deep",
            "open_deep",
            "deepdanbooru.onnx",
            "deepdanbooru_tags.csv",
        ),
        _scorer("mldanbooru", "tags", "taggers.danbooru", "describe_ml", "open_ml", "mldanbooru_tags.csv"),
        _scorer(
            "aesthetic",
            "class",
            "taggers.classifier",
            "describe_aesthetic",
            "open_aesthetic",
            NET,
            "meta.json",
            "samples.npz",
        ),
        _scorer("classifier", "class", "taggers.classifier", "describe", "open_installed", NET, "meta.json"),
        Family(
            "yolo_faces", "faces", "annotate.backends.boxes.yolo:open_installed", (NET,), ("face_detect_",), weights=NET
        ),
        Family(
            "yolo_boxes",
            "boxes",
            "annotate.backends.boxes.yolo:open_installed",
            ("model.onnx",),
            ("head_detect_", "person_detect_", "halfbody_detect_", "hand_detect_", "eye_detect_", "censor_detect_"),
            weights=NET,
        ),
        Family(
            "ccip",
            "embedding",
            "annotate.backends.embedders.ccip:open_installed",
            ("model_feat.onnx", "model_metrics.onnx"),
            metric_opener="annotate.backends.embedders.ccip:open_metric",
        ),
        Family("isnet", "mask", "annotate.backends.masks.isnet:open_installed", ("model.onnx",), ("isnetis",)),
        Family(
            "paddle_text", "text", "annotate.backends.boxes.text:open_installed", (NET,), ("ch_PP-OCR",), weights=NET
        ),
        Family(
            "real_esrgan",
            "upscale",
            "annotate.backends.upscalers.onnx_upscaler:open_installed",
            ("RealESRGAN_x4plus_anime_6B.onnx",),
        ),
        Family(
            "cdc",
            "upscale",
            "annotate.backends.upscalers.onnx_upscaler:open_installed",
            ("HGSR-MHR-anime-aug_X4_320.onnx",),
        ),
        Family("ncnn", "upscale", "annotate.backends.upscalers.ncnn:open_installed"),
        Family("blip2", "caption", "annotate.backends.captioners.blip2:open_installed"),
    )
}


@dataclass(frozen=True, slots=True)
class Installed:
    """An installed model: its name, family, folder (or file) and card; `wheel`: the package that it comes in."""

    name: str
    family: Family
    path: Path
    card: dict[str, Any] = field(default_factory=dict)
    wheel: Wheel | None = None

    @property
    def task(self) -> str:
        return self.family.task


def installed(models_dir: Path, *, task: str = "") -> list[Installed]:
    """List the models in the folder by name, then those in packages, with `task` only those for it. Folders that are
    not models, and those returned by `broken`, are left out."""
    models = [model for model in _looked_at(models_dir) if isinstance(model, Installed)]
    names = {model.name for model in models}
    models += [model for model in _in_packages() if model.name not in names]
    return [model for model in models if task in ("", model.task)]


def broken(models_dir: Path) -> dict[str, str]:
    """Return, by name, the problems of models whose card cannot be read. They do not affect other models."""
    return dict(entry for entry in _looked_at(models_dir) if not isinstance(entry, Installed))


def _in_packages() -> Iterator[Installed]:
    """Yield the models whose package is installed, whether or not it can be used."""
    for wheel in WHEELS.values():
        path = wheel.path
        if path is not None:
            card = {"revision": wheel.revision, "licence": wheel.weights_licence, "factor": wheel.factor}
            yield Installed(wheel.name, FAMILIES[wheel.family], path, card, wheel)


def _looked_at(models_dir: Path) -> Iterator[Installed | tuple[str, str]]:
    for path in sorted(models_dir.iterdir()) if models_dir.is_dir() else []:
        try:
            entry = _single(path) if path.is_file() else _folder(path)
        except BadInput as error:
            yield path.name, error.message
            continue
        if entry is not None:
            yield entry


def find(name: str, models_dir: Path, *, task: str) -> Installed:
    """Return the installed model of this name. Raises BadInput that lists the installed ones."""
    names = []
    for model in installed(models_dir, task=task):
        if model.name == name:
            return model
        names.append(model.name)
    if why := broken(models_dir).get(name):
        raise BadInput(why)
    if name in WHEELS and WHEELS[name].task == task:
        raise BadInput(f"{name}: {WHEELS[name].problem()}")
    installed_text = f"Installed for it: {', '.join(names)}." if names else "None is installed."
    raise BadInput(
        f"There is no model {name!r} for {task} in {models_dir}. {installed_text} Install it or choose another."
    )


def open_model(installed_model: Installed, *, device: str = AUTO, threads: int = 0, **options: Any) -> Any:
    """Open a model with its adapter; `options` are specific to the adapter (such as a threshold).

    Raises BadInput when its files are damaged or of a different type, its package cannot be used, or the device is
    not available.
    """
    if installed_model.wheel is not None:
        installed_model.wheel.check()
    opener = _function(installed_model.family.opener)
    return opener(installed_model, device=device, threads=threads, **options)


def open_metric(installed_model: Installed, *, device: str = AUTO, threads: int = 0) -> Any:
    """Open the network by which an embedder compares vectors; None where it compares by distance.

    Raises BadInput as `open_model`.
    """
    name = installed_model.family.metric_opener
    return _function(name)(installed_model, device=device, threads=threads) if name else None


def describe(installed_model: Installed) -> Any:
    """Return identity, labels and rules of a tagger or classifier (`taggers.scorer.Described`) without loading it.

    Raises BadInput when a file is missing or damaged, or the model is of a different type.
    """
    describer = installed_model.family.describer
    if not describer:
        raise BadInput(f"{installed_model.name} is not a tagger or classifier. Choose another model.")
    return _function(describer)(installed_model)


def identity(installed_model: Installed) -> tuple[str, str] | None:
    """Return (revision, sha256) as the opened model would report, or None if only opening it tells; see `describe`.

    Raises BadInput when the file is missing, or the model's package cannot be used.
    """
    options = installed_model.card.get("options")
    fed_otherwise = isinstance(options, dict) and options.get("dynamic") is True  # which is part of the revision
    if not installed_model.family.weights or fed_otherwise:
        return None
    path = installed_model.path
    if installed_model.wheel is not None:
        installed_model.wheel.check()
    elif path.is_dir():
        path = path / installed_model.family.weights
    else:
        return None
    return str(installed_model.card.get("revision", "")), weights.sha256_of(path)


def _function(name: str) -> Any:
    """Import "module:function"."""
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)


def _single(path: Path) -> Installed | None:
    if path.suffix not in (".onnx", ".xml") or not weights.NAME.fullmatch(path.stem):
        return None
    return Installed(path.stem, FAMILIES["builtin_faces"], path)


def _folder(path: Path) -> Installed | None:
    if not path.is_dir() or not weights.NAME.fullmatch(path.name):
        return None
    card = weights.read_card(path / CARD)
    family = FAMILIES.get(str(card.get("family", "")))
    if family is None and not card:
        family = next((candidate for candidate in FAMILIES.values() if _looks_like(path, candidate)), None)
    return Installed(path.name, family, path, card) if family else None


def _looks_like(folder: Path, family: Family) -> bool:
    named = not family.starts or folder.name.startswith(family.starts)
    return bool(family.files) and named and all((folder / name).is_file() for name in family.files)
