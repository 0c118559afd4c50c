"""One named face each: drawn sisters and strangers with the same hair colour are told apart by the stages of a run."""

from __future__ import annotations

import pytest

from annotate.actions import characters, faces
from annotate.models import Face, ModelVersion
from bench import drawn_casts
from ingest.imaging.encode import PictureFormat, encode
from ingest.imaging.store import Store
from ingest.models import Episode, Frame, Shot, Source

pytestmark = pytest.mark.django_db
CAST, STRANGERS, SHOTS = 4, 3, 4
SEED = 5


@pytest.fixture()
def film(collection, settings):
    """An episode with a frame per face of a drawn cast; returns it with whom each face shows, by its key."""
    store = Store(settings.KOMA_DATA_DIR / "store")
    source = Source.objects.create(collection=collection, kind="video", name="a.mkv", path="a.mkv", sha256="0" * 64)
    episode = Episode.objects.create(collection=collection, source=source, title="1")
    detector = ModelVersion.objects.create(task="faces", name="hand")
    drawn = drawn_casts.in_films(SEED, CAST, strangers=STRANGERS, shots=SHOTS)
    truth = {}
    for index, (head, person, shot) in enumerate(zip(drawn.heads, drawn.person, drawn.shot, strict=True)):
        row, _ = Shot.objects.get_or_create(
            episode=episode, index=int(shot), defaults={"start_s": float(shot), "end_s": float(shot) + 1}
        )
        frame = Frame.objects.create(
            collection=collection, episode=episode, index=index, width=96, height=96, face_count=1, shot=row
        )
        face = Face.objects.create(
            collection=collection, frame=frame, left=0.3, top=0.3, right=0.7, bottom=0.7, model_version=detector,
            crop=store.put(encode(head, PictureFormat("png")), "png"),
        )  # fmt: skip
        truth[face.pk] = int(person)
    return episode, truth


def test_one_named_face_each_tells_sisters_apart_and_names_hardly_any_stranger(film, run, collection, alice):
    episode, truth = film
    each = drawn_casts.SHOT_FRAMES * SHOTS
    for person in range(CAST):
        character = characters.create(collection=collection, name=str(person), by=alice)
        key = [key for key, who in truth.items() if who == person][each // 2]
        faces.assign(collection=collection, faces=[Face.objects.get(pk=key)], character=character, by=alice)
    run(episode, "embed", "cluster", "identify")
    named = dict(Face.objects.values_list("pk", "character__name"))
    cast = [key for key, who in truth.items() if who < CAST]
    strangers = [key for key, who in truth.items() if who >= CAST]
    right = sum(named[key] == str(truth[key]) for key in cast) / len(cast)
    wrong = sum(named[key] not in (None, str(truth[key])) for key in cast) / len(cast)
    taken = sum(named[key] is not None for key in strangers) / len(strangers)
    assert right >= 0.97
    assert wrong <= 0.05
    assert taken <= 0.1
