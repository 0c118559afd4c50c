"""Configuration of the app export."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.apps import AppConfig
from django.db import transaction
from django.db.models.signals import post_delete


class ExportConfig(AppConfig):
    """Datasets out: recipes, folders, captions, balance."""

    name = "export"

    def ready(self) -> None:
        """Say what goes with an export that is deleted, be it with its collection."""
        post_delete.connect(_forget_unfinished, sender="export.ExportJob", dispatch_uid="koma.exports")


def _forget_unfinished(sender: Any, instance: Any, **_: Any) -> None:
    from export.actions import jobs

    transaction.on_commit(partial(jobs.remove_unfinished, instance.pk))
