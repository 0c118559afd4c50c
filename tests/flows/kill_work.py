"""Kill, cancel and hang real workers in the middle of each kind of work that they claim.

A process of its own: `python -m tests.flows.kill_work FOLDER [KIND...]`. Calls come through a real Redis to real
workers (`ingest.worker.run`, what `manage.py runworker` calls), which are cheap forks of this process. Prints one JSON
line: by kind what happened.
"""

from __future__ import annotations

import argparse
import ctypes
import faulthandler
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.flows.kill_and_resume import close_database
from tests.flows.kill_workers import PR_SET_CHILD_SUBREAPER, children
from tests.flows.kinds_of_work import Gate, Work, all_kinds, prepare
from tests.flows.waiting import wait_for

PATIENCE_S = 90.0
STEP_MAX_S = 1.0  # where a hang is waited for
OTHERS: set[int] = set()  # children that are no workers


class Trial:
    """A row of one kind of work, and workers that come to it."""

    def __init__(self, work: Work, gate: Gate, *, shut: bool) -> None:
        self.work, self.gate, self.row = work, gate, work.make()
        self.gate.shut(shut=shut)

    def worker(self) -> int:
        """A worker of the queue, called as the site calls it; it ends when nothing waits. Its process id."""
        import django_rq

        django_rq.get_connection(self.work.queue).flushall()
        assert self.work.wake()
        close_database()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                from ingest import worker

                worker.run([self.work.queue], burst=True)
                code = 0
            finally:
                os._exit(code)
        return child

    def held_worker(self) -> int:
        """A worker that waits in the middle of the work."""
        before, child = self.gate.visited(), self.worker()
        try:
            until(lambda: self.gate.visited() > before)
        except TimeoutError:
            ended, row = os.waitpid(child, os.WNOHANG), self.now()
            state = row and (row.state, row.attempt, row.error)
            print_stacks(child)
            raise TimeoutError(f"the worker does not begin: it ended {ended}, its work is {state}") from None
        return child

    def kill(self, child: int) -> None:
        """SIGKILL, as the kernel or a person sends it; waits for what the worker leaves behind."""
        os.kill(child, signal.SIGKILL)
        wait_for(child)

        def gone() -> bool:
            for pid in children() - OTHERS:
                os.waitpid(pid, os.WNOHANG)
            return not children() - OTHERS

        until(gone)

    def take_back(self) -> None:
        """What the sweep does when a worker has been silent for long, without its patience."""
        self.work.kind.take_back_dead(max_age_s=-1)

    def now(self) -> Any:
        """The row as it is; None where it is gone."""
        return self.work.kind.rows().filter(pk=self.row.pk).first()

    def ended(self) -> bool:
        """Whether it has ended, or is gone."""
        return (row := self.now()) is None or row.finished

    def result(self, **more: Any) -> dict[str, Any]:
        row = self.now()
        if row is None:
            return {"state": "gone"} | more
        result = {"state": row.state, "attempt": row.attempt, "error": row.error, "outcome": self.work.outcome(row)}
        return result | {"visits": self.gate.visited(), "token": row.token} | more


def print_stacks(pid: int) -> None:
    """Let a worker and its children write to stderr where each of their threads is."""
    with suppress(OSError):
        of_it = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in [pid, *map(int, of_it)]:
            print(f"process {each}:", file=sys.stderr, flush=True)
            os.kill(each, signal.SIGUSR1)
            time.sleep(1)


def until(true: Callable[[], object]) -> float:
    """Wait for it; seconds."""
    began = time.monotonic()
    while not true():
        if time.monotonic() > began + PATIENCE_S:
            raise TimeoutError
        time.sleep(0.02)
    return time.monotonic() - began


def quiet(work: Work, gate: Gate) -> dict[str, Any]:
    trial = Trial(work, gate, shut=False)
    wait_for(trial.worker())
    return trial.result()


def killed(work: Work, gate: Gate) -> dict[str, Any]:
    """Killed in the middle, taken back, done by another worker."""
    trial = Trial(work, gate, shut=True)
    trial.kill(trial.held_worker())
    half, state = work.half(trial.now()), trial.now().state
    gate.shut(shut=False)
    trial.take_back()
    waits = trial.now().state
    wait_for(trial.worker())
    return trial.result(half=half, states=[state, waits])


def dead_again(work: Work, gate: Gate) -> dict[str, Any]:
    """As many workers killed as it may cost."""
    trial = Trial(work, gate, shut=True)
    for _ in range(work.kind.attempts_max):
        trial.kill(trial.held_worker())
        trial.take_back()
    wait_for(trial.worker()) if trial.now().state == "queued" else None
    return trial.result(half=work.half(trial.now()))


def cancelled(work: Work, gate: Gate) -> dict[str, Any]:
    """Cancelled while its worker hears nothing."""
    trial = Trial(work, gate, shut=True)
    child = trial.held_worker()
    work.cancel(trial.now())
    seconds = until(trial.ended)
    status = wait_for(child)
    half = (row := trial.now()) is not None and work.half(row)
    return trial.result(seconds=round(seconds, 2), exit=os.waitstatus_to_exitcode(status), half=half)


def hung(work: Work, gate: Gate) -> dict[str, Any]:
    """A step that never ends, in each attempt; no sweep is needed."""
    work.kind.step_max_s, before = STEP_MAX_S, work.kind.step_max_s
    trial, exits = Trial(work, gate, shut=True), list[int]()
    while not trial.now().finished and len(exits) < 5:
        status = wait_for(trial.worker())
        exits.append(os.waitstatus_to_exitcode(status))
    work.kind.step_max_s = before
    return trial.result(exits=exits, half=work.half(trial.now()))


TRIALS = (quiet, killed, dead_again, cancelled, hung)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("kinds", nargs="*")
    options = parser.parse_args()
    faulthandler.register(signal.SIGUSR1)  # also for the workers, which are forks
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for name in [name for name in os.environ if name.startswith("KOMA_")]:
        del os.environ[name]
    from project.serve.redis_server import RedisServer

    redis = RedisServer(options.folder / "redis")
    redis.start()
    os.environ |= {
        "KOMA_DATA_DIR": str(options.folder / "data"), "KOMA_DISK_RESERVE_BYTES": "0",
        "KOMA_MODELS_DIR": str(options.folder / "models"), "KOMA_EXPORT_DIR": str(options.folder / "exports"),
        "DJANGO_SETTINGS_MODULE": "project.settings", "REDIS_URL": redis.url,
    }  # fmt: skip
    os.environ.pop("DATABASE_URL", None)
    try:
        return _try_all(options.folder, options.kinds)
    finally:
        for pid in children() - OTHERS if OTHERS else ():  # held ones, where something else than expected happened
            os.kill(pid, signal.SIGKILL)
        redis.stop()


def _try_all(folder: Path, names: list[str]) -> int:
    import django

    django.setup()
    from django.core.management import call_command

    from ingest.pipeline import claims

    call_command("migrate", verbosity=0)
    prepare(folder)
    claims.CANCEL_EVERY_S, claims.CANCEL_GRACE_S = 0.2, 0.5  # type: ignore[assignment]
    __import__("ingest.worker")
    OTHERS.update(children())
    results: dict[str, dict[str, Any]] = {}
    for work in all_kinds():
        if names and work.name not in names:
            continue
        work.kind.attempts_max = 2
        gate = Gate(folder)
        work.hold(gate)
        results[work.name] = {trial.__name__: trial(work, gate) for trial in TRIALS}
        print(json.dumps({work.name: results[work.name]}), file=sys.stderr, flush=True)
    print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
