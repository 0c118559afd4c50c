"""Execution of a ModelJob: a download, check, import or timing. The database row is authoritative; RQ is unknown
here."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from annotate.backends.model_files import catalogue, folder
from annotate.backends.model_files.download import download
from annotate.backends.model_files.importing import import_model
from annotate.evaluation import speed
from annotate.model_library import model_actions as acts
from annotate.models import ModelJob, ModelTiming
from ingest import humane
from ingest.errors import BadInput, KomaError
from ingest.models import RunState
from ingest.pipeline.claims import Kind, Reporter, error_text

Action = ModelJob.Act


class ModelKind(Kind[ModelJob]):
    """Jobs on the models folder, which have a word for how they ended."""

    def close(self, row: ModelJob, state: RunState, *, error: str = "", **values: Any) -> bool:
        """With what stays of one that was stopped."""
        if state != RunState.DONE:
            stays = state == RunState.CANCELLED and row.act == Action.DOWNLOAD
            stopped = "Stopped. The partial download is kept." if stays else "Stopped."
            values["message"] = stopped if state == RunState.CANCELLED else ""
        return super().close(row, state, error=error, **values)


MODEL_JOBS = ModelKind(ModelJob, noun="job", retry="press Retry")


class Transfer:
    """How far a job is, in bytes where it has any."""

    def __init__(self, report: Reporter[ModelJob]) -> None:
        self._report = report

    def __call__(self, done: int, total: int, file: str = "") -> None:
        self._report(done_bytes=done, total_bytes=total, message=file)

    def stop(self) -> bool:
        """Raises Cancelled or LostClaim where the work is to stop."""
        self._report()
        return False


def execute(job_id: int, *, in_worker: bool = False) -> RunState | None:
    """Run a queued job; None if another worker has it. Never raises for a failure of the job itself."""
    job = MODEL_JOBS.claim(job_id)
    if job is None:
        return None

    def work(report: Reporter[ModelJob]) -> dict[str, str]:
        try:
            return {"message": error_text(_work(job, Transfer(report)))}
        except OSError as problem:
            raise KomaError(
                f"The models folder cannot be written or read: {problem}. Check its permissions and disk."
            ) from problem

    state = MODEL_JOBS.run(job, work, in_worker=in_worker)
    if state is not None and job.act == Action.IMPORT:
        job.refresh_from_db()
        acts.tidy_uploads(done=job)
    return state


def _work(job: ModelJob, report: Transfer) -> str:
    """Run the job; return a message with the result."""
    models_dir, reserve = settings.KOMA_MODELS_DIR, settings.KOMA_DISK_RESERVE_BYTES
    if job.act == Action.DOWNLOAD:
        model = catalogue.get(job.name)
        done = download(model, acts.hub(), models_dir, reserve=reserve, report=report, stop=report.stop)
        size = humane.filesize(done.fetched_bytes + done.kept_bytes)
        return f"Installed: {humane.count(len(done.files), 'file')}, {size}, hashes compared."
    if job.act == Action.IMPORT:
        imported = import_model(
            acts.source_of(job), models_dir, name=job.name, family=str(job.params.get("family", "")),
            display_name=str(job.params.get("shown", "")), reserve=reserve, report=report, stop=report.stop,
        )  # fmt: skip
        left = f" Left out: {' '.join(imported.left_out[:10])}" if imported.left_out else ""
        return f"Installed: {humane.count(len(imported.files), 'file')}.{left}"
    if job.act == Action.VERIFY:
        return _verified(job, report)
    return _measured(job, report)


def _verified(job: ModelJob, report: Transfer) -> str:
    path = settings.KOMA_MODELS_DIR / job.name
    total = folder.size_of(path) if path.is_dir() else 0
    done = 0

    def progress(new: int) -> None:
        nonlocal done
        done += new
        report(done, total)

    states = folder.verify(settings.KOMA_MODELS_DIR, job.name, progress=progress)
    wrong = [f"{state.name} is {state.state}" for state in states if state.state in ("damaged", "missing")]
    if wrong:
        raise BadInput(f"{'; '.join(wrong)}. Download or import the model again.")
    untold = [state.name for state in states if state.state == "unlisted"]
    if untold:
        return f"{len(states) - len(untold)} files as installed; hash unknown for {', '.join(untold[:5])}."
    return f"All {len(states)} files are unchanged."


def _measured(job: ModelJob, report: Transfer) -> str:
    task = str(job.params.get("task", ""))
    timing = speed.measure(task, job.name, settings.KOMA_MODELS_DIR, stop=report.stop)
    ModelTiming.objects.update_or_create(
        task=task, name=job.name, device=timing.device[:100],
        defaults={
            "sha256": timing.sha256, "batch": timing.batch, "ms_per_picture": timing.ms_per_picture,
            "pictures": timing.pictures, "opening_s": timing.opening_s,
        },
    )  # fmt: skip
    return f"{timing.ms_per_picture:.1f} ms per picture on {timing.device} ({timing.pictures} pictures)."
