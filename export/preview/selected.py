"""A recipe's selection as queries, for figures and examples that must not read every frame."""

from __future__ import annotations

from django.db.models import Count, Exists, F, FloatField, OuterRef, Q
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
    return _exportable(collection).filter(_selection(collection, recipe))


def preset_counts(collection: Collection) -> dict[str, int]:
    """Return the number of pictures that each preset gives, until something changes."""
    return cached("preset_counts", stamp(collection), lambda: _preset_counts(collection))


def _preset_counts(collection: Collection) -> dict[str, int]:
    recipes = {key: preset.recipe for key, preset in PRESETS.items()}
    selections = {key: Count("pk", filter=_selection(collection, recipe)) for key, recipe in recipes.items()}
    counts: dict[str, int] = _exportable(collection).aggregate(**selections)
    return counts | {key: _face_count(collection, recipe) for key, recipe in recipes.items() if recipe.face_set.enabled}


def _face_count(collection: Collection, recipe: Recipe) -> int:
    """Return the number of faces that are large enough for the recipe's face set."""
    width, height = Cast("frame__width", FloatField()), Cast("frame__height", FloatField())
    longer = Greatest((F("right") - F("left")) * width, (F("bottom") - F("top")) * height)
    frames = selected_frames(collection, recipe).order_by().values("pk")
    sides = Face.objects.real().filter(frame__in=frames).annotate(side=longer * recipe.face_set.scale)
    return sides.filter(side__gte=recipe.face_set.least - 0.5).count()  # as the side is rounded to pixels


def _exportable(collection: Collection) -> FrameQuerySet:
    return Frame.objects.for_export().filter(collection=collection).exclude(file="")


def _selection(collection: Collection, recipe: Recipe) -> Q:
    selection = recipe.selection
    conditions = Q(face_count__gte=selection.min_faces)
    if selection.max_faces is not None:
        conditions &= Q(face_count__lte=selection.max_faces)
    if selection.named:
        faces = Face.objects.filter(_named(recipe), frame=OuterRef("pk"))
        others = FrameCharacter.objects.filter(frame=OuterRef("pk"), state=TagState.YES)
        conditions &= Q(Exists(faces)) | Q(Exists(others))
    if selection.all_named:
        conditions &= ~Q(Exists(Face.objects.real().filter(~_named(recipe), frame=OuterRef("pk"))))
    if selection.image_types:
        conditions &= Q(episode__source__image_type__in=selection.image_types)
    if selection.episodes:
        rows = collection.episodes.only("collection", "season", "number")
        conditions &= Q(episode__in=[row.pk for row in rows if episode_code(row) in selection.episodes])
    return conditions


def _named(recipe: Recipe) -> Q:
    """Faces that have a name in the dataset, as `rows_from_database` reads them."""
    named = Q(character__isnull=False)
    if recipe.arrange.name_clusters:
        named |= Q(cluster__isnull=False)
    return named & Q(state=FaceState.FACE)
