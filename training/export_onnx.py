"""Writes a trained face network as an ONNX file with named, dynamic inputs and outputs."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch

from training.face_net import FaceNet


def write_onnx(net: FaceNet, path: Path) -> None:
    """Exports for uint8 [n, h, w, 3] and checks the file; raises onnx.checker.ValidationError if it is invalid."""
    net.eval()
    example = torch.zeros(2, 64, 96, 3, dtype=torch.uint8)
    torch.onnx.export(
        net, (example,), str(path), dynamo=False, opset_version=17, do_constant_folding=True,
        input_names=["pictures"], output_names=["heat", "shape"],
        dynamic_axes={
            "pictures": {0: "n", 1: "h", 2: "w"},
            "heat": {0: "n", 1: "rows", 2: "columns"},
            "shape": {0: "n", 2: "rows", 3: "columns"},
        },
    )  # fmt: skip
    onnx.checker.check_model(onnx.load(str(path)))
