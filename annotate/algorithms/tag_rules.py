"""Acceptance rules for scored labels: thresholds by category, largest gap, ladders, implications, spelling. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

GENERAL_THRESHOLD = 0.35
CHARACTER_THRESHOLD = 0.85
CHARACTER_MCUT_MIN = 0.15
# Danbooru's categories: tags of these keep their name. Labels of others become meta tags, "category:name".
PLAIN = ("general", "artist", "copyright", "character", "meta")
Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Label:
    """One output of a tagger or a classifier: its name with underscores and its category; a nameless one is skipped."""

    name: str
    category: str  # general, character, copyright, artist, meta, rating, or a classifier's own ("class", "aesthetic")


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules that accept labels by their scores.

    `thresholds` by category: a label follows when its score is greater (with `inclusive`: or equal); a category that
    is not named gives nothing. `own` overrides by label name. `one_of`: categories of which the best label alone
    follows. `mcut`: categories that take the largest gap of each picture's scores, at least `mcut_floor`, instead.
    `ladders`: categories whose one score is a height; the highest step (least, name) that it reaches follows.
    `implies`: labels of the category copyright that follow from a label by its name, with its score.
    """

    thresholds: Mapping[str, float] = field(default_factory=dict)
    label_thresholds: Mapping[str, float] = field(default_factory=dict)
    one_of: frozenset[str] = frozenset()
    mcut: frozenset[str] = frozenset()
    mcut_floor: Mapping[str, float] = field(default_factory=dict)
    inclusive: bool = False
    ladders: Mapping[str, tuple[tuple[float, str], ...]] = field(default_factory=dict)
    implies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def changed(self, *, thresholds: Mapping[str, float | None], mcut: bool = False) -> Rules:
        """These rules with other thresholds (None: the model's own) of its categories; with `mcut` gaps instead."""
        changed_values = {
            name: value for name, value in thresholds.items() if value is not None and name in self.thresholds
        }
        gaps = frozenset(name for name in ("general", "character") if name in self.thresholds) if mcut else self.mcut
        # A threshold that a person asked for is for all labels of the category.
        label_thresholds = {} if changed_values else self.label_thresholds
        return replace(
            self, thresholds={**self.thresholds, **changed_values}, label_thresholds=label_thresholds, mcut=gaps
        )

    def cache_key(self) -> str:
        """Short words that differ where thresholds do."""
        parts = [f"{name}={value:g}" for name, value in sorted(self.thresholds.items())]
        parts += [f"{name}=mcut" for name in sorted(self.mcut)]
        if self.label_thresholds:
            parts.append("own")
        parts += [
            f"{name}={','.join(f'{threshold:g}' for threshold, _ in steps)}"
            for name, steps in sorted(self.ladders.items())
        ]
        return " ".join(parts)

    def as_json(self) -> dict[str, Any]:
        """For a JSON column; `from_json` gives the same rules back."""
        return {
            "thresholds": dict(self.thresholds),
            "own": dict(self.label_thresholds),
            "one_of": sorted(self.one_of),
            "mcut": sorted(self.mcut),
            "mcut_floor": dict(self.mcut_floor),
            "inclusive": self.inclusive,
            "ladders": {name: [list(step) for step in steps] for name, steps in self.ladders.items()},
            "implies": {name: list(names) for name, names in self.implies.items()},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Rules:
        """Rules as `as_json` wrote them; what is missing is empty."""
        return cls(
            thresholds=dict(values.get("thresholds", {})),
            label_thresholds=dict(values.get("own", {})),
            one_of=frozenset(values.get("one_of", ())),
            mcut=frozenset(values.get("mcut", ())),
            mcut_floor=dict(values.get("mcut_floor", {})),
            inclusive=bool(values.get("inclusive", False)),
            ladders={n: tuple((float(a), str(b)) for a, b in steps) for n, steps in values.get("ladders", {}).items()},
            implies={name: tuple(names) for name, names in values.get("implies", {}).items()},
        )


class AcceptedTags:
    """Labels and rules of one model, prepared for many pictures."""

    def __init__(self, labels: Sequence[Label], rules: Rules) -> None:
        self.labels, self.rules = tuple(labels), rules
        places: dict[str, list[int]] = {}
        for place, label in enumerate(self.labels):
            if label.name:
                places.setdefault(label.category, []).append(place)
        self._places = {category: np.array(rows, np.int64) for category, rows in places.items()}
        self._thresholds_by_category = {
            category: self._thresholds(category, rows) for category, rows in self._places.items()
        }

    def accepted(self, scores: Scores) -> list[tuple[Label, float]]:
        """Return the labels accepted from scores [labels], best first per category, categories in order of first
        label."""
        tags: list[tuple[Label, float]] = []
        for category, rows in self._places.items():
            category_scores = scores[rows]
            if category in self.rules.ladders:
                tags += self._step(category, float(category_scores[0]))
            elif category in self.rules.one_of:
                best = int(category_scores.argmax())
                tags.append((self.labels[rows[best]], float(category_scores[best])))
            else:
                thresholds = self._thresholds_by_category[category]
                if category in self.rules.mcut:
                    thresholds = np.array(max(self.rules.mcut_floor.get(category, 0.0), mcut(category_scores)))
                wide = category_scores.astype(np.float64)
                passed = np.flatnonzero(wide >= thresholds if self.rules.inclusive else wide > thresholds)
                # Few of thousands pass: only these are sorted and become Python objects.
                for position in passed[np.argsort(-category_scores[passed], kind="stable")]:
                    tags.append((self.labels[rows[position]], float(category_scores[position])))
        return tags + self._implied(tags)

    def worth(self, scores: Scores, *, floor: float) -> Scores:
        """The scores [labels] without those that no rule will ask for."""
        return np.where(self.above_floor(scores[None], floor=floor)[0], scores, np.float32(0)).astype(np.float32)

    def above_floor(self, scores: Scores, *, floor: float) -> npt.NDArray[np.bool_]:
        """Of scores [n, labels] those that a rule may ask for: that reach the floor.

        All of a category of which the best follows stay; of others also the best one below the floor, so that the
        largest gap is found as in the whole list as long as it is at least as wide as the floor is high.
        """
        is_above = scores >= floor
        low = np.where(is_above, np.float32(-1), scores)
        for category, rows in self._places.items():
            # Most lists hold a category in one piece, which is looked at without being copied.
            span = slice(int(rows[0]), int(rows[-1]) + 1) if rows[-1] - rows[0] == len(rows) - 1 else rows
            if category in self.rules.one_of or category in self.rules.ladders:
                is_above[:, span] = True
            else:
                is_above[np.arange(len(scores)), rows[low[:, span].argmax(axis=1)]] = True
        return is_above

    def _thresholds(self, category: str, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        common = self.rules.thresholds.get(category, np.inf)
        if not self.rules.label_thresholds:
            return np.asarray(common, np.float64)
        return np.array([self.rules.label_thresholds.get(self.labels[row].name, common) for row in rows], np.float64)

    def _step(self, category: str, height: float) -> list[tuple[Label, float]]:
        steps = sorted(self.rules.ladders[category], reverse=True)
        name = next((name for threshold, name in steps if height >= threshold), "")
        return [(Label(name, category), height)] if name else []

    def _implied(self, tags: Sequence[tuple[Label, float]]) -> list[tuple[Label, float]]:
        best: dict[str, float] = {}
        for label, score in tags:
            for name in self.rules.implies.get(label.name, ()):
                best[name] = max(best.get(name, 0.0), score)
        names = {label.name for label, _ in tags}
        ordered = sorted(best.items(), key=lambda item: (-item[1], item[0]))
        return [(Label(name, "copyright"), score) for name, score in ordered if name not in names]


def following(scores: Scores, labels: Sequence[Label], rules: Rules) -> list[tuple[Label, float]]:
    """What `AcceptedTags.accepted` says, for a single picture."""
    return AcceptedTags(labels, rules).accepted(scores)


def tag_name(label: Label) -> str:
    """The tag that a label means: its own name, or "class:comic", "rating:general" outside Danbooru's categories."""
    return label.name if label.category in PLAIN else f"{label.category}:{label.name}"


def mcut(scores: npt.ArrayLike) -> float:
    """Maximum cut: the middle of the largest gap between neighbours of the sorted scores.

    Largeron, Moulin, Gery: MCut, a thresholding strategy for multi-label classification, 2012. Fewer than two scores
    have no gap: 0.0. Of equal gaps the one of the higher scores is taken.
    """
    ordered = np.sort(np.asarray(scores, np.float64))[::-1]
    if len(ordered) < 2:
        return 0.0
    gaps = ordered[:-1] - ordered[1:]
    widest_gap = int(gaps.argmax())
    return float((ordered[widest_gap] + ordered[widest_gap + 1]) / 2)
