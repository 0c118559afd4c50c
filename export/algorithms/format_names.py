"""Names of the formats that datasets are written in, as recipes say them. Each is one file in `export/formats/`."""

from __future__ import annotations

NAMES = ["hierarchy", "kohya"]
