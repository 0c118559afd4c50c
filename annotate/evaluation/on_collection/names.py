"""Names for all faces without one, compared with the named ones: what the stage Name faces would say, not written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from annotate.backends.embedders.known_embedders import Comparison
from annotate.evaluation.on_collection.progress import Progress
from annotate.evaluation.scores import Scores
from annotate.models import FaceCluster, ModelVersion
from annotate.naming import vectors
from annotate.naming.identification import identify
from annotate.queries.figures import CLUSTER_MIN
from ingest import humane
from ingest.errors import BadInput
from ingest.models import Collection

FACES_MAX = 10_000  # the surest: as many as one operation names, and one undo takes back, within seconds
NOTHING = "Name some faces first: others are compared with them."


@dataclass(frozen=True, slots=True)
class ProposedNames(Scores):
    """`names`: (face, its version, its group or 0, character, confidence) by key, the least sure first.

    `more`: faces beyond FACES_MAX that would also be named; `unknown`: those that resemble nobody.
    """

    names: tuple[tuple[int, int, int, int, float], ...]
    more: int
    unknown: int

    def lines(self) -> list[str]:
        people = Counter(character for *_, character, _ in self.names)
        return [
            f"{humane.count(len(self.names) + self.more, 'face')} of {humane.count(len(people), 'character')}, "
            f"{self.unknown:,} unknown"
        ]


def propose(collection: Collection, comparison: Comparison, progress: Progress) -> ProposedNames:
    """Compare all faces, as the stage does with its default thresholds. Raises BadInput where nobody has a name."""
    versions = ModelVersion.objects.filter(task="embedding", name=comparison.name).order_by("-pk")
    version = next((row for row in versions if vectors.described(collection, row).exists()), None)
    if version is None:
        raise BadInput("No face was analyzed by the chosen recognition model. Start a run first.")
    progress.expect(vectors.described(collection, version).count())
    identified = identify(collection, comparison, version, on_progress=progress.step)
    if identified.identities is None:
        raise BadInput(NOTHING)
    groups = set(FaceCluster.objects.filter(collection=collection, size__gte=CLUSTER_MIN).values_list("pk", flat=True))
    names, unknown = [], 0
    for row, who, confidence in identified.answers():
        if row["character_id"] is not None:
            continue
        if who is None or confidence is None:
            unknown += 1
        else:
            group = row["cluster_id"] if row["cluster_id"] in groups else 0
            names.append((row["pk"], row["version"], group, who, confidence))
    names.sort(key=lambda name: (name[-1], name[0]))
    more = max(0, len(names) - FACES_MAX)
    return ProposedNames(names=tuple(names[more:]), more=more, unknown=unknown)
