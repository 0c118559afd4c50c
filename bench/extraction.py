"""python -m bench.extraction: the cost of the gate compared to decoding alone, and the frames that it keeps of a drawn
film."""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av
import cv2
import imageio_ffmpeg

from bench.report import ROOT, table, write
from demo_film.film import draw_episode
from ingest.imaging.encode import FORMATS, PictureFormat, encode, encode_preview
from ingest.imaging.extraction import Extracted, ExtractParams, ExtractSummary, extract

TEST_DATA = Path(os.environ.get("KOMA_TEST_DATA", ROOT.parent / "shared" / "data"))
CLIP = TEST_DATA / "video" / "real_cuts_ep01.mp4"
SCORED_SEED = 20
BATCH = 16
cv2.setNumThreads(1)  # as in every process of Koma


@dataclass
class Taken:
    """Seconds of wall clock and of all CPU cores for one way through the film."""

    wall_s: float
    cpu_s: float


def timed(work: Callable[[], object]) -> Taken:
    """Runs `work` once."""
    usage = resource.getrusage
    wall = time.perf_counter()
    before = [usage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    work()
    after = [usage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(b.ru_utime + b.ru_stime - a.ru_utime - a.ru_stime for a, b in zip(before, after, strict=True))
    return Taken(time.perf_counter() - wall, cpu)


def bare(path: Path) -> None:
    """Decodes and discards every frame."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for _ in container.decode(stream):
            pass


def gated(path: Path) -> None:
    """Gate and descriptors; no full pictures."""
    for _ in extract(path, ExtractParams(full_pictures=False)):
        pass


def batches(items: Iterable[Extracted]) -> Iterator[list[Extracted]]:
    """Lists of up to BATCH."""
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def written(path: Path, folder: Path, how: PictureFormat | None = None) -> None:
    """The same as the worker does: kept pictures and all previews are encoded by two threads and written."""
    how = how or PictureFormat()

    def put(picture: Extracted) -> None:
        if picture.image is not None:
            (folder / f"{picture.index}.{how.suffix}").write_bytes(encode(picture.image, how))
            picture.image = None
        (folder / f"{picture.index}.preview.jpg").write_bytes(encode_preview(picture.preview))

    with ThreadPoolExecutor(2) as pool:
        for batch in batches(extract(path)):
            list(pool.map(put, batch))


def mpdecimate(path: Path, folder: Path) -> None:
    """ffmpeg's filter with the numbers of the reference, to PNG."""
    rule = "mpdecimate=hi=64*200:lo=64*50:frac=0.33,setpts=N/FRAME_RATE/TB"
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-y",
        "-i",
        str(path),
        "-vf",
        rule,
        str(folder / "%d.png"),
    ]
    subprocess.run(command, check=True)


def make_film(path: Path, seconds: float) -> None:
    """The real clip at 1080p, x264 crf 18, looped."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-stream_loop", "-1", "-i", str(CLIP), "-an"]
    command += ["-vf", "scale=1920:1080:flags=lanczos,setsar=1", "-c:v", "libx264", "-crf", "18", "-t", str(seconds)]
    subprocess.run([*command, str(path)], check=True)


def speed(folder: Path, *, seconds: float, repeats: int) -> str:
    """The table of times; each round runs all methods once, so that load on the machine affects all of them."""
    film, out = folder / f"film_{seconds:.0f}.mp4", folder / "out"
    out.mkdir(exist_ok=True)
    if not film.exists():
        make_film(film, seconds)
    ways: dict[str, Callable[[], object]] = {
        "bare decode": lambda: bare(film),
        "decode + gate + descriptors": lambda: gated(film),
        "the same + kept pictures and previews written": lambda: written(film, out),
    }
    taken: dict[str, list[Taken]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, work in ways.items():
            taken[name].append(timed(work))
    taken["ffmpeg mpdecimate to PNG"] = [timed(lambda: mpdecimate(film, out))]
    base = taken["bare decode"]
    bare_wall = statistics.median(t.wall_s for t in base)
    slowest = taken["ffmpeg mpdecimate to PNG"][0].wall_s
    rows = []
    for name, times in taken.items():
        wall, cpu = statistics.median(t.wall_s for t in times), statistics.median(t.cpu_s for t in times)
        ratio_wall = wall / bare_wall
        ratio_cpu = cpu / statistics.median(t.cpu_s for t in base)
        slower = slowest / wall
        rows.append([name, f"{wall:.1f}", f"{ratio_wall:.2f}", f"{cpu:.1f}", f"{ratio_cpu:.2f}", f"{slower:.2f}"])
    header = ["way", "wall s (median)", "times bare", "CPU s", "times bare", "mpdecimate takes, times this"]
    about = (
        f"{seconds:.0f} s of 1080p, {repeats} rounds (mpdecimate once), threads AUTO. Goal: gate and descriptors at "
        "most 1.30 times bare decoding, with writing at most 1.60, mpdecimate at least 4 times slower. mpdecimate to "
        f"PNG takes {slowest / bare_wall:.2f} times bare decoding here: whatever is 4 times faster than it takes at "
        f"most {slowest / bare_wall / 4:.2f} times bare decoding."
    )
    return f"{table(header, rows)}\n\n{about}"


def recall(folder: Path, seed: int) -> str:
    """What the gate keeps of a drawn film, against its truth."""
    film = folder / f"drawn_{seed}.mp4"
    truth_path = film.with_suffix(".truth.json")
    if not truth_path.exists():
        draw_episode(film, seed=seed)
    truth = json.loads(truth_path.read_text(encoding="utf-8"))
    of = [-1] * truth["frames"]
    for drawing in truth["drawings"]:
        for start, end in drawing["runs"]:
            of[start:end] = [drawing["id"]] * (end - start)
    rows = []
    for mode in ("drawings", "mpdecimate"):
        summary = ExtractSummary()
        pictures = list(extract(film, ExtractParams(mode=mode, full_pictures=False), summary=summary))
        kept_pictures = [p for p in pictures if p.state == "kept"]
        counts = Counter(of[p.index] for p in kept_pictures)
        count = len(truth["drawings"])
        share = sum(drawing["id"] in counts for drawing in truth["drawings"]) / count
        starts = [shot["start"] * 1001 / 24000 for shot in truth["shots"]]
        cuts = sum(any(abs(start - s) < 0.1 for s in summary.shot_starts) for start in starts)
        rows.append(
            [mode, str(count), f"{share:.3f}", str(len(kept_pictures)), f"{len(kept_pictures) / count:.2f}",
             str(counts.get(-1, 0)), f"{cuts} of {len(starts)} (+{max(0, len(summary.shot_starts) - cuts)})"]
        )  # fmt: skip
    header = ["mode", "drawings", "share kept", "kept frames", "a drawing", "of them in fades or blends", "shots found"]
    return f"Drawn film, seed {seed}:\n\n" + table(header, rows)


def formats(folder: Path) -> str:
    """Size and time per kept picture by format; one thread."""
    film = folder / "film_30.mp4"
    if not film.exists():
        make_film(film, 30)
    images = [p.image for p in islice(extract(film), 60) if p.image is not None][::3][:12]
    rows = []
    for name in FORMATS:
        for quality in (90, 95, 98) if name in ("jpeg", "webp") else (95,):
            how = PictureFormat(name, quality)
            start = time.process_time()
            sizes = [len(encode(image, how)) for image in images]
            spent = (time.process_time() - start) / len(images)
            label = f"{name} {quality}" if name in ("jpeg", "webp") else name
            rows.append([label, f"{sum(sizes) / len(sizes) / 1000:.0f}", f"{spent * 1000:.0f}"])
    return "Formats at 1080p:\n\n" + table(["format", "kB per picture", "ms per picture"], rows)


def memory(folder: Path, minutes: float) -> str:
    """The peak of a process of its own that extracts and writes a long film."""
    short, film = folder / "film_180.mp4", folder / "film_long.mp4"
    if not short.exists():
        make_film(short, 180)
    loops = round(minutes / 3) - 1
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-stream_loop", str(loops), "-i", str(short)]
    subprocess.run([*command, "-c", "copy", str(film)], check=True)
    done = subprocess.run(
        [sys.executable, "-m", "bench.extraction", "--peak-of", str(film)], capture_output=True, text=True, check=True
    )
    return (
        f"Peak memory of a process that extracts and writes {minutes:.0f} minutes of 1080p: {done.stdout.strip()} MB."
    )


def peak_of(film: Path) -> None:
    """Prints this process's own peak in MB after one extraction."""
    with tempfile.TemporaryDirectory() as out:
        written(film, Path(out))
    print(round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def main() -> int:
    """Runs the parts asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.extraction", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    parser.add_argument("--parts", default="speed,recall,formats,memory")
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=SCORED_SEED, help="of the drawn film that is scored")
    parser.add_argument("--folder", type=Path, help="where films are kept between runs")
    parser.add_argument("--peak-of", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak_of:
        peak_of(options.peak_of)
        return 0
    if not CLIP.exists() and set(options.parts.split(",")) - {"recall"}:
        print(f"{CLIP} is not there; set KOMA_TEST_DATA.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        parts: dict[str, tuple[str, Callable[[], str]]] = {
            "speed": ("Frames: speed", lambda: speed(folder, seconds=options.seconds, repeats=options.repeats)),
            "recall": ("Frames: distinct drawings kept", lambda: recall(folder, options.seed)),
            "formats": ("Frames: picture formats", lambda: formats(folder)),
            "memory": ("Frames: memory", lambda: memory(folder, 24)),
        }
        for name in options.parts.split(","):
            title, work = parts[name]
            text = work()
            if options.write:
                write(title, text)
            else:
                print(f"\n## {title}\n\n{text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
