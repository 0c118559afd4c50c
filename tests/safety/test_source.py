"""What the source must not hold: pickles, shells, evaluated text, marks that switch escaping off."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("project", "export", "annotate", "ingest", "demo_film")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
BANNED_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib", "jsonpickle"}
OF_ADMINS = "site.py"  # pages of the site's admins, who see every collection; all of them behind one decorator
OF_THE_SITE = {"ModelJob", "Evaluation", "ModelVersion"}  # rows of no collection
BANNED_CALLS = {"eval", "exec", "compile", "__import__", "RawSQL", "raw", "extra"}
BANNED_CALLS |= {"mark_safe", "SafeString", "Markup", "format_html_join"}  # escaping is left to the templates


def calls(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    result = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            result.append((name, node))
    return result


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_from_outside_can_be_run(package: str) -> None:
    wrong = []
    for path in [path for path in FILES if path.relative_to(ROOT).parts[0] == package]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            wrong += [(path.name, name) for name in names if name.split(".")[0] in BANNED_MODULES]
        for name, node in calls(tree):
            keywords = {word.arg: word.value for word in node.keywords}
            if name in BANNED_CALLS and not (isinstance(node.func, ast.Attribute) and name == "compile"):
                wrong.append((path.name, name))
            if isinstance(keywords.get("shell"), ast.Constant) and keywords["shell"].value:
                wrong.append((path.name, "shell=True"))
            pickles = keywords.get("allow_pickle")
            if pickles is not None and not (isinstance(pickles, ast.Constant) and pickles.value is False):
                wrong.append((path.name, "allow_pickle"))
            # numpy's loader reads pickles only when told; torch's always did.
            if name == "load" and getattr(getattr(node.func, "value", None), "id", "") == "torch":
                wrong.append((path.name, "torch.load"))
    assert not wrong


def test_pages_of_the_sites_admins_are_behind_their_decorator() -> None:
    (path,) = (path for path in FILES if path.name == OF_ADMINS)
    views = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)]
    public = [node for node in views if not node.name.startswith("_")]
    assert len(public) >= 6
    assert [node.name for node in public if ast.unparse(node.decorator_list[0]) != "site_admin_view"] == []


def test_every_model_is_reached_through_its_collection() -> None:
    """Views of rows name the collection: no `get_object_or_404(Model, pk=...)` without it."""
    wrong = []
    for path in [path for path in FILES if path.parent.name == "views" and path.name != OF_ADMINS]:
        for name, node in calls(ast.parse(path.read_text(encoding="utf-8"))):
            if name != "get_object_or_404":
                continue
            words = {word.arg for word in node.keywords}
            first = ast.unparse(node.args[0])
            scoped = "collection" in words or "collection" in first or first in ("rows", "own_uploads")
            # `frame=row`: of a frame that was looked up through the collection
            scoped = scoped or first.split(".")[0] in OF_THE_SITE or "frame" in words
            if not scoped:
                wrong.append((path.name, ast.unparse(node)))
    assert not wrong


def test_templates_escape_everything() -> None:
    off = re.compile(
        r"\|\s*safe\b|autoescape\s+(?:off|false)|\|\s*safeseq|<script(?![^>]*\bsrc=)[^>]*>|\son\w+\s*=\s*[\"']|javascript:"
    )
    wrong = [
        (path.name, match[0])
        for path in (ROOT / "templates").rglob("*.html")
        for match in off.finditer(
            re.sub(r"{%\s*comment.*?endcomment\s*%}", "", path.read_text(encoding="utf-8"), flags=re.S)
        )
    ]
    assert not wrong


def test_scripts_put_names_in_as_text() -> None:
    put_in = re.compile(
        r"\.innerHTML|\.outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setTimeout\(\s*[\"']"
    )
    wrong = [(p.name, m[0]) for p in (ROOT / "static" / "js").rglob("*.js") for m in put_in.finditer(p.read_text())]
    assert not wrong


def test_json_and_toml_from_outside_are_read_in_one_place() -> None:
    """See ingest/outside_json.py: of a bounded size, and nested brackets are no traceback."""
    trusted = {"outside_json.py", "responses.py", "seen.py"}  # what the same process wrote a line before
    reader = re.compile(r"\b(json|tomllib)\.loads?\((?!json\.dumps\()")
    files = [path for path in FILES if path.relative_to(ROOT).parts[0] != "demo_film" and path.name not in trusted]
    assert [path.name for path in files if reader.search(path.read_text(encoding="utf-8"))] == []


def test_jobs_travel_as_json_on_every_queue() -> None:
    assert {queue["SERIALIZER"] for queue in settings.RQ_QUEUES.values()} == {"rq.serializers.JSONSerializer"}
    assert settings.SESSION_SERIALIZER.endswith("JSONSerializer")


def test_the_policy_of_pages_allows_no_script_but_our_files() -> None:
    policy = dict(part.strip().split(" ", 1) for part in settings.CONTENT_SECURITY_POLICY.split(";"))
    assert policy["script-src"] == "'self'"
    assert policy["object-src"] == "'none'"
    assert policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe-eval" not in settings.CONTENT_SECURITY_POLICY


def test_views_read_numbers_in_the_one_safe_way() -> None:
    """`"²".isdigit()` is true and `int("²")` fails: see ingest/params.py."""
    files = [path for path in FILES if path.parent.name == "views" and path.name != "params.py"]
    wrong = [(path.name, word) for path in files for word in (".isdigit(", ".isdecimal(") if word in path.read_text()]
    assert not wrong


def test_templates_ask_for_a_right_not_for_the_number_of_a_role() -> None:
    for path in (ROOT / "templates").rglob("*.html"):
        assert not re.search(r"\brole\b\s*(?:[<>]=?|[!=]=)\s*\d", path.read_text(encoding="utf-8")), path
