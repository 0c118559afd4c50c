"""The WD taggers, versions 1.4 and 3: `model.onnx` and `selected_tags.csv`, with input exactly as in training."""

from __future__ import annotations

from annotate.algorithms.tag_rules import CHARACTER_MCUT_MIN, CHARACTER_THRESHOLD, GENERAL_THRESHOLD, Rules
from annotate.backends.model_files.registry import Installed
from annotate.backends.runtime.inputs import Fit, InputSpec, Resample
from annotate.backends.runtime.onnx_session import AUTO
from annotate.backends.taggers import label_lists
from annotate.backends.taggers.scorer import (
    MODEL_FILE,
    Described,
    OnnxScorer,
    described,
    file_of,
    open_graph,
    output_of,
)
from ingest.errors import BadInput

TAGS_FILE = "selected_tags.csv"
RULES = Rules(
    {"general": GENERAL_THRESHOLD, "character": CHARACTER_THRESHOLD},
    one_of=frozenset({"rating"}),
    mcut_floor={"character": CHARACTER_MCUT_MIN},
)


def input_of(side: int) -> InputSpec:
    """Return the input: alpha on white, centred in a white square, bicubic, BGR, 0 to 255, [n, h, w, 3]."""
    return InputSpec(
        side, side, fit_by=Fit.PAD_SQUARE, resample=Resample.BICUBIC, fill=255, bgr=True, nchw=False, scale=1.0
    )


def describe(installed: Installed) -> Described:
    """Return labels, rules and identity of the tagger in a folder. Raises BadInput when a file is missing or
    damaged."""
    path = file_of(installed, MODEL_FILE)
    labels = label_lists.read_table(file_of(installed, TAGS_FILE))
    return described(installed, task="tags", revision="", labels=labels, rules=RULES, path=path)


def open_installed(installed: Installed, *, device: str = AUTO, threads: int = 0) -> OnnxScorer:
    """Open the tagger in a folder. Raises BadInput also when the two files do not belong together."""
    described = describe(installed)
    opened, (height, width) = open_graph(described.weights, device=device, threads=threads, nchw=False)
    if height is None or height != width:
        raise BadInput(f"{described.weights}: not a WD tagger: its input {height} x {width} is not square.")
    # Variants with an embedding output it second.
    return OnnxScorer(described, opened, input_of(height), output=output_of(opened, described.weights))
