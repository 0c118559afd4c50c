"""Captions of kept frames by a model that is given their tags and characters. A person's caption stays."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from PIL import Image

from annotate.actions.model_versions import version_of
from annotate.algorithms.caption_prompts import SYSTEM, TEMPLATE_MAX, TEMPLATES, prompt_of
from annotate.backends.captioners.endpoint import ChatEndpoint
from annotate.backends.contract import CaptionAsk, CaptionResult
from annotate.chosen_models.captioner import name_of, open_captioner, server_is_set
from annotate.chosen_models.tasks import NONE
from annotate.models import CaptionAnswer, Face, FaceState, FrameTag, ModelCaption, TagCategory, TagState
from ingest.errors import Cancelled, KomaError
from ingest.imaging.decode import UnreadablePicture, read_picture
from ingest.imaging.store import UnknownName
from ingest.models import Frame
from ingest.pipeline.contract import Context, Stage
from ingest.storage.stored_files import store

ROUNDS = 2  # requests per batch and concurrent request: few enough to stop soon, enough to keep the server busy
BATCH_LEAST = 4
FAILED_IN_ROW_MAX = 16  # pictures; more than these are not caused by the pictures
REASONS_MAX = 40  # lines of the log
JPEG_QUALITY = 90
SIDE_LEAST, SIDE_MOST = 64, 4096


@dataclass(slots=True)
class CaptionParams:
    """`prompt` replaces the template and may hold {tags} and {names}; `again`: caption again if the request changed."""

    captioner: str = field(
        default="", metadata={"label": "Captioner", "help": "server, or an installed model; empty: the collection's"}
    )
    template: str = field(
        default="sentences",
        metadata={
            "label": "Length",
            "choices": (("sentences", "two to four sentences"), ("short", "one sentence"), ("long", "every detail")),
        },
    )
    prompt: str = field(
        default="",
        metadata={"label": "Custom prompt", "help": "{tags} and {names} are filled in; empty: use the length above"},
    )
    tags_max: int = field(default=30, metadata={"label": "Maximum tags in the prompt", "help": "0: none"})
    side: int = field(
        default=1024, metadata={"label": "Longest side in pixels", "help": "of the picture sent to the model"}
    )
    max_tokens: int = field(default=300, metadata={"label": "Maximum tokens per caption"})
    again: bool = field(
        default=False, metadata={"label": "Refresh captions", "help": "where tags, names or the picture changed since"}
    )

    def __post_init__(self) -> None:
        if self.template not in TEMPLATES:
            raise ValueError(f"template must be one of {', '.join(TEMPLATES)}, not {self.template!r}")
        if len(self.prompt) > TEMPLATE_MAX:
            raise ValueError(f"prompt has {len(self.prompt):,} characters; at most {TEMPLATE_MAX:,}")
        for name, minimum, maximum in (
            ("tags_max", 0, 200), ("side", SIDE_LEAST, SIDE_MOST), ("max_tokens", 1, 4000),
        ):  # fmt: skip
            if not minimum <= getattr(self, name) <= maximum:
                raise ValueError(f"{name} must be between {minimum} and {maximum}, not {getattr(self, name)}")


@dataclass(slots=True)
class Item:
    """A frame, its request, the request's key, and the answer once there is one."""

    frame: Frame
    prompt: str
    asked: str
    outcome: CaptionResult | None = None
    known: bool = False


class WriteCaptions(Stage[list[Item], list[Item]]):
    """Kept frames without a person's caption that this model has not described with this prompt."""

    name: ClassVar[str] = "caption"
    label: ClassVar[str] = "Caption"
    about: ClassVar[str] = (
        "Writes captions for kept frames with a captioning model; needs a server or an installed model."
    )
    queue: ClassVar[str] = "io"
    params_type: ClassVar[type] = CaptionParams

    @classmethod
    def by_default(cls) -> bool:
        return server_is_set()

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self.params: CaptionParams = ctx.params
        self.name_of_captioner = name_of(ctx.collection, requested=self.params.captioner)
        self.is_enabled = self.name_of_captioner != NONE
        self.written = self.failed = self.failed_in_row = 0
        self.postponed: list[int] = []  # frames of the last batch that ran out of time; first in the next one
        self.last_reason = ""
        self.cancelled: Cancelled | None = None

    def _open(self) -> None:
        self.captioner = open_captioner(
            self.name_of_captioner, max_tokens=self.params.max_tokens, models=self.ctx.models, alive=self._alive
        )
        self.template = self.params.prompt.strip() or TEMPLATES[self.params.template]
        info = self.captioner.info
        how = [info.revision, SYSTEM, self.template, self.params.tags_max, self.params.side, self.params.max_tokens]
        word = "own" if self.params.prompt.strip() else self.params.template
        self.version = version_of(info, revision=f"{info.revision} {word} {_digest(how)[:8]}".strip())
        self.identity = [info.name, info.sha256, *how[:2], self.params.side, self.params.max_tokens]
        self.store = store()
        self.ctx.device = self.captioner.device

    def batches(self) -> Iterator[list[Item]]:
        self._open()
        pending = self._pending()
        self.ctx.total = pending.count()
        size = max(BATCH_LEAST, ROUNDS * self.captioner.in_flight)
        last = 0
        while frames := (
            list(pending.filter(pk__in=self.postponed).order_by("pk"))
            or list(pending.filter(pk__gt=last).order_by("pk")[:size])
        ):
            self.postponed = []
            last = max(last, frames[-1].pk)
            if items := self._items(frames):
                yield items
            # Raised only after earlier answers were saved: nothing that was paid for is lost.
            if self.cancelled is not None:
                raise self.cancelled
            if self.captioner.broken:
                raise KomaError(self.captioner.broken, permanent=False)
            if self.failed_in_row >= FAILED_IN_ROW_MAX:
                raise KomaError(
                    f"{self.failed_in_row} pictures in a row got no caption, so the run stops. Last error: "
                    f"{self.last_reason} Fix this and press Retry.",
                    permanent=False,
                )

    def close(self) -> None:
        """Close a server's connections, kept for one stage; installed models stay open for the next."""
        if isinstance(captioner := getattr(self, "captioner", None), ChatEndpoint):
            captioner.close()

    def _alive(self) -> None:
        """Call the runner's heartbeat; a cancel is deferred until the answers received before it are saved."""
        try:
            self.ctx.alive()
        except Cancelled as cancelled:
            self.cancelled = cancelled
            raise

    def _pending(self) -> QuerySet[Frame]:
        frames = self.ctx.frames().filter(caption__isnull=True)
        if self.params.again:
            return frames  # `_items` filters those whose request is unchanged
        captions = ModelCaption.objects.filter(frame=OuterRef("pk"), model_version=self.version)
        return frames.filter(~Exists(captions))

    def _items(self, frames: list[Frame]) -> list[Item]:
        tags, names = self._tags(frames), names_of(frames)
        items = []
        for frame in frames:
            prompt = prompt_of(self.template, tags=tags.get(frame.pk, ()), names=names.get(frame.pk, ()))
            picture = frame.file.rpartition("/")[2].partition(".")[0]  # the store names files by their sha256
            items.append(Item(frame, prompt, _digest([*self.identity, prompt, picture])))
        if self.params.again:
            captions = ModelCaption.objects.filter(frame__in=frames, model_version=self.version)
            same = set(captions.values_list("frame_id", "asked"))
            items = [item for item in items if (item.frame.pk, item.asked) not in same]
            self.ctx.total -= len(frames) - len(items)
        answers = dict(
            CaptionAnswer.objects.filter(asked__in=[item.asked for item in items]).values_list("asked", "text")
        )
        for item in items:
            if item.asked in answers:
                item.outcome, item.known = CaptionResult(text=answers[item.asked]), True
        return items

    def _tags(self, frames: list[Frame]) -> dict[int, list[str]]:
        tags: dict[int, list[str]] = {}
        rows = FrameTag.objects.filter(frame__in=frames, state=TagState.YES, tag__category=TagCategory.GENERAL)
        for frame, name in rows.order_by("frame_id", "-score", "tag__name").values_list("frame_id", "tag__name"):
            listed = tags.setdefault(frame, [])
            if len(listed) < self.params.tags_max:
                listed.append(name)
        return tags

    def work(self, batch: list[Item]) -> list[Item]:
        waiting: list[tuple[Item, CaptionAsk]] = []
        for item in batch:
            if item.outcome is None:
                try:
                    waiting.append((item, CaptionAsk(item.prompt, self._jpeg(item.frame))))
                except (UnreadablePicture, FileNotFoundError, UnknownName) as error:
                    item.outcome = CaptionResult(problem=str(error))
        outcomes = self.captioner.caption([ask for _, ask in waiting])
        for (item, _), answer in zip(waiting, outcomes, strict=True):
            item.outcome = answer
        return batch

    def _jpeg(self, frame: Frame) -> bytes:
        image = Image.fromarray(read_picture(self.store.read(frame.file), name=frame.file).rgb)
        image.thumbnail((self.params.side, self.params.side), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        image.save(out, "JPEG", quality=JPEG_QUALITY)
        return out.getvalue()

    def save(self, result: list[Item]) -> int:
        done = [item for item in result if item.outcome is not None and item.outcome.text]
        CaptionAnswer.objects.bulk_create(
            [
                CaptionAnswer(asked=item.asked, text=item.outcome.text)
                for item in done
                if item.outcome and not item.known
            ],
            ignore_conflicts=True,
        )
        # Answers take long, so a frame may have been deleted since.
        existing = set(Frame.objects.filter(pk__in=[item.frame.pk for item in done]).values_list("pk", flat=True))
        to_save = [item for item in done if item.frame.pk in existing]
        ModelCaption.objects.bulk_create(
            [
                ModelCaption(
                    frame=item.frame, model_version=self.version, text=item.outcome.text, asked=item.asked,
                    written_at=timezone.now(),
                )
                for item in to_save
                if item.outcome
            ],
            update_conflicts=True,
            unique_fields=["frame", "model_version"],
            update_fields=["text", "asked", "written_at"],
        )  # fmt: skip
        self.ctx.count("captions", len(to_save))
        self.written += len(done)
        for what, count in (
            ("from_memory", sum(item.known for item in done)),
            ("cut_short", sum(bool(item.outcome and item.outcome.cut) for item in done)),
        ):
            if count:
                self.ctx.count(what, count)
        late = [item for item in result if item.outcome is not None and item.outcome.postponed]
        if len(late) == len(result):  # waiting longer would never end
            late = []
        self.postponed = [item.frame.pk for item in late]
        return len(done) + self._failures([item for item in result if item not in late])

    def _failures(self, result: list[Item]) -> int:
        """Count and report pictures without a caption; those a broken server was not asked about stay pending."""
        count = 0
        for item in result:
            outcome = item.outcome or CaptionResult()
            if outcome.text:
                self.failed_in_row = 0
            elif not self.captioner.broken or outcome.problem != self.captioner.broken:
                count += 1
                self.failed_in_row += 1
                self.last_reason = outcome.problem
                if self.failed + count <= REASONS_MAX:
                    self.ctx.log(f"{item.frame.name or f'frame {item.frame.index}'}: {outcome.problem}")
        self.failed += count
        if count:
            self.ctx.count("failed", count)
        return count

    def finish(self) -> None:
        if self.failed and not self.written:
            raise KomaError(
                f"None of {self.failed:,} pictures got a caption. Last error: {self.last_reason}", permanent=False
            )


def names_of(frames: list[Frame]) -> dict[int, list[str]]:
    """Return the known characters of frames from left to right, each once, by frame key."""
    rows = Face.objects.filter(frame__in=frames, state=FaceState.FACE, character__isnull=False)
    names: dict[int, list[str]] = {}
    for frame, name in rows.order_by("frame_id", "left", "pk").values_list("frame_id", "character__name"):
        listed = names.setdefault(frame, [])
        if name not in listed:
            listed.append(name)
    return names


def _digest(parts: list[object]) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()
