"""Breaks modules on purpose, one small change at a time, and lists the changes that no test notices.

`python -m lint.mutants ingest/algorithms/naming.py` runs mutmut in a copy of the tree, `var/mutants/<modules>/`, with
the modules' tests. A run that was stopped goes on where it was; what changed since is run anew.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "var" / "mutants"
APPS = ("project", "export", "annotate", "ingest")
SECTION = """
[tool.mutmut]
source_paths = {apps}
only_mutate = {modules}
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = ["-p", "no:cacheprovider", "--hypothesis-profile=mutants", "-m", "not slow and not browser"]
also_copy = {others}
"""
ENDS = {0: "survived", 1: "killed", 3: "killed", 5: "not tested", 33: "not tested"}  # others: too slow or crashed
CACHE = re.compile(r"(functools\.)?(lru_)?cache\b")
KEEP_DECORATED = {"staticmethod", "classmethod", "overload", "abstractmethod"}


def related_tests(module: str) -> list[str]:
    """Test files that carry the module's name; those of its folder where there are none."""
    folder = Path("tests", *Path(module).parts[:-1])
    while not (ROOT / folder).is_dir():
        folder = folder.parent
    named = sorted((ROOT / folder).glob(f"test_{Path(module).stem}*.py"))
    return [str(path.relative_to(ROOT)) for path in named] or [str(folder)]


def undecorated(source: str) -> str:
    """Source in which decorated functions are decorated after their definition, because mutmut changes no others.

    Caches are left out: they would be full of results of the function as it was.
    """
    lines = source.split("\n")
    tree = ast.parse(source)
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    functions = [node for body in bodies for node in body if isinstance(node, ast.FunctionDef) and node.decorator_list]
    for node in sorted(functions, key=lambda node: node.lineno, reverse=True):
        decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
        if KEEP_DECORATED & set(decorators):
            continue
        decorators = [decorator for decorator in decorators if not CACHE.match(decorator)]
        calls = "".join(f"{decorator}(" for decorator in decorators)
        after = f"{' ' * node.col_offset}{node.name} = {calls}{node.name}_undecorated{')' * len(decorators)}"
        lines.insert(node.end_lineno or node.lineno, after)
        definition = lines[node.lineno - 1].replace(f"def {node.name}", f"def {node.name}_undecorated", 1)
        lines[node.decorator_list[0].lineno - 1 : node.lineno] = [definition]
    return "\n".join(lines)


def copied(modules: list[str], tests: list[str]) -> Path:
    """A copy of the tree with the settings for the modules; files that are as they were keep their time of change."""
    target = WORK / "+".join(module.removesuffix(".py").replace("/", ".") for module in modules)[:200]
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout.split(b"\0")
    names = [name for name in map(os.fsdecode, filter(None, listed)) if (ROOT / name).is_file()]
    settings = {
        "apps": APPS,
        "modules": modules,
        "tests": tests,
        "others": sorted({Path(name).parts[0] for name in names} - set(APPS)),
    }
    for name in names:
        content = (ROOT / name).read_bytes()
        if name in modules:
            content = undecorated(content.decode()).encode()
        elif name == "pyproject.toml":
            content += SECTION.format(**{key: json.dumps(value) for key, value in settings.items()}).encode()
        copy = target / name
        if not (copy.is_file() and copy.read_bytes() == content):
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(content)
            shutil.copymode(ROOT / name, copy)
    return target


def ends_of(folder: Path, module: str) -> dict[str, int | None]:
    """Mutant -> its exit code, None for one that was not run yet."""
    path = folder / "mutants" / f"{module}.meta"
    try:
        ends: dict[str, int | None] = json.loads(path.read_text())["exit_code_by_key"]
    except (FileNotFoundError, json.JSONDecodeError):  # not written yet, or being written
        return {}
    return ends


def print_survivors(folder: Path, modules: list[str], printed: set[str]) -> None:
    """Print the changed lines of the survivors that are not in `printed`, and add them to it."""
    for module in modules:
        for name in [name for name, end in ends_of(folder, module).items() if end == 0 and name not in printed]:
            diff = importlib.import_module("mutmut.mutation.diff_apply").get_diff_for_mutant(name, path=module)
            changed = [row for row in diff.splitlines() if row[:1] in "+-" and row[:3] not in ("---", "+++")]
            print(name, *changed, sep="\n  ", flush=True)
            printed.add(name)


def run(modules: list[str], tests: list[str]) -> None:
    """Run the modules together; prints survivors as they come, how far it is, and at the end how many ended how."""
    folder = copied(modules, tests)
    os.chdir(folder)  # where mutmut looks for its settings and results
    printed: set[str] = set()
    with (folder / "mutmut.log").open("w") as log:
        command = [sys.executable, str(ROOT / "lint" / "mutmut_lean.py"), "run", "--max-children", "1"]
        environment = os.environ | {"KOMA_TEST_MIGRATED": str(folder)}  # migrating anew takes seconds for each mutant
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            reported = time.monotonic()
            while process.poll() is None:
                time.sleep(1)
                print_survivors(folder, modules, printed)
                if time.monotonic() - reported > 30:
                    reported = time.monotonic()
                    ends = [end for module in modules for end in ends_of(folder, module).values()]
                    print(f"{len(ends) - ends.count(None)} of {len(ends)} mutants", file=sys.stderr, flush=True)
        finally:
            process.terminate()
    if process.returncode:
        raise SystemExit(f"mutmut failed; {folder / 'mutmut.log'} says why.")
    print_survivors(folder, modules, printed)
    for module in modules:
        codes = ends_of(folder, module).values()
        counts = Counter(ENDS.get(code, "too slow or crashed") for code in codes if code is not None)
        print(f"{module}: {len(codes)} mutants;", ", ".join(f"{count} {end}" for end, count in counts.most_common()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="+", help="such as ingest/algorithms/naming.py")
    parser.add_argument("--tests", nargs="+", default=[], help="run these instead of the modules' own")
    options = parser.parse_args()
    os.nice(19)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that mutmut ends too
    for module in options.modules:
        if not (ROOT / module).is_file():
            raise SystemExit(f"There is no {module}.")
    run(options.modules, options.tests or sorted({path for name in options.modules for path in related_tests(name)}))


if __name__ == "__main__":
    main()
