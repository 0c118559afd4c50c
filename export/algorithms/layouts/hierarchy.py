"""The main layout: the folders of the plan, a `multiply.txt` in each that holds pictures (EveryDream2 and others)."""

from __future__ import annotations

from collections.abc import Mapping

from export.algorithms.balance import Balance
from export.algorithms.layouts.contract import Layout, Path


def folders_of(balance: Balance) -> Mapping[Path, Path]:
    """Folders as planned."""
    return {share.path: share.path for share in balance.folders}


def files_of(balance: Balance) -> Mapping[str, bytes]:
    """The trainer does not inherit multiply, so every folder with pictures has its own file."""
    return {"/".join((*share.path, "multiply.txt")): share.multiply_text.encode() for share in balance.folders}


HIERARCHY = Layout(
    name="hierarchy",
    label="folders + multiply.txt",
    folders=folders_of,
    files=files_of,
    several_captions=(
        "EveryDream2 treats a line break as part of a tag. Several captions per picture are for trainers that choose "
        "a line: OneTrainer, SimpleTuner, kohya with --enable_wildcard."
    ),
)
