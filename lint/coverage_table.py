"""The share of lines and branches that tests ran, by package; ends with 1 below the floor (`fail_under`).

`make coverage` measures and prints it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COUNTS = ("num_statements", "missing_lines", "num_branches", "missing_branches")


def by_package(files: Mapping[str, Mapping[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    """Sums of coverage's counts by folder, from the `files` of its JSON report."""
    packages: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(COUNTS, 0))
    for name, file in files.items():
        for count in COUNTS:
            packages[str(Path(name).parent)][count] += file["summary"].get(count, 0)
    return dict(sorted(packages.items()))


def percent(counts: Mapping[str, int]) -> float:
    """0 to 100, of lines and branches together as coverage counts them; 100 where there is nothing to run."""
    total = counts["num_statements"] + counts["num_branches"]
    missing = counts["missing_lines"] + counts["missing_branches"]
    return 100 * (total - missing) / total if total else 100.0


def table(packages: Mapping[str, Mapping[str, int]]) -> str:
    """A row for each package, and one for all."""
    total = {count: sum(row[count] for row in packages.values()) for count in COUNTS}
    rows = [f"{'package':40} {'lines':>7} {'missed':>7} {'branches':>9} {'missed':>7} {'covered':>8}"]
    for name, row in [*packages.items(), ("all", total)]:
        counts = f"{row[COUNTS[0]]:7} {row[COUNTS[1]]:7} {row[COUNTS[2]]:9} {row[COUNTS[3]]:7}"
        rows.append(f"{name:40} {counts} {percent(row):6.1f} %")
    return "\n".join(rows)


def main() -> int:
    command = [sys.executable, "-m", "coverage"]
    subprocess.run([*command, "combine", "-q"], cwd=ROOT, check=False)  # where one process wrote all there is nothing
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "coverage.json")
        subprocess.run([*command, "json", "-q", "--fail-under=0", "-o", str(report)], cwd=ROOT, check=True)
        packages = by_package(json.loads(report.read_text())["files"])
    print(table(packages))
    floor: float = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["coverage"]["report"]["fail_under"]
    covered = percent({count: sum(row[count] for row in packages.values()) for count in COUNTS})
    if covered < floor:
        print(f"{covered:.1f} % of lines and branches are run by tests; the floor in pyproject.toml is {floor} %.")
    return int(covered < floor)


if __name__ == "__main__":
    sys.exit(main())
