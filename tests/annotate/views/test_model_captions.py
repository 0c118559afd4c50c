"""A model's caption on the frame's page: hostile text stays text, a reviewer takes it over, a viewer only reads it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import Caption, ModelCaption, ModelVersion
from ingest.models import Membership, Role
from tests.annotate.views.conftest import Show
from tests.pages import html_of

pytestmark = pytest.mark.django_db
EVIL = '<script>alert(1)</script> {{ settings.SECRET_KEY }} "quoted" </textarea>'


@pytest.fixture
def told(show: Show) -> ModelCaption:
    version = ModelVersion.objects.create(task="caption", name="tiny-vl", revision="sentences 12345678")
    return ModelCaption.objects.create(
        frame=show.frames[0], model_version=version, text=EVIL, asked="0" * 64, written_at=timezone.now()
    )


@pytest.fixture
def as_viewer(client: Client, show: Show, django_user_model: type[User]) -> Client:
    user = django_user_model.objects.create_user("vera", password="x")
    Membership.objects.create(collection=show.collection, user=user, role=Role.VIEWER)
    client.force_login(user)
    return client


def page(client: Client, show: Show) -> str:
    return html_of(client.get(reverse("frame", args=[show.collection.pk, show.frames[0].pk])))


def take(client: Client, show: Show, key: object, frame: int = 0) -> int:
    address = reverse("caption_change", args=[show.collection.pk, show.frames[frame].pk])
    return client.post(address, {"take": key}).status_code


def test_the_models_words_are_shown_with_their_origin_and_only_as_text(
    show: Show, told: ModelCaption, as_bob: Client, as_viewer: Client
) -> None:
    for client in (as_bob, as_viewer):
        html = page(client, show)
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ settings.SECRET_KEY }}" in html
        assert 'title="tiny-vl sentences 12345678"' in html
    assert "Use this caption" in page(as_bob, show)
    assert "Use this caption" not in page(as_viewer, show)


def test_a_reviewer_takes_it_over_as_a_persons_caption_that_can_be_undone(
    show: Show, told: ModelCaption, as_bob: Client, bob: User
) -> None:
    assert take(as_bob, show, told.pk) == 302
    row = Caption.objects.get(frame=show.frames[0])
    assert (row.text, row.by) == (" ".join(EVIL.split()), bob)
    assert ModelCaption.objects.filter(pk=told.pk).exists()
    assert "</textarea> </textarea>" not in page(as_bob, show)


def test_captions_of_other_frames_and_nonsense_are_not_taken(
    show: Show, told: ModelCaption, as_bob: Client, as_viewer: Client, as_charlie: Client
) -> None:
    assert take(as_bob, show, told.pk, frame=1) == 404
    assert take(as_bob, show, "x") == 404
    assert take(as_viewer, show, told.pk) == 403
    assert take(as_charlie, show, told.pk) == 404
    assert not Caption.objects.exists()


def test_described_frames_can_be_filtered(show: Show, told: ModelCaption, as_bob: Client) -> None:
    address = reverse("frames", args=[show.collection.pk])
    assert f"/frames/{show.frames[0].pk}/" in html_of(as_bob.get(address, {"q": "is:described"}))
    assert f"/frames/{show.frames[1].pk}/" not in html_of(as_bob.get(address, {"q": "is:described"}))
    assert f"/frames/{show.frames[1].pk}/" in html_of(as_bob.get(address, {"q": "-is:described"}))
