"""The table of coverage: sums by package, and the share of lines and branches."""

from __future__ import annotations

from typing import Any

from lint.coverage_table import by_package, percent, table


def file(statements: int, missed: int, branches: int = 0, missed_branches: int = 0) -> dict[str, Any]:
    counts = {"num_statements": statements, "missing_lines": missed}
    return {"summary": counts | {"num_branches": branches, "missing_branches": missed_branches}}


def test_files_are_summed_by_their_folder_and_lines_and_branches_count_alike() -> None:
    packages = by_package({"a/b/one.py": file(10, 2, 4, 1), "a/b/two.py": file(6, 0), "a/three.py": file(5, 5)})
    assert list(packages) == ["a", "a/b"]
    assert percent(packages["a"]) == 0
    assert percent(packages["a/b"]) == 85  # 17 of 20
    assert percent(dict.fromkeys(packages["a"], 0)) == 100
    assert table(packages).splitlines()[-1].split() == ["all", "21", "7", "4", "1", "68.0", "%"]
