"""The CL taggers by cella110n, generations 1 (fine-tuned WD EVA02) and 2 (SigLIP2): logits of 40,000 tags and more.

Their interface follows several independent public programs that agree with each other, not a paper by the authors;
the label file distinguishes the generations.
"""

from __future__ import annotations

from annotate.algorithms.tag_rules import Rules
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

FIRST_LABELS, SECOND_LABELS = "tag_mapping.json", "model_vocabulary.json"
HALF = (0.5, 0.5, 0.5)
BEST = frozenset({"rating", "quality"})
FIRST_RULES = Rules(
    {"general": 0.55, "meta": 0.55, "model": 0.55, "character": 0.6, "copyright": 0.6, "artist": 0.6},
    one_of=BEST,
    inclusive=True,
)
SECOND_RULES = Rules({"general": 0.55, "meta": 0.55, "character": 0.55, "copyright": 0.55}, one_of=BEST, inclusive=True)


def describe(installed: Installed) -> Described:
    """Return labels, rules and identity of the tagger in a folder. Raises BadInput when a file is missing or
    damaged."""
    path, table = file_of(installed, MODEL_FILE), file_of(installed, FIRST_LABELS, SECOND_LABELS)
    rules = FIRST_RULES if table.name == FIRST_LABELS else SECOND_RULES
    return described(installed, task="tags", revision="", labels=label_lists.read_places(table), rules=rules, path=path)


def open_installed(installed: Installed, *, device: str = AUTO, threads: int = 0) -> OnnxScorer:
    """Open the tagger. Generation 1: padded white to a square, bicubic to 448, BGR; 2: stretched to 384, bicubic, RGB.
    Values from -1 to 1."""
    described = describe(installed)
    first = file_of(installed, FIRST_LABELS, SECOND_LABELS).name == FIRST_LABELS
    opened, (height, width) = open_graph(described.weights, device=device, threads=threads, nchw=True)
    side = 448 if first else 384
    spec = InputSpec(
        width or side, height or side, fit_by=Fit.PAD_SQUARE if first else Fit.STRETCH, resample=Resample.BICUBIC,
        bgr=first, mean=HALF, std=HALF,
    )  # fmt: skip
    return OnnxScorer(described, opened, spec, output=output_of(opened, described.weights), logits=True)
