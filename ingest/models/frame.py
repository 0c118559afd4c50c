"""Shot, Frame and SideFile: one distinct picture of an episode, why it is kept or dropped, what lay beside it."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from ingest.history_rules import HistoryRules
from ingest.models.collection import Collection
from ingest.models.fields import CountField
from ingest.models.source import Episode


class FrameState(models.TextChoices):
    KEPT = "kept", "kept"
    DROPPED = "dropped", "dropped"


class DropReason(models.TextChoices):
    """Why a picture was dropped. Every value is counted and shown."""

    DUPLICATE = "duplicate", "similar to a kept frame"
    BLACK = "black", "nearly black"
    WHITE = "white", "nearly white"
    FADE = "fade", "inside a fade"
    BLEND = "blend", "blend of two shots"
    MOTION = "motion", "inside a pan or zoom"
    PERSON = "person", "dropped by a person"


class OriginalUse(models.TextChoices):
    """What a picture's original file can be used for."""

    PLAIN = "plain", "shows the frame in any reader"
    RENDERED = "rendered", "transparent, animated, turned, of other colours or more than 8 bits"
    DAMAGED = "damaged", "damaged"
    PART = "part", "one of several pictures"


class Shot(models.Model):
    """The frames between two cuts."""

    episode = models.ForeignKey(Episode, models.CASCADE, related_name="shots")
    index = models.PositiveIntegerField()
    start_s = models.FloatField()
    end_s = models.FloatField()

    class Meta:
        ordering = ("episode_id", "index")
        constraints = (models.UniqueConstraint(fields=("episode", "index"), name="shot_once"),)


class FrameQuerySet(models.QuerySet["Frame"]):
    def kept(self) -> FrameQuerySet:
        """The frames that later stages and exports use."""
        return self.filter(state=FrameState.KEPT)

    def with_picture(self) -> FrameQuerySet:
        """Kept, with a full picture that models can look at."""
        return self.kept().exclude(file="")

    def dropped(self) -> FrameQuerySet:
        """Frames that a filter or a person dropped; each with a reason."""
        return self.filter(state=FrameState.DROPPED)

    def duplicates(self) -> FrameQuerySet:
        """Dropped as similar to a kept frame."""
        return self.filter(state=FrameState.DROPPED, reason=DropReason.DUPLICATE)

    def for_export(self) -> FrameQuerySet:
        """Kept, not excluded by a person, and from a source that may be exported."""
        return self.filter(state=FrameState.KEPT, excluded=False, episode__source__exportable=True)


class Frame(models.Model):
    """One distinct picture: for a video a drawing with its run (first and last time, count), for a folder a file."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="frames")
    episode = models.ForeignKey(Episode, models.CASCADE, related_name="frames")
    shot = models.ForeignKey(Shot, models.SET_NULL, null=True, blank=True, related_name="frames")
    index = models.PositiveIntegerField()  # of the first picture of the run, counted from 0 in decoding order
    pts = models.BigIntegerField(default=0)  # in the stream's time base
    time_s = models.FloatField(default=0)
    end_s = models.FloatField(default=0)
    run_length = CountField(default=1)  # how many decoded pictures show this drawing
    name = models.CharField(max_length=400, blank=True)  # pictures: path inside the folder or archive
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    # Names in the content-addressed store; `file` is empty while only a preview is kept (a dropped frame).
    file = models.CharField(max_length=100, blank=True)
    preview = models.CharField(max_length=100, blank=True)
    # Of what came as a picture: the file exactly as it came (its name holds its sha256 and its type), its bytes, and
    # what it is good for. `file` is the same, or a working copy where pages and models cannot use the original.
    original = models.CharField(max_length=100, blank=True)
    original_bytes = models.PositiveBigIntegerField(default=0)
    original_use = models.CharField(max_length=10, choices=OriginalUse.choices, blank=True)
    page = models.PositiveIntegerField(null=True, blank=True)  # of its file, from 1, where each is a frame
    placeholder = models.CharField(
        max_length=400, blank=True
    )  # tiny blurred picture as a data URL, drawn while loading
    descriptor = models.BinaryField(null=True, editable=False)
    descriptor_version = models.PositiveSmallIntegerField(default=0)
    quality = models.FloatField(default=0)  # higher is the better copy; see ingest/algorithms/best_copy.py
    quality_version = models.PositiveSmallIntegerField(default=0)  # 0: of a rule that numbers cannot be compared with
    # The share of the picture under text, as a text finder saw it; null where none has looked.
    text_share = models.FloatField(null=True, blank=True)
    measures = models.JSONField(default=dict, blank=True)  # sharpness, contrast, blockiness...
    state = models.CharField(max_length=10, choices=FrameState.choices, default=FrameState.KEPT)
    reason = models.CharField(max_length=20, choices=DropReason.choices, blank=True)
    duplicate_of = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="copies")
    distance = models.FloatField(null=True, blank=True)
    # A person's word on keeping or dropping; a run never changes such a frame.
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    decided = models.BooleanField(default=False)
    excluded = models.BooleanField(default=False)  # a person left it out of exports
    face_count = models.PositiveSmallIntegerField(null=True, blank=True)  # null until faces were looked for
    tagged = models.BooleanField(default=False)

    objects = FrameQuerySet.as_manager()
    history = HistoryRules(
        counted=frozenset({"face_count"}),
        guards={"decided": frozenset({"state", "reason", "duplicate_of_id", "distance"})},
    )

    class Meta:
        ordering = ("episode_id", "index")
        constraints = (models.UniqueConstraint(fields=("episode", "index"), name="frame_once"),)
        indexes = (
            # the frames page: a collection's kept frames, page after page; the key for filters on faces and tags
            models.Index(fields=("collection", "state", "episode", "index", "id"), name="frame_page"),
            # counts of what a filter leaves, without a look at the rows
            models.Index(fields=("collection", "state", "id"), name="frame_keys"),
            # frames by reason, in page order
            models.Index(fields=("collection", "state", "reason", "episode", "index"), name="frame_reasons"),
            # filter by number of faces, in page order; and all counts by episode without a look at the rows
            models.Index(fields=("collection", "state", "face_count", "episode", "index"), name="frame_faces"),
            # the few best frames of an episode
            models.Index(
                fields=("episode", "-face_count", "-quality", "id"),
                condition=models.Q(state=FrameState.KEPT),
                name="frame_stills",
            ),
            # filters that few frames meet
            models.Index(
                fields=("collection", "episode", "index"), condition=models.Q(excluded=True), name="frame_excluded"
            ),
            models.Index(
                fields=("collection", "episode", "index"), condition=models.Q(decided=True), name="frame_decided"
            ),
            models.Index(
                fields=("collection", "episode", "index"),
                condition=models.Q(tagged=False, state=FrameState.KEPT),
                name="frame_untagged",
            ),
            # which row a stored file belongs to: asked for every picture on every page
            models.Index(fields=("preview",), name="frame_preview"),
            models.Index(fields=("original",), name="frame_original"),
            # and, asked for every few seconds: which kept frames lack their file
            models.Index(fields=("file", "state", "episode"), name="frame_file"),
        )

    def __str__(self) -> str:
        return f"{self.episode_id}:{self.index}"

    @property
    def original_kind(self) -> str:
        """The ending of the file that the picture came in, by its content."""
        return self.original.rpartition(".")[2]

    @property
    def download_name(self) -> str:
        """The original's own name, with the ending that its content has."""
        return f"{self.name.rpartition('/')[2].rpartition('.')[0] or 'picture'}.{self.original_kind}"


class SideFile(models.Model):
    """The text of a file that lay beside a picture (`a.png.tags`), as it was; what it says is read from it again."""

    frame = models.ForeignKey(Frame, models.CASCADE, related_name="side_files")
    name = models.CharField(max_length=400)  # without folders
    text = models.TextField()

    class Meta:
        ordering = ("frame_id", "pk")  # those that say most clearly what they mean first
        constraints = (models.UniqueConstraint(fields=("frame", "name"), name="side_file_once"),)

    def __str__(self) -> str:
        return self.name
