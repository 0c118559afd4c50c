"""Download of a catalogue model from a hub: query its files, fetch what is missing, verify, install."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from annotate.backends.model_files import folder, formats, weights
from annotate.backends.model_files.catalogue import File, Model
from annotate.backends.model_files.registry import CARD
from annotate.backends.model_files.remote import Hub, Remote, Stop, never
from ingest import outside_json
from ingest.errors import BadInput

PLAN = ".plan"  # records which files the partial downloads belong to
PART = ".part"
FILES_MAX = 60  # of a repository that is taken completely

Report = Callable[[int, int, str], None]  # bytes done, total bytes, file name


def silent(done: int, total: int, file: str) -> None:
    """Report nothing."""


@dataclass(slots=True)
class Downloaded:
    """Result of a download."""

    name: str
    path: Path
    fetched_bytes: int = 0
    kept_bytes: int = 0  # from an earlier attempt, or already installed with the same hash
    files: dict[str, dict[str, Any]] = field(default_factory=dict)


def download(
    model: Model, hub: Hub, models_dir: Path, *, reserve: int = 0, report: Report = silent, stop: Stop = never
) -> Downloaded:
    """Install or update a model. It appears as installed only after every file is complete and verified.

    Raises BadInput (missing, or its content differs from the stated or pinned hash), Cancelled, or a KomaError that is
    not permanent (no network, no space); partial downloads are kept.
    """
    files_wanted = _files_wanted(model, hub, stop)
    total = sum(remote.size for _, remote in files_wanted)
    with folder.incoming(models_dir, model.name) as aside:
        _drop_other_parts(aside, files_wanted)
        folder.check_space(models_dir, total - folder.size_of(aside), reserve=reserve)
        downloaded = Downloaded(model.name, models_dir / model.name)
        done = 0
        for file, remote in files_wanted:
            part = aside / f"{file.local}{PART}"
            have = part.stat().st_size if part.exists() else 0
            state = {"done": done + have}

            def progress(new: int, state: dict[str, int] = state, name: str = file.local) -> None:
                state["done"] += new
                report(state["done"], total, name)

            report(state["done"], total, file.local)
            hub.fetch(remote, part, progress=progress, stop=stop)
            downloaded.kept_bytes += have
            downloaded.fetched_bytes += remote.size - have
            done += remote.size
            downloaded.files[file.local] = _compared(file, remote, part, stop)
        for file, _ in files_wanted:
            (aside / f"{file.local}{PART}").rename(aside / file.local)
        downloaded.path = folder.finish(
            models_dir, model.name, aside, card_of(model, downloaded.files, files_wanted, hub)
        )
    return downloaded


def card_of(
    model: Model, files: Mapping[str, Mapping[str, Any]], files_wanted: list[tuple[File, Remote]], hub: Hub
) -> dict[str, Any]:
    """Build koma.json of a downloaded model."""
    return {
        "family": model.family,
        "repository": model.repository,
        "revision": next((remote.commit for _, remote in files_wanted if remote.repository == model.repository), ""),
        "licence": model.licence or hub.licence(model.repository),
        "options": model.options,
        "from": hub.base,
        "installed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": files,
    }


def _files_wanted(model: Model, hub: Hub, stop: Stop) -> list[tuple[File, Remote]]:
    files = model.files
    if not files:
        listed = hub.listing(model.repository, model.revision, stop=stop)
        names = [name for name in listed if not formats.refusal(name)]
        files = tuple(File(name, name) for name in sorted(names) if name != CARD)
        if not files or len(files) > FILES_MAX:
            raise BadInput(
                f"{model.repository} holds {len(files)} usable files at its top level; "
                "it cannot be downloaded as a whole."
            )
    wanted_files = []
    for file in files:
        why = formats.refusal(file.local)
        if why or file.local == CARD:
            raise BadInput(f"{model.name}: {file.local}: {why or 'this name is taken'}.")
        repository = file.repository or model.repository
        remote = hub.about(repository, model.revision if not file.repository else "main", file.remote, stop=stop)
        if remote is not None:
            if file.sha256 and remote.sha256 and file.sha256 != remote.sha256:
                raise BadInput(
                    f"{model.name}: {file.remote} on {hub.host} has different content (sha256 {remote.sha256[:12]}...) "
                    f"than the catalogue pins ({file.sha256[:12]}...). It was not downloaded."
                )
            wanted_files.append((file, remote))
        elif not file.optional:
            raise BadInput(
                f"{model.name}: {hub.host} has no {file.remote} in {repository} at {model.revision}. It may have "
                "moved, need a login (KOMA_HUB_TOKEN), or the mirror lacks it."
            )
    return wanted_files


def _drop_other_parts(aside: Path, files_wanted: list[tuple[File, Remote]]) -> None:
    """Keep only partial downloads of exactly these files, and record which files they belong to."""
    plan = {f"{file.local}{PART}": [r.repository, r.path, r.commit, r.size, r.sha256] for file, r in files_wanted}
    try:
        before = outside_json.read(aside / PLAN)
    except (OSError, ValueError):
        before = {}
    same = before if isinstance(before, dict) else {}
    for path in list(aside.iterdir()):
        known = plan.get(path.name)
        if known is None or same.get(path.name) != known or path.stat().st_size > int(str(known[3])):
            folder.erase(path)
    (aside / PLAN).write_text(json.dumps(plan), encoding="utf-8")


def _compared(file: File, remote: Remote, part: Path, stop: Stop) -> dict[str, Any]:
    """Return the file's entry for koma.json. On a hash mismatch the partial download is deleted and BadInput raised."""
    digest, blob = formats.hashes(part, stop=stop)
    for stated, seen, who in (
        (file.sha256, digest, "the catalogue"),
        (remote.sha256, digest, "the hub"),
        (remote.git_sha1, blob, "the hub"),
    ):
        if stated and stated != seen:
            part.unlink()
            raise BadInput(
                f"{remote.path}: its sha256 is {seen[:12]}..., but {who} states {stated[:12]}...: it was "
                "damaged in transit or changed. It was deleted; download it again."
            )
    try:
        formats.check(part, file.local)
    except Exception:  # whatever is wrong with it, a retry must not take it as complete
        part.unlink()
        raise
    by = "catalogue" if file.sha256 else "hub" if remote.sha256 or remote.git_sha1 else "here"
    return {"sha256": digest, "size": remote.size, "remote": remote.path, "commit": remote.commit, "told_by": by}


def is_installed(models_dir: Path, model: Model) -> bool:
    """Return whether the folder holds its card and every required file; contents are not verified."""
    path = models_dir / model.name
    files = weights.read_card(path / CARD).get("files") if path.is_dir() else None
    if not isinstance(files, dict):
        return False
    needed = [file.local for file in model.files if not file.optional] or list(files)
    return all((path / name).is_file() for name in needed)
