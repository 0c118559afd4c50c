"""Actions of site admins on models: request a download, check, import or measurement; stop it; remove a model."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from annotate.backends.model_files import catalogue, folder, registry
from annotate.backends.model_files.remote import Hub
from annotate.chosen_models import choices
from annotate.models import ModelChoice, ModelJob, ModelTiming
from ingest import video_library
from ingest.errors import BadInput, Conflict
from ingest.models import RunState
from ingest.pipeline import claims

Action = ModelJob.Act
OPEN = (RunState.QUEUED, RunState.RUNNING)
SHOWN = 8  # finished jobs on the page
UPLOAD_KEPT_S = 24 * 3600  # a failed import can be tried again for so long


def hub() -> Hub:
    """The hub of the settings."""
    return Hub(settings.KOMA_HUB_URL, token=settings.KOMA_HUB_TOKEN)


def check_space(size: int) -> None:
    """Raise BadInput where so many bytes have no room beside the models."""
    folder.check_space(settings.KOMA_MODELS_DIR, size, reserve=settings.KOMA_DISK_RESERVE_BYTES)


def download(*, name: str, by: Any) -> ModelJob:
    """Ask for a model of the catalogue; the caller sends the job after the commit."""
    return _ask(Action.DOWNLOAD, catalogue.get(name).name, by)


def verify(*, name: str, by: Any) -> ModelJob:
    """Ask for a comparison of a model's files with their kept hashes."""
    _check_installed(name)
    return _ask(Action.VERIFY, name, by)


def measure(*, name: str, task: str, by: Any) -> ModelJob:
    """Ask how long a model takes for a picture here."""
    if name not in choices.offered(task):
        raise BadInput(f"There is no model {name[:80]!r} for {task[:20]!r} here. Install it first.")
    return _ask(Action.MEASURE, name, by, task=task)


def import_from_library(*, root: int, relative: str, name: str, family: str, by: Any) -> ModelJob:
    """Ask for an import of a folder or zip below KOMA_LIBRARY_DIRS; looked up again when the job runs."""
    path = video_library.resolve(root, relative)
    if path in video_library.roots():
        raise BadInput("Open the folder that holds the model's files; the library itself is not a model.")
    new_name = folder.new_name(name or path.name.removesuffix(".zip"))
    return _ask(Action.IMPORT, new_name, by, root=root, relative=relative, family=_family(family), shown=path.name)


def import_upload(*, upload: Path, file_name: str, name: str, family: str, by: Any) -> ModelJob:
    """Ask for an import of an uploaded zip that lies in the models folder's `.incoming`; deleted when it is done."""
    new_name = folder.new_name(name or Path(file_name).name.removesuffix(".zip"))
    return _ask(Action.IMPORT, new_name, by, upload=upload.name, family=_family(family), shown=file_name[:200])


def source_of(job: ModelJob) -> Path:
    """Where an import's files lie. Raises BadInput when they are gone."""
    if "upload" in job.params:
        path = upload_folder() / Path(str(job.params["upload"])).name
        if not path.is_file():
            raise BadInput("The uploaded zip is gone. Upload it again.")
        return path
    return video_library.resolve(int(job.params["root"]), str(job.params["relative"]))


def upload_folder() -> Path:
    """Where uploaded zips wait: beside the models, so that nothing is copied between disks."""
    return Path(settings.KOMA_MODELS_DIR) / folder.INCOMING


def cancel(job: ModelJob) -> None:
    """Ask a job to stop; what was downloaded stays for the next time."""
    if not claims.cancel(job, message="Stopped before it started."):
        job.refresh_from_db()
        raise Conflict(f"This is {job.get_state_display()} already.")


def retry(*, job: ModelJob, by: Any) -> ModelJob:
    """Ask for the same again; a download goes on where it was."""
    if job.state not in (RunState.FAILED, RunState.CANCELLED):
        raise Conflict("Only failed or stopped jobs can be retried.")
    if job.act == Action.IMPORT:
        source_of(job)
    return _ask(Action(job.act), job.name, by, **job.params)


def remove(*, name: str) -> tuple[int, list[str]]:
    """Delete a model's files; returns the bytes freed and the names of collections that had chosen it.

    What it said stays. Raises Conflict while a job works on it.
    """
    if ModelJob.objects.filter(name=name, state__in=OPEN).exists():
        raise Conflict(f"{name} is busy. Stop the running job first.")
    freed = folder.remove(settings.KOMA_MODELS_DIR, name)
    ModelTiming.objects.filter(name=name).delete()
    return freed, chosen_in(name)


def chosen_in(name: str) -> list[str]:
    """Names of the collections that chose the model."""
    rows = ModelChoice.objects.filter(name=name).order_by("collection__name")
    return list(rows.values_list("collection__name", flat=True).distinct())


def tidy_uploads(*, done: ModelJob | None = None) -> None:
    """Delete the zip of an import that is done, and zips that nobody went on with for a day."""
    if done is not None and done.state == RunState.DONE and "upload" in done.params:
        (upload_folder() / Path(str(done.params["upload"])).name).unlink(missing_ok=True)
    for path in upload_folder().glob("upload-*.zip"):
        with contextlib.suppress(FileNotFoundError):  # another process tidies too
            if timezone.now().timestamp() - path.stat().st_mtime > UPLOAD_KEPT_S:
                path.unlink()


def _ask(action: Action, name: str, by: Any, **params: Any) -> ModelJob:
    try:
        with transaction.atomic():
            return ModelJob.objects.create(act=action, name=name, params=params, created_by=by)
    except IntegrityError:
        raise Conflict(f"{name} is busy. Wait or stop the running job.") from None


def _check_installed(name: str) -> None:
    if (
        name not in {model.name for model in registry.installed(settings.KOMA_MODELS_DIR) if model.wheel is None}
        and not (Path(settings.KOMA_MODELS_DIR) / folder.checked_name(name)).is_dir()
    ):
        raise BadInput(f"{name} is not installed.")


def _family(family: str) -> str:
    if family and family not in registry.FAMILIES:
        raise BadInput(f"{family[:40]!r} is not a type of model that Koma knows.")
    return family
