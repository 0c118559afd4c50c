"""Names of the formats that datasets are written in, as recipes say them. Each is one row of `export/formats/`."""

from __future__ import annotations

NAMES = [
    *("hierarchy", "kohya", "kohya-toml", "kohya-metadata", "onetrainer", "ai-toolkit", "simpletuner", "hcp"),
    *("imagefolder", "imagefolder-parquet", "webdataset", "coco", "yolo", "csv", "plain"),
    *("cvat", "label-studio"),
]
