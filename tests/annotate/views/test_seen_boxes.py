"""The frame page shows what chosen models saw, by kind, and nothing where they were not asked."""

from __future__ import annotations

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from annotate.algorithms.packing import pack_boxes, pack_classes
from annotate.models import ModelAnswer, ModelLabels, ModelVersion
from annotate.views.seen_boxes import seen_in
from tests.annotate.views.conftest import Show
from tests.pages import html_of

pytestmark = pytest.mark.django_db


def answer(show: Show, data: bytes, *names: str, model: str = "person_detect", revision: str = "1") -> ModelVersion:
    version = ModelVersion.objects.create(task="boxes", name=model, revision=revision)
    ModelLabels.objects.create(model_version=version, rows=[[name, "object"] for name in names])
    ModelAnswer.objects.create(model_version=version, frame=show.frames[0], data=data)
    return version


def two_persons() -> bytes:
    boxes = np.array([[0.1, 0.02, 0.3, 0.5], [0.5, 0.2, 0.9, 1.0], [0.0, 0.0, 0.1, 0.1]], np.float32)
    return pack_boxes(boxes, np.array([0.5, 0.75, 0.5], np.float32), np.array([0, 0, 1]))


def page(client: Client, show: Show) -> str:
    return html_of(client.get(reverse("frame", args=[show.collection.pk, show.frames[0].pk])))


def test_boxes_are_placed_in_percent_best_first(show: Show) -> None:
    answer(show, two_persons(), "person", "head")
    persons, heads = seen_in(show.frames[0])
    assert (persons.name, persons.names, persons.model, len(persons.boxes)) == ("person", "persons", "person_detect", 2)
    best = persons.boxes[0]
    assert (best.left, best.top, best.width, best.height) == pytest.approx((50, 20, 40, 80), abs=0.01)
    assert best.score == pytest.approx(0.75, abs=1e-4) and heads.number == 1


def test_the_page_shows_them_with_a_legend_and_a_key(as_bob: Client, show: Show) -> None:
    answer(show, two_persons(), "person", "head")
    html = page(as_bob, show)
    assert html.count('<i class="seen seen-0') == 2 and html.count('<i class="seen seen-1') == 1
    assert 'data-key="m"' in html and "2 persons" in html and "1 head" in html


def test_without_answers_there_is_no_legend(as_bob: Client, show: Show) -> None:
    html = page(as_bob, show)
    assert "seen-legend" not in html and 'class="seen' not in html


def test_of_two_versions_the_newest_counts_and_other_bytes_are_left_out(show: Show) -> None:
    answer(show, two_persons(), "person", "head")
    answer(show, pack_boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32)), "person", revision="2")
    answer(show, pack_classes(np.zeros(3, np.float32)), "x", model="damaged")
    assert seen_in(show.frames[0]) == []


def test_hostile_names_stay_text(as_bob: Client, show: Show) -> None:
    answer(show, two_persons(), "<script>alert(1)</script>", model="<b>")
    html = page(as_bob, show)
    assert "<script>alert" not in html and "&lt;script&gt;alert(1)" in html and "kind 1" in html
