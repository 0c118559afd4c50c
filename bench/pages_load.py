"""The clients of `bench/pages.py`, in a process of their own: requests pages and returns their times.

Reads one JSON object from standard input, writes one to standard output; knows nothing of Django.
"""

from __future__ import annotations

import http.client
import json
import random
import re
import sys
import threading
import time
from typing import Any

_TIMES = re.compile(r"wait;dur=([0-9.]+), view;dur=([0-9.]+)")


def client(number: int, plan: dict[str, Any], timings: dict[str, list[list[float]]]) -> None:
    """One person: all pages, `rounds` times, in an order of their own, each as soon as the last one is here."""
    order = random.Random(number)
    connection = http.client.HTTPConnection("127.0.0.1", plan["port"], timeout=60)
    headers = {"Cookie": plan["cookies"][number % len(plan["cookies"])], "Host": f"127.0.0.1:{plan['port']}"}
    for _ in range(plan["rounds"]):
        pages = list(plan["pages"])
        order.shuffle(pages)
        for name, addresses, more in pages:
            address = order.choice(addresses)
            began = time.perf_counter()
            connection.request("GET", address, headers=headers | more)
            answer = connection.getresponse()
            size = len(answer.read())
            took = 1000 * (time.perf_counter() - began)
            times = _TIMES.search(answer.headers.get("Server-Timing", ""))
            if answer.status != 200 or times is None:
                raise RuntimeError(f"{name}: {address} answered {answer.status}")
            timings[name].append([float(times[2]), float(times[1]) + float(times[2]), took, size])


def main() -> None:
    """All clients at once; a client that fails ends the process with its reason."""
    plan = json.load(sys.stdin)
    timings: dict[str, list[list[float]]] = {name: [] for name, _, _ in plan["pages"]}
    problems: list[str] = []

    def guarded(number: int) -> None:
        try:
            client(number, plan, timings)
        except Exception as problem:  # noqa: BLE001 - told below
            problems.append(f"client {number}: {problem}")

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(plan["clients"])]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        sys.exit("\n".join(problems))
    json.dump({"pages": timings, "seconds": time.perf_counter() - began}, sys.stdout)


if __name__ == "__main__":
    main()
