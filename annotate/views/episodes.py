"""Episodes: the list with stills and stages; one episode as a timeline of shots with a lane a character."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Max, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from annotate.models import Face, FaceState, FileFacts
from annotate.queries.figures import by_episode, stills
from annotate.views.html_rows import episode_rows, parts
from annotate.views.html_rows.parts import bases
from annotate.views.html_rows.timeline import Timeline
from ingest.access import MemberRequest, member_view
from ingest.models import (
    Collection,
    DropReason,
    Episode,
    Frame,
    FrameCount,
    FrameState,
    ImageType,
    RatingScheme,
    SourceKind,
    StageRun,
)
from ingest.params import as_int
from ingest.pipeline.registry import stages
from ingest.stamp import cached, stamp

STILLS = 4
LANES_SHOWN = 24
SECTION_FRAMES = 2400  # frames of one timeline; longer episodes are shown in sections
SPAN = ("pk", "time_s", "end_s", "preview", "shot_id", "state", "reason", "index")
Span = tuple[Any, ...]  # the values of SPAN


@member_view()
def episodes(request: MemberRequest, collection: Collection) -> HttpResponse:
    """A row an episode. A fixed number of queries."""
    cache_stamp = stamp(collection)
    rows = episode_rows.read(collection, by_episode(collection, cache_stamp))
    latest: dict[tuple[int | None, str], str] = {}
    steps = StageRun.objects.filter(run__collection=collection, episode__isnull=False).order_by()
    newest = steps.values("episode", "stage").annotate(last=Max("pk")).values("last")
    for episode_id, stage, state in StageRun.objects.filter(pk__in=newest).values_list("episode_id", "stage", "state"):
        latest[(episode_id, stage)] = state
    pictures = cached("stills", cache_stamp, lambda: stills(collection, STILLS))
    names = [(name, stage.label) for name, stage in stages().items() if stage.per_episode]
    for row in rows:
        row.stills = pictures.get(row.pk, ())
        row.stages = [(label, latest.get((row.pk, name), "")) for name, label in names]
    urls = {"episode": reverse("episode", args=[collection.pk, 0]).removesuffix("0/")} | bases(collection)
    urls |= {name: reverse(name, args=[collection.pk]) for name in ("frames", "runs")}
    urls["start"] = reverse("run_start", args=[collection.pk])
    lead = request.can_lead
    context = {"section": "episodes", "episodes": rows, "rows": episode_rows.html(rows, urls, lead=lead)}
    return render(request, "annotate/episodes.html", context)


@member_view()
def episode(request: MemberRequest, collection: Collection, episode_id: int) -> HttpResponse:
    """The timeline, of a long episode one section at a time (`section`, from 1)."""
    row = get_object_or_404(collection.episodes.select_related("source"), pk=episode_id)
    reasons, kept_count = _totals(row)
    frame_count = kept_count + sum(reasons.values())
    section = _section(request, frame_count)
    frames = _frames(row, section)
    start, end = (frames[0][1], max(span[2] for span in frames)) if frames else (0.0, 0.0)
    base = bases(collection)
    timeline = Timeline((span[:3] for span in frames), start, end)
    shots = _shots(row, frames, all_of_it=section.count == 1)
    here = f"{reverse('frames', args=[collection.pk])}?q=episode:{row.pk}+"
    first = next((preview for _, _, _, preview, _, state, *_ in frames if state == FrameState.KEPT), "")
    context: dict[str, Any] = {
        "section": "episodes",
        "episode": row,
        "first_still": first,
        "part": section,
        "part_start": start,
        "part_end": end,
        "clock": row.kind != "pictures",
        "shots": parts.shots(shots, _stills(frames), files=base["files"], address=f"{here}shot:"),
        "lanes": parts.lanes(
            _lanes(row, frames, timeline), characters=base["character_base"], unnamed=f"{here}character:unnamed"
        ),
        "kept": timeline.lane("kept", [(pk, "kept") for pk, *_, state, _, _ in frames if state == FrameState.KEPT]),
        "dropped": _dropped(reasons, frames, timeline),
        "frames": timeline.frames(),
        "kept_count": kept_count,
        "frame_count": frame_count,
        "skipped": row.skipped_inputs.all()[:100],
        "unread": _unread(row),
        "image_types": ImageType.choices,
        "rating_schemes": RatingScheme.choices,
    }
    return render(request, "annotate/episode.html", context)


@member_view()
def still(request: HttpRequest, collection: Collection, frame_id: int) -> HttpResponse:
    """Leads to a frame's preview: a timeline of thousands names frames, not files."""
    frame = get_object_or_404(Frame.objects.exclude(preview=""), collection=collection, pk=frame_id)
    return redirect("file", collection.pk, frame.preview)


@dataclass(frozen=True, slots=True)
class Section:
    """One of `count` sections, from 1: the frames from `first` on, at most `size`, in order."""

    number: int
    count: int
    first: int
    size: int

    @property
    def before(self) -> int:
        return self.number - 1

    @property
    def after(self) -> int:
        return self.number + 1 if self.number < self.count else 0


def _section(request: HttpRequest, frames: int) -> Section:
    count = max(1, -(-frames // SECTION_FRAMES))
    size = -(-frames // count)
    number = min(count, max(1, as_int(request.GET.get("section")) or 1))
    return Section(number, count, (number - 1) * size, size)


def _totals(row: Episode) -> tuple[dict[str, int], int]:
    """Dropped frames of the whole episode by reason, and how many are kept."""
    counts = FrameCount.objects.filter(collection_id=row.collection_id, episode_id=row.pk, n__gt=0).order_by()
    reasons: dict[str, int] = {}
    kept_count = 0
    for state, reason, n in counts.values_list("state", "reason").annotate(sum=Sum("n")):
        if state == FrameState.DROPPED:
            reasons[reason] = reasons.get(reason, 0) + n
        else:
            kept_count += n
    return reasons, kept_count


def _frames(row: Episode, section: Section) -> list[Span]:
    rows = Frame.objects.filter(episode=row).order_by("index").values_list(*SPAN)
    frames: list[Span] = list(rows[section.first : section.first + section.size])
    if row.kind == "pictures":  # no clock: each picture is one second wide
        frames = [
            (pk, float(i), float(i + 1), *rest) for i, (pk, _, _, *rest) in enumerate(frames, start=section.first)
        ]
    return frames


def _shots(row: Episode, frames: list[Span], *, all_of_it: bool) -> Any:
    """Key, index, start and end of the shots that are shown: of a section those of its frames."""
    shots = row.shots.values_list("pk", "index", "start_s", "end_s")
    if all_of_it or not frames:
        return shots[:SECTION_FRAMES]
    first, last = frames[0][1], frames[-1][2]
    return [
        (pk, index, max(start, first), min(end, last))
        for pk, index, start, end in shots.filter(end_s__gt=first, start_s__lt=last)[:SECTION_FRAMES]
    ]


def _unread(row: Episode) -> int:
    """Pictures whose files beside them say something that was not understood or not used."""
    if row.kind != SourceKind.PICTURES:
        return 0
    return FileFacts.objects.filter(frame__episode=row, frame__state=FrameState.KEPT).exclude(left=[]).count()


def _stills(frames: Iterable[Span]) -> dict[int, str]:
    """A preview for each shot: of its first kept frame, else of its first."""
    kept_ones: dict[int, str] = {}
    others: dict[int, str] = {}
    for _, _, _, preview, shot, state, *_ in frames:
        if shot is not None:
            (kept_ones if state == FrameState.KEPT else others).setdefault(shot, preview)
    return others | kept_ones


def _lanes(row: Episode, frames: Sequence[Span], timeline: Timeline) -> list[tuple[int, str, int, str]]:
    """A lane a character (the most present first), then one for faces without a name: key or 0, name, faces, lane."""
    if not frames:
        return []
    lanes: dict[tuple[int, str], list[tuple[int, str]]] = {}
    order = {span[0]: index for index, span in enumerate(frames)}
    faces = Face.objects.filter(frame__episode=row, state=FaceState.FACE).order_by()
    faces = faces.filter(frame__index__gte=frames[0][-1], frame__index__lte=frames[-1][-1])
    rows = [face for face in faces.values_list("frame", "character", "character__name", "named_by") if face[0] in order]
    rows.sort(key=lambda face: order[face[0]])
    for frame, character, name, by in rows:
        kind = "unnamed" if character is None else ("person" if by == "person" else "model")
        lanes.setdefault((character or 0, name or ""), []).append((frame, kind))
    ordered = sorted(lanes.items(), key=lambda item: (item[0][0] == 0, -len(item[1]), item[0][1]))[:LANES_SHOWN]
    return [
        (pk, name, len(appearances), timeline.lane(name or "no name", appearances))
        for (pk, name), appearances in ordered
    ]


def _dropped(totals: Mapping[str, int], frames: Iterable[Span], timeline: Timeline) -> list[dict[str, Any]]:
    """A lane a reason, the most frequent of the whole episode first; `count` is that of the whole episode."""
    reasons: dict[str, list[int]] = {}
    for pk, _, _, _, _, state, reason, _ in frames:
        if state == FrameState.DROPPED:
            reasons.setdefault(reason, []).append(pk)
    rows = []
    for reason, count in sorted(totals.items(), key=lambda item: -item[1]):
        label = str(DropReason(reason).label) if reason in DropReason.values else reason
        lane = timeline.thin_lane(label, reasons.get(reason, ()))
        rows.append({"reason": reason, "label": label, "lane": lane, "count": count})
    return rows
