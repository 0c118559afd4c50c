"""/healthz for machines and the status page for admins: database, Redis, workers, disk, providers, model files."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from annotate.backends.model_files import registry
from annotate.backends.runtime import cuda_check
from ingest import humane
from ingest.models import StageRun
from ingest.pipeline.registry import stages

REDIS_TIMEOUT_S = 2.0
LAST_STAGES = 40
LABELS = {"db": "Database", "redis": "Redis", "disk": "Disk", "networks": "Networks", "models": "Models"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the status page. `vital`: without it Koma does not work."""

    name: str
    fine: bool
    text: str
    vital: bool = True
    more: str = ""  # for those who ask why
    note: str = ""  # it works, but worse than it could: how, instead of "fine"
    when: datetime | None = None  # of what the text tells

    @property
    def label(self) -> str:
        """The name in words."""
        return LABELS.get(self.name, self.name)


def check_database() -> Finding:
    """Run one query."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except DatabaseError as problem:
        return Finding("db", fine=False, text=f"The database does not answer: {problem}")
    kind = {"sqlite": "SQLite (one machine, few people)", "postgresql": "PostgreSQL"}
    return Finding("db", fine=True, text=kind.get(connection.vendor, connection.vendor))


def check_redis() -> Finding:
    """Ping Redis; without it pages work, but runs wait."""
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S
        ) as client:
            version = client.info("server")["redis_version"]
    except redis.RedisError:
        return Finding("redis", fine=False, text="Redis does not answer: runs wait until it does. Nothing is lost.")
    return Finding("redis", fine=True, text=f"Redis {version}")


def check_disk() -> Finding:
    """Compare the free disk space with the reserve."""
    folder = settings.KOMA_DATA_DIR
    try:
        free = shutil.disk_usage(folder).free
    except OSError as problem:
        return Finding("disk", fine=False, text=f"{folder} cannot be read: {problem.strerror}")
    reserve = settings.KOMA_DISK_RESERVE_BYTES
    text = f"{humane.filesize(free)} free; {humane.filesize(reserve)} reserved (KOMA_DISK_RESERVE_BYTES)"
    return Finding("disk", fine=free > reserve, text=text)


def check_workers() -> list[Finding]:
    """Count the workers and waiting jobs of each queue."""
    import django_rq
    from rq import Worker

    findings = []
    for name in settings.RQ_QUEUES:
        try:
            queue = django_rq.get_queue(name)
            workers, waiting = Worker.count(queue=queue), queue.count
        except redis.RedisError:
            continue  # said once, by check_redis
        text = f"{humane.count(workers, 'worker')}, {humane.count(waiting, 'job')} waiting"
        findings.append(Finding(f"Queue {name}", fine=workers > 0, text=text, vital=False))
    return findings


def check_providers() -> Finding:
    """Say whether networks run on a GPU or the CPU, by trying it."""
    devices = cuda_check.devices()
    names = ", ".join(name.removesuffix("ExecutionProvider") for name in devices.providers)
    more = f"{devices.words} onnxruntime {devices.version} offers {names}. The workers may run on other machines."
    degraded = cuda_check.CUDA in devices.providers and not devices.cuda
    text = "GPU" if devices.cuda else "CPU"
    return Finding("networks", fine=True, text=text, more=more, vital=False, note="slower" if degraded else "")


def check_last_devices() -> list[Finding]:
    """Say on which device each GPU stage ran last."""
    rows = StageRun.objects.filter(queue="gpu", started_at__isnull=False).exclude(device="").order_by("-started_at")
    last: dict[str, StageRun] = {}
    for row in rows[:LAST_STAGES]:
        last.setdefault(row.stage, row)
    known = stages()
    return [
        Finding(
            f"Last device of {known[name].label if name in known else name}",
            fine=True, text=row.device, vital=False, when=row.started_at,
        )
        for name, row in last.items()
    ]  # fmt: skip


def check_models() -> Finding:
    """List the installed models, and what is wrong with broken ones."""
    folder: Path = settings.KOMA_MODELS_DIR
    try:
        names = [model.name for model in registry.installed(folder)]
        broken = registry.broken(folder)
    except OSError as problem:
        return Finding("models", fine=False, text=f"{folder} cannot be read: {problem.strerror}", vital=False)
    text = f"{', '.join(names) if names else 'only the built-in ones'} (folder {folder})"
    return Finding("models", fine=not broken, text=" ".join([*broken.values(), text]), vital=False)


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 when database, Redis and disk are fine, else 503; without details, as anybody may ask."""
    findings = [check_database(), check_redis(), check_disk()]
    fine = all(finding.fine for finding in findings)
    words: dict[str, object] = {finding.name: "ok" if finding.fine else "bad" for finding in findings}
    devices = cuda_check.known()  # trying takes a second: left to the pages for admins
    words["networks"] = "not tried yet" if devices is None else "GPU" if devices.cuda else "CPU"
    return JsonResponse({"ok": fine, **words}, status=200 if fine else 503, headers={"Cache-Control": "no-store"})


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    """The status page for site admins; 403 for others."""
    if not getattr(request.user, "is_superuser", False):
        raise PermissionDenied("The status page is for site admins.")
    from ingest.version import VERSION

    findings = [check_database(), check_redis(), *check_workers(), check_disk(), check_providers()]
    findings += [*check_last_devices(), check_models()]
    page = {
        "findings": findings,
        "version": VERSION,
        "down": [finding.label for finding in findings if finding.vital and not finding.fine],
        "idle": [finding.label for finding in findings if not finding.vital and not finding.fine],
    }
    return render(request, "project/status.html", page)
