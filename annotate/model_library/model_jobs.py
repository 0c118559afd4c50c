"""Runs a ModelJob: claim, work, tell. The database row is the truth; RQ is not known here."""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from annotate.backends.model_files import catalogue, folder
from annotate.backends.model_files.download import download
from annotate.backends.model_files.importing import import_model
from annotate.evaluation import speed
from annotate.model_library import model_actions as acts
from annotate.models import ModelJob, ModelTiming
from ingest import humane
from ingest.errors import BadInput, Cancelled, KomaError, LostClaim
from ingest.imaging.names import plain_text
from ingest.models import RunState

logger = logging.getLogger(__name__)

HEARTBEAT_MAX_AGE_S = 300  # a hub that does not answer takes up to two and a half minutes
ATTEMPTS_MAX = 5
TELL_EVERY_S = 0.7
Act = ModelJob.Act


@dataclass(slots=True)
class _Reporter:
    """Writes progress and the heartbeat to the job's row; raises Cancelled or LostClaim."""

    job: ModelJob
    last: float = 0.0

    def __call__(self, done: int, total: int, file: str = "") -> None:
        if self._due():
            self._tell(done_bytes=done, total_bytes=total, message=file)

    def stop(self) -> bool:
        """For work that has no bytes to tell: a heartbeat, and whether somebody asked to stop."""
        if self._due():
            self._tell()
        return False

    def _due(self) -> bool:
        now = time.monotonic()
        if now - self.last < TELL_EVERY_S:
            return False
        self.last = now
        return True

    def _tell(self, **values: object) -> None:
        mine = ModelJob.objects.filter(pk=self.job.pk, token=self.job.token, state=RunState.RUNNING)
        if not mine.update(heartbeat_at=timezone.now(), **values):
            raise LostClaim("Another worker has this job now.")
        if ModelJob.objects.filter(pk=self.job.pk, cancel_requested=True).exists():
            raise Cancelled("Stopped.")


def execute(job_id: int) -> RunState | None:
    """Run a queued job to its end; None when somebody else has it. Never raises for the job's own failure."""
    job = claim(job_id)
    if job is None:
        return None
    try:
        state, message = RunState.DONE, _work(job, _Reporter(job))
    except Cancelled:
        state = RunState.CANCELLED
        message = "Stopped; what was fetched stays for the next time." if job.act == Act.DOWNLOAD else "Stopped."
    except LostClaim:
        return None
    except KomaError as problem:
        state, message = RunState.FAILED, problem.message
    except OSError as problem:
        state = RunState.FAILED
        message = f"The models folder cannot be written or read: {problem}. Check its rights and its disk."
    except Exception as problem:  # a failing job must end as a row that says so
        logger.exception("model job %s failed", job_id)
        state = RunState.FAILED
        message = f"It broke with {type(problem).__name__}: {problem}. The worker's log has the details."
    ModelJob.objects.filter(pk=job.pk, token=job.token).update(
        state=state, message=plain_text(message, bytes_max=4000), finished_at=timezone.now()
    )
    if job.act == Act.IMPORT:
        job.refresh_from_db()
        acts.tidy_uploads(done=job)
    return state


def claim(job_id: int) -> ModelJob | None:
    """Take a queued job by a conditional UPDATE; None when it is not queued any more."""
    now = timezone.now()
    taken = ModelJob.objects.filter(pk=job_id, state=RunState.QUEUED).update(
        state=RunState.RUNNING, token=uuid.uuid4().hex, attempt=F("attempt") + 1, started_at=now, heartbeat_at=now
    )
    return ModelJob.objects.get(pk=job_id) if taken else None


def take_back_dead(*, max_age_s: float = HEARTBEAT_MAX_AGE_S) -> list[int]:
    """Queue jobs again whose worker died; returns the keys of all that wait. After five deaths a job has failed."""
    limit = timezone.now() - timedelta(seconds=max_age_s)
    for job in ModelJob.objects.filter(state=RunState.RUNNING, heartbeat_at__lt=limit):
        mine = ModelJob.objects.filter(pk=job.pk, token=job.token, state=RunState.RUNNING)
        if job.attempt >= ATTEMPTS_MAX:
            text = f"The worker died {job.attempt} times in this; see its log, then try again."
            mine.update(state=RunState.FAILED, token="", message=text, finished_at=timezone.now())
        else:
            mine.update(state=RunState.QUEUED, token="")
    return list(ModelJob.objects.filter(state=RunState.QUEUED).values_list("pk", flat=True))


def _work(job: ModelJob, report: _Reporter) -> str:
    """Do it; returns what came out, in words."""
    models_dir, reserve = settings.KOMA_MODELS_DIR, settings.KOMA_DISK_RESERVE_BYTES
    if job.act == Act.DOWNLOAD:
        model = catalogue.get(job.name)
        done = download(model, acts.hub(), models_dir, reserve=reserve, report=report, stop=report.stop)
        size = humane.filesize(done.fetched_bytes + done.kept_bytes)
        return f"Installed: {humane.count(len(done.files), 'file')}, {size}, hashes compared."
    if job.act == Act.IMPORT:
        found = import_model(
            acts.source_of(job), models_dir, name=job.name, family=str(job.params.get("family", "")),
            shown=str(job.params.get("shown", "")), reserve=reserve, report=report, stop=report.stop,
        )  # fmt: skip
        left = f" Left out: {' '.join(found.left_out[:10])}" if found.left_out else ""
        return f"Installed: {humane.count(len(found.files), 'file')}.{left}"
    if job.act == Act.VERIFY:
        return _verified(job, report)
    return _measured(job, report)


def _verified(job: ModelJob, report: _Reporter) -> str:
    path = settings.KOMA_MODELS_DIR / job.name
    total = folder.size_of(path) if path.is_dir() else 0
    done = 0

    def progress(new: int) -> None:
        nonlocal done
        done += new
        report(done, total)

    states = folder.verify(settings.KOMA_MODELS_DIR, job.name, progress=progress)
    wrong = [f"{one.name} is {one.state}" for one in states if one.state in ("damaged", "missing")]
    if wrong:
        raise BadInput(f"{'; '.join(wrong)}. Download or import the model again.")
    untold = [one.name for one in states if one.state == "unlisted"]
    if untold:
        return f"{len(states) - len(untold)} files as installed; no hash was ever kept of {', '.join(untold[:5])}."
    return f"All {len(states)} files are as they were installed."


def _measured(job: ModelJob, report: _Reporter) -> str:
    task = str(job.params.get("task", ""))
    found = speed.measure(task, job.name, settings.KOMA_MODELS_DIR, stop=report.stop)
    ModelTiming.objects.update_or_create(
        task=task, name=job.name, device=found.device[:100],
        defaults={
            "sha256": found.sha256, "batch": found.batch, "ms_per_picture": found.ms_per_picture,
            "pictures": found.pictures, "opening_s": found.opening_s,
        },
    )  # fmt: skip
    return f"{found.ms_per_picture:.1f} ms a picture on {found.device} ({found.pictures} pictures)."
