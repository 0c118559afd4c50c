"""Which tests a module that is broken on purpose is run with."""

from __future__ import annotations

from lint.mutants import related_tests


def test_a_module_is_run_with_the_related_tests_its_name_or_of_its_folder() -> None:
    assert related_tests("ingest/algorithms/naming.py") == ["tests/ingest/algorithms/test_naming.py"]
    assert related_tests("annotate/actions/faces.py") == ["tests/annotate/actions/test_faces.py"]
    assert related_tests("ingest/algorithms/sampling.py") == ["tests/ingest/algorithms"]
