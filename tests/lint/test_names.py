"""The check of names finds what docs/words.md advises against, and fails above a package's ceiling."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lint import names

SOURCE = """
from x import told

class Teller: ...

def given(at, *, created_at=None):
    for one in at:
        self.kept = told_frames = one
        with open(made) as wire, other as row:
            KEPT = ask(found)
    return [mine for mine in row if (thing := mine)]
"""


def vague(source: str, file: str = "x.py") -> set[str]:
    return {name.name for name in names.bound_names(source, file) if name.suggestion()}


def test_each_kind_of_bound_name_is_looked_at_and_what_is_only_read_is_not() -> None:
    assert vague(SOURCE) == {"Teller", "given", "at", "one", "kept", "told_frames", "wire", "mine", "thing"}
    every = [name.name for name in names.bound_names(SOURCE, "x.py")]
    assert {"created_at", "KEPT", "row"} < set(every)
    assert not {"told", "made", "found", "open"} & set(every)


def test_underscores_and_capitals_hide_no_name() -> None:
    assert vague("_told = is_there = 1\nclass IsThere: ...\nclass Looked: ...") == {
        "_told",
        "is_there",
        "IsThere",
        "Looked",
    }
    assert vague("closest = lookup = created_at = nearest = 1") == set()
    assert vague("def test_who_is_told(): ...") == set()


def test_columns_of_the_database_are_a_format() -> None:
    model = (
        "class Row(models.Model):\n    at = models.DateTimeField()\n    mark: str = models.{}\n    made = cached()\n"
    )
    assert vague(model.format("F()").replace("mark: str", "mark")) == {"made"}
    assert vague("at = models.F()") == {"at"}


def test_a_name_that_is_meant_is_let_pass_in_its_file_alone() -> None:
    assert vague("def kept(self): ...", "ingest/models/frame.py") == set()
    assert vague("def kept(self): ...", "ingest/models/run.py") == {"kept"}


def test_names_that_are_meant_are_still_there() -> None:
    assert {(name.file, name.name) for package in names.CEILINGS for name in names.names_of(package)} >= names.MEANT


def test_a_package_above_its_ceiling_fails_and_its_names_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "app"
    (folder / "migrations").mkdir(parents=True)
    (folder / "migrations" / "0001.py").write_text("told = 1\n")
    (folder / "views.py").write_text("rows = 1\n" * 499 + "told = 2\n")
    monkeypatch.setattr(names, "ROOT", tmp_path)
    monkeypatch.setattr(names, "CEILINGS", {"app": 2})
    assert names.main([]) == 0
    assert capsys.readouterr().out == "app: 1 of 500 names, 2.0 per 1,000 (ceiling 2)\n"
    monkeypatch.setattr(names, "CEILINGS", {"app": 1.9})
    assert names.main(["app"]) == 1
    assert capsys.readouterr().out.startswith("app/views.py:500 told -> result, counts, described\napp: 1 of 500")


def test_every_package_has_a_ceiling() -> None:
    assert {path.parent.name for path in names.ROOT.glob("*/*.py")} - {"var"} == set(names.CEILINGS)


def test_the_page_for_contributors_lists_the_same_names() -> None:
    page = (Path(names.__file__).parents[1] / "docs" / "words.md").read_text("utf-8").split("## Names that give way")[1]
    rows = dict(re.findall(r"^\| ([a-z_]+) \| ([^|]+) \|$", page, re.M))
    assert rows == names.ALONE | names.ANYWHERE
