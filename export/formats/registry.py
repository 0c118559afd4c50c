"""All formats by name. The export page, preview, builds and imports know formats from here only."""

from __future__ import annotations

from export.algorithms.balance import Balance, rounding_warnings
from export.algorithms.recipe import Recipe
from export.formats.ai_toolkit import AI_TOOLKIT
from export.formats.coco import COCO
from export.formats.contract import Format
from export.formats.csv_table import CSV
from export.formats.cvat import CVAT
from export.formats.everydream2 import EVERYDREAM2
from export.formats.hcp import HCP
from export.formats.imagefolder import IMAGEFOLDER, IMAGEFOLDER_PARQUET
from export.formats.kohya import KOHYA, KOHYA_METADATA, KOHYA_TREE
from export.formats.label_studio import LABEL_STUDIO
from export.formats.onetrainer import ONETRAINER
from export.formats.plain import PLAIN
from export.formats.simpletuner import SIMPLETUNER
from export.formats.webdataset import WEBDATASET
from export.formats.yolo import YOLO

# In the order of the export page.
FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        *(EVERYDREAM2, KOHYA, KOHYA_TREE, KOHYA_METADATA, ONETRAINER, AI_TOOLKIT, SIMPLETUNER, HCP),
        *(IMAGEFOLDER, IMAGEFOLDER_PARQUET, WEBDATASET, COCO, YOLO, CSV, PLAIN),
        *(CVAT, LABEL_STUDIO),
    )
}


def format_of(recipe: Recipe) -> Format:
    """Return the format that a recipe is written in."""
    return FORMATS[recipe.output.layout]


def warnings_of(recipe: Recipe, balance: Balance) -> tuple[str, ...]:
    """Return what the format's program will do with this recipe and balance that may surprise."""
    row = format_of(recipe)
    return (*rounding_warnings(balance, row.rounding), *row.warnings(recipe))


def problems_of(recipe: Recipe) -> tuple[str, ...]:
    """Return why a recipe cannot be written in its format, each with what to do."""
    row = format_of(recipe)
    problems = row.problems(recipe)
    if not problems and recipe.output.masks not in row.masks:
        problems = (f"{row.label} cannot use this form of masks. Choose another form, or “none”.",)
    return problems
