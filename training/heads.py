"""Trains the head network: `python -m training.heads --crops face_crops_64px.zip --out DIR [--people N] [--minutes M]`.

Needs torch, onnx and Koma's own requirements. Writes DIR/heads.onnx, DIR/heads.json and DIR/heads.pt. It is trained on
people redrawn by many hands (who is who, what is seen, the colours of hair, eyes and skin) and crops that were changed
as another hand might; crops have no names, a crop is only like its own changes. Thresholds of tags are chosen on
people whom the network never saw.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.head_material import Drawn, cropped, drawn
from training.head_net import SIDE, VECTOR, HeadNet, likeness_loss, planes
from training.head_tags import TAGS

HELD_OUT = 900_000  # the first number of people who are not used for training
DRAWN_A_BATCH, HANDS_A_BATCH, CROPS_A_BATCH = 64, 3, 64
TAGS_WEIGHT, COLOURS_WEIGHT = 15.0, 3.0
PRECISION_MIN = 0.8  # of a tag above its threshold, on held-out people; a tag that never reaches it is not used


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw, train, choose thresholds, export."""
    parser = argparse.ArgumentParser(prog="python -m training.heads")
    parser.add_argument("--crops", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--people", type=int, default=1200)
    parser.add_argument("--hands", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--start", type=Path, help="weights (.pt) of an earlier training")
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args(arguments)
    torch.manual_seed(1)
    torch.set_num_threads(options.processes)
    options.out.mkdir(parents=True, exist_ok=True)
    material = drawn(0, options.people, hands=options.hands, processes=options.processes)
    crops = cropped(options.crops, hands=4)
    net = HeadNet(len(TAGS))
    if options.start:
        net.load_state_dict(torch.load(options.start, weights_only=True))
    steps = train(net, material, crops, minutes=options.minutes, rate=options.rate)
    torch.save(net.state_dict(), options.out / "heads.pt")
    export(net, options.out / "heads.onnx")
    held_out = drawn(HELD_OUT, 96, hands=16, processes=options.processes)
    data = (options.out / "heads.onnx").read_bytes()
    card = {
        "name": "koma-heads", "version": "1", "sha256": hashlib.sha256(data).hexdigest(), "licence": "MIT",
        "input": f"heads uint8 [n, {SIDE}, {SIDE}, 3] RGB",
        "outputs": f"vectors float32 [n, {VECTOR}] of length 1; tags float32 [n, {len(TAGS)}], 0 to 1",
        "steps": steps, "tags": measured(net, held_out),
    }  # fmt: skip
    (options.out / "heads.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def train(
    net: HeadNet, material: Drawn, crops: tuple[Any, Any], *, minutes: float, rate: float = 2e-3, seed: int = 1
) -> int:
    """Train for some minutes with a cosine schedule and leave the running average of the weights in `net`; returns the
    number of steps."""
    random = np.random.default_rng(seed)
    heads, faces = crops
    people, lone = _rows(material.people), _rows(faces)
    share = material.answers.mean(axis=0)
    rare = torch.tensor(np.clip(np.sqrt((1 - share) / np.maximum(share, 0.01)), 1, 4), dtype=torch.float32)
    average = {name: values.clone() for name, values in net.state_dict().items()}
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.02)
    net.train()
    started, step = time.monotonic(), 0
    while (done := (time.monotonic() - started) / 60 / minutes) < 1:
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 100) * 0.5 * (1 + np.cos(np.pi * done)) + 1e-5
        drawn = _sample_heads(random, people, DRAWN_A_BATCH, HANDS_A_BATCH)
        gathered = _sample_heads(random, lone, CROPS_A_BATCH, 2)
        batch = torch.from_numpy(np.concatenate([material.heads[drawn], heads[gathered]]))
        with torch.no_grad():
            seen = changed(planes(batch)).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            inner = net.features(seen)
        inner = inner.float()
        vectors, drawn_rows = functional.normalize(net.vector(inner), dim=1), inner[: len(drawn)]
        # Drawn heads and crops are compared within their own kind, or the style alone would distinguish them.
        alike = likeness_loss(vectors[: len(drawn)], torch.from_numpy(material.people[drawn]))
        alike = alike + likeness_loss(vectors[len(drawn) :], torch.from_numpy(faces[gathered]))
        answers, is_labelled = torch.from_numpy(material.answers[drawn]), torch.from_numpy(material.is_labelled[drawn])
        tags = functional.binary_cross_entropy_with_logits(
            net.tags(drawn_rows), answers, pos_weight=rare, reduction="none"
        )
        colours = functional.smooth_l1_loss(net.colours(drawn_rows), torch.from_numpy(material.colours[drawn]))
        loss = alike + TAGS_WEIGHT * (tags * is_labelled).mean() + COLOURS_WEIGHT * colours
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        _average(average, net, step)
        if step % 50 == 0:
            print(f"{step}: {alike.item():.3f} alike, {tags.mean().item():.3f} tags, {colours.item():.3f} colours")
    net.load_state_dict(average)
    return step


def changed(heads: Tensor) -> Tensor:
    """Heads [n, 3, 64, 64] mirrored, moved, scaled, tilted, in another light, a quarter of them partly covered."""
    count = len(heads)
    scale, tilt = torch.exp(torch.randn(count) * 0.06), torch.randn(count) * 0.08
    side = (torch.rand(count) < 0.5).float() * 2 - 1
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0], matrix[:, 0, 1] = scale * torch.cos(tilt) * side, -scale * torch.sin(tilt)
    matrix[:, 1, 0], matrix[:, 1, 1] = scale * torch.sin(tilt) * side, scale * torch.cos(tilt)
    matrix[:, :, 2] = torch.randn(count, 2) * 0.06
    grid = functional.affine_grid(matrix, list(heads.shape), align_corners=False)
    out = functional.grid_sample(heads, grid, padding_mode="border", align_corners=False)
    out = (out + 1) / 2 * torch.exp(torch.randn(count, 1, 1, 1) * 0.08) * torch.exp(torch.randn(count, 3, 1, 1) * 0.025)
    grey = out.mean(dim=1, keepdim=True)
    out = (grey + (out - grey) * torch.exp(torch.randn(count, 1, 1, 1) * 0.12)).clamp(0, 1) * 2 - 1
    for row in torch.randint(0, count, (count // 4,)).tolist():
        high, wide = (int(value) for value in torch.randint(6, 24, (2,)))
        top, left = int(torch.randint(0, SIDE - high, (1,))), int(torch.randint(0, SIDE - wide, (1,)))
        out[row, :, top : top + high, left : left + wide] = torch.rand(3, 1, 1) * 2 - 1
    return out


def measured(net: HeadNet, material: Drawn) -> list[dict[str, Any]]:
    """Name, threshold, precision and recall of each tag on heads; threshold 2 where PRECISION_MIN is never reached.

    The threshold is the lowest that keeps the precision; at least 0.3.
    """
    net.eval()
    with torch.no_grad():
        scores = np.concatenate(
            [
                net(torch.from_numpy(material.heads[start : start + 256]))[1].numpy()
                for start in range(0, len(material.heads), 256)
            ]
        )
    rows = []
    for column, name in enumerate(TAGS):
        is_labelled = material.is_labelled[:, column] > 0
        predicted, true = scores[is_labelled, column], material.answers[is_labelled, column] > 0
        best = (2.0, 0.0, 0.0)
        for threshold in np.arange(0.95, 0.29, -0.05):
            over = predicted >= threshold
            if over.sum() >= 10 and (precision := float(true[over].mean())) >= PRECISION_MIN:
                best = (round(float(threshold), 2), precision, float(over[true].mean()))
        rows.append({"name": name, "threshold": best[0], "precision": round(best[1], 3), "recall": round(best[2], 3)})
    return rows


def export(net: HeadNet, path: Path) -> None:
    """Writes ONNX for uint8 heads [n, 64, 64, 3], its weights in half precision (they are widened on loading).

    Raises onnx.checker.ValidationError if it is invalid.
    """
    net.eval()
    torch.onnx.export(
        net, (torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8),), str(path), dynamo=False, opset_version=17,
        do_constant_folding=True, input_names=["heads"], output_names=["vectors", "tags"],
        dynamic_axes={"heads": {0: "n"}, "vectors": {0: "n"}, "tags": {0: "n"}},
    )  # fmt: skip
    model = onnx.load(str(path))
    halve(model)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def halve(model: Any) -> None:
    """Keeps the large float weights of an ONNX model as float16 and casts them back at the graph's start."""
    casts = []
    for weight in model.graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < 1024:
            continue
        name = weight.name
        weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    for node in reversed(casts):
        model.graph.node.insert(0, node)


def _rows(owner: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    order = np.argsort(owner, kind="stable")
    return list(np.split(order, np.unique(owner[order], return_index=True)[1][1:]))


def _sample_heads(
    random: np.random.Generator, rows: list[NDArray[np.int64]], people: int, each: int
) -> NDArray[np.int64]:
    chosen = random.choice(len(rows), min(people, len(rows)), replace=False)
    return np.concatenate([random.choice(rows[person], each, replace=False) for person in chosen])


def _average(average: dict[str, Tensor], net: HeadNet, step: int) -> None:
    keep = min(0.998, (1 + step) / (10 + step))
    with torch.no_grad():
        for name, values in net.state_dict().items():
            if values.dtype.is_floating_point:
                average[name].lerp_(values, 1 - keep)
            else:
                average[name].copy_(values)


if __name__ == "__main__":
    main()
