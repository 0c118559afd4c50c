"""Which tests a module that is broken on purpose is run with, and which of its functions and in which ways."""

from __future__ import annotations

from typing import Any

from lint.mutants import related_tests, undecorated
from lint.mutmut_lean import lean


def test_a_module_is_run_with_the_related_tests_its_name_or_of_its_folder() -> None:
    assert related_tests("ingest/algorithms/naming.py") == ["tests/ingest/algorithms/test_naming.py"]
    assert related_tests("annotate/actions/faces.py") == ["tests/annotate/actions/test_faces.py"]
    assert related_tests("ingest/algorithms/sampling.py") == ["tests/ingest/algorithms"]


DECORATED = """
from functools import lru_cache, wraps

def twice(function):
    @wraps(function)
    def called(value):
        return function(function(value))
    return called

@lru_cache(maxsize=3)
@twice
def doubled(value):
    return 2 * value

class Box:
    @property
    def size(
        self,
    ) -> int:
        return 3

    @staticmethod
    def kind():
        return "box"
"""


def test_decorated_functions_are_decorated_after_their_definition_and_do_the_same() -> None:
    source = undecorated(DECORATED)

    names: dict[str, Any] = {}
    exec(source, names)
    assert names["doubled"](4) == 16
    assert not hasattr(names["doubled"], "cache_info"), "it would hide a change made after the first call"
    assert (names["Box"]().size, names["Box"].kind()) == (3, "box")
    assert "    def size_undecorated(\n" in source
    assert "    size = property(size_undecorated)" in source
    assert "\n@" not in source
    assert "    @staticmethod\n    def kind():" in source


def test_changes_that_say_what_another_says_too_are_left_out() -> None:
    class Call:
        def __init__(self, *args: int) -> None:
            self.args = args

    def operator_string(node: str) -> list[str]:
        return [f"XX{node}XX", node.upper()]

    def operator_arg_removal(node: Call) -> list[Call]:
        return [Call(0, 2), Call(2), Call(1)]

    def operator_assignment(node: str) -> list[str]:
        return ["None"]

    def operator_number(node: int) -> list[int]:
        return [node + 1, node + 2]

    kinds = [(object, operator) for operator in (operator_string, operator_arg_removal, operator_number)]
    operators = [operator for _, operator in lean([*kinds, (object, operator_assignment)])]

    assert len(operators) == 3
    assert list(operators[0]("a")) == ["XXaXX"]
    assert [changed.args for changed in operators[1](Call(1, 2))] == [(2,), (1,)]
    assert list(operators[2](1)) == [2, 3]
