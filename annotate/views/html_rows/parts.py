"""Draws what a page has hundreds or thousands of as text: crops, marks of the timeline, bars of the characters.

A template takes ten times as long for each. Whatever came from outside is escaped here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any
from urllib.parse import quote

from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from annotate.algorithms.query import Term
from annotate.models import NamedBy
from ingest import humane
from ingest.humane import percent_of, timecode
from ingest.models import Collection, episode_label

NAMED_BY = dict(NamedBy.choices)
HIGH = 24  # of the bars
OPENS = ' title="Open the frame"'
BLANK = '<span class="crop"></span>'  # where there is no portrait


def bases(collection: Collection) -> dict[str, str]:
    """What addresses of stored files (`files`), frames and characters (`frame_base`... then the key) begin with."""
    return {
        "files": reverse("file", args=[collection.pk, "x"])[:-1],
        "frame_base": reverse("frame", args=[collection.pk, 0]).removesuffix("0/"),
        "character_base": reverse("character", args=[collection.pk, 0]).removesuffix("0/"),
    }


def lanes(rows: Iterable[tuple[int, str, int, str]], *, characters: str, unnamed: str) -> SafeString:
    """Lanes of the timeline: the character's key (0: faces without a name), name, number of faces, drawn lane.

    `characters` is what their addresses begin with, `unnamed` the address of frames with a face without a name.
    """
    drawn = []
    for pk, text, count, lane in rows:
        name = escape(text) or "no name"
        address = f"{characters}{pk}/" if pk else unnamed
        drawn.append(
            f'<div class="lane-row"><span class="clip"><a class="link" href="{address}">{name}</a></span>'
            f'{lane}<span class="num dim">{count:,}</span></div>\n'
        )
    return mark_safe("".join(drawn))


def shots(
    rows: Iterable[tuple[int, int, float, float]], stills: Mapping[int, str], *, files: str, address: str
) -> SafeString:
    """The strip of shots, each as wide as it is long, of rows of key, index, start and end in seconds.

    `stills` are names of previews by key; `address` is what that of a shot's frames begins with (then the index).
    """
    drawn = []
    for pk, index, start, end in rows:
        still = f"background-image:url({files}{escape(stills[pk])})" if stills.get(pk) else ""
        at, length = timecode(start), round(max(0.05, end - start), 3)
        drawn.append(
            f'<a href="{address}{index}" style="--len:{length};{still}" '
            f'title="Shot {index}, {at}" aria-label="Shot {index} at {at}"></a>'
        )
    return mark_safe("".join(drawn))


def bars(
    counts: Mapping[int, Mapping[int, int]], people: Iterable[int], labels: Mapping[int, str]
) -> dict[int, SafeString]:
    """For each of the people a bar an episode (`labels` by key, in order) as high as the faces are many.

    `counts` by person, then by episode.
    """
    most = max((n for own in counts.values() for n in own.values()), default=1)
    width = 100 / max(1, len(labels))
    wide = round(max(width - 1, width * 0.7), 2)
    places = [
        (pk, f'<rect x="{round(i * width, 2)}" width="{wide}" y="', escape(text))
        for i, (pk, text) in enumerate(labels.items())
    ]
    ends: dict[int, tuple[str, str]] = {}  # of a bar, by the number of faces: many bars are as high
    found = {}
    for person in people:
        own = counts.get(person, {})
        drawn = []
        for episode, begin, label in places:
            n = own.get(episode, 0)
            if n:
                if n not in ends:
                    high = round(HIGH * n / most, 1)
                    ends[n] = f'{round(HIGH - high, 1)}" height="{high}"><title>', f": {n:,}</title></rect>"
                size, end = ends[n]
                drawn.append(f"{begin}{size}{label}{end}")
        found[person] = mark_safe("".join(drawn))
    return found


def cards(people: Iterable[Any], *, files: str, characters: str) -> SafeString:
    """The cast: people with `pk`, `name`, `parent` (a name), `aliases`, `portrait`, `n` faces, `person` of them named
    by a person, and `spark` (drawn). `characters` is what their addresses begin with."""
    drawn = []
    for p in people:
        image = f'<img src="{files}{escape(p.portrait)}" width="88" height="88" loading="lazy" alt="">'
        outfit = f'<span class="small dim">outfit of {escape(p.parent)}</span>' if p.parent else ""
        also = f'<span class="small dim clip">also {escape(", ".join(p.aliases))}</span>' if p.aliases else ""
        share = f' <span class="dim">· {percent_of(p.person, p.n)} % by a person</span>' if p.n else ""
        spark = (
            '<svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" '
            f'aria-label="Faces by episode">{p.spark}</svg>'
        )
        drawn.append(
            f'<a class="card" href="{characters}{p.pk}/">{image if p.portrait else BLANK}\n'
            f"<div><b>{escape(p.name)}</b>{outfit}{also}\n"
            f'<span class="small">{humane.count(p.n, "face")}{share}</span>\n{spark if p.spark else ""}</div></a>'
        )
    return mark_safe("".join(drawn))


def entries(values: Iterable[tuple[str, str]], *, key: str, rest: str, chosen: str | None) -> SafeString:
    """The entries of a filter's menu, of pairs of a value and its words; `rest` is the query without this filter."""
    begin = f'<a href="?q={quote(rest)}'
    drawn = []
    for value, text in values:
        on = (' aria-current="true"', "✓ ") if value == chosen else ("", "")
        drawn.append(f'{begin}{quote(str(Term(key, value)))}"{on[0]}>{on[1]}{escape(text)}</a>')
    return mark_safe("".join(drawn))


PLACE = ("frame__time_s", *(f"frame__episode__{name}" for name in ("number", "season", "title")))


def place(face: Any) -> str:
    """Where a face is, in words; of a row with the values of PLACE."""
    label = episode_label(face.frame__episode__number, face.frame__episode__season, face.frame__episode__title)
    return f"{label} {timecode(face.frame__time_s)}"


def pick_crops(rows: Iterable[Any], places: Mapping[str, str], *, named: bool) -> SafeString:
    """Face crops to choose from, of rows of `pk`, `frame_id`, `crop`, `version` and PLACE.

    `named`: with who named each and how surely, of `named_by`, `named_user__username`, `confidence`, `is_reference`.
    """
    files, frames = places["files"], places["frame_base"]
    drawn = []
    for row in rows:
        pk, where = row.pk, escape(place(row))
        kind, title, marks, opens = "", where, "", ""
        if named:
            sure = "" if row.confidence is None else f"{row.confidence:.2f}"
            by_person = row.named_by == "person"
            strength = round(35 + 65 * min(1.0, max(0.0, 1.0 if row.confidence is None else row.confidence)))
            kind = f" {'said-person' if by_person else 'said-model'}"
            who = escape(row.named_user__username or "a person") if by_person else f"{NAMED_BY[row.named_by]} {sure}"
            title = f"{where} · named by {who}"
            marks = '<span class="mark-ref" title="reference">★</span>' if row.is_reference else ""
            marks += f'<span class="sure">{sure}</span>' if row.named_by in ("model", "autotag") else ""
            exact = "" if row.confidence is None else row.confidence
            opens = f' style="--s:{strength}%" data-sure="{exact}" data-by="{escape(row.named_by)}"'
        image = f'<img src="{files}{escape(row.crop)}" width="72" height="72" loading="lazy" alt="">'
        drawn.append(
            f'<label class="crop pick-in{kind}" id="crop{pk}"{opens} title="{title}">'
            f'<input type="checkbox" name="face" value="{pk}:{row.version}" aria-label="{where}">'
            f"{image if row.crop else ''}{marks}"
            f'<a href="{frames}{row.frame_id}/" tabindex="-1" class="open"{OPENS if named else ""}>↗</a></label>'
        )
    return mark_safe("".join(drawn))


def options(rows: Iterable[tuple[int, str]], *, chosen: int | None = None, before: str = "") -> SafeString:
    """The options of a <select>, of keys and words; `before` stands before each."""
    drawn = []
    for pk, text in rows:
        on = " selected" if pk == chosen else ""
        drawn.append(f'<option value="{pk}"{on}>{before}{escape(text)}</option>')
    return mark_safe("".join(drawn))
