"""Every combination of faces, names that models and people gave, and names that a move adds and takes away."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.algorithms.settling import Known, settle

UNCLEAR = "it is unclear"
SINCE = "a person named A there since the export"
# Faces as letters of their names (`-`: none; a star: by a person, who gave it before the export; two: since then),
# behind a bar who is known without a face; the folder before and now; and what follows: new names face by face (`.`:
# stays) and who is on the picture without a face (`+`) and who is not (`-`), or the reason why it stays open.
CASES = [
    # one face
    ("-", "", "A", "A"),
    ("A", "A", "B", "B"),
    ("A*", "A", "B", "B"),
    ("A**", "A", "B", SINCE),
    ("A", "A", "", "-"),
    ("A*", "A", "", "-"),
    ("A**", "A", "", SINCE),
    ("A", "A", "AB", "every face in it has a name already"),
    ("A", "A", "BC", UNCLEAR),
    ("A", "A", "ABC", UNCLEAR),
    ("-", "", "AB", UNCLEAR),
    # two faces, both named
    ("AB", "AB", "A", ".-"),
    ("AB", "AB", "", "--"),
    ("AB", "AB", "AC", ".C"),
    ("AB", "AB", "C", UNCLEAR),
    ("AB", "AB", "CD", UNCLEAR),
    ("AB", "AB", "ABC", "every face in it has a name already"),
    ("AB", "AB", "ACD", UNCLEAR),
    ("A**B", "AB", "AC", ".C"),
    ("A**B", "AB", "BC", SINCE),
    # two faces with one name
    ("AA", "A", "", "--"),
    ("AA", "A", "B", UNCLEAR),
    ("AA", "A", "AB", "every face in it has a name already"),
    ("AA*", "A", "", "--"),
    ("AA**", "A", "", SINCE),
    # two faces, one or none named
    ("A-", "A", "AB", ".B"),
    ("A-", "A", "", "-."),
    ("A-", "A", "B", UNCLEAR),
    ("A-", "A", "BC", UNCLEAR),
    ("A-", "A", "ABC", UNCLEAR),
    ("A*-", "A", "AB", ".B"),
    ("A**-", "A", "AB", ".B"),
    ("--", "", "A", UNCLEAR),
    ("--", "", "AB", UNCLEAR),
    # three faces
    ("AB-", "AB", "ABC", "..C"),
    ("AB-", "AB", "AC", UNCLEAR),
    ("AB-", "AB", "A", ".-."),
    ("ABC", "ABC", "ABD", "..D"),
    ("A--", "A", "AB", UNCLEAR),
    # no face at all: who is on it is said of the picture
    ("", "", "A", "|+A"),
    ("", "", "AB", "|+A+B"),
    ("|A", "A", "", "|-A"),
    ("|A", "A", "B", "|+B-A"),
    ("|A*", "A", "B", "|+B-A"),
    ("|A**", "A", "B", SINCE),
    ("|AB", "AB", "BC", "|+C-A"),
    # faces, and somebody known without one
    ("A|B", "AB", "A", ".|-B"),
    ("A|B", "AB", "B", "-|"),
    ("A|B", "AB", "AC", ".|+C-B"),
    ("A|B", "AB", "BC", "C|"),
    ("A|B", "AB", "C", UNCLEAR),
    ("A|B", "AB", "ABC", "every face in it has a name already"),
    ("A-|B", "AB", "AC", UNCLEAR),
    ("-|A", "A", "AB", "B|"),
    ("-|A", "A", "B", UNCLEAR),
    ("A|A", "A", "", "-|-A"),
    ("A|A", "A", "B", "B|-A"),
    ("A|A**", "A", "B", SINCE),
    # what is so already, and what others changed since the export
    ("B", "A", "B", "."),
    ("AB", "A", "AB", ".."),
    ("-", "A", "", "."),
    ("B", "A", "C", "renamed since the export"),
    ("-", "A", "B", "renamed since the export"),
    ("AB", "A", "C", "renamed since the export"),
    ("A-", "AB", "C", "renamed since the export"),
]


def people_of(text: str) -> tuple[list[tuple[str, bool]], set[str]]:
    """Names with whether a person gave them, and those that people had given at the export."""
    people: list[tuple[str, bool]] = []
    before: set[str] = set()
    for sign in text.replace("**", "!"):
        if sign in "*!":
            name, _ = people.pop()
            people.append((name, True))
            before |= {name} if sign == "*" else set()
        else:
            people.append((sign.replace("-", ""), False))
    return people, before


@pytest.mark.parametrize(("given", "before", "now", "follows"), CASES)
def test_only_what_is_plain_follows_from_a_move(given: str, before: str, now: str, follows: str) -> None:
    on_faces, bar, without = given.partition("|")
    people, earlier = people_of(on_faces)
    faceless, earlier_too = people_of(without)
    faces = [Known(face=index, name=name, by_person=person) for index, (name, person) in enumerate(people)]
    for order in permutations(faces):
        settled = settle(
            order, before=before, now=now, by_person=frozenset(earlier | earlier_too), faceless=dict(faceless)
        )

        if settled.reason:
            assert follows in settled.reason
            assert settled.named == settled.unnamed == settled.displayed == settled.not_shown == ()
            continue
        result = ["."] * len(faces)
        for face, name in settled.named:
            result[face] = name
        for face in settled.unnamed:
            result[face] = "-"
        of_picture = "".join([f"+{name}" for name in settled.displayed] + [f"-{name}" for name in settled.not_shown])
        assert "".join(result) + ("|" if bar or of_picture else "") + of_picture == follows


def test_a_manifest_that_does_not_say_what_people_named_changes_no_persons_word() -> None:
    person, model = Known(face=1, name="A", by_person=True), Known(face=1, name="A")

    assert "a person named A there;" in settle([person], before="A", now="B", by_person=None).reason
    assert settle([model], before="A", now="B", by_person=None).named == ((1, "B"),)


def test_a_face_gets_no_name_that_a_person_ruled_out_for_it() -> None:
    ruled_out = Known(face=1, ruled_out=frozenset("A"))

    assert "a person marked its face as not A" in settle([ruled_out], before="", now="A", by_person=frozenset()).reason
    assert settle([ruled_out], before="", now="B", by_person=frozenset()).named == ((1, "B"),)


@given(st.lists(st.sampled_from("-ABC"), max_size=5), st.sets(st.sampled_from("ABCD")))
def test_after_a_plain_move_the_faces_say_what_the_folder_says(names: list[str], now: set[str]) -> None:
    faces = [Known(face=index, name=name.replace("-", "")) for index, name in enumerate(names)]

    settled = settle(faces, before=set(names) - {"-"}, now=now, by_person=frozenset())

    if not settled.reason:
        after = dict(enumerate(names)) | dict(settled.named) | dict.fromkeys(settled.unnamed, "-")
        assert set(after.values()) - {"-"} | set(settled.displayed) == now
        still_named = [face.face for face in faces if face.name in now]
        assert all(after[face] == names[face] for face in still_named)
