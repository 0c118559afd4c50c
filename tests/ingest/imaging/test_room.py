"""Large pictures are decoded within one budget by all processes of a machine; small ones never wait."""

from __future__ import annotations

import io
import queue
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from ingest.imaging import alpha, room
from ingest.imaging.decode import read_picture
from ingest.imaging.depth import to_bytes
from ingest.imaging.opening import high_bit_depth_bytes
from tests.films import huge_png

ROOT = Path(__file__).resolve().parents[3]
HALF = room.BUDGET_BYTES // 2 // room.BYTES_PER_PIXEL  # pixels


@pytest.fixture()
def budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "shared", room.Budget(str(tmp_path / "locks")))


def hold(pixels: int, seconds: float, line: Any) -> None:
    with room.room_for(pixels):
        began = time.monotonic()
        time.sleep(seconds)
    line.put((began, time.monotonic()))


# Arguments: the folder of the locks, pixels, seconds. Starts at a line of input; prints when it got room and left.
HOLDER = """
import sys, time
from ingest.imaging import room
room.configure(room.Budget(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
with room.room_for(int(sys.argv[2])):
    began = time.monotonic()
    time.sleep(float(sys.argv[3]))
    print(began, time.monotonic(), flush=True)
"""


def overlap(pixels: int, processes: int, seconds: float = 0.4) -> int:
    """How many of them held room at once, at most."""
    command = [sys.executable, "-c", HOLDER, str(room.shared.folder), str(pixels), str(seconds)]
    started = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    try:
        for process in started:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        printed = [process.communicate(timeout=60)[0].split() for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    spans = [(float(began), float(left)) for began, left in printed]
    return max(sum(a <= place < b for a, b in spans) for place, _ in spans)


def test_three_processes_never_hold_more_than_the_budget_together(budget: None) -> None:
    assert overlap(2 * HALF, 3) == 1
    assert overlap(100 * HALF, 2) == 1  # more than the budget: alone, but not never
    assert overlap(HALF - HALF // 8, 3) == 2


def test_small_pictures_do_not_wait_for_a_large_one(budget: None) -> None:
    with room.room_for(2 * HALF):
        assert overlap(room.SMALL_PIXELS, 3) == 3


def test_a_thread_that_holds_room_gets_in_again_and_another_one_waits(budget: None) -> None:
    line: queue.Queue[tuple[float, float]] = queue.Queue()
    with room.room_for(2 * HALF), room.room_for(2 * HALF):
        other = threading.Thread(target=hold, args=(2 * HALF, 0.0, line))
        other.start()
        time.sleep(0.3)
        inside = time.monotonic()
    began, _ = line.get(timeout=60)
    other.join()
    assert began >= inside


def test_a_killed_process_gives_its_room_back(budget: None) -> None:
    program = (
        "import time\nfrom ingest.imaging import room\n"
        f"room.configure(room.Budget({room.shared.folder!r}))\n"
        f"with room.room_for({2 * HALF}):\n    print('in', flush=True)\n    time.sleep(60)\n"
    )
    other = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "in\n"
    other.kill()
    other.wait()
    assert overlap(2 * HALF, 1, seconds=0.0) == 1


def test_a_veil_over_a_large_picture_takes_a_bounded_sample_and_the_same_background() -> None:
    rng = np.random.default_rng(3)
    outline = rng.random((700, 300)) < 0.3
    rows, columns = alpha._sample(outline)
    assert (rows.tolist(), columns.tolist()) == tuple(axis.tolist() for axis in np.nonzero(outline))
    few, alpha.SAMPLE_MAX = alpha.SAMPLE_MAX, 1_000
    try:
        rows, columns = alpha._sample(outline)
    finally:
        alpha.SAMPLE_MAX = few
    assert len(rows) == 1_000 and outline[rows, columns].all()
    assert np.unique(rows).size > 500  # from everywhere


@pytest.mark.slow()
def test_the_largest_picture_is_decoded_in_the_memory_that_is_counted_for_it(tmp_path: Path) -> None:
    for name, data in (("veil", huge_png(10_000)), ("opaque", huge_png(10_000, alpha=0xFFFF))):
        (tmp_path / name).write_bytes(data)
        program = (
            "import resource, sys\nfrom pathlib import Path\nfrom ingest.imaging.decode import read_picture\n"
            "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            f"before = peak()\nread_picture(Path({str(tmp_path / name)!r}), name='huge.png')\nprint(peak() - before)\n"
        )
        result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
        assert int(result.stdout) * 1024 < 100_000_000 * room.BYTES_PER_PIXEL, name


def test_numbers_wider_than_bytes_count_as_what_they_unpack_to() -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((40, 30, 3), np.float32), photometric="rgb", compression="zlib")
    assert high_bit_depth_bytes(file.getvalue()) == 40 * 30 * 12
    assert high_bit_depth_bytes(huge_png(100)) == 0


def test_wide_numbers_become_bytes_in_little_more_memory_than_the_bytes_take() -> None:
    values = np.zeros((4_000, 1_000, 3), np.float32)
    tracemalloc.start()
    try:
        to_bytes(values, [])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < values.nbytes  # a quarter of it is the result


@pytest.mark.parametrize("mode", ["RGBA", "LA", "RGB", "L", "P", "CMYK"])
def test_pixels_taken_in_strips_are_those_of_the_whole(mode: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    image = Image.fromarray(rng.integers(0, 255, (600, 40, 3), np.uint8)).convert(mode)
    if "A" in mode:
        image.putalpha(255)
    path = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    image.save(path)
    assert np.array_equal(read_picture(path, name="x").rgb, np.asarray(image.convert("RGB")))
