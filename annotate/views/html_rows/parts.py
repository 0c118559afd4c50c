"""What a page has hundreds or thousands of: crops, marks of the timeline, bars of the characters.

The HTML is made by the macros in `templates/jinja2/annotate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from django.urls import reverse

from annotate.algorithms.face_features import beyond_picture
from annotate.algorithms.query import Term
from annotate.models import NamedBy
from ingest.algorithms.tag_words import spaced
from ingest.humane import timecode
from ingest.models import Collection, episode_label
from ingest.templatetags.humane import score
from ingest.views.macros import render_macro

NAMED_BY = dict(NamedBy.choices)
HIGH = 24  # of the bars


def bases(collection: Collection) -> dict[str, str]:
    """What addresses of stored files (`files`), frames and characters (`frame_base`... then the key) begin with."""
    return {
        "files": reverse("file", args=[collection.pk, "x"])[:-1],
        "frame_base": reverse("frame", args=[collection.pk, 0]).removesuffix("0/"),
        "character_base": reverse("character", args=[collection.pk, 0]).removesuffix("0/"),
    }


def list_query(query: str) -> str:
    """What follows the address of a frame that was opened from a filtered list; empty without a filter."""
    return f"?{urlencode({'q': query})}" if query else ""


def lanes(rows: Iterable[tuple[int, str, int, str]], *, characters: str, unnamed: str) -> str:
    """Lanes of the timeline: the character's key (0: faces without a name), name, number of faces, HTML of the lane.

    `characters` is what their addresses begin with, `unnamed` the address of frames with a face without a name.
    """
    lines = [(f"{characters}{pk}/" if pk else unnamed, name, faces, lane) for pk, name, faces, lane in rows]
    return render_macro("annotate/timeline.html", "lanes", lines)


def shots(rows: Iterable[tuple[int, int, float, float]], stills: Mapping[int, str], *, files: str, address: str) -> str:
    """The strip of shots, each as wide as it is long, of rows of key, index, start and end in seconds.

    `stills` are names of previews by key; `address` is what that of a shot's frames begins with (then the index).
    """
    strip = [
        (index, timecode(start), round(max(0.05, end - start), 3), stills.get(pk, "")) for pk, index, start, end in rows
    ]
    return render_macro("annotate/timeline.html", "shots", strip, files=files, address=address)


def bars(counts: Mapping[int, Mapping[int, int]], people: Iterable[int], labels: Mapping[int, str]) -> dict[int, str]:
    """For each of the people a bar an episode (`labels` by key, in order) as high as the faces are many.

    `counts` by person, then by episode.
    """
    maximum = max((n for counts_of_row in counts.values() for n in counts_of_row.values()), default=1)
    width = 100 / max(1, len(labels))
    wide = round(max(width - 1, width * 0.7), 2)
    columns = [(pk, f"M{round(i * width, 2)} ", text) for i, (pk, text) in enumerate(labels.items())]
    outlines: dict[int, str] = {}  # from the top left, by the number of faces: many bars are as high
    bars_by_key = {}
    for person in people:
        counts_of_row = counts.get(person, {})
        rows = []
        for episode, left, label in columns:
            n = counts_of_row.get(episode, 0)
            if n:
                if n not in outlines:
                    height = round(HIGH * n / maximum, 1)
                    outlines[n] = f"{round(HIGH - height, 1)}h{wide}v{height}h-{wide}z"
                rows.append((left + outlines[n], f"{label}: {n:,}"))
        bars_by_key[person] = render_macro("annotate/cards.html", "bars", rows) if rows else ""
    return bars_by_key


def tag_rows(tags: Iterable[Any], *, frames: str, may_pick: bool) -> str:
    """Rows of the table of tags: with `n` frames and `removed` of them. `frames` is the address of the frames page."""
    shown = list(tags)
    most = max((tag.n for tag in shown), default=1)
    rows = [
        (
            *(tag.name, spaced(tag.name), tag.get_category_display(), tag.n, tag.removed),
            *(round(tag.n / most, 3), quote(f'tag:"{tag.name}"')),
        )
        for tag in shown
    ]
    return render_macro("annotate/tags.html", "tags", rows, frames=frames, may_pick=may_pick)


def cards(people: Iterable[Any], *, files: str, characters: str) -> str:
    """Cards of people with `pk`, `name`, `key`, `parent` (a name), `aliases`, `portrait`, `n` faces, `person` of them
    named by a person, and `spark` (HTML of their bars). `characters` is what their addresses begin with."""
    return render_macro("annotate/cards.html", "cards", people, files=files, characters=characters)


def entries(values: Iterable[tuple[str, str]], *, key: str, rest: str, chosen: str | None) -> str:
    """The entries of a filter's menu, of pairs of a value and its words; `rest` is the query without this filter."""
    rows = [(quote(f"{rest}{Term(key, value)}"), text, value == chosen) for value, text in values]
    return render_macro("annotate/menus.html", "entries", rows)


BOX = ("left", "top", "right", "bottom", "frame__width", "frame__height")


def picture_part(left: float, top: float, right: float, bottom: float, width: int, height: int) -> str:
    """CSS that shows of a face's crop only what lies in the picture, of the values of BOX; "" where all of it does.

    Beyond the edges a crop repeats the picture's last pixels, which embedders expect and people take for a fault.
    """
    box = (left * width, top * height, right * width, bottom * height)
    beyond = beyond_picture(box, width, height)
    if not any(beyond):
        return ""
    at_left, at_top, at_right, at_bottom = (f"{100 * part:.1f}%" for part in beyond)
    return f"clip-path: inset({at_top} {at_right} {at_bottom} {at_left})"


PLACE = ("frame__time_s", *(f"frame__episode__{name}" for name in ("number", "season", "title")))


def place(face: Any) -> str:
    """Where a face is, in words; of a row with the values of PLACE."""
    label = episode_label(face.frame__episode__number, face.frame__episode__season, face.frame__episode__title)
    return f"{label} {timecode(face.frame__time_s)}"


@dataclass(slots=True)
class _Crop:
    pk: int
    version: int
    frame: int
    crop: str
    place: str
    style: str  # of the picture


@dataclass(slots=True)
class _NamedCrop(_Crop):
    """With who named the face and how surely: `strength` in percent, `sure` in words, `confidence` to compare with."""

    by_person: bool
    named_by: str
    named_by_model: bool
    who: str
    confidence: float | str
    sure: str
    strength: int
    is_reference: bool


def pick_crops(rows: Iterable[Any], places: Mapping[str, str], *, named: bool) -> str:
    """Face crops to choose from, of rows of `pk`, `frame_id`, `crop`, `version`, BOX and PLACE.

    `named`: with who named each and how surely, of `named_by`, `named_user__username`, `confidence`, `is_reference`.
    """
    crops = [_crop(row, named=named) for row in rows]
    macro = "pick_named_crops" if named else "pick_crops"
    return render_macro("annotate/crops.html", macro, crops, files=places["files"], frames=places["frame_base"])


def _crop(row: Any, *, named: bool) -> _Crop:
    style = picture_part(*(getattr(row, name) for name in BOX))
    where = row.pk, row.version, row.frame_id, row.crop, place(row), style
    if not named:
        return _Crop(*where)
    by_person = row.named_by == NamedBy.PERSON
    sure = score(row.confidence)
    return _NamedCrop(
        *where,
        by_person=by_person,
        named_by=row.named_by,
        named_by_model=row.named_by in ("model", "autotag"),
        who=row.named_user__username or "a person" if by_person else f"{NAMED_BY[row.named_by]} {sure}",
        confidence="" if row.confidence is None else row.confidence,
        sure=sure,
        strength=round(35 + 65 * min(1.0, max(0.0, 1.0 if row.confidence is None else row.confidence))),
        is_reference=row.is_reference,
    )


def options(rows: Iterable[tuple[int, str]], *, chosen: int | None = None, before: str = "") -> str:
    """The options of a <select>, of keys and words; `before` stands before each."""
    return render_macro("annotate/menus.html", "options", rows, chosen=chosen, before=before)
