"""OneTrainer: a concept per folder in `concepts.json`, with the multiply as balancing; masks `NAME-masklabel.png`.

Facts (reference 4.3): samples of a concept per epoch = floor(pictures * balancing), going on cyclically in the next
epoch; captions are `.txt` with one caption per line, of which one is drawn; a blank file is an empty caption.
"""

from __future__ import annotations

from pathlib import Path as DiskPath

from export.algorithms.plan import Plan
from export.algorithms.recipe import Recipe
from export.formats.contract import Contents, Format, Sink
from export.formats.side_files import SideFiles, count_pictures, json_text, needs_txt


class _Writer(SideFiles):
    def close(self) -> tuple[str, ...]:
        """Write concepts.json."""
        concepts = [
            {
                "__version": 2,
                "name": path.replace("/", " / ") or "all",
                "path": path or ".",
                "seed": number + 1,
                "enabled": True,
                "include_subdirectories": False,
                "balancing": share.multiply,
                "balancing_strategy": "REPEATS",
            }
            for number, (share, path) in enumerate(self.shares())
        ]
        self.sink.write("concepts.json", json_text(concepts))
        self.how_to_start(
            "OneTrainer",
            "`concepts.json` is a list of concepts for the tab *concepts*: copy it to `training_concepts/` of",
            "OneTrainer. Its paths are relative: start OneTrainer in this folder, or write this folder's path before",
            "each `path`. An epoch uses floor(pictures x balancing) of each concept.",
        )
        return ()


def _open(plan: Plan, recipe: Recipe, sink: Sink) -> _Writer:
    return _Writer(plan, recipe, sink, ONETRAINER)


def _check(folder: DiskPath, recipe: Recipe) -> Contents:
    return count_pictures(folder, recipe, ONETRAINER)


ONETRAINER = Format(
    name="onetrainer",
    label="OneTrainer: folders + concepts.json",
    open=_open,
    check=_check,
    problems=needs_txt("OneTrainer"),
    rounding="floor",
    masks=frozenset({"none", "folder", "onetrainer"}),
)
