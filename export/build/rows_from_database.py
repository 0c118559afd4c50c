"""Reading the database into plain rows: few queries per thousand frames, no writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery

from annotate.algorithms.name_evidence import RANKS
from annotate.models import (
    Caption,
    Character,
    Face,
    FaceState,
    FileCaption,
    FileFacts,
    FrameCharacter,
    FrameTag,
    ModelCaption,
    NamedBy,
    NameOrigin,
    TagCategory,
    TagState,
)
from annotate.tagging.from_pixels import COMPUTED
from export.algorithms.rows import Face as FaceRow
from export.algorithms.rows import Label, Origin, Picture
from ingest.algorithms.normal_form import normal
from ingest.models import Collection, Episode, Frame, FrameState, OriginalUse, SourceKind

RATING = "rating:"
WEAK_BELOW = 0.5  # score of a computed tag that captions leave out by default
CLUSTER = "cluster_"
SOLO = "solo"
PERSON, MODEL, FILE = "person", "model", "file"  # kinds of authors
RATINGS = ("general", "sensitive", "questionable", "explicit")
FIELDS = (
    *("pk", "episode_id", "index", "name", "page", "width", "height", "file", "original", "original_use"),
    *("time_s", "end_s", "shot_id"),
)
CHUNK = 2000  # frames per read, each with a few thousand rows of faces and tags
EXCLUDED = "excluded by a person"
NOT_EXPORTABLE = "from a source that may not be exported"
NO_FILE = "without a written picture"
_EXPORTED = (OriginalUse.PLAIN, OriginalUse.RENDERED)
_PEOPLE_TAGS = (
    "no_humans",
    *(f"{n}{kind}{'s' if n > 1 else ''}" for n in range(1, 6) for kind in ("girl", "boy")),
    *("6+girls", "6+boys"),
)


def pictures(collection: Collection, *, name_clusters: bool = False, tags: bool = True) -> Iterator[Picture]:
    """Yield the exportable pictures of a collection in the order of their keys.

    Without `tags`, only count tags are read (all that folders depend on), and no captions.
    `name_clusters` calls the unnamed faces of a cluster `cluster_01` ...
    """
    frames_of = Frame.objects.for_export().exclude(file="").filter(episode=OuterRef("pk")).order_by()
    count = frames_of.values("episode").annotate(count=Count("pk")).values("count")
    rows = collection.episodes.select_related("source").annotate(frame_count=Subquery(count))
    episodes = {row.pk: row for row in rows}
    counts = {pk: n for pk, row in episodes.items() if (n := int(vars(row)["frame_count"] or 0))}
    for frames in _batches(collection, episodes, counts):
        keys = [frame[0] for frame in frames]
        of_files = [frame[0] for frame in frames if episodes[frame[1]].source.kind == SourceKind.PICTURES]
        every = _facts_of(keys, of_files, name_clusters=name_clusters, tags=tags)
        yield from _rows(frames, episodes, every)


def _batches(
    collection: Collection, episodes: dict[int, Episode], counts: dict[int, int]
) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the columns of frames, a few thousand at a time, in the order of their keys (`picture_key`)."""
    frames = Frame.objects.for_export().filter(collection=collection).exclude(file="")
    together: list[int] = []  # short episodes: thousands of them may have one picture each

    def read(rows: QuerySet[Frame]) -> list[tuple[Any, ...]]:
        return sorted(rows.values_list(*FIELDS), key=lambda row: picture_key(episodes[row[1]], row[2]))

    for pk in sorted(counts, key=lambda pk: picture_key(episodes[pk], 0)):
        if together and sum(counts[key] for key in together) + counts[pk] > CHUNK:
            yield read(frames.filter(episode_id__in=together))
            together = []
        if counts[pk] <= CHUNK:
            together.append(pk)
            continue
        last = -1
        while part := read(frames.filter(episode_id=pk, index__gt=last).order_by("index")[:CHUNK]):
            yield part
            last = part[-1][2]
    if together:
        yield read(frames.filter(episode_id__in=together))


def picture_key(episode: Episode, index: int) -> str:
    """Return the key of a frame's picture, which is the same in every database.

    It says content and position instead of row keys, so that the same inputs give the same captions.
    """
    return f"{episode.source.sha256[:20]}:{index:08d}"


def pictures_of(frames: Sequence[Frame], *, name_clusters: bool = False) -> list[Picture]:
    """Return the rows of single frames (with `episode__source` selected), for examples and previews."""
    keys = [frame.pk for frame in frames]
    values = [tuple(getattr(frame, name) for name in FIELDS) for frame in frames]
    episodes = {frame.episode_id: frame.episode for frame in frames}
    every = _facts_of(keys, keys, name_clusters=name_clusters, tags=True)
    return list(_rows(values, episodes, every))


def left_out(collection: Collection) -> dict[str, int]:
    """Count the kept frames that no recipe can export, by reason. One query per reason."""
    kept_frames = Frame.objects.kept().filter(collection=collection)
    allowed = kept_frames.filter(episode__source__exportable=True)
    counts = {
        NOT_EXPORTABLE: kept_frames.filter(episode__source__exportable=False).count(),
        EXCLUDED: allowed.filter(excluded=True).count(),
        NO_FILE: allowed.filter(excluded=False, file="").count(),
    }
    return {reason: count for reason, count in counts.items() if count}


def episode_code(episode: Episode) -> str:
    """Return `S2EP04`, `EP04` or `OVA`; empty for an input without a number."""
    if not episode.number:
        return ""
    number = f"EP{episode.number}" if episode.number[:1].isdigit() else episode.number
    return f"S{episode.season}{number}" if episode.season else number


def stem_of(episode: Episode, index: int, name: str, page: int | None = None) -> str:
    """Return a picture's file name: `series_episode_index` as in the reference, or `title_name` for a folder's picture.

    Pictures from a file with several end in their number (`page`).
    """
    series = _one_word(episode.series)
    if episode.source.kind == SourceKind.PICTURES and name:
        own_stem = name.rpartition("/")[2].rpartition(".")[0] or name
        return f"{series or _one_word(episode.title)}_{_one_word(own_stem)}{f'p{page:03d}' if page else ''}"
    return f"{series or _one_word(episode.title)}_{episode_code(episode) or 'EP'}_{index:06d}"


@dataclass(slots=True)
class _Facts:
    """What is said of frames, by their keys."""

    faces: dict[int, list[FaceRow]]
    characters: dict[int, list[tuple[str, bool, bool]]]
    labels: dict[int, list[Label]]
    weak: dict[int, set[str]]
    passes: dict[int, int]
    captions: dict[int, tuple[str, datetime]] = field(default_factory=dict)  # a person's, and when it was written
    models: dict[int, list[tuple[str, datetime]]] = field(default_factory=dict)
    proses: dict[int, list[str]] = field(default_factory=dict)
    scores: dict[int, int] = field(default_factory=dict)


def _facts_of(keys: list[int], of_files: list[int], *, name_clusters: bool, tags: bool) -> _Facts:
    """Without `tags` only what folders depend on. `of_files`: those of the frames that came as pictures."""
    faces = _faces(keys, name_clusters=name_clusters)
    shared = {pk for pk, rows in faces.items() if len(rows) > 1}
    labels, weak = _labels(keys, every=tags, shared=shared)
    by_frame = _Facts(faces, _characters(keys), labels, weak, _passes(of_files))
    if tags:
        by_frame.captions, by_frame.models, by_frame.proses = (
            _captions(keys),
            _model_captions(keys),
            _file_captions(keys),
        )
        facts = FileFacts.objects.filter(frame_id__in=keys, score__isnull=False)
        by_frame.scores = {pk: score for pk, score in facts.values_list("frame_id", "score") if score is not None}
    return by_frame


def _rows(frames: Sequence[tuple[Any, ...]], episodes: dict[int, Episode], every: _Facts) -> Iterator[Picture]:
    for pk, episode_id, index, name, page, width, height, file, original, use, start_s, end_s, shot in frames:
        episode = episodes[episode_id]
        labels = every.labels.get(pk, [])
        proses, models = every.proses.get(pk, []), every.models.get(pk, [])
        custom_caption, written = every.captions.get(pk, (None, None))
        general = [label for label in labels if label.category == TagCategory.GENERAL]
        yield Picture(
            key=picture_key(episode, index),
            stem=stem_of(episode, index, name, page),
            file=file,
            # Of several pictures in a file, and of a damaged one, the stored picture is all there is of each pixel.
            original=original if use in _EXPORTED else "",
            use=use if use in _EXPORTED else "",
            width=width,
            height=height,
            faces=tuple(every.faces.get(pk, ())),
            characters=tuple((who, outfit) for who, outfit, _ in every.characters.get(pk, ())),
            characters_by_person=tuple(who for who, _, person in every.characters.get(pk, ()) if person),
            tags=tuple(label.tag for label in general),
            scores=tuple(label.score for label in general),
            weak=tuple(label.tag for label in general if label.tag in every.weak.get(pk, ())),
            series=episode.series,
            episode=episode_code(episode),
            image_type=episode.source.image_type,
            source_dirs=_source_dirs(episode, name),
            copyright=tuple(label.tag for label in labels if label.category == TagCategory.COPYRIGHT),
            artist=tuple(label.tag for label in labels if label.category == TagCategory.ARTIST),
            rating=_rating([label.tag for label in labels]),
            score=every.scores.get(pk),
            meta=tuple(
                label.tag for label in labels if label.category == TagCategory.META and not label.tag.startswith(RATING)
            ),
            caption=custom_caption,
            prose=proses[0] if proses else models[0][0] if models else "",
            proses=tuple(proses) if len(proses) > 1 else (),
            # What a model wrote before a person did is out of date.
            sentences=(*proses, *(text for text, written_at in models if written is None or written_at > written)),
            passes=every.passes.get(pk, 0),
            labels=tuple(labels),
            origin=Origin(
                source=episode.source.sha256,
                name=name,
                index=index,
                start_s=start_s,
                end_s=end_s,
                groups=() if shot is None else (f"shot:{shot}",),
            ),
        )


def _rating(tags: Sequence[str]) -> str:
    """Return the booru's rating among a frame's tags, else a classifier's ("r15"), else nothing."""
    ratings = [tag.removeprefix(RATING) for tag in tags if tag.startswith(RATING)]
    return next((name for name in ratings if name in RATINGS), ratings[0] if ratings else "")


def _faces(keys: list[int], *, name_clusters: bool) -> dict[int, list[FaceRow]]:
    faces_by_frame: dict[int, list[FaceRow]] = defaultdict(list)
    taken = _names_like_clusters(keys) if name_clusters else set()
    rows = (
        Face.objects.real()
        .filter(frame_id__in=keys)
        .order_by("frame_id", "left", "pk")
        .values_list(
            *("frame_id", "left", "top", "right", "bottom", "state"),
            *("character__name", "character__parent_id", "cluster__number", "named_by", "named_user_id", "confidence"),
            *("score", "model_version_id", "box_by_person", "drawn_by_id"),
        )
    )
    for frame_id, left, top, right, bottom, state, name, parent, cluster, named_by, *more in rows:
        user, confidence, score, model, box_by_person, drawn_by = more
        if name is None and name_clusters and cluster is not None and state == FaceState.FACE:
            name = cluster_name(cluster)
            while name in taken:
                name += "_"
        known = name if state == FaceState.FACE and name else ""
        faces_by_frame[frame_id].append(
            FaceRow(
                left=left,
                top=top,
                right=right,
                bottom=bottom,
                character=known,
                outfit=parent is not None,
                by_person=named_by == NamedBy.PERSON,
                author=author_key(person=drawn_by, model=model, by_person=box_by_person),
                name_author=author_key(person=user, by_person=True) if named_by == NamedBy.PERSON else named_by,
                score=score,
                confidence=confidence,
            )
        )
    return faces_by_frame


def cluster_name(number: int) -> str:
    """Return the name for faces of an unnamed cluster, if the recipe uses one."""
    return f"{CLUSTER}{number:02d}"


def _names_like_clusters(keys: list[int]) -> set[str]:
    """Return characters with a cluster's name: the two must not be merged."""
    rows = Character.objects.filter(name__startswith=CLUSTER, collection__frames__in=keys[:1])
    return set(rows.values_list("name", flat=True))


def author_key(*, person: int | None = None, model: int | None = None, by_person: bool) -> str:
    """Return the key of who says a label: `person:3`, `model:7`, or `file`; `person` for a deleted account."""
    if by_person:
        return PERSON if person is None else f"{PERSON}:{person}"
    return FILE if model is None else f"{MODEL}:{model}"


def _labels(keys: list[int], *, every: bool, shared: set[int]) -> tuple[dict[int, list[Label]], dict[int, set[str]]]:
    """Return the tags of frames by falling score, and which are computed, have a low score and were confirmed by no
    person.

    `shared`: frames with several faces. There `solo` needs a person's word: it may be older than a face.
    """
    rows = FrameTag.objects.filter(frame_id__in=keys, state=TagState.YES).order_by()
    if not every:
        rows = rows.filter(tag__name__in=_PEOPLE_TAGS)
    columns = (
        *("frame_id", "tag__name", "tag__category", "score", "by_person", "by_id", "at"),
        *("model_version_id", "model_version__task", "model_version__name"),
    )
    computed = (COMPUTED.task, COMPUTED.name)
    labels: dict[int, list[Label]] = defaultdict(list)
    weak: dict[int, set[str]] = defaultdict(set)
    days: dict[date, str] = {}
    authors: dict[tuple[bool, int | None, int | None], str] = {}
    for frame_id, name, category, score, by_person, by, said_at, model, *version in rows.values_list(*columns):
        if name == SOLO and not by_person and frame_id in shared:
            continue
        author = authors.get((by_person, by, model))
        if author is None:
            author = author_key(person=by, model=model, by_person=by_person)
            authors[by_person, by, model] = author
        when = said_at.date()
        day = days.setdefault(when, when.isoformat())
        labels[frame_id].append(Label(tag=name, category=category, author=author, score=score, day=day))
        is_unsure = score < WEAK_BELOW or name == SOLO  # it counts faces, and who turns away shows none
        if is_unsure and not by_person and tuple(version) == computed:
            weak[frame_id].add(name)
    for row in labels.values():
        row.sort(key=lambda label: (-label.score, label.tag))
    return labels, weak


def _characters(keys: list[int]) -> dict[int, list[tuple[str, bool, bool]]]:
    """Return the characters of frames by other evidence than faces: people's labels first, then files', then taggers'.

    Each as (name, whether it is an outfit, whether a person said it).
    """
    rows = FrameCharacter.objects.filter(frame_id__in=keys, state=TagState.YES)
    columns = ("frame_id", "origin", "score", "character__name", "character__parent_id")
    names_by_frame: dict[int, list[tuple[str, bool, bool]]] = defaultdict(list)
    ordered = sorted(rows.values_list(*columns), key=lambda row: (row[0], RANKS[row[1]], -row[2], row[3]))
    for frame_id, origin, _, name, parent in ordered:
        names_by_frame[frame_id].append((name, parent is not None, origin == NameOrigin.PERSON))
    return names_by_frame


def _captions(keys: list[int]) -> dict[int, tuple[str, datetime]]:
    """Return people's captions of frames with their times; else the latest of a dropped copy."""
    of_copies = Caption.objects.filter(frame__duplicate_of__in=keys, frame__state=FrameState.DROPPED).exclude(text="")
    rows = of_copies.order_by("updated_at", "pk").values_list("frame__duplicate_of_id", "text", "updated_at")
    captions = {frame_id: (text, written_at) for frame_id, text, written_at in rows if frame_id is not None}
    custom_captions = (
        Caption.objects.filter(frame_id__in=keys).exclude(text="").values_list("frame_id", "text", "updated_at")
    )
    return captions | {frame: (text, written_at) for frame, text, written_at in custom_captions}


def _file_captions(keys: list[int]) -> dict[int, list[str]]:
    """Return the sentences of sidecar files, in order."""
    captions_by_frame: dict[int, list[str]] = defaultdict(list)
    rows = FileCaption.objects.filter(frame_id__in=keys).order_by("frame_id", "position")
    for frame_id, text in rows.values_list("frame_id", "text"):
        captions_by_frame[frame_id].append(text)
    return captions_by_frame


def _model_captions(keys: list[int]) -> dict[int, list[tuple[str, datetime]]]:
    """Return the models' captions of each frame, each as one line, newest first."""
    captions_by_frame: dict[int, list[tuple[str, datetime]]] = defaultdict(list)
    rows = ModelCaption.objects.filter(frame_id__in=keys).exclude(text="").order_by("-written_at", "-pk")
    for frame_id, text, written_at in rows.values_list("frame_id", "text", "written_at"):
        captions_by_frame[frame_id].append((" ".join(text.split()), written_at))
    return captions_by_frame


def _passes(keys: list[int]) -> dict[int, int]:
    """Return earlier upscaling passes as stated by the pictures' files; frames of films never have any."""
    if not keys:
        return {}
    rows = Frame.objects.filter(pk__in=keys, measures__has_key="upscaled").values_list("pk", "measures__upscaled")
    return {pk: passes for pk, passes in rows if isinstance(passes, int)}


def _source_dirs(episode: Episode, name: str) -> tuple[str, ...]:
    folders = tuple(part for part in name.split("/")[:-1] if part)
    return (episode.series or episode.title, episode_code(episode) or episode.title, *folders)


def _one_word(text: str) -> str:
    """Remove spaces, underscores and dots: other tools split file names at underscores."""
    return "".join(char for char in normal(text) if not char.isspace() and char not in "_.")
