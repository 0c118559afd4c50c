"""Episodes: the list with stills and stages; one episode as a timeline of shots with a lane a character."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from annotate.figures import by_episode, stills
from annotate.models import Face, FaceState
from annotate.views.drawing import episode_rows, parts
from annotate.views.drawing.parts import Marks, bases
from ingest.access import member_view
from ingest.models import Collection, DropReason, Episode, Frame, FrameState, ImageType, Role, StageRun
from ingest.pipeline.registry import stages
from ingest.stamp import kept, stamp

STILLS = 4
SHOTS_SHOWN = 600
LANES_SHOWN = 24
MARK = ("pk", "time_s", "end_s", "preview", "shot_id", "state", "reason")
Mark = tuple[Any, ...]  # the values of MARK


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
    frames: list[Mark] = list(Frame.objects.filter(episode=row).order_by("index").values_list(*MARK))
    length = max(row.duration_s, max((end for _, _, end, *_ in frames), default=0.0), 0.001)
    if row.kind == "pictures":  # no clock: each picture is one second wide
        length = max(1.0, float(len(frames)))
        frames = [(pk, float(i), float(i + 1), *rest) for i, (pk, _, _, *rest) in enumerate(frames)]
    base = bases(collection)
    marks = Marks((frame[:4] for frame in frames), length, base["frame_base"])
    shots = row.shots.values_list("pk", "index", "start_s", "end_s")[:SHOTS_SHOWN]
    address = f"{reverse('frames', args=[collection.pk])}?q=episode:{row.pk}+shot:"
    kept_ones = [(pk, preview) for pk, _, _, preview, _, state, _ in frames if state == FrameState.KEPT]
    context: dict[str, Any] = {
        "section": "episodes",
        "episode": row,
        "first_still": kept_ones[0][1] if kept_ones else "",
        "shots": parts.shots(shots, _stills(frames), files=base["files"], address=address),
        "lanes": parts.lanes(
            _lanes(row, frames, marks),
            characters=base["character_base"],
            unnamed=f"{reverse('frames', args=[collection.pk])}?q=episode:{row.pk}+character:unnamed",
        ),
        "kept": marks.draw((pk, "kept") for pk, _ in kept_ones),
        "dropped": _dropped(frames, marks),
        "kept_count": len(kept_ones),
        "frame_count": len(frames),
        "skipped": row.skipped_inputs.all()[:100],
        "image_types": ImageType.choices,
        "can_lead": request.role >= Role.LEAD,  # type: ignore[attr-defined]
    }
    return render(request, "annotate/episode.html", context)


def _stills(frames: Iterable[Mark]) -> dict[int, str]:
    """A preview for each shot: of its first kept frame, else of its first."""
    kept_ones: dict[int, str] = {}
    others: dict[int, str] = {}
    for _, _, _, preview, shot, state, _ in frames:
        if shot is not None:
            (kept_ones if state == FrameState.KEPT else others).setdefault(shot, preview)
    return others | kept_ones


def _lanes(row: Episode, frames: Iterable[Mark], marks: Marks) -> list[tuple[int, str, int, str]]:
    """A lane a character (the most present first), then one for faces without a name: key or 0, name, faces, marks."""
    lanes: dict[tuple[int, str], list[tuple[int, str]]] = {}
    place = {frame[0]: i for i, frame in enumerate(frames)}
    faces = Face.objects.filter(frame__episode=row, state=FaceState.FACE).order_by()
    found = [
        face for face in faces.values_list("frame", "character", "character__name", "named_by") if face[0] in place
    ]
    found.sort(key=lambda face: place[face[0]])
    for frame, character, name, by in found:
        kind = "unnamed" if character is None else ("person" if by == "person" else "model")
        lanes.setdefault((character or 0, name or ""), []).append((frame, kind))
    ordered = sorted(lanes.items(), key=lambda item: (item[0][0] == 0, -len(item[1]), item[0][1]))[:LANES_SHOWN]
    return [(key[0], key[1], len(own), marks.draw(own)) for key, own in ordered]


def _dropped(frames: Iterable[Mark], marks: Marks) -> list[dict[str, Any]]:
    reasons: dict[str, list[int]] = {}
    for pk, _, _, _, _, state, reason in frames:
        if state == FrameState.DROPPED:
            reasons.setdefault(reason, []).append(pk)
    return [
        {
            "reason": reason,
            "label": DropReason(reason).label if reason in DropReason.values else reason,
            "marks": marks.draw_thin(keys),
            "count": len(keys),
        }
        for reason, keys in sorted(reasons.items(), key=lambda item: -len(item[1]))
    ]
