"""Batches of frames with bounded total pixels, for stages that hold decoded pictures in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ingest.models import Frame

BATCH_PIXELS = 2**26 // 3  # 64 MiB of RGB


def by_pixels(frames: Iterable[Frame], *, pixels_max: int) -> Iterator[list[Frame]]:
    """The frames in order, in parts of at most `most` and BATCH_PIXELS; a frame with more pixels comes alone.

    The pixels of the original are counted; the working copy that is read never has more.
    """
    part: list[Frame] = []
    held = 0
    for frame in frames:
        pixels = frame.width * frame.height
        if part and (len(part) >= pixels_max or held + pixels > BATCH_PIXELS):
            yield part
            part, held = [], 0
        part.append(frame)
        held += pixels
    if part:
        yield part
