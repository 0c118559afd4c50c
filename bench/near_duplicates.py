"""How fast and how well near-duplicates are found; writes the sections on them into docs/benchmarks.md.

python -m bench.near_duplicates [--counts 100000 1000000] [--threshold T]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from annotate.evaluation.copies import COPIES
from bench import near_sets, report
from ingest.algorithms.descriptors import DESCRIPTOR_SIZE, as_vectors
from ingest.algorithms.near_duplicates import DEFAULT_THRESHOLD, find_groups, ranked, similar_pairs

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
SAMPLE = 2_000


def copies_table(threshold: float) -> str:
    """How many copies lie within the threshold, of real and of drawn pictures, and how near other pictures come."""
    sets = {"real": near_sets.real_pictures(), "drawn": near_sets.drawn_pictures(), "painted": near_sets.backgrounds()}
    sets = {name: pictures for name, pictures in sets.items() if pictures}
    vectors = {name: _units([near_sets.described(picture) for picture in pictures]) for name, pictures in sets.items()}
    rows = []
    for what, make in COPIES.items():
        row: list[object] = [what]
        for name, pictures in sets.items():
            cosine = (vectors[name] * _units([near_sets.described(make(picture)) for picture in pictures])).sum(axis=1)
            row += [f"{(cosine >= threshold).mean():.1%}", f"{np.percentile(cosine, 5):.3f}"]
        rows.append(row)
    header = ["copy", *(f"{name}: {what}" for name in sets for what in ("found", "5th percentile"))]
    text = report.table(header, rows)
    counts = ", ".join(f"{len(pictures)} {name}" for name, pictures in sets.items())
    if "painted" in vectors:
        similarities = np.sort(
            (vectors["painted"] @ vectors["painted"].T)[np.triu_indices(len(vectors["painted"]), 1)]
        )[::-1]
        nearest = ", ".join(f"{value:.3f}" for value in similarities[:6])
        text += f"\n\nNearest different paintings (some show one place by day and by night): {nearest}."
    return f"Pictures: {counts}. Found: cosine of at least {threshold:g}, the default.\n\n{text}"


def _units(descriptors: list[U8]) -> F32:
    vectors = as_vectors(np.stack(descriptors))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def measure(count: int, threshold: float) -> list[object]:
    """One row: the time of `find_groups`, peak memory, and its answers for sampled frames against exact search."""
    pictures = [*near_sets.real_pictures(), *near_sets.backgrounds()] or near_sets.drawn_pictures()
    descriptors, quality = near_sets.collection(pictures, count)
    began, processor = time.perf_counter(), time.process_time()
    groups = find_groups(descriptors, quality, threshold)
    took, processor = time.perf_counter() - began, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20

    sample = np.random.default_rng(5).choice(count, min(SAMPLE, count), replace=False)
    with threadpool_limits(1):
        left, right = _exact(descriptors, sample, threshold)
    place = np.empty(count, dtype=np.int64)
    place[ranked(quality)] = np.arange(count)
    better_kept = groups.is_representative[right] & (place[right] < place[sample[left]])
    must_go = np.zeros(len(sample), dtype=bool)
    must_go[left[better_kept]] = True
    right_verdicts = float((must_go == ~groups.is_representative[sample]).mean())
    found_left, found_right, _ = similar_pairs(descriptors[sample], descriptors, threshold)
    keys, exact = found_left * count + found_right, left * count + right
    recall = float(np.isin(exact, keys).mean())
    return [
        f"{count:,}", f"{took:.1f}", f"{processor:.1f}", f"{peak:.2f}", f"{groups.is_representative.mean():.1%}",
        f"{recall:.5f} of {len(exact):,}", f"{right_verdicts:.5f}",
    ]  # fmt: skip


def _exact(descriptors: U8, sample: NDArray[np.int64], threshold: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs (position in sample, row) within the threshold, by the full product."""
    sampled = as_vectors(descriptors[sample])
    sampled /= np.linalg.norm(sampled, axis=1, keepdims=True)
    left, right = [], []
    for start in range(0, len(descriptors), 20_000):
        rows = as_vectors(descriptors[start : start + 20_000])
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        places, others = np.nonzero(sampled @ rows.T >= threshold + 1e-6)
        left.append(places)
        right.append(others + start)
    return np.concatenate(left), np.concatenate(right)


def main() -> None:
    """Measure and write; each count in a process of its own, so that its peak of memory is its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--threshold", type=float, default=DEFAULT_THRESHOLD)
    parser.add_argument("--row", type=int, help="measure one count and print its row")
    options = parser.parse_args()
    if options.row:
        print("|".join(str(value) for value in measure(options.row, options.threshold)))
        return
    rows = []
    for count in options.counts:
        command = [
            sys.executable,
            "-m",
            "bench.near_duplicates",
            "--row",
            str(count),
            "--threshold",
            str(options.threshold),
        ]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        rows.append(printed.strip().splitlines()[-1].split("|"))
    header = ["frames", "s", "CPU s", "peak GiB", "kept", f"pairs found of {SAMPLE:,} sampled frames", "right verdicts"]
    text = f"Descriptors of {DESCRIPTOR_SIZE} bytes, cosine of at least {options.threshold:g}, one thread.\n\n"
    report.write("Near-duplicates: speed", text + report.table(header, rows))
    report.write("Near-duplicates: copies", copies_table(options.threshold))


if __name__ == "__main__":
    main()
