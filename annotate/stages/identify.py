"""Names faces across the collection from the few that people or files named; "unknown" is a valid result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from annotate.actions.frame_names import faces_of, stored
from annotate.actions.model_versions import version_of
from annotate.algorithms import identity
from annotate.algorithms.name_evidence import TAGGER, Named, named_faces
from annotate.backends.embedders.known_embedders import attentive, comparison_by
from annotate.chosen_models.embedder import embedder_of
from annotate.models import Face, FaceCluster, FaceState, NamedBy
from annotate.naming import vectors
from annotate.naming.identification import DIGITS, KNOWN, Identified, identify
from annotate.tagging import colour_votes, from_pixels
from ingest.pipeline.contract import Context, Stage

WRITE = 400  # faces per UPDATE


@dataclass(slots=True)
class IdentifyParams:
    """`confidence_min`: below it a face stays unknown."""

    confidence_min: float = field(
        default=identity.CONFIDENCE_MIN,
        metadata={"label": "Minimum confidence", "help": "0 to 1; faces below it stay unnamed"},
    )

    def __post_init__(self) -> None:
        if not 0 < self.confidence_min < 1:
            raise ValueError(f"confidence_min must be between 0 and 1, not {self.confidence_min}")


@dataclass(frozen=True, slots=True)
class Answer:
    """A face's new character (None: unknown) and confidence, and the row version that was read."""

    face: int
    version: int
    character: int | None
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Result:
    """Answers that differ from the rows, suggestions by cluster (character, score), and the number of faces."""

    answers: list[Answer]
    guesses: dict[int, tuple[int | None, float | None]]
    seen: int


class Identify(Stage[None, Result]):
    """One batch: who is who depends on all named faces at once."""

    name: ClassVar[str] = "identify"
    label: ClassVar[str] = "Name faces"
    about: ClassVar[str] = "Names faces by comparison with faces named by people."
    queue: ClassVar[str] = "cpu"
    per_episode: ClassVar[bool] = False
    params_type: ClassVar[type] = IdentifyParams

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self.params: IdentifyParams = ctx.params
        embedder = embedder_of(ctx.collection, models=ctx.models)
        self.is_enabled = embedder is not None
        if embedder is None:
            return
        self.comparison = comparison_by(attentive(embedder, lambda: ctx.alive()))
        self.version = version_of(embedder.info)
        ctx.device = embedder.device

    def batches(self) -> Iterator[None]:
        self.ctx.start_over()
        self.ctx.total = vectors.described(self.ctx.collection, self.version).count()
        if self.ctx.total:
            yield None

    def work(self, batch: None) -> Result:
        identified = identify(
            self.ctx.collection, self.comparison, self.version, confidence_min=self.params.confidence_min
        )
        answers = [answer for entry in identified.answers() for answer in _changed(*entry)]
        guesses = _guesses(identified)
        if identified.identities is None:
            # Names given by models go, since the names they were based on are gone.
            return Result(answers, guesses, len(identified.faces))
        return Result(answers, guesses, identified.compared)

    def save(self, result: Result) -> int:
        for start in range(0, len(result.answers), WRITE):
            part = {answer.face: answer for answer in result.answers[start : start + WRITE]}
            faces = Face.objects.select_for_update().filter(pk__in=part, state=FaceState.FACE).order_by("pk")
            # Locked and checked again: a person's change since the batch was read takes precedence.
            rows = [face for face in faces.exclude(named_by=NamedBy.PERSON) if face.version == part[face.pk].version]
            names_by_taggers = _names_by_taggers(face.frame_id for face in rows if part[face.pk].character is None)
            for face in rows:
                answer = part[face.pk]
                face.character_id, face.confidence = answer.character, answer.confidence
                face.named_by = NamedBy.NONE if answer.character is None else NamedBy.MODEL
                if answer.character is None and (name := names_by_taggers.get(face.pk)):
                    face.character_id, face.confidence, face.named_by = name.character, name.score, NamedBy.TAGGER
            Face.objects.bulk_update(rows, ["character", "confidence", "named_by"])
        for key, (who, score) in result.guesses.items():
            FaceCluster.objects.filter(pk=key).exclude(guess=who, guess_score=score).update(
                guess=who, guess_score=score
            )
        self.ctx.count("changed", len(result.answers))
        self.ctx.count("named", sum(answer.character is not None for answer in result.answers))
        return result.seen

    def finish(self) -> None:
        colour_votes.settle(self.ctx.frames(), from_pixels.scored_version().version)


def _changed(row: dict[str, Any], who: int | None, confidence: float | None) -> list[Answer]:
    """Return the answer if it differs from the row; never for names by people or files. A tagger's name stays where
    similarity gives no result."""
    if row["named_by"] in KNOWN or (row["character_id"], row["confidence"]) == (who, confidence):
        return []
    if row["named_by"] == NamedBy.TAGGER and who is None:
        return []
    return [Answer(row["pk"], row["version"], who, confidence)]


def _names_by_taggers(frames: Iterable[int]) -> dict[int, Named]:
    """Return the faces of these frames that a tagger's tags name unambiguously, by face key."""
    keys = set(frames)
    names, faces = stored(keys), faces_of(keys)
    names_by_face: dict[int, Named] = {}
    for frame, evidence in names.items():
        names_by_face |= named_faces(evidence, faces.get(frame, []))
    return {face: name for face, name in names_by_face.items() if name.origin == TAGGER}


def _guesses(identified: Identified) -> dict[int, tuple[int | None, float | None]]:
    """Return, per cluster, the character of most of its faces with their share; None where most are unknown."""
    votes: dict[int, Counter[int | None]] = {}
    for row, who, _ in identified.answers():
        if row["cluster_id"]:
            votes.setdefault(row["cluster_id"], Counter())[who] += 1
    guesses: dict[int, tuple[int | None, float | None]] = {}
    for cluster, people in votes.items():
        # Of two as frequent ones nobody, then the older character.
        who, count = min(people.items(), key=lambda entry: (-entry[1], -1 if entry[0] is None else entry[0]))
        guesses[cluster] = (None, None) if who is None else (who, round(count / people.total(), DIGITS))
    return guesses
