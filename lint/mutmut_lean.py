"""mutmut with fewer kinds of changes: without those that mostly crash or say what another change says too.

Left out are the other spellings of a text (one change of it is enough), None in place of an argument or of an assigned
value, and arguments left out of calls that have only one.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

Operator = Callable[[Any], Iterable[Any]]


def first_of(operator: Operator) -> Operator:
    """The operator's first change alone."""
    return lambda node: islice(operator(node), 1)


def shorter_calls(operator: Operator) -> Operator:
    """Those changes that leave an argument out."""

    def changes(call: Any) -> Iterator[Any]:
        return (changed for changed in operator(call) if len(changed.args) < len(call.args))

    return changes


def lean(operators: list[tuple[type, Operator]]) -> list[tuple[type, Operator]]:
    """The operators of mutmut without the changes that this module leaves out."""
    wrapped = {"operator_string": first_of, "operator_arg_removal": shorter_calls}
    return [
        (kind, wrapped.get(operator.__name__, lambda same: same)(operator))
        for kind, operator in operators
        if operator.__name__ != "operator_assignment"
    ]


if __name__ == "__main__":
    operators = importlib.import_module("mutmut.mutation.mutators").mutation_operators
    operators[:] = lean(operators)
    importlib.import_module("mutmut.__main__").cli()
