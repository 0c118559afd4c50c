"""Import of a model from a folder or ZIP on this machine: safe files only, verified against their stated hashes.

Files may be laid out as in the models folder (`model.onnx`) or as in their repository
(`face_detect_v1.4_s/model.onnx`).
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from annotate.backends.model_files import folder, formats, registry
from annotate.backends.model_files.catalogue import CATALOGUE, File, Model
from annotate.backends.model_files.registry import CARD
from annotate.backends.model_files.remote import Stop, never
from ingest import outside_json
from ingest.errors import BadInput, Cancelled
from ingest.imaging.archive import BadArchive, BadMember, Limits, ZipReader
from ingest.imaging.names import plain_text

CHUNK = 1 << 20
ENTRIES_MAX = 5000
PATH_MAX = 1000  # bytes of a path inside the source
OPTIONS_MAX = 32  # options of a card, each a number, a boolean or a short word
LIMITS = Limits(members_max=ENTRIES_MAX, member_bytes_max=64 * 2**30)

Opener = Callable[[], contextlib.AbstractContextManager[IO[bytes]]]
Report = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Offered:
    """A file that could be imported: its path inside the source for display, its size, and how to read it."""

    path: str
    size: int
    open: Opener


@dataclass(slots=True)
class Imported:
    """Result of an import, with the reasons for what was left out."""

    name: str
    path: Path
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def import_model(
    source: Path,
    models_dir: Path,
    *,
    name: str = "",
    family: str = "",
    display_name: str = "",
    reserve: int = 0,
    report: Report = lambda done, total, file: None,
    stop: Stop = never,
) -> Imported:
    """Install the model in a folder or zip under `name` (default: the source's own name).

    For a name in the catalogue, the catalogue says which files are needed; other models need `family`, a koma.json, or
    files by which their family is recognised. `shown`: the source's name for the user. Raises BadInput.
    """
    called = plain_text(display_name or source.name)
    name = folder.new_name(name or PurePosixPath(called).name.removesuffix(".zip"))
    with _offered(source, called) as (offers, left_out):
        card = _stated(offers)
        model = CATALOGUE.get(name)
        taken = _of_catalogue(model, offers, left_out) if model else _all_safe(offers, left_out)
        family = model.family if model else family or str(card.get("family", "")) or _recognised(taken)
        if not model and family not in registry.FAMILIES:
            known = ", ".join(sorted(registry.FAMILIES))
            raise BadInput(
                f"{called}: the type of this model could not be detected. Give a name from the catalogue, "
                f"or its family: {known}. {' '.join(left_out[:5])}".strip()
            )
        if not taken:
            raise BadInput(f"{called}: it has no usable files. {' '.join(left_out[:5])}".strip())
        imported = Imported(name, models_dir / name, left_out=left_out)
        total = sum(offer.size for offer in taken.values())
        with folder.incoming(models_dir, name) as aside:
            for stray in list(aside.iterdir()):
                folder.erase(stray)
            folder.check_space(models_dir, total, reserve=reserve)
            done = 0
            try:
                for local, offer in taken.items():
                    done = _copy(offer, aside / local, local, done=done, total=total, report=report, stop=stop)
                    imported.files[local] = _line(aside / local, local, offer, model, card, stop)
                imported.path = folder.finish(
                    models_dir, name, aside, _card(family, model, card, called, imported.files)
                )
            except BaseException:  # partial copies are never resumed, and may have filled the disk
                folder.erase(aside)
                raise
    return imported


@contextlib.contextmanager
def _offered(source: Path, called: str) -> Iterator[tuple[list[Offered], list[str]]]:
    """Yield all regular files of the source, and the reasons for those refused at once."""
    if source.is_dir():
        yield _in_folder(source)
    elif source.is_file():
        try:
            with ZipReader(source, name=called, limits=LIMITS) as reader:
                offers = [
                    Offered(member.name, member.size, lambda member=member: reader.open(member))  # type: ignore[misc]
                    for member in reader.members
                ]
                left_out = [f"{refusal.name}: {refusal.reason}." for refusal in reader.refused if not refusal.leftover]
                yield offers, left_out
        except (BadArchive, BadMember) as error:
            raise BadInput(str(error)) from error
    else:
        raise BadInput(f"{called}: there is no such folder or ZIP.")


def _in_folder(source: Path) -> tuple[list[Offered], list[str]]:
    offers: list[Offered] = []
    left_out: list[str] = []
    for directory, folders, names in os.walk(source):
        folders[:] = sorted(folder_name for folder_name in folders if not folder_name.startswith("."))  # .git, .cache
        for name in sorted(names):
            path = Path(directory) / name
            relative = plain_text(path.relative_to(source).as_posix(), bytes_max=PATH_MAX)
            if name.startswith("."):
                continue
            if len(offers) + len(left_out) >= ENTRIES_MAX:
                raise BadInput(f"{source.name} holds more than {ENTRIES_MAX:,} files; give the model's own folder.")
            if plain_text(name) != name:
                left_out.append(f"{relative}: {formats.refusal(name)}.")
                continue
            about = path.stat() if path.exists() else None
            if path.is_symlink() and not path.resolve().is_relative_to(source.resolve()):
                left_out.append(f"{relative}: a link to a file outside the folder.")
            elif about is None or not stat.S_ISREG(about.st_mode):
                left_out.append(f"{relative}: not a regular file.")
            else:
                offers.append(Offered(relative, about.st_size, lambda path=path: path.open("rb")))  # type: ignore[misc]
    return offers, left_out


def _stated(offers: list[Offered]) -> dict[str, Any]:
    """Read the source's koma.json, of a model packed elsewhere; empty without one. Only a few of its keys are used."""

    for offer in offers:
        if PurePosixPath(offer.path).name == CARD and offer.path.count("/") <= 1 and offer.size <= outside_json.SMALL:
            with offer.open() as file:
                try:
                    card = outside_json.parsed(file.read(outside_json.SMALL))
                except ValueError as error:
                    raise BadInput(f"{offer.path}: not valid JSON ({error}).") from error
            return card if isinstance(card, dict) else {}
    return {}


def _of_catalogue(model: Model, offers: list[Offered], left_out: list[str]) -> dict[str, Offered]:
    """Return each file that the model needs, by local name. Raises BadInput naming those that are missing."""
    if not model.files:
        return _all_safe(offers, left_out)
    taken: dict[str, Offered] = {}
    missing = []
    for file in model.files:
        offer = _best(file, offers)
        if offer is not None:
            taken[file.local] = offer
        elif not file.optional:
            missing.append(file.local if file.local == file.remote else f"{file.local} (or {file.remote})")
    if missing:
        why = [f"{o.path}: {r}." for o in offers if (r := formats.refusal(PurePosixPath(o.path).name))][:3]
        raise BadInput(f"{model.name} needs {', '.join(missing)}, missing here. {' '.join(why)}".strip())
    used = {offer.path for offer in taken.values()}
    for offer in offers:
        if offer.path not in used and PurePosixPath(offer.path).name != CARD:
            why_not = formats.refusal(PurePosixPath(offer.path).name)
            left_out.append(f"{offer.path}: {why_not or 'the model does not need it'}.")
    return taken


def _best(file: File, offers: list[Offered]) -> Offered | None:
    """Find a file by its path in the repository, else by its local name at the top level or in the only folder."""
    exact = [offer for offer in offers if ("/" + offer.path).endswith("/" + file.remote)]
    if len(exact) == 1:
        return exact[0]
    close = [o for o in offers if PurePosixPath(o.path).name == file.local and o.path.count("/") <= 1]
    return close[0] if len(close) == 1 else None


def _all_safe(offers: list[Offered], left_out: list[str]) -> dict[str, Offered]:
    """Return all safe files of the top level, or of the only folder in it."""
    tops = {offer.path.split("/")[0] for offer in offers if "/" in offer.path}
    flat = [offer for offer in offers if "/" not in offer.path]
    inner = not flat and len(tops) == 1
    taken: dict[str, Offered] = {}
    for offer in offers:
        parts = offer.path.split("/")[1:] if inner else offer.path.split("/")
        name = parts[-1]
        why = "it lies in a folder of its own" if len(parts) != 1 else formats.refusal(name)
        if name == CARD and len(parts) == 1:
            continue
        if not why and name.lower() in {CARD, *(taken_name.lower() for taken_name in taken)}:
            why = "another file has this name, apart from upper and lower case"
        if why:
            left_out.append(f"{offer.path}: {why}.")
        else:
            taken[name] = offer
    return taken


def _recognised(taken: Mapping[str, Offered]) -> str:
    families = [
        family.name for family in registry.FAMILIES.values() if family.files and set(family.files) <= taken.keys()
    ]
    return families[0] if families else ""


def _copy(offer: Offered, to: Path, local: str, *, done: int, total: int, report: Report, stop: Stop) -> int:
    try:
        with offer.open() as source, to.open("wb") as target:
            written = 0
            while block := source.read(CHUNK):
                if stop():
                    raise Cancelled("Stopped. Nothing was installed.")
                written += len(block)
                if written > offer.size:
                    raise BadInput(f"{offer.path}: it is longer than stated. Create the ZIP again.")
                target.write(block)
                report(done + written, total, local)
    except (BadMember, BadArchive) as error:
        raise BadInput(str(error)) from error
    if written != offer.size:
        raise BadInput(f"{offer.path}: it is truncated. Copy it again.")
    return done + written


def _line(
    path: Path, local: str, offer: Offered, model: Model | None, card: Mapping[str, Any], stop: Stop
) -> dict[str, Any]:  # fmt: skip
    """Return the file's entry for koma.json. Raises BadInput on a mismatch with the catalogue or the source's card."""
    formats.check(path, local)
    digest, _ = formats.hashes(path, stop=stop)
    pinned = next((file.sha256 for file in model.files if file.local == local), "") if model else ""
    lines = card.get("files")
    line = lines.get(local) if isinstance(lines, dict) else None
    stated_hash = str(line.get("sha256", "")) if isinstance(line, dict) else ""
    for expected_hash, who in ((pinned, "the catalogue"), (stated_hash, "the koma.json next to it")):
        if expected_hash and expected_hash != digest:
            raise BadInput(
                f"{offer.path}: its sha256 is {digest[:12]}..., but {who} states {expected_hash[:12]}...: "
                "the file is damaged or of another version. Nothing was installed."
            )
    by = "catalogue" if pinned else "card" if stated_hash else "here"
    return {"sha256": digest, "size": path.stat().st_size, "told_by": by}


def _card(
    family: str, model: Model | None, card: Mapping[str, Any], called: str, files: Mapping[str, Any]
) -> dict[str, Any]:
    def words(key: str) -> str:
        value = card.get(key, "")
        return value[:200] if isinstance(value, str) and value.isprintable() else ""

    return {
        "family": family,
        "repository": model.repository if model else words("repository"),
        "revision": words("revision"),
        "licence": (model.licence if model else "") or words("licence"),
        "options": model.options if model else _options(card.get("options")),
        "from": f"import of {called[:100]}",
        "installed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": files,
    }


def _options(stated: Any) -> dict[str, Any]:
    """Return the acceptable options of an untrusted card: simple values with short names."""
    rows = stated.items() if isinstance(stated, dict) else ()
    fine = {
        name: value
        for name, value in rows
        if len(name) <= 40 and (isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 200))
    }
    return dict(sorted(fine.items())[:OPTIONS_MAX])
