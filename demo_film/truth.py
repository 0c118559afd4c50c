"""The ground truth of a drawn film: shots, distinct drawings, transitions and people, stored as JSON next to it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

Box = tuple[float, float, float, float]


@dataclass
class Seen:
    """A person in a drawing. `box`: the face (left, top, right, bottom; 0..1), None if it cannot be seen.

    `name` is empty for extras, whose `key` is extra_N. In a moving drawing `box` is that of the middle frame and
    `boxes` has one entry per frame of the drawing's runs.
    """

    key: str
    name: str
    view: str
    costume: str
    tags: list[str]
    box: Box | None
    boxes: list[Box | None] = field(default_factory=list)


@dataclass
class Drawing:
    """A distinct drawing of one shot; `runs` are the frames [start, end) that show it clean, outside transitions.

    `motion`: held, pan or zoom (one drawing under a moving camera). `repeats`: the id of an equal drawing shown before.
    """

    id: int
    shot: int
    runs: list[tuple[int, int]]
    motion: str
    people: list[Seen]
    repeats: int | None = None

    @property
    def frames(self) -> int:
        """How many clean frames show it."""
        return sum(end - start for start, end in self.runs)


@dataclass
class Shot:
    """Frames [start, end) between two cuts, with its framing and the shot that it repeats, if any."""

    index: int
    start: int
    end: int
    kind: str
    place: str
    tags: list[str]
    part: str
    transition_in: str = "cut"
    transition_out: str = "cut"
    repeats: int | None = None


@dataclass
class Transition:
    """Frames [start, end) that show a fade or a blend of two shots."""

    kind: str
    start: int
    end: int


@dataclass
class Truth:
    """The ground truth of a drawn film."""

    seed: int
    size: tuple[int, int]
    frames: int
    characters: list[dict[str, Any]]
    extras: list[dict[str, Any]]
    shots: list[Shot]
    drawings: list[Drawing]
    transitions: list[Transition]
    fps: tuple[int, int] = (24000, 1001)
    version: int = 1

    def drawing_of_frame(self) -> list[int]:
        """For each frame the id of the drawing it shows, -1 in a transition."""
        out = [-1] * self.frames
        for drawing in self.drawings:
            for start, end in drawing.runs:
                out[start:end] = [drawing.id] * (end - start)
        return out

    def faces_at(self, frame: int) -> list[tuple[Seen, Box]]:
        """The visible faces of a frame with their boxes; none during a transition."""
        for drawing in self.drawings:
            offset = 0
            for start, end in drawing.runs:
                if start <= frame < end:
                    frame_index = offset + frame - start
                    pairs = [(p, p.boxes[frame_index] if p.boxes else p.box) for p in drawing.people]
                    return [(p, b) for p, b in pairs if b is not None]
                offset += end - start
        return []

    def write(self, path: Path) -> None:
        """Writes the JSON (keys as the fields here), boxes to five decimals."""
        path.write_text(json.dumps(_rounded(asdict(self)), ensure_ascii=False) + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    return value


def truth_path(film: Path) -> Path:
    """The path of a film's truth: NAME.truth.json next to it."""
    return film.with_suffix(".truth.json")


def read_truth(path: Path) -> Truth:
    """Reads a truth from its JSON; raises ValueError if it is not of version 1."""
    data = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict) or data.get("version") != 1:
        raise ValueError(f"{path.name} is not the ground truth of a drawn film (version 1).")

    def seen(d: dict[str, Any]) -> Seen:
        box = tuple(d["box"]) if d["box"] else None
        return Seen(**{**d, "box": box, "boxes": [tuple(b) if b else None for b in d["boxes"]]})

    drawings = [
        Drawing(**{**d, "runs": [(a, b) for a, b in d["runs"]], "people": [seen(p) for p in d["people"]]})
        for d in data["drawings"]
    ]
    return Truth(
        **{
            **data,
            "size": tuple(data["size"]),
            "fps": tuple(data["fps"]),
            "shots": [Shot(**s) for s in data["shots"]],
            "drawings": drawings,
            "transitions": [Transition(**t) for t in data["transitions"]],
        }
    )
