"""All layouts by name. Recipes, the export page, preview, builds and read-back know layouts from here only."""

from __future__ import annotations

from export.algorithms.layouts.contract import Layout
from export.algorithms.layouts.hierarchy import HIERARCHY
from export.algorithms.layouts.kohya import KOHYA

LAYOUTS: dict[str, Layout] = {layout.name: layout for layout in (HIERARCHY, KOHYA)}
