"""python -m demo_film OUT.mp4 [--seed N] [--seconds S] [--size WxH]: draws an episode and its truth."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from demo_film.film import draw_episode


def main(arguments: list[str] | None = None) -> int:
    """Draw the film named on the command line. Returns 0, or 2 after printing an error."""
    parser = argparse.ArgumentParser(prog="python -m demo_film", description="Draw an episode and its ground truth.")
    parser.add_argument("out", type=Path, help="the MP4 to write; NAME.truth.json is written next to it")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives another cast and story (default 1)")
    parser.add_argument("--seconds", type=float, default=75.0, help="length (default 75)")
    parser.add_argument("--size", default="1280x720", help="width x height (default 1280x720)")
    options = parser.parse_args(arguments)
    try:
        width, height = (int(v) for v in options.size.lower().split("x"))
        options.out.parent.mkdir(parents=True, exist_ok=True)
        truth = draw_episode(options.out, seed=options.seed, seconds=options.seconds, size=(width, height))
    except (ValueError, OSError) as error:
        print(f"{options.out} was not drawn: {error}", file=sys.stderr)
        return 2
    print(f"{options.out}: {truth.frames} frames, {len(truth.shots)} shots, {len(truth.drawings)} drawings")
    return 0


if __name__ == "__main__":
    sys.exit(main())
