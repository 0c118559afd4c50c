"""FaceCluster and Face: a box on a frame, what it looks like, and who it is according to whom."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

from annotate.models.character import Character
from annotate.models.model_version import ModelVersion
from ingest.history_rules import HistoryRules
from ingest.models import Collection, Frame
from ingest.models.fields import SideField


class FaceCluster(models.Model):
    """Faces that look like one person, to be named in one go."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="face_clusters")
    number = models.PositiveIntegerField()
    size = models.PositiveIntegerField(default=0)
    purity = models.FloatField(default=0)  # 0 to 1: how surely it is one person; the page shows doubtful ones last
    guess = models.ForeignKey(Character, models.SET_NULL, null=True, blank=True, related_name="+")
    guess_score = models.FloatField(null=True, blank=True)

    history = HistoryRules(
        derived=frozenset({"purity", "guess_id", "guess_score"}),
        counted=frozenset({"size"}),
        by_models={"guess": (models.Q(), {"guess_id": None, "guess_score": None})},
    )

    class Meta:
        ordering = ("-purity", "number")
        constraints = (models.UniqueConstraint(fields=("collection", "number"), name="cluster_once"),)
        indexes = (
            # the faces page: best score first
            models.Index(fields=("collection", "-purity", "number"), name="cluster_page"),
        )


class FaceState(models.TextChoices):
    FACE = "face", "face"
    NOT_A_FACE = "not_a_face", "not a face"
    NOBODY = "nobody", "not in the cast"


class NamedBy(models.TextChoices):
    """Portraits prefer the last in order of these words (an index): a person's, then a model's and so on."""

    NONE = "", "not named"
    TAGGER = "autotag", "a tagger"
    COPY = "copy", "a person, on a copy"
    FILE = "file", "a file"
    MODEL = "model", "a model"
    PERSON = "person", "a person"


MACHINES = (NamedBy.MODEL, NamedBy.TAGGER)  # whose names somebody may want to look through


class FaceQuerySet(models.QuerySet["Face"]):
    def real(self) -> FaceQuerySet:
        """Without the boxes that a person called no face."""
        return self.exclude(state=FaceState.NOT_A_FACE)

    def named(self) -> FaceQuerySet:
        return self.filter(state=FaceState.FACE, character__isnull=False)

    def unnamed(self) -> FaceQuerySet:
        """Faces that still wait for a name: neither named, nor nobody, nor no face."""
        return self.filter(state=FaceState.FACE, character__isnull=True)

    def in_place(self, frame: int, box: tuple[float, float, float, float]) -> FaceQuerySet:
        """Faces of a frame with the very same box (left, top, right, bottom)."""
        left, top, right, bottom = box
        return self.real().filter(frame=frame, left=left, top=top, right=right, bottom=bottom)

    def by_person(self) -> FaceQuerySet:
        """What a run must not change."""
        return self.filter(named_by=NamedBy.PERSON)


class Face(models.Model):
    """A face box on a frame. Box values are 0 to 1 of the picture: left, top, right, bottom."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="faces")
    frame = models.ForeignKey(Frame, models.CASCADE, related_name="faces")
    left = SideField()
    top = SideField()
    right = SideField()
    bottom = SideField()
    score = models.FloatField(default=1.0)
    model_version = models.ForeignKey(ModelVersion, models.PROTECT, null=True, blank=True, related_name="+")
    drawn_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    box_by_person = models.BooleanField(default=False)  # drawn, moved or resized by a person
    crop = models.CharField(max_length=100, blank=True)  # head crop in the store
    embedding = models.BinaryField(null=True, editable=False)
    embedding_version = models.ForeignKey(ModelVersion, models.SET_NULL, null=True, blank=True, related_name="+")
    cluster = models.ForeignKey(FaceCluster, models.SET_NULL, null=True, blank=True, related_name="faces")
    state = models.CharField(max_length=12, choices=FaceState.choices, default=FaceState.FACE)
    character = models.ForeignKey(Character, models.SET_NULL, null=True, blank=True, related_name="faces")
    confidence = models.FloatField(null=True, blank=True)
    named_by = models.CharField(max_length=8, choices=NamedBy.choices, default=NamedBy.NONE, blank=True)
    named_user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    is_reference = models.BooleanField(default=False)
    # Keys of characters that a person said this is not: taken out of their cluster, or a wrong name cleared.
    not_characters = models.JSONField(default=list, blank=True)
    version = models.PositiveIntegerField(default=1)  # rises with every person's change; stale forms are refused

    objects = FaceQuerySet.as_manager()
    history = HistoryRules(
        derived=frozenset({"crop", "embedding", "embedding_version_id"}),
        needed=frozenset({"character_id"}),
        guards={
            "named_by": frozenset({"character_id", "confidence", "named_by", "cluster_id"}),
            "box_by_person": frozenset({"left", "top", "right", "bottom", "score", "model_version_id"}),
        },
        by_models={
            "character": (
                ~models.Q(named_by=NamedBy.PERSON),
                {"character_id": None, "confidence": None, "named_by": NamedBy.NONE.value, "is_reference": False},
            )
        },
        words={
            "character": "{is} named {it}",
            "not_characters": "{is} marked as not {it}",
            "cluster": "{is} in it",
        },
        author="named_user",
        json_keys={"not_characters": "annotate.Character"},
    )

    class Meta:
        ordering = ("frame_id", "left", "pk")
        indexes = (
            # all counts by character and origin, without a look at the rows
            models.Index(fields=("collection", "state", "character", "named_by"), name="face_named"),
            # "does this frame show somebody", likewise
            models.Index(fields=("frame", "state", "character"), name="face_on_frame"),
            # a cluster's faces that wait for a name, the clearest first
            models.Index(fields=("cluster", "state", "character", "-score", "id"), name="face_cluster"),
            # a character's page, by likelihood; and which frames show it
            models.Index(fields=("character", "state", "-confidence", "id", "frame"), name="face_likelihood"),
            # a character's portrait
            models.Index(
                fields=("character", "-is_reference", "-named_by", "-score", "id"),
                condition=models.Q(state="face") & ~models.Q(crop=""),
                name="face_portrait",
            ),
            # which row a stored crop belongs to: asked for every crop on every page
            models.Index(fields=("crop",), name="face_crop"),
        )

    def history_clash(self) -> str:
        """Why an undo cannot leave the row as it is now: another face has the very same box by now."""
        if self.state == FaceState.NOT_A_FACE:
            return ""
        same = Face.objects.in_place(self.frame_id, (self.left, self.top, self.right, self.bottom))
        if same.exclude(pk=self.pk).exists() and not same.filter(pk=self.pk).exists():
            return "A face cannot be restored: there is already a box in its place"
        return ""

    def clean(self) -> None:
        """ValidationError for a box that is turned inside out."""
        if self.left > self.right or self.top > self.bottom:
            raise ValidationError("its box is inverted")

    @property
    def width(self) -> float:
        """Of the picture's width."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Face height ratio: face height over picture height."""
        return self.bottom - self.top


class ReferencePicture(models.Model):
    """A face picture from a references folder: who looks how, without a frame of ours."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="reference_pictures")
    character = models.ForeignKey(Character, models.CASCADE, related_name="reference_pictures")
    sha256 = models.CharField(max_length=64)
    crop = models.CharField(max_length=100)
    embedding = models.BinaryField(null=True, editable=False)
    embedding_version = models.ForeignKey(ModelVersion, models.SET_NULL, null=True, blank=True, related_name="+")

    history = HistoryRules(derived=frozenset({"crop", "embedding", "embedding_version_id"}))

    class Meta:
        constraints = (models.UniqueConstraint(fields=("character", "sha256"), name="reference_once"),)
