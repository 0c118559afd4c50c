"""Who may make collections, library folders, quotas and everybody's uploads: what admins of the site decide."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from ingest.actions import collections, limits, members, runs, sources, uploads
from ingest.actions.members import NoInvitation
from ingest.errors import BadInput
from ingest.models import (
    Collection,
    CollectionLimits,
    Episode,
    EpisodeSize,
    Frame,
    Membership,
    PersonLimits,
    Role,
    StageRun,
    Upload,
)
from ingest.pipeline.runner import execute
from ingest.storage import quota
from ingest.storage.quota import OverQuota
from tests.conftest import client_of, make_user
from tests.films import film, png, zipped
from tests.migrating import tables_of
from tests.pages import html_of

pytestmark = pytest.mark.django_db


def role(user: User, collection: Collection, value: Role) -> None:
    Membership.objects.update_or_create(user=user, collection=collection, defaults={"role": value})


# --- Making collections -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("has", "says", "may"),
    [(None, None, False), (Role.VIEWER, None, False), (Role.REVIEWER, None, False), (Role.LEAD, None, True),
     (Role.ADMIN, None, True), (None, True, True), (Role.ADMIN, False, False)],
)  # fmt: skip
def test_collections_are_made_by_leads_or_as_an_admin_of_the_site_says(
    collection: Collection, charlie: User, as_charlie: Client, has: Role | None, says: bool | None, may: bool
) -> None:
    if has is not None:
        role(charlie, collection, has)
    if says is not None:
        PersonLimits.objects.create(user=charlie, may_create=says)
    assert ("New collection" in html_of(as_charlie.get("/"))) is may
    answer = as_charlie.post("/", {"name": "Mine"})
    assert answer.status_code == (302 if may else 403)
    assert Collection.objects.filter(name="Mine").exists() is may


def test_an_admin_of_the_site_says_who_may(as_alice: Client, charlie: User, as_charlie: Client) -> None:
    page = html_of(as_alice.get("/site/people/"))
    assert "charlie" in page
    url = f"/site/people/{charlie.pk}/"
    assert as_alice.post(url, {"may_create": "yes", "bytes_max": "20 GB", "pictures_max": "10,000"}).status_code == 302
    limits = PersonLimits.objects.get(user=charlie)
    assert (limits.may_create, limits.bytes_max, limits.pictures_max) == (True, 20 * 10**9, 10_000)
    assert 'value="20G"' in html_of(as_alice.get("/site/people/"))
    assert as_charlie.post("/", {"name": "Mine"}).status_code == 302
    for bad in (
        {"may_create": "perhaps"},
        {"bytes_max": "much"},
        {"pictures_max": "-1"},
        {"bytes_max": "9" * 15 + "T"},
    ):
        as_alice.post(url, bad)
        limits.refresh_from_db()
        assert limits.may_create is True


def test_the_pages_are_for_admins_of_the_site(collection: Collection, bob: User, as_bob: Client) -> None:
    role(bob, collection, Role.ADMIN)
    for path in ("people/", f"people/{bob.pk}/", "collections/", f"collections/{collection.pk}/", "uploads/",
                 "uploads/1/discard/"):  # fmt: skip
        for verb in ("get", "post"):
            assert getattr(as_bob, verb)(f"/site/{path}", {"may_create": "yes"}).status_code == 403, path
            assert getattr(Client(), verb)(f"/site/{path}").status_code == 302
    assert not PersonLimits.objects.exists()


# --- Invitations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("becomes", [None, Role.REVIEWER, Role.LEAD])
def test_a_link_gives_no_more_than_its_maker_could_give_today(
    collection: Collection, alice: User, bob: User, charlie: User, becomes: Role | None
) -> None:
    role(bob, collection, Role.ADMIN)
    _, token = members.invite(collection=collection, role=Role.ADMIN, by=bob, by_role=Role.ADMIN)
    _, lesser = members.invite(collection=collection, role=Role.VIEWER, by=bob, by_role=Role.ADMIN)
    if becomes is None:
        Membership.objects.get(collection=collection, user=bob).delete()
    else:
        role(bob, collection, becomes)
    with pytest.raises(NoInvitation):
        members.accept(token=token, user=charlie)
    assert not Membership.objects.filter(user=charlie).exists()
    if becomes is Role.LEAD:  # who still may invite viewers
        assert members.accept(token=lesser, user=charlie).role == Role.VIEWER
    else:
        with pytest.raises(NoInvitation):
            members.accept(token=lesser, user=charlie)


# --- Library folders --------------------------------------------------------------------------------------------------


@pytest.fixture()
def library(tmp_path: Path, settings: Any) -> list[Path]:
    folders = [tmp_path / "shows", tmp_path / "private"]
    for folder in folders:
        folder.mkdir()
        film(folder / f"{folder.name} - 01.mkv")
    settings.KOMA_LIBRARY_DIRS = folders
    return folders


def test_a_collection_sees_the_library_folders_that_it_was_given(
    collection: Collection, as_alice: Client, bob: User, as_bob: Client, library: list[Path]
) -> None:
    role(bob, collection, Role.LEAD)
    url = f"/c/{collection.pk}/add/library/"
    before = html_of(as_bob.get(url))
    assert "shows - 01" not in before and "No library folder" in before
    assert "Choose from the library" not in html_of(as_bob.get(f"/c/{collection.pk}/add/"))
    as_bob.post(url, {"root": 0, "entry": "shows - 01.mkv"})
    assert not Episode.objects.exists()
    as_alice.post(f"/site/collections/{collection.pk}/", {"folders": "chosen", "folder": str(library[0])})
    assert "shows - 01" in html_of(as_bob.get(url))
    assert as_bob.get(url, {"root": 1}).status_code == 404
    assert "private" not in html_of(as_bob.get(url))
    as_bob.post(url, {"root": 1, "entry": "private - 01.mkv"})
    assert not Episode.objects.exists()
    as_bob.post(url, {"root": 0, "entry": "shows - 01.mkv"})
    assert Episode.objects.count() == 1
    as_alice.post(f"/site/collections/{collection.pk}/", {"folders": "all"})
    assert "private - 01" in html_of(as_bob.get(url, {"root": 1}))


def test_only_collections_of_the_sites_admins_begin_with_the_library(alice: User, bob: User) -> None:
    assert collections.create(name="a", by=alice).limits.all_folders
    assert not collections.create(name="b", by=bob).limits.all_folders


def test_a_folder_that_is_none_is_not_given(collection: Collection, as_alice: Client, library: list[Path]) -> None:
    as_alice.post(f"/site/collections/{collection.pk}/", {"folders": "chosen", "folder": "/etc"})
    assert not CollectionLimits.objects.filter(collection=collection).exists()


@pytest.mark.django_db(transaction=True)
def test_collections_of_the_release_before_keep_the_library() -> None:
    with tables_of(("ingest", "0012_passed_operations")) as old:
        old_collection = old.get_model("ingest", "Collection").objects.create(name="Old show")
    assert Collection.objects.get(pk=old_collection.pk).limits.all_folders


# --- Quotas -----------------------------------------------------------------------------------------------------------


def limit(collection: Collection, **values: Any) -> None:
    CollectionLimits.objects.update_or_create(collection=collection, defaults=values)


def test_an_upload_over_a_quota_is_refused_before_a_byte_is_sent(
    collection: Collection, bob: User, as_bob: Client, settings: Any
) -> None:
    role(bob, collection, Role.LEAD)
    url, ask = f"/c/{collection.pk}/add/uploads/", {"name": "a.mkv", "size": 600_000, "key": "one"}
    limit(collection, bytes_max=1_000_000)
    assert as_bob.post(url, ask).status_code == 200
    second = as_bob.post(url, ask | {"key": "two"})
    assert second.status_code == 507
    assert "Tiny show has 600 kB of 1.0 MB in use; 600 kB more don't fit" in second.json()["error"]
    limit(collection, bytes_max=0)  # none
    assert as_bob.post(url, ask | {"key": "two"}).status_code == 200
    settings.KOMA_QUOTA_PERSON_BYTES = 1_500_000
    third = as_bob.post(url, ask | {"key": "three"})
    assert third.status_code == 507 and "bob has 1.2 MB of 1.5 MB" in third.json()["error"]
    PersonLimits.objects.create(user=bob, bytes_max=0)
    assert as_bob.post(url, ask | {"key": "three"}).status_code == 200


def test_pictures_over_a_quota_are_refused_when_they_are_added(
    collection: Collection, alice: User, bob: User, tmp_path: Path
) -> None:
    limit(collection, pictures_max=2)
    pack = zipped(tmp_path / "art.zip", {f"{n}.png": png(shade=n) for n in range(3)})
    with pytest.raises(OverQuota, match="0 of 2 pictures; 3 more don't fit"):
        sources.register(collection=collection, path=pack, by=alice)
    assert not Episode.objects.exists()
    limit(collection, pictures_max=3)
    sources.register(collection=collection, path=pack, by=alice)


def extract(episode: Episode, by: User) -> StageRun:
    run = runs.start(collection=episode.collection, episodes=[episode], by=by, stage_names=["extract"])
    row = StageRun.objects.get(run=run)
    StageRun.objects.filter(pk=row.pk).update(state="queued")
    execute(row.pk)
    row.refresh_from_db()
    return row


def test_a_run_stops_at_the_quota_and_says_so(collection: Collection, alice: User, tmp_path: Path) -> None:
    episode = sources.register(collection=collection, path=film(tmp_path / "Show - 01.mkv", seconds=4), by=alice)
    limit(collection, bytes_max=1000)
    row = extract(episode, alice)
    assert row.state == "failed"
    assert "The collection Tiny show has" in row.error and "more don't fit" in row.error
    assert not Frame.objects.exists()
    limit(collection, bytes_max=10**9)
    assert extract(episode, alice).state == "done"
    quota.measure_changed()
    used = quota.of_collection(collection)
    assert used.pictures == Frame.objects.count() > 0
    assert used.bytes == quota.size_of(episode) > 1000
    assert quota.of_person(alice).bytes == used.bytes
    # The same film once more writes the same pictures: that needs no more room.
    limit(collection, bytes_max=used.bytes + 10)
    Episode.objects.update(extracted_at=None)
    assert extract(episode, alice).state == "done"


def test_a_measurement_that_dies_or_is_overtaken_is_made_again(
    collection: Collection, alice: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    episode = sources.register(collection=collection, path=film(tmp_path / "Show - 01.mkv", seconds=4), by=alice)
    assert extract(episode, alice).state == "done"
    measure = quota.size_of

    def die(episode: Episode) -> int:
        raise KeyboardInterrupt

    def overtaken(episode: Episode) -> int:
        size = measure(episode)
        quota.mark_changed(episode)  # another worker writes meanwhile
        return size - 1

    for size_of in (die, overtaken):
        monkeypatch.setattr(quota, "size_of", size_of)
        with suppress(KeyboardInterrupt):
            quota.measure_changed()
        assert EpisodeSize.objects.get(episode=episode).stale
    monkeypatch.setattr(quota, "size_of", measure)
    assert quota.measure_changed() == 1
    assert EpisodeSize.objects.get(episode=episode).bytes == measure(episode) > 1000
    assert quota.measure_changed() == 0


def test_usage_is_shown(collection: Collection, as_alice: Client) -> None:
    limit(collection, bytes_max=5_000_000_000, pictures_max=1234)
    settings_page = html_of(as_alice.get(f"/c/{collection.pk}/settings/"))
    assert "of 5.0 GB" in settings_page and "of 1,234 pictures" in settings_page
    assert "of 1,234 pictures" in html_of(as_alice.get("/site/collections/"))


# --- Uploads of everybody ---------------------------------------------------------------------------------------------


def test_admins_of_the_site_see_and_discard_every_upload(
    collection: Collection, as_alice: Client, bob: User, as_bob: Client
) -> None:
    role(bob, collection, Role.LEAD)
    as_bob.post(f"/c/{collection.pk}/add/uploads/", {"name": "<b>.mkv", "size": 600_000, "key": "one"})
    page = html_of(as_alice.get("/site/uploads/"))
    assert "&lt;b&gt;.mkv" in page and "bob to Tiny show" in page and "600 kB reserved" in page
    as_alice.post(f"/site/uploads/{Upload.objects.get().pk}/discard/")
    assert not Upload.objects.exists()


def test_sizes_are_read_and_written_the_same() -> None:
    for text, size in (("500M", 500 * 10**6), ("20 gb", 20 * 10**9), ("2TB", 2 * 10**12), ("0", 0), ("1023", 1023)):
        assert limits.size_from(text) == size
        assert limits.size_from(limits.size_text(size)) == size
    assert limits.size_from(" ") is None and limits.size_text(None) == ""
    for bad in ("-1", "1.5G", "G", "20Q", "９G", "2TiB"):
        with pytest.raises(BadInput):
            limits.size_from(bad)


def test_a_collection_that_is_restored_gets_no_library_from_its_backup(
    collection: Collection, bob: User, tmp_path: Path
) -> None:
    from ingest.backup.read import restore
    from ingest.backup.write import write

    limit(collection, all_folders=True, bytes_max=5)
    write(collection=collection, target=tmp_path / "b.zip")
    back = restore(source=tmp_path / "b.zip", owner=bob)
    assert not back.collection.limits.all_folders
    assert back.collection.limits.bytes_max is None


def test_a_persons_usage_is_theirs_alone(collection: Collection) -> None:
    """Usage counts what a person added anywhere, and nobody else's."""
    other = make_user("other")
    role(other, collection, Role.LEAD)
    client = client_of(other)
    client.post(f"/c/{collection.pk}/add/uploads/", {"name": "a.mkv", "size": 5000, "key": "one"})
    assert quota.of_person(other).bytes == 5000
    assert quota.of_person(User.objects.get(username="bob")).bytes == 0
    uploads.discard(upload=Upload.objects.get())
    assert quota.of_person(other).bytes == 0
