"""Twenty people at once: random answers, merges, splits, boxes, tags, captions, drops and undo through the real pages.

python -m bench.crowd [--sqlite] [--people 20] [--steps 200] [--seed 1] [--write]

A fresh PostgreSQL (the wheel `pgserver`), the web server as `make demo` starts it, people in threads of this process.
Prints what each act was answered and how long that took, then what `check_collection` finds; exit code 1 for any answer
of 500 or above, for an accepted answer that is nowhere, and for any fault.
"""

from __future__ import annotations

import argparse
import http.client
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import numpy as np

from bench import report

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from ingest.models import Collection

CSRF = "c" * 32
TIMEOUT_S = 120
LEADS = 3  # of the people: they undo anybody's operations too
EPISODES, FRAMES, FACES, CLUSTERS = 2, 12, 4, 10  # frames per episode, faces per frame


@dataclass(slots=True)
class Answer:
    """The response to one form."""

    action: str
    user: int
    operation_key: str  # the key of its operation; empty for an undo
    status: int
    words: str
    seconds: float


@dataclass
class Crowd:
    """Everybody who works on one collection through the server at `host:port`."""

    collection: Collection
    host: str
    port: int
    seed: int
    steps: int
    answers: list[Answer] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def work(self, people: list[User]) -> float:
        """All people at once, `steps` forms each; returns the seconds that it took."""
        began = time.monotonic()
        threads = [threading.Thread(target=self._run_person, args=(index, user)) for index, user in enumerate(people)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.monotonic() - began

    def _run_person(self, number: int, user: User) -> None:
        from django.db import connection

        from bench.crowd_acts import Person

        try:
            person = Person(self, user, seed=f"{self.seed}:{number}")
            for _ in range(self.steps):
                person.action()
            person.browser.connection.close()
        except Exception as error:  # noqa: BLE001 - told by `faults`
            self.problems.append(f"{user.username} stopped: {type(error).__name__}: {error}")
        finally:
            connection.close()

    def faults(self) -> list[str]:
        """Faults after the work: responses, missing operations of accepted forms, an inconsistent collection."""
        from annotate.consistency import check
        from ingest.models import Operation

        broken = [f"{a.action} was answered {a.status}: {a.words}" for a in self.answers if a.status >= 500]
        written = set(Operation.objects.filter(collection=self.collection).values_list("by_id", "key"))
        accepted = [answer for answer in self.answers if answer.status < 300 and answer.operation_key]
        lost = [
            f"{a.action} was accepted and is nowhere: {a.words}"
            for a in accepted
            if (a.user, a.operation_key) not in written
        ]
        return [*self.problems, *broken, *lost, *(f"{f.check}: {f.row} {f.words}" for f in check(self.collection))]

    def table(self) -> str:
        """A row per action: number, responses, time."""
        acts: dict[str, list[Answer]] = defaultdict(list)
        for answer in self.answers:
            acts[answer.action].append(answer)
        rows = [_row(action, acts[action]) for action in sorted(acts)] + [_row("all", self.answers)]
        return report.table(["act", "forms", "done", "409", "422", "404", "500 and above", "p50 ms", "p95 ms"], rows)


def _row(action: str, answers: list[Answer]) -> list[object]:
    codes = Counter(answer.status for answer in answers)
    done = sum(number for status, number in codes.items() if status < 300)
    broken = sum(number for status, number in codes.items() if status >= 500)
    p50, p95 = np.percentile([1000 * answer.seconds for answer in answers], [50, 95])
    return [action, len(answers), done, codes[409], codes[422], codes[404], broken, f"{p50:.0f}", f"{p95:.0f}"]


class Browser:
    """One person's connection, logged in."""

    def __init__(self, crowd: Crowd, user: User) -> None:
        from django.conf import settings
        from django.test import Client

        client = Client()
        client.force_login(user)
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        self.crowd, self.user, self.sent = crowd, user, 0
        self.connection = http.client.HTTPConnection(crowd.host, crowd.port, timeout=TIMEOUT_S)
        self.headers = {
            "Cookie": f"{settings.SESSION_COOKIE_NAME}={session}; {settings.CSRF_COOKIE_NAME}={CSRF}",
            "X-CSRFToken": CSRF, "HX-Request": "true", "Content-Type": "application/x-www-form-urlencoded",
        }  # fmt: skip

    def post(self, action: str, path: str, data: dict[str, Any]) -> int:
        """Send a form with a key of its own; returns the status."""
        self.sent += 1
        path = f"/c/{self.crowd.collection.pk}/{path}"
        form = data | {"key": f"{self.user.pk}-{self.sent}"}
        began = time.perf_counter()
        self.connection.request("POST", path, body=urlencode(form, doseq=True), headers=self.headers)
        response = self.connection.getresponse()
        response.read()
        words = response.headers.get("HX-Trigger", "")
        operation_key = "" if action.startswith("undo") else _operation_key(path, form)
        seconds = time.perf_counter() - began
        self.crowd.answers.append(Answer(action, self.user.pk, operation_key, response.status, words, seconds))
        return response.status


def _operation_key(path: str, form: dict[str, Any]) -> str:
    """The key that the site gives the operation of this form."""
    from django.http import QueryDict

    from ingest.views import once

    request: Any = SimpleNamespace(path=path, POST=QueryDict(urlencode(form, doseq=True)), FILES=QueryDict())
    return once._form_hash(request, form["key"])


def fill(people: int) -> tuple[Collection, list[User]]:
    """A collection with faces in groups, and people who review it; the first ones are leads."""
    from django.contrib.auth.models import User

    from annotate.models import Face, FaceCluster, ModelVersion
    from ingest.imaging.encode import PictureFormat, encode
    from ingest.models import Collection, Episode, Frame, Membership, Role, Source
    from ingest.storage.stored_files import store

    collection = Collection.objects.create(name="Crowded show")
    users = [User.objects.create_user(f"rev{n}") for n in range(people)]
    for n, user in enumerate(users):
        Membership.objects.create(collection=collection, user=user, role=Role.LEAD if n < LEADS else Role.REVIEWER)
    model, _ = ModelVersion.objects.get_or_create(task="faces", name="builtin", revision="1", sha256="")
    clusters = [FaceCluster.objects.create(collection=collection, number=n + 1, purity=0.9) for n in range(CLUSTERS)]
    number = 0
    for e in range(EPISODES):
        source = Source.objects.create(collection=collection, kind="pictures", name=f"e{e}", path="x", sha256=f"e{e}")
        episode = Episode.objects.create(collection=collection, source=source, title=f"Episode {e}", number=str(e))
        for f in range(FRAMES):
            pixels = np.full((36, 64, 3), 20 * e + f, np.uint8)
            name = store().put(encode(pixels, PictureFormat("png")), "png")
            frame = Frame.objects.create(
                collection=collection, episode=episode, index=f, width=64, height=36, file=name, preview=name,
                face_count=FACES, measures={"faces_by": model.pk}, tagged=True,
            )  # fmt: skip
            for n in range(FACES):
                left = 0.02 + 0.24 * n
                Face.objects.create(
                    collection=collection, frame=frame, left=left, top=0.1, right=left + 0.2, bottom=0.6,
                    model_version=model, cluster=clusters[number % CLUSTERS], crop=name,
                )  # fmt: skip
                number += 1
    for cluster in clusters:
        FaceCluster.objects.filter(pk=cluster.pk).update(size=cluster.faces.count())
    return collection, users


def main() -> None:
    """Fill, let everybody work, check the result."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sqlite", action="store_true")
    options.add_argument("--people", type=int, default=20)
    options.add_argument("--steps", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    chosen = options.parse_args()
    from bench.pages import database

    with tempfile.TemporaryDirectory(prefix="koma-crowd-") as temporary:
        data = Path(temporary)
        with database(data, sqlite=chosen.sqlite) as address:
            os.environ |= {"DATABASE_URL": address, "KOMA_DATA_DIR": str(data), "DEBUG": "off"}
            os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
            import django

            django.setup()
            faults = _run(chosen, data)
    if faults:
        sys.exit("\n".join(faults))


def _run(options: argparse.Namespace, data: Path) -> list[str]:
    import socket

    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    from bench.pages import ROOT, WORKERS, _wait
    from project.serve.launcher import gunicorn_command

    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
    call_command("migrate", verbosity=0)
    collection, users = fill(options.people)
    connection.close()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    crowd = Crowd(collection, "127.0.0.1", port, seed=options.seed, steps=options.steps)
    with (data / "web.log").open("wb") as log:
        web = subprocess.Popen(gunicorn_command("127.0.0.1", port, WORKERS), cwd=ROOT, stdout=log, stderr=log)
        try:
            _wait(port)
            seconds = crowd.work(users)
        finally:
            web.terminate()
            web.wait(20)
    faults = crowd.faults()
    what = "SQLite" if options.sqlite else "PostgreSQL"
    text = (
        f"{options.people} people, {options.steps} forms each from seed {options.seed}, sent one by one; "
        f"{WORKERS} web workers; {len(crowd.answers) / seconds:.0f} forms per second. Faults found afterwards: "
        f"{len(faults)}. 409: somebody else was first, or nothing could be undone; 422: what was asked makes no sense "
        f"any more.\n\n{crowd.table()}"
    )
    report.write(f"Twenty people at once: {what}", text) if options.write else print(text)
    if any("50" in fault for fault in faults):
        faults.append((data / "web.log").read_text("utf-8", "replace")[-4000:])
    return faults


if __name__ == "__main__":
    main()
