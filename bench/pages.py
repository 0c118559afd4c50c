"""Response times of all list pages on a large collection with ten concurrent clients.

python -m bench.pages [--sqlite] [--frames 100000] [--faces 150000] [--rounds 10] [--keep FOLDER] [--write]

A fresh PostgreSQL (the wheel `pgserver`), the web server as `make demo` starts it, clients in another process.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from bench import report
from project.timing import PAGES_AT_ONCE

if TYPE_CHECKING:
    from ingest.models import Collection

ROOT = Path(__file__).resolve().parents[1]
WORKERS, CLIENTS = 2, 10
Page = tuple[str, list[str], dict[str, str]]
HTMX = {"HX-Request": "true"}


def pages(collection: Collection) -> list[Page]:
    """Name, addresses and headers of every list page; each request takes one of the addresses, so that what one has
    counted does not help the next."""
    from annotate.models import Character, Face, FaceCluster
    from export.algorithms.presets import PRESETS
    from ingest.models import Frame, Operation

    here = f"/c/{collection.pk}"
    people = list(Character.objects.filter(collection=collection))
    episodes = list(collection.episodes.values_list("pk", flat=True))
    marks = [f"after={episode}.{19 * index}" for episode in episodes for index in (30, 400, 900)]
    groups = list(FaceCluster.objects.filter(collection=collection).order_by("-size")[500::100])
    faces = Face.objects.filter(collection=collection, state="face", character__parent=None)
    late = faces.filter(confidence__lt=0.3).order_by("pk")[:4000:100]
    frames = Frame.objects.kept().filter(collection=collection, face_count__gt=1).order_by("pk")[:40_000:1000]
    frame_urls = [f"{here}/frames/{frame.pk}/" for frame in frames]
    operations = Operation.objects.filter(collection=collection).count()
    character_urls = [f"{here}/characters/{person.pk}/" for person in people]
    found_pages: list[Page] = [
        ("collections", ["/"], {}),
        ("overview", [f"{here}/"], {}),
        ("episodes", [f"{here}/episodes/"], {}),
        ("one episode", [f"{here}/episodes/{episode}/" for episode in episodes], {}),
        ("faces", [f"{here}/faces/"], {}),
        ("faces, deep", [f"{here}/faces/?after={group.size * group.purity!r}:{group.number}" for group in groups], {}),
        ("characters", [f"{here}/characters/"], {}),
        ("one character", character_urls, {}),
        ("one character, least sure", [f"{address}?order=doubtful" for address in character_urls], {}),
        (
            "one character, deep",
            [f"{here}/characters/{f.character_id}/?after={f.confidence!r}:{f.pk}" for f in late],
            {},
        ),
        ("history", [f"{here}/history/"], {}),
        ("history, deep", [f"{here}/history/?before={n}" for n in range(100, operations, 997)], {}),
        ("runs", [f"{here}/runs/"], {}),
        ("one run", [f"{here}/runs/{run.number}/" for run in collection.runs.all()[:40]], {}),
        ("work (polled)", [f"{here}/work/"], HTMX),
        ("exports", [f"{here}/exports/"], {}),
        ("export recipe", [f"{here}/export/"], {}),
        ("export preset", [f"{here}/export/?preset={key}" for key in PRESETS], {}),
        ("start a run", [f"{here}/runs/start/"], {}),
        ("members", [f"{here}/members/"], {}),
        ("models", [f"{here}/models/"], {}),
        ("quality", [f"{here}/quality/"], {}),
        ("compare", [f"{here}/compare/"], {}),
        ("tags", [f"{here}/tags/?page={number}" for number in range(1, 41)], {}),
        ("tags, found", [f"{here}/tags/?q=tag_{number}&order=removed" for number in range(10, 50)], {}),
        ("one frame", frame_urls, {}),
        ("caption of a frame", [f"{address}caption/" for address in frame_urls], HTMX),
    ]
    names = [f'character:"{person.name}"' for person in people]
    tags = [f"tag:{'abcdefghij'[n % 10]}tag_{n}" for n in range(40)]
    queries_by_name = {
        "frames": [""],
        "frames, kept and dropped": ["state:all"],
        "frames, one episode": [f"episode:{episode}" for episode in episodes],
        "frames, a character": names,
        "frames, a face without a name": ["character:unnamed"],
        "frames, nobody named": ["character:none"],
        "frames, somebody named": ["is:named"],
        "frames, a tag": tags,
        "frames, a rare tag": [f"tag:{'abcdefghij'[n % 10]}tag_{n}" for n in range(5900, 6000)],
        "frames, without a tag": [f"-{tag}" for tag in tags],
        "frames, two tags without a third": [
            f"{a} {b} -{c}" for a, b, c in zip(tags, tags[1:], tags[2:], strict=False)
        ],
        "frames, a tag and a character": [f"{a} {b}" for a, b in zip(tags, names, strict=False)],
        "frames, a reason": [f"reason:{reason}" for reason in ("duplicate", "fade", "black", "person")],
        "frames, two faces and more": ["faces:>=2", "faces:>=3"],
        "frames, no faces": ["faces:0"],
        "frames, a shot": [f"shot:{n}" for n in range(40)],
        "frames, left out of exports": ["is:excluded"],
    }
    base = f"{here}/frames/?q="
    found_pages += [(name, [base + quote(query) for query in queries], {}) for name, queries in queries_by_name.items()]
    found_pages += [
        ("frames, scrolled deep", [f"{base}&{cursor}" for cursor in marks], HTMX),
        ("frames, opened deep", [f"{base}&{cursor}" for cursor in marks], {}),
        ("frames, a tag, scrolled deep", [f"{base}{tags[n % 40]}&{cursor}" for n, cursor in enumerate(marks)], HTMX),
        (
            "a frame in a list",
            [f"{address}?q={quote(tag)}" for address, tag in zip(frame_urls, tags, strict=False)],
            {},
        ),
        ("captions", [f"{here}/captions/?q="], {}),
        ("captions, a tag", [f"{here}/captions/?q={quote(tag)}" for tag in tags], {}),
        ("captions, deep", [f"{here}/captions/?q=&{cursor}" for cursor in marks], {}),
        (
            "menu of a caption's tag",
            [
                f"{address.replace('/frames/', '/export/frames/')}tag/?{tag.replace(':', '=')}"
                for address, tag in zip(frame_urls, tags, strict=False)
            ],
            HTMX,
        ),
    ]
    return found_pages


def measure(collection: Collection, rounds: int, *, data: Path) -> tuple[list[list[object]], float]:
    """A row per page: queries, bytes, p50 and p95 in ms in the view, p95 with the wait for its turn and as the client
    sees it; pages per second."""
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from project.serve.launcher import gunicorn_command

    selected = pages(collection)
    cookies = []
    for user in User.objects.order_by("pk"):
        client = Client(headers={"host": "127.0.0.1"})
        client.force_login(user)
        cookies.append(f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}")
    queries = {}
    for name, addresses, headers in selected:
        client.get(addresses[0], headers=headers)
        with CaptureQueriesContext(connection) as seen:
            client.get(addresses[-1], headers=headers)
        queries[name] = len(seen)
    connection.close()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with (data / "web.log").open("wb") as log:
        web = subprocess.Popen(gunicorn_command("127.0.0.1", port, WORKERS), cwd=ROOT, stdout=log, stderr=log)
        try:
            _wait(port)
            plan = {"port": port, "cookies": cookies, "pages": selected, "clients": CLIENTS}
            _ask(plan | {"rounds": 1})  # templates are compiled, connections are opened
            got = _ask(plan | {"rounds": rounds})
        finally:
            web.terminate()
            web.wait(20)
    rows: list[list[object]] = []
    for name, _, _ in selected:
        view, waited, seen_by_client, size = np.array(got["pages"][name]).T
        p50, p95 = np.percentile(view, [50, 95])
        rows.append([name, queries[name], f"{size.mean() / 1000:.0f}", f"{p50:.0f}", f"{p95:.0f}"])
        rows[-1] += [f"{np.percentile(times, 95):.0f}" for times in (waited, seen_by_client)]
    return rows, rounds * CLIENTS * len(selected) / got["seconds"]


def _ask(plan: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.pages_load"],
        input=json.dumps(plan), capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _wait(port: int) -> None:
    for _ in range(1200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    sys.exit("The web server did not start.")


@contextmanager
def database(folder: Path, *, sqlite: bool) -> Iterator[str]:
    """The address of an own database below `folder`."""
    if sqlite:
        yield f"sqlite:///{folder / 'koma.sqlite3'}"
        return
    import pgserver

    server = pgserver.get_server(folder / "postgres", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def main() -> None:
    """Fill, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sqlite", action="store_true")
    options.add_argument("--frames", type=int, default=100_000)
    options.add_argument("--faces", type=int, default=150_000)
    options.add_argument("--rounds", type=int, default=10)
    options.add_argument("--keep", type=Path, help="folder whose database is filled once and used again")
    options.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="koma-pages-") as temporary:
        data = chosen.keep or Path(temporary)
        data.mkdir(parents=True, exist_ok=True)
        with database(data, sqlite=chosen.sqlite) as address:
            os.environ |= {"DATABASE_URL": address, "KOMA_DATA_DIR": str(data), "DEBUG": "off"}
            os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
            import django

            django.setup()
            from django.conf import settings
            from django.core.management import call_command

            settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
            call_command("migrate", verbosity=0)
            from bench.pages_rows import fill
            from ingest.models import Collection

            began = time.perf_counter()
            collection = Collection.objects.filter(name="Benchmark show").first() or fill(chosen.frames, chosen.faces)
            print(f"{time.perf_counter() - began:.0f} s to fill", file=sys.stderr)
            rows, rate = measure(collection, chosen.rounds, data=data)
    what = "SQLite" if chosen.sqlite else "PostgreSQL"
    header = ["page", "queries", "kB", "view p50 ms", "view p95 ms", "with wait p95 ms", "client p95 ms"]
    about = (
        f"{chosen.frames:,} frames, {chosen.faces:,} faces, {20 * chosen.frames:,} tags; {WORKERS} web workers; "
        f"{CLIENTS} clients, each sends its next request after an answer; {chosen.rounds * CLIENTS} requests per page; "
        f"{rate:.0f} pages per second in all. Clients, web and database share the processor. View: from its turn "
        f"({PAGES_AT_ONCE} pages are made at once by a worker) to the last byte made. With wait: from the first "
        "middleware. Client: from the request to the last byte."
    )
    text = f"{about}\n\n{report.table(header, rows)}"
    report.write(f"Pages: {what}", text) if chosen.write else print(text)


if __name__ == "__main__":
    main()
