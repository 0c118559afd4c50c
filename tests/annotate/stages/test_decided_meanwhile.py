"""What a person decides between a stage's reading and its writing stays, whatever the stage was about to write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User

from annotate.actions import boxes, captions, characters, faces, frame_characters, tags
from annotate.consistency import check
from annotate.models import Caption, Face, FaceState, FrameCharacter, FrameTag, ModelCaption, NamedBy
from ingest.actions import runs
from ingest.models import Collection, Episode, RunState, SideFile
from ingest.pipeline import registry
from tests.annotate.chat_server import ChatServer, serving
from tests.annotate.face_graph import write_graph
from tests.annotate.people import ANNA, BETH

pytestmark = pytest.mark.django_db
STAGES = (
    "annotate.stages.detect.Detect",
    "annotate.stages.tag.TagFrames",
    "annotate.stages.names.ReadNames",
    "annotate.stages.embed.Embed",
    "annotate.stages.cluster.Cluster",
    "annotate.stages.identify.Identify",
    "annotate.stages.caption.WriteCaptions",
)
PARAMS: dict[str, dict[str, Any]] = {"detect": {"model": "tiny"}}


@dataclass(frozen=True)
class People:
    """Six frames with a face each, alternately Anna's and Beth's, and who decides."""

    collection: Collection
    episode: Episode
    faces: list[Face]
    by: User

    @property
    def common(self) -> dict[str, Any]:
        return {"collection": self.collection, "by": self.by}


@pytest.fixture()
def people(
    collection: Collection, alice: User, make_episode: Callable[..., Episode], settings: Any
) -> Iterator[People]:
    settings.PIPELINE_STAGES = list(STAGES)
    registry.stages.cache_clear()
    episode = make_episode([[ANNA], [BETH]] * 3)
    with serving(ChatServer()) as server:
        settings.KOMA_CAPTION_URL, settings.KOMA_CAPTION_MODEL = server.url, "tiny-vl"
        yield People(collection, episode, list(Face.objects.order_by("frame__index")), alice)
    registry.stages.cache_clear()


def run(people: People, *stages: str) -> None:
    done = runs.run_here(
        runs.start(
            collection=people.collection, episodes=[people.episode], by=None, stage_names=stages,
            params={name: PARAMS[name] for name in stages if name in PARAMS},
        )
    )  # fmt: skip
    assert done.state == RunState.DONE, [stage.error for stage in done.stages.all()]


def decisions() -> dict[str, Any]:
    """All rows that a person decided."""
    columns = ("pk", "state", "character__name", "named_by", "is_reference", "left", "top", "right", "bottom")
    by_people = Face.objects.filter(named_by=NamedBy.PERSON) | Face.objects.filter(box_by_person=True)
    by_people |= Face.objects.exclude(state=FaceState.FACE)
    rows = {
        "faces": by_people.values_list(*columns),
        "tags": FrameTag.objects.filter(by_person=True).values_list("frame", "tag__name", "state", "by"),
        "characters": FrameCharacter.objects.exclude(by=None).values_list(
            "frame", "character__name", "state", "origin"
        ),
        "captions": Caption.objects.values_list("frame", "text"),
    }
    return {name: sorted(result) for name, result in rows.items()}


def detector(people: People) -> None:
    """One that finds none of the faces: it would take them all away."""
    write_graph(settings.KOMA_MODELS_DIR)


def decide_faces(people: People) -> None:
    faces.assign(faces=people.faces[:1], character="Beth", **people.common)
    faces.not_a_face(faces=people.faces[1:2], **people.common)
    boxes.move(face=people.faces[2], box=(0.1, 0.1, 0.3, 0.4), **people.common)


def decide_tags(people: People) -> None:
    tags.remove(frames=[people.faces[0].frame], names=["solo"], **people.common)
    tags.add(frames=[people.faces[1].frame], names=["smile", "solo"], **people.common)


def side_files(people: People) -> None:
    """A name for each frame, which its one face would get."""
    for face in people.faces:
        SideFile.objects.create(frame=face.frame, name="a.txt", text="character: Anna")


def decide_names(people: People) -> None:
    faces.assign(faces=people.faces[:1], character="Beth", **people.common)
    frame_characters.decide(frame=people.faces[1].frame, character="Anna", yes=False, **people.common)
    frame_characters.decide(frame=people.faces[2].frame, character="Cara", yes=True, **people.common)


def two_named(people: People) -> None:
    """Described faces of which two have names: models would name the other four."""
    run(people, "embed")
    for face, name in zip(people.faces, ("Anna", "Beth"), strict=False):
        faces.assign(faces=[face], character=name, **people.common)


def decide_other_names(people: People) -> None:
    anna = characters.create(name="Somebody else", **people.common)
    faces.assign(faces=people.faces[2:3], character=anna, **people.common)
    faces.nobody(faces=people.faces[3:4], **people.common)


def write_caption(people: People) -> None:
    captions.write(frame=people.faces[0].frame, text="By hand.", **people.common)


def nothing(people: People) -> None:
    """Nothing has to be there before."""


def gone(people: People) -> bool:
    return not Face.objects.filter(pk=people.faces[5].pk).exists()


def other_tags(people: People) -> bool:
    return {"solo"} <= set(FrameTag.objects.filter(frame=people.faces[5].frame).values_list("tag__name", flat=True))


def named_as(name: str, by: NamedBy, people: People) -> bool:
    face = Face.objects.select_related("character").get(pk=people.faces[4].pk)
    return (getattr(face.character, "name", ""), face.named_by) == (name, by)


def described(people: People) -> bool:
    """All but the one whose box is another now."""
    faces = dict(Face.objects.values_list("pk", "embedding"))
    return {key for key, vector in faces.items() if vector is None} == {people.faces[2].pk}


def grouped(people: People) -> bool:
    """All but those of which a person said who they are, or that they are nobody."""
    alone = set(Face.objects.filter(cluster=None).values_list("pk", flat=True))
    return alone == {face.pk for face in people.faces[:2]}


def captioned(people: People) -> bool:
    return ModelCaption.objects.filter(frame=people.faces[5].frame).exists()


Step = Callable[[People], Any]
CASES: dict[str, tuple[Step, Step, Callable[[People], bool]]] = {
    "detect": (detector, decide_faces, gone),
    "tag": (nothing, decide_tags, other_tags),
    "names": (side_files, decide_names, partial(named_as, "Anna", NamedBy.FILE)),
    "embed": (nothing, decide_faces, described),
    "cluster": (lambda people: run(people, "embed"), decide_faces, grouped),
    "identify": (two_named, decide_other_names, partial(named_as, "Anna", NamedBy.MODEL)),
    "caption": (nothing, write_caption, captioned),
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_person_decides_between_reading_and_writing_stays(
    name: str, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, decide, has_worked = CASES[name]
    prepare(people)
    stage = registry.stages()[name]
    work = stage.work
    decided: list[dict[str, Any]] = []

    def then_decide(self: Any, batch: Any) -> Any:
        result = work(self, batch)
        if not decided:
            decide(people)
            decided.append(decisions())
        return result

    monkeypatch.setattr(stage, "work", then_decide)
    run(people, name)
    assert decided == [decisions()]
    assert has_worked(people), "it left alone what nobody decided on"
    faults = [str(fault) for fault in check(people.collection)]
    assert not faults


def test_every_stage_that_annotates_is_among_them(settings: Any) -> None:
    """But for the one that keeps models' answers alone, and that of boxes of text: no person decides on these."""
    stages = {path for path in settings.PIPELINE_STAGES if path.startswith("annotate.")}
    assert stages - set(STAGES) == {"annotate.stages.run_models.RunModels", "annotate.stages.text.FindText"}
    assert len(CASES) == len(STAGES)
