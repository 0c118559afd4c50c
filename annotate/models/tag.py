"""Tag, TagAlias, FrameTag: the vocabulary, and the tags of frames."""

from __future__ import annotations

from django.apps import apps
from django.conf import settings
from django.db import models

from annotate.models.model_version import ModelVersion
from ingest.history_rules import HistoryRules
from ingest.models import Frame


class TagCategory(models.IntegerChoices):
    """The categories, with Danbooru's numbers."""

    GENERAL = 0, "general"
    ARTIST = 1, "artist"
    COPYRIGHT = 3, "copyright"
    CHARACTER = 4, "character"
    META = 5, "meta"


class TagQuerySet(models.QuerySet["Tag"]):
    def visible_in(self, collection: int) -> TagQuerySet:
        """The common vocabulary, and the tags used on frames of this collection; by its key."""
        count = apps.get_model("annotate", "TagCount")
        here = count.objects.filter(collection_id=collection, tag_id=models.OuterRef("pk"), n__gt=0)
        return self.filter(models.Q(common=True) | models.Exists(here))

    def completing(self, text: str) -> TagQuerySet:
        """Tags that the typed text may mean, best first: the tag itself, then by prefix, alias, start of a later word,
        middle of a word; each kind by falling count.

        One or two letters only complete prefixes. Slice the result.
        """
        typed = "_".join(text.lower().split())
        if not typed:
            return self.none()
        aliases = TagAlias.objects.filter(tag=models.OuterRef("pk"), name__startswith=typed)
        by_alias = models.Exists(aliases)
        kinds = [models.When(name=typed, then=0), models.When(name__startswith=typed, then=1)]
        matches = models.Q(name__startswith=typed) | models.Q(
            pk__in=TagAlias.objects.filter(name__startswith=typed).values("tag")
        )
        kinds.append(models.When(by_alias, then=2))
        if len(typed) > 2:
            kinds.append(models.When(name__contains=f"_{typed}", then=3))
            matches |= models.Q(name__contains=typed)
        kind = models.Case(*kinds, default=4, output_field=models.PositiveSmallIntegerField())
        return self.filter(matches).annotate(kind=kind).order_by("kind", "-post_count", "name")


class Tag(models.Model):
    """One word of the vocabulary, with underscores; one row for all collections, shown where it is `visible_in`."""

    NOT_FROM_BACKUP = frozenset(
        {"common", "post_count", "changed_at"}
    )  # unless a backup brings the tag: everybody would see its text

    name = models.CharField(max_length=200, unique=True)
    category = models.PositiveSmallIntegerField(choices=TagCategory.choices, default=TagCategory.GENERAL)
    post_count = models.PositiveIntegerField(default=0)
    # From an imported vocabulary: visible everywhere. Tags of people, files and models are visible where they are used.
    common = models.BooleanField(default=False)
    changed_at = models.DateTimeField(auto_now=True, null=True)  # tells processes that the vocabulary changed

    objects = TagQuerySet.as_manager()

    class Meta:
        indexes = (
            models.Index(fields=("-post_count",), name="tag_by_count"),
            models.Index(fields=("changed_at",), condition=models.Q(common=True), name="tag_common_changed"),
            models.Index(fields=("name",), condition=models.Q(common=False), name="tag_own_words"),
        )

    def __str__(self) -> str:
        return self.name


class TagAlias(models.Model):
    """Another spelling of a tag."""

    name = models.CharField(max_length=200, unique=True)
    tag = models.ForeignKey(Tag, models.CASCADE, related_name="aliases")


class TagState(models.TextChoices):
    """Without a row: not reviewed. `no` is a person's rejection; no model adds the tag again."""

    YES = "yes", "yes"
    NO = "no", "no"


class FrameTag(models.Model):
    """A tag of a frame, by a model (with its score) or by a person."""

    frame = models.ForeignKey(Frame, models.CASCADE, related_name="frame_tags")
    tag = models.ForeignKey(Tag, models.CASCADE, related_name="frame_tags")
    state = models.CharField(max_length=4, choices=TagState.choices, default=TagState.YES)
    score = models.FloatField(default=1.0)
    model_version = models.ForeignKey(ModelVersion, models.PROTECT, null=True, blank=True, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    by_person = models.BooleanField(default=False)  # stays true after the account is deleted
    at = models.DateTimeField(auto_now=True)

    history = HistoryRules(
        guards={"by_person": frozenset({"state", "score", "model_version_id", "by_id", "by_person"})}
    )

    class Meta:
        constraints = (models.UniqueConstraint(fields=("frame", "tag"), name="frame_tag_once"),)
        indexes = (models.Index(fields=("tag", "state", "frame"), name="frame_tag_search"),)
