"""Add films, folders and zips as episodes, edit and delete them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from django.db import IntegrityError, transaction

from ingest.actions import history
from ingest.actions.seen import changed, last_by
from ingest.algorithms.naming import EpisodeName, parse_name
from ingest.errors import BadInput, Conflict
from ingest.imaging.archive import BadArchive, ZipReader
from ingest.imaging.decode import UnreadablePicture, check_picture
from ingest.imaging.folders import ZIP_ENDINGS, ending_of, list_folder
from ingest.imaging.formats import FORMATS_TEXT, PICTURE_ENDINGS
from ingest.imaging.names import plain_name, plain_text
from ingest.imaging.video import VideoInfo, probe
from ingest.locking import hold
from ingest.models import FINISHED, Collection, Episode, ImageType, RatingScheme, Source, SourceKind, StageRun
from ingest.restoring import source_path
from ingest.storage import quota, stored_files
from ingest.storage.stored_files import store

HASH_CHUNK_BYTES = 1 << 20
OF_EPISODE = ("series", "season", "number", "title")
OF_SOURCE = ("image_type", "licence_note", "exportable", "rating_scheme")
FIELDS = (*OF_EPISODE, *OF_SOURCE)

Row = TypeVar("Row", Episode, Source)


class AlreadyThere(Conflict):
    """The same file is in the collection already, as `episode`."""

    def __init__(self, name: str, episode: Episode) -> None:
        super().__init__(f"{name} is already in this collection, as {episode.label} ({episode.source.name}).")
        self.episode = episode


@dataclass(frozen=True, slots=True)
class About:
    """What a person enters when adding a source; empty fields are filled in from its name."""

    image_type: str = ""
    series: str = ""
    licence_note: str = ""
    exportable: bool = True
    rating_scheme: str = ""


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a path holds, before anything is written."""

    kind: SourceKind
    sha256: str
    size_bytes: int
    video: VideoInfo | None = None
    pictures: int = 0


def inspect(path: Path, *, display_name: str = "") -> Inspected:
    """Inspect a film, a picture, a zip or a folder of pictures. Raises BadInput (UnreadableVideo) with the reason."""
    name = display_name or path.name
    if path.is_dir():
        listing = list_folder(path)
        if not listing.pictures:
            raise BadInput(f"{name}: this folder has no pictures ({FORMATS_TEXT}).")
        return Inspected(SourceKind.PICTURES, listing.sha256(path), listing.size_bytes, pictures=len(listing.pictures))
    if not path.exists():
        raise BadInput(f"{name}: no such file. Check the path.")
    if ending_of(path.name) in PICTURE_ENDINGS:
        try:
            check_picture(path, name=name)
        except UnreadablePicture as error:
            raise BadInput(str(error)) from error
        return Inspected(SourceKind.PICTURES, file_sha256(path), path.stat().st_size, pictures=1)
    if ending_of(path.name) in ZIP_ENDINGS or _starts_with(path, b"PK\x03\x04"):
        try:
            with ZipReader(path, name=name) as reader:
                pictures = sum(ending_of(member.name) in PICTURE_ENDINGS for member in reader.members)
        except BadArchive as error:
            raise BadInput(str(error)) from error
        if not pictures:
            raise BadInput(f"{name}: this zip has no readable pictures. Check its contents and pack it again.")
        return Inspected(SourceKind.PICTURES, file_sha256(path), path.stat().st_size, pictures=pictures)
    info = probe(path)
    return Inspected(SourceKind.VIDEO, file_sha256(path), path.stat().st_size, video=info)


def register(
    *,
    collection: Collection,
    path: Path,
    by: Any,
    name: str = "",
    about: About | None = None,
    place: Callable[[Inspected], str] | None = None,
) -> Episode:
    """Create the Source and Episode of a film, picture, zip or folder at `path`; nothing is decoded yet.

    `place`: for uploads, moves the file into KOMA_DATA_DIR and returns its path below it; called in the transaction.
    Without it the file is read where it is and never written. Raises AlreadyThere, BadInput, OverQuota.
    """
    about = about or About()
    display_name = plain_name(name or path.name)
    inspected = inspect(path, display_name=display_name)
    known = Source.objects.filter(collection=collection).select_related("episode")
    same = known.filter(sha256=inspected.sha256).first()
    if same is None and place is None and inspected.kind == SourceKind.PICTURES:
        same = known.filter(path=str(path.absolute()), uploaded=False).first()
    if same is not None:
        raise AlreadyThere(display_name, same.episode)
    quota.check(collection=collection, by=by, more_pictures=inspected.pictures)
    try:
        return _create(collection, display_name, inspected, about, path=path, by=by, place=place)
    except IntegrityError:
        same = known.filter(sha256=inspected.sha256).first()
        if same is None:
            raise
        raise AlreadyThere(display_name, same.episode) from None  # another request was quicker


def register_unwritten(
    *, collection: Collection, path: Path, by: Any, about: About, duration_s: float, size: tuple[int, int]
) -> Episode:
    """Create the Source and Episode of a film that Koma itself will write at `path`; `written` completes them.

    Its length and size (width, height) are what the estimate of its run is based on.
    """
    unwritten = Inspected(SourceKind.VIDEO, "", 0)
    episode = _create(collection, path.name, unwritten, about, path=path, by=by, place=None)
    episode.duration_s, (episode.width, episode.height) = duration_s, size
    episode.save(update_fields=["duration_s", "width", "height"])
    return episode


def written(episode: Episode) -> None:
    """Fill in what only the finished film of `register_unwritten` tells. Raises BadInput (UnreadableVideo)."""
    source = episode.source
    inspected = inspect(source_path(source), display_name=source.name)
    source.sha256, source.size_bytes = inspected.sha256, inspected.size_bytes
    source.save(update_fields=["sha256", "size_bytes"])
    facts = _video_facts(inspected.video)
    Episode.objects.filter(pk=episode.pk).update(**facts)


def _create(
    collection: Collection, display_name: str, inspected: Inspected, about: About, *, path: Path, by: Any,
    place: Callable[[Inspected], str] | None,
) -> Episode:  # fmt: skip
    with history.operation(
        collection=collection,
        by=by,
        kind="sources.add",
        summary=lambda: f"{episode.label} added from {display_name}",
    ):
        source = Source.objects.create(
            collection=collection,
            kind=inspected.kind,
            name=display_name,
            path=place(inspected) if place else str(path.absolute()),
            uploaded=place is not None,
            sha256=inspected.sha256,
            size_bytes=inspected.size_bytes,
            image_type=_image_type(about, inspected.kind),
            rating_scheme=_rating_scheme(about.rating_scheme),
            licence_note=about.licence_note.strip(),
            exportable=about.exportable,
            added_by=by,
        )
        episode = _episode(source, inspected, about, folder="" if place else path.absolute().parent.name)
    return episode


LABELS = {"licence_note": "licence", "number": "episode", "exportable": "may be exported"}


def form_values(episode: Episode) -> dict[str, Any]:
    """What the episode form shows, for its fingerprint."""
    return history.snapshot(episode, names=OF_EPISODE) | history.snapshot(episode.source, names=OF_SOURCE)


def change(*, episode: Episode, by: Any, values: dict[str, Any], seen: str | None = None) -> Episode:
    """Edit series, season, number, title (of the episode) and image_type, licence_note, exportable, rating_scheme (of
    its source).

    With `seen`, the fingerprint of what the form showed, a field that its sender did not change keeps others' changes.
    Raises BadInput for an invalid value, Stale where others changed the same field.
    """
    cleaned = checked(values)
    with history.operation(
        collection=episode.collection, by=by, kind="sources.change", summary=f"{episode.label} changed"
    ) as record:
        source = _locked(Source, episode.source_id)
        row = _locked(Episode, episode.pk)
        now = history.snapshot(row, names=OF_EPISODE) | history.snapshot(source, names=OF_SOURCE)
        who = last_by(row, source) if seen is not None else ""
        cleaned = changed(seen, now=now, new=cleaned, who=who, what=row.label, labels=LABELS)
        for target, names in ((row, OF_EPISODE), (source, OF_SOURCE)):
            _set(record, target, {name: cleaned[name] for name in names if name in cleaned})
        row.source = source
    return row


def _locked(model: type[Row], key: int) -> Row:
    """The current row, locked. Raises Conflict where it was deleted."""
    row = model._default_manager.select_for_update().filter(pk=key).first()
    if row is None:
        raise Conflict("This episode was deleted in the meantime.")
    return row


def _set(record: history.Recorder, row: Episode | Source, values: dict[str, Any]) -> None:
    if not values:
        return
    before = history.snapshot(row, names=values)
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=list(values))
    record.changed(row, before=before)


def delete(*, episode: Episode, by: Any) -> int:
    """Delete an episode with everything derived from it; an uploaded file is deleted too, a library file is kept.

    Returns how many stored files were deleted. Raises Conflict while a run uses the episode.
    """
    collection, source, label = episode.collection, episode.source, episode.label
    own_file = source_path(source) if source.uploaded else None
    with transaction.atomic():
        hold(collection)  # takes turns with the start of a run
        if StageRun.objects.filter(episode=episode).exclude(run__state__in=FINISHED).exists():
            raise Conflict(f"A run is working on {label}. Cancel it first.")
        names = stored_files.names_of({"collection": collection, "episode": episode})
        with history.operation(
            collection=collection, by=by, kind="sources.forget", summary=f"{label} ({source.name}) deleted"
        ):
            source.delete()
    if own_file is not None:
        own_file.unlink(missing_ok=True)
    return stored_files.remove_unused(store(), names)


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file. Raises BadInput when it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(HASH_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise BadInput(f"{path.name}: the file cannot be read ({os.strerror(error.errno or 0)}).") from error
    return digest.hexdigest()


def number_text(name: EpisodeName) -> str:
    """The episode's number as it is stored: `04`, `04a`, `11.5`, `01-02`, `OVA01`; empty when the name has none."""
    return replace(name, season=None).code.removeprefix("EP")[:20]


def _episode(source: Source, inspected: Inspected, about: About, *, folder: str) -> Episode:
    is_film = inspected.kind == SourceKind.VIDEO
    parsed = parse_name(source.name, folder=folder) if is_film else EpisodeName()
    return Episode.objects.create(
        collection=source.collection,
        source=source,
        series=plain_text(about.series or parsed.series)[:200],
        season=parsed.season,
        number=number_text(parsed),
        title=(source.name.rpartition(".")[0] if is_film or _is_file(source) else source.name)[:300],
        **_video_facts(inspected.video),
    )


def _video_facts(video: VideoInfo | None) -> dict[str, Any]:
    """Fields of an episode; the model's defaults where there is no film."""
    if video is None:
        return {}
    return {
        "duration_s": video.duration_s,
        "frame_rate": video.fps,
        "width": video.width,
        "height": video.height,
        "codec": video.codec[:40],
    }


def _is_file(source: Source) -> bool:
    return ending_of(source.name) in ZIP_ENDINGS | PICTURE_ENDINGS


def _image_type(about: About, kind: SourceKind) -> str:
    if about.image_type:
        if about.image_type not in ImageType.values:
            raise BadInput(
                f"There is no image type {plain_text(about.image_type)!r}; choose {', '.join(ImageType.values)}."
            )
        return about.image_type
    return ImageType.SCREENSHOTS if kind == SourceKind.VIDEO else ImageType.FANART


def _rating_scheme(text: str) -> str:
    if text not in RatingScheme.values:
        raise BadInput(f"There is no rating scheme {plain_text(text)!r}; choose old, new or none.")
    return text


def checked(values: dict[str, Any]) -> dict[str, Any]:
    """The values of FIELDS as `change` writes them. Raises BadInput for an invalid one."""
    cleaned: dict[str, Any] = {}
    for name, value in values.items():
        if name == "season":
            text = str(value or "").strip()
            if text and not (text.isascii() and text.isdigit() and len(text) <= 3):
                raise BadInput(f"Season {plain_text(text)!r} is not a number from 0 to 999.")
            cleaned[name] = int(text) if text else None
        elif name == "exportable":
            cleaned[name] = bool(value)
        elif name == "image_type":
            if value not in ImageType.values:
                raise BadInput(f"There is no image type {plain_text(str(value))!r}.")
            cleaned[name] = value
        elif name == "rating_scheme":
            cleaned[name] = _rating_scheme(str(value))
        elif name in ("series", "title", "number"):
            longest = {"series": 200, "title": 300, "number": 20}[name]
            text = plain_text(str(value), bytes_max=longest * 4)
            if len(text) > longest:
                raise BadInput(f"The {name} is longer than {longest} characters.")
            if name == "title" and not text:
                raise BadInput("The title must not be empty.")
            cleaned[name] = text
        elif name == "licence_note":
            cleaned[name] = str(value).strip()[:5000]
        else:
            raise BadInput(f"An episode has no field {plain_text(name)!r}.")
    return cleaned


def _starts_with(path: Path, prefix: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(prefix)) == prefix
    except OSError:
        return False
