"""`python -m project.licences`: the licence texts of all installed packages, one after the other."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

WORDS = ("licen", "copying", "notice", "authors")


def licence_of(package: Distribution) -> str:
    """Return the licence's name as the package states it: the expression, the field or its classifiers."""
    meta = package.metadata
    classifiers = [line.split(" :: ")[-1] for line in meta.get_all("Classifier") or [] if line.startswith("License")]
    stated = "\n".join([*(meta.get_all("License-Expression") or []), *(meta.get_all("License") or [])])
    return next((line.strip() for line in stated.splitlines() if line.strip()), "") or ", ".join(classifiers)


def texts_of(package: Distribution) -> Iterator[tuple[str, str]]:
    """Yield name and text of each licence file that the package brought."""
    for file in package.files or []:
        if any(word in file.name.lower() for word in WORDS) and not file.name.endswith((".py", ".pyc", ".h")):
            path = Path(str(package.locate_file(file)))
            if path.is_file():
                yield str(file), path.read_text(encoding="utf-8", errors="replace")


def main() -> None:
    """Print everything to standard output."""
    for package in sorted(distributions(), key=lambda package: package.metadata["Name"].lower()):
        print(f"{'=' * 100}\n{package.metadata['Name']} {package.version}: {licence_of(package) or 'see below'}\n")
        for name, text in texts_of(package):
            print(f"--- {name}\n{text}\n")


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    main()
