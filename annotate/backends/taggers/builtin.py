"""The built-in head tagger: hair, eyes, hair style, glasses and expression of one head, from the head network."""

from __future__ import annotations

from collections.abc import Sequence

from annotate.backends.contract import ModelInfo, Picture
from annotate.backends.taggers.heads import HeadPlacer, HeadReader
from ingest.errors import BadInput

LENGTHS = frozenset({"short_hair", "medium_hair", "long_hair"})
MOUTHS = frozenset({"open_mouth", "closed_mouth"})


class BuiltinHeadTagger:
    """Tags head crops as returned by `cut_head`; trained on drawings, see the model's card.

    `thresholds` by tag name: a tag is accepted from this score on; tags that the network never predicts reliably are
    left out.
    """

    device = "CPU"

    def __init__(self) -> None:
        """Raises BadInput when a network or its card is missing or damaged."""
        self._placer, self._reader = HeadPlacer(), HeadReader()
        card = self._reader.card
        try:
            self._names = [str(row["name"]) for row in card["tags"]]
            self.thresholds = {
                str(row["name"]): float(row["threshold"]) for row in card["tags"] if float(row["threshold"]) <= 1
            }
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput("heads.json does not list the tags of heads.onnx. Install Koma again.") from error
        self.info = ModelInfo(
            task="tags",
            name=str(card.get("name", "koma-heads")),
            revision=str(card.get("version", "")),
            sha256=self._reader.sha256,
            licence=str(card.get("licence", "")),
        )

    def tag(self, crops: Sequence[Picture]) -> list[dict[str, float]]:
        """Return scores 0 to 1 by tag name per crop, in order; only tags that have a threshold."""
        answers = [self._reader.read(self._placer.settle(crop)).tags for crop in crops]
        return [
            {name: float(score) for name, score in zip(self._names, scores, strict=True) if name in self.thresholds}
            for scores in answers
        ]

    def following(self, scores: dict[str, float]) -> dict[str, float]:
        """Return the tags accepted for one head; of mutually exclusive tags only the one with the best score."""
        passed = {name: score for name, score in scores.items() if score >= self.thresholds.get(name, 2.0)}
        for group in (self._colours("_hair"), self._colours("_eyes"), LENGTHS, MOUTHS):
            group_names = sorted((name for name in passed if name in group), key=lambda name: -passed[name])
            for name in group_names[1:]:
                del passed[name]
        return passed

    def _colours(self, ending: str) -> frozenset[str]:
        return frozenset(name for name in self._names if name.endswith(ending)) - LENGTHS - {"closed_eyes"}
