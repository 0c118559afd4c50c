"""Source and Episode: a physical input, and the video or pictures that it brings; what could not be read of it."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from ingest.models.collection import Collection
from ingest.models.fields import CountField


class SourceKind(models.TextChoices):
    VIDEO = "video", "video"
    PICTURES = "pictures", "pictures"


class ImageType(models.TextChoices):
    """A level of the balance tree."""

    SCREENSHOTS = "screenshots", "screenshots"
    FANART = "fanart", "fan art"
    REGULARIZATION = "regularization", "regularization"


class RatingScheme(models.TextChoices):
    """What the letter s of a rating means in the tag files of a source; words need no scheme."""

    UNKNOWN = "", "not known"
    OLD = "old", "s = safe (Moebooru, e621, Danbooru until 2022)"
    NEW = "new", "s = sensitive (Danbooru since 2022)"


class Source(models.Model):
    """One physical input: a video file, a picture, or a folder or zip of pictures."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="sources")
    kind = models.CharField(max_length=10, choices=SourceKind.choices)
    name = models.CharField(max_length=400)  # as the person sees it: the file's or folder's own name
    path = models.CharField(max_length=1000)  # absolute, or relative to KOMA_DATA_DIR when `uploaded`
    uploaded = models.BooleanField(default=False)  # ours to delete; else read in place and never written
    sha256 = models.CharField(max_length=64)  # of the file's bytes; of the sorted listing for a folder
    size_bytes = models.BigIntegerField(default=0)
    image_type = models.CharField(max_length=20, choices=ImageType.choices, default=ImageType.SCREENSHOTS)
    rating_scheme = models.CharField(
        max_length=4, choices=RatingScheme.choices, default=RatingScheme.UNKNOWN, blank=True
    )
    licence_note = models.TextField(blank=True)
    exportable = models.BooleanField(default=True)
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("collection", "sha256"), name="source_once_per_collection"),)

    def __str__(self) -> str:
        return self.name


def episode_label(number: str, season: int | None, title: str) -> str:
    """`S2 EP04`, `EP04`, or the title where the name held no number. For rows that were read as plain values."""
    if not number:
        return title
    text = f"EP{number}" if number[:1].isdigit() else number
    return f"S{season} {text}" if season else text


class EpisodeQuerySet(models.QuerySet["Episode"]):
    def labels(self) -> dict[int, str]:
        """Label by key, in order; no rows are made for it."""
        rows = self.values_list("pk", "number", "season", "title")
        return {pk: episode_label(number, season, title) for pk, number, season, title in rows}


class Episode(models.Model):
    """One video, or one ordered group of pictures, inside a collection."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="episodes")
    source = models.OneToOneField(Source, models.CASCADE, related_name="episode")
    series = models.CharField(max_length=200, blank=True)
    season = models.PositiveSmallIntegerField(null=True, blank=True)
    number = models.CharField(max_length=20, blank=True)  # "04", "12.5", "OVA"
    title = models.CharField(max_length=300)
    duration_s = models.FloatField(default=0)
    frame_rate = models.FloatField(default=0)
    width = CountField(default=0)
    height = CountField(default=0)
    codec = models.CharField(max_length=40, blank=True)
    decoded = CountField(default=0)  # pictures that the extraction decoded or read
    extracted_at = models.DateTimeField(null=True, blank=True)
    warnings = models.JSONField(default=list, blank=True)  # texts for the user: truncated at..., fell back to...
    created_at = models.DateTimeField(auto_now_add=True)

    objects = EpisodeQuerySet.as_manager()

    class Meta:
        ordering = ("series", "season", "number", "pk")

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """`S2 EP04`, `EP04`, or the title where the name held no number."""
        return episode_label(self.number, self.season, self.title)

    @property
    def kind(self) -> str:
        """`video` or `pictures`. Reads `self.source`: a query unless it was selected."""
        return self.source.kind


class SkippedInput(models.Model):
    """A file, or a part of one, that could not be used, with the reason."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="skipped_inputs")
    episode = models.ForeignKey(Episode, models.CASCADE, null=True, blank=True, related_name="skipped_inputs")
    name = models.CharField(max_length=400)
    reason = models.TextField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("collection", "episode", "name"), name="skipped_once"),)


RESERVED_FOR = timedelta(minutes=5)  # after the last byte; a browser that tries again waits 30 s at most


class UploadQuerySet(models.QuerySet["Upload"]):
    def unfinished(self) -> UploadQuerySet:
        """Uploads that are not finished."""
        return self.filter(source__isnull=True)

    def reserved(self) -> UploadQuerySet:
        """Uploads that are being sent: space is reserved for the rest of them."""
        return self.unfinished().filter(updated_at__gt=timezone.now() - RESERVED_FOR)


class Upload(models.Model):
    """A file on its way in, in chunks; `received` is how many bytes are safely on the disk."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="uploads")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    key = models.CharField(max_length=64)  # made by the browser from name, size and date, to find it again
    name = models.CharField(max_length=400)
    size_bytes = models.BigIntegerField()
    received = models.BigIntegerField(default=0)
    options = models.JSONField(default=dict, blank=True)  # image type, licence note, exportable...
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    source = models.ForeignKey(Source, models.SET_NULL, null=True, blank=True, related_name="+")

    objects = UploadQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("collection", "user", "key"), name="upload_once"),)

    def is_reserved(self) -> bool:
        """Whether bytes arrived within the last minutes; later the space is not reserved until the upload resumes."""
        return self.updated_at is not None and self.updated_at > timezone.now() - RESERVED_FOR

    @property
    def coming(self) -> int:
        """Bytes that are still to come."""
        return max(0, self.size_bytes - self.received)
