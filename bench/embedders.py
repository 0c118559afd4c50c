"""How long a comparison of two embedders takes where all faces are described; a section of docs/benchmarks.md.

    python -m bench.embedders [--counts 3000 100000] [--write]

Vectors are drawn, people with near copies; CCIP's metric network is the one of `bench.groups`. Describing is not in it.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.groups import write_ccip
from bench.naming import set_up
from bench.report import table, write

if TYPE_CHECKING:
    from ingest.models import Collection

PEOPLE, NAMED_EVERY, FRAMES_A_SHOT, CHUNK = 60, 20, 6, 2_000
HEADER = ("faces", "compared", "named", "s", "CPU s", "MB above the start", "questions")


def main() -> None:
    """Measure each count in a collection of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[3_000, 100_000])
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        set_up(Path(folder) / "koma")
        rows = [_measured(count, Path(folder)) for count in options.counts]
    text = (
        f"{table(HEADER, rows)}\n\nOf each collection a sample is compared; the rest only costs the query for its keys."
    )
    if options.write:
        write("Two embedders compared", text)
    else:
        print(text)


def _measured(count: int, folder: Path) -> tuple[object, ...]:
    from annotate.backends.embedders.builtin import BuiltinEmbedder
    from annotate.backends.embedders.ccip import CcipEmbedder
    from annotate.evaluation.on_collection import embedders
    from annotate.evaluation.on_collection.progress import Silent

    ccip = CcipEmbedder(write_ccip(folder / f"ccip-{count}"), device="cpu", threads=1)
    builtin = BuiltinEmbedder()
    collection = _faces(count, builtin, ccip)
    before, cpu, wall = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time(), time.perf_counter()
    comparison = embedders.compare(collection, (builtin, ccip), Silent())
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return (
        f"{count:,}", f"{comparison.faces:,}", f"{comparison.named:,}", f"{time.perf_counter() - wall:.1f}",
        f"{time.process_time() - cpu:.1f}", f"{peak:.0f}", len(comparison.questions),
    )  # fmt: skip


def _faces(count: int, builtin: Any, ccip: Any) -> Collection:
    """A collection of `count` faces described by both: the built-in vector on the face, the other beside it."""
    from annotate.actions.model_versions import version_of
    from annotate.backends.embedders.known_embedders import packed
    from annotate.models import Character, Face, FaceVector
    from ingest.models import Collection, Episode, Frame, Shot, Source

    random = np.random.default_rng(0)
    collection = Collection.objects.create(name=f"{count} faces")
    source = Source.objects.create(
        collection=collection, kind="video", name="a.mkv", path=f"{count}", sha256=f"{count}"
    )
    episode = Episode.objects.create(collection=collection, source=source, title="a")
    cast = [Character.objects.create(collection=collection, name=f"Person {index}") for index in range(PEOPLE)]
    versions = [version_of(embedder.info) for embedder in (builtin, ccip)]
    centres = [random.standard_normal((PEOPLE, embedder.length)).astype(np.float32) for embedder in (builtin, ccip)]
    for start in range(0, count, CHUNK):
        places = range(start, min(start + CHUNK, count))
        shots = Shot.objects.bulk_create(
            [
                Shot(episode=episode, index=index, start_s=index, end_s=index + 1)
                for index in places
                if index % FRAMES_A_SHOT == 0
            ]
        )
        frames = Frame.objects.bulk_create(
            [
                Frame(collection=collection, episode=episode, index=index, width=8, height=8,
                      shot=shots[min((index - start) // FRAMES_A_SHOT, len(shots) - 1)])
                for index in places
            ]
        )  # fmt: skip
        who = random.integers(0, PEOPLE, len(frames))
        vectors = [
            0.1
            * (
                model_centres[who]
                + 0.9 * random.standard_normal((len(frames), model_centres.shape[1])).astype(np.float32)
            )
            for model_centres in centres
        ]
        faces = Face.objects.bulk_create(
            [
                Face(
                    collection=collection, frame=frame, left=0.1, top=0.1, right=0.5, bottom=0.5,
                    crop=f"{frame.pk}.jpg",
                    embedding=packed(builtin, vectors[0][index]), embedding_version=versions[0],
                    **({"character": cast[who[index]], "named_by": "person"} if frame.index % NAMED_EVERY == 0 else {}),
                )
                for index, frame in enumerate(frames)
            ]
        )  # fmt: skip
        FaceVector.objects.bulk_create(
            [
                FaceVector(face=face, model_version=versions[1], head=face.crop, data=packed(ccip, vectors[1][index]))
                for index, face in enumerate(faces)
            ]
        )
    return collection


if __name__ == "__main__":
    main()
