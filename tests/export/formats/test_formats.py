"""Every format is written whole, resumed after a stop, and read by the reader of its own program."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from export.algorithms.plan import Plan, make_plan
from export.algorithms.recipe import Recipe, parse
from export.algorithms.rows import Face, Picture
from export.build import write
from export.build.write import build
from export.formats import webdataset
from export.formats.registry import FORMATS
from ingest.errors import BadInput, KomaError
from ingest.imaging.store import Store
from tests.export.readers import trainers

NAMES = ["Mai", "A+B", "others", "Ena, the 2nd", "花子 ☆彡", "Mr. X", 'O"Hara & <Sons>', "=1+1", "con", "{Nao}|||;;;\\"]
STEMS = ["a.b_1", "con", "é" * 60, "same", "same", "e\u0301mile", "multiply", "🙂" * 70, "x,y+z", "-dash"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def pictures(store: Store, count: int = 20) -> list[Picture]:
    rows = []
    for number in range(count):
        rgb = np.random.default_rng(number).integers(0, 255, (72, 128, 3), dtype=np.uint8)
        names = [NAMES[number % len(NAMES)], "Mai"][: number % 3]
        rows.append(
            Picture(
                key=f"source:{number:08d}",
                stem=STEMS[number % len(STEMS)] + (str(number) if number >= len(STEMS) else ""),
                file=store.put(cv2.imencode(".png", rgb)[1].tobytes(), "png"),
                width=128,
                height=72,
                faces=tuple(
                    Face(left=0.1 + 0.4 * n, top=0.2, right=0.35 + 0.4 * n, bottom=0.9, character=name)
                    for n, name in enumerate(names)
                ),
                tags=("1girl", "long_hair", "smile") if number % 4 else (),
                scores=(0.9, 0.8, 0.7) if number % 4 else (),
                series="yama" if number % 4 else "",
                image_type="screenshots" if number % 5 else "regularization",
            )
        )
    return rows


def recipe(layout: str, **sections: Any) -> Recipe:
    output = {"layout": layout} | sections.pop("output", {})
    base: dict[str, Any] = {
        "arrange": {"min_per_combination": 1, "format": "image_type/n_characters/character"},
        "selection": {"min_faces": 0},
        "balance": {"weights": "regularization,0.3\nMai,2.4\n"},
        "metadata": {"general": ""},
    }
    return parse(base | {"output": output} | sections)


def plan_of(store: Store, chosen: Recipe, *, splits: bool = False) -> Plan:
    plan = make_plan(pictures(store), chosen)
    if not splits:
        return plan
    names = ["train", "train", "validation", "test"]
    return replace(plan, items=tuple(replace(item, split=names[n % 4]) for n, item in enumerate(plan.items)))


def set_of(store: Store, folder: Path, layout: str, *, splits: bool = False, **sections: Any) -> Plan:
    chosen = recipe(layout, **sections)
    plan = plan_of(store, chosen, splits=splits)
    build(plan, chosen, store=store, folder=folder)
    return plan


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def captions(plan: Plan) -> dict[str, str]:
    return {item.stem: item.caption for item in plan.items}


@pytest.mark.parametrize("layout", FORMATS)
def test_a_format_finds_every_picture_again_and_says_how_to_start(store: Store, tmp_path: Path, layout: str) -> None:
    plan = set_of(store, tmp_path / "a", layout)
    contents = FORMATS[layout].check(tmp_path / "a", recipe(layout))
    assert contents.pictures == len(list(plan.items)) == 20
    text = (tmp_path / "a" / "HOW_TO_START.md").read_text()
    assert text.startswith("# ")
    assert "20 pictures" in text
    assert json.loads((tmp_path / "a" / "dataset.json").read_text())["images"] == 20
    assert not [path for path in (tmp_path / "a").iterdir() if path.name.startswith(".building")]
    set_of(store, tmp_path / "b", layout)
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")


class Stop(Exception):
    pass


@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("stop_at", [1, 9, 20])
def test_a_format_that_was_stopped_ends_with_the_same_bytes(
    store: Store, tmp_path: Path, layout: str, stop_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "_BATCH", 1)
    monkeypatch.setattr(webdataset, "SHARD_PICTURES", 3)
    set_of(store, tmp_path / "whole", layout, splits=True)

    def stop(done: int) -> None:
        if done >= stop_at:
            raise Stop

    chosen = recipe(layout)
    plan = plan_of(store, chosen, splits=True)
    with pytest.raises(Stop):
        build(plan, chosen, store=store, folder=tmp_path / "out", on_progress=stop)
    built = build(plan, chosen, store=store, folder=tmp_path / "out")
    assert built.written + built.resumed == 20
    assert hashes(tmp_path / "out") == hashes(tmp_path / "whole")


def test_everydream2_reads_every_caption_and_each_folders_multiply(store: Store, tmp_path: Path) -> None:
    plan = set_of(store, tmp_path / "out", "hierarchy")
    found = trainers.everydream2(tmp_path / "out")
    weights = {item.stem: item.weight for item in plan.items}
    assert {stem: uses for stem, (_, uses) in found.items()} == weights
    assert len(set(weights.values())) > 2
    for stem, caption in captions(plan).items():
        if caption:
            assert found[stem][0] == caption
    assert any(not caption for caption in captions(plan).values())


def test_everydream2_is_warned_of_for_pictures_without_a_caption(store: Store, tmp_path: Path) -> None:
    chosen = recipe("hierarchy")
    built = build(plan_of(store, chosen), chosen, store=store, folder=tmp_path / "out")
    assert any("without a caption: EveryDream2 takes the beginning of the file name" in text for text in built.warnings)


def test_kohyas_folders_are_read_with_its_default_ending_also_where_the_caption_is_empty(
    store: Store, tmp_path: Path
) -> None:
    plan = set_of(store, tmp_path / "out", "kohya")
    found = trainers.kohya_folders(tmp_path / "out")
    assert {stem: caption for stem, (caption, _) in found.items()} == captions(plan)
    assert "" in captions(plan).values()
    assert {stem: uses for stem, (_, uses) in found.items()} == {
        item.stem: max(1, round(item.weight)) for item in plan.items
    }


@pytest.mark.parametrize("layout", ["kohya", "kohya-toml", "kohya-metadata"])
@pytest.mark.parametrize("ending", ["", ".txt"])
def test_kohyas_dataset_toml_keeps_to_the_schema_and_finds_every_caption(
    store: Store, tmp_path: Path, layout: str, ending: str
) -> None:
    plan = set_of(store, tmp_path / "out", layout, output={"caption_ending": ending})
    found = trainers.kohya_toml(tmp_path / "out")
    assert {stem: caption for stem, (caption, _) in found.items()} == captions(plan)
    assert {uses for _, uses in found.values()} == {float(max(1, round(item.weight))) for item in plan.items}
    if layout != "kohya-metadata":
        assert "is_reg = true" in (tmp_path / "out" / "dataset.toml").read_text()


def test_onetrainer_uses_the_floor_of_pictures_times_balancing(store: Store, tmp_path: Path) -> None:
    plan = set_of(store, tmp_path / "out", "onetrainer")
    found, samples = trainers.onetrainer(tmp_path / "out")
    assert {stem: caption for stem, (caption, _) in found.items()} == captions(plan)
    shares = {share.path: share for share in plan.balance.folders}
    assert samples == sum(int(share.pictures * share.multiply) for share in shares.values())


@pytest.mark.parametrize(
    ("layout", "read"),
    [("ai-toolkit", trainers.ai_toolkit), ("simpletuner", trainers.simpletuner), ("hcp", trainers.hcp)],
)
@pytest.mark.parametrize("levels", ["image_type/n_characters/character", "character", ""])
def test_each_picture_is_read_once_with_its_caption_and_its_whole_repeats(
    store: Store, tmp_path: Path, layout: str, read: Any, levels: str
) -> None:
    plan = set_of(
        store,
        tmp_path / "out",
        layout,
        arrange={"min_per_combination": 1, "format": levels},
        caption={"separator": ", "},
    )
    found = read(tmp_path / "out")
    assert {stem: caption for stem, (caption, _) in found.items()} == captions(plan)
    assert {stem: uses for stem, (_, uses) in found.items()} == {
        item.stem: float(max(1, round(item.weight))) for item in plan.items
    }


def test_masks_beside_pictures_are_refused_for_trainers_that_would_learn_them(store: Store, tmp_path: Path) -> None:
    for layout in FORMATS:
        chosen = recipe(layout, output={"masks": "onetrainer"})
        if layout == "onetrainer":
            continue
        with pytest.raises((BadInput, ValueError), match="mask"):
            build(plan_of(store, chosen), chosen, store=store, folder=tmp_path / layout, masker=FakeMask())


class FakeMask:
    """A mask model that finds the left half."""

    identity = "left half"

    def mask(self, rgb: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        mask = np.zeros(rgb.shape[:2], np.uint8)
        mask[:, : mask.shape[1] // 2] = 255
        return mask


@pytest.mark.parametrize(
    ("layout", "read"),
    [("kohya", trainers.kohya_toml), ("ai-toolkit", trainers.ai_toolkit), ("simpletuner", trainers.simpletuner)],
)
def test_masks_lie_where_the_trainer_is_told_and_are_not_read_as_pictures(
    store: Store, tmp_path: Path, layout: str, read: Any
) -> None:
    chosen = recipe(layout, output={"masks": "folder"})
    build(plan_of(store, chosen), chosen, store=store, folder=tmp_path / "out", masker=FakeMask())
    assert len(read(tmp_path / "out")) == 20
    assert len(list((tmp_path / "out" / "masks").rglob("*.png"))) == 20


@pytest.mark.parametrize("layout", ["imagefolder", "imagefolder-parquet"])
def test_hugging_face_datasets_load_it_with_captions_boxes_and_splits(
    store: Store, tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    import datasets

    plan = set_of(store, tmp_path / "out", layout, splits=True)
    for loaded in (
        datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "out"), cache_dir=str(tmp_path / "cache")),
        datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache2")),
    ):
        assert {name: rows.num_rows for name, rows in loaded.items()} == {"train": 10, "validation": 5, "test": 5}
        found = {}
        for rows in loaded.values():
            for row in rows:
                assert row["image"].size == (row["width"], row["height"]) == (128, 72)
                assert len(row["objects"]["bbox"]) == len(row["objects"]["category"])
                found[row["key"]] = row
        for item in plan.items:
            row = found[item.picture.key]
            assert row["text"] == item.caption
            assert row["characters"] == list(item.picture.names)
            assert row["split"] == item.split


def test_webdataset_reads_every_sample_once_with_all_its_files(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import webdataset as reader

    monkeypatch.setattr(webdataset, "SHARD_PICTURES", 4)
    plan = set_of(store, tmp_path / "out", "webdataset", splits=True)
    sizes = json.loads((tmp_path / "out" / "sizes.json").read_text())
    assert sum(sizes.values()) == 20
    assert {name.rpartition("-")[0] for name in sizes} == {"train", "validation", "test"}
    found = {}
    for name, count in sizes.items():
        samples = list(reader.WebDataset(str(tmp_path / "out" / name), shardshuffle=False).decode("pil"))
        assert len(samples) == count <= 4
        for sample in samples:
            found[sample["json"]["key"]] = sample
    for item in plan.items:
        sample = found[item.picture.key]
        assert sample["txt"] == item.caption
        assert sample["png"].size == (128, 72)
        assert sample["json"]["characters"] == list(item.picture.names)


def test_pycocotools_read_every_box_with_its_character(store: Store, tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    plan = set_of(store, tmp_path / "out", "coco", splits=True)
    pictures_found, boxes = 0, []
    for path in (tmp_path / "out" / "annotations").iterdir():
        coco = COCO(str(path))
        pictures_found += len(coco.imgs)
        for box in coco.anns.values():
            image = coco.imgs[box["image_id"]]
            split = path.stem.removeprefix("instances_")
            assert (tmp_path / "out" / "images" / split / image["file_name"]).is_file()
            left, top, width, height = box["bbox"]
            assert left + width <= image["width"] and top + height <= image["height"]
            boxes.append(coco.cats[box["category_id"]]["name"])
    assert pictures_found == 20
    assert sorted(boxes) == sorted(face.character for item in plan.items for face in item.picture.faces)


@pytest.mark.parametrize(
    ("layout", "read"), [("yolo", trainers.yolo), ("cvat", trainers.cvat), ("label-studio", trainers.label_studio)]
)
def test_annotation_formats_hold_every_box_of_every_picture(
    store: Store, tmp_path: Path, layout: str, read: Any
) -> None:
    plan = set_of(store, tmp_path / "out", layout)
    found = read(tmp_path / "out")
    assert {stem: len(rows) for stem, rows in found.items()} == {
        item.stem: len(item.picture.faces) for item in plan.items
    }
    if layout != "yolo":
        characters = {stem: [row[0] for row in rows] for stem, rows in found.items()}
        assert characters == {item.stem: [face.character for face in item.picture.faces] for item in plan.items}


def test_boxes_beyond_the_picture_or_without_size_are_cut_or_left_out(store: Store, tmp_path: Path) -> None:
    box = Face(left=-0.2, top=0.5, right=1.3, bottom=1.0, character="Mai")
    thin = Face(left=0.5, top=0.5, right=0.501, bottom=0.9, character="Mai")
    row = replace(pictures(store, 1)[0], faces=(box, box, thin))
    chosen = recipe("yolo")
    build(make_plan([row], chosen), chosen, store=store, folder=tmp_path / "out")
    ((label,),) = trainers.yolo(tmp_path / "out").values()
    assert label == (0, 0.5, 0.75, 1.0, 0.5)


def test_csv_cells_are_no_formulas_and_every_picture_has_a_row(store: Store, tmp_path: Path) -> None:
    import csv

    set_of(store, tmp_path / "out", "csv")
    with (tmp_path / "out" / "pictures.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20
    assert any(row["characters"].startswith("'=1+1") for row in rows)
    with (tmp_path / "out" / "faces.csv").open(encoding="utf-8-sig", newline="") as file:
        faces = list(csv.DictReader(file))
    assert len(faces) == sum(n % 3 for n in range(20))
    assert not any(value.startswith(("=", "+", "@")) for row in (*rows, *faces) for value in row.values())


def test_sizes_in_files_are_those_of_the_written_pictures(store: Store, tmp_path: Path) -> None:
    """A crop and a smaller picture: what the JSON and the tables say is what a reader measures."""
    tall = replace(pictures(store, 2)[1], file=big(store), width=1300, height=700)
    sections: dict[str, Any] = {"selection": {"min_faces": 0, "size": 512}, "crops": {"enabled": True}}
    for layout in ("hierarchy", "kohya-metadata"):
        chosen = recipe(layout, metadata={"version": "v2"}, **sections)
        build(make_plan([tall], chosen), chosen, store=store, folder=tmp_path / layout)
    for path in (tmp_path / "hierarchy").rglob("*.png"):
        with Image.open(path) as image:
            assert json.loads(path.with_suffix(".json").read_text())["image_size"] == list(image.size)
    (metadata,) = (tmp_path / "kohya-metadata").glob("metadata_*.json")
    for name, entry in json.loads(metadata.read_text()).items():
        with Image.open(tmp_path / "kohya-metadata" / name) as image:
            assert entry["image_size"] == list(image.size)


def big(store: Store) -> str:
    rgb = np.random.default_rng(0).integers(0, 255, (700, 1300, 3), dtype=np.uint8)
    return store.put(cv2.imencode(".png", rgb)[1].tobytes(), "png")


def test_a_shard_that_vanished_is_told_and_everything_is_written_again(store: Store, tmp_path: Path) -> None:
    chosen = recipe("webdataset")
    plan = plan_of(store, chosen)
    folder = tmp_path / "out"
    with pytest.raises(KomaError, match="its reader finds 0"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(webdataset._Writer, "how_to_start", lambda *_: (folder / "train-000000.tar").unlink())
        build(plan, chosen, store=store, folder=folder)
    assert build(plan, chosen, store=store, folder=folder).written == 20
