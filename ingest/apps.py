"""Wiring of the app ingest."""

from __future__ import annotations

import cv2
from django.apps import AppConfig


class IngestConfig(AppConfig):
    """Pixels in: collections, sources, frames, the run engine and the history."""

    name = "ingest"

    def ready(self) -> None:
        """One thread for OpenCV, before anything uses it and before a worker forks.

        Koma is parallel by processes, and decoders have threads of their own: sharing out a tenth of a millisecond of
        work costs more than the work. Told later, in a fork of a process whose threads it had begun, it waits for ever.
        """
        cv2.setNumThreads(1)
