"""Tests that share what their file makes once are handed to one process, all others one by one."""

from __future__ import annotations

from tests.together import Together


def test_a_file_that_makes_something_once_is_one_piece_and_other_tests_are_handed_out_singly() -> None:
    scheduler = Together.__new__(Together)
    scope = scheduler._split_scope
    trials, demo = "tests/flows/test_kill_work.py", "tests/demo_film/test_film.py"
    assert scope(f"{trials}::test_one[face]") == scope(f"{trials}::test_two[export]") != scope(f"{demo}::test_one")
    single = "tests/test_claims.py"
    assert scope(f"{single}::test_one") != scope(f"{single}::test_two")
