"""Breaks modules on purpose, one small change at a time, and lists the changes that no test notices.

`python -m lint.mutants ingest/algorithms/naming.py` runs mutmut in a copy of the tree, `var/mutants/<module>/`, with
the module's tests. A run that was stopped goes on where it was; what changed since is run anew.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "var" / "mutants"
APPS = ("project", "export", "annotate", "ingest")
SECTION = """
[tool.mutmut]
source_paths = [{apps}]
only_mutate = ["{module}"]
pytest_add_cli_args_test_selection = [{tests}]
pytest_add_cli_args = ["-p", "no:cacheprovider", "--reuse-db", "--hypothesis-profile=ci"]
also_copy = ["tests", "demo_film", "training", "bench", "lint", "manage.py", "templates", "static"]
"""


def related_tests(module: str) -> list[str]:
    """Test files that carry the module's name; those of its folder where there are none."""
    folder = Path("tests", *Path(module).parts[:-1])
    named = sorted((ROOT / folder).glob(f"test_{Path(module).stem}*.py"))
    return [str(path.relative_to(ROOT)) for path in named] or [str(folder)]


def copied(module: str, tests: list[str]) -> Path:
    """A copy of the tree with the settings for one module; files that are as they were keep their time of change."""
    target = WORK / module.removesuffix(".py").replace("/", ".")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in filter(None, subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout.split(b"\0")):
        source, copy = ROOT / os.fsdecode(name), target / os.fsdecode(name)
        if source.is_file() and not (copy.is_file() and filecmp.cmp(source, copy, shallow=False)):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy)
    section = SECTION.format(
        apps=", ".join(f'"{app}"' for app in APPS), module=module, tests=", ".join(f'"{path}"' for path in tests)
    )
    (target / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text() + section)
    return target


def mutmut(folder: Path, *arguments: str) -> str:
    """What mutmut prints; its progress goes to a file."""
    command = [sys.executable, "-m", "mutmut", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def run(module: str, tests: list[str]) -> Counter[str]:
    """Run one module; prints what survived as the changed lines, and returns how many mutants ended how."""
    folder = copied(module, tests)
    with (folder / "mutmut.log").open("w") as log:
        command = [sys.executable, "-m", "mutmut", "run", "--max-children", "1"]
        done = subprocess.run(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise SystemExit(f"{module}: mutmut failed; {folder / 'mutmut.log'} says why.")
    ends: Counter[str] = Counter()
    for line in mutmut(folder, "results", "--all", "true").splitlines():
        name, _, end = line.strip().rpartition(": ")
        if not name:
            continue
        ends[end] += 1
        if end == "survived":
            diff = mutmut(folder, "show", name).splitlines()
            print(name, *(row for row in diff if row[:1] in "+-" and row[:3] not in ("---", "+++")), sep="\n  ")
    return ends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="+", help="such as ingest/algorithms/naming.py")
    parser.add_argument("--tests", nargs="+", default=[], help="run these instead of the module's own")
    options = parser.parse_args()
    os.nice(19)
    for module in options.modules:
        if not (ROOT / module).is_file():
            raise SystemExit(f"There is no {module}.")
        ends = run(module, options.tests or related_tests(module))
        print(f"{module}: {ends.total()} mutants;", ", ".join(f"{count} {end}" for end, count in ends.most_common()))


if __name__ == "__main__":
    main()
