"""Style sheets: what no formatter sees. `python -m lint.css`

Every class and id that a sheet styles is set by a template, a script or a view, and every class that a template sets is
styled or read by a script. Pages link the sheets of what they show. A rule and a media query stand once in a sheet, a
property once in a rule. Colours are named in custom properties. No sheet is long, and `!important` stands only where it
is listed here."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tinycss2

ROOT = Path(__file__).resolve().parent.parent
APPS = ("project", "ingest", "annotate", "export")
MAX_LINES = 400

# Classes whose names end in a number that a template or a view puts there.
NUMBERED = {"seen", "show", "h", "line"}
# Classes that others set: htmx while a request is under way, Django on the errors of a form.
FOREIGN = {"htmx-request", "errorlist"}
# Where `!important` is right: it has to win over whatever else is said of such an element.
IMPORTANT = {"[hidden]", ".wide-only", "*, *::before, *::after"}

COLOUR_FUNCTION = {"rgb", "rgba", "hsl", "hsla", "hwb", "lab", "lch", "oklab", "oklch", "color"}
CLASS_ATTRIBUTE = re.compile(r"""\bclass=(["'])((?:\{%.*?%\}|\{\{.*?\}\}|(?!\1).)*)\1""", re.DOTALL)
CLASS_BLOCK = re.compile(r"\{% block shell_class %\}(.*?)\{% endblock %\}")  # stands inside an attribute of base.html
ID_ATTRIBUTE = re.compile(r"""\bid=(["'])((?:\{%.*?%\}|\{\{.*?\}\}|(?!\1).)*)\1""", re.DOTALL)
TEMPLATE_CODE = re.compile(r"\{[%{].*?[%}]\}", re.DOTALL)
SHEET_LINK = re.compile(r"static 'css/([\w-]+\.css)'")
EXTENDS = re.compile(r"""\{%\s*extends\s+"([^"]+)"\s*%\}""")
INCLUDE = re.compile(r"""\{%\s*include\s+"([^"#]+)""")
TEMPLATE_COMMENT = re.compile(r"\{#.*?#\}|\{%\s*comment.*?endcomment\s*%\}", re.DOTALL)
QUOTED = re.compile(r"""(["'`])((?:\\.|(?!\1).)*)\1""", re.DOTALL)
WORD = re.compile(r"[A-Za-z_][\w-]*")


@dataclass
class Sheet:
    """What one style sheet names, and what is wrong with it."""

    name: str
    classes: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


def read_sheet(name: str, css: str) -> Sheet:
    """Check one sheet by itself."""
    sheet = Sheet(name)
    if (lines := css.count("\n")) > MAX_LINES:
        sheet.problems.append(f"{name}: {lines} lines; split what is more than {MAX_LINES}")
    nodes = tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
    queries = Counter(tinycss2.serialize(node.prelude).strip() for node in nodes if node.type == "at-rule")
    sheet.problems += [f"{name}: @media {query} stands {n} times" for query, n in queries.items() if n > 1]
    _check_rules(sheet, nodes)
    for node in nodes:
        if node.type == "at-rule":
            inner = tinycss2.parse_rule_list(node.content, skip_comments=True, skip_whitespace=True)
            _check_rules(sheet, inner)
    return sheet


def _check_rules(sheet: Sheet, nodes: list[Any]) -> None:
    selectors: set[str] = set()
    for node in nodes:
        position = f"{sheet.name}:{node.source_line}"
        if node.type == "error":
            sheet.problems.append(f"{position} {node.message}")
        if node.type != "qualified-rule":
            continue
        sheet.problems += [f"{position} {token.message}" for token in node.prelude if token.type == "error"]
        selector = " ".join(tinycss2.serialize(node.prelude).split())
        if selector in selectors:
            sheet.problems.append(f"{position} {selector} has a rule above")
        selectors.add(selector)
        _collect_names(sheet, node.prelude)
        _check_declarations(sheet, position, selector, node.content)


def _collect_names(sheet: Sheet, tokens: list[Any]) -> None:
    previous = None
    for token in tokens:
        if token.type == "ident" and previous is not None and previous == ".":
            sheet.classes.add(token.value)
        if token.type == "hash":
            sheet.ids.add(token.value)
        if token.type == "function":  # :not(...), :has(...)
            _collect_names(sheet, token.arguments)
        previous = token.value if token.type == "literal" else None


def _check_declarations(sheet: Sheet, position: str, selector: str, content: list[Any]) -> None:
    properties: set[str] = set()
    for node in tinycss2.parse_declaration_list(content, skip_comments=True, skip_whitespace=True):
        if node.type != "declaration":
            sheet.problems.append(f"{position} {selector}: {getattr(node, 'message', node.type)}")
            continue
        if node.name in properties:
            sheet.problems.append(f"{position} {selector}: {node.name} stands twice")
        properties.add(node.name)
        if node.important and selector not in IMPORTANT:
            sheet.problems.append(f"{position} {selector}: !important is not listed in lint/css.py")
        if not node.name.startswith("--"):
            sheet.problems += [
                f"{position} {selector}: {colour} is a colour without a name; make it a custom property"
                for colour in _colours(node.value)
            ]


def _colours(tokens: list[Any]) -> Iterator[str]:
    for token in tokens:
        if token.type == "hash":
            yield f"#{token.value}"
        if token.type == "function":
            if token.lower_name in COLOUR_FUNCTION:
                yield f"{token.lower_name}()"
            else:
                yield from _colours(token.arguments)


@dataclass
class Uses:
    """Words that templates, scripts and views may mean as names of classes and ids."""

    classes: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    set_by_templates: dict[str, str] = field(default_factory=dict)  # class -> a template that sets it
    in_scripts: set[str] = field(default_factory=set)

    def add_template(self, name: str, text: str) -> None:
        """Take the words of `class` and `id`, and of strings in template code, which may end up there."""
        text = TEMPLATE_COMMENT.sub("", text)
        for value in [*(match[2] for match in CLASS_ATTRIBUTE.finditer(text)), *CLASS_BLOCK.findall(text)]:
            literal = TEMPLATE_CODE.sub("\0", value)
            self.set_by_templates |= {word: name for word in literal.split() if "\0" not in word}
            self.classes |= set(WORD.findall(value))
        self.ids |= {value for _, value in ID_ATTRIBUTE.findall(text)}
        for code in TEMPLATE_CODE.findall(text):
            for _, value in QUOTED.findall(code):
                self.classes |= set(WORD.findall(value))

    def add_script(self, text: str) -> None:
        """Take the words of all strings."""
        for _, value in QUOTED.findall(text):
            self.in_scripts |= set(WORD.findall(value))

    def add_python(self, text: str) -> None:
        """Take the words of all strings but docstrings."""
        tree = ast.parse(text)
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                self.classes |= set(WORD.findall(node.value))


def is_numbered(name: str) -> bool:
    match = re.fullmatch(r"([a-z]+)-?\d+", name)
    return match is not None and match[1] in NUMBERED


def unused_names(sheets: list[Sheet], uses: Uses) -> list[str]:
    """Classes and ids that are styled and never set, and classes that are set and mean nothing."""
    problems = []
    known = uses.classes | uses.in_scripts | FOREIGN
    for sheet in sheets:
        dead = sorted(name for name in sheet.classes - known if not is_numbered(name))
        problems += [f"{sheet.name}: .{name} is styled, but nothing has this class" for name in dead]
        problems += [
            f"{sheet.name}: #{name} is styled, but nothing has this id"
            for name in sorted(sheet.ids - uses.ids - uses.in_scripts)
        ]
    styled = set().union(*(sheet.classes for sheet in sheets))
    problems += [
        f"{template}: class {name!r} is neither styled nor used by a script"
        for name, template in sorted(uses.set_by_templates.items())
        if name not in styled | uses.in_scripts
    ]
    return problems


def missing_links(sheets: list[Sheet], templates: dict[str, str]) -> list[str]:
    """Pages that show a class without linking any of the sheets that style it. `templates`: name -> text.

    What a page includes counts as its own; rows that views put in from elsewhere are not seen.
    """
    problems = []
    for name, text in templates.items():
        if not EXTENDS.search(text):
            continue
        linked = _linked_sheets(name, templates)
        uses = Uses()
        for included in _included(name, templates):
            uses.add_template(included, templates[included])
        for class_name, source in sorted(uses.set_by_templates.items()):
            styled_in = {sheet.name for sheet in sheets if class_name in sheet.classes}
            if styled_in and not styled_in & linked:
                problems.append(f"{name}: .{class_name} of {source} is styled in {min(styled_in)}, which is not linked")
    return problems


def _linked_sheets(name: str, templates: dict[str, str]) -> set[str]:
    """The sheets that a page or any template that it extends links."""
    linked: set[str] = set()
    passed: set[str] = set()
    while name in templates and name not in passed:
        passed.add(name)
        linked.update(SHEET_LINK.findall(templates[name]))
        parent = EXTENDS.search(templates[name])
        name = parent[1] if parent else ""
    return linked


def _included(name: str, templates: dict[str, str]) -> set[str]:
    reached: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current in templates and current not in reached:
            reached.add(current)
            waiting += INCLUDE.findall(templates[current])
    return reached


def check(root: Path = ROOT) -> list[str]:
    """Return what is wrong in the sheets, templates and scripts below `root`, a line each."""
    sheets = [read_sheet(path.name, path.read_text("utf-8")) for path in sorted((root / "static/css").glob("*.css"))]
    uses = Uses()
    folder = root / "templates"
    templates = {
        path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in sorted(folder.rglob("*.html"))
    }
    for name, text in templates.items():
        uses.add_template(name, text)
    for path in (root / "static/js").rglob("*.js"):
        uses.add_script(path.read_text("utf-8"))
    for app in APPS:
        for path in (root / app).rglob("*.py"):
            uses.add_python(path.read_text("utf-8"))
    in_sheets = [problem for sheet in sheets for problem in sheet.problems]
    return in_sheets + unused_names(sheets, uses) + missing_links(sheets, templates)


def main() -> int:
    problems = check()
    print("\n".join(problems) or "style sheets: no dead names, no repeated rules")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
