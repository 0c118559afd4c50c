"""The tags of a collection with how many frames have each; reads the counters, never the frames."""

from __future__ import annotations

from django.db.models import Count, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from annotate.models import Tag, TagAlias, TagCategory, TagCount, TagState
from ingest.models import Collection

ORDERS = {"count": ("-n", "name"), "name": ("name",), "removed": ("-removed", "name")}


def tags_of(collection: Collection) -> QuerySet[Tag]:
    """Tags that at least one frame has: with `n` frames that have it and `removed` on which a person removed it."""
    counts = TagCount.objects.filter(collection_id=collection.pk)

    def frames(state: TagState) -> Coalesce:
        rows = counts.filter(tag_id=OuterRef("pk"), state=state).values("n")
        return Coalesce(Subquery(rows), 0, output_field=IntegerField())

    present = counts.filter(state=TagState.YES, n__gt=0)
    return Tag.objects.filter(pk__in=present.values("tag_id")).annotate(
        n=frames(TagState.YES), removed=frames(TagState.NO)
    )


def chosen(rows: QuerySet[Tag], *, text: str, category: int | None, order: str) -> QuerySet[Tag]:
    """The rows whose name or alias holds the text, of one category, ordered by a key of ORDERS (else by count)."""
    typed = "_".join(text.lower().split())
    if typed:
        aliases = TagAlias.objects.filter(tag=OuterRef("pk"), name__contains=typed)
        rows = rows.filter(Q(name__contains=typed) | Exists(aliases))
    if category is not None:
        rows = rows.filter(category=category)
    return rows.order_by(*ORDERS.get(order, ORDERS["count"]))


def by_category(collection: Collection) -> list[tuple[TagCategory, int]]:
    """Categories that the collection has tags of, in Danbooru's order, each with its number of tags."""
    present = TagCount.objects.filter(collection_id=collection.pk, state=TagState.YES, n__gt=0).values("tag_id")
    numbers = dict(Tag.objects.filter(pk__in=present).values_list("category").annotate(n=Count("pk")).order_by())
    return [(category, numbers[category]) for category in TagCategory if category in numbers]


def uses(collection: Collection) -> int:
    """How many times tags are on frames, all together."""
    rows = TagCount.objects.filter(collection_id=collection.pk, state=TagState.YES)
    return rows.aggregate(sum=Sum("n"))["sum"] or 0
