"""Extracts the distinct pictures of a film into Frame and Shot rows and stored files, in one decoding pass."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from ingest.algorithms.descriptors import DESCRIPTOR_VERSION
from ingest.algorithms.quality import QUALITY_VERSION, overall
from ingest.errors import BadInput, KomaError
from ingest.imaging.encode import PictureFormat, encode, encode_preview, placeholder
from ingest.imaging.extraction import AS_CODED, TONE_MAPPED, Extracted, ExtractParams, ExtractSummary, extract
from ingest.imaging.store import StoreFull
from ingest.models import Episode, Frame, RunState, Shot, SourceKind, StageRun
from ingest.pipeline.contract import Context, Stage
from ingest.pipeline.side_by_side import side_by_side
from ingest.restoring import source_path
from ingest.stages.choices import PICTURE_FORMAT, PICTURE_QUALITY
from ingest.storage.stored_files import store

BATCH = 16
BATCH_S = 2.0
THREADS = 2
DELETE_BATCH = 500

PICTURE_FIELDS = (
    "shot",
    "pts",
    "time_s",
    "end_s",
    "run_length",
    "file",
    "preview",
    "placeholder",
    "descriptor",
    "descriptor_version",
    "quality",
    "quality_version",
    "measures",
)


@dataclass(slots=True)
class ExtractChoices:
    """Settings of a run; docs/decisions.md explains the default picture format. Raises ValueError."""

    mode: str = field(
        default="drawings",
        metadata={
            "label": "Which frames",
            "choices": (
                ("drawings", "every distinct drawing"),
                ("mpdecimate", "frames kept by ffmpeg's mpdecimate"),
                ("keyframes", "key frames of the video"),
                ("interval", "one frame per interval"),
            ),
            "help": "distinct drawings miss nothing; key frames are fastest",
        },
    )
    every_s: float = field(default=0.5, metadata={"label": "Interval in seconds", "help": "for one frame per interval"})
    trim_bars: bool = field(default=False, metadata={"label": "Trim letterbox bars"})
    tone_map: bool = field(
        default=True,
        metadata={
            "label": "Tone-map HDR",
            "help": "convert PQ and HLG films to standard range; off: pictures look grey",
        },
    )
    use_gpu: bool = field(
        default=False,
        metadata={"label": "Decode on the GPU", "help": "NVDEC; if it is unavailable, the log says why"},
    )
    picture_format: str = field(default=PictureFormat.name, metadata=PICTURE_FORMAT)
    picture_quality: int = field(default=PictureFormat.quality, metadata=PICTURE_QUALITY)

    def __post_init__(self) -> None:
        self.extraction()
        self.format()

    def extraction(self) -> ExtractParams:
        """The settings of the extraction. Raises ValueError."""
        return ExtractParams(
            mode=self.mode,
            every_s=self.every_s,
            trim_bars=self.trim_bars,
            tone_map=self.tone_map,
            use_gpu=self.use_gpu,
        )

    def format(self) -> PictureFormat:
        """The format of full pictures. Raises ValueError."""
        return PictureFormat(self.picture_format, self.picture_quality)


@dataclass(slots=True)
class Batch:
    """Pictures in order of time, the number of frames decoded for them, and the cuts since the previous batch
    (seconds).
    """

    pictures: list[Extracted]
    decoded: int
    cuts_s: list[float]
    until_s: float


@dataclass(slots=True)
class Written:
    """A batch whose files are stored: (full picture, preview, placeholder) by the picture's index."""

    batch: Batch
    files: dict[int, tuple[str, str, str]]


class Extract(Stage[Batch, Written]):
    """Decode an episode once; a second pass over the same film writes the same rows and files."""

    name = "extract"
    label = "Frames"
    about = "Decodes each video once and extracts its frames and cuts."
    queue = "cpu"
    writes_files = True
    begins_again = True
    params_type = ExtractChoices

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._summary = ExtractSummary()
        self._seen: set[int] = set()
        self._shots: list[int] = []  # keys of the shots' rows by their index

    @property
    def _episode(self) -> Episode:
        assert self.ctx.episode is not None
        return self.ctx.episode

    def applies(self) -> bool:
        """Only for films, and only if the last finished extraction had other settings."""
        return self.ctx.episode is not None and self._episode.source.kind == SourceKind.VIDEO and not self._is_done()

    def _is_done(self) -> bool:
        if self._episode.extracted_at is None:
            return False
        earlier = StageRun.objects.filter(episode=self._episode, stage=self.name, state=RunState.DONE)
        last = earlier.exclude(pk=self.ctx.stage_run.pk).select_related("run").order_by("-finished_at").first()
        if last is None:
            return False
        try:
            return bool(ExtractChoices(**last.run.params.get(self.name, {})) == self.ctx.params)
        except (TypeError, ValueError):
            return False

    def batches(self) -> Iterator[Batch]:
        """Yield pictures when a batch is full or BATCH_S have passed. Raises BadInput for a missing film."""
        source = self._episode.source
        path = source_path(source)
        if not path.exists():
            raise BadInput(f"{source.name} is missing. Restore the file, then press Retry.")
        self.ctx.start_over()
        self.ctx.counters.clear()  # of an interrupted attempt, which starts over
        summary = self._summary
        pictures: list[Extracted] = []
        decoded, cuts, batch_started = 0, 0, time.monotonic()
        for picture in extract(path, self.ctx.params.extraction(), summary=summary, alive=self.ctx.alive):
            if summary.info is not None:
                self.ctx.total = summary.info.frames
                self.ctx.device = summary.device
            pictures.append(picture)
            if len(pictures) >= BATCH or time.monotonic() - batch_started > BATCH_S:
                yield Batch(pictures, summary.decoded - decoded, summary.shot_starts[cuts:], summary.last_time_s)
                pictures, batch_started = [], time.monotonic()
                decoded, cuts = summary.decoded, len(summary.shot_starts)
        yield Batch(pictures, summary.decoded - decoded, summary.shot_starts[cuts:], summary.duration_s)

    def work(self, batch: Batch) -> Written:
        """Encode and store the pictures. Raises KomaError on a full disk; earlier batches stay."""
        how = self.ctx.params.format()

        def encoded(picture: Extracted) -> tuple[bytes | None, bytes, str]:
            full = encode(picture.image, how) if picture.image is not None else None
            picture.image = None
            return full, encode_preview(picture.preview), placeholder(picture.preview)

        results = side_by_side(encoded, batch.pictures, threads=THREADS, alive=self.ctx.alive)
        items: list[tuple[bytes, str]] = []
        for full, preview, _ in results:
            items += [(full, how.suffix)] if full is not None else []
            items.append((preview, "jpg"))
        self.ctx.spend(sum(len(data) for data, _ in items), len(batch.pictures))
        try:
            names = iter(store().put_many(items))
        except StoreFull as error:
            raise KomaError(str(error), permanent=False) from error
        files = {
            picture.index: (next(names) if full is not None else "", next(names), tiny)
            for picture, (full, _, tiny) in zip(batch.pictures, results, strict=True)
        }
        return Written(batch, files)

    def save(self, result: Written) -> int:
        """Write rows by (episode, index); a person's decision to keep or drop a frame stays."""
        batch = result.batch
        self._save_shots(batch.cuts_s, batch.until_s)
        indexes = [picture.index for picture in batch.pictures]
        existing = {frame.index: frame for frame in Frame.objects.filter(episode=self._episode, index__in=indexes)}
        created: list[Frame] = []
        changed: list[Frame] = []
        for picture in batch.pictures:
            frame = existing.get(picture.index)
            if frame is not None and (frame.width, frame.height) != (picture.width, picture.height):
                # Cut to another size: its boxes are no longer valid.
                frame.delete()
                frame = None
            row = self._fill_row(frame, picture, result.files[picture.index])
            (created if frame is None else changed).append(row)
            self.ctx.count(picture.reason or "kept")
        Frame.objects.bulk_create(created)
        Frame.objects.bulk_update(changed, [*PICTURE_FIELDS, "state", "reason", "duplicate_of", "distance"])
        self._seen.update(indexes)
        return batch.decoded

    def _fill_row(self, frame: Frame | None, picture: Extracted, files: tuple[str, str, str]) -> Frame:
        if frame is None:
            frame = Frame(
                collection_id=self._episode.collection_id,
                episode=self._episode,
                index=picture.index,
                width=picture.width,
                height=picture.height,
            )
        frame.shot_id = self._shots[picture.shot] if picture.shot in range(len(self._shots)) else None
        frame.pts, frame.time_s, frame.end_s = picture.pts, picture.time_s, picture.end_s
        frame.run_length = picture.count
        frame.file, frame.preview, frame.placeholder = files
        frame.descriptor = picture.descriptor.tobytes()
        frame.descriptor_version = DESCRIPTOR_VERSION
        frame.quality, frame.quality_version = overall(picture.measures), QUALITY_VERSION
        frame.measures = self._measures(picture)
        if not frame.decided:
            frame.state, frame.reason = picture.state, picture.reason
            frame.duplicate_of, frame.distance = None, None
        return frame

    def _measures(self, picture: Extracted) -> dict[str, Any]:
        measures: dict[str, Any] = picture.measures.as_dict() | {"first_s": picture.first_s}
        # Needed to write the same picture again when a frame is restored.
        measures["format"] = self.ctx.params.picture_format
        if self.ctx.params.picture_quality != PictureFormat.quality:
            measures["format_quality"] = self.ctx.params.picture_quality
        if self._summary.hdr:
            measures["hdr"] = TONE_MAPPED if self.ctx.params.tone_map else AS_CODED
        if self._summary.box is not None:
            measures["trim"] = list(self._summary.box)
        return measures

    def _save_shots(self, cuts_s: list[float], until_s: float) -> None:
        """Write shots that begin at the cuts; the last one ends at `until_s` (seconds). Earlier shots stay."""
        first = max(0, len(self._shots) - 1)
        rows = {
            shot.index: shot
            for shot in Shot.objects.filter(
                episode=self._episode, index__gte=first, index__lt=len(self._shots) + len(cuts_s)
            )
        }
        starts = [*([rows[first].start_s] if self._shots else []), *cuts_s]
        created: list[Shot] = []
        changed: list[Shot] = []
        for index, (start_s, end_s) in enumerate(zip(starts, [*starts[1:], until_s], strict=True), first):
            shot = rows.get(index)
            if shot is None:
                rows[index] = Shot(episode=self._episode, index=index, start_s=start_s, end_s=end_s)
                created.append(rows[index])
            elif (shot.start_s, shot.end_s) != (start_s, end_s):
                shot.start_s, shot.end_s = start_s, end_s
                changed.append(shot)
        Shot.objects.bulk_create(created)
        Shot.objects.bulk_update(changed, ["start_s", "end_s"], batch_size=500)
        # A new list, since the transaction may be rolled back and repeated.
        self._shots = [*self._shots[:first], *(rows[index].pk for index in range(first, first + len(starts)))]

    def finish(self) -> None:
        """Save the film's properties and delete undecided frames of an earlier extraction with other settings."""
        summary, episode = self._summary, self._episode
        self._save_shots(summary.shot_starts[len(self._shots) :], summary.duration_s)
        undecided = Frame.objects.filter(episode=episode, decided=False)
        stale_indexes = sorted(set(undecided.values_list("index", flat=True)) - self._seen)
        for start in range(0, len(stale_indexes), DELETE_BATCH):  # databases limit the number of parameters
            undecided.filter(index__in=stale_indexes[start : start + DELETE_BATCH]).delete()
        Shot.objects.filter(episode=episode, index__gte=len(summary.shot_starts)).delete()
        if summary.info is not None:
            episode.width, episode.height = summary.info.width, summary.info.height
            episode.codec, episode.frame_rate = summary.info.codec[:40], summary.info.fps
        episode.duration_s, episode.decoded = summary.duration_s, summary.decoded
        episode.warnings = summary.warnings
        episode.extracted_at = timezone.now()
        episode.save(
            update_fields=[
                "width", "height", "codec", "frame_rate", "duration_s", "decoded", "warnings", "extracted_at",
            ]
        )  # fmt: skip
        self.ctx.device = summary.device
        for line in summary.warnings:
            self.ctx.log(line)
