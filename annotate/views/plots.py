"""Plots of measurements as data for a template that draws SVG: bars, and lines in a unit square. No colours here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import log

from annotate.models import Evaluation
from ingest import humane

WIDE, HIGH = 480, 220  # of a line plot, in its own units


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its words, its length 0 to 1, what stands beside it."""

    label: str
    share: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a plot: SVG points, and its ends' words."""

    label: str
    points: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A titled group of bars, or lines over `ticks` (x in the plot's units, words)."""

    title: str
    bars: tuple[Bar, ...] = ()
    lines: tuple[Line, ...] = ()
    ticks: tuple[tuple[float, str], ...] = ()
    x_label: str = ""
    wide: int = WIDE
    high: int = HIGH
    heights: tuple[tuple[float, str], ...] = field(default=((HIGH, "0 %"), (HIGH / 2, "50 %"), (0.0, "100 %")))


def of_one(row: Evaluation) -> Plot | None:
    """The plot of one measurement; None where its figures say everything."""
    scores = row.scores
    if row.kind == "characters" and scores.get("accuracy"):
        return _by_shots("Correct names by number of named faces", [row])
    if row.kind == "duplicates" and scores.get("curve"):
        return Plot(
            "Precision and recall over the threshold",
            lines=(
                Line("precision", _points([(t, p) for t, p, _ in scores["curve"]])),
                Line("recall", _points([(t, r) for t, _, r in scores["curve"]])),
            ),
            ticks=tuple((WIDE * x, f"{x:g}") for x in (0.0, 0.25, 0.5, 0.75, 1.0)),
            x_label="similarity threshold for duplicates",
        )
    if row.kind == "faces" and scores.get("faces"):
        return Plot("Faces", bars=_face_bars(row))
    return None


def of_embedders(row: Evaluation) -> Plot | None:
    """Two embedders against people's names; None where people named too few."""
    scores = row.scores
    bars = [
        Bar(name, share, f"{share:.1%} by the nearest named face")
        for name, share in zip((row.model, row.second), scores.get("right", ()))
        if share is not None
    ]
    bars += [
        Bar(f"{name}: groups", max(0.0, share), f"{share:.2f} agreement of groups and names")
        for name, share in zip((row.model, row.second), scores.get("rand_people", ()))
        if share is not None
    ]
    return Plot("Compared with reviewed names", bars=tuple(bars)) if bars else None


def side_by_side(rows: Sequence[Evaluation]) -> list[Plot]:
    """For each kind and folder that several models were measured on, one plot of them all (the newest of each)."""
    plots = []
    order = sorted(rows, key=lambda row: (row.kind, row.folder, -row.pk))
    for (kind, folder), group in groupby(order, key=lambda row: (row.kind, row.folder)):
        newest = {row.model: row for row in reversed(list(group))}
        if len(newest) < 2:
            continue
        models = [newest[name] for name in sorted(newest)]
        where = "reviewed labels" if models[0].collection_id else folder.partition(":")[2] or "the library folder"
        title = f"{kind.capitalize()} on {where}"
        if kind == "characters":
            plots.append(_by_shots(title, models))
        else:
            bars = tuple(bar for row in models if (bar := _main_bar(row)) is not None)
            if bars:
                plots.append(Plot(title, bars=bars))
    return plots


def _main_bar(row: Evaluation) -> Bar | None:
    """The figure that ranks models of a kind."""
    scores = row.scores
    if row.kind == "faces" and scores.get("faces"):
        share = scores["hits_iou50"] / scores["faces"]
        text = f"{share:.0%} at IoU 0.5, {scores['false_positives_iou30']} false, {scores['ms_per_picture']:.0f} ms"
        return Bar(row.model, share, text)
    for name in ("best_f1", "micro_f1", "f1"):
        if isinstance(scores.get(name), (int, float)):
            return Bar(row.model, float(scores[name]), f"F1 {scores[name]:.3f}")
    for name in ("psnr", "psnr_db"):
        if isinstance(scores.get(name), (int, float)):
            return Bar(row.model, min(1.0, float(scores[name]) / 50), f"{scores[name]:.2f} dB")
    return None


def _face_bars(row: Evaluation) -> tuple[Bar, ...]:
    scores, faces = row.scores, row.scores["faces"]
    false = scores["false_positives_iou30"]
    return (
        Bar("found, IoU 0.3", scores["hits_iou30"] / faces, f"{scores['hits_iou30']} of {faces}"),
        Bar("found, IoU 0.5", scores["hits_iou50"] / faces, f"{scores['hits_iou50']} of {faces}"),
        Bar("false detections", min(1.0, false / faces), str(false)),
    )


def _by_shots(title: str, rows: Sequence[Evaluation]) -> Plot:
    shots = sorted({int(count) for row in rows for count in row.scores.get("accuracy", {})})
    if len(shots) < 2:
        return Plot(title, bars=tuple(_bar_by_shots(row) for row in rows if row.scores.get("accuracy")))
    widest = log(max(shots)) or 1.0
    position = {count: log(count) / widest for count in shots}
    lines = tuple(
        Line(
            row.model,
            _points([(position[int(n)], share) for n, share in sorted(row.scores["accuracy"].items(), key=_first)]),
        )
        for row in rows
    )
    return Plot(
        title,
        lines=lines,
        ticks=tuple((WIDE * position[n], str(n)) for n in shots),
        x_label="named faces per character",
    )


def _bar_by_shots(row: Evaluation) -> Bar:
    """One count only: nothing to draw a line through."""
    ((count, share),) = row.scores["accuracy"].items()
    return Bar(
        row.model, share, f"{100 * share:.0f} % right with {humane.count(int(count), 'named face')} per character"
    )


def _first(item: tuple[str, float]) -> int:
    return int(item[0])


def _points(values: Sequence[tuple[float, float]]) -> str:
    inside = [(x, y) for x, y in values if 0 <= x <= 1]
    inside = inside * 2 if len(inside) == 1 else inside  # drawn as a dot
    return " ".join(f"{WIDE * x:.1f},{HIGH * (1 - y):.1f}" for x, y in inside)
