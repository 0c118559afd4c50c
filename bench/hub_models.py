"""Memory and time of the hub's models on this CPU, measured on networks of the same architecture.

    python -m bench.hub_models [NAME ...] [--builder PYTHON] [--write]

Memory and time depend on the architecture, not on the weights: `bench.stand_ins` writes each network with
random weights, and Koma's own adapters run it on pictures, twice, each time in a process of its own. PYTHON is an
interpreter that has what `bench.stand_ins` needs, which Koma does not; nothing is downloaded.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.report import ROOT, table, write
from bench.stand_ins import NEEDED, STAND_INS, StandIn

SECTION = "Models of the hub: memory and first run"
LOOKS = 2
ENOUGH_S = 3.0
BUILD_MAX_S, LOOK_MAX_S = 240, 180
HEADER = (
    "stands in for", "architecture", "side", "parameters", "file", "memory", "first picture",
    "a picture afterwards",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measurement:
    """Peak growth of a process (MB), seconds to open with the first picture, milliseconds per picture."""

    grown_mb: float
    first_s: float
    ms: float
    pictures: int


def measure_model(models_dir: Path, stand_in: StandIn) -> Measurement:
    """Open the model and run it on pictures in this process, which should have done nothing else."""
    from annotate.backends.model_files.registry import FAMILIES
    from annotate.evaluation import speed

    import_module(FAMILIES[stand_in.family].opener.partition(":")[0])
    before = _resident_mb()
    timing = speed.measure(stand_in.task, stand_in.name, models_dir, device="cpu", enough_s=ENOUGH_S)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measurement(peak - before, timing.opening_s, timing.ms_per_picture, timing.pictures)


def together(looks: Sequence[Measurement]) -> Measurement:
    """The most memory and the shortest times: another process on the machine only makes these longer."""
    return Measurement(
        max(item.grown_mb for item in looks), min(item.first_s for item in looks), min(item.ms for item in looks),
        sum(item.pictures for item in looks),
    )  # fmt: skip


def row(stand_in: StandIn, built: dict[str, float], measurement: Measurement) -> tuple[str, ...]:
    """A row of the table."""
    return (
        stand_in.stands_for,
        stand_in.network,
        str(stand_in.side),
        f"{built['parameters']:.1f} M" + (f" (model {stand_in.published:g} M)" if stand_in.published else ""),
        f"{built['mb']:,.0f} MB" + (f" (model {stand_in.published_mb:,.0f} MB)" if stand_in.published_mb else ""),
        f"{measurement.grown_mb:,.0f} MB",
        seconds(measurement.first_s),
        seconds(measurement.ms / 1000),
    )


def seconds(value: float) -> str:
    """Two significant digits."""
    return f"{1000 * value:.0f} ms" if value < 0.1 else f"{value:.2f} s" if value < 1 else f"{value:.1f} s"


def measured(builder: str, chosen: Sequence[str]) -> tuple[list[tuple[str, ...]], list[str]]:
    """Rows of measured models, and texts about the others. Each network is deleted before the next."""
    rows, failed = [], []
    for name in chosen:
        with tempfile.TemporaryDirectory(prefix="koma-hub-") as folder:
            try:
                built = _run_json([builder, "-m", "bench.stand_ins", name, folder], BUILD_MAX_S)
                look_at = [sys.executable, "-m", "bench.hub_models", name, "--look", folder]
                measurement = together([Measurement(**_run_json(look_at, LOOK_MAX_S)) for _ in range(LOOKS)])
            except (subprocess.SubprocessError, OSError) as error:
                why = getattr(error, "stderr", None) or str(error)
                failed.append(f"{STAND_INS[name].stands_for}: {str(why).strip().splitlines()[-1]}")
                continue
        rows.append(row(STAND_INS[name], built, measurement))
        print(*rows[-1], sep=" | ", flush=True)
    return rows, failed


def text_of(rows: Sequence[tuple[str, ...]], failed: Sequence[str]) -> str:
    """The section's body."""
    text = (
        "**The weights are random**: these are not the models but networks of the same architecture, input size and "
        "number of labels, which is what memory and time hang on. What they say of a picture was not looked at. "
        f"Koma's adapters fed them one picture at a time on the CPU, {os.cpu_count()} threads, float32: drawn "
        "pictures of 1280x720, crops of 256x256 for embedder and upscaler, in a process of its own, "
        f"{LOOKS} times over. Memory is what the process grew by at its highest, the largest of the {LOOKS}; times are "
        "the shortest. The first picture includes hashing and opening the file, which the system had just written and "
        "still held in memory: from a slow disk add the time of reading it. Where a model's file is larger than the "
        "one measured, add the difference to the memory. One network differed from process to process by up to a third "
        "in memory and, where other programs ran, up to three times in time.\n\n"
    )
    missed = "".join(f"\n- Not measured: {failure}" for failure in failed)
    return text + table(HEADER, rows) + (f"\n{missed}" if missed else "")


def _run_json(command: Sequence[str], limit_s: float) -> Any:
    """The JSON on the last line that a command prints."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=limit_s)
    return json.loads(done.stdout.strip().splitlines()[-1])


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def _lacks(builder: str) -> str:
    """A text about what the builder cannot import; empty if it has everything."""
    code = "from bench.stand_ins import missing; print(', '.join(missing()))"
    try:
        done = subprocess.run([builder, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    except (subprocess.SubprocessError, OSError) as error:
        return str(error)
    return done.stdout.strip()


def main() -> None:
    """Build and measure all, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(STAND_INS)}; all without one")
    parser.add_argument("--builder", default=sys.executable, help="an interpreter with torch and timm")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    parser.add_argument("--look", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in STAND_INS]:
        parser.error(f"{', '.join(unknown)}: not one of {', '.join(STAND_INS)}")
    if options.look:
        print(json.dumps(asdict(measure_model(options.look, STAND_INS[options.names[0]]))))
        return
    if lacks := _lacks(options.builder):
        sys.exit(
            f"{options.builder} cannot import: {lacks}. Make an environment with "
            f"`pip install {' '.join(NEEDED)}` and name its python with --builder."
        )
    rows, failed = measured(options.builder, options.names or list(STAND_INS))
    text = text_of(rows, failed)
    if options.write:
        write(SECTION, text)
    else:
        print(text)


if __name__ == "__main__":
    main()
