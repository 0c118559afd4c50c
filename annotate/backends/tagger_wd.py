"""The WD taggers, version 3: `model.onnx` with its `selected_tags.csv`, exactly as they were trained to be fed."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from annotate.algorithms.tag_rules import CHARACTER_MCUT_MIN, CHARACTER_THRESHOLD, GENERAL_THRESHOLD, above, mcut
from annotate.backends import onnx_session, weights
from annotate.backends.contract import ModelInfo, Picture, Tag, Tagged
from annotate.backends.onnx_session import AUTO
from annotate.backends.registry import Installed
from ingest.errors import BadInput

MODEL_FILE, TAGS_FILE = "model.onnx", "selected_tags.csv"
RATING, GENERAL, CHARACTER = 9, 0, 4
NAMELESS = -1  # a row that was blanked out: no category, never given
CATEGORY_NAMES = {RATING: "rating", GENERAL: "general", CHARACTER: "character"}
WHITE = 255
BATCH = 4  # pictures a call on the CPU, where larger ones gain nothing
BATCH_GPU = 32
PREPARE_THREADS = 4
NAME_MAX = 200  # characters that the database keeps of a tag


@dataclass(frozen=True, slots=True)
class TagRow:
    """One output of the network: its tag with underscores, and Danbooru's category number (9: rating)."""

    name: str
    category: int


def installed(models_folder: Path) -> list[str]:
    """Names of the taggers below the models folder: sub-folders that hold both files, in order of name."""
    if not models_folder.is_dir():
        return []
    return sorted(
        folder.name
        for folder in models_folder.iterdir()
        if folder.is_dir() and (folder / MODEL_FILE).is_file() and (folder / TAGS_FILE).is_file()
    )


class WdTagger:
    """A tagger from a folder with MODEL_FILE and TAGS_FILE."""

    def __init__(
        self,
        folder: Path,
        *,
        general: float = GENERAL_THRESHOLD,
        character: float = CHARACTER_THRESHOLD,
        use_mcut: bool = False,
        threads: int = 0,
        device: str = AUTO,
    ) -> None:
        """Raises BadInput when a file is missing, is not what its name says, or the two do not belong together."""
        model, table = folder / MODEL_FILE, folder / TAGS_FILE
        for path in (model, table):
            if not path.is_file():
                raise BadInput(f"{path} is missing. A WD tagger needs {MODEL_FILE} and {TAGS_FILE} in one folder.")
        self.rows = read_table(table)
        self._places = {
            category: np.array([at for at, row in enumerate(self.rows) if row.category == category], np.int64)
            for category in CATEGORY_NAMES
        }
        self._opened = onnx_session.open_session(model, threads=threads, device=device)
        self.side = _side(self._opened.session, model)
        self._batch = _batch(self._opened)
        _check_count(self._opened.session, model, table, rows=len(self.rows))
        self._table = table
        self._input = self._opened.session.get_inputs()[0].name
        self._output = self._opened.session.get_outputs()[0].name
        self.general, self.character, self.use_mcut = general, character, use_mcut
        self.device = self._opened.device
        self.info = ModelInfo(
            task="tags",
            name=folder.name,
            revision="v3",
            sha256=weights.sha256_of(model),
            settings={"general": general, "character": character, "mcut": use_mcut},
        )

    def tag(self, pictures: Sequence[Picture]) -> list[Tagged]:
        """Tags of each picture (uint8 [h, w, 3] RGB or [h, w, 4] RGBA) above the thresholds."""
        return [self._tagged(row) for row in self.probabilities(pictures)]

    def probabilities(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Raw outputs [n, tags]. While the network works on one batch, threads prepare the next."""
        rows: list[NDArray[np.float32]] = []
        with ThreadPoolExecutor(PREPARE_THREADS) as pool:
            for batch in self._prepared(pictures, pool):
                answer = self._opened.session.run([self._output], {self._input: batch})[0]
                if answer.ndim != 2 or answer.shape[1] != len(self.rows):
                    raise BadInput(_mismatch(self._table, len(self.rows), answer.shape[-1]))
                rows.append(np.asarray(answer, np.float32))
        return np.concatenate(rows) if rows else np.zeros((0, len(self.rows)), np.float32)

    def _prepared(self, pictures: Sequence[Picture], pool: ThreadPoolExecutor) -> Iterator[NDArray[np.float32]]:
        def begin(start: int) -> list[Future[NDArray[np.float32]]]:
            return [pool.submit(prepare, picture, self.side) for picture in pictures[start : start + self._batch]]

        waiting = begin(0)
        for start in range(0, len(pictures), self._batch):
            batch = np.stack([one.result() for one in waiting])
            waiting = begin(start + self._batch)
            yield batch

    def _tagged(self, scores: NDArray[np.float32]) -> Tagged:
        found: list[Tag] = []
        for category, threshold in ((GENERAL, self.general), (CHARACTER, self.character)):
            places = self._places[category]
            own = scores[places]
            if self.use_mcut and len(places):
                threshold = mcut(own)
                threshold = max(CHARACTER_MCUT_MIN, threshold) if category == CHARACTER else threshold
            # Few of thousands pass: only these become Python objects.
            passed = {self.rows[place].name: float(scores[place]) for place in places[own > threshold]}
            found += [Tag(name, CATEGORY_NAMES[category], score) for name, score in above(passed, threshold).items()]
        ratings = self._places[RATING]
        rating = self.rows[ratings[int(scores[ratings].argmax())]].name if len(ratings) else ""
        return Tagged(tuple(found), rating)


def open_installed(found: Installed, *, device: str = AUTO, threads: int = 0) -> WdTagger:
    """The tagger in a folder of the models folder, with its default thresholds."""
    return WdTagger(found.path, device=device, threads=threads)


def prepare(picture: Picture, side: int) -> NDArray[np.float32]:
    """What the network eats: float32 [side, side, 3], blue first, 0 to 255.

    Steps: alpha on white; white round the picture to a square, the picture in its middle (left = (S - w) // 2);
    bicubic to `side`; red and blue change places.
    """
    rgb = _on_white(picture)
    height, width = rgb.shape[:2]
    longer = max(height, width)
    square = np.full((longer, longer, 3), WHITE, np.uint8)
    top, left = (longer - height) // 2, (longer - width) // 2
    square[top : top + height, left : left + width] = rgb
    if longer != side:
        square = np.asarray(Image.fromarray(square).resize((side, side), Image.Resampling.BICUBIC), np.uint8)
    return square[:, :, ::-1].astype(np.float32)


def read_table(path: Path) -> list[TagRow]:
    """The rows of `selected_tags.csv` (tag_id,name,category,count) in order; BadInput with the row that is wrong."""
    rows: list[TagRow] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            if not {"name", "category"} <= set(reader.fieldnames or ()):
                raise BadInput(f"{path}: the first line must name the columns tag_id,name,category,count.")
            for cells in reader:
                if not any((value or "").strip() for value in cells.values() if not isinstance(value, list)):
                    rows.append(TagRow("", NAMELESS))  # still an output of the network: those after it keep their place
                    continue
                category = (cells.get("category") or "").strip()
                if not cells.get("name") or not category.isdecimal():
                    raise BadInput(f"{path}: row {reader.line_num} has no name or no category number.")
                name = str(cells["name"])
                if not name.isprintable() or len(name) > NAME_MAX:
                    raise BadInput(f"{path}: row {reader.line_num}: {name[:40]!r} cannot be a tag. Get the file again.")
                rows.append(TagRow(name, int(category)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: the list of tags cannot be read ({error}). Get the file again.") from error
    if not any(row.name for row in rows):
        raise BadInput(f"{path}: the list of tags is empty. Get the file again.")
    return rows


def _on_white(picture: Picture) -> Picture:
    if picture.ndim != 3 or picture.shape[2] not in (3, 4) or picture.dtype != np.uint8:
        raise ValueError(f"a picture must be uint8 [h, w, 3] or [h, w, 4], not {picture.dtype} {picture.shape}")
    if picture.shape[2] == 3:
        return picture
    alpha = picture[:, :, 3:].astype(np.uint16)
    mixed = picture[:, :, :3].astype(np.uint16) * alpha + WHITE * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _side(session: Any, path: Path) -> int:
    shapes = [one.shape for one in session.get_inputs()]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][3] != 3 or not isinstance(shapes[0][1], int):
        raise BadInput(f"{path}: this ONNX file is no WD tagger: it takes {shapes}, not one [n, side, side, 3].")
    if shapes[0][1] != shapes[0][2]:
        raise BadInput(f"{path}: this ONNX file is no WD tagger: its input {shapes[0]} is not square.")
    return int(shapes[0][1])


def _batch(opened: onnx_session.Opened) -> int:
    fixed = opened.session.get_inputs()[0].shape[0]
    return fixed if isinstance(fixed, int) and fixed > 0 else BATCH_GPU if opened.on_gpu else BATCH


def _check_count(session: Any, model: Path, table: Path, *, rows: int) -> None:
    shape = session.get_outputs()[0].shape
    if len(shape) != 2:
        raise BadInput(f"{model}: this ONNX file is no WD tagger: it gives {shape}, not [n, tags].")
    if isinstance(shape[1], int) and shape[1] != rows:
        raise BadInput(_mismatch(table, rows, shape[1]))


def _mismatch(table: Path, rows: int, outputs: int) -> str:
    return (
        f"{table} lists {rows} tags, but the network beside it gives {outputs}: the two files are of different models. "
        "Download both from the same place."
    )
