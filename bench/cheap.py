"""A tagger with the input and the output of a WD tagger that costs almost nothing, and an episode for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bench import vit

if TYPE_CHECKING:
    from ingest.models import Episode

NAME = "cheap"
PIXELS_APART = 64  # the scores are computed from one pixel in this many
ANSWERED = 120  # labels of a picture whose scores may be above the floor, about as many as WD taggers give
DISTINCT = 16  # pictures; frames share their files


def write_tagger(folder: Path) -> None:
    """Writes model.onnx and selected_tags.csv: `ANSWERED` labels get scores of all heights, the others almost 0."""
    random = np.random.default_rng(2)
    base = np.full(vit.TAGS, -8, np.float32)
    base[random.permutation(vit.TAGS)[:ANSWERED]] = random.normal(0, 2, ANSWERED)
    slices = {"starts": [0, 0], "ends": [vit.SIDE] * 2, "axes": [1, 2], "steps": [PIXELS_APART] * 2}
    tensors = [numpy_helper.from_array(np.array(values, np.int64), name) for name, values in slices.items()]
    tensors.append(numpy_helper.from_array(random.normal(0, 0.004, (3, vit.TAGS)).astype(np.float32), "weights"))
    tensors.append(numpy_helper.from_array(base, "base"))
    nodes = [
        helper.make_node("Slice", ["input", *slices], ["few"]),
        helper.make_node("ReduceMean", ["few"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["scaled"]),
        helper.make_node("Add", ["scaled", "base"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["output"]),
    ]
    entry = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", vit.SIDE, vit.SIDE, 3])
    end = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", vit.TAGS])
    graph = helper.make_graph(nodes, "tagger", [entry], [end], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    rows = "".join(f"{tag},tag_{tag},{0 if tag else 9},1\n" for tag in range(vit.TAGS))
    (folder / "selected_tags.csv").write_text("tag_id,name,category,count\n" + rows, encoding="utf-8")


def episode_of(count: int) -> Episode:
    """An episode of `count` kept frames over `DISTINCT` drawn JPEG files of 1280x720."""
    from django.conf import settings

    from bench.models import HEIGHT, WIDTH, drawn, jpeg
    from ingest.imaging.store import Store
    from ingest.models import Collection, Episode, Frame, Source

    names = Store(settings.KOMA_DATA_DIR / "store").put_many((jpeg(drawn(seed)), "jpg") for seed in range(DISTINCT))
    show = Collection.objects.create(name="look")
    source = Source.objects.create(collection=show, kind="video", name="a.mkv", path="a.mkv", sha256="a" * 64)
    episode = Episode.objects.create(collection=show, source=source, title="a")
    about = {"collection": show, "episode": episode, "width": WIDTH, "height": HEIGHT}
    Frame.objects.bulk_create(Frame(index=index, file=names[index % DISTINCT], **about) for index in range(count))
    return episode


def as_if_on_gpu(*, batch: int) -> dict[str, Any]:
    """Models of a worker: the tagger, treated as one on a GPU that loads at once, with a known batch size."""
    from django.conf import settings

    from annotate.backends.feeding.reader_batch import BatchSize, BatchSizes
    from annotate.backends.model_files import registry
    from annotate.chosen_models.opened import opened
    from annotate.stages.run_models import SIZES

    models: dict[str, Any] = {}
    tagger = opened(models, registry.find(NAME, settings.KOMA_MODELS_DIR, task="tags"), device="auto")
    tagger.network.on_gpu = tagger.network._copies = True
    sizes = models[SIZES] = BatchSizes()
    sizes.put(tagger, BatchSize(batch, batch, settled=True))
    return models
