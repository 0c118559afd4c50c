"""What the suggested names of the faces page cost the server: processor time per question.

    python -m bench.suggestions [--groups 300] [--characters 20] [--faces 100] [--rest 0]

A collection of its own with that many unnamed groups of 8 faces, and characters with so many named faces each. The
vectors are random ones around a middle per character, since only their number and length count. A question is for 60
groups, as the page asks: the first after a name learns anew, the others use what was learned.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ingest.models import Collection

IN_GROUP = 8
IN_PICTURE = 4  # of the other faces
SPREAD = 0.02


def fill(*, groups: int, characters: int, faces: int, rest: int) -> Collection:
    """The collection; `rest` more faces are unnamed and in no group."""
    from annotate.backends.embedders.builtin import LENGTH, BuiltinEmbedder
    from annotate.models import Character, Face, FaceCluster, ModelVersion, NamedBy
    from ingest.models import Collection, Episode, Frame, Source

    random = np.random.default_rng(1)
    collection = Collection.objects.create(name="Suggestions")
    source = Source.objects.create(collection=collection, kind="pictures", name="e", path="x", sha256="x")
    episode = Episode.objects.create(collection=collection, source=source, title="Episode", number="1")
    version = ModelVersion.objects.create(task="embedding", name="builtin", revision="bench")
    middles = random.normal(0.1, 0.1, (characters, LENGTH))
    people = [Character.objects.create(collection=collection, name=f"Character {n}") for n in range(characters)]

    def vector(person: int) -> bytes:
        return BuiltinEmbedder.pack((middles[person] + random.normal(0, SPREAD, LENGTH)).astype(np.float32))

    def frame(number: int) -> Frame:
        return Frame.objects.create(
            collection=collection, episode=episode, index=number, time_s=number, width=96, height=96
        )

    rows = []
    for person in range(characters):
        picture = frame(person)
        rows += [
            Face(
                collection=collection, frame=picture, left=0, top=n / faces, right=1, bottom=(n + 1) / faces,
                character=people[person], named_by=NamedBy.PERSON, embedding=vector(person), embedding_version=version,
            )
            for n in range(faces)
        ]  # fmt: skip
    for number in range(groups):
        cluster = FaceCluster.objects.create(collection=collection, number=number, size=IN_GROUP, purity=0.9)
        for n in range(IN_GROUP):
            rows.append(
                Face(
                    collection=collection, frame=frame(1000 + IN_GROUP * number + n), left=0, top=0, right=1, bottom=1,
                    cluster=cluster, embedding=vector(number % characters), embedding_version=version,
                )
            )  # fmt: skip
    alike = vector(0)
    first = 1000 + IN_GROUP * groups
    for number in range(first, first + rest // IN_PICTURE + 1):
        picture = frame(number)
        rows += [
            Face(
                collection=collection, frame=picture, left=n / IN_PICTURE, top=0, right=(n + 1) / IN_PICTURE, bottom=1,
                embedding=alike, embedding_version=version,
            )
            for n in range(IN_PICTURE)
        ]  # fmt: skip
    Face.objects.bulk_create(rows, batch_size=500)
    return collection


def timed(work: Callable[[], object]) -> str:
    """Processor time of all threads of this process, and time by the clock."""
    cpu, clock = time.process_time(), time.perf_counter()
    work()
    return (
        f"{1000 * (time.process_time() - cpu):.0f} ms of the processor, {1000 * (time.perf_counter() - clock):.0f} ms"
    )


def main() -> None:
    """Fill, ask, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--groups", type=int, default=300)
    options.add_argument("--characters", type=int, default=20)
    options.add_argument("--faces", type=int, default=100, help="named, per character")
    options.add_argument("--rest", type=int, default=0, help="more unnamed faces")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="koma-suggestions-") as folder:
        os.environ |= {"KOMA_DATA_DIR": folder, "DEBUG": "off", "DJANGO_SETTINGS_MODULE": "project.settings"}
        os.environ["DATABASE_URL"] = f"sqlite:///{Path(folder) / 'koma.sqlite3'}"
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        from annotate.actions import clusters
        from annotate.models import FaceCluster
        from annotate.naming.suggestions import CLUSTERS_MAX, suggest

        collection = fill(groups=chosen.groups, characters=chosen.characters, faces=chosen.faces, rest=chosen.rest)
        keys = list(FaceCluster.objects.order_by("number").values_list("pk", flat=True))
        suggest(collection, clusters=keys[:1], faces=[])  # imports, and the sample of unnamed faces
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        clusters.name(collection=collection, cluster=keys[0], character="Character 0", by=None)
        parts = [keys[start : start + CLUSTERS_MAX] for start in range(0, len(keys), CLUSTERS_MAX)]
        print(f"First question after a name: {timed(lambda: suggest(collection, clusters=parts[0], faces=[]))}")
        print(f"The same again: {timed(lambda: suggest(collection, clusters=parts[0], faces=[]))}")
        everything = timed(lambda: [suggest(collection, clusters=part, faces=[]) for part in parts])
        print(f"All {len(keys)} groups in {len(parts)} questions: {everything}")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"Memory beyond that of the first question: {(peak - before) / 1000:.0f} MB")


if __name__ == "__main__":
    main()
