"""Tags kept frames: what pixels and faces give away, and what an installed WD tagger sees. People's words stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from annotate.actions.model_versions import version_of
from annotate.actions.tags import resolve
from annotate.algorithms.computed_tags import COMPUTED_VERSION, computed_tags
from annotate.algorithms.face_features import Box
from annotate.algorithms.tag_rules import CHARACTER_THRESHOLD, GENERAL_THRESHOLD
from annotate.backends.contract import ModelInfo, Picture, Tagger
from annotate.backends.tagger_wd import WdTagger, installed
from annotate.models import Face, FrameTag, ModelVersion, Tag, TagCategory, TagState
from annotate.stages.side_tags import SIDE_FILE, tags_beside
from ingest.errors import BadInput
from ingest.imaging.decode import UnreadablePicture, read_picture
from ingest.imaging.store import Store
from ingest.models import Frame
from ingest.pipeline.contract import Context, Stage

BATCH = 16
SEEN_BY = "tags_by"  # in Frame.measures: the model versions that tagged the frame, sorted
COMPUTED = ModelInfo(task="tags", name="computed", revision=COMPUTED_VERSION, licence="MIT")
CATEGORIES = {"general": TagCategory.GENERAL, "character": TagCategory.CHARACTER, "rating": TagCategory.META}
NO_TAGGER = "none"


@dataclass(slots=True)
class TagParams:
    """`tagger`: a folder below the models folder, "" for the first one installed, "none" for computed tags only."""

    tagger: str = field(
        default="",
        metadata={
            "label": "WD tagger",
            "help": "a folder in KOMA_MODELS_DIR; empty: the first; none: computed tags only",
        },
    )
    general_threshold: float = field(
        default=GENERAL_THRESHOLD, metadata={"label": "Threshold of tags", "help": "0 to 1, for the WD tagger"}
    )
    character_threshold: float = field(
        default=CHARACTER_THRESHOLD, metadata={"label": "Threshold of character tags", "help": "0 to 1"}
    )
    mcut: bool = field(
        default=False, metadata={"label": "Own threshold each picture", "help": "MCut: at the widest gap of its scores"}
    )

    def __post_init__(self) -> None:
        for name in ("general_threshold", "character_threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Said:
    """One tag of a frame: name, category, score, and the key of the model version that gave it."""

    name: str
    category: int
    score: float
    version: int


@dataclass(frozen=True, slots=True)
class Result:
    """Frames with what is said of each, and in words those that could not be read."""

    said: list[tuple[Frame, list[Said]]]
    problems: list[str]


class TagFrames(Stage[list[Frame], Result]):
    """Frames that these versions of the taggers have not tagged yet."""

    name: ClassVar[str] = "tag"
    label: ClassVar[str] = "Tag"
    about: ClassVar[str] = "Tags kept frames from pixels and faces, and with an installed WD tagger."
    queue: ClassVar[str] = "gpu"
    params_type: ClassVar[type] = TagParams

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self.params: TagParams = ctx.params
        self.computed = tagger_version(COMPUTED)
        self.side_file = tagger_version(SIDE_FILE)
        self.keys: dict[str, int] = {}
        self.tagger = self._tagger()
        self.tagger_version = tagger_version(self.tagger.info) if self.tagger else None
        self.seen_by = sorted(version.pk for version in (self.computed, self.side_file, self.tagger_version) if version)
        self.store = Store(settings.KOMA_DATA_DIR / "store", reserve_bytes=settings.KOMA_DISK_RESERVE_BYTES)
        ctx.device = self.tagger.device if self.tagger else "CPU"

    def _tagger(self) -> Tagger | None:
        """The WD tagger chosen or found, kept in `ctx.models`; None when there is none."""
        names = installed(settings.KOMA_MODELS_DIR)
        name = self.params.tagger or (names[0] if names else NO_TAGGER)
        if name == NO_TAGGER:
            return None
        if name not in names:
            raise BadInput(
                f"There is no tagger {name!r} in {settings.KOMA_MODELS_DIR}: a folder of that name with model.onnx and "
                "selected_tags.csv. Put it there or choose another."
            )
        chosen = (self.params.general_threshold, self.params.character_threshold, self.params.mcut)
        key = f"tags:{name}:{chosen}"
        if key not in self.ctx.models:
            self.ctx.models[key] = WdTagger(
                settings.KOMA_MODELS_DIR / name, general=chosen[0], character=chosen[1], use_mcut=chosen[2]
            )
        tagger: Tagger = self.ctx.models[key]
        return tagger

    def pending(self) -> QuerySet[Frame]:
        """Kept frames with a full picture that were not tagged by exactly these versions."""
        frames = Frame.objects.kept().filter(collection=self.ctx.collection).exclude(file="")
        if self.ctx.episode is not None:
            frames = frames.filter(episode=self.ctx.episode)
        done = frames.filter(tagged=True, **{f"measures__{SEEN_BY}": self.seen_by})
        return frames.exclude(pk__in=done.values("pk"))

    def batches(self) -> Iterator[list[Frame]]:
        self.ctx.total = self.pending().count()
        faces = Face.objects.real().filter(frame__shot=OuterRef("shot"))
        rows: QuerySet[Frame] = self.pending().annotate(people_in_shot=Exists(faces)).order_by("pk")
        last = 0
        while batch := list(rows.filter(pk__gt=last)[:BATCH]):
            yield batch
            last = batch[-1].pk

    def work(self, batch: list[Frame]) -> Result:
        frames: list[Frame] = []
        pictures: list[Picture] = []
        problems: list[str] = []
        for frame in batch:
            try:
                pictures.append(read_picture(self.store.read(frame.file), name=f"frame {frame.index}").rgb)
                frames.append(frame)
            except (OSError, UnreadablePicture) as error:
                problems.append(f"frame {frame.index} was not tagged: its picture cannot be read: {error}")
        boxes = faces_of(frames)
        seen = self.tagger.tag(pictures) if self.tagger else []
        said: list[tuple[Frame, list[Said]]] = []
        for at, (frame, picture) in enumerate(zip(frames, pictures)):
            tags = {one.name: one for one in self._computed(frame, picture, boxes.get(frame.pk, []))}
            if self.tagger_version is not None:
                for tag in seen[at].tags:
                    # Of two that say the same the surer one is the origin.
                    if tag.name not in tags or tags[tag.name].score < tag.score:
                        category = CATEGORIES.get(tag.category, TagCategory.GENERAL)
                        tags[tag.name] = Said(tag.name, category, tag.score, self.tagger_version.pk)
                if seen[at].rating:
                    name = f"rating:{seen[at].rating}"
                    tags[name] = Said(name, TagCategory.META, 1.0, self.tagger_version.pk)
            for name, kind in tags_beside(frame.measures).items():
                tags[name] = Said(name, kind, 1.0, self.side_file.pk)
            said.append((frame, list(tags.values())))
        return Result(said, problems)

    def _computed(self, frame: Frame, picture: Picture, boxes: list[Box]) -> list[Said]:
        height, width = picture.shape[:2]
        scale = np.array([width, height, width, height])
        pixels: list[Box] = [tuple(float(v) for v in np.array(box) * scale) for box in boxes]  # type: ignore[misc]
        elsewhere = frame.shot_id is not None and bool(getattr(frame, "people_in_shot", False))
        found = computed_tags(picture, pixels, size=(frame.width, frame.height), people_elsewhere=elsewhere)
        return [Said(name, category_of(name), score, self.computed.pk) for name, score in found.tags.items()]

    def save(self, result: Result) -> int:
        for problem in result.problems:
            self.ctx.count("unreadable")
            self.ctx.log(problem)
        self._save_tags(result.said)
        for frame, _ in result.said:
            row = Frame.objects.select_for_update().get(pk=frame.pk)
            row.tagged = True
            row.measures = {**row.measures, SEEN_BY: self.seen_by}
            row.save(update_fields=["tagged", "measures"])
        self.ctx.count("frames", len(result.said))
        return len(result.said) + len(result.problems)

    def _save_tags(self, said: list[tuple[Frame, list[Said]]]) -> None:
        """Replace what models said of these frames; a person's yes or no stays and is not said again."""
        categories = {one.name: one.category for _, tags in said for one in tags}
        missing = {name: category for name, category in categories.items() if name not in self.keys}
        self.keys |= tag_keys(missing)
        keys = self.keys
        frames = [frame.pk for frame, _ in said]
        FrameTag.objects.filter(frame__in=frames, by_person=False).delete()
        taken = set(FrameTag.objects.filter(frame__in=frames).values_list("frame_id", "tag_id"))
        rows: dict[tuple[int, int], FrameTag] = {}
        for frame, tags in said:
            for one in sorted(tags, key=lambda tag: (-tag.score, tag.name)):
                place = (frame.pk, keys[one.name])
                if place not in taken and place not in rows:
                    rows[place] = FrameTag(
                        frame_id=place[0], tag_id=place[1], state=TagState.YES, score=one.score,
                        model_version_id=one.version,
                    )  # fmt: skip
        FrameTag.objects.bulk_create(rows.values(), batch_size=500)
        self.ctx.count("tags", len(rows))


def tag_keys(categories: dict[str, int]) -> dict[str, int]:
    """Keys of the tags by the names that models use; unknown tags are made with their category, aliases followed."""
    before = set(Tag.objects.filter(name__in=categories).values_list("name", flat=True))
    keys: dict[str, int] = {}
    for name, category in sorted(categories.items()):
        tag = resolve([name], make=True)[0]
        keys[name] = tag.pk
        if name not in before and tag.name == name and tag.category != category:
            Tag.objects.filter(pk=tag.pk).update(category=category)
    return keys


def category_of(name: str) -> int:
    """Danbooru's category of a computed tag: sizes are meta."""
    return TagCategory.META if name in ("lowres", "highres", "absurdres") else TagCategory.GENERAL


def faces_of(frames: list[Frame]) -> dict[int, list[Box]]:
    """Relative boxes of the real faces of frames, by frame key, from left to right."""
    found: dict[int, list[Box]] = {}
    rows = Face.objects.real().filter(frame__in=frames).order_by("frame_id", "left", "pk")
    for frame, left, top, right, bottom in rows.values_list("frame_id", "left", "top", "right", "bottom"):
        found.setdefault(frame, []).append((left, top, right, bottom))
    return found


def tagger_version(info: ModelInfo) -> ModelVersion:
    """The row of a tagger; other thresholds are another revision, since they give other tags."""
    parts = [info.revision, *(f"{name}={value}" for name, value in sorted(info.settings.items()))]
    return version_of(info, revision=" ".join(parts))
