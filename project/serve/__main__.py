"""`python -m project.serve`: start Koma on this machine (`make demo`)."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import django

from project.env import SettingError


def main() -> int:
    """Return the exit code; a problem that a person can mend is one message, no traceback."""
    parser = argparse.ArgumentParser(prog="python -m project.serve", description="Start Koma on this machine.")
    parser.add_argument("--no-demo", action="store_true", help="do not draw the demo episode, even into an empty one")
    demo = not parser.parse_args().no_demo
    os.chdir(Path(__file__).resolve().parents[2])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    try:
        django.setup()
        from project.serve.launcher import Launcher, LaunchProblem
        from project.serve.redis_server import RedisProblem
    except SettingError as wrong:
        print(f"Koma cannot start: {wrong}", file=sys.stderr)
        return 2
    try:
        return Launcher(with_demo=demo).run()
    except (LaunchProblem, RedisProblem) as problem:
        print(f"Koma cannot start: {problem}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
