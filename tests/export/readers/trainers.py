"""What trainers find in a folder: pictures with their captions, and how often each is used in an epoch.

Each function follows the rules of its trainer's own code, including those that surprise.
"""

from __future__ import annotations

import json
import math
import tomllib
from pathlib import Path
from typing import Any

import yaml

PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
Set = dict[str, tuple[str, float]]  # picture's stem -> caption, uses per epoch


def everydream2(root: Path) -> Set:
    """Sub-folders without a leading dot; `multiply.txt` of the own folder; a caption file or the file name."""
    found: Set = {}
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if path.suffix.lower() not in PICTURES or any(part.startswith(".") for part in parts):
            continue
        multiply = path.parent / "multiply.txt"
        caption = path.stem.split("_")[0]
        side = path.with_suffix(".txt")
        if side.exists():
            main, *tags = side.read_text("utf-8").split(",")
            if main:
                caption = ", ".join((main, *(tag.strip() for tag in dict.fromkeys(tags))))
        found[path.stem] = (caption, float(multiply.read_text()) if multiply.exists() else 1.0)
    return found


def kohya_folders(root: Path, *, caption_extension: str = ".caption") -> Set:
    """Folders `N_class` of one level; the first line of a caption file, else the class words."""
    found: Set = {}
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        number, _, words = folder.name.partition("_")
        if not number.isdigit() or int(number) < 1:
            continue
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in PICTURES:
                found[path.stem] = (_kohya_caption(path, caption_extension, words), float(number))
    return found


def _kohya_caption(path: Path, extension: str, class_words: str) -> str:
    side = path.with_suffix(extension)
    if not side.exists():
        return class_words
    lines = side.read_text("utf-8").splitlines()
    if not lines:
        raise ValueError(f"{side} is empty")
    return lines[0].strip()


_SUBSET = {
    "image_dir": str, "num_repeats": int, "is_reg": bool, "metadata_file": str, "conditioning_data_dir": str,
    "enable_wildcard": bool, "keep_tokens_separator": str,
}  # fmt: skip
_DATASET = {"resolution": int, "subsets": list}
_GENERAL = {"caption_extension": str, "enable_bucket": bool, "bucket_no_upscale": bool}


def _check_keys(table: dict[str, Any], schema: dict[str, type]) -> None:
    for key, value in table.items():
        if key not in schema or type(value) is not schema[key]:
            raise ValueError(f"extra keys not allowed, or a wrong type: {key} = {value!r}")


def kohya_toml(root: Path) -> Set:
    """`--dataset_config dataset.toml`, started in the folder: strict keys and types, one folder per subset."""
    config = tomllib.loads((root / "dataset.toml").read_text("utf-8"))
    _check_keys(config, {"general": dict, "datasets": list})
    _check_keys(config["general"], _GENERAL)
    extension = config["general"].get("caption_extension", ".caption")
    found: Set = {}
    for dataset in config["datasets"]:
        _check_keys(dataset, _DATASET)
        for subset in dataset["subsets"]:
            _check_keys(subset, _SUBSET)
            folder, repeats = root / subset["image_dir"], float(subset["num_repeats"])
            if "metadata_file" in subset:
                entries = json.loads((root / subset["metadata_file"]).read_text("utf-8"))
                for name, entry in entries.items():
                    assert (folder / name).is_file()
                    assert len(entry["image_size"]) == 2
                    found[Path(name).stem] = (entry["caption"], repeats)
                continue
            for path in sorted(folder.iterdir()):
                if path.suffix.lower() not in PICTURES:
                    continue
                if "conditioning_data_dir" in subset:
                    assert (root / subset["conditioning_data_dir"] / f"{path.stem}.png").is_file()
                found[path.stem] = (_kohya_caption(path, extension, ""), repeats)
    return found


def onetrainer(root: Path) -> tuple[Set, int]:
    """A concept per entry, not recursive; uses per epoch = floor(pictures * balancing) of each, spread over them."""
    found: Set = {}
    samples = 0
    for concept in json.loads((root / "concepts.json").read_text("utf-8")):
        assert concept["__version"] == 2
        assert concept["include_subdirectories"] is False
        paths = [
            path
            for path in sorted((root / concept["path"]).iterdir())
            if path.suffix.lower() in PICTURES and not path.stem.endswith("-masklabel")
        ]
        count = math.floor(len(paths) * concept["balancing"])
        samples += count
        for path in paths:
            lines = [line for line in path.with_suffix(".txt").read_text("utf-8").split("\n") if line.strip()]
            found[path.stem] = (lines[0].strip() if lines else "", count / len(paths))
    return found, samples


def ai_toolkit(root: Path) -> Set:
    """`datasets:`; each folder with its sub-folders; commas are joined by `, ` again."""
    found: Set = {}
    for entry in yaml.safe_load((root / "datasets.yaml").read_text("utf-8"))["datasets"]:
        assert type(entry["num_repeats"]) is int
        for path in sorted((root / entry["folder_path"]).rglob("*")):
            if path.suffix.lower() in PICTURES:
                assert path.stem not in found, "read twice"
                text = path.with_suffix(f".{entry['caption_ext']}").read_text("utf-8")
                found[path.stem] = (", ".join(text.split(",")), float(entry["num_repeats"]))
                if "mask_path" in entry:
                    assert (root / entry["mask_path"] / f"{path.stem}.png").is_file()
    return found


def simpletuner(root: Path) -> Set:
    """Local image entries, every picture below each, also in hidden folders; a missing caption file raises."""
    found: Set = {}
    entries = json.loads((root / "multidatabackend.json").read_text("utf-8"))
    assert [row["dataset_type"] for row in entries].count("text_embeds") == 1
    ids = {row["id"]: row for row in entries}
    assert len(ids) == len(entries)
    for entry in entries:
        if entry["dataset_type"] != "image":
            continue
        for path in sorted((root / entry["instance_data_dir"]).rglob("*")):
            if path.suffix.lower() in PICTURES:
                assert path.stem not in found, "read twice"
                lines = path.with_suffix(".txt").read_text("utf-8").splitlines()
                found[path.stem] = (lines[0] if lines else "", int(entry["repeats"]) + 1.0)
        if "conditioning_data" in entry:
            masks = root / ids[entry["conditioning_data"]]["instance_data_dir"]
            assert {path.stem for path in masks.rglob("*.png")} >= set()
    return found


def hcp(root: Path) -> Set:
    """Sources of one folder each; the key of a caption is the file name up to the first dot."""
    found: Set = {}
    config = yaml.safe_load((root / "dataset.yaml").read_text("utf-8"))
    for source in config["data"]["dataset1"]["source"].values():
        folder = root / source["img_root"]
        assert not list(folder.glob("*.json")), "the first JSON of the folder would be taken for all captions"
        captions = {path.name.split(".")[0]: path.read_text("utf-8") for path in folder.glob("*.txt")}
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in PICTURES:
                found[path.stem] = (captions[path.name.split(".")[0]].strip(), float(source["repeat"]))
    return found


def yolo(root: Path) -> dict[str, list[tuple[int, float, float, float, float]]]:
    """Labels by picture; a picture is thrown out for a value above 1, a sixth column or a class beyond the names."""
    config = yaml.safe_load((root / "data.yaml").read_text("utf-8"))
    found = {}
    for split in {config["train"], config["val"], config.get("test", config["train"])}:
        for path in sorted((root / split).iterdir()):
            label = root / split.replace("images", "labels", 1) / f"{path.stem}.txt"
            rows = []
            for line in label.read_text().splitlines():
                number, *values = line.split()
                assert len(values) == 4
                assert all(0 <= float(value) <= 1 for value in values)
                assert int(number) in config["names"]
                rows.append((int(number), *map(float, values)))
            assert len(set(rows)) == len(rows)
            found[path.stem] = rows
    return found


def label_studio(root: Path) -> dict[str, list[tuple[str, float, float, float, float]]]:
    """Boxes in percent by picture, checked as Label Studio's interface checks predictions."""
    from xml.etree import ElementTree

    labels = {row.get("value") for row in ElementTree.parse(root / "label_config.xml").iter("Label")}
    found = {}
    for task in json.loads((root / "tasks.json").read_text("utf-8")):
        path = root / task["data"]["image"].partition("?d=")[2]
        assert path.is_file()
        rows = []
        for result in task["predictions"][0]["result"]:
            value = result["value"]
            assert (result["from_name"], result["to_name"], result["type"]) == ("character", "image", "rectanglelabels")
            assert set(value["rectanglelabels"]) <= labels
            box = [value[name] for name in ("x", "y", "width", "height")]
            assert all(0 <= side <= 100 for side in box)
            assert value["x"] + value["width"] <= 100.01
            rows.append((value["rectanglelabels"][0], *box))
        found[path.stem] = rows
    return found


def cvat(root: Path) -> dict[str, list[tuple[str, float, float, float, float]]]:
    """Boxes in pixels by picture; labels and attribute values must be those of the task."""
    from xml.etree import ElementTree

    tree = ElementTree.parse(root / "annotations.xml").getroot()
    assert tree.findtext("version") == "1.1"
    values = set((tree.findtext("meta/task/labels/label/attributes/attribute/values") or "").split("\n"))
    (label,) = json.loads((root / "labels.json").read_text("utf-8"))
    assert set(label["attributes"][0]["values"]) == values
    found = {}
    for number, image in enumerate(tree.iter("image")):
        assert int(image.get("id", "-1")) == number
        assert (root / "images" / image.get("name", "")).is_file()
        rows = []
        for box in image.iter("box"):
            assert box.get("label") == label["name"]
            character = box.findtext("attribute") or ""
            assert character in values
            rows.append((character, *(float(box.get(side, "nan")) for side in ("xtl", "ytl", "xbr", "ybr"))))
        found[Path(image.get("name", "")).stem] = rows
    return found
