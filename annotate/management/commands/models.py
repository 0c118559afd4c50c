"""`manage.py models list|download|verify|remove|import`: the models folder without the browser."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from annotate.backends.model_files import catalogue, folder, registry
from annotate.backends.model_files.download import download
from annotate.backends.model_files.importing import import_model
from annotate.model_library import model_actions
from annotate.model_library.listing import Row, rows
from ingest import humane
from ingest.errors import KomaError
from ingest.imaging.names import plain_text


class Progress:
    """One line on standard error that is written again on a terminal; else one line for every tenth."""

    def __init__(self, name: str, out: Any) -> None:
        self.name, self.out = name, out
        self.again = bool(getattr(sys.stderr, "isatty", lambda: False)())
        self.last = -1

    def __call__(self, done: int, total: int, file: str = "") -> None:
        tenth = 100 if total <= 0 else int(done * (100 if self.again else 10) / total)
        if tenth == self.last:
            return
        self.last = tenth
        text = f"{self.name}: {humane.filesize(done)} of {humane.filesize(total)}, {file}"
        self.out.write(text, style_func=str, ending="\r" if self.again and done < total else "\n")
        self.out.flush()


class Command(BaseCommand):
    """Nothing is downloaded unless it is named here (or asked for on the models page)."""

    help = "Show, download, check, remove and import models. Nothing is downloaded unless you name it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True, metavar="list|download|verify|remove|import")
        list_parser = acts.add_parser("list", help="all models that Koma knows, and what is installed")
        list_parser.add_argument("--task", default="", help="only one task: faces, boxes, tags, embedding, class, ...")
        list_parser.add_argument("--installed", action="store_true", help="only what is installed")
        fetch = acts.add_parser("download", help=f"fetch models from {settings.KOMA_HUB_URL} (KOMA_HUB_URL)")
        fetch.add_argument("names", nargs="+", metavar="NAME")
        check = acts.add_parser("verify", help="compare files with their stored hashes; without a name all models")
        check.add_argument("names", nargs="*", metavar="NAME")
        gone = acts.add_parser("remove", help="delete a model's files; its results are kept")
        gone.add_argument("names", nargs="+", metavar="NAME")
        taken = acts.add_parser("import", help="take a model from a folder or a zip, without a network")
        taken.add_argument("source", type=Path, metavar="FOLDER_OR_ZIP")
        taken.add_argument("--name", default="", help="its name here (default: that of the folder or zip)")
        taken.add_argument(
            "--family", default="", help=f"its type, if it cannot be detected: {', '.join(registry.FAMILIES)}"
        )
        for sub_parser in (list_parser, fetch, check, gone, taken):
            sub_parser.add_argument("--json", action="store_true", help="one JSON line on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit code 0 only when everything asked for was done; what was done before a failure is still told."""
        answers: list[dict[str, Any]] = []
        failed: KomaError | None = None
        try:
            getattr(self, f"_{options['act']}")(options, answers)
        except KomaError as error:
            failed = error
        except OSError as error:
            failed = KomaError(f"{settings.KOMA_MODELS_DIR}: {error}")
        except KeyboardInterrupt:
            failed = KomaError("Stopped. The partial download is kept.")
        if options["json"]:
            output: dict[str, Any] = {"models": answers}
            self.stdout.write(json.dumps(output | ({"error": failed.message} if failed else {})))
        if failed is not None:
            raise CommandError(plain_text(failed.message, bytes_max=4000))

    def _list(self, options: dict[str, Any], answers: list[dict[str, Any]]) -> None:
        listed = [
            row for row in rows() if options["task"] in ("", row.task) and (row.installed or not options["installed"])
        ]
        answers += [row.as_json() for row in listed]
        if options["json"]:
            return
        for task in dict.fromkeys(row.task for row in listed):
            self.stdout.write(f"{task}:")
            for row in (row for row in listed if row.task == task):
                self.stdout.write(_line(row))
        if not listed:
            self.stdout.write("Nothing to show.")

    def _download(self, options: dict[str, Any], answers: list[dict[str, Any]]) -> None:
        hub = model_actions.hub()
        for model in [catalogue.get(name) for name in options["names"]]:
            done = download(
                model, hub, settings.KOMA_MODELS_DIR, reserve=settings.KOMA_DISK_RESERVE_BYTES,
                report=Progress(model.name, self.stderr),
            )  # fmt: skip
            answers.append(
                {"name": done.name, "path": str(done.path), "fetched_bytes": done.fetched_bytes, "files": done.files}
            )
            self._report(options, f"{done.name}: installed in {done.path}, hashes compared.")

    def _verify(self, options: dict[str, Any], answers: list[dict[str, Any]]) -> None:
        here = [model.name for model in registry.installed(settings.KOMA_MODELS_DIR) if model.wheel is None]
        wrong = []
        for name in options["names"] or here:
            states = folder.verify(settings.KOMA_MODELS_DIR, name)
            bad = [model for model in states if model.state in ("damaged", "missing")]
            wrong += [name] if bad else []
            answers.append({"name": name, "fine": not bad, "files": {model.name: model.state for model in states}})
            for model in states:
                word = "hash unknown" if model.state == "unlisted" else model.state
                self._report(options, f"{name}/{model.name}: {word}")
        if not options["names"] and not here:
            self._report(options, f"No model is installed in {settings.KOMA_MODELS_DIR}.")
        if wrong:
            raise KomaError(f"Incomplete or changed: {', '.join(wrong)}. Download or import them again.")

    def _remove(self, options: dict[str, Any], answers: list[dict[str, Any]]) -> None:
        for name in options["names"]:
            freed, chosen = model_actions.remove(name=name)
            answers.append({"name": name, "freed_bytes": freed, "chosen_in": chosen})
            note = f" It is still chosen in {', '.join(chosen)}; choose another there." if chosen else ""
            self._report(options, f"{name}: removed, {humane.filesize(freed)} freed.{note}")

    def _import(self, options: dict[str, Any], answers: list[dict[str, Any]]) -> None:
        source: Path = options["source"].absolute()
        imported = import_model(
            source, settings.KOMA_MODELS_DIR, name=options["name"], family=options["family"],
            reserve=settings.KOMA_DISK_RESERVE_BYTES, report=Progress(source.name, self.stderr),
        )  # fmt: skip
        answers.append(
            {"name": imported.name, "path": str(imported.path), "files": imported.files, "left_out": imported.left_out}
        )
        for line in imported.left_out:
            self._report(options, f"  left out: {line}")
        self._report(options, f"{imported.name}: installed in {imported.path}, {len(imported.files)} files.")

    def _report(self, options: dict[str, Any], text: str) -> None:
        """Names of files and words of servers stand in it; a terminal gets no control characters."""
        if not options["json"]:
            self.stdout.write(plain_text(text, bytes_max=4000))


def _line(row: Row) -> str:
    installed_sign = "x" if row.installed else " "
    size = humane.filesize(row.size_bytes) if row.size_bytes else "size unknown"
    licence = row.licence or ("licence not stated here" if row.source else "licence unknown")
    return f"  [{installed_sign}] {row.name:<38} {size:>14}  {row.repository:<41} {licence}"
