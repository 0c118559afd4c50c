"""Response of the site while clients send half a header or half a body, or do not read: `python -m bench.slow_clients`.

Each kind holds its connections open while /healthz and the login page are asked for, one after the other.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLIENTS = 200
SECONDS = 10.0
SETTLE_S = 5.0  # a client that does not read its file is answered first, like any other
ANSWER_MAX_S = 10.0
LARGE_BYTES = 24 * 2**20  # more than any buffer between a thread and a reader who does not read
KINDS = ("nobody", "half a header", "half a header, a byte a second", "half a body", "no reading")
PREPARE = """
import os
from django.core.management import call_command
from django.test import Client
from django.contrib.auth.models import User
from django.conf import settings
from ingest.models import Collection, Membership, Source, Episode, Frame
from ingest.storage.stored_files import store
call_command("migrate", verbosity=0)
user = User.objects.create_superuser("bench")
collection = Collection.objects.create(name="bench")
Membership.objects.create(collection=collection, user=user, role=40)
source = Source.objects.create(collection=collection, kind="video", name="a", path="a", sha256="a")
episode = Episode.objects.create(collection=collection, source=source, title="a")
name = store().put(os.urandom({size}), "png")
Frame.objects.create(collection=collection, episode=episode, index=0, width=1, height=1, file=name, preview=name)
client = Client()
client.force_login(user)
print("MADE", settings.SESSION_COOKIE_NAME + "=" + client.cookies[settings.SESSION_COOKIE_NAME].value,
      "/c/%d/file/%s" % (collection.pk, name))
"""


@contextmanager
def site(folder: Path, *, worker_class: str = "", workers: int = 2) -> Iterator[tuple[int, str, str]]:
    """A web server with a database of its own; gives its port, a cookie and the address of a large file."""
    from project.serve.launcher import WORKER_CLASS, gunicorn_command

    environment = {k: v for k, v in os.environ.items() if not k.startswith("KOMA_") and k != "DATABASE_URL"}
    environment |= {"KOMA_DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "project.settings"}
    environment["KOMA_DISK_RESERVE_BYTES"] = "0"
    manage = [sys.executable, "manage.py"]
    script = PREPARE.format(size=LARGE_BYTES)
    shell = [*manage, "shell", "-v", "0", "-c", script]
    output = subprocess.run(shell, env=environment, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    _, cookie, address = output[output.index("MADE") :].split()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = gunicorn_command("127.0.0.1", port, workers, worker_class=worker_class or WORKER_CLASS)
    with (folder / "web.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
        try:
            until = time.monotonic() + 60
            while seconds_for(port, "/login/") is None:
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError((folder / "web.log").read_text())
                time.sleep(0.1)
            yield port, cookie, address
        finally:
            process.terminate()
            process.wait(30)


def seconds_for(port: int, path: str) -> float | None:
    """The time of an answer of any status; None if there was none within ANSWER_MAX_S."""
    began = time.monotonic()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}{path}", timeout=ANSWER_MAX_S) as answer:
            answer.read()
    except urllib.error.HTTPError:
        pass
    except OSError:
        return None
    return time.monotonic() - began


def slow_clients(kind: str, count: int, port: int, *, cookie: str, address: str) -> list[socket.socket]:
    """Connections of one kind, opened and left as they are."""
    head = "Host: 127.0.0.1\r\n"
    text = {
        "half a header": f"GET /healthz HTTP/1.1\r\n{head}X-A: ",
        "half a header, a byte a second": f"GET /healthz HTTP/1.1\r\n{head}X-A: ",
        "half a body": f"POST /login/ HTTP/1.1\r\n{head}Content-Type: application/x-www-form-urlencoded\r\n"
        "Content-Length: 10000\r\n\r\nusername=",
        "no reading": f"GET {address} HTTP/1.1\r\n{head}Cookie: {cookie}\r\n\r\n",
    }.get(kind)
    result: list[socket.socket] = []
    for _ in range(count if text else 0):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(5)
        try:
            client.connect(("127.0.0.1", port))
            client.sendall((text or "").encode())
        except OSError:  # refused or closed already
            client.close()
            continue
        result.append(client)
    return result


def drip(clients: list[socket.socket], stop: threading.Event) -> None:
    """One more byte per second from each."""
    while not stop.wait(1):
        for client in clients:
            try:
                client.send(b"x")
            except OSError:
                continue


def measure(kind: str, count: int, port: int, *, cookie: str, address: str, seconds: float) -> list[float | None]:
    """Seconds for each answer of /healthz and of a page while so many slow clients are there."""
    clients = slow_clients(kind, count, port, cookie=cookie, address=address)
    stop = threading.Event()
    thread = threading.Thread(target=drip, args=(clients, stop), daemon=True)
    if "a byte a second" in kind:
        thread.start()
    time.sleep(SETTLE_S)
    times: list[float | None] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        times += [seconds_for(port, "/healthz"), seconds_for(port, "/login/")]
        time.sleep(0.1)
    stop.set()
    for client in clients:
        client.close()
    time.sleep(1)
    return times


def main() -> None:
    """Print a table: answers, how many never came, median and longest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    options = parser.parse_args()
    print("| server | clients | of this kind | answers | none within 10 s | median | longest |")
    print("|---|---|---|---|---|---|---|")
    for name, worker_class in (("gthread, 2 x 8 threads", "gthread"), ("Koma's worker, 2 processes", "")):
        with tempfile.TemporaryDirectory() as folder, site(Path(folder), worker_class=worker_class) as (port, *rest):
            cookie, address = rest
            for kind in KINDS:
                times = measure(kind, options.clients, port, cookie=cookie, address=address, seconds=options.seconds)
                came = [t for t in times if t is not None]
                middle = f"{1000 * statistics.median(came):.0f} ms" if came else "-"
                longest = f"{1000 * max(came):.0f} ms" if came else "-"
                count = options.clients if kind != "nobody" else 0
                print(f"| {name} | {count} | {kind} | {len(came)} | {len(times) - len(came)} | {middle} | {longest} |")


if __name__ == "__main__":
    main()
