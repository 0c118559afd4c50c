"""All known models as one list: built-in ones, the catalogue, and other installed ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import OperationalError, ProgrammingError

from annotate.backends.boxes import known_detectors
from annotate.backends.model_files import folder, registry, weights
from annotate.backends.model_files.catalogue import CATALOGUE, ENDPOINTS, LISTS, Model
from annotate.backends.model_files.download import PART, is_installed
from annotate.backends.model_files.wheels import WHEELS, Wheel
from annotate.backends.runtime import cuda_check
from annotate.backends.upscalers.resize import FILTERS
from annotate.chosen_models.tasks import TASKS
from annotate.models import ModelTiming
from ingest.errors import KomaError

WEIGHTS = (".onnx", ".npz")
KIND_ORDER = {"builtin": 0, "wheel": 1}  # then all others
HEAD_TAGS = "koma-heads"
FAMILIES = {*registry.FAMILIES, LISTS}  # what this version can use
IMPORTABLE = tuple(family for family in registry.FAMILIES.values() if family.name not in ("builtin_faces", "ncnn"))


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file of an installed model; `sha256` empty where none was ever kept."""

    name: str
    sha256: str
    size: int


@dataclass(slots=True)
class Row:
    """One model for the page and the command. `kind`: builtin, wheel (in a package), catalogue, own (installed, in no
    catalogue). `commands`: what installs one in a package."""

    name: str
    task: str
    kind: str
    title: str = ""
    installed: bool = False
    usable: bool = False
    family: str = ""
    repository: str = ""
    source: str = ""
    revision: str = ""
    licence: str = ""
    notes: str = ""
    size_bytes: int = 0  # on the disk when installed, else about what will come
    part_bytes: int = 0  # of a download that broke off
    recommended: bool = False
    problem: str = ""
    commands: tuple[str, ...] = ()
    files: list[FileRow] = field(default_factory=list)
    timings: list[ModelTiming] = field(default_factory=list)

    @property
    def measurable(self) -> bool:
        """Whether its speed can be measured: lists of tags compute nothing."""
        return self.usable and self.family != LISTS

    def as_json(self) -> dict[str, Any]:
        """What a script wants; sizes in bytes."""
        keys = (
            "name",
            "task",
            "kind",
            "family",
            "installed",
            "usable",
            "size_bytes",
            "licence",
            "repository",
            "revision",
        )
        return {key: getattr(self, key) for key in keys} | {
            "files": {file.name: file.sha256 for file in self.files},
            "ms_per_picture": {timing.device: round(timing.ms_per_picture, 2) for timing in self.timings},
        }


def catalogue_names() -> list[str]:
    """Names of the models that the catalogue knows, sorted."""
    return sorted(CATALOGUE)


def caption_servers() -> Any:
    """The captioning servers that are known to work, for the page of models."""
    return ENDPOINTS


def devices() -> cuda_check.Devices:
    """What computes on this machine."""
    return cuda_check.devices()


def is_model_name(name: str) -> bool:
    """Whether a model may be called so."""
    return bool(weights.NAME.fullmatch(name))


def rows() -> list[Row]:
    """Every model by task, in the order of the tasks; within one the built-in, those in packages, the recommended, then
    by catalogue."""
    models_dir = Path(settings.KOMA_MODELS_DIR)
    usable = {
        (installed_model.task, installed_model.name): installed_model
        for installed_model in registry.installed(models_dir)
    }
    timings = _timings()
    listed = _builtin()
    listed += [_of_catalogue(model, models_dir, usable) for model in CATALOGUE.values()]
    known = {row.name for row in listed}
    listed += [_not_in_catalogue(model) for model in usable.values() if model.name not in known and model.wheel is None]
    listed += [_in_package(wheel) for wheel in WHEELS.values() if wheel.name not in {row.name for row in listed}]
    listed += [_unreadable(name, why) for name, why in registry.broken(models_dir).items() if name not in known]
    for row in listed:
        row.timings = timings.get((row.task, row.name), [])
    order = list(TASKS)
    listed.sort(key=lambda row: (order.index(row.task), KIND_ORDER.get(row.kind, len(KIND_ORDER)), not row.recommended))
    return listed


def _timings() -> dict[tuple[str, str], list[ModelTiming]]:
    """Measured speeds by task and name; none where the tables are not made yet (models can be fetched before)."""
    by_model: dict[tuple[str, str], list[ModelTiming]] = {}
    try:
        for timing in ModelTiming.objects.all():
            by_model.setdefault((timing.task, timing.name), []).append(timing)
    except (OperationalError, ProgrammingError):
        pass
    return by_model


def _builtin() -> list[Row]:
    rows = []
    about_builtin = "Comes with Koma; trained on generated drawings, no download."
    for name, task, title, stems, notes in (
        (known_detectors.DEFAULT, "faces", "Built-in face detector", ("faces",), about_builtin),
        (
            known_detectors.SMALL_FACES,
            "faces",
            "Built-in face detector, small faces",
            ("faces",),
            "Same model on a larger copy of the picture: slower, finds smaller faces.",
        ),
        (
            registry.BUILTIN,
            "embedding",
            "Built-in character embedding",
            ("face_metric", "head_place", "heads"),
            about_builtin,
        ),
        (
            HEAD_TAGS,
            "tags",
            "Built-in head tags",
            ("heads",),
            "Hair, eyes and expression of a head; less reliable on other art styles, see its card.",
        ),
    ):
        paths = [path for stem in stems for path in sorted(weights.BUILTIN.glob(f"{stem}.*")) if path.suffix in WEIGHTS]
        if not paths:
            continue
        card = weights.read_card(weights.BUILTIN / f"{stems[0]}.json")
        rows.append(
            Row(
                name, task, "builtin", title=title, installed=True, usable=name != HEAD_TAGS, licence="MIT",
                revision=str(card.get("version", "")), notes=notes,
                size_bytes=sum(path.stat().st_size for path in paths),
                files=[_line(path, weights.sha256_of(path)) for path in paths],
            )
        )  # fmt: skip
    rows += [
        Row(
            name, "upscale", "builtin", title=f"{name.capitalize()} resampling", installed=True, usable=True,
            licence="MIT", notes="Always available, no model.",
        )
        for name in FILTERS
    ]  # fmt: skip
    return rows


def _in_package(wheel: Wheel) -> Row:
    row = Row(
        wheel.name, wheel.task, "wheel", title=wheel.title, family=wheel.family, repository=wheel.project,
        revision=wheel.revision, licence=wheel.licences, notes=wheel.notes, size_bytes=wheel.download_bytes,
        recommended=wheel == next(other for other in WHEELS.values() if other.task == wheel.task),
    )  # fmt: skip
    root = wheel.root
    if root is None:
        row.commands = tuple(command for command in (wheel.command, wheel.system_command) if command)
        if not wheel.fits_python:
            row.commands, row.notes = (), f"{wheel.notes} {wheel.problem()}"
        return row
    row.installed = True
    row.problem = wheel.problem()
    row.usable = not row.problem
    row.size_bytes = sum(file.stat().st_size for file in root.rglob("*") if file.is_file())
    path = root / wheel.file
    row.files = [_line(path, weights.sha256_of(path))] if path.is_file() else []
    return row


def _of_catalogue(model: Model, models_dir: Path, usable: dict[tuple[str, str], registry.Installed]) -> Row:
    row = Row(
        model.name, model.task, "catalogue", title=model.title or model.name, family=model.family,
        repository=model.repository, source=model.source, revision=model.revision, licence=model.licence,
        notes=model.notes, size_bytes=model.size_bytes, recommended=model.recommended,
    )  # fmt: skip
    path = models_dir / model.name
    try:
        row.usable = (model.task, model.name) in usable
        row.installed = is_installed(models_dir, model) or row.usable
        row.usable = row.usable or (row.installed and model.family == LISTS)
        if row.installed:
            _read_card(row, path)
        elif path.is_dir():
            row.problem = "Files are missing. Download or import it again."
    except (KomaError, OSError) as error:
        row.installed, row.problem = True, str(error)
    aside = models_dir / folder.INCOMING / model.name
    if aside.is_dir():
        row.part_bytes = sum(part.stat().st_size for part in aside.glob(f"*{PART}"))
    if not row.problem and ((row.installed and not row.usable) or model.family not in FAMILIES):
        row.problem = "This version of Koma cannot open it."
    return row


def _not_in_catalogue(model: registry.Installed) -> Row:
    try:
        return _put_here(model)
    except (KomaError, OSError) as error:  # a description that is none, or somebody removes the model just now
        return Row(model.name, model.task, "own", title=model.name, installed=True, problem=str(error))


def _put_here(model: registry.Installed) -> Row:
    row = Row(
        model.name, model.task, "own", title=model.name, installed=True, usable=True, family=model.family.name,
        notes="Imported or copied by hand.",
    )  # fmt: skip
    if model.path.is_dir():
        _read_card(row, model.path)
    else:
        card = weights.read_card(model.path.with_suffix(".json"))
        row.size_bytes = model.path.stat().st_size
        row.licence = str(card.get("licence", ""))
        row.files = [_line(model.path, str(card.get("sha256", "")))]
    return row


def _unreadable(name: str, why: str) -> Row:
    """A folder of which only a card could tell the task, and cannot: it stands with the first one."""
    return Row(name, next(iter(TASKS)), "own", title=name, installed=True, problem=why)


def _read_card(row: Row, path: Path) -> None:
    card = weights.read_card(path / registry.CARD)
    row.size_bytes = folder.size_of(path)
    row.licence = row.licence or str(card.get("licence", ""))
    row.repository = row.repository or str(card.get("repository", ""))
    row.revision = str(card.get("revision", "")) or row.revision
    listed_files = card.get("files")
    lines = listed_files if isinstance(listed_files, dict) else {}
    for file in sorted(entry.name for entry in path.iterdir() if entry.is_file() and entry.name != registry.CARD):
        line = lines.get(file)
        digest = str(line.get("sha256", "")) if isinstance(line, dict) else ""
        row.files.append(_line(path / file, digest))


def _line(path: Path, sha256: str) -> FileRow:
    return FileRow(path.name, sha256, path.stat().st_size)
