"""Puts a measured table into docs/benchmarks.md: one named section per script, with commit, CPU and date."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
HEAD = "# Benchmarks\n\nWritten by the scripts in `bench/`; each section says where and when it was measured.\n"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table, in columns as wide as their widest cell."""
    cells = [[str(value) for value in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = [
        "| " + " | ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def write(section: str, text: str) -> None:
    """Print `text` and make it the section's body, in place of what an earlier run wrote there."""
    print(f"\n## {section}\n\n{text}\n")
    body = f"## {section}\n\n{where()}\n\n{text.strip()}\n"
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else HEAD
    pattern = re.compile(rf"^## {re.escape(section)}\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
    if pattern.search(page):
        page = pattern.sub(lambda _: body + "\n", page, count=1)
    else:
        page = f"{page.rstrip()}\n\n{body}"
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page.rstrip() + "\n", encoding="utf-8")


def where() -> str:
    """Commit, CPU, date and load: without them a number is meaningless."""
    commit = _git("describe", "--always")
    # What earlier scripts of the same pass wrote into the page does not change what is measured.
    if _git("status", "--porcelain", "--untracked-files=no", "--", ".", f":!{PAGE.relative_to(ROOT)}"):
        commit += "-dirty"
    load = os.getloadavg()[0]
    busy = f"; {load:.1f} processes wanted to run on average" if load > 1.5 else ""
    return f"Commit {commit or 'unknown'}, {processor()}, {os.cpu_count()} cores, {datetime.now(UTC):%Y-%m-%d}{busy}."


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def processor() -> str:
    """The CPU's name according to the system."""
    try:
        names = re.findall(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
