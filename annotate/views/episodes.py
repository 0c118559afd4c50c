"""Episodes: the list with stills and stages; one episode as a timeline of shots with a lane a character."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from annotate.figures import by_episode, stills
from annotate.models import Face, FaceState
from annotate.views import drawing, episode_rows
from annotate.views.drawing import Marks, bases
from ingest.access import member_view
from ingest.models import Collection, DropReason, Episode, Frame, FrameState, ImageType, Role, StageRun
from ingest.pipeline.registry import stages
from ingest.stamp import kept, stamp

STILLS = 4
SHOTS_SHOWN = 600
LANES_SHOWN = 24


@member_view()
def episodes(request: HttpRequest, collection: Collection) -> HttpResponse:
    """A row an episode. A fixed number of queries."""
    mark = stamp(collection)
    rows = episode_rows.read(collection, by_episode(collection, mark))
    latest: dict[tuple[int | None, str], str] = {}
    steps = StageRun.objects.filter(run__collection=collection, episode__isnull=False).order_by()
    newest = steps.values("episode", "stage").annotate(last=Max("pk")).values("last")
    for episode_id, stage, state in StageRun.objects.filter(pk__in=newest).values_list("episode_id", "stage", "state"):
        latest[(episode_id, stage)] = state
    pictures = kept("stills", mark, lambda: stills(collection, STILLS))
    names = [(name, stage.label) for name, stage in stages().items() if stage.per_episode]
    for row in rows:
        row.stills = pictures.get(row.pk, ())
        row.stages = [(label, latest.get((row.pk, name), "")) for name, label in names]
    urls = {"episode": reverse("episode", args=[collection.pk, 0]).removesuffix("0/")} | bases(collection)
    urls |= {name: reverse(name, args=[collection.pk]) for name in ("frames", "runs")}
    urls["start"] = reverse("run_start", args=[collection.pk])
    lead = request.role >= Role.LEAD  # type: ignore[attr-defined]
    context = {"section": "episodes", "episodes": rows, "rows": episode_rows.draw(rows, urls, lead=lead)}
    return render(request, "annotate/episodes.html", context)


@member_view()
def episode(request: HttpRequest, collection: Collection, episode_id: int) -> HttpResponse:
    """The timeline."""
    row = get_object_or_404(collection.episodes.select_related("source"), pk=episode_id)
    frames = list(
        Frame.objects.filter(episode=row)
        .order_by("index")
        .values("pk", "shot_id", "time_s", "end_s", "state", "reason", "preview", "index")
    )
    length = max(row.duration_s, max((f["end_s"] for f in frames), default=0.0), 0.001)
    if row.kind == "pictures":  # no clock: each picture is one second wide
        length = max(1.0, float(len(frames)))
        for i, f in enumerate(frames):
            f["time_s"], f["end_s"] = float(i), float(i + 1)
    base = bases(collection)
    marks = Marks(frames, length, base["frame_base"])
    strip = _shots(row, frames)
    frames_url = reverse("frames", args=[collection.pk])
    context: dict[str, Any] = {
        "section": "episodes",
        "episode": row,
        "first_still": next((f["preview"] for f in frames if f["state"] == FrameState.KEPT), ""),
        "shots": drawing.shots(strip, files=base["files"], frames=frames_url, episode=row.pk),
        "lanes": _lanes(row, marks),
        "kept": marks.draw((f["pk"], "kept") for f in frames if f["state"] == FrameState.KEPT),
        "dropped": _dropped(frames, marks),
        "kept_count": sum(f["state"] == FrameState.KEPT for f in frames),
        "frame_count": len(frames),
        "skipped": row.skipped_inputs.all()[:100],
        "image_types": ImageType.choices,
        "can_lead": request.role >= Role.LEAD,  # type: ignore[attr-defined]
    }
    return render(request, "annotate/episode.html", context)


def _shots(row: Episode, frames: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    still: dict[int, Mapping[str, Any]] = {}
    for f in frames:
        if f["shot_id"] and (
            f["shot_id"] not in still or (f["state"] == "kept" and still[f["shot_id"]]["state"] != "kept")
        ):
            still[f["shot_id"]] = f
    return [
        {
            "index": shot.index,
            "start": shot.start_s,
            "length": round(max(0.05, shot.end_s - shot.start_s), 3),
            "preview": still[shot.pk]["preview"] if shot.pk in still else "",
        }
        for shot in row.shots.all()[:SHOTS_SHOWN]
    ]


def _lanes(row: Episode, marks: Marks) -> list[dict[str, Any]]:
    """A lane a character (the most present first), then one for faces without a name."""
    lanes: dict[tuple[int, str], list[tuple[int, str]]] = {}
    faces = Face.objects.filter(frame__episode=row, state=FaceState.FACE).order_by("frame__index")
    for frame_id, character, name, by in faces.values_list("frame_id", "character_id", "character__name", "named_by"):
        kind = "unnamed" if character is None else ("person" if by == "person" else "model")
        lanes.setdefault((character or 0, name or ""), []).append((frame_id, kind))
    ordered = sorted(lanes.items(), key=lambda item: (item[0][0] == 0, -len(item[1]), item[0][1]))[:LANES_SHOWN]
    return [
        {"character": key[0], "name": key[1], "marks": marks.draw(found), "count": len(found)} for key, found in ordered
    ]


def _dropped(frames: Sequence[Mapping[str, Any]], marks: Marks) -> list[dict[str, Any]]:
    reasons: dict[str, list[int]] = {}
    for f in frames:
        if f["state"] == FrameState.DROPPED:
            reasons.setdefault(f["reason"], []).append(f["pk"])
    return [
        {
            "reason": reason,
            "label": DropReason(reason).label if reason in DropReason.values else reason,
            "marks": marks.draw_thin(keys),
            "count": len(keys),
        }
        for reason, keys in sorted(reasons.items(), key=lambda item: -len(item[1]))
    ]
