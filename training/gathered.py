"""Face-free pictures by others: gathered from folders, cut into scenery, with objects pasted as decoys.

    python -m training.gathered --out DIR [--skip training/face_free.txt] FOLDER...

Each FOLDER is a source of its own (an unpacked package of wallpapers, clip art or a game's art). Opaque pictures become
scenery (DIR/scenery, JPEG, at most LONGEST pixels), those with a transparent ground objects (DIR/objects, PNG, at most
OBJECT pixels). Pictures with faces are listed in `--skip`, one glob pattern per line, matched against SOURCE/PATH.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.finish import painted
from training.scenery import Picture, paste

LONGEST, SHORTEST = 1024, 256
OBJECT = 192
MOST_OF_A_FOLDER = 40  # tiles and frames of animations come in hundreds
HELD_SOURCE, HELD_PICTURE = 6, 5  # every sixth source, and every fifth picture of the others, is used for validation
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(slots=True)
class Gathered:
    """Packed scenery and objects uint8 [h, w, 4] RGBA."""

    scenery: list[bytes] = field(default_factory=list)
    objects: list[Picture] = field(default_factory=list)

    def full_picture(self, place: int) -> Picture:
        """One scenery picture, uint8 [h, w, 3] RGB."""
        picture = cv2.imdecode(np.frombuffer(self.scenery[place], np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise ValueError(f"gathered picture {place} cannot be read; gather the folder again")
        return np.ascontiguousarray(picture[..., ::-1])

    def part(self, rng: np.random.Generator, size: int) -> Picture:
        """A square of a random picture, scaled to `size`, half of them painted over, some with objects in it."""
        picture = self.full_picture(int(rng.integers(len(self.scenery))))
        height, width = picture.shape[:2]
        side_max = min(height, width)
        span = int(np.exp(rng.uniform(np.log(min(0.8 * size, side_max)), np.log(side_max))))
        x, y = int(rng.integers(width - span + 1)), int(rng.integers(height - span + 1))
        square = picture[y : y + span, x : x + span]
        interpolation = cv2.INTER_AREA if span > size else cv2.INTER_CUBIC
        resized = cv2.resize(
            square[:, ::-1] if rng.random() < 0.5 else square, (size, size), interpolation=interpolation
        )
        if rng.random() < 0.5:
            resized = painted(rng, resized)
        if self.objects and rng.random() < 0.3:
            for _ in range(int(rng.integers(1, 7))):
                x, y = rng.uniform(0, size, 2)
                self.lay(rng, resized, float(x), float(y), float(np.exp(rng.uniform(np.log(12), np.log(0.7 * size)))))
        return np.ascontiguousarray(resized)

    def lay(self, rng: np.random.Generator, picture: Picture, x: float, y: float, size: float) -> None:
        """Pastes a random object, `size` pixels long, with its middle at x, y."""
        cutout = self.objects[int(rng.integers(len(self.objects)))]
        scale = size / max(cutout.shape[:2])
        extent = max(4, round(cutout.shape[1] * scale)), max(4, round(cutout.shape[0] * scale))
        tile = cv2.resize(cutout, extent, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        if rng.random() < 0.5:
            tile = tile[:, ::-1]
        colours = np.ascontiguousarray(tile[..., :3])
        if rng.random() < 0.3:
            colours = np.ascontiguousarray(colours[..., rng.permutation(3)])
        cover = np.asarray(tile[..., 3] / np.float32(255), np.float32)
        paste(picture, colours, cover, round(x - extent[0] / 2), round(y - extent[1] / 2))


def read_gathered(folder: Path) -> tuple[Gathered, Gathered]:
    """The training and the validation part of a gathered folder; whole sources are held out, and pictures of others."""
    parts = (Gathered(), Gathered())
    files = sorted([*(folder / "scenery").glob("*.jpg"), *(folder / "objects").glob("*.png")])
    if not files:
        raise SystemExit(f"{folder}: no gathered pictures; make them with python -m training.gathered")
    sources = sorted({path.name.split("~")[0] for path in files})
    for path in files:
        held = sources.index(path.name.split("~")[0]) % HELD_SOURCE == 1 or int(path.stem[-8:], 16) % HELD_PICTURE == 0
        if path.suffix == ".jpg":
            parts[held].scenery.append(path.read_bytes())
            continue
        cutout = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if cutout is None or cutout.shape[2] != 4:
            raise SystemExit(f"{path} is not a picture with transparency; gather the folder again")
        parts[held].objects.append(np.ascontiguousarray(cv2.cvtColor(cutout, cv2.COLOR_BGRA2RGBA)))
    for part, what in zip(parts, ("to learn from", "to hold out"), strict=True):
        if not part.scenery:
            raise SystemExit(f"{folder}: no scenery {what}; gather more sources")
    return parts


def _colours(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """Any decoded picture as uint8 BGRA."""
    if picture.dtype == np.uint16:
        picture = (picture / 257).astype(np.uint8)
    if picture.ndim == 2:
        picture = cv2.cvtColor(picture.astype(np.uint8), cv2.COLOR_GRAY2BGR)
    if picture.shape[2] == 3:
        picture = cv2.cvtColor(picture.astype(np.uint8), cv2.COLOR_BGR2BGRA)
    return np.asarray(picture, np.uint8)


def _shrunk(picture: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    scale = min(1.0, longest / max(picture.shape[:2]))
    if scale == 1.0:
        return picture
    width, height = (max(1, round(side * scale)) for side in picture.shape[1::-1])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _write(path: Path, picture: NDArray[np.uint8], options: list[int]) -> None:
    if not cv2.imwrite(str(path), picture, options):
        raise SystemExit(f"{path} cannot be written; is the disk full?")


def gather(source: Path, out: Path, skipped: list[str], seen: set[bytes]) -> tuple[int, int]:
    """Copy one source's pictures without duplicates; returns the numbers of scenery and objects."""
    counts = [0, 0]
    folders: dict[Path, list[Path]] = {}
    for path in sorted(source.rglob("*")):
        name = f"{source.name}/{path.relative_to(source)}"
        if path.suffix.lower() in SUFFIXES and path.is_file() and not any(fnmatch.fnmatch(name, s) for s in skipped):
            folders.setdefault(path.parent, []).append(path)
    for files in folders.values():
        indexes = np.unique(np.linspace(0, len(files) - 1, min(len(files), MOST_OF_A_FOLDER)).astype(int))
        for path in (files[place] for place in indexes):
            decoded = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            if decoded is None or min(decoded.shape[:2]) < 32:
                continue
            picture = _colours(decoded)
            opaque = float((picture[..., 3] > 250).mean())
            key = cv2.resize(picture, (16, 16), interpolation=cv2.INTER_AREA)
            if key[..., :3].std() < 6 or (key // 16).tobytes() in seen:
                continue
            seen.add((key // 16).tobytes())
            stem = f"{source.name}~{hashlib.sha256(str(path.relative_to(source)).encode()).hexdigest()[:8]}"
            if opaque > 0.97 and min(picture.shape[:2]) >= SHORTEST:
                stored = np.ascontiguousarray(_shrunk(picture, LONGEST)[..., :3])
                if min(stored.shape[:2]) >= SHORTEST:
                    _write(out / "scenery" / f"{stem}.jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, 93])
                    counts[0] += 1
            elif 0.08 < opaque <= 0.97:
                _write(out / "objects" / f"{stem}.png", _shrunk(picture, OBJECT), [])
                counts[1] += 1
    return counts[0], counts[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--skip", type=Path, default=Path(__file__).with_name("face_free.txt"))
    parser.add_argument("folders", type=Path, nargs="+")
    options = parser.parse_args()
    lines = options.skip.read_text(encoding="utf-8").splitlines()
    skipped = [line for line in lines if line and not line.startswith("#")]
    for part in ("scenery", "objects"):
        (options.out / part).mkdir(parents=True, exist_ok=True)
    seen: set[bytes] = set()
    if len({source.name for source in options.folders}) < len(options.folders):
        raise SystemExit("two of the folders have the same name; names identify sources")
    for source in options.folders:
        scenery, objects = gather(source, options.out, skipped, seen)
        print(f"{source.name}: {scenery} pictures of scenery, {objects} objects", flush=True)


if __name__ == "__main__":
    main()
