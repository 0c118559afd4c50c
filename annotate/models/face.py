"""FaceCluster and Face: a box on a frame, its crop and vector, and who it is."""

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
    """Similar faces, probably of one character, to be named at once."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="face_clusters")
    number = models.PositiveIntegerField()
    size = models.PositiveIntegerField(default=0)
    purity = models.FloatField(default=0)  # 0 to 1: probability of one character; pages show doubtful groups last
    guess = models.ForeignKey(Character, models.SET_NULL, null=True, blank=True, related_name="+")
    guess_score = models.FloatField(null=True, blank=True)

    history = HistoryRules(
        derived=frozenset({"purity", "guess_id", "guess_score"}),
        counted=frozenset({"size"}),
        by_models={"guess": (models.Q(), {"guess_id": None, "guess_score": None})},
    )

    class Meta:
        ordering = ("number",)
        constraints = (models.UniqueConstraint(fields=("collection", "number"), name="cluster_once"),)
        indexes = (
            # the faces page: the groups that a name helps most come first
            models.Index(
                "collection", (models.F("size") * models.F("purity")).desc(), "number", name="cluster_usefulness"
            ),
        )


class FaceState(models.TextChoices):
    FACE = "face", "face"
    NOT_A_FACE = "not_a_face", "not a face"
    NOBODY = "nobody", "not in the cast"


class NamedBy(models.TextChoices):
    """Who named a face.

    Portraits prefer the last of these values in alphabetical order (an index): a person, then a model.
    """

    NONE = "", "not named"
    TAGGER = "autotag", "a tagger"
    COPY = "copy", "a person, on a copy"
    FILE = "file", "a file"
    MODEL = "model", "a model"
    PERSON = "person", "a person"


MACHINES = (NamedBy.MODEL, NamedBy.TAGGER)  # names that somebody may want to review


class FaceQuerySet(models.QuerySet["Face"]):
    def real(self) -> FaceQuerySet:
        """Without boxes that a person marked as not a face."""
        return self.exclude(state=FaceState.NOT_A_FACE)

    def named(self) -> FaceQuerySet:
        return self.filter(state=FaceState.FACE, character__isnull=False)

    def unnamed(self) -> FaceQuerySet:
        """Faces without a name: neither named, nor marked as not in the cast or not a face."""
        return self.filter(state=FaceState.FACE, character__isnull=True)

    def in_place(self, frame: int, box: tuple[float, float, float, float]) -> FaceQuerySet:
        """Faces of a frame with exactly this box (left, top, right, bottom)."""
        left, top, right, bottom = box
        return self.real().filter(frame=frame, left=left, top=top, right=right, bottom=bottom)

    def by_person(self) -> FaceQuerySet:
        """Labels and boxes by people, which runs never change."""
        return self.filter(named_by=NamedBy.PERSON)


class Face(models.Model):
    """A face box on a frame: left, top, right and bottom, each 0 to 1 of the picture."""

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
    # Keys of rejected characters: the face was removed from their cluster, or a wrong name was cleared.
    not_characters = models.JSONField(default=list, blank=True)
    version = models.PositiveIntegerField(default=1)  # rises with every change by a person; stale forms are refused

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
        clashing=frozenset({"frame_id", "left", "top", "right", "bottom", "state"}),
    )

    class Meta:
        ordering = ("frame_id", "left", "pk")
        indexes = (
            # all counts by character and origin, from the index alone
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
            # which row a stored crop belongs to: a query for every crop of every page
            models.Index(fields=("crop",), name="face_crop"),
        )

    def history_clash(self) -> str:
        """Why an undo cannot write this state: another face has exactly this box now. Empty where it can."""
        if self.state == FaceState.NOT_A_FACE:
            return ""
        same = Face.objects.in_place(self.frame_id, (self.left, self.top, self.right, self.bottom))
        if same.exclude(pk=self.pk).exists() and not same.filter(pk=self.pk).exists():
            return "A face cannot be restored: there is already a box in its place"
        return ""

    def clean(self) -> None:
        """Raise ValidationError for an inverted box."""
        if self.left > self.right or self.top > self.bottom:
            raise ValidationError("its box is inverted")

    @property
    def width(self) -> float:
        """Share of the picture's width, 0 to 1."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Share of the picture's height, 0 to 1."""
        return self.bottom - self.top


class ReferencePicture(models.Model):
    """A face picture from a folder of references, without a frame."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="reference_pictures")
    character = models.ForeignKey(Character, models.CASCADE, related_name="reference_pictures")
    sha256 = models.CharField(max_length=64)
    crop = models.CharField(max_length=100)
    embedding = models.BinaryField(null=True, editable=False)
    embedding_version = models.ForeignKey(ModelVersion, models.SET_NULL, null=True, blank=True, related_name="+")

    history = HistoryRules(derived=frozenset({"crop", "embedding", "embedding_version_id"}))

    class Meta:
        constraints = (models.UniqueConstraint(fields=("character", "sha256"), name="reference_once"),)
