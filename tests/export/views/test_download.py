"""The zip goes on where a broken download stopped, and only to members."""

from __future__ import annotations

import hashlib

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from export.actions import jobs
from export.algorithms.recipe import parse
from export.build import export_job
from export.models import ExportJob
from tests.export.conftest import Show

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(show: Show, alice: User) -> ExportJob:
    started = jobs.start(collection=show.collection, recipe=parse({}), name="Größe 花", by=alice)
    export_job.execute(started.pk)
    started.refresh_from_db()
    return started


def body(response: object) -> bytes:
    return b"".join(response.streaming_content)  # type: ignore[attr-defined]


def path_of(job: ExportJob) -> str:
    return reverse("export_download", args=[job.collection_id, job.pk])


def test_parts_of_the_zip_put_together_are_the_zip(job: ExportJob, as_bob: Client) -> None:
    complete = jobs.inside_exports(job.zip_file).read_bytes()

    first = as_bob.get(path_of(job))
    assert first.status_code == 200
    assert body(first) == complete
    assert first.headers["Accept-Ranges"] == "bytes"
    assert "filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%E8%8A%B1" in first.headers["Content-Disposition"]

    start = as_bob.get(path_of(job), headers={"Range": "bytes=0-999"})
    rest = as_bob.get(path_of(job), headers={"Range": "bytes=1000-", "If-Range": start.headers["ETag"]})
    assert (start.status_code, rest.status_code) == (206, 206)
    assert start.headers["Content-Range"] == f"bytes 0-999/{len(complete)}"
    assert hashlib.sha256(body(start) + body(rest)).digest() == hashlib.sha256(complete).digest()


def test_the_last_bytes_and_ranges_over_the_end(job: ExportJob, as_bob: Client) -> None:
    complete = jobs.inside_exports(job.zip_file).read_bytes()

    assert body(as_bob.get(path_of(job), headers={"Range": "bytes=-10"})) == complete[-10:]
    assert (
        body(as_bob.get(path_of(job), headers={"Range": f"bytes={len(complete) - 1}-{len(complete) + 50}"}))
        == complete[-1:]
    )
    beyond = as_bob.get(path_of(job), headers={"Range": f"bytes={len(complete)}-"})
    assert beyond.status_code == 416
    assert beyond.headers["Content-Range"] == f"bytes */{len(complete)}"
    assert as_bob.get(path_of(job), headers={"Range": "bytes=-0"}).status_code == 416
    assert as_bob.get(path_of(job), headers={"Range": "bytes=5-2"}).status_code == 416


def test_a_changed_zip_is_sent_whole_and_an_unchanged_one_not_again(job: ExportJob, as_bob: Client) -> None:
    etag = as_bob.head(path_of(job)).headers["ETag"]

    assert as_bob.get(path_of(job), headers={"If-None-Match": etag}).status_code == 304
    assert as_bob.get(path_of(job), headers={"Range": "bytes=5-", "If-Range": '"other"'}).status_code == 200
    assert as_bob.get(path_of(job), headers={"Range": "lines=1-2"}).status_code == 200
    assert as_bob.get(path_of(job), headers={"Range": f"bytes={'9' * 5000}-"}).status_code == 200


def test_strangers_never_learn_that_a_zip_exists(job: ExportJob, as_charlie: Client, client: Client) -> None:
    assert as_charlie.get(path_of(job)).status_code == 404
    assert client.get(path_of(job)).status_code == 302


def test_a_zip_that_is_gone_is_404(job: ExportJob, as_bob: Client) -> None:
    jobs.inside_exports(job.zip_file).unlink()

    assert as_bob.get(path_of(job)).status_code == 404
