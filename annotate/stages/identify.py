"""Names faces across the collection from the few that people or files named; "unknown" is a valid result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from annotate.actions.frame_names import faces_of, stored
from annotate.actions.model_versions import version_of
from annotate.algorithms import identity, matching
from annotate.algorithms.name_evidence import TAGGER, Named, named_faces
from annotate.backends.embedders.known_embedders import DifferenceEmbedder, attentive, unpack_of
from annotate.chosen_models.embedder import embedder_of
from annotate.models import Face, FaceCluster, FaceState, FrameCharacter, NamedBy, ReferencePicture, TagState
from annotate.stages import vectors
from annotate.stages.known_faces import KnownFaces
from annotate.tagging import colour_votes, from_pixels
from ingest.pipeline.contract import Context, Stage

WRITE = 400  # faces per UPDATE
BACKGROUND_MAX = 4000  # unnamed faces used as background, the average face
Model = matching.FewShotModel | KnownFaces
KNOWN = (NamedBy.PERSON, NamedBy.FILE, NamedBy.COPY)  # origins whose names stay and serve as examples
DIGITS = 3  # of a stored confidence: smaller differences are noise and must not change rows


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
        self.embedder, self.unpack = attentive(embedder, lambda: ctx.alive()), unpack_of(embedder)
        self.version = version_of(embedder.info)
        ctx.device = embedder.device

    def batches(self) -> Iterator[None]:
        self.ctx.start_over()
        self.ctx.total = vectors.described(self.ctx.collection, self.version).count()
        if self.ctx.total:
            yield None

    def work(self, batch: None) -> Result:
        fields = ("pk", "frame_id", "cluster_id", "state", "named_by", "character_id", "confidence", "version",
                  "not_characters")  # fmt: skip
        rows = list(vectors.described(self.ctx.collection, self.version).values(*fields))
        # "Not in the cast" is a person's label too: such faces are examples of unknown, never named.
        open_faces = [row for row in rows if row["state"] == FaceState.FACE]
        model = self._learn(rows)
        if model is None:
            return self._nothing_named(open_faces)
        known = np.full(len(open_faces), identity.UNKNOWN, np.int64)
        column = {int(label): column_index for column_index, label in enumerate(model.labels)}
        ruled_out: dict[int, list[int]] = {}
        only = self._names_by_files(open_faces)
        for column_index, row in enumerate(open_faces):
            if row["named_by"] in KNOWN and row["character_id"] in column:
                known[column_index] = column[row["character_id"]]
            denied = [column[key] for key in row["not_characters"] if key in column]
            if row["frame_id"] in only and known[column_index] == identity.UNKNOWN:
                denied += [place for key, place in column.items() if key not in only[row["frame_id"]]]
            if denied:
                ruled_out[column_index] = denied
        keys = [row["pk"] for row in open_faces]
        identities = identity.decide(
            self._likeness(model, keys),
            track=self._tracks(keys) if keys else None,
            cluster=np.array([row["cluster_id"] or -1 for row in open_faces], np.int64),
            picture=np.array([row["frame_id"] for row in open_faces], np.int64),
            known=known,
            ruled_out=ruled_out,
            confidence_min=self.params.confidence_min,
        )
        answers = []
        for row, person, confidence in zip(open_faces, identities.person, identities.confidence):
            who = None if person == identity.UNKNOWN else int(model.labels[person])
            answers += _changed(row, who, round(float(confidence), DIGITS) if who is not None else None)
        return Result(answers, _guesses(open_faces, identities, model), len(rows))

    def _names_by_files(self, open_faces: list[dict[str, Any]]) -> dict[int, set[int]]:
        """Return the possible characters by frame key, where files or people name at least as many as there are
        faces."""
        faces = Counter(row["frame_id"] for row in open_faces)
        names: dict[int, set[int]] = {}
        rows = FrameCharacter.objects.filter(frame__collection=self.ctx.collection).exclude(origin=TAGGER)
        for frame, character in rows.filter(state=TagState.YES).values_list("frame_id", "character_id").order_by():
            names.setdefault(frame, set()).add(character)
        return {frame: people for frame, people in names.items() if len(people) >= faces[frame]}

    def _tracks(self, keys: list[int]) -> npt.NDArray[np.int64]:
        if isinstance(self.embedder, DifferenceEmbedder):
            half = vectors.half_vectors_of(keys, self.embedder, self.unpack)
            none = np.zeros((0, 0), np.float32)
            return vectors.tracks_of(keys, none, distances=vectors.distances_by(self.embedder, half))
        projection = vectors.projection_of(keys, self.unpack)
        return vectors.tracks_of(keys, vectors.points_of(keys, projection, self.unpack))

    def _learn(self, rows: list[dict[str, Any]]) -> Model | None:
        """Build the model from named faces and reference pictures; None when nothing is named."""
        named = [row for row in rows if row["named_by"] in KNOWN and row["character_id"] is not None]
        pictures = list(
            ReferencePicture.objects.filter(
                collection=self.ctx.collection, embedding__isnull=False, embedding_version=self.version
            )
            .order_by("pk")
            .values_list("character_id", "embedding")
        )
        if not named and not pictures:
            return None
        labels = np.array([row["character_id"] for row in named], np.int64)
        chosen = matching.evenly(labels)
        features = [vectors.vectors_of([named[index]["pk"] for index in chosen], self.unpack)] if len(chosen) else []
        owners = [labels[chosen]] if len(chosen) else []
        if pictures:
            features.append(self.unpack([data or b"" for _, data in pictures]))
            owners.append(np.array([of for of, _ in pictures], np.int64))
        if isinstance(self.embedder, DifferenceEmbedder):
            return KnownFaces.of(np.concatenate(features), np.concatenate(owners), self.embedder)
        rest = [row["pk"] for row in rows if row["named_by"] not in KNOWN or row["character_id"] is None]
        places = np.unique(np.linspace(0, len(rest) - 1, min(len(rest), BACKGROUND_MAX)).round().astype(int))
        background = vectors.vectors_of([rest[place] for place in places], self.unpack) if rest else None
        return matching.fit(np.concatenate(features), np.concatenate(owners), background=background)

    def _likeness(self, model: Model, keys: list[int]) -> npt.NDArray[np.float32]:
        out = np.zeros((len(keys), len(model.labels)), np.float32)
        for places, features in vectors.chunks(keys, self.unpack):
            if isinstance(model, KnownFaces):
                out[places] = model.likeness(features)
            else:
                out[places] = matching.likeness(model, features)
        return out

    def _nothing_named(self, open_faces: list[dict[str, Any]]) -> Result:
        """Remove names given by models, since the names they were based on are gone."""
        answers = [answer for row in open_faces for answer in _changed(row, None, None)]
        return Result(
            answers, {row["cluster_id"]: (None, None) for row in open_faces if row["cluster_id"]}, len(open_faces)
        )

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


def _guesses(
    open_faces: list[dict[str, Any]], identities: identity.Identities, model: Model
) -> dict[int, tuple[int | None, float | None]]:
    """Return, per cluster, the character of most of its faces with their share; None where most are unknown."""
    votes: dict[int, list[int]] = {}
    for row, person in zip(open_faces, identities.person):
        if row["cluster_id"]:
            votes.setdefault(row["cluster_id"], []).append(int(person))
    guesses: dict[int, tuple[int | None, float | None]] = {}
    for cluster, people in votes.items():
        values, counts = np.unique(people, return_counts=True)
        best = int(counts.argmax())
        share = round(float(counts[best]) / len(people), DIGITS)
        person = int(values[best])
        guesses[cluster] = (None, None) if person == identity.UNKNOWN else (int(model.labels[person]), share)
    return guesses
