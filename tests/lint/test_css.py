"""The check of sheets finds dead names, repeated rules and colours without names; a browser knows all declarations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tinycss2

from lint import css

SHEETS = sorted((css.ROOT / "static" / "css").glob("*.css"))


def problems(text: str) -> list[str]:
    return css.read_sheet("a.css", text).problems


def uses_of(template: str = "", script: str = "", python: str = "") -> css.Uses:
    uses = css.Uses()
    uses.add_template("page.html", template)
    uses.add_script(script)
    uses.add_python(python)
    return uses


def unused(sheet: str, **sources: str) -> list[str]:
    return css.unused_names([css.read_sheet("a.css", sheet)], uses_of(**sources))


def test_the_sheets_of_koma_have_no_problems() -> None:
    assert css.check() == []


def test_a_rule_a_query_and_a_property_stand_once() -> None:
    assert problems(".a { color: red; } .b { color: red; } .a { margin: 0; }") == ["a.css:1 .a has a rule above"]
    assert problems(".a { margin: 0; margin: 1px; }") == ["a.css:1 .a: margin stands twice"]
    query = "@media (max-width: 800px) { .a { margin: 0; } }"
    assert problems(f".a {{ margin: 1px; }} {query}") == []
    assert problems(query * 2) == ["a.css: @media (max-width: 800px) stands 2 times"]


def test_colours_have_names() -> None:
    assert problems(":root { --line: #abc; } .a { color: var(--line); }") == []
    assert problems(".a { color: color-mix(in oklch, var(--line) 50%, transparent); }") == []
    for value in ("#abc", "oklch(0.5 0.1 30)", "linear-gradient(90deg, #abc, var(--line))"):
        assert len(problems(f".a {{ background: {value}; }}")) == 1, value


def test_important_long_and_broken_sheets_are_found() -> None:
    assert problems("[hidden] { display: none !important; }") == []
    assert "!important" in problems(".a { margin: 0 !important; }")[0]
    assert "401 lines" in problems("\n" * 401)[0]
    assert problems(".a { margin 0; }") != []
    assert problems(".a } .b { margin: 0; }") != []


def test_a_class_that_nothing_sets_is_dead() -> None:
    sheet = ".alive { margin: 0; } .dead, .alive:not(.gone) { margin: 0; }"
    assert unused(sheet, template='<p class="alive">') == [
        "a.css: .dead is styled, but nothing has this class",
        "a.css: .gone is styled, but nothing has this class",
    ]


def test_classes_are_set_in_many_ways() -> None:
    sheet = ".a { margin: 0; } .b { margin: 0; }"
    assert unused(sheet, template="""<p class="a{% if x == "y" %} b{% endif %}">""") == []
    assert unused(sheet, template="{% block shell_class %}a b{% endblock %}") == []
    assert unused(sheet, template="{{ row('a', kind='b') }}") == []
    assert unused(sheet, script='node.className = on ? "a b" : "";') == []
    assert unused(sheet, python='CLASSES = {"x": "a", "y": "b"}') == []
    assert len(unused(sheet, python='"""a"""\ndef b():\n    "b"')) == 2, "docstrings set nothing"
    assert unused(".seen-3 { margin: 0; }") == [], "made by number"


def test_an_id_that_nothing_has_is_dead() -> None:
    assert unused("#a { margin: 0; }", template='<p id="a">') == []
    assert unused("#b { margin: 0; }", template='<p id="a">') == ["a.css: #b is styled, but nothing has this id"]


def test_a_class_that_is_set_means_something() -> None:
    assert unused(".a { margin: 0; }", template='<p class="a hook">', script='find(".hook")') == []
    assert unused(".a { margin: 0; }", template='<p class="a typo">') == [
        "page.html: class 'typo' is neither styled nor used by a script"
    ]


def test_a_page_links_the_sheets_of_what_it_shows_and_includes() -> None:
    sheets = [css.read_sheet("all.css", ".a { margin: 0; }"), css.read_sheet("more.css", ".b { margin: 0; }")]
    templates = {
        "base.html": """<link href="{% static 'css/all.css' %}">""",
        "part.html": '<p class="b">',
        "page.html": '{% extends "base.html" %}<p class="a">{% include "part.html#piece" %}',
    }
    assert css.missing_links(sheets, templates) == [
        "page.html: .b of part.html is styled in more.css, which is not linked"
    ]
    templates["page.html"] += """<link href="{% static 'css/more.css' %}">"""
    assert css.missing_links(sheets, templates) == []
    templates["below.html"] = '{% extends "page.html" %}<p class="a"><p class="b">'  # links by both above it
    assert css.missing_links(sheets, templates) == []


def test_a_browser_knows_every_property_and_value(chromium: Any) -> None:
    declarations = sorted(
        {
            (node.lower_name, tinycss2.serialize(node.value).strip())
            for path in SHEETS
            for node in declarations_of(path)
            if not node.name.startswith("--")
        }
    )
    assert len(declarations) > 300
    page = chromium.new_page()
    unknown = page.evaluate(
        "declarations => declarations.filter(([name, value]) => !CSS.supports(name, value))",
        [list(declaration) for declaration in declarations],
    )
    page.close()
    assert unknown == []


def declarations_of(path: Path) -> list[Any]:
    nodes = tinycss2.parse_stylesheet(path.read_text(encoding="utf-8"), skip_comments=True, skip_whitespace=True)
    rules = [node for node in nodes if node.type == "qualified-rule"]
    for node in nodes:
        if node.type == "at-rule":
            rules += tinycss2.parse_rule_list(node.content, skip_comments=True, skip_whitespace=True)
    return [
        node
        for rule in rules
        for node in tinycss2.parse_declaration_list(rule.content, skip_comments=True, skip_whitespace=True)
        if node.type == "declaration"
    ]
