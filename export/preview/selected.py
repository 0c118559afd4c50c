"""A recipe's selection as queries, for figures and examples that must not read every frame."""

from __future__ import annotations

from django.db.models import Exists, F, FloatField, OuterRef, Q
from django.db.models.functions import Cast, Greatest

from annotate.models import Face, FaceState, FrameCharacter, TagState
from export.algorithms.presets import PRESETS
from export.algorithms.recipe import Recipe
from export.build.rows_from_database import episode_code
from ingest.models import Collection, Frame
from ingest.models.frame import FrameQuerySet
from ingest.stamp import cached, stamp


def selected_frames(collection: Collection, recipe: Recipe) -> FrameQuerySet:
    """Return the frames that the recipe's selection takes."""
    selection = recipe.selection
    frames = Frame.objects.for_export().filter(collection=collection).exclude(file="")
    if selection.min_faces:
        frames = frames.filter(face_count__gte=selection.min_faces)
    if selection.max_faces is not None:
        frames = frames.filter(face_count__lte=selection.max_faces)
    if selection.named:
        named = Q(character__isnull=False)
        if recipe.arrange.name_clusters:
            named |= Q(cluster__isnull=False)
        faces = Face.objects.filter(named, frame=OuterRef("pk"), state=FaceState.FACE)
        others = FrameCharacter.objects.filter(frame=OuterRef("pk"), state=TagState.YES)
        frames = frames.filter(Exists(faces) | Exists(others))
    if selection.image_types:
        frames = frames.filter(episode__source__image_type__in=selection.image_types)
    if selection.episodes:
        rows = collection.episodes.only("collection", "season", "number")
        frames = frames.filter(episode__in=[row.pk for row in rows if episode_code(row) in selection.episodes])
    return frames


def picture_count(collection: Collection, recipe: Recipe) -> int:
    """Return the number of pictures of a recipe without square crops: of its frames, or of its faces in a face set."""
    frames = selected_frames(collection, recipe)
    options = recipe.face_set
    if not options.enabled:
        return frames.count()
    width, height = Cast("frame__width", FloatField()), Cast("frame__height", FloatField())
    longer = Greatest((F("right") - F("left")) * width, (F("bottom") - F("top")) * height)
    # Compared as the side is rounded to pixels.
    faces = Face.objects.real().filter(frame__in=frames.order_by().values("pk"))
    count = faces.annotate(side=longer * options.scale).filter(side__gte=options.least - 0.5).count()
    return count + (frames.count() if options.whole else 0)


def preset_counts(collection: Collection) -> dict[str, int]:
    """Return the number of pictures that each preset gives, until something changes. A query or two per preset."""
    return cached(
        "preset counts",
        stamp(collection),
        lambda: {key: picture_count(collection, preset.recipe) for key, preset in PRESETS.items()},
    )
