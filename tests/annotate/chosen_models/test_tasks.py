"""A task of models is one row: pages, choices and defaults follow from its fields."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotate.chosen_models.choices import choose, chosen_all, offered
from annotate.chosen_models.tasks import FIRST, NONE, TASKS, Task, tasks_with
from ingest.errors import BadInput
from ingest.models import Collection

DEPTH = Task(
    name="depth",
    label="Depth",
    about="Tells near from far.",
    default=FIRST,
    default_text="flat, which is always there",
    fallback=lambda: ["flat"],
    always_there=lambda: ["flat", "hilly"],
    side_by_side=True,
    whole_pictures=True,
    answers="scores",
)


@pytest.fixture
def depth(monkeypatch: pytest.MonkeyPatch) -> Task:
    monkeypatch.setitem(TASKS, DEPTH.name, DEPTH)
    return DEPTH


def test_the_fields_say_where_a_task_belongs(depth: Task) -> None:
    assert tasks_with(answers="boxes") == ("boxes", "text")
    assert tasks_with(whole_pictures=True)[-1] == "depth"
    assert tasks_with(answers="scores") == ("tags", "class", "depth")


@pytest.mark.django_db
def test_models_of_a_new_task_are_chosen_by_its_rules(depth: Task, collection: Collection, alice: User) -> None:
    assert offered("depth") == ["flat", "hilly"]
    assert chosen_all(collection, "depth") == ("flat",)
    assert choose(collection=collection, task="depth", names=["hilly", "flat"], by=alice) == ("flat", "hilly")
    assert choose(collection=collection, task="depth", names=[NONE], by=alice) == ()
    with pytest.raises(BadInput, match="Depth: there is no model 'steep'"):
        choose(collection=collection, task="depth", names=["steep"], by=alice)


@pytest.mark.django_db
def test_the_pages_show_a_new_task_with_its_words(
    depth: Task, collection: Collection, as_alice: Client, admin_client: Client
) -> None:
    page = as_alice.get(reverse("collection_models", args=[collection.pk])).content.decode()
    assert "Tells near from far." in page
    assert "flat, which is always there" in page
    assert "Depth" in admin_client.get(reverse("models")).content.decode()
