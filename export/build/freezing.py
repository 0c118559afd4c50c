"""Freezing: the collection as a recipe sees it now, as a manifest on disk. Every export and release begins with it.

The database is read once, so that what people change meanwhile cannot contradict itself; what was read waits in a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from django.contrib.auth import get_user_model

from annotate.models import ModelVersion, NamedBy
from export.algorithms.manifest import Author, Header, ManifestSource, item_line, read_item
from export.algorithms.plan import Item, Planning
from export.algorithms.recipe import Recipe
from export.algorithms.rows import Picture
from export.build import rows_from_database, upscaling
from export.build.manifest_file import Manifest, write_manifest
from export.build.rows_from_database import FILE, MODEL, PERSON
from ingest.imaging.store import full, no_room
from ingest.models import Collection, Source
from ingest.version import VERSION

_SPOOL = 200  # pictures between two reports

OnProgress = Callable[[int], None]


def freeze(
    collection: Collection,
    recipe: Recipe,
    path: Path,
    *,
    on_progress: OnProgress = lambda done: None,
    on_item: Callable[[Item], None] = lambda item: None,
) -> Manifest:
    """Write the manifest of a recipe for the current collection to `path`.

    `on_progress` gets the pictures read, then those written, and may raise to stop; `on_item` sees each item. Memory
    holds counts and a batch of pictures. Raises StoreFull.
    """
    planning = Planning(recipe, factor=upscaling.factor_of(collection, recipe))
    spool = path.with_name(f"{path.name}.spool")
    path.parent.mkdir(parents=True, exist_ok=True)
    authors: set[str] = set()
    sources: set[str] = set()
    try:
        _read(collection, recipe, planning, spool, authors, sources, on_progress)
        plan = planning.settle()
        left_out = rows_from_database.left_out(collection) | dict(plan.left_out)
        header = Header(
            koma=VERSION,
            recipe=recipe.as_dict(),
            balance=plan.balance,
            left_out=dict(sorted(left_out.items())),
            spelled=dict(sorted(plan.spelled.items())),
            upscaled={str(passes): count for passes, count in sorted(plan.upscaled.items())},
            authors=authors_of(authors),
            sources=_sources_of(collection, sources),
        )

        def items() -> Iterator[Item]:
            for number, picture in enumerate(_spooled(spool)):
                if number % _SPOOL == 0:
                    on_progress(number)
                for item in planning.items_of(picture):
                    on_item(item)
                    yield item

        write_manifest(path, header, items())
    except OSError as error:
        if no_room(error):
            raise full(path.parent, error) from error
        raise
    finally:
        spool.unlink(missing_ok=True)
    return Manifest(path)


def authors_of(keys: set[str]) -> dict[str, Author]:
    """Return who the keys in labels mean: people by their user names, models by their versions, files."""
    people = [int(key.partition(":")[2]) for key in keys if key.startswith(f"{PERSON}:")]
    models = [int(key.partition(":")[2]) for key in keys if key.startswith(f"{MODEL}:")]
    names = dict(get_user_model()._default_manager.filter(pk__in=people).values_list("pk", "username"))
    versions = ModelVersion.objects.in_bulk(models)
    authors: dict[str, Author] = {}
    for key in sorted(keys - {""}):
        kind, _, pk = key.partition(":")
        if kind == PERSON:
            authors[key] = Author(kind=PERSON, name=names.get(int(pk), "") if pk else "")
        elif kind == MODEL and pk:
            row = versions[int(pk)]
            authors[key] = Author(
                kind=MODEL, name=row.name, task=row.task, revision=row.revision, sha256=row.sha256, licence=row.licence
            )
        else:
            authors[key] = Author(kind=_KINDS.get(kind, FILE))
    return authors


_KINDS: dict[str, str] = {NamedBy.MODEL: MODEL, NamedBy.TAGGER: MODEL, NamedBy.COPY: PERSON, NamedBy.FILE: FILE}


def _read(
    collection: Collection, recipe: Recipe, planning: Planning, spool: Path, authors: set[str], sources: set[str],
    on_progress: OnProgress,
) -> None:  # fmt: skip
    """Read all pictures, and put those that take part into the spool."""
    rows = rows_from_database.pictures(collection, name_clusters=recipe.arrange.name_clusters)
    read = 0
    with spool.open("wb") as file:
        while batch := list(islice(rows, _SPOOL)):
            on_progress(read)
            read += len(batch)
            chosen = [picture for picture in batch if planning.add(picture)]
            for picture in chosen:
                authors.update(label.author for label in picture.labels)
                authors.update(key for face in picture.faces for key in (face.author, face.name_author))
                sources.add(picture.origin.source)
            if chosen:
                file.writelines(item_line(Item(picture, (), "")) for picture in chosen)


def _spooled(spool: Path) -> Iterator[Picture]:
    """Yield what `_read` wrote."""
    with spool.open("rb") as file:
        for line in file:
            yield read_item(line).picture


def _sources_of(collection: Collection, sha256s: set[str]) -> tuple[ManifestSource, ...]:
    rows = Source.objects.filter(collection=collection).order_by("sha256")
    return tuple(
        ManifestSource(
            sha256=row.sha256,
            name=row.name,
            kind=row.kind,
            image_type=row.image_type,
            licence_note=row.licence_note,
        )
        for row in rows
        if row.sha256 in sha256s
    )
