"""Lists by which tags are dropped: uploaded to a collection and chosen there, or installed with the models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from annotate.backends.taggers import filter_lists
from annotate.backends.taggers.filter_lists import Parsed
from annotate.models import TagList
from ingest.actions import history
from ingest.actions.seen import author, changed
from ingest.algorithms.typed_lists import decode_text
from ingest.errors import BadInput
from ingest.imaging.names import plain_name
from ingest.models import Collection, Revision

FILE_MAX = filter_lists.FILE_MAX  # bytes
KEPT = 5  # lists of one kind that are not used
Kind = TagList.Kind
HOW = "A site admin can also install the public ones: manage.py models download tag_filtering."


@dataclass(frozen=True, slots=True)
class Used:
    """The list in use: its content, and a digest that changes with it."""

    parsed: Parsed
    digest: str


@dataclass(frozen=True, slots=True)
class KindLists:
    """A kind of list for a page: its texts, the lists of the collection, the name of the installed one."""

    kind: Kind
    about: str
    example: str
    lists: list[TagList]
    installed: str

    @property
    def form_values(self) -> dict[str, str]:
        """The values shown by the form that replaces the list."""
        return {"list": self.used.name if self.used else ""}

    @property
    def used(self) -> TagList | None:
        """The collection's own list in use; None without one."""
        return next((row for row in self.lists if row.used), None)


ABOUT = {
    Kind.INCLUDED: "Tags implied by more specific ones: of “hair” and “long hair”, only “long hair” is kept. "
    "JSON, for the setting “Drop implied tags” of the stage Tag.",
    Kind.UNWANTED: "Tags that models must not add. A text file with one tag per line, for the setting "
    "“Drop unwanted tags”.",
}
EXAMPLE = {Kind.INCLUDED: '{"hair": ["long hair", "short hair"]}', Kind.UNWANTED: "virtual youtuber"}


def kind_of(text: str) -> Kind:
    """Return the kind of this name. Raises BadInput for another word."""
    if text not in Kind.values:
        raise BadInput(f"{text!r} is not a kind of list. Kinds: {', '.join(Kind.values)}.")
    return Kind(text)


def parse(kind: Kind, data: bytes, *, name: str) -> Parsed:
    """Parse a list. Raises BadInput that names the wrong line or entry."""
    return (filter_lists.parse_overlaps if kind == Kind.INCLUDED else filter_lists.parse_unwanted)(data, name=name)


def add(
    *, collection: Collection, kind: Kind, name: str, data: bytes, by: Any, seen: str | None = None
) -> tuple[TagList, list[str]]:
    """Check and store a list, and use it from now on; returns it with notes on odd entries.

    Of the unused lists the newest KEPT stay. The history holds no lists (they may take megabytes): an undo of a change
    whose list was deleted skips it; to use that list again, upload it.

    Raises BadInput for an invalid list, and Stale where somebody chose another list since the page with the fingerprint
    `seen`.
    """
    display_name = plain_name(name)
    parsed = parse(kind, data, name=display_name)
    digest = filter_lists.digest(data)
    with history.operation(
        collection=collection,
        by=by,
        kind="tags.list",
        summary=f"{kind.label}: list {display_name}, {parsed.count:,} tags",
    ) as record:
        _check_seen(collection, kind, seen, display_name)
        row, _ = TagList.objects.get_or_create(
            collection=collection, kind=kind, digest=digest,
            defaults={"name": display_name[:200], "text": decode_text(data), "tags": parsed.count, "added_by": by},
        )  # fmt: skip
        _use(collection, kind, row, record)
        old = TagList.objects.filter(collection=collection, kind=kind, used=False).order_by("-pk")[KEPT:]
        TagList.objects.filter(pk__in=[row.pk for row in old]).delete()
    row.refresh_from_db()
    return row, parsed.notes


def use(*, collection: Collection, kind: Kind, key: int | None, by: Any, seen: str | None = None) -> TagList | None:
    """Use a list of the collection; with None the installed one, if there is one. Raises as `add`."""
    with history.operation(collection=collection, by=by, kind="tags.list", summary="") as record:
        row = None
        if key is not None:
            row = TagList.objects.filter(collection=collection, kind=kind, pk=key).first()
            if row is None:
                raise BadInput("This list no longer exists. Reload the page.")
        words = f"list {row.name}" if row else "no list of this collection"
        record.operation.summary = f"{kind.label}: {words}"
        _check_seen(collection, kind, seen, row.name if row else "")
        _use(collection, kind, row, record)
    return row


def used(collection: Collection, kind: Kind) -> Used:
    """Return the list in use. Raises BadInput when there is none or the installed one cannot be read."""
    row = TagList.objects.filter(collection=collection, kind=kind, used=True).first()
    if row is not None:
        return Used(parse(kind, row.text.encode(), name=row.name), row.digest)
    path = filter_lists.installed_file(settings.KOMA_MODELS_DIR, included=kind == Kind.INCLUDED)
    if path is None:
        raise BadInput(
            f"There is no list of {kind.label.lower()}. Add one under Members, Models, or with manage.py tag_lists; "
            f"or do not drop {kind.label.lower()}. {HOW}"
        )
    data = filter_lists.read_file(path)
    return Used(parse(kind, data, name=str(path)), filter_lists.digest(data))


def lists_by_kind(collection: Collection) -> list[KindLists]:
    """Both kinds of lists, for a page or a command."""
    rows = list(TagList.objects.filter(collection=collection).defer("text").select_related("added_by"))
    kinds = []
    for kind in Kind:
        path = filter_lists.installed_file(settings.KOMA_MODELS_DIR, included=kind == Kind.INCLUDED)
        own_lists = [row for row in rows if row.kind == kind]
        kinds.append(KindLists(kind, ABOUT[kind], EXAMPLE[kind], own_lists, path.name if path else ""))
    return kinds


def _check_seen(collection: Collection, kind: Kind, seen: str | None, name: str) -> None:
    used_list = TagList.objects.filter(collection=collection, kind=kind, used=True).first()
    who = author(Revision.objects.filter(model=TagList._meta.label, operation__collection=collection))
    now = {"list": used_list.name if used_list else ""}
    changed(seen, now=now, new={"list": name}, who=who, what=f"the list of {kind.label.lower()}")


def _use(collection: Collection, kind: Kind, row: TagList | None, record: history.Recorder) -> None:
    """Use one list instead of another; the old one is cleared first, since only one can be in use."""
    for used_list in TagList.objects.filter(collection=collection, kind=kind, used=True):
        if row is not None and used_list.pk == row.pk:
            continue
        used_list.used = False
        used_list.save(update_fields=["used"])
        record.changed(used_list, before={"used": True})
    if row is not None and not row.used:
        row.used = True
        row.save(update_fields=["used"])
        record.changed(row, before={"used": False})
