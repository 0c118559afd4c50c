"""/healthz for machines and the status page for admins: database, Redis, workers, disk, providers, model files."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

REDIS_TIMEOUT_S = 2.0
GIB = 2**30


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the status page. `vital`: without it Koma does not work."""

    name: str
    fine: bool
    text: str
    vital: bool = True


def check_database() -> Finding:
    """Ask the database one question."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except DatabaseError as problem:
        return Finding("db", fine=False, text=f"The database does not answer: {problem}")
    kind = {"sqlite": "SQLite (one machine, few people)", "postgresql": "PostgreSQL"}
    return Finding("db", fine=True, text=kind.get(connection.vendor, connection.vendor))


def check_redis() -> Finding:
    """Ask Redis; without it pages work, but runs wait."""
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S
        ) as client:
            version = client.info("server")["redis_version"]
    except redis.RedisError:
        return Finding("redis", fine=False, text="Redis does not answer: runs wait until it is back. Nothing is lost.")
    return Finding("redis", fine=True, text=f"Redis {version}")


def check_disk() -> Finding:
    """Compare the free space where we write with the reserve that is kept."""
    folder = settings.KOMA_DATA_DIR
    try:
        free = shutil.disk_usage(folder).free
    except OSError as problem:
        return Finding("disk", fine=False, text=f"{folder} cannot be read: {problem.strerror}")
    reserve = settings.KOMA_DISK_RESERVE_BYTES
    text = f"{free / GIB:.1f} GiB free; {reserve / GIB:.1f} GiB are kept back (KOMA_DISK_RESERVE_BYTES)"
    return Finding("disk", fine=free > reserve, text=text)


def check_workers() -> list[Finding]:
    """Say for each queue how many workers listen and how many jobs wait."""
    import django_rq
    from rq import Worker

    findings = []
    for name in settings.RQ_QUEUES:
        try:
            queue = django_rq.get_queue(name)
            workers, waiting = Worker.count(queue=queue), queue.count
        except redis.RedisError:
            continue  # said once, by check_redis
        text = f"{workers} workers, {waiting} jobs wait" if workers != 1 else f"1 worker, {waiting} jobs wait"
        findings.append(Finding(f"queue {name}", fine=workers > 0, text=text, vital=False))
    return findings


def check_providers() -> Finding:
    """Say what networks run on: a card, or the processor; never silently the slower one."""
    if importlib.util.find_spec("onnxruntime") is None:
        return Finding("providers", fine=False, text="onnxruntime is not installed", vital=False)
    import onnxruntime

    available = onnxruntime.get_available_providers()
    cuda = "CUDAExecutionProvider" in available and Path("/proc/driver/nvidia/version").exists()
    text = "Networks run on the graphics card (CUDA)" if cuda else "Networks run on the processor: no CUDA card found"
    return Finding("providers", fine=True, text=f"{text}. onnxruntime {onnxruntime.__version__}", vital=False)


def check_models() -> Finding:
    """List the model folders that a person installed; the built-in ones need nothing."""
    folder: Path = settings.KOMA_MODELS_DIR
    try:
        names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    except FileNotFoundError:
        names = []
    except OSError as problem:
        return Finding("models", fine=False, text=f"{folder} cannot be read: {problem.strerror}", vital=False)
    text = ", ".join(names) if names else "only the built-in ones"
    return Finding("models", fine=True, text=f"{text} (folder {folder})", vital=False)


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 when database, Redis and disk are fine, else 503; words without details, as anybody may ask."""
    findings = [check_database(), check_redis(), check_disk()]
    fine = all(finding.fine for finding in findings)
    words: dict[str, object] = {finding.name: "ok" if finding.fine else "bad" for finding in findings}
    return JsonResponse({"ok": fine, **words}, status=200 if fine else 503, headers={"Cache-Control": "no-store"})


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    """Everything an admin wants to know when something is slow or stuck; 403 for others."""
    if not getattr(request.user, "is_superuser", False):
        raise PermissionDenied("The status page is for admins of the site.")
    from ingest.version import VERSION

    findings = [check_database(), check_redis(), *check_workers(), check_disk(), check_providers(), check_models()]
    page = {"findings": findings, "version": VERSION, "fine": all(f.fine for f in findings if f.vital)}
    return render(request, "project/status.html", page)
