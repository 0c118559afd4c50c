"""Static files as the site serves them, listed once per process as there: each test makes test clients of its own."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from whitenoise.middleware import WhiteNoiseMiddleware


class ListedOnce(WhiteNoiseMiddleware):
    """WhiteNoise that keeps its list of files for the next one with the same settings."""

    lists: ClassVar[dict[Any, dict[str, Any]]] = {}

    def add_files_from_finders(self) -> None:
        key = (self.static_prefix, self.max_age, getattr(settings, "WHITENOISE_IMMUTABLE_FILE_TEST", None))
        if key not in self.lists:
            super().add_files_from_finders()
            self.lists[key] = self.files
        self.files = self.lists[key]
