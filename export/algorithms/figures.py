"""Figures of a dataset, counted while its items pass by: what a release's page plots and its card states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from export.algorithms.manifest import Author
from export.algorithms.plan import Item

ASPECTS = ((9, 16), (2, 3), (3, 4), (1, 1), (4, 3), (3, 2), (16, 9), (21, 9))
FACE_STEPS = (0, 16, 32, 64, 128, 256, 512)  # pixels of the taller side
SIDE_STEPS = (0, 256, 512, 768, 1024, 1536, 2048)  # pixels of the shorter side
TOKENS = ((0, 25), (25, 50), (50, 75), (75, 150), (150, 225), (225, 0))
TOP = 200  # characters and tags that are kept by name
TOKENS_PER_WORD = 1.4  # estimate for CLIP: tags are often split into two


@dataclass(slots=True)
class Figures:
    """Counts of items by what they show. A crop is a picture of its own."""

    pictures: int = 0
    crops: int = 0
    faces: int = 0
    captions_by_person: int = 0
    empty_captions: int = 0
    characters: Counter[str] = field(default_factory=Counter)
    face_sizes: Counter[str] = field(default_factory=Counter)
    episodes: Counter[str] = field(default_factory=Counter)
    sides: Counter[str] = field(default_factory=Counter)
    aspects: Counter[str] = field(default_factory=Counter)
    tags: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    tag_authors: Counter[str] = field(default_factory=Counter)
    name_authors: Counter[str] = field(default_factory=Counter)
    box_authors: Counter[str] = field(default_factory=Counter)

    def add(self, item: Item) -> None:
        """Count an item."""
        picture = item.picture
        self.pictures += 1
        self.crops += item.crop is not None
        self.faces += len(picture.faces)
        self.captions_by_person += picture.caption is not None
        self.empty_captions += not item.captions
        self.characters.update(picture.names)
        for face in picture.faces:
            self.face_sizes[step(face.height * picture.height, FACE_STEPS)] += 1
            self.box_authors[face.author] += 1
            if face.character:
                self.name_authors[face.name_author] += 1
        self.episodes[" ".join((picture.series, picture.episode)).strip() or picture.image_type] += 1
        self.sides[step(min(picture.width, picture.height), SIDE_STEPS)] += 1
        self.aspects[aspect(picture.width, picture.height)] += 1
        self.tags.update(picture.tags)
        self.tokens[_tokens(estimated_tokens(item.caption))] += 1
        self.splits[item.split or "all"] += 1
        self.types[picture.image_type] += 1
        self.tag_authors.update(label.author for label in picture.labels)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as JSON-ready values; of characters and tags the most frequent, and how many there are."""
        return {
            "pictures": self.pictures,
            "crops": self.crops,
            "faces": self.faces,
            "captions_by_person": self.captions_by_person,
            "empty_captions": self.empty_captions,
            "character_count": len(self.characters),
            "tag_count": len(self.tags),
            "characters": dict(_ordered(self.characters)[:TOP]),
            "tags": dict(_ordered(self.tags)[:TOP]),
            "episodes": dict(sorted(self.episodes.items())),
            "face_sizes": _in_steps(self.face_sizes, FACE_STEPS),
            "sides": _in_steps(self.sides, SIDE_STEPS),
            "aspects": {name: self.aspects[name] for name in map(_ratio, ASPECTS) if self.aspects[name]},
            "tokens": {_range(*pair): self.tokens[_range(*pair)] for pair in TOKENS},
            "splits": dict(sorted(self.splits.items())),
            "types": dict(sorted(self.types.items())),
        }

    def said_by(self, authors: Mapping[str, Author]) -> dict[str, dict[str, int]]:
        """Return how many tags, names and boxes people, models and files said."""
        kinds = {"tags": self.tag_authors, "names": self.name_authors, "boxes": self.box_authors}
        result: dict[str, dict[str, int]] = {}
        for label, counts in kinds.items():
            totals: Counter[str] = Counter()
            for author, count in counts.items():
                totals[authors[author].kind if author in authors else "file"] += count
            result[label] = dict(sorted(totals.items()))
        return result


def step(value: float, steps: tuple[int, ...]) -> str:
    """Return the name of the step that a value lies in: `64-128`, `512+`."""
    below = [edge for edge in steps if edge <= value]
    start = below[-1] if below else steps[0]
    following = [edge for edge in steps if edge > start]
    return _range(start, following[0] if following else 0)


def aspect(width: int, height: int) -> str:
    """Return the nearest of the usual aspect ratios by the ratio's logarithm: `16:9`."""
    ratio = max(width, 1) / max(height, 1)
    return _ratio(min(ASPECTS, key=lambda pair: max(ratio * pair[1] / pair[0], pair[0] / pair[1] / ratio)))


def estimated_tokens(caption: str) -> int:
    """Return an estimate of the CLIP tokens of a caption, without begin and end."""
    words = len(caption.replace(",", " , ").split())
    return round((words - caption.count(",")) * TOKENS_PER_WORD) + caption.count(",")


def _tokens(count: int) -> str:
    return next(_range(low, high) for low, high in TOKENS if count >= low and (count < high or not high))


def _range(low: int, high: int) -> str:
    return f"{low}-{high}" if high else f"{low}+"


def _ratio(pair: tuple[int, int]) -> str:
    return f"{pair[0]}:{pair[1]}"


def _in_steps(counts: Counter[str], steps: tuple[int, ...]) -> dict[str, int]:
    names = [step(edge, steps) for edge in steps]
    return {name: counts[name] for name in names}


def _ordered(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda row: (-row[1], row[0]))


STEP_NAMES = {
    "face_sizes": tuple(step(edge, FACE_STEPS) for edge in FACE_STEPS),
    "sides": tuple(step(edge, SIDE_STEPS) for edge in SIDE_STEPS),
    "tokens": tuple(_range(*pair) for pair in TOKENS),
}
