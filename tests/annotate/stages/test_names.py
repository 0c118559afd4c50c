"""Names that came with pictures name their faces and frames; people's words stay, and a second run changes nothing."""

from __future__ import annotations

import json

import pytest

from annotate.actions import characters, frame_characters
from annotate.actions import faces as face_acts
from annotate.actions import tags as tag_acts
from annotate.algorithms.query import parse
from annotate.models import Character, Face, FrameCharacter, FrameTag, ModelVersion, NamedBy, Tag, TagCategory
from annotate.naming.cast import comparable
from annotate.queries.search import frames as search
from ingest.actions import history
from ingest.models import Frame, FrameState, Operation, SideFile
from tests.annotate.people import ANNA, BETH
from tests.pages import html_of

pytestmark = pytest.mark.django_db


def give(frame: Frame, text: str, name: str = "a.txt") -> None:
    SideFile.objects.create(frame=frame, name=name, text=text)
    Frame.objects.filter(pk=frame.pk).update(tagged=False)


def tagged(frame: Frame, name: str, score: float = 0.95) -> None:
    """As a tagger leaves it."""
    tag, _ = Tag.objects.get_or_create(name=name, defaults={"category": TagCategory.CHARACTER})
    version, _ = ModelVersion.objects.get_or_create(task="tags", name="tiny WD")
    FrameTag.objects.create(frame=frame, tag=tag, score=score, model_version=version)


def of_faces() -> list[tuple[str, str]]:
    rows = Face.objects.order_by("frame__index", "left").select_related("character")
    return [(row.character.name if row.character else "", row.named_by) for row in rows]


def of_frame(frame: Frame) -> dict[str, tuple[str, str]]:
    rows = FrameCharacter.objects.filter(frame=frame).select_related("character")
    return {row.character.name: (row.origin, row.state) for row in rows}


def test_one_name_of_a_file_and_one_face_are_one_and_who_has_no_face_counts_for_the_frame(
    make_episode, run, collection
):
    episode = make_episode([[ANNA], [], [ANNA, BETH]])
    first, none, second = Frame.objects.order_by("index")
    give(first, "character: Akiyama Mio\ngeneral: smile")
    give(none, "character:akiyama_mio\n1girl\nfrom behind")
    give(second, "character: akiyama mio, tainaka ritsu")
    run(episode, "names")
    assert of_faces() == [("Akiyama Mio", "file"), ("", ""), ("", "")]
    assert of_frame(none) == {"Akiyama Mio": ("file", "yes")}
    assert set(of_frame(second)) == {"Akiyama Mio", "tainaka ritsu"}
    assert search(collection, parse('character:"Akiyama Mio"')).count() == 3
    assert search(collection, parse("character:none")).count() == 0
    before = list(FrameCharacter.objects.values()), list(Face.objects.values())
    run(episode, "names")
    assert (list(FrameCharacter.objects.values()), list(Face.objects.values())) == before


def test_what_koma_wrote_names_every_face_by_its_box(make_episode, run):
    episode = make_episode([[ANNA, BETH]])
    left, right = Face.objects.order_by("left")
    boxes = [[face.left, face.top, face.right, face.bottom] for face in (left, right)]
    give(
        Frame.objects.get(), json.dumps({"facepos": boxes, "character": ["Miku", "Rin"], "tags": ["2girls"]}), "a.json"
    )
    run(episode, "names")
    assert of_faces() == [("Miku", "file"), ("Rin", "file")]


def test_a_tagger_finds_characters_by_name_and_alias_and_makes_new_ones_only_where_asked(
    make_episode, run, collection, alice
):
    episode = make_episode([[ANNA], [BETH]])
    first, second = Frame.objects.order_by("index")
    tagged(first, "hatsune_miku")
    tagged(second, "kagamine_rin")
    miku = characters.create(collection=collection, name="Miku", by=alice)
    run(episode, "names")
    assert of_faces() == [("", ""), ("", "")]
    characters.add_alias(collection=collection, character=miku, name="hatsune miku", by=alice)
    run(episode, "names")
    assert of_faces() == [("Miku", "autotag"), ("", "")]
    assert Face.objects.get(frame=first).confidence == 0.95
    run(episode, "names", params={"names": {"new_characters": "all"}})
    assert of_faces() == [("Miku", "autotag"), ("kagamine_rin", "autotag")]


def test_a_file_stands_above_a_tagger_and_a_model_and_a_person_above_all(make_episode, run, collection, alice):
    episode = make_episode([[ANNA], [ANNA], [BETH]])
    first, second, three = Frame.objects.order_by("index")
    rin = characters.create(collection=collection, name="Rin", by=alice)
    characters.create(collection=collection, name="Miku", by=alice)
    for frame in (first, second, three):
        give(frame, "character: Miku")
        tagged(frame, "rin")
    Face.objects.filter(frame=second).update(character=rin, named_by=NamedBy.MODEL, confidence=0.9)
    face_acts.assign(collection=collection, faces=[Face.objects.get(frame=three)], character=rin, by=alice)
    run(episode, "names")
    assert of_faces() == [("Miku", "file"), ("Miku", "file"), ("Rin", "person")]
    assert of_frame(first) == {"Miku": ("file", "yes")}
    assert of_frame(three) == {"Miku": ("file", "no")}


def test_a_name_that_a_person_takes_away_stays_away_and_undo_brings_it_back(make_episode, run, collection, alice):
    episode = make_episode([[ANNA]])
    frame, face = Frame.objects.get(), Face.objects.get()
    give(frame, "character: Miku")
    run(episode, "names")
    done = face_acts.unname(collection=collection, faces=[face], by=alice)
    assert of_frame(frame) == {"Miku": ("file", "no")}
    run(episode, "names")
    assert of_faces() == [("", "")]
    assert of_frame(frame) == {"Miku": ("file", "no")}
    history.undo(Operation.objects.get(pk=done.pk), by=alice)
    assert of_frame(frame) == {"Miku": ("file", "yes")}
    assert of_faces() == [("Miku", "file")]


def test_a_persons_word_on_the_frame_stays_and_can_be_undone(make_episode, run, collection, alice):
    episode = make_episode([[]])
    frame = Frame.objects.get()
    give(frame, "character: Miku")
    run(episode, "names")
    miku = Character.objects.get()
    done = frame_characters.decide(collection=collection, frame=frame, character=miku, yes=False, by=alice)
    frame_characters.decide(collection=collection, frame=frame, character="Rin", yes=True, by=alice)
    run(episode, "names")
    assert of_frame(frame) == {"Miku": ("person", "no"), "Rin": ("person", "yes")}
    history.undo(Operation.objects.get(pk=done.pk), by=alice)
    assert of_frame(frame)["Miku"] == ("file", "yes")


def test_names_on_a_dropped_copy_count_for_the_kept_frame(make_episode, run, collection, alice):
    episode = make_episode([[ANNA], [ANNA]])
    copy, kept_frames = Frame.objects.order_by("index")
    face_acts.assign(collection=collection, faces=[Face.objects.get(frame=copy)], character="Mio", by=alice)
    Frame.objects.filter(pk=copy.pk).update(state=FrameState.DROPPED, reason="duplicate", duplicate_of=kept_frames)
    run(episode, "names")
    assert of_faces() == [("Mio", "person"), ("Mio", "copy")]


def test_a_merge_hands_frames_over(make_episode, run, collection, alice):
    episode = make_episode([[], []])
    first, second = Frame.objects.order_by("index")
    give(first, "character: Miku")
    give(second, "character: Miku, Hatsune Miku")
    run(episode, "names")
    miku, hatsune = (Character.objects.get(name=name) for name in ("Miku", "Hatsune Miku"))
    characters.merge(collection=collection, character=hatsune, into=miku, by=alice)
    assert of_frame(first) == of_frame(second) == {"Miku": ("file", "yes")}
    run(episode, "names")
    assert of_frame(second) == {"Miku": ("file", "yes")}


def test_a_tag_that_a_person_said_no_to_names_nobody(make_episode, run, collection, alice):
    episode = make_episode([[ANNA]])
    frame = Frame.objects.get()
    give(frame, "character: Miku")
    run(episode, "tag", "names")
    assert of_faces() == [("Miku", "file")]
    tag_acts.remove(collection=collection, frames=[frame], names=["miku"], by=alice)
    run(episode, "names")
    assert of_faces() == [("", "")]


def test_faces_named_by_files_teach_who_looks_how_and_files_bound_who_it_can_be(make_episode, run, collection):
    episode = make_episode([[ANNA]] * 6 + [[BETH]] * 6 + [[ANNA, BETH]] + [[ANNA]])
    frames = list(Frame.objects.order_by("index"))
    for frame in frames[:6]:
        give(frame, "character: Anna")
    for frame in frames[6:12]:
        give(frame, "character: Beth")
    give(frames[12], "character: Beth, Anna")
    run(episode, "names", "embed", "cluster", "identify")
    assert of_faces()[:12] == [("Anna", "file")] * 6 + [("Beth", "file")] * 6
    assert of_faces()[12:] == [("Anna", "model"), ("Beth", "model"), ("Anna", "model")]
    before = of_faces()
    run(episode, "names", "embed", "cluster", "identify")
    assert of_faces() == before


def test_a_name_that_differs_by_signs_alone_is_reported_and_offered_and_not_taken(
    make_episode, run, collection, as_alice
):
    episode = make_episode([[ANNA], [BETH]])
    first, second = Frame.objects.order_by("index")
    mister = Character.objects.create(collection=collection, name="mr.x")
    give(first, "character: MrX")
    give(second, "character: Mr.X")
    done = run(episode, "tag", "names")
    assert of_frame(first) == {}
    assert set(of_frame(second)) == {"mr.x"}
    assert list(Character.objects.filter(collection=collection)) == [mister]
    assert done.stages.get(stage="names").log.count("“MrX” may be mr.x") == 1
    page = html_of(as_alice.get(f"/c/{collection.pk}/characters/tags/"))
    assert '<button class="btn" name="name" value="mr.x">Same as mr.x</button>' in page
    tag = Tag.objects.get(name__iexact="mrx").name
    answer = as_alice.post(f"/c/{collection.pk}/characters/tags/name/", {"tag": tag, "name": ["", "mr.x"]})
    assert answer.status_code == 302
    run(episode, "names")
    assert set(of_frame(first)) == {"mr.x"}


def test_case_gaps_and_width_are_no_difference_between_names():
    assert (
        len({comparable(name) for name in ("Hatsune Miku", "hatsune_miku", "HatsuneMiku", "Ｈａｔｓｕｎｅ　Ｍｉｋｕ")})
        == 1
    )
    assert len({comparable(name) for name in ("MrX", "Mr.X", "Mr-X", "Mr'X")}) == 4
