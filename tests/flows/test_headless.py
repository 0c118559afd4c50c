"""The main job without a browser: a drawn film and folders of faces in, a dataset with the right names out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from demo_film.truth import Box, Truth, read_truth, truth_path
from tests.flows.dataset import DataSet
from tests.flows.launched import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("headless"), pytest.mark.time_limit(900)]

REFERENCES_EACH = 3
SAME = 0.4  # overlap of a found box with the drawn one


@dataclass
class Koma:
    """The command with a data folder of its own, without Redis."""

    data_dir: Path

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        environment = {
            k: v for k, v in os.environ.items() if not k.startswith("KOMA_") and k != "DJANGO_SETTINGS_MODULE"
        }
        for name in ("DATABASE_URL", "REDIS_URL"):
            environment.pop(name, None)
        environment |= {"KOMA_DATA_DIR": str(self.data_dir), "KOMA_DISK_RESERVE_BYTES": "0"}
        return subprocess.Popen(
            [sys.executable, "manage.py", "build_dataset", *map(str, arguments), "--json"],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *arguments: object, code: int = 0) -> dict[str, Any]:
        """The JSON line that comes last, of a call that must end with this exit code."""
        process = self.start(*arguments)
        out, errors = process.communicate(timeout=600)
        assert process.returncode == code, out[-2000:] + errors[-4000:]
        return dict(json.loads(out.splitlines()[-1]))


def write_references(film: Path, truth: Truth, folder: Path) -> dict[str, str]:
    """Some of each named person's faces as pictures in a folder of her name; returns the folder of each key."""
    expected: dict[int, list[tuple[str, Box]]] = {}
    names: dict[str, str] = {}
    taken: dict[str, int] = {}
    for drawing in truth.drawings:
        start, end = drawing.runs[0]
        frame = (start + end) // 2
        for person, box in truth.faces_at(frame):
            if person.name and taken.get(person.key, 0) < REFERENCES_EACH and box[3] - box[1] > 0.1:
                taken[person.key] = taken.get(person.key, 0) + 1
                names[person.key] = person.name
                expected.setdefault(frame, []).append((person.name, box))
    with av.open(str(film)) as container:
        for number, picture in enumerate(container.decode(video=0)):
            for index, (name, (left, top, right, bottom)) in enumerate(expected.get(number, ())):
                image = picture.to_image()
                width, height = image.size
                pad = 0.6 * (bottom - top) * height  # hair belongs to a face
                side = (left * width - pad, top * height - pad, right * width + pad, bottom * height + pad)
                (folder / name).mkdir(parents=True, exist_ok=True)
                crop = image.crop((int(side[0]), int(side[1]), int(side[2]), int(side[3])))
                crop.resize((192, 192), Image.Resampling.LANCZOS).save(folder / name / f"{number}-{index}.png")
    return names


def overlap(a: Box, b: Box) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def tell(made: DataSet, truth: Truth) -> tuple[int, int]:
    """How many names the JSON files give that the film's truth confirms, and how many that it denies."""
    right = wrong = 0
    for picture in made.pictures:
        facts = made.facts(picture)
        frame = int(picture.rpartition("_")[2].partition(".")[0])
        real = {
            person.name
            for person, box in truth.faces_at(frame)
            if any(overlap(box, (b[0], b[1], b[2], b[3])) > SAME for b in facts["facepos"])
        }
        for name in facts["character"]:
            right, wrong = right + (name in real), wrong + (name not in real)
    return right, wrong


def test_references_name_the_faces_of_a_film_and_exit_codes_tell_the_truth(
    drawn_film: Path, tmp_path: Path, with_tables: Callable[[Path], Path]
) -> None:
    truth = read_truth(truth_path(drawn_film))
    names = write_references(drawn_film, truth, tmp_path / "people")
    koma, lie = Koma(with_tables(tmp_path / "data")), tmp_path / "lie.mp4"
    lie.write_text("#EXTM3U\nfile:///etc/passwd\n")
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps({"arrange": {"min_per_combination": 1}}))
    common = ("--collection", "Yama", "--out", tmp_path / "out", "--references", tmp_path / "people")
    common += ("--recipe", recipe)

    result = koma.run(drawn_film, *common)

    assert result["ok"]
    assert result["inputs"][0]["episode"]
    assert {"extract", "dedup", "detect", "tag", "embed", "cluster", "identify", "export"} <= set(result["seconds"])
    path = DataSet.of_folder(tmp_path / "out")
    assert len(path.pictures) == result["counts"]["exported"]
    assert result["counts"]["named"] > 0
    assert set(path.faces_named()) <= set(names.values())
    right, wrong = tell(path, truth)
    assert right >= 4
    assert wrong <= 0.15 * (right + wrong), (right, wrong)
    assert path.multiplies() == pytest.approx(path.expected_multiplies({}), abs=0.011)

    again = koma.run(drawn_film, lie, *common, code=1)  # one input that does not work; the other is known and done
    assert [entry["ok"] for entry in again["inputs"]] == [True, False]
    assert "lie.mp4" in again["inputs"][1]["reason"]
    assert DataSet.of_folder(tmp_path / "out").files == path.files
