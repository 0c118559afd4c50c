"""Settings of a real site whose forms hang in the middle, before anything is written, until a file says go on."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from django.apps import AppConfig

from project.settings import *  # noqa: F403
from project.settings import INSTALLED_APPS

FOLDER = Path(os.environ["KOMA_DATA_DIR"])
INSTALLED_APPS = [*INSTALLED_APPS, "tests.safety.slow_site.Slow"]


class Slow(AppConfig):
    name = "tests.safety"
    label = "slow_site"

    def ready(self) -> None:
        from annotate.actions import captions, characters

        characters.create = hangs(characters.create)
        captions.write = hangs(captions.write)


def hangs(action: Any) -> Any:
    def hanging(**options: Any) -> Any:
        (FOLDER / "begun").touch()
        while not (FOLDER / "go").exists():
            time.sleep(0.05)
        return action(**options)

    return hanging
