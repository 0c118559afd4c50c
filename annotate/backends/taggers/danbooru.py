"""DeepDanbooru and ML-Danbooru: older taggers, each with a tag table; input as in imgutils."""

from __future__ import annotations

from annotate.algorithms.tag_rules import Label, Rules
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

TAGS_FILE = "tags.csv"
DEEP_SIDE, ML_SIDE, ML_STEP = 512, 448, 4
DEEP_RULES = Rules({"general": 0.5, "character": 0.5}, one_of=frozenset({"rating"}))
ML_RULES = Rules({"general": 0.7}, inclusive=True)


def describe_deep(installed: Installed) -> Described:
    """Describe a DeepDanbooru folder; ratings are tags such as "rating:safe". Raises BadInput when a file is
    damaged."""
    path = file_of(installed, MODEL_FILE, "deepdanbooru.onnx")
    labels = label_lists.read_table(file_of(installed, TAGS_FILE, "deepdanbooru_tags.csv"))
    return described(installed, task="tags", revision="", labels=labels, rules=DEEP_RULES, path=path)


def open_deep(installed: Installed, *, device: str = AUTO, threads: int = 0) -> OnnxScorer:
    """Open DeepDanbooru. Input: aspect ratio kept, centred on black 512 x 512, bicubic, RGB / 255, [n, h, w, 3]."""
    described = describe_deep(installed)
    opened, (height, width) = open_graph(described.weights, device=device, threads=threads, nchw=False)
    spec = InputSpec(
        width or DEEP_SIDE, height or DEEP_SIDE, fit_by=Fit.LETTERBOX, resample=Resample.BICUBIC, fill=0, nchw=False
    )
    return OnnxScorer(described, opened, spec, output=output_of(opened, described.weights))


def describe_ml(installed: Installed) -> Described:
    """Describe an ML-Danbooru folder; all its tags are general. Raises BadInput when a file is missing or damaged."""
    path = file_of(installed, MODEL_FILE, "ml_caformer_m36_dec-5-97527.onnx")
    table = file_of(installed, TAGS_FILE, "mldanbooru_tags.csv")
    labels: list[Label] = [
        label_lists.NAMELESS
        if row is None
        else label_lists.label_of(row["name"], "general", where=f"{table}: row {line}")
        for line, row in label_lists.read_rows(table, "name")
    ]
    return described(
        installed, task="tags", revision="", labels=label_lists.checked(labels, table), rules=ML_RULES, path=path
    )


def open_ml(installed: Installed, *, device: str = AUTO, threads: int = 0) -> OnnxScorer:
    """Open ML-Danbooru. Input: stretched to 448 x 448 (sides rounded down to a multiple of 4), bilinear, RGB / 255,
    [n, 3, h, w]; the output is logits."""
    described = describe_ml(installed)
    opened, (height, width) = open_graph(described.weights, device=device, threads=threads, nchw=True)
    wide, high = ((side or ML_SIDE) // ML_STEP * ML_STEP for side in (width, height))
    spec = InputSpec(wide, high, resample=Resample.BILINEAR)
    return OnnxScorer(described, opened, spec, output=output_of(opened, described.weights, "output"), logits=True)
