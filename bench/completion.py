"""Time of completing a tag over a whole vocabulary: from memory, and by a scan in the database, alternating.

    python -m bench.completion /path/to/danbooru.csv

Typed are beginnings of names, of later words, of aliases, and what no name holds, drawn by a seed. Milliseconds of this
process's CPU and of the clock, on the database of DATABASE_URL (default: SQLite in a new folder).
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any

OWN_WORDS = 500  # of the collection, on one frame


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("vocabulary", type=Path)
    parser.add_argument("--texts", type=int, default=200)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("KOMA_DATA_DIR", folder)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        for name, times in measure(args.vocabulary, texts=args.texts).items():
            cells = "  ".join(
                f"{kind} p50 {_share(values, 0.5):6.2f} p95 {_share(values, 0.95):6.2f}"
                for kind, values in zip(("CPU", "clock"), zip(*times, strict=True), strict=True)
            )
            print(f"{connection.vendor:10} {name:28} {cells} ms")


def measure(vocabulary: Path, *, texts: int) -> dict[str, list[tuple[float, float]]]:
    """(ms of CPU time, ms by the clock) of each query, by method."""
    from django.contrib.auth.models import User
    from django.test import Client, override_settings

    from annotate.actions import tags as tag_actions
    from annotate.actions.vocabulary import import_file
    from annotate.models import Tag, TagAlias
    from annotate.queries.completion import complete
    from annotate.views.names import SHOWN
    from ingest.models import Collection, Episode, Frame, Membership, Role, Source

    import_file(vocabulary)
    user = User.objects.create(username="bench")
    collection = Collection.objects.create(name="bench")
    Membership.objects.create(collection=collection, user=user, role=Role.ADMIN)
    source = Source.objects.create(collection=collection, kind="video", name="a", path="a", sha256="a" * 64)
    episode = Episode.objects.create(collection=collection, source=source, title="a")
    frame = Frame.objects.create(collection=collection, episode=episode, index=0, width=4, height=3)
    words = [f"own_word_{number}" for number in range(OWN_WORDS)]
    tag_actions.add(collection=collection, frames=[frame], names=words, by=user)
    names = list(Tag.objects.order_by("pk").values_list("name", flat=True))
    spellings = list(TagAlias.objects.order_by("pk").values_list("name", flat=True))
    typed = _typed(names, spellings, texts)
    client = Client()
    client.force_login(user)
    times: dict[str, list[tuple[float, float]]] = {"scan": [], "memory": [], "view (memory)": []}
    visible = Tag.objects.visible_in(collection.pk)

    def timed(name: str, work: Any) -> Any:
        clock, processor = time.perf_counter(), time.process_time()
        result = work()
        times[name].append((1000 * (time.process_time() - processor), 1000 * (time.perf_counter() - clock)))
        return result

    began = time.process_time()
    complete(collection, "a", limit=SHOWN)
    print(
        f"{len(names):,} names and {len(spellings):,} aliases read in {time.process_time() - began:.2f} s of CPU time"
    )
    with override_settings(ALLOWED_HOSTS=["testserver"]):
        client.get(f"/c/{collection.pk}/names/tags/", {"q": "a"})
        for text in typed:
            scanned = timed("scan", lambda text=text: list(visible.completing(text)[:SHOWN]))
            matches = timed("memory", lambda text=text: complete(collection, text, limit=SHOWN))
            assert [tag.pk for tag in matches] == [tag.pk for tag in scanned], text
            timed("view (memory)", lambda text=text: client.get(f"/c/{collection.pk}/names/tags/", {"q": text}))
    return times


def _typed(names: list[str], spellings: list[str], texts: int) -> list[str]:
    draw = random.Random(7)
    typed = []
    for number in range(texts):
        name = draw.choice(spellings if number % 4 == 1 else names)
        word = draw.choice(name.split("_")) if number % 4 == 2 else name
        part = word[: draw.randint(1, 8)] or name
        typed.append(part + "qzx" if number % 10 == 3 else part)
    return typed


def _share(values: Any, share: float) -> float:
    ordered = sorted(values)
    return float(ordered[min(len(ordered) - 1, int(share * len(ordered)))])


if __name__ == "__main__":
    main()
