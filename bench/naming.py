"""python -m bench.naming SEED... [--write]: how many faces of drawn episodes get the right name from one named cluster
per character.

Each seed is an episode with a cast of its own. It goes through all stages as in the application. Then the largest
cluster of each character is named as a person does it on the faces page (the faces that are somebody else are clicked
out first), the stages run again, and the film's truth says who was named rightly and which extras stayed unknown.
"""

from __future__ import annotations

import argparse
import os
import secrets
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.report import table, write
from demo_film.film import draw_episode
from demo_film.truth import Seen, Truth, read_truth, truth_path

if TYPE_CHECKING:
    from annotate.models import Face
    from ingest.models import Collection

SAME = 0.3  # overlap of a found box with the drawn one
HEADER = (
    "seed", "characters named", "faces right", "of them not named by hand", "wrong name", "left unknown",
    "extras unknown", "false finds unknown", "clusters", "purity",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Identified:
    """Key of the person whom a face shows ("" a false find) and whether that is one of the named characters."""

    key: str
    named: bool


def set_up(folder: Path) -> None:
    """Let Koma live in `folder`, which is made, with a fresh SQLite."""
    folder.mkdir(parents=True)
    for name in [name for name in os.environ if name.startswith("KOMA_") and name != "KOMA_TEST_DATA"]:
        del os.environ[name]
    os.environ |= {"KOMA_DATA_DIR": str(folder), "KOMA_DISK_RESERVE_BYTES": "0", "SECRET_KEY": secrets.token_hex(40)}
    os.environ |= {"DATABASE_URL": "", "DJANGO_SETTINGS_MODULE": "project.settings", "DEBUG": "0"}
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0, interactive=False)


def film_of(folder: Path, seed: int) -> Path:
    """The drawn episode of a seed; drawn when it is not there yet."""
    path = folder / f"s{seed}.mp4"
    if not truth_path(path).exists():
        draw_episode(path, seed=seed)
    return path


def run_all(film: Path, seed: int) -> Collection:
    """A collection with the episode, through all stages."""
    from ingest.actions import collections, runs, sources

    collection = collections.create(name=f"Seed {seed}", by=None)
    episode = sources.register(collection=collection, path=film.absolute(), by=None)
    done = runs.run_here(runs.start(collection=collection, episodes=[episode], by=None))
    failed = [f"{row.stage}: {row.error}" for row in done.stages.exclude(error="")]
    if failed:
        raise SystemExit(f"seed {seed}: " + "; ".join(failed))
    return collection


def who_is_who(collection: Collection, truth: Truth) -> dict[int, Identified]:
    """Whom each found face shows, by the face's key; faces in fades and blends are left out."""
    from annotate.models import Face

    identified: dict[int, Identified] = {}
    for face in Face.objects.real().filter(collection=collection, frame__state="kept").select_related("frame"):
        first, count = face.frame.index, face.frame.run_length
        drawings = truth.drawing_of_frame()
        clean = next((frame for frame in range(first, first + count) if drawings[frame] >= 0), None)
        if clean is not None:
            identified[face.pk] = _identify(face, truth.faces_at(clean))
    return identified


def _identify(face: Face, people: list[tuple[Seen, tuple[float, float, float, float]]]) -> Identified:
    from annotate.algorithms.boxes import iou

    if not people:
        return Identified("", named=False)
    face_box = np.array([[face.left, face.top, face.right, face.bottom]], np.float32)
    overlap = iou(face_box, np.array([box for _, box in people], np.float32))[0]
    best = int(overlap.argmax())
    if overlap[best] < SAME:
        return Identified("", named=False)
    return Identified(people[best][0].key, named=bool(people[best][0].name))


def name_clusters(collection: Collection, identified: dict[int, Identified]) -> dict[str, int]:
    """Name the largest cluster of each character; returns the row key of each named character."""
    from annotate.actions import characters, clusters
    from annotate.models import FaceCluster
    from ingest.actions import runs

    keys: dict[str, int] = {}
    for cluster in FaceCluster.objects.filter(collection=collection).order_by("-size", "number"):
        members = [pk for pk in cluster.faces.values_list("pk", flat=True) if pk in identified]
        most_common = Counter(identified[pk] for pk in members).most_common(1)
        if not most_common or not most_common[0][0].named or most_common[0][0].key in keys:
            continue
        who = most_common[0][0].key
        character = characters.create(collection=collection, name=who, by=None)
        keys[who] = character.pk
        others = [pk for pk in members if identified[pk].key != who]
        clusters.name(collection=collection, cluster=cluster, character=character, by=None, taken_out=others)
    episodes = list(collection.episodes.all())
    runs.run_here(runs.start(collection=collection, episodes=episodes, by=None, stage_names=["cluster", "identify"]))
    return keys


def score(collection: Collection, truth: Truth, seed: int) -> tuple[object, ...]:
    """One row of the table."""
    from annotate.models import Face, FaceCluster, NamedBy

    identified = who_is_who(collection, truth)
    groups: dict[int, Counter[str]] = {}
    for pk, cluster in Face.objects.filter(pk__in=identified).values_list("pk", "cluster_id"):
        groups.setdefault(cluster, Counter())[identified[pk].key] += 1
    pure = sum(max(group.values()) for group in groups.values())
    clusters = FaceCluster.objects.filter(collection=collection).count()
    keys = name_clusters(collection, identified)
    answers = {
        pk: (who, by)
        for pk, who, by in Face.objects.filter(pk__in=identified).values_list("pk", "character_id", "named_by")
    }
    cast = [pk for pk in identified if identified[pk].named]
    extras = [pk for pk in identified if identified[pk].key and not identified[pk].named]
    false = [pk for pk in identified if not identified[pk].key]
    right = {pk for pk in cast if answers[pk][0] == keys.get(identified[pk].key, -1)}
    by_model = [pk for pk in cast if answers[pk][1] != NamedBy.PERSON]
    unknown = {pk for pk in identified if answers[pk][0] is None}
    wrong = len(cast) - len(right) - len(unknown.intersection(cast))
    return (
        seed,
        f"{len(keys)} of {len({identified[pk].key for pk in cast})}",
        _share(len(right), len(cast)),
        _share(len(right.intersection(by_model)), len(by_model)),
        _share(wrong, len(cast)),
        _share(len(unknown.intersection(cast)), len(cast)),
        _share(len(unknown.intersection(extras)), len(extras)),
        _share(len(unknown.intersection(false)), len(false)),
        clusters,
        _share(pure, len(identified)),
    )


def _share(part: int, total: int) -> str:
    return f"{part} of {total} ({part / total:.1%})" if total else "none"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", nargs="+", type=int)
    parser.add_argument("--films", type=Path, help="folder with films of earlier calls")
    parser.add_argument("--note", default="", help="a sentence under the table")
    parser.add_argument("--section", default="Characters: naming of drawn episodes")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        set_up(Path(place) / "koma")
        films = options.films or Path(place)
        rows = []
        for seed in options.seeds:
            film = film_of(films, seed)
            rows.append(score(run_all(film, seed), read_truth(truth_path(film)), seed))
            print(table(HEADER, rows), flush=True)
    if options.write:
        about = "One cluster of each character named by hand, everything else by the application. Goal: 90 % of faces "
        about += "right, 80 % of unnamed extras unknown."
        write(options.section, "\n\n".join(filter(None, [about, table(HEADER, rows), options.note])))


if __name__ == "__main__":
    main()
