"""The tags that write fields of forms."""

from __future__ import annotations

from typing import Any

from django.template import Context, Template
from django.test import RequestFactory

from tests.forms import forms_of


def fields_of(source: str, **values: Any) -> dict[str, list[str]]:
    return forms_of(drawn(f"<form>{source}</form>", **values))[0].fields


def drawn(source: str, **values: Any) -> str:
    return Template(source).render(Context({"request": RequestFactory().get("/"), **values}))


def test_a_select_sends_what_is_chosen_of_pairs_and_of_plain_values() -> None:
    source = '{% select_field "side" "Side" options chosen %}'
    assert fields_of(source, options=(("a", "First"), "b"), chosen="b") == {"side": ["b"]}
    assert fields_of(source, options=((1, "One"), (2, "Two")), chosen=2) == {"side": ["2"]}


def test_numbers_and_texts_send_their_value_and_nothing_for_none() -> None:
    assert fields_of('{% number_field "least" "At least" value min=0 %}', value=7) == {"least": ["7"]}
    assert fields_of('{% text_field "name" "Name" value maxlength=20 %}', value=None) == {"name": [""]}
    page = drawn('{% number_field "least" "At least" 7 min=0 step="any" %}')
    assert 'type="number"' in page
    assert 'min="0"' in page
    assert 'step="any"' in page


def test_checkboxes_are_sent_where_they_are_ticked() -> None:
    assert fields_of('{% check_field "spaces" "Spaces" True %}') == {"spaces": ["on"]}
    assert fields_of('{% check_field "spaces" "Spaces" False %}') == {}
    both = '{% check_of "type" "A" "a" chosen %}{% check_of "type" "B" "b" chosen %}'
    assert fields_of(both, chosen=("b",)) == {"type": ["b"]}


def test_labels_and_values_from_people_are_escaped() -> None:
    evil = '"><script>alert(1)</script>'
    for source in (
        '{% text_field "n" evil evil placeholder=evil %}',
        '{% select_field "n" evil options evil %}',
        '{% check_of "n" evil evil options %}',
    ):
        assert "<script>" not in drawn(source, evil=evil, options=(evil,))


def test_a_form_is_sent_to_one_address_with_and_without_scripts() -> None:
    assert drawn("<form {% post_to 'undo' 7 %}>") == '<form method="post" action="/c/7/undo/" hx-post="/c/7/undo/">'
