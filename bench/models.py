"""The cost of the reader beyond the bare network, and how busy it keeps a GPU.

    python -m bench.models [--pictures 8] [--layers 12] [--rounds 3]

The network is a tagger of the size of ViT-B/16 at 448 pixels with random weights (`bench/vit.py`). Pictures are drawn
JPEG files of 1280x720. "Bare" is `session.run` over the same batches, whose tensors were made before the clock started.
"""

from __future__ import annotations

import argparse
import io
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from onnxruntime import OrtValue
from PIL import Image

from annotate.backends.contract import Picture
from annotate.backends.feeding.decoding import StoredPicture
from annotate.backends.feeding.decoding_processes import ReadingProcesses
from annotate.backends.feeding.reader import Item, Reader, cores_for_reading
from annotate.backends.feeding.reader_batch import BatchSizes
from annotate.backends.model_files import registry
from annotate.backends.taggers.scorer import OnnxScorer
from bench import report, vit
from ingest.imaging.decode import read_picture
from ingest.imaging.store import Store

WIDTH, HEIGHT, QUALITY = 1280, 720, 92
OVERHEAD_MAX, SHARE_MIN, BUSY_MIN = 0.05, 0.90, 0.90
GPU_PICTURES, FILES_MAX = 4096, 256
NO_GPU = "not measured on a GPU yet"

Clock = tuple[float, float]  # wall, CPU


def drawn(seed: int, *, width: int = WIDTH, height: int = HEIGHT) -> Picture:
    """Flat shapes with dark outlines on a gradient, and the grain of a film."""
    random = np.random.default_rng(seed)
    ramp = np.linspace(random.integers(0, 128, 3), random.integers(128, 256, 3), height).astype(np.uint8)
    picture = np.repeat(ramp[:, None], width, axis=1).copy()
    for _ in range(40):
        centre = tuple(int(v) for v in random.integers(0, (width, height)))
        axes = tuple(int(v) for v in random.integers(10, height // 4, 2))
        angle, colour = int(random.integers(0, 180)), tuple(int(v) for v in random.integers(0, 256, 3))
        cv2.ellipse(picture, centre, axes, angle, 0, 360, colour, -1, cv2.LINE_AA)
        cv2.ellipse(picture, centre, axes, angle, 0, 360, (20, 16, 24), 2, cv2.LINE_AA)
    grain = random.normal(0, 3, picture.shape)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def jpeg(picture: Picture) -> bytes:
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "JPEG", quality=QUALITY)
    return data.getvalue()


def clocked(work: Callable[[], object]) -> Clock:
    """Wall and CPU seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def through_reader(
    tagger: OnnxScorer,
    reads: Sequence[Callable[[], Picture]],
    sizes: BatchSizes,
    processes: ReadingProcesses | None = None,
) -> Reader[int]:
    """Send the pictures through; the reader comes back for its timings."""
    reader: Reader[int] = Reader([tagger], sizes=sizes, processes=processes)
    count = sum(1 for _ in reader.answers(Item(index, read) for index, read in enumerate(reads)))
    assert count == len(reads)
    return reader


def bare(tagger: OnnxScorer, fitted: Picture, *, batch: int, count: int) -> Callable[[], None]:
    """A loop of `session.run` over `count` pictures in batches; on a GPU over one batch that lies there already."""
    session, entry = tagger.network.session, tagger.network.session.get_inputs()[0].name
    spec = tagger.network.spec
    if not tagger.network.on_gpu:
        tensors = [spec.tensor(fitted[index : index + batch]) for index in range(0, count, batch)]

        def run() -> None:
            for tensor in tensors:
                session.run(None, {entry: tensor})

        return run
    value = OrtValue.ortvalue_from_numpy(spec.tensor(np.resize(fitted, (batch, *fitted.shape[1:]))), "cuda", 0)

    def loop() -> None:
        for _ in range(0, count, batch):
            binding = session.io_binding()
            binding.bind_ortvalue_input(entry, value)
            binding.bind_output(tagger.network.outputs[0], "cpu")
            session.run_with_iobinding(binding)

    return loop


def overhead(tagger: OnnxScorer, pictures: list[Picture], *, rounds: int, sizes: BatchSizes) -> list[tuple[str, ...]]:
    """Rows of a table: bare, through the reader, and what it adds, on both clocks. Without decoding."""
    batch = sizes.of(tagger).size
    fitted = np.stack([tagger.fit(picture) for picture in pictures])
    alone = bare(tagger, fitted, batch=batch, count=len(pictures))
    reads = [partial(lambda picture: picture, picture) for picture in pictures]
    pairs: list[tuple[Clock, Clock]] = []
    for turn in range(rounds + 1):  # the first round warms both up and is not counted
        pair = clocked(alone), clocked(lambda: through_reader(tagger, reads, sizes))
        pairs += [pair] if turn else []
    rows: list[tuple[str, ...]] = []
    for index, name in enumerate(("wall clock", "CPU time")):
        direct = statistics.median(pair[0][index] for pair in pairs)
        through_reader_s = statistics.median(pair[1][index] for pair in pairs)
        more = statistics.median(pair[1][index] / pair[0][index] - 1 for pair in pairs)
        each = (through_reader_s - direct) / len(pictures)
        rows.append((name, f"{direct:.2f} s", f"{through_reader_s:.2f} s", f"{more:+.1%}", f"{1000 * each:+.1f} ms"))
    return rows


def from_files(tagger: OnnxScorer, folder: Path, *, count: int, sizes: BatchSizes) -> list[tuple[str, str]]:
    """Rows of a table: pictures per second bare and from JPEG files, how busy the GPU was, where the time went.

    As in the application, processes read for a GPU and threads for a processor.
    """
    file_count = min(count, FILES_MAX)
    names = Store(folder).put_many((jpeg(drawn(index)), "jpg") for index in range(file_count))
    reads = [StoredPicture(str(folder), names[index % file_count], f"picture {index}") for index in range(count)]
    processes = ReadingProcesses(cores_for_reading()) if tagger.network.on_gpu else None
    if tagger.network.on_gpu:
        through_reader(tagger, reads, sizes, processes)  # finds the batch size, warms up
    batch = sizes.of(tagger).size
    fitted = np.stack([tagger.fit(read()) for read in reads[: min(batch, file_count)]])
    fitted = np.resize(fitted, (max(batch, 1 if tagger.network.on_gpu else count), *fitted.shape[1:]))
    alone = bare(tagger, fitted, batch=batch, count=count)
    if tagger.network.on_gpu:
        alone()
    direct = clocked(alone)[0]
    reader: list[Reader[int]] = []
    with gpu_busy() as busy:
        through_reader_s = clocked(lambda: reader.append(through_reader(tagger, reads, sizes, processes)))[0]
    if processes:
        processes.close()
    took = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in reader[0].timings.items())
    on_gpu = tagger.network.on_gpu
    return [
        ("device, batch, reading threads or processes", f"{tagger.device}, {batch}, {reader[0].threads}"),
        ("bare loop", f"{count / direct:.1f} pictures/s"),
        (
            "from JPEG files to answers",
            f"{count / through_reader_s:.1f} pictures/s, {direct / through_reader_s:.0%} of the bare loop",
        ),
        (
            f"on a GPU, goal {SHARE_MIN:.0%} of the bare loop",
            _verdict(direct / through_reader_s, SHARE_MIN, measured=on_gpu),
        ),
        (f"GPU busy (goal: {BUSY_MIN:.0%})", _verdict(_mean(busy), BUSY_MIN, measured=on_gpu and bool(busy))),
        (f"where the {through_reader_s:.2f} s went", took),
    ]


def _verdict(value: float, minimum: float, *, measured: bool) -> str:
    if not measured:
        return NO_GPU
    return f"{value:.0%}, {'reached' if value >= minimum else 'missed'}"


def _mean(busy: list[float]) -> float:
    return statistics.fmean(busy) if busy else 0.0


@contextmanager
def gpu_busy() -> Iterator[list[float]]:
    """Shares (0..1) of the time in which the GPU computed, ten a second, by nvidia-smi; empty without one."""
    shares: list[float] = []
    command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--loop-ms=100"]
    try:
        sampler = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError:
        yield shares
        return

    def collect() -> None:
        for line in sampler.stdout or ():
            if line.strip().isdecimal():
                shares.append(int(line) / 100)

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    try:
        yield shares
    finally:
        sampler.terminate()
        sampler.wait()
        thread.join()


def fit_steps(tagger: OnnxScorer, *, count: int = 6) -> list[tuple[str, ...]]:
    """Rows of a table: decoding and fitting a JPEG whole, and at the half size that its format offers; CPU time.

    The reader decodes whole: what it would win is shown here with what it would change.
    """
    rows: list[tuple[str, ...]] = []
    for width, height in ((1280, 720), (1920, 1080), (3840, 2160)):
        spent = np.zeros(3)
        differences: list[Any] = []
        for seed in range(count):
            data = jpeg(drawn(seed, width=width, height=height))
            marks = [time.process_time()]
            through_reader_s = read_picture(data, name="whole").rgb
            marks.append(time.process_time())
            fitted = tagger.fit(through_reader_s)
            marks.append(time.process_time())
            image = Image.open(io.BytesIO(data))
            image.draft("RGB", (vit.SIDE, vit.SIDE))
            quick = tagger.fit(np.asarray(image.convert("RGB")))
            marks.append(time.process_time())
            spent += np.diff(marks) / count
            differences.append(np.abs(fitted.astype(int) - quick))
        mean, maximum = (
            np.mean([difference.mean() for difference in differences]),
            max(difference.max() for difference in differences),
        )
        decode, fit, half = (f"{1000 * value:.0f} ms" for value in spent)
        rows.append((f"{width}x{height}", decode, fit, half, f"{mean:.2f}, at most {maximum}"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=8, help=f"a round; on a GPU {GPU_PICTURES}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--dry", action="store_true", help="print the tables, leave docs/benchmarks.md alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as file_count:
        folder = Path(file_count) / "vit"
        vit.write_tagger(folder, layers=options.layers)
        size_mb = (folder / "model.onnx").stat().st_size / 1e6
        tagger: OnnxScorer = registry.open_model(registry.find("vit", Path(file_count), task="tags"))
        sizes = BatchSizes()
        count = GPU_PICTURES if tagger.network.on_gpu else options.pictures
        files = from_files(tagger, Path(file_count), count=count, sizes=sizes)
        costs = overhead(
            tagger, [drawn(index) for index in range(options.pictures)], rounds=options.rounds, sizes=sizes
        )
        decodes = fit_steps(tagger)
    text = (
        f"A graph of {size_mb:.0f} MB ({options.layers} layers), {tagger.device}.\n\n"
        f"Through the reader (fit, copy, run, read the answers; threads and queues) against bare `session.run` of the "
        f"same batches of {sizes.of(tagger).size}, {options.pictures} decoded pictures of {WIDTH}x{HEIGHT}, median of "
        f"{options.rounds} rounds. Goal: at most +{OVERHEAD_MAX:.0%}.\n\n"
        + report.table(("", "bare", "reader", "overhead", "a picture"), costs)
        + f"\n\nEnd to end from {min(count, FILES_MAX)} JPEG files, {count} pictures:\n\n"
        + report.table(("", "measured"), files)
        + "\n\nReading one JPEG, CPU time. Decoding at half size would be quicker for large pictures, but the "
        "network would see other bytes (grey levels apart), so it is not done.\n\n"
        + report.table(("JPEG", "decode", "fit", "both at half size", "apart"), decodes)
    )
    print(text) if options.dry else report.write("Models: the reader", text)


if __name__ == "__main__":
    main()
