"""Forms that were sent a while ago: nobody sends them a second time any more."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from ingest import alive
from ingest.models import SentForm

KEEP = timedelta(days=2)


def tidy() -> int:
    """Delete what was sent before KEEP, and the files of processes that ended; returns the number of forms."""
    alive.tidy()
    return SentForm.objects.filter(at__lt=timezone.now() - KEEP).delete()[0]
