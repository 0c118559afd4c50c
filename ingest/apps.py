"""Wiring of the app ingest."""

from __future__ import annotations

import cv2
from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_migrate, pre_migrate

from ingest.imaging import room


class IngestConfig(AppConfig):
    """Pixels in: collections, sources, frames, the run engine and the history."""

    name = "ingest"

    def ready(self) -> None:
        """One thread for OpenCV, before anything uses it and before a worker forks.

        Koma runs processes in parallel, and decoders have their own threads: distributing a tenth of a millisecond of
        work costs more than the work. Set later, in a fork of a process with running threads, it would hang.
        """
        cv2.setNumThreads(1)
        room.configure(room.Budget(str(settings.KOMA_DATA_DIR / "locks")))
        from ingest import counting, frame_counts

        counting.register(frame_counts.FRAMES)
        # Django's own hooks around `migrate` and `flush`; nothing else in Koma listens to signals.
        pre_migrate.connect(counting.before_migrate, sender=self, dispatch_uid="koma.counts")
        post_migrate.connect(counting.after_migrate, sender=self, dispatch_uid="koma.counts")
