"""Bounds for templates that djangofmt has no rule for: long lines (it never breaks tags and values) and long files."""

from __future__ import annotations

import sys
from pathlib import Path

LINE_MAX = 160  # characters
LINES_MAX = 250


def problems(folder: Path) -> list[str]:
    """One line for each line and each file that is too long."""
    too_long = []
    for path in sorted(folder.rglob("*.html")):
        lines = path.read_text(encoding="utf-8").splitlines()
        too_long += [
            f"{path}:{number}: {len(line)} characters, at most {LINE_MAX}: compute it in the view or split the tag"
            for number, line in enumerate(lines, 1)
            if len(line) > LINE_MAX
        ]
        if len(lines) > LINES_MAX:
            too_long.append(f"{path}: {len(lines)} lines, at most {LINES_MAX}: move a part into a template of its own")
    return too_long


if __name__ == "__main__":
    too_long = problems(Path("templates"))
    print("\n".join(too_long) or "templates: lines and files within bounds")
    sys.exit(bool(too_long))
