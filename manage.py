#!/usr/bin/env python
"""Django's command line for Koma."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run one management command, or say in one line which setting is wrong; the data folder is closed first."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    try:
        from django.conf import settings
        from django.core.management import execute_from_command_line
    except ImportError as missing:
        sys.exit(f"{missing}. Run this with the Python of the folder .venv (`make install` makes it).")
    from project import private
    from project.env import SettingError

    try:
        for problem in private.close_folder(settings.KOMA_DATA_DIR):
            print(problem, file=sys.stderr, flush=True)
        execute_from_command_line(sys.argv)
    except SettingError as wrong:
        sys.exit(f"Koma cannot start: {wrong}")


if __name__ == "__main__":
    main()
