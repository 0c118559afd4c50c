"""Names that say nothing of the thing they name: `python -m lint.names [--list] [package ...]`.

docs/words.md fixes which word means what. This check counts every name that the code binds (locals, attributes,
parameters, functions, classes) and holds the share of those that are on the list below under a ceiling per package.
Ceilings only go down."""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# The most names on the list per 1,000 bound names. 2 leaves room for the few places where such a word is the right one.
CEILINGS: dict[str, float] = {
    "project": 2,
    "ingest": 2,
    "annotate": 2,
    "export": 2,
    "demo_film": 2,
    "training": 2,
    "bench": 2,
    "lint": 2,
    "tests": 8,
}

# Names that are too vague as a whole name, with what to say instead. As part of a longer name they may be fine.
ALONE = {
    "act": "action",
    "apart": "differences",
    "asked": "requested",
    "at": "index, position, or when",
    "beside": "name the thing",
    "faintest": "min_contrast",
    "fits": "matches, is_valid",
    "found": "rows, matches, result",
    "given": "values, or name the thing",
    "heard": "on_progress",
    "is_there": "is_available",
    "kept": "cached, open_models, or name the thing (kept is a state of a frame)",
    "least": "minimum",
    "look": "run_models, inspect, or name the thing",
    "looked": "detected, computed",
    "made": "created, built",
    "mark": "cache_key",
    "mine": "claimed",
    "most": "maximum",
    "near": "neighbours",
    "no_memory": "is_out_of_memory",
    "one": "item, or name the thing",
    "ours": "name the thing",
    "own": "local, builtin, personal",
    "plain": "name what it lacks",
    "reading": "parsed, decoded, rows",
    "said": "tags, answers, labels, response",
    "say": "report",
    "several": "name the things",
    "shown": "rows, visible",
    "some": "name the things",
    "tell": "report",
    "theirs": "name the thing",
    "there": "existing, position, is_available",
    "thing": "name the thing",
    "told": "result, counts, described",
    "wanted": "requested, or name the thing",
    "way": "method, route, direction",
    "whole": "complete, total, or name the thing",
    "wire": "socket, connection",
}

# Words that help in no name, however long it is.
ANYWHERE = {
    "sayable": "is_valid_name",
    "said": "tags, answers, labels, response",
    "speaker": "scored_version",
    "teller": "ProgressReporter",
    "told": "result, counts, described",
    "watcher": "model_slot",
    "worthy": "above_floor",
}

# The word is right here: (file, name).
MEANT = {
    ("ingest/models/frame.py", "kept"),  # the frames whose state is KEPT
    ("annotate/queries/figures.py", "kept"),  # how many those are
}

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


@dataclass(frozen=True)
class Bound:
    """A name that the code binds, and where."""

    file: str
    line: int
    name: str

    def suggestion(self) -> str | None:
        """What to say instead; None where the name is fine."""
        if self.name.isupper() or self.name.startswith("test_") or (self.file, self.name) in MEANT:
            # Constants and members of an Enum are read with the name of their class or module before them; the name
            # of a test is a sentence.
            return None
        parts = [part.lower() for part in _PARTS.findall(self.name)]
        alone = ALONE.get("_".join(parts))
        return alone or next((ANYWHERE[part] for part in parts if part in ANYWHERE), None)


def bound_names(source: str, file: str) -> Iterator[Bound]:
    """Every name that the source binds.

    Imports are not counted, since they bind what another file named, nor are columns of the database: a format.
    """
    tree = ast.parse(source)
    columns = {id(target) for node in ast.walk(tree) for target in _columns(node)}
    for node in ast.walk(tree):
        if id(node) in columns:
            continue
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield Bound(file, node.lineno, name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield Bound(file, node.lineno, name)
            case _:
                pass


def _columns(node: ast.AST) -> Iterator[ast.expr]:
    """The names in a model's class whose values are fields: `at = models.DateTimeField()`."""
    for statement in node.body if isinstance(node, ast.ClassDef) else ():
        if isinstance(statement, ast.Assign) and ast.unparse(statement.value).startswith("models."):
            yield from statement.targets


def names_of(package: str) -> list[Bound]:
    """The bound names of a package's files; migrations are history and left out."""
    bound: list[Bound] = []
    for path in sorted((ROOT / package).rglob("*.py")):
        if "migrations" not in path.parts:
            bound += bound_names(path.read_text("utf-8"), path.relative_to(ROOT).as_posix())
    return bound


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lint.names", description="Find names that docs/words.md advises against."
    )
    parser.add_argument("packages", nargs="*", metavar="package", help=f"of {', '.join(CEILINGS)}; all without")
    parser.add_argument("--list", action="store_true", help="list the names even where there are few enough")
    options = parser.parse_args(arguments)
    if unknown := set(options.packages) - set(CEILINGS):
        parser.error(f"no such package: {', '.join(sorted(unknown))}")
    failed = False
    for package in options.packages or CEILINGS:
        bound = names_of(package)
        vague = [(name, suggestion) for name in bound if (suggestion := name.suggestion())]
        share = 1000 * len(vague) / max(1, len(bound))
        too_many = share > CEILINGS[package]
        failed |= too_many
        if options.list or too_many:
            for name, suggestion in vague:
                print(f"{name.file}:{name.line} {name.name} -> {suggestion}")
        print(f"{package}: {len(vague)} of {len(bound)} names, {share:.1f} per 1,000 (ceiling {CEILINGS[package]:g})")
    if failed:
        print("Too many vague names: name the thing instead, see docs/words.md.")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
