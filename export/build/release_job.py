"""Freezing of a Release: its manifest goes into the store, its rows keep the files that it needs.

The row becomes `done` in the transaction that writes those rows; a kill before leaves nothing but a file without a row.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.db import transaction

from export.algorithms.figures import Figures
from export.algorithms.plan import Item
from export.algorithms.recipe import RecipeError, parse
from export.build.freezing import freeze
from export.build.manifest_file import Manifest
from export.build.rows_from_database import picture_key
from export.models import Release, ReleasePicture
from ingest.errors import BadInput, KomaError
from ingest.imaging.store import StoreFull
from ingest.models import Collection, Frame, RunState
from ingest.pipeline.claims import Kind, Reporter
from ingest.storage.stored_files import store

logger = logging.getLogger(__name__)

RELEASES = Kind(Release, noun="release", retry="press Retry", related=("collection",))
_ROWS = 2000


def execute(release_id: int, *, in_worker: bool = False) -> RunState | None:
    """Freeze a waiting release; None if another worker has it. Never raises for a failure of the freezing itself."""
    release = RELEASES.claim(release_id)
    if release is None:
        return None

    def work(report: Reporter[Release]) -> dict[str, Any]:
        try:
            return _freeze(release, report)
        except (RecipeError, StoreFull) as problem:  # texts for people, too
            raise KomaError(str(problem)) from problem

    return RELEASES.run(release, work, in_worker=in_worker)


def manifest_of(release: Release) -> Manifest:
    """Open the manifest of a frozen release. Raises BadInput if its file is gone or damaged."""
    if not release.file:
        raise BadInput(f"{release} is not frozen yet.")
    return Manifest(store().path(release.file))


def _freeze(release: Release, report: Reporter[Release]) -> dict[str, Any]:
    recipe = parse(release.params)
    figures = Figures()
    keys: dict[str, str] = {}  # stored file by picture

    def see(item: Item) -> None:
        figures.add(item)
        keys[item.picture.key.split(":crop")[0]] = item.picture.source

    counters: dict[str, Any] = {"phase": "reading"}
    report(at_once=True, done=0, counters=counters)
    with store().scratch() as path:
        manifest = freeze(
            release.collection, recipe, path, on_progress=lambda done: report(done=done, counters=counters), on_item=see
        )
        if not len(manifest):
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in manifest.header.left_out.items())
            raise BadInput(f"No picture would be in this release: {reasons or 'there are no kept frames'}.")
        sha256 = manifest.sha256()
        file = store().put_file(path, "gz")
    counters = {
        "phase": "done",
        "figures": figures.as_dict(),
        "said_by": figures.said_by(manifest.header.authors),
        "left_out": dict(manifest.header.left_out),
        "folders": len(manifest.header.balance.folders),
        "epoch": round(manifest.header.balance.epoch, 2),
        "stored_pictures": len(keys),
        "manifest_bytes": store().path(file).stat().st_size,
    }
    with transaction.atomic():
        # The claim is proved and the row locked first: a worker that lost it must not write rows.
        report(at_once=True, done=len(manifest), total=len(manifest), file=file, sha256=sha256, counters=counters)
        ReleasePicture.objects.filter(release=release).delete()
        rows = iter(keys.items())
        frames = _frames_by_key(release.collection, keys)
        while part := list(islice(rows, _ROWS)):
            ReleasePicture.objects.bulk_create(
                ReleasePicture(
                    collection=release.collection, release=release, key=key, file=name, frame_id=frames.get(key)
                )
                for key, name in part
            )
        if missing := sum(not store().exists(name) for name in keys.values()):
            raise BadInput(f"{missing:,} pictures were removed while the release was being frozen. Press Retry.")
    logger.info("release %s: %s pictures", release, len(manifest))
    return {"warnings": list(manifest.plan.warnings)}


def _frames_by_key(collection: Collection, keys: dict[str, str]) -> dict[str, int]:
    return {key: pk for key, pk in _keys_of_frames(collection) if key in keys}


def _keys_of_frames(collection: Collection) -> Iterator[tuple[str, int]]:
    episodes = {row.pk: row for row in collection.episodes.select_related("source")}
    rows = Frame.objects.filter(collection=collection).exclude(file="").values_list("pk", "episode_id", "index")
    for pk, episode, index in rows.iterator(5000):
        yield picture_key(episodes[episode], index), pk
