"""Detects the faces of kept frames and crops their heads; boxes that a person drew, moved or rejected stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from annotate.actions.head_crops import CROP_FORMAT, head_file
from annotate.actions.model_versions import version_of
from annotate.algorithms import boxes
from annotate.algorithms.box_scale import Border
from annotate.backends.boxes.known_detectors import CascadeOptions, open_detector
from annotate.backends.boxes.lbp import NEIGHBOURS, SIDE_MIN, STEP, CascadeFaces
from annotate.backends.contract import Detections, FaceDetector, Picture
from annotate.backends.runtime.onnx_session import AUTO, DEVICES
from annotate.backends.runtime.open_models import opened_once, stamp_of_name
from annotate.chosen_models.choices import chosen
from annotate.chosen_models.tasks import NONE
from annotate.counters.face_columns import SEEN_BY, recount
from annotate.models import Face, FaceState, ModelVersion, NamedBy
from annotate.stages.by_pixels import by_pixels
from ingest.imaging.decode import UnreadablePicture, read_picture
from ingest.models import Frame
from ingest.pipeline.contract import Context, Stage
from ingest.storage.stored_files import store

BATCH = 8
SAME_IOU = 0.4  # IoU from which a detected box and a row's box are the same face
COVERED = 0.75  # share of the smaller box from which a detection in or around a person's box is that box


BORDERS = (("shift", "moved inside"), ("clamp", "cut"), ("drop", "left out"))
DEVICE = {
    "label": "Device",
    "help": "auto uses the GPU if it works; cuda requires it",
    "choices": [(device, device) for device in DEVICES],
}


@dataclass(slots=True)
class DetectParams:
    """`model`: empty for the collection's; `threshold`: None for the model's own. Boxes with an aspect ratio above
    `ratio_max` are not faces. The `lbp` settings apply to cascades, `dynamic` to YOLO detectors."""

    model: str = field(
        default="",
        metadata={
            "label": "Model", "help": "empty: the collection's choice; or a name in KOMA_MODELS_DIR"
        },
    )  # fmt: skip
    threshold: float | None = field(
        default=None,
        metadata={
            "type": float,
            "label": "Threshold",
            "help": "0 to 1; higher values find fewer; empty: the model's default",
        },
    )
    ratio_max: float = field(default=2.0, metadata={"label": "Maximum side ratio", "help": "longer boxes are rejected"})
    dynamic: bool = field(
        default=False,
        metadata={
            "label": "YOLO: keep the aspect ratio",
            "help": "as imgutils 0.2 does; off: stretch to the model's input size",
        },
    )
    lbp_step: float = field(
        default=STEP, metadata={"label": "Cascade: pyramid step", "help": "1.1 as published; higher values are faster"}
    )
    lbp_side_min: int = field(default=SIDE_MIN, metadata={"label": "Cascade: minimum face size", "help": "pixels"})
    lbp_neighbours: int = field(
        default=NEIGHBOURS, metadata={"label": "Cascade: neighbours", "help": "higher values find fewer"}
    )
    lbp_box_scale: float = field(
        default=1.0,
        metadata={"label": "Cascade: box scale", "help": "1 for the face, 1.5 for the head"},
    )
    lbp_border: str = field(
        default=Border.SHIFT.value,
        metadata={"label": "Cascade: at image edges", "help": "boxes that extend beyond the image", "choices": BORDERS},
    )
    device: str = field(default=AUTO, metadata=DEVICE)

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise ValueError(f"threshold must be between 0 and 1, not {self.threshold}")
        if self.ratio_max < 1:
            raise ValueError(f"ratio_max must be 1 or more, not {self.ratio_max}")
        if self.device not in DEVICES:
            raise ValueError(f"device must be one of {', '.join(DEVICES)}, not {self.device!r}")
        if self.lbp_border not in dict(BORDERS):
            raise ValueError(f"lbp_border must be one of {', '.join(dict(BORDERS))}, not {self.lbp_border!r}")

    @property
    def cascade(self) -> CascadeOptions:
        """The settings of a cascade, by its names."""
        return CascadeOptions(
            step=self.lbp_step, side_min=self.lbp_side_min, neighbours=self.lbp_neighbours,
            box_scale=self.lbp_box_scale, border=Border(self.lbp_border),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class DetectedFrame:
    """Result of one frame: its picture, relative boxes [n, 4] with scores [n], names of the head crops in the store."""

    frame: Frame
    picture: Picture
    detections: Detections
    crops: list[str]


@dataclass(frozen=True, slots=True)
class Result:
    """The frames of a batch, and the problems of those that could not be read."""

    frames: list[DetectedFrame]
    problems: list[str]


class Detect(Stage[list[Frame], Result]):
    """Frames that this model version has not processed yet, or whose faces lack their crop."""

    name: ClassVar[str] = "detect"
    label: ClassVar[str] = "Find faces"
    about: ClassVar[str] = "Finds faces in kept frames. Boxes that people drew or rejected are kept."
    queue: ClassVar[str] = "gpu"
    writes_files = True
    params_type: ClassVar[type] = DetectParams

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self.params: DetectParams = ctx.params
        detector = self._detector()
        self.is_enabled = detector is not None
        if detector is None:
            return
        self.detector = detector
        self.version = self._version()
        self.store = store()
        ctx.device = self.detector.device

    def _detector(self) -> FaceDetector | None:
        """Open the detector. Cached in `ctx.models`, so that a persistent process loads each model once, and again when
        its files or settings change."""
        params = self.params
        name = params.model or chosen(self.ctx.collection, "faces")
        if name == NONE:
            return None
        models_dir = settings.KOMA_MODELS_DIR
        stamp = (stamp_of_name(name, models_dir), params.threshold, params.dynamic, params.cascade)
        detector: FaceDetector = opened_once(
            self.ctx.models, f"faces:{name}:{params.device}", stamp,
            lambda: open_detector(
                name, models_dir, threshold=params.threshold, cascade=params.cascade, dynamic=params.dynamic,
                device=params.device,
            ),
        )  # fmt: skip
        return detector

    def _version(self) -> ModelVersion:
        """Return the model version. Settings that differ from the model's give another revision, as they find other
        faces."""
        words = [] if self.params.threshold is None else [f"at {self.params.threshold:g}"]
        if isinstance(self.detector, CascadeFaces) and self.params.cascade.words:
            words.append(f"with {self.params.cascade.words}")
        revision = " ".join([self.detector.info.revision, *words]).strip() if words else ""
        return version_of(self.detector.info, revision=revision)

    def pending(self) -> QuerySet[Frame]:
        """Kept frames with a full picture that still have to be processed."""
        frames = self.ctx.frames()
        bare = Face.objects.real().filter(frame=OuterRef("pk"), crop="")
        seen = Q(face_count__isnull=False, **{f"measures__{SEEN_BY}": self.version.pk})
        return frames.filter(~Q(pk__in=frames.filter(seen).values("pk")) | Exists(bare))

    def batches(self) -> Iterator[list[Frame]]:
        self.ctx.total = self.pending().count()
        last = 0
        while batch := list(self.pending().filter(pk__gt=last).order_by("pk")[:BATCH]):
            yield from by_pixels(batch, pixels_max=BATCH)
            last = batch[-1].pk

    def work(self, batch: list[Frame]) -> Result:
        frames, pictures, problems = [], [], []
        for frame in batch:
            self.ctx.alive()
            try:
                pictures.append(read_picture(self.store.read(frame.file), name=f"frame {frame.index}").rgb)
                frames.append(frame)
            except (OSError, UnreadablePicture) as error:
                problems.append(f"frame {frame.index} was left out: its picture cannot be read: {error}")
        detected = []
        for frame, picture, answer in zip(frames, pictures, self.detector.detect(pictures)):
            self.ctx.alive()
            detections = self._relative(answer, picture)
            heads = [(head_file(picture, tuple(box)), CROP_FORMAT.suffix) for box in detections.boxes.tolist()]
            detected.append(DetectedFrame(frame, picture, detections, self.store.put_many(heads)))
        return Result(detected, problems)

    def _relative(self, detections: Detections, picture: Picture) -> Detections:
        height, width = picture.shape[:2]
        extent = detections.boxes[:, 2:] - detections.boxes[:, :2]
        slim = extent.max(axis=1, initial=0) <= self.params.ratio_max * extent.min(axis=1, initial=np.inf)
        return Detections(boxes.relative(detections.boxes[slim], width, height), detections.scores[slim])

    def save(self, result: Result) -> int:
        for problem in result.problems:
            self.ctx.count("unreadable")
            self.ctx.log(problem)
        for detected in result.frames:
            self.ctx.count("frames")
            self.ctx.count("faces", self._save(detected))
        return len(result.frames) + len(result.problems)

    def _save(self, detected: DetectedFrame) -> int:
        detections = detected.detections
        frame = Frame.objects.select_for_update().filter(pk=detected.frame.pk).first()
        if frame is None:  # deleted in the meantime
            return 0
        rows = list(Face.objects.select_for_update().filter(frame=frame).order_by("pk"))
        have = np.array([_box(row) for row in rows], np.float32).reshape(-1, 4)
        matched = boxes.match(have, detections.boxes, min_iou=SAME_IOU)
        by_people = [row for row in rows if by_person(row)]
        closed = np.array([_box(row) for row in by_people], np.float32).reshape(-1, 4)
        for old, new in matched.pairs:
            if not (rows[old].box_by_person or rows[old].state == FaceState.NOT_A_FACE):
                self._renew(rows[old], detected, new)
        for old in matched.missed:
            if not by_person(rows[old]):
                rows[old].delete()
        for new in matched.extra:
            if not _covered(detections.boxes[new], closed):
                Face.objects.create(
                    collection_id=frame.collection_id,
                    frame=frame,
                    model_version=self.version,
                    crop=detected.crops[new],
                    **_values(detections, new),
                )
        for row in Face.objects.real().filter(frame=frame, crop=""):
            row.crop = self.store.put(
                head_file(detected.picture, _box(row)), CROP_FORMAT.suffix
            )  # drawn or moved by hand
            row.save(update_fields=["crop"])
        frame.measures = {**frame.measures, SEEN_BY: self.version.pk}
        frame.save(update_fields=["measures"])
        recount(frames=[frame.pk], clusters={row.cluster_id for row in rows if row.cluster_id is not None})
        return Face.objects.real().filter(frame=frame).count()

    def _renew(self, row: Face, detected: DetectedFrame, new: int) -> None:
        """Update a row detected again: it takes this model's box and keeps its name; a new box needs a new vector."""
        values = _values(detected.detections, new)
        if row.model_version_id == self.version.pk and all(getattr(row, name) == values[name] for name in values):
            return
        for name, value in values.items():
            setattr(row, name, value)
        row.model_version, row.crop = self.version, detected.crops[new]
        row.embedding, row.embedding_version = None, None
        row.save()


def by_person(row: Face) -> bool:
    """Return whether a person drew, moved, rejected or named the box, or made it a reference."""
    return (
        row.box_by_person
        or row.drawn_by_id is not None
        or row.state != FaceState.FACE
        or row.named_by == NamedBy.PERSON
        or row.is_reference
    )


def _box(row: Face) -> tuple[float, float, float, float]:
    return (row.left, row.top, row.right, row.bottom)


def _values(detections: Detections, index: int) -> dict[str, float]:
    left, top, right, bottom = (float(value) for value in detections.boxes[index])
    return {"left": left, "top": top, "right": right, "bottom": bottom, "score": float(detections.scores[index])}


def _covered(box: np.ndarray[tuple[int, ...], np.dtype[np.float32]], closed: boxes.Boxes) -> bool:
    """Return whether a detection is a box that a person already decided on."""
    if not len(closed):
        return False
    single_box = box[None]
    smaller = np.minimum(boxes.areas(single_box)[0], boxes.areas(closed))
    inside = boxes.intersections(single_box, closed)[0] / np.maximum(smaller, 1e-12)
    return bool((boxes.iou(single_box, closed)[0] >= SAME_IOU).any() or (inside > COVERED).any())
