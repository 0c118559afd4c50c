"""kohya's sd-scripts: flat folders `N_name`, or a tree, each with a `dataset.toml`; or metadata files.

Facts (reference 4.2): N_name folders are one level and whole repeats; captions are `.caption` unless another ending is
told, their first line only; a picture without a caption file trains on the folder's name; a file with a line break
alone is an empty caption. In a TOML, `num_repeats` is a whole number, unknown keys stop the run, and `image_dir` is
relative to the folder that the script is started in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path as DiskPath
from typing import IO

from export.algorithms.balance import Balance
from export.algorithms.filenames import Names
from export.algorithms.plan import Item, Plan
from export.algorithms.recipe import Recipe
from export.algorithms.spelling import LEVEL_JOINER, LEVEL_JOINER_IN_NAME
from export.formats.contract import Contents, Format, Path, Sink, Written
from export.formats.masks import VISIBLE_FOLDER as MASKS
from export.formats.side_files import SideFiles, below, count_pictures, quoted, without_onetrainer_masks
from ingest import outside_json

DATASET = "dataset.toml"
_START = (
    "Start the script in this folder, since the paths in `dataset.toml` are relative to it:",
    "",
    "    accelerate launch /path/to/sd-scripts/sdxl_train_network.py --dataset_config dataset.toml ...",
)


def folders_of(balance: Balance) -> dict[Path, Path]:
    """One folder for every folder that holds pictures (not only leaves), with `max(1, round(multiply))` repeats."""
    names = Names()
    folders: dict[Path, Path] = {}
    for share in sorted(balance.folders, key=lambda row: row.path):
        levels = (part.replace(LEVEL_JOINER, LEVEL_JOINER_IN_NAME) for part in share.path)
        wish = f"{share.repeats}_{LEVEL_JOINER.join(levels) or 'all'}"
        folders[share.path] = (names.folder((), wish),)
    return folders


def levels_in(folders: Path) -> Path:
    """The levels of a flat folder: `12_a~b` is `a/b`. Nested folders were made by hand and stay as they are."""
    if len(folders) != 1:
        return folders
    number, _, rest = folders[0].partition("_")
    return tuple((rest if number.isdigit() else folders[0]).split(LEVEL_JOINER))


def caption(item: Item, recipe: Recipe) -> bytes:
    """Return the content of a caption file.

    With several lines kohya must be told `enable_wildcard`, which reads `{a|b}` as a choice: braces are doubled.
    """
    if recipe.output.captions == "first":
        return item.caption.encode()
    return "\n".join(line.replace("{", "{{").replace("}", "}}") for line in item.captions).encode()


class _Writer(SideFiles):
    def __init__(self, plan: Plan, recipe: Recipe, sink: Sink, row: Format) -> None:
        super().__init__(plan, recipe, sink, row, caption=lambda item: caption(item, recipe))

    def mask(self, item: Item) -> str:
        """Return the path of a mask, in a folder that is no folder of pictures for kohya."""
        return f"{MASKS}/{self.base(item)}.png"

    def close(self) -> tuple[str, ...]:
        """Write dataset.toml."""
        self.sink.write(DATASET, "\n".join(self.dataset_toml()).encode())
        self.how_to_start("kohya (sd-scripts)", *self.start())
        return ()

    def start(self) -> Iterator[str]:
        """Yield the lines that say how to start."""
        yield from _START
        ending = self.row.caption_ending(self.recipe)
        if self.row.name == "kohya":
            yield ""
            yield (
                f"Without the TOML: `--train_data_dir . --caption_extension {ending}`. In the graphical interface set "
                f"*Caption file extension* to `{ending}`; otherwise the names of the folders are trained."
            )
        if self.recipe.output.masks == "folder":
            yield ""
            yield "Add `--masked_loss`: white in the masks is trained."

    def dataset_toml(self) -> Iterator[str]:
        """Yield the lines of dataset.toml: one subset per folder. Keys that older scripts refuse are left out."""
        yield "[general]"
        yield f"caption_extension = {quoted(self.row.caption_ending(self.recipe))}"
        yield from dataset_head(self.resolution)
        for share, path in self.shares():
            yield ""
            yield "  [[datasets.subsets]]"
            yield f"  image_dir = {quoted(path or '.')}"
            yield f"  num_repeats = {share.repeats}"
            if self.is_regularization(share):
                yield "  is_reg = true"
            if self.recipe.output.masks == "folder":
                yield f"  conditioning_data_dir = {quoted(f'{MASKS}/{path}')}"
            if self.recipe.output.captions == "lines":
                yield "  enable_wildcard = true"
        yield ""


def dataset_head(resolution: int) -> Iterator[str]:
    """Yield the part of a dataset.toml that says how pictures are resized."""
    yield "enable_bucket = true"
    yield "bucket_no_upscale = true"
    yield ""
    yield "[[datasets]]"
    yield f"resolution = {resolution}"


class _MetadataWriter(SideFiles):
    """Pictures in the planned tree and one metadata JSON per number of repeats; captions only stand there."""

    def __init__(self, plan: Plan, recipe: Recipe, sink: Sink, row: Format) -> None:
        super().__init__(plan, recipe, sink, row)
        self._files: dict[int, IO[str]] = {}
        self._repeats = {share.path: share.repeats for share in plan.balance.folders}

    def side_files(self, item: Item, written: Written) -> Iterator[tuple[str, bytes]]:
        """Yield nothing."""
        return iter(())

    def add(self, item: Item, written: Written, picture: bytes | None) -> None:
        """Add the picture to the file of its repeats."""
        super().add(item, written, picture)
        repeats = self._repeats[item.folder]
        file = self._files.get(repeats)
        if file is None:
            file = self._files[repeats] = self.sink.path(self._name(repeats)).open("w", encoding="utf-8")
            file.write("{")
        else:
            file.write(",")
        entry = {"caption": item.caption, "tags": "", "image_size": list(written.size)}
        file.write(f"\n{quoted(written.path)}: {json.dumps(entry, ensure_ascii=False)}")

    def close(self) -> tuple[str, ...]:
        """Complete the files and write dataset.toml."""
        for file in self._files.values():
            file.write("\n}\n")
            file.close()
        lines = ["[general]", *dataset_head(self.resolution)]
        for repeats in sorted(self._files):
            lines += ["", "  [[datasets.subsets]]", '  image_dir = "."']
            lines += [f"  metadata_file = {quoted(self._name(repeats))}", f"  num_repeats = {repeats}"]
        self.sink.write(DATASET, "\n".join((*lines, "")).encode())
        self.how_to_start("kohya (sd-scripts), metadata", *_START, "", "This form has no regularization and no masks.")
        return ()

    @staticmethod
    def _name(repeats: int) -> str:
        return f"metadata_{repeats}.json"


def _open(plan: Plan, recipe: Recipe, sink: Sink) -> SideFiles:
    return _Writer(plan, recipe, sink, KOHYA)


def _open_tree(plan: Plan, recipe: Recipe, sink: Sink) -> SideFiles:
    return _Writer(plan, recipe, sink, KOHYA_TREE)


def _open_metadata(plan: Plan, recipe: Recipe, sink: Sink) -> SideFiles:
    return _MetadataWriter(plan, recipe, sink, KOHYA_METADATA)


def _check(folder: DiskPath, recipe: Recipe) -> Contents:
    return count_pictures(folder, recipe, KOHYA)


def _check_metadata(folder: DiskPath, recipe: Recipe) -> Contents:
    pictures = captions = 0
    for path in sorted(folder.glob("metadata_*.json")):
        with path.open(encoding="utf-8") as file:
            for line in file:  # an entry per line
                if line.startswith('"'):
                    ((name, entry),) = outside_json.parsed(f"{{{line.rstrip().removesuffix(',')}}}").items()
                    pictures += (folder / name).is_file()
                    captions += bool(entry["caption"])
    return Contents(pictures=pictures, captions=captions)


def _ending(recipe: Recipe) -> str:
    return recipe.output.caption_ending or ".caption"


def _warnings(recipe: Recipe) -> tuple[str, ...]:
    if recipe.output.captions == "first":
        return ()
    return (
        "kohya reads the first line of a caption file only, unless --enable_wildcard is set; dataset.toml sets it.",
    )


def _metadata_problems(recipe: Recipe) -> tuple[str, ...]:
    problems = []
    if recipe.output.masks != "none":
        problems.append("kohya's metadata files cannot say masks. Choose another form of kohya, or no masks.")
    if recipe.output.captions != "first":
        problems.append("kohya's metadata files hold one caption per picture. Choose one caption per file.")
    return tuple(problems)


KOHYA = Format(
    name="kohya",
    label="kohya: N_name folders",
    open=_open,
    check=_check,
    problems=without_onetrainer_masks,
    warnings=_warnings,
    rounding="round",
    folders=folders_of,
    levels=levels_in,
    caption_ending=_ending,
    empty_caption=b"\n",
)
KOHYA_TREE = Format(
    name="kohya-toml",
    label="kohya: folders + dataset.toml",
    open=_open_tree,
    check=_check,
    problems=without_onetrainer_masks,
    warnings=_warnings,
    rounding="round",
    caption_ending=_ending,
    empty_caption=b"\n",
)
KOHYA_METADATA = Format(
    name="kohya-metadata",
    label="kohya: metadata JSON",
    open=_open_metadata,
    check=_check_metadata,
    problems=_metadata_problems,
    rounding="round",
    folders=below("images"),
    levels=None,
    caption_ending=lambda recipe: "",
    empty_caption=None,
    masks=frozenset({"none"}),
)
