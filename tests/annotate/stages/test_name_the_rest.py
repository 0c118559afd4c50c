"""Names for all faces without one: a dry run on the faces page, looked through, and applied as one operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotate.actions import faces as face_actions
from annotate.evaluation import evaluation_jobs
from annotate.models import Evaluation, Face, FaceCluster, NamedBy
from annotate.views import faces_rest
from ingest.actions import history
from ingest.models import Collection, Episode, Operation, Role, RunState
from tests.annotate.people import ANNA, BETH, CARA, Looks
from tests.pages import html_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
CAST = [[ANNA], [BETH], [CARA]] * 6 + [[ANNA, BETH], [BETH, ANNA]]
LOOKS = [who for people in CAST for who in people]
START = {"act": "start"}


class Rest:
    """Faces of three people, of whom one group each of Anna and Beth has a name; the others wait."""

    def __init__(self, collection: Collection, alice: User) -> None:
        self.collection = collection
        self.address = reverse("faces_rest", args=[collection.pk])
        keys = list(Face.objects.order_by("frame__index", "left").values_list("pk", flat=True))
        self.truth = dict(zip(keys, LOOKS, strict=True))
        for looks, name in ((ANNA, "Anna"), (BETH, "Beth")):
            face_actions.assign(collection=collection, faces=self.of(looks)[:3], character=name, by=alice)
        for number, looks in enumerate((ANNA, BETH, CARA)):
            cluster = FaceCluster.objects.create(collection=collection, number=number, size=3, purity=0.9)
            Face.objects.filter(pk__in=self.of(looks)[3:6]).update(cluster=cluster)

    def of(self, looks: Looks) -> list[int]:
        return [key for key, who in self.truth.items() if who is looks]

    def waiting(self, looks: Looks) -> list[int]:
        return self.of(looks)[3:]

    def row(self) -> Evaluation:
        return Evaluation.objects.get(kind="names")

    def start(self, client: Client) -> str:
        return html_of(client.post(self.address, START, headers=HTMX))

    def apply(self, client: Client, **more: Any) -> Any:
        return client.post(self.address, {"act": "apply", "row": self.row().pk, **more}, follow=True)

    def group(self, looks: Looks) -> str:
        """The key of the group of this person in the form."""
        face = Face.objects.get(pk=self.waiting(looks)[0])
        named = Face.objects.get(pk=self.of(looks)[0])
        return f"{named.character_id}.{face.cluster_id}"


def names() -> dict[int, str | None]:
    return dict(Face.objects.values_list("pk", "character__name"))


@pytest.fixture()
def rest(make_episode: Callable[..., Episode], run: Callable[..., Any], collection: Collection, alice: User) -> Rest:
    run(make_episode(CAST), "embed")
    return Rest(collection, alice)


def test_a_dry_run_shows_names_by_character_and_changes_nothing(rest: Rest, as_bob: Client) -> None:
    before = names()
    page = " ".join(rest.start(as_bob).split())
    assert names() == before
    assert "<b>10 faces</b> would get a name, 6 resemble nobody" in page
    assert page.count('class="proposed"') == 2
    for face, looks in rest.truth.items():
        assert (f'name="out" value="{face}"' in page) == (looks is not CARA and face in rest.waiting(looks))
    stored = [name.confidence for name in faces_rest.stored_names(rest.row())]
    assert stored == sorted(stored)  # the least sure first
    assert min(stored) >= 0.5


def test_faces_that_are_alone_in_their_group_are_shown_together(rest: Rest, as_bob: Client) -> None:
    alone = rest.of(ANNA)[6:]
    assert len(alone) > 1
    for number, face in enumerate(alone):
        cluster = FaceCluster.objects.create(collection=rest.collection, number=10 + number, size=1)
        Face.objects.filter(pk=face).update(cluster=cluster)
    page = rest.start(as_bob)
    anna = Face.objects.get(pk=rest.of(ANNA)[0]).character_id
    assert page.count(f'data-proposed-group="{anna}.') == 2  # her group, and these
    assert page.count(f'data-proposed-group="{anna}.0"') == 1


def test_what_is_applied_is_a_models_name_and_one_undo_takes_all_of_it_back(
    rest: Rest, as_bob: Client, bob: User
) -> None:
    before = names()
    operations = Operation.objects.count()
    rest.start(as_bob)
    page = html_of(rest.apply(as_bob))
    assert "10 faces named: 5 Anna, 5 Beth" in page
    assert Operation.objects.count() == operations + 1
    expected: dict[Looks, str | None] = {ANNA: "Anna", BETH: "Beth", CARA: None}
    assert names() == {face: expected[looks] for face, looks in rest.truth.items()}
    applied = Face.objects.filter(pk__in=[*rest.waiting(ANNA), *rest.waiting(BETH)])
    assert set(applied.values_list("named_by", flat=True)) == {NamedBy.MODEL}
    assert all(0.5 <= (face.confidence or 0) <= 1 for face in applied)
    assert not Evaluation.objects.filter(kind="names").exists()
    undone = history.undo_last(collection=rest.collection, by=bob, place="faces")
    assert undone.skipped == 0
    assert names() == before


def test_a_run_of_the_stage_says_the_same(rest: Rest, as_bob: Client, run: Callable[..., Any]) -> None:
    rest.start(as_bob)
    rest.apply(as_bob)
    fields = ("pk", "character", "confidence", "named_by")
    before = sorted(Face.objects.values_list(*fields))
    run(rest.collection.episodes.get(), "identify")
    assert sorted(Face.objects.values_list(*fields)) == before


def test_faces_and_groups_that_are_left_out_stay_and_what_a_digit_gave_is_the_persons(
    rest: Rest, as_bob: Client, bob: User
) -> None:
    rest.start(as_bob)
    left_out, other, *_ = (face for face in rest.waiting(ANNA) if Face.objects.get(pk=face).cluster_id is None)
    rest.apply(as_bob, out=left_out, out_group=rest.group(BETH), **{"as": f"{other}:Beth"})
    named = names()
    assert named[left_out] is None
    assert [named[face] for face in rest.waiting(BETH)[:3]] == [None] * 3
    assert [named[face] for face in rest.waiting(ANNA)[:3]] == ["Anna"] * 3
    face = Face.objects.get(pk=other)
    assert (named[other], face.named_by, face.named_user) == ("Beth", NamedBy.PERSON, bob)


def test_a_whole_group_goes_to_another_character(rest: Rest, as_bob: Client) -> None:
    rest.start(as_bob)
    rest.apply(as_bob, as_group=f"{rest.group(ANNA)}:Beth")
    group = Face.objects.filter(pk__in=rest.waiting(ANNA)[:3])
    assert set(group.values_list("character__name", "named_by")) == {("Beth", NamedBy.PERSON)}


def test_what_others_decided_meanwhile_is_left_alone_and_told(
    rest: Rest, as_bob: Client, alice: User, collection: Collection
) -> None:
    rest.start(as_bob)
    first, second, third, *_ = rest.waiting(ANNA)
    face_actions.assign(collection=collection, faces=[first], character="Honoka", by=alice)
    face_actions.nobody(collection=collection, faces=[second], by=alice)
    face_actions.is_not(collection=collection, faces=[third], character=_character("Anna"), by=alice)
    page = html_of(rest.apply(as_bob))
    assert "7 faces named" in page
    assert "3 faces were decided by somebody in the meantime and left as is" in page
    assert [names()[face] for face in (first, second, third)] == ["Honoka", None, None]


def _character(name: str) -> int:
    return int(Face.objects.filter(character__name=name).values_list("character", flat=True)[0])


def test_the_page_shows_no_face_that_was_decided_meanwhile(
    rest: Rest, as_bob: Client, alice: User, collection: Collection
) -> None:
    rest.start(as_bob)
    face = rest.waiting(ANNA)[0]
    face_actions.nobody(collection=collection, faces=[face], by=alice)
    page = " ".join(html_of(as_bob.get(rest.address, {"row": rest.row().pk}, headers=HTMX)).split())
    assert f'name="out" value="{face}"' not in page
    assert "1 face changed meanwhile" in page
    full = html_of(as_bob.get(reverse("faces", args=[collection.pk]), {"rest": rest.row().pk}))
    assert f'name="out" value="{rest.waiting(ANNA)[1]}"' in full


def test_if_all_was_decided_meanwhile_nothing_is_written(
    rest: Rest, as_bob: Client, alice: User, collection: Collection
) -> None:
    rest.start(as_bob)
    waiting = [*rest.waiting(ANNA), *rest.waiting(BETH)]
    face_actions.nobody(collection=collection, faces=waiting, by=alice)
    operations = Operation.objects.count()
    assert "Somebody decided all of these faces" in html_of(rest.apply(as_bob))
    assert Operation.objects.count() == operations


def test_the_same_form_twice_names_once(rest: Rest, as_bob: Client) -> None:
    rest.start(as_bob)
    form = {"act": "apply", "row": rest.row().pk, "key": "one"}
    as_bob.post(rest.address, form)
    operations = Operation.objects.count()
    again = html_of(as_bob.post(rest.address, form, follow=True))
    assert "Already done" in again
    assert Operation.objects.count() == operations


def test_many_faces_are_a_workers_and_the_page_shows_how_far_it_is(
    rest: Rest, as_bob: Client, queues: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces_rest, "INLINE_MAX", 5)
    page = rest.start(as_bob)
    assert "Waiting for a worker" in page
    assert 'hx-trigger="every 1s"' in page
    assert "Waiting for a worker" in html_of(as_bob.get(reverse("faces", args=[rest.collection.pk])))
    rest.start(as_bob)
    assert Evaluation.objects.filter(kind="names").count() == 1  # asked twice, done once
    assert evaluation_jobs.execute(rest.row().pk) == RunState.DONE
    assert (rest.row().done, rest.row().total) == (22, 22)
    assert "would get a name" in html_of(as_bob.get(rest.address, {"row": rest.row().pk}, headers=HTMX))


def test_a_dry_run_that_waits_is_cancelled_and_a_result_dismissed(
    rest: Rest, as_bob: Client, queues: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces_rest, "INLINE_MAX", 5)
    rest.start(as_bob)
    page = html_of(as_bob.post(rest.address, {"act": "cancel", "row": rest.row().pk}, headers=HTMX))
    assert "Cancelled; nothing" in page
    as_bob.post(rest.address, {"act": "dismiss", "row": rest.row().pk})
    assert not Evaluation.objects.exists()


def test_while_nobody_has_a_name_it_says_so(rest: Rest, as_bob: Client) -> None:
    Face.objects.update(character=None, named_by="")
    assert "Name some faces first" in rest.start(as_bob)


def test_the_surest_come_first_where_there_are_more_than_one_operation_takes(
    rest: Rest, as_bob: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotate.evaluation.on_collection.names.FACES_MAX", 4)
    page = " ".join(rest.start(as_bob).split())
    assert "These are the surest; 6 more follow next time" in page
    monkeypatch.setattr("annotate.evaluation.on_collection.names.FACES_MAX", 100)
    surest = sorted(name.confidence for name in faces_rest.stored_names(rest.row()))
    Evaluation.objects.all().delete()
    rest.start(as_bob)
    everything = sorted(name.confidence for name in faces_rest.stored_names(rest.row()))
    assert surest == everything[-4:]


def test_a_viewer_and_a_stranger_are_refused_and_the_page_accuracy_does_not_list_it(
    rest: Rest, as_alice: Client, as_bob: Client, as_charlie: Client
) -> None:
    rest.start(as_bob)
    assert as_charlie.post(rest.address, START).status_code == 404
    page = html_of(as_alice.get(reverse("collection_quality", args=[rest.collection.pk])))
    assert f"/quality/{rest.row().pk}/" not in page
    rest.collection.memberships.filter(user__username="bob").update(role=Role.VIEWER)
    assert as_bob.post(rest.address, START).status_code == 403
    assert as_bob.get(rest.address, {"row": rest.row().pk}).status_code == 403
    other = Collection.objects.create(name="Other")
    other.memberships.create(user=User.objects.get(username="alice"), role=Role.ADMIN)
    address = reverse("faces_rest", args=[other.pk])
    page = html_of(as_alice.get(address, {"row": rest.row().pk}, headers=HTMX))
    assert "name=" not in page
    assert as_alice.post(address, {"act": "apply", "row": rest.row().pk}).status_code == 404
