"""Two people at once, on real connections: nothing is lost, nothing is decided twice, the second hears of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from annotate.actions import characters, clusters, faces, tags
from annotate.consistency import check
from annotate.models import Character, CharacterAlias, Face, FrameTag, NamedBy
from ingest.actions import history, members, runs
from ingest.errors import Conflict, KomaError
from ingest.models import Membership, Operation, Role
from ingest.pipeline import registry
from tests.annotate.face_graph import write_graph
from tests.conftest import client_of
from tests.safety.conftest import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

Act = Callable[[], Any]
ROUNDS = 4  # of each race: the order differs from round to round


def together(*acts: Act) -> list[Any]:
    """Run the acts at the same moment, each on a connection of its own; results or KomaErrors in their order."""
    start = threading.Barrier(len(acts))
    results: list[Any] = [None] * len(acts)

    def run(index: int, action: Act) -> None:
        try:
            connection.ensure_connection()
            start.wait(20)
            results[index] = action()
        except BaseException as error:  # noqa: BLE001 - told below
            results[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(index, action)) for index, action in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    strange = [r for r in results if isinstance(r, BaseException) and not isinstance(r, KomaError)]
    assert not strange, strange
    return results


@pytest.fixture()
def race(world: World, bob: User) -> Iterator[World]:
    """The collection, of which everything must be true after the race that was true before."""
    before = {str(fault) for fault in check(world.collection, fix=True) if not fault.mended}
    yield world
    assert {str(fault) for fault in check(world.collection)} <= before


def test_two_who_add_different_tags_at_once_keep_both(race: World, alice: User, bob: User) -> None:
    for n in range(ROUNDS):
        common = {"collection": race.collection, "frames": [race.frames[0]]}
        together(
            lambda n=n, common=common: tags.add(names=[f"red_{n}", "smile"], by=alice, **common),
            lambda n=n, common=common: tags.add(names=[f"blue_{n}", "smile"], by=bob, **common),
        )
        names = set(FrameTag.objects.filter(frame=race.frames[0]).values_list("tag__name", flat=True))
        assert {f"red_{n}", f"blue_{n}", "smile"} <= names


def test_one_who_adds_and_one_who_removes_another_tag_do_not_undo_each_other(
    race: World, alice: User, bob: User
) -> None:
    tags.add(collection=race.collection, frames=[race.frames[0]], names=["hat", "coat"], by=alice)
    page = ["coat", "hat"]  # what both saw
    common = {"collection": race.collection, "frame": race.frames[0], "seen": page}
    together(
        lambda: tags.edit(new=["coat", "hat", "smile"], by=alice, **common),
        lambda: tags.edit(new=["coat"], by=bob, **common),
    )
    yes = set(FrameTag.objects.filter(frame=race.frames[0], state="yes").values_list("tag__name", flat=True))
    assert {"coat", "smile"} <= yes
    assert "hat" not in yes


def test_of_two_names_for_a_face_at_once_one_holds_and_the_other_is_reported(
    race: World, alice: User, bob: User
) -> None:
    people = [Character.objects.create(collection=race.collection, name=name) for name in ("Hinata", "Kokona")]
    for n in range(ROUNDS):
        face = Face.objects.get(pk=race.faces[n % 2].pk)
        face = faces.unname(collection=race.collection, faces=[face], by=alice) and Face.objects.get(pk=face.pk)
        common = {"collection": race.collection, "faces": [face.pk], "seen": {face.pk: face.version}}
        results = together(
            lambda common=common: faces.assign(character=people[0], by=alice, **common),
            lambda common=common: faces.assign(character=people[1], by=bob, **common),
        )
        refused = [index for index, result in enumerate(results) if isinstance(result, Conflict)]
        assert len(refused) == 1
        face.refresh_from_db()
        assert face.character_id == people[1 - refused[0]].pk
        assert face.named_user_id == (bob.pk if refused == [0] else alice.pk)


def test_a_stale_tab_renames_nothing_when_two_send_at_once(race: World, alice: User, bob: User) -> None:
    row = race.rows["character_id"]
    common = {"collection": race.collection, "character": row, "seen_version": row.version}
    results = together(
        lambda: characters.rename(name="Hinata", by=alice, **common),
        lambda: characters.rename(name="Kokona", by=bob, **common),
    )
    assert sum(isinstance(result, Conflict) for result in results) == 1
    row.refresh_from_db()
    assert row.name in ("Hinata", "Kokona")
    assert CharacterAlias.objects.filter(character=row, name="word 10").exists()


@pytest.mark.parametrize("twist", range(ROUNDS))
def test_a_merge_while_somebody_names_a_face_loses_neither(race: World, alice: User, bob: User, twist: int) -> None:
    """The name ends on the character that is left, or its sender is told where the character went."""
    source = Character.objects.create(collection=race.collection, name="Hinata A")
    target = Character.objects.create(collection=race.collection, name="Hinata")
    acts: list[Act] = [
        lambda: characters.merge(collection=race.collection, character=source, into=target, by=alice),
        lambda: faces.assign(collection=race.collection, faces=[race.faces[0]], character=source, by=bob),
        lambda: clusters.name(
            collection=race.collection, cluster=race.rows["cluster_id"], character=source, by=bob, taken_out=[]
        ),
    ]
    results = together(*(acts if twist % 2 else reversed(acts)))
    merged, *named = results if twist % 2 else results[::-1]
    assert not isinstance(merged, KomaError)
    assert not Character.objects.filter(pk=source.pk).exists()
    assert not Face.objects.filter(character_id=source.pk).exists()
    for result in named:
        if isinstance(result, KomaError):
            assert "merged into Hinata" in result.message
        else:
            assert Face.objects.filter(character=target).exists()


def test_two_merges_of_one_pair_in_both_directions_leave_one_character(race: World, alice: User, bob: User) -> None:
    """Locked in one order, so that they wait for each other instead of dying in a deadlock."""
    for n in range(ROUNDS):
        a = Character.objects.create(collection=race.collection, name=f"A{n}")
        b = Character.objects.create(collection=race.collection, name=f"B{n}")
        results = together(
            lambda a=a, b=b: characters.merge(collection=race.collection, character=a, into=b, by=alice),
            lambda a=a, b=b: characters.merge(collection=race.collection, character=b, into=a, by=bob),
        )
        assert sum(isinstance(result, KomaError) for result in results) == 1
        assert Character.objects.filter(pk__in=[a.pk, b.pk]).count() == 1


def test_answers_in_quick_succession_each_reach_their_own_face(race: World, alice: User) -> None:
    """Next, next, next: all requests are on their way at once, and each carries the face that it is about."""
    names = ["Aoi", "Hinata", "Kaede"]
    clients = [client_of(alice) for _ in names]

    def send(index: int) -> Act:
        def action() -> int:
            url = race.address("face_change", rows={"face_id": race.faces[index]})
            return clients[index].post(url, {"act": "name", "name": names[index]}).status_code

        return action

    for name in names:
        characters.create(collection=race.collection, name=name, by=alice)
    assert together(*(send(index) for index in range(3))) == [302, 302, 302]
    for face, name in zip(race.faces, names, strict=True):
        assert Face.objects.get(pk=face.pk).character.name == name


def test_undo_after_another_persons_change_leaves_that_change(race: World, alice: User, bob: User) -> None:
    who = [Character.objects.create(collection=race.collection, name=name) for name in ("Hinata", "Kokona")]
    common = {"collection": race.collection}
    faces.assign(faces=race.faces[:2], character=who[0], by=alice, **common)
    faces.assign(faces=[race.faces[0]], character=who[1], by=bob, **common)
    _, skipped, _ = history.undo_last(collection=race.collection, by=alice)
    assert skipped == 1
    assert Face.objects.get(pk=race.faces[0].pk).character_id == who[1].pk
    assert Face.objects.get(pk=race.faces[1].pk).character_id is None


def test_two_who_undo_the_same_operation_at_once_undo_it_once(race: World, alice: User) -> None:
    for n in range(ROUNDS):
        done = tags.add(collection=race.collection, frames=race.frames, names=[f"hat_{n}"], by=alice)
        results = together(
            lambda done=done: history.undo(done, by=alice), lambda done=done: history.undo(done, by=alice)
        )
        assert sum(isinstance(result, Conflict) for result in results) == 1
        assert Operation.objects.filter(undoes=done).count() == 1
        assert not FrameTag.objects.filter(tag__name=f"hat_{n}").exists()


def test_of_two_undos_of_one_person_at_once_the_second_takes_the_change_before(race: World, alice: User) -> None:
    common: dict[str, Any] = {"collection": race.collection, "by": alice}
    for n in range(ROUNDS):
        for name in (f"first_{n}", f"second_{n}"):
            tags.add(frames=race.frames, names=[name], **common)
        results = together(lambda: history.undo_last(**common), lambda: history.undo_last(**common))
        assert not [result for result in results if isinstance(result, KomaError)]
        assert not FrameTag.objects.filter(tag__name__in=[f"first_{n}", f"second_{n}"]).exists()


def test_a_run_that_works_while_a_person_decides_overwrites_nothing(race: World, alice: User, settings: Any) -> None:
    """A detector that finds none of the faces would take them all away; those that a person speaks of stay."""
    write_graph(settings.KOMA_MODELS_DIR)
    settings.PIPELINE_STAGES = ["annotate.stages.detect.Detect"]
    registry.stages.cache_clear()
    person = Character.objects.create(collection=race.collection, name="Hinata")
    run = runs.start(
        collection=race.collection, episodes=[race.rows["episode_id"]], by=None, params={"detect": {"model": "tiny"}}
    )
    common = {"collection": race.collection, "by": alice}
    try:
        done, *others = together(
            lambda: runs.run_here(run),
            lambda: faces.not_a_face(faces=[race.faces[0]], **common),
            lambda: faces.assign(faces=[race.faces[1]], character=person, **common),
        )
    finally:
        registry.stages.cache_clear()
    assert done.state == "done", done.stages.get().error
    before = {face.pk: face for face in Face.objects.filter(pk__in=[face.pk for face in race.faces])}
    for face, result in zip(race.faces, others, strict=False):
        # Either the person was first and the face stays, or the person is told that it is gone.
        assert (face.pk in before) != isinstance(result, Conflict)
        assert face.pk not in before or before[face.pk].named_by == NamedBy.PERSON
    assert race.faces[2].pk not in before


@pytest.mark.parametrize("name", ["frames_change", "faces_change", "cluster_change"])
def test_a_form_sent_twice_at_once_is_done_once(race: World, alice: User, name: str) -> None:
    data = {"frame": race.frames[0].pk, "tag": "smile", "face": race.faces[0].pk, "name": "Hinata", "key": "once"}
    data["act"] = "tag_add" if name == "frames_change" else "name"
    characters.create(collection=race.collection, name="Hinata", by=alice)
    before = Operation.objects.count()
    clients = [client_of(alice), client_of(alice), client_of(alice)]
    htmx = {"HX-Request": "true"}
    codes = together(
        *(lambda c=c: c.post(race.address(name), data, headers=htmx).status_code for c in clients)  # type: ignore[misc]
    )
    assert sorted(codes) == [200, 204, 204]  # done once; the others are told kindly
    assert Operation.objects.count() == before + 1


def test_two_who_open_one_invitation_at_once_are_one_member(race: World, alice: User) -> None:
    for n in range(ROUNDS):
        _, token = members.invite(collection=race.collection, role=Role.REVIEWER, by=alice, by_role=Role.ADMIN)
        before = Membership.objects.count()
        results = together(
            lambda n=n, token=token: members.sign_up(token=token, name=f"eve{n}", password="correct horse 7 battery"),
            lambda n=n, token=token: members.sign_up(token=token, name=f"dan{n}", password="correct horse 7 battery"),
        )
        assert sum(isinstance(result, KomaError) for result in results) == 1
        assert Membership.objects.count() == before + 1
        assert User.objects.filter(username__in=[f"eve{n}", f"dan{n}"]).count() == 1


def test_two_admins_who_leave_at_once_leave_one_admin(race: World, alice: User, bob: User) -> None:
    Membership.objects.filter(collection=race.collection, user=bob).update(role=Role.ADMIN)
    rows = {row.user_id: row for row in race.collection.memberships.select_related("collection", "user")}
    results = together(
        lambda: members.remove(member=rows[alice.pk], by=alice, by_role=Role.ADMIN),
        lambda: members.remove(member=rows[bob.pk], by=bob, by_role=Role.ADMIN),
    )
    assert sum(isinstance(result, Conflict) for result in results) == 1
    assert Membership.objects.filter(collection=race.collection, role=Role.ADMIN).count() == 1


def test_who_changes_the_role_of_somebody_who_was_taken_out_meanwhile_is_reported(
    race: World, alice: User, bob: User
) -> None:
    row = race.collection.memberships.select_related("collection", "user").get(user=bob)
    stale = race.collection.memberships.select_related("collection", "user").get(user=bob)
    members.remove(member=row, by=alice, by_role=Role.ADMIN)
    with pytest.raises(Conflict, match="no longer a member"):
        members.change_role(member=stale, role=Role.LEAD, by=alice, by_role=Role.ADMIN)
    with pytest.raises(Conflict, match="no longer a member"):
        members.remove(member=stale, by=alice, by_role=Role.ADMIN)


def test_two_who_create_one_character_at_once_make_one(race: World, alice: User, bob: User) -> None:
    results = together(
        lambda: characters.create(collection=race.collection, name="Aoi", by=alice),
        lambda: characters.create(collection=race.collection, name="Aoi", by=bob),
    )
    assert sum(isinstance(result, KomaError) for result in results) <= 1
    assert Character.objects.filter(collection=race.collection, name="Aoi").count() == 1


def test_two_who_name_faces_by_one_new_name_at_once_both_succeed(race: World, alice: User) -> None:
    """The name is made once, whoever is first; nobody sees an error."""
    for n in range(ROUNDS):
        clients = [client_of(alice), client_of(alice)]
        codes = together(
            *(
                lambda index=index, n=n, clients=clients: clients[index]
                .post(
                    race.address("face_change", rows={"face_id": race.faces[index]}),
                    {"act": "name", "name": f"New {n}"}, headers={"HX-Request": "true"},
                )
                .status_code
                for index in range(2)
            )
        )  # fmt: skip
        assert codes == [200, 200]
        assert Character.objects.get(name=f"New {n}").faces.count() == 2


def test_two_who_split_one_cluster_at_once_make_two_or_one_is_reported(race: World, alice: User, bob: User) -> None:
    common = {"collection": race.collection, "cluster": race.rows["cluster_id"]}
    results = together(
        lambda: clusters.split(faces=[race.faces[0].pk], by=alice, **common),
        lambda: clusters.split(faces=[race.faces[1].pk], by=bob, **common),
    )
    successes = [result for result in results if not isinstance(result, KomaError)]
    assert successes
    assert len({row.number for row in successes}) == len(successes)
