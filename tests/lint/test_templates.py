"""Templates: each compiles, and the check of their length finds what is too long."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.template.loader import get_template

from lint import templates

FOLDER = Path(settings.BASE_DIR) / "templates"


def test_every_template_compiles() -> None:
    for path in sorted(FOLDER.rglob("*.html")):
        if "jinja2" not in path.parts:
            get_template(str(path.relative_to(FOLDER)))


def test_long_lines_and_long_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "fine.html").write_text("<p>\n" * templates.LINES_MAX)
    (tmp_path / "line.html").write_text("<p>\n" + "x" * (templates.LINE_MAX + 1))
    (tmp_path / "file.html").write_text("<p>\n" * (templates.LINES_MAX + 1))
    long_file, long_line = templates.problems(tmp_path)
    assert "file.html: 251 lines" in long_file
    assert "line.html:2: 161 characters" in long_line
