"""`python -m project.serve.web`: bring the tables up to date, then become the web server (for containers)."""

from __future__ import annotations

import os
import sys

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from project import private
from project.env import SettingError
from project.serve.launcher import gunicorn_command


def main() -> None:
    """Never returns but for a wrong setting: the process becomes gunicorn."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    try:
        django.setup()
        for problem in private.close_folder(settings.KOMA_DATA_DIR):
            print(problem, file=sys.stderr, flush=True)
        call_command("migrate", interactive=False, verbosity=1)
    except SettingError as wrong:
        sys.exit(f"Koma cannot start: {wrong}")
    connections.close_all()
    command = gunicorn_command(settings.KOMA_BIND, settings.KOMA_PORT, settings.KOMA_WEB_WORKERS)
    os.execv(command[0], command)  # noqa: S606 - a list of our own


if __name__ == "__main__":
    main()
