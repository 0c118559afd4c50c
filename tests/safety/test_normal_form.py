"""Text in a normal form takes a time that grows with its length, wherever it comes from."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.algorithms.normal_form import MARKS_MAX, is_mark, normal

ROOT = Path(__file__).resolve().parents[2]
HOME = "ingest/algorithms/normal_form.py"
LIMIT_S = 60  # each takes a second or two here; the square of their length took minutes
CALLS = (
    "from annotate.actions.naming import clean_name as call",
    "from annotate.actions.captions import words_of as call",
    "from annotate.actions.tags import clean_name as call",
    "from annotate.backends.taggers.label_lists import spelt as call",
    "from annotate.naming.cast import comparable as call",
    "from ingest.algorithms.typed_lists import typed_list as call",
    "from ingest.imaging.side_text import parse_text as call",
    "from export.algorithms.filenames import same_name_key as call",
)


def test_nothing_else_of_ours_asks_for_a_normal_form() -> None:
    asking = set()
    for package in ("project", "export", "annotate", "ingest", "demo_film"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Attribute):
                    continue
                if ast.unparse(node) in ("unicodedata.normalize", "unicodedata.is_normalized"):
                    asking.add(str(path.relative_to(ROOT)))
    assert asking == {HOME}


def test_every_character_that_is_sorted_among_others_counts_as_a_mark() -> None:
    characters = map(chr, (*range(0xD800), *range(0xE000, sys.maxunicode + 1)))
    missed = [
        char
        for char in characters
        if not is_mark(char) and unicodedata.combining(unicodedata.normalize("NFKD", char)[0])
    ]
    assert not missed


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=MARKS_MAX), st.sampled_from(["NFC", "NFD", "NFKC"]))
def test_usual_text_is_as_unicode_has_it(text: str, form: str) -> None:
    assert normal("x" * 40 + text, form) == unicodedata.normalize(form, "x" * 40 + text)  # type: ignore[arg-type]


def test_marks_in_a_row_beyond_thirty_go_and_other_letters_stay() -> None:
    assert normal("q" + "\u0323\u0307" * 500 + "é") == normal("q" + "\u0323\u0307" * 15) + "é"


@pytest.mark.parametrize("call", CALLS)
def test_marks_in_a_row_hold_nobody_up(call: str) -> None:
    code = f"""
        import django
        django.setup()
        from ingest.errors import BadInput
        {call}
        for marks in ("\\u0323\\u0307", "\\u0f73\\u0f72", "\\uff9e\\u0315"):
            try:
                call("q" + marks * 200_000)
            except BadInput:
                pass
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT, check=True, timeout=LIMIT_S, env={"DJANGO_SETTINGS_MODULE": "tests.settings"},
    )  # fmt: skip
