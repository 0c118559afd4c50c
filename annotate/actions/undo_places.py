"""What the undo key takes back on pages that are about one thing."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q

from annotate.models import Character, CharacterAlias, Face, ReferencePicture
from ingest.models import Revision

NAMINGS = (
    "faces.name",
    "faces.name_rest",
    "faces.nobody",
    "faces.not_a_face",
    "faces.unname",
    "faces.confirm",
    "faces.is_not",
)
OF_CHARACTER = tuple(model._meta.label for model in (CharacterAlias, Face, ReferencePicture))


def faces(_: int) -> Q:
    """Operations that say who faces are, and that change groups of them."""
    return Q(kind__in=NAMINGS) | Q(kind__startswith="clusters.")


def frames(_: int) -> Q:
    """Operations of the grid: states of frames, and tags of single frames."""
    return Q(kind__startswith="frames.") | Q(kind="tags.edit")


def tags(_: int) -> Q:
    """Changes of tags on all frames."""
    return Q(kind="tags.replace")


def captions(_: int) -> Q:
    """Captions that were written, one or many."""
    return Q(kind__startswith="captions.")


def character(key: int) -> Q:
    """Operations on a character, its aliases, outfits, faces and reference pictures."""
    own = Q(model=Character._meta.label) & (Q(object_id=key) | Q(before__parent_id=key) | Q(after__parent_id=key))
    belongings = Q(model__in=OF_CHARACTER) & (Q(before__character_id=key) | Q(after__character_id=key))
    return Q(Exists(Revision.objects.filter(own | belongings, operation=OuterRef("pk"))))
