"""Writes the full pictures of frames that have only a preview: decoded from the source at their time codes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from django.conf import settings

from ingest.errors import BadInput
from ingest.imaging.encode import PictureFormat, encode
from ingest.imaging.extraction import AS_CODED, FrameRequest, decode_pictures
from ingest.imaging.video import UnreadableVideo
from ingest.models import Episode, Frame, Source
from ingest.storage.stored_files import store

RESTORED_MAX = 100  # films are searched for each picture; more would keep a page waiting: a run writes them


def source_path(source: Source) -> Path:
    """The path of a source; uploads are below the data folder, library files where they were found."""
    return settings.KOMA_DATA_DIR / source.path if source.uploaded else Path(source.path)


def write_full_pictures(frames: Iterable[Frame]) -> int:
    """Fill `file` of each frame that has none; returns how many were written. Select `episode__source` before.

    Raises BadInput, which names the source, when it is missing or can no longer be decoded; what was written is kept.
    """
    written = 0
    for frame, name in full_pictures(frame for frame in frames if not frame.file):
        Frame.objects.filter(pk=frame.pk, file="").update(file=name)
        frame.file = name
        written += 1
    return written


def needs_run(frames: Iterable[Frame]) -> bool:
    """Whether there are too many full pictures to write for a page to wait."""
    return sum(not frame.file for frame in frames) > RESTORED_MAX


def check_source(episode: Episode) -> Path:
    """The path of an episode's film. Raises BadInput when it is missing."""
    source = episode.source
    path = source_path(source)
    if not path.exists():
        text = f"{episode} can't provide the full picture: {source.name} is gone. Put it back where it was."
        raise BadInput(text)
    return path


def full_pictures(frames: Iterable[Frame]) -> Iterator[tuple[Frame, str]]:
    """Decode full pictures into the store; yields each frame with its stored name and writes no row. Raises BadInput.

    In the order of episodes and times, since neighbouring frames are decoded together.
    """
    ordered = sorted(frames, key=lambda frame: (frame.episode_id, frame.time_s))
    for _, group in groupby(ordered, key=lambda frame: frame.episode_id):
        group_frames = list(group)
        path = check_source(group_frames[0].episode)
        pictures = decode_pictures(path, [_picture_request(frame) for frame in group_frames])
        for frame in group_frames:
            try:
                picture = next(pictures)
            except UnreadableVideo as error:
                raise BadInput(f"{frame.episode} at {frame.time_s:.2f} s: {error}") from error
            how = PictureFormat(
                frame.measures.get("format") or PictureFormat.name,
                frame.measures.get("format_quality") or PictureFormat.quality,
            )
            yield frame, store().put(encode(picture, how), how.suffix)


def _picture_request(frame: Frame) -> FrameRequest:
    """As the extraction took it: cut to the same letterbox box, HDR tone-mapped or left."""
    box = frame.measures.get("trim")
    return FrameRequest(
        frame.time_s,
        (box[0], box[1], box[2], box[3]) if box else None,
        tone_map=frame.measures.get("hdr") != AS_CODED,
    )
