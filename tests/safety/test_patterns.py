"""No pattern of ours takes long over hostile text: each runs over what it likes best, many times over."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from re import _constants as kinds  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import django

ROOT = Path(__file__).resolve().parents[2]
OURS = ("ingest", "annotate", "export", "project")
CALLS = frozenset({"compile", "match", "search", "fullmatch", "sub", "subn", "split", "finditer", "findall"})
TIMES = 400  # far more than any exponent needs, few enough for a square
LIMIT_S = 120.0  # for all; together they take some seconds


def written_patterns() -> Iterator[tuple[str, str | bytes, int]]:
    """(place, pattern, flags) of each call of `re` in our source whose pattern stands there in full."""
    for app in OURS:
        for path in sorted((ROOT / app).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                    continue
                owner, pattern = node.func.value, node.args[0]
                if not (isinstance(owner, ast.Name) and owner.id == "re" and node.func.attr in CALLS):
                    continue
                if isinstance(pattern, ast.Constant) and isinstance(pattern.value, str | bytes):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", pattern.value, _flags(node)


def _flags(call: ast.Call) -> int:
    names = [part.attr for part in ast.walk(call) if isinstance(part, ast.Attribute) and part.attr.isupper()]
    return sum({int(getattr(re, name)) for name in names if hasattr(re, name)})


def kept_patterns() -> Iterator[tuple[str, str | bytes, int]]:
    """The same of those that modules of ours keep, which may be put together from parts."""
    django.setup()
    for app in OURS:
        for path in sorted((ROOT / app).rglob("*.py")):
            if "re.compile(" in path.read_text(encoding="utf-8"):
                module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                for name, value in vars(importlib.import_module(module)).items():
                    yield from ((f"{module}.{name}", pattern.pattern, pattern.flags) for pattern in _patterns_in(value))


def _patterns_in(value: object) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _patterns_in(part)


def example(parts: Any, *, optional: bool) -> str:
    """A short text that a parsed pattern takes; with `optional` each part that may be absent stands there once."""
    return "".join(_example(kind, value, optional=optional) for kind, value in parts)


def _example(kind: Any, value: Any, *, optional: bool) -> str:
    if kind is kinds.LITERAL:
        return chr(value)
    if kind is kinds.IN:
        return _one_of(value)
    if kind is kinds.BRANCH:
        return example(value[1][0], optional=optional)
    if kind is kinds.SUBPATTERN:
        return example(value[3], optional=optional)
    if kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT):
        return example(value[2], optional=optional) * max(value[0], int(optional))
    return "a" if kind in (kinds.ANY, kinds.NOT_LITERAL) else ""


def _one_of(members: Any) -> str:
    kind, value = members[0]
    if kind is kinds.NEGATE:
        return "a"
    if kind is kinds.RANGE:
        return chr(value[0])
    if kind is kinds.CATEGORY:
        return {kinds.CATEGORY_DIGIT: "1", kinds.CATEGORY_SPACE: " ", kinds.CATEGORY_NOT_WORD: "-"}.get(value, "a")
    return chr(value)


def repeats(parts: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """(text before it, parsed body) of each part that may stand there many times, at any depth."""
    for kind, value in parts:
        if kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT):
            if value[1] > 9:
                yield before, value[2]
            yield from repeats(value[2], before)
        elif kind is kinds.SUBPATTERN:
            yield from repeats(value[3], before)
        elif kind is kinds.BRANCH:
            for branch in value[1]:
                yield from repeats(branch, before)
        before += _example(kind, value, optional=False)


def pumped(pattern: str | bytes, flags: int) -> Iterator[str | bytes]:
    """Texts that nearly fit: the body of each repeat many times, and then what fits nowhere."""
    as_text = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
    for before, body in repeats(parser.parse(as_text, flags & ~int(re.UNICODE))):
        for optional in (False, True):
            if part := example(body, optional=optional):
                for text in (before + part * TIMES + "\x01", part * TIMES):
                    yield text.encode("latin-1") if isinstance(pattern, bytes) else text


def try_all(patterns: list[tuple[str, str | bytes, int]]) -> None:
    """Run each over its own texts; the last line printed names the one at work."""
    for place, pattern, flags in patterns:
        print(place, repr(pattern), flush=True)
        compiled: Any = re.compile(pattern, flags)
        for text in pumped(pattern, flags):
            compiled.search(text)
            compiled.fullmatch(text)
            compiled.findall(text)


def run(code: str, *, limit_s: float = LIMIT_S) -> str | None:
    """What Python code prints, in a process of its own, since a pattern at work hears nothing; None if it hangs."""
    begin = "import tests.safety.test_patterns as here\n"
    try:
        done = subprocess.run(
            [sys.executable, "-c", begin + textwrap.dedent(code)],
            cwd=ROOT, capture_output=True, text=True, timeout=limit_s,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        )  # fmt: skip
    except subprocess.TimeoutExpired as over:
        print("At work:", (over.stdout or b"").decode().splitlines()[-1:])
        return None
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_pattern_of_ours_takes_long_over_text_made_for_it() -> None:
    assert len(list(written_patterns())) > 50
    assert len(list(kept_patterns())) > 50
    assert run("here.try_all([*here.written_patterns(), *here.kept_patterns()])") is not None


def test_such_texts_find_a_pattern_that_takes_for_ever() -> None:
    pattern = r"rb'(?:<!--.*?-->\s*)*<svg', 16"  # DOTALL
    assert run(f"here.try_all([('fine', rb'a+', 0), ('here', {pattern})])", limit_s=15) is None


def test_comments_in_a_row_are_no_burden_and_hide_no_drawing() -> None:
    output = run("""
        from ingest.imaging.foreign import foreign_kind
        from ingest.imaging.decode import UnreadablePicture, read_picture
        rows = (b"<!-- a --> " * 60 + b"<svg >", b"<?xml ?> " + b"<!---->" * 100 + b"<HTML>")
        for data in (b"<!---->" * 145, *rows):
            print(foreign_kind(data))
        try:
            read_picture(b"<!---->" * 145, name="a.png")
        except UnreadablePicture as refused:
            print(refused)
    """)
    assert output is not None
    assert output.splitlines()[:3] == ["None", "an SVG drawing", "a web page"]
    assert "a.png: this is not a picture" in output


def test_an_entry_of_the_blacklist_with_many_stars_is_no_burden() -> None:
    output = run("""
        from export.algorithms.caption_tags import is_blocked
        print(is_blocked("a" * 200, ["*a" * 40 + "*b"]), is_blocked("a" * 200 + "b", ["*a" * 40 + "*b"]))
    """)
    assert output == "False True\n"
