"""The tables of a new site are those that the migrations make."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CREATE = "from project.new_site import create_tables; print(create_tables())"
MIGRATE = "from django.core.management import call_command; call_command('migrate', verbosity=0)"
SET_UP = "import django; django.setup();"


def make_site(folder: Path, *steps: str) -> str:
    """Run the steps in a process of their own on a data folder; returns what they printed."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("KOMA_") and k not in ("DATABASE_URL", "REDIS_URL")}
    environment = kept | {"KOMA_DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "project.settings"}
    done = subprocess.run(
        [sys.executable, "-c", SET_UP + "; ".join(steps)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def parts(sql: str) -> list[str]:
    """What a CREATE TABLE lists, in any order: columns and constraints."""
    listed, depth, part = [], 0, ""
    for sign in sql[sql.index("(") + 1 : sql.rindex(")")]:
        depth += (sign == "(") - (sign == ")")
        if sign == "," and not depth:
            listed.append(part)
            part = ""
        else:
            part += sign
    return sorted(re.sub(r"\s+", " ", text).strip() for text in [*listed, part])


def described(folder: Path) -> dict[str, Any]:
    """Tables, indexes and triggers by name, and how many rows each table has."""
    (file,) = folder.glob("*.sqlite3")
    with closing(sqlite3.connect(file)) as database:
        rows = database.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
        schema: dict[str, Any] = {
            f"{kind} {name}": parts(sql) if kind == "table" else sql for kind, name, sql in rows if sql
        }
        for kind, name, _ in rows:
            if kind == "table":
                schema[f"rows of {name}"] = database.execute(f'SELECT count(*) FROM "{name}"').fetchone()
        applied = database.execute("SELECT app, name FROM django_migrations").fetchall()
    return schema | {"migrations": sorted(applied)}


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("migrated")
    make_site(folder, MIGRATE)
    return folder


def test_tables_made_at_once_are_those_that_the_migrations_make(migrated: Path, tmp_path: Path) -> None:
    assert make_site(tmp_path, CREATE, MIGRATE) == "True"
    at_once, one_by_one = described(tmp_path), described(migrated)
    assert len(at_once) > 100
    assert sorted(at_once) == sorted(one_by_one)
    assert {name: (at_once[name], one_by_one[name]) for name in at_once if at_once[name] != one_by_one[name]} == {}


def test_a_database_that_holds_something_is_left_alone(migrated: Path) -> None:
    before = described(migrated)
    assert make_site(migrated, CREATE) == "False"
    assert described(migrated) == before
