"""Tags of frames from sidecar files, parsed from their stored texts; files of dropped copies count for the kept
frame."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from annotate.actions.tags import clean_name
from annotate.models import FileCaption, FileFacts, FrameTag, Tag, TagAlias, TagCategory, TagState
from ingest.algorithms.ratings import rating_of
from ingest.errors import BadInput
from ingest.imaging.side_text import SideFacts
from ingest.imaging.sidecars import parse_side_files
from ingest.models import Frame, FrameState, SideFile

BATCH = 500
CATEGORIES = {
    "general": TagCategory.GENERAL,
    "meta": TagCategory.META,
    "artist": TagCategory.ARTIST,
    "copyright": TagCategory.COPYRIGHT,
    "character": TagCategory.CHARACTER,
}


@dataclass(slots=True)
class FileFactsOfFrame:
    """Facts from the files of a frame and, by key, of its dropped copies; and people's labels of the copies' tags
    (True: yes)."""

    own_facts: SideFacts = field(default_factory=SideFacts)
    copies: dict[int, SideFacts] = field(default_factory=dict)
    people: dict[tuple[str, int], bool] = field(default_factory=dict)  # keyed by name and category of the tag

    @property
    def all(self) -> list[SideFacts]:
        """All facts, the frame's own first."""
        return [self.own_facts, *self.copies.values()]


class Vocabulary:
    """Cached lookup of names in the imported vocabulary. A vocabulary without counts contains nothing."""

    REMEMBERED = 50_000

    def __init__(self) -> None:
        self._known: dict[str, bool] = {}
        self.imported = Tag.objects.filter(post_count__gt=0).exists()

    def __call__(self, names: Collection[str]) -> set[str]:
        if not self.imported:
            return set()
        fresh = [name for name in names if name not in self._known]
        if len(self._known) + len(fresh) > self.REMEMBERED:
            self._known, fresh = {}, list(names)
        for start in range(0, len(fresh), BATCH):
            part = fresh[start : start + BATCH]
            known_names = set(Tag.objects.filter(name__in=part, post_count__gt=0).values_list("name", flat=True))
            known_names |= set(TagAlias.objects.filter(name__in=part).values_list("name", flat=True))
            self._known |= {name: name in known_names for name in part}
        return {name for name in names if self._known.get(name)}


def facts_of_files(frames: Sequence[Frame], vocabulary: Vocabulary | None = None) -> dict[int, FileFactsOfFrame]:
    """Return facts by frame key, for frames that have any. Four queries; the caller bounds the number of frames."""
    keys = [frame.pk for frame in frames]
    copies = dict(copies_of(keys).values_list("pk", "duplicate_of_id"))
    measures: dict[int, Mapping[str, Any]] = {frame.pk: frame.measures for frame in frames}
    measures |= dict(Frame.objects.filter(pk__in=copies, measures__has_key="side").values_list("pk", "measures"))
    texts: dict[int, list[tuple[str, bytes]]] = {}
    rows = SideFile.objects.filter(frame__in=[*keys, *copies]).order_by("frame_id", "pk")
    for frame, name, text in rows.values_list("frame_id", "name", "text"):
        texts.setdefault(frame, []).append((name, text.encode("utf-8", "replace")))
    facts_by_frame: dict[int, FileFactsOfFrame] = {}
    for key in [*keys, *sorted(copies)]:
        facts = parse_side_files(texts[key], vocabulary) if key in texts else _earlier(measures.get(key, {}))
        if facts.empty:
            continue
        entry = facts_by_frame.setdefault(copies.get(key, key), FileFactsOfFrame())
        if key in copies:
            entry.copies[key] = facts
        else:
            entry.own_facts = facts
    labels_of_copies = FrameTag.objects.filter(frame__in=copies, by_person=True).order_by("at", "pk")
    for frame, name, category, state in labels_of_copies.values_list("frame_id", "tag__name", "tag__category", "state"):
        facts_by_frame.setdefault(copies[frame], FileFactsOfFrame()).people[name, category] = state == TagState.YES
    return facts_by_frame


def copies_of(keys: Iterable[int]) -> QuerySet[Frame]:
    """Select the frames that were dropped as copies of these."""
    return Frame.objects.filter(duplicate_of__in=list(keys), state=FrameState.DROPPED)


def bases_of_copies(frames: QuerySet[Frame]) -> dict[int, str]:
    """Return, by frame key, a digest of the copies whose files and labels count for the frame; only for frames with
    such copies."""
    files = SideFile.objects.filter(frame=OuterRef("pk"))
    people = FrameTag.objects.filter(frame=OuterRef("pk"), by_person=True)
    telling = Frame.objects.filter(duplicate_of__in=frames.values("pk"), state=FrameState.DROPPED)
    telling = telling.filter(Q(Exists(files)) | Q(Exists(people)) | Q(measures__has_key="side"))
    kept_of = dict(telling.order_by("pk").values_list("pk", "duplicate_of_id"))
    digests: dict[int, list[str]] = {}
    for pk, frame_id in kept_of.items():
        digests.setdefault(frame_id, []).append(str(pk))
    words = FrameTag.objects.filter(frame__in=telling, by_person=True).order_by("frame_id", "tag_id")
    for pk, tag, state in words.values_list("frame_id", "tag_id", "state"):
        if pk in kept_of:
            digests[kept_of[pk]].append(f"{pk}:{tag}:{state}")
    return {frame_id: hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16] for frame_id, parts in digests.items()}


def tags_of(facts: SideFacts, *, scheme: str = "") -> dict[str, int]:
    """Return names and categories of valid tags; the rating as `rating:safe` where its meaning is known."""
    categories: dict[str, int] = {}
    for kind, category in CATEGORIES.items():
        for raw in getattr(facts, kind):
            try:
                categories.setdefault(clean_name(raw), category)
            except BadInput:
                continue
    if rating := rating_of(facts.rating, facts.rating_scheme or scheme):
        categories[f"rating:{rating}"] = TagCategory.META
    return categories


def write(frames: Mapping[int, FileFactsOfFrame], keys: Iterable[int], *, scheme: str = "") -> None:
    """Write scores, ratings and captions of these frames from their files. Call it in a transaction."""
    frame_keys = list(keys)
    for start in range(0, len(frame_keys), BATCH):
        part = frame_keys[start : start + BATCH]
        _write_facts({key: _facts_row(key, frames[key], scheme) for key in part if key in frames}, part)
        _write_captions({key: _captions(key, frames[key]) for key in part if key in frames}, part)


def _facts_row(key: int, entry: FileFactsOfFrame, scheme: str) -> FileFacts:
    rated = next((facts for facts in entry.all if facts.rating), SideFacts())
    used = rated.rating_scheme or (scheme if len(rated.rating) == 1 else "")
    left = [text for facts in entry.all for text in facts.left]
    left += [f"“{raw}” cannot be a tag" for facts in entry.all for raw in _not_tags(facts)]
    if rated.rating and not rating_of(rated.rating, used):
        left.insert(0, _unread(rated.rating))
    score = next((facts.score for facts in entry.all if facts.score is not None), None)
    return FileFacts(
        frame_id=key, score=score, rating=rated.rating[:40], rating_scheme=used, left=list(dict.fromkeys(left))
    )


def _unread(rating: str) -> str:
    if rating.lower() == "s":
        return "rating “s”: safe on older boorus, sensitive on Danbooru; choose which on the episode page"
    return f"rating “{rating}”: unknown rating"


def _not_tags(facts: SideFacts) -> Iterable[str]:
    for kind in CATEGORIES:
        for raw in getattr(facts, kind):
            try:
                clean_name(raw)
            except BadInput:
                yield raw


def _captions(key: int, entry: FileFactsOfFrame) -> list[FileCaption]:
    texts: dict[str, int] = dict.fromkeys(entry.own_facts.captions, key)
    for copy, facts in entry.copies.items():
        for text in facts.captions:
            texts.setdefault(text, copy)
    return [
        FileCaption(frame_id=key, beside_id=where, position=place, text=text)
        for place, (text, where) in enumerate(texts.items())
    ]


def _write_facts(rows: Mapping[int, FileFacts], keys: Sequence[int]) -> None:
    existing = {row.frame_id: row for row in FileFacts.objects.filter(frame__in=keys)}
    fields = ("score", "rating", "rating_scheme", "left")
    changed = []
    for key, row in rows.items():
        before = existing.pop(key, None)
        if before is None or any(getattr(before, name) != getattr(row, name) for name in fields):
            row.pk = before.pk if before is not None else None
            changed.append(row)
    FileFacts.objects.filter(pk__in=[row.pk for row in existing.values()]).delete()
    FileFacts.objects.bulk_create([row for row in changed if row.pk is None])
    FileFacts.objects.bulk_update([row for row in changed if row.pk is not None], list(fields))


def _write_captions(rows: Mapping[int, list[FileCaption]], keys: Sequence[int]) -> None:
    existing: dict[int, list[tuple[str, int]]] = {}
    stored = FileCaption.objects.filter(frame__in=keys).order_by("frame_id", "position")
    for frame, text, where in stored.values_list("frame_id", "text", "beside_id"):
        existing.setdefault(frame, []).append((text, where))
    changed = [key for key in keys if [(row.text, row.beside_id) for row in rows.get(key, [])] != existing.get(key, [])]
    FileCaption.objects.filter(frame__in=changed).delete()
    FileCaption.objects.bulk_create([row for key in changed for row in rows.get(key, [])])


def _earlier(measures: Mapping[str, Any]) -> SideFacts:
    """Read what earlier versions stored in `Frame.measures` instead of the texts; of the rating, its first letter."""
    side = measures.get("side")
    if not isinstance(side, dict):
        return SideFacts()
    caption, score = side.get("caption"), side.get("score")
    facts = SideFacts(
        rating=str(side.get("rating") or ""),
        score=score if isinstance(score, int) else None,
        captions=(caption,) if isinstance(caption, str) and caption else (),
    )
    for kind in CATEGORIES:
        setattr(facts, kind, tuple(map(str, side.get(kind) or ())))
    return facts
