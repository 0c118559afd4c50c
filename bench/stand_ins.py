"""Networks of the same architecture and input as models of the hub, with random weights, and the files beside them.

    python -m bench.stand_ins NAME FOLDER

writes one of STAND_INS as ONNX into FOLDER/NAME. It needs torch, torchvision, timm, onnx and onnxscript, which are no
dependencies of Koma; nothing is downloaded. Architectures are what the models' public pages say, checked by their
number of parameters.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

NEEDED = ("torch", "torchvision", "timm", "onnx", "onnxscript")
WD_KINDS = ((9, 4), (0, 8_106), (4, 2_751))  # category number, labels: a WD tagger of version 3
PIXAI_KINDS = ((0, 9_741), (4, 3_720))
CLASSES = ("3d", "bangumi", "comic", "illustration", "not_painting")
OPSET = 17


@dataclass(frozen=True, slots=True)
class StandIn:
    """A stand-in for a model. `published` (millions of parameters) and `published_mb` (its ONNX file) are from the
    model's page; 0 if unknown."""

    name: str  # of its folder
    task: str
    family: str
    stands_for: str
    network: str
    side: int
    published: float = 0.0
    published_mb: float = 0.0
    options: dict[str, Any] = field(default_factory=dict)  # of the architecture


STAND_INS = {
    stand_in.name: stand_in
    for stand_in in (
        StandIn("face_detect_v1.4_s", "faces", "yolo_faces", "face_detect_v1.4_s, also other size s", "yolov8s", 640,
                11.1, 44.6),
        StandIn("ccip", "embedding", "ccip", "ccip-caformer-*", "caformer_s36", 384, 0, 150),
        StandIn("wd-vit", "tags", "wd", "wd-vit-tagger-v3", "vit_base_patch16_224", 448, 0, 379,
                {"img_size": 448, "global_pool": "avg", "class_token": False, "fc_norm": False}),
        StandIn("wd-convnext", "tags", "wd", "wd-convnext-tagger-v3", "convnext_base", 448, 0, 395),
        StandIn("wd-swinv2", "tags", "wd", "wd-swinv2-tagger-v3", "swinv2_base_window8_256", 448, 0, 467,
                {"img_size": 448, "window_size": 14, "act_layer": "gelu_tanh"}),
        StandIn("wd-eva02-large", "tags", "wd", "wd-eva02-large-tagger-v3", "eva02_large_patch14_448", 448, 315, 1_260,
                {"img_size": 448, "ref_feat_shape": (32, 32)}),
        StandIn("pixai", "tags", "pixai", "pixai-tagger-v0.9", "eva02_large_patch14_448", 448, 317.9),
        StandIn("mobilenetv3", "class", "classifier", "kind, rating, monochrome, character type",
                "mobilenetv3_large_100", 384, 4.18),
        StandIn("caformer", "class", "classifier", "the same as `caformer_s36*`", "caformer_s36", 384, 37.22),
        StandIn("real-esrgan", "upscale", "real_esrgan", "RealESRGAN_x4plus_anime_6B", "rrdb, 6 blocks", 256),
    )
}  # fmt: skip


def missing() -> list[str]:
    """Missing packages that `build` needs."""
    absent = []
    for name in NEEDED:
        try:
            import_module(name)
        except ImportError:
            absent.append(name)
    return absent


def write_labels(folder: Path, stand_in: StandIn) -> int:
    """Write the card and files that the adapter needs next to the network; returns the number of labels."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "koma.json").write_text(json.dumps({"family": stand_in.family, "revision": "random"}), encoding="utf-8")
    if stand_in.family == "classifier":
        (folder / "meta.json").write_text(json.dumps({"labels": CLASSES}), encoding="utf-8")
        return len(CLASSES)
    if stand_in.family not in ("wd", "pixai"):
        return 0
    kinds = WD_KINDS if stand_in.family == "wd" else PIXAI_KINDS
    numbers = [number for number, count in kinds for _ in range(count)]
    rows = "".join(f"{index},label_{index},{number},1\n" for index, number in enumerate(numbers))
    (folder / "selected_tags.csv").write_text("tag_id,name,category,count\n" + rows, encoding="utf-8")
    if stand_in.family == "pixai":
        stages = [
            {"type": "resize", "size": [stand_in.side, stand_in.side], "interpolation": "bilinear"},
            {"type": "to_tensor"},
            {"type": "normalize", "mean": [0.5] * 3, "std": [0.5] * 3},
        ]
        (folder / "preprocess.json").write_text(json.dumps({"stages": stages}), encoding="utf-8")
        (folder / "thresholds.csv").write_text("category,name,threshold\n0,general,0.3\n4,character,0.85\n", "utf-8")
    return len(numbers)


def build(stand_in: StandIn, folder: Path) -> dict[str, float]:
    """Writes the stand-in; returns its parameters (millions) and the size of the network on disk (MB)."""
    import torch

    torch.manual_seed(1)
    labels = write_labels(folder, stand_in)
    network, names = _network(stand_in, labels)
    network.eval()
    shape = (1, stand_in.side, stand_in.side, 3) if stand_in.family == "wd" else (1, 3, stand_in.side, stand_in.side)
    file = folder / {"ccip": "model_feat.onnx", "real_esrgan": "RealESRGAN_x4plus_anime_6B.onnx"}.get(
        stand_in.family, "model.onnx"
    )
    axes = {names[0]: {0: "n"}, names[1]: {0: "n"}}
    if stand_in.family == "real_esrgan":
        shape, axes = (1, 3, 32, 32), {name: {0: "n", 2: "h", 3: "w"} for name in names}
    _export(network, torch.zeros(shape), file, names, axes)
    if stand_in.family == "ccip":
        _export(_pairwise_difference(), torch.rand(2, 768), folder / "model_metrics.onnx", ("input", "output"),
                {"input": {0: "n"}, "output": {0: "n", 1: "m"}})  # fmt: skip
    if stand_in.family == "yolo_faces":
        _name_classes(file, stand_in.side)
    count = sum(value.numel() for value in network.parameters())
    return {"parameters": count / 1e6, "mb": file.stat().st_size / 1e6}


def _export(network: Any, example: Any, file: Path, names: tuple[str, str], axes: dict[str, dict[int, str]]) -> None:
    import torch

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (example,), str(file), input_names=[names[0]], output_names=[names[1]], dynamic_axes=axes,
            opset_version=OPSET, dynamo=False,
        )  # fmt: skip


def _network(stand_in: StandIn, labels: int) -> tuple[Any, tuple[str, str]]:
    """The network as its file takes and gives, and the names of its input and output."""
    if stand_in.family == "yolo_faces":
        return _yolo(), ("images", "output0")
    if stand_in.family == "real_esrgan":
        return _rrdb(blocks=6), ("image.1", "image")
    import torch
    from torch import nn

    features = 0 if stand_in.family == "ccip" else labels
    timm = import_module("timm")
    inside = timm.create_model(stand_in.network, pretrained=False, num_classes=features, **stand_in.options)
    if stand_in.family == "classifier":
        return nn.Sequential(inside, nn.Softmax(dim=1)), ("input", "output")
    if stand_in.family == "ccip":
        return nn.Sequential(inside, nn.Linear(inside.num_features, 768)), ("input", "output")
    if stand_in.family == "pixai":
        return nn.Sequential(inside, nn.Sigmoid()), ("input", "prediction")

    class Fed(nn.Module):  # type: ignore[misc]
        """Blue first, 0 to 255, [n, h, w, 3]; probabilities."""

        def __init__(self) -> None:
            super().__init__()
            self.inside = inside

        def forward(self, picture: Any) -> Any:
            values = picture.permute(0, 3, 1, 2).flip(1) / 127.5 - 1
            return torch.sigmoid(self.inside(values))

    return Fed(), ("input", "output")


def _pairwise_difference() -> Any:
    """How different vectors are, of every pair: CCIP's second network."""
    from torch import nn
    from torch.nn import functional

    class PairwiseDifference(nn.Module):  # type: ignore[misc]
        def forward(self, vectors: Any) -> Any:
            units = functional.normalize(vectors, dim=1)
            return (1 - units @ units.T) / 2

    return PairwiseDifference()


def _yolo() -> Any:
    """A detector of one class with the layers and widths that are publicly known of YOLOv8 in size s."""
    import torch
    from torch import nn

    def conv(inside: int, outside: int, kernel: int = 3, stride: int = 1) -> Any:
        return nn.Sequential(
            nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outside), nn.SiLU()
        )

    class Split(nn.Module):  # type: ignore[misc]
        """Half goes through `depth` pairs of convolutions; every step is kept and mixed at the end."""

        def __init__(self, inside: int, outside: int, depth: int, *, added: bool) -> None:
            super().__init__()
            half = outside // 2
            self.first, self.added = conv(inside, outside, 1), added
            self.pairs = nn.ModuleList(nn.Sequential(conv(half, half), conv(half, half)) for _ in range(depth))
            self.last = conv((2 + depth) * half, outside, 1)

        def forward(self, state: Any) -> Any:
            parts = list(self.first(state).chunk(2, 1))
            for pair in self.pairs:
                parts.append(parts[-1] + pair(parts[-1]) if self.added else pair(parts[-1]))
            return self.last(torch.cat(parts, 1))

    class Pooled(nn.Module):  # type: ignore[misc]
        def __init__(self, width: int) -> None:
            super().__init__()
            self.first, self.last = conv(width, width // 2, 1), conv(2 * width, width, 1)
            self.pool = nn.MaxPool2d(5, 1, 2)

        def forward(self, state: Any) -> Any:
            parts = [self.first(state)]
            for _ in range(3):
                parts.append(self.pool(parts[-1]))
            return self.last(torch.cat(parts, 1))

    class Detector(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.early = nn.Sequential(
                conv(3, 32, 3, 2), conv(32, 64, 3, 2), Split(64, 64, 1, added=True), conv(64, 128, 3, 2),
                Split(128, 128, 2, added=True),
            )  # fmt: skip
            self.middle = nn.Sequential(conv(128, 256, 3, 2), Split(256, 256, 2, added=True))
            self.late = nn.Sequential(conv(256, 512, 3, 2), Split(512, 512, 1, added=True), Pooled(512))
            self.up = nn.Upsample(scale_factor=2)
            self.up_middle, self.up_early = Split(768, 256, 1, added=False), Split(384, 128, 1, added=False)
            self.down_middle, self.down_late = conv(128, 128, 3, 2), conv(256, 256, 3, 2)
            self.on_middle, self.on_late = Split(384, 256, 1, added=False), Split(768, 512, 1, added=False)
            widths = (128, 256, 512)
            self.boxes = nn.ModuleList(
                nn.Sequential(conv(width, 64), conv(64, 64), nn.Conv2d(64, 64, 1)) for width in widths
            )
            self.kinds = nn.ModuleList(
                nn.Sequential(conv(width, 128), conv(128, 128), nn.Conv2d(128, 1, 1)) for width in widths
            )
            for kind in self.kinds:
                kind[-1].bias.data.fill_(-6)  # almost no face, as on most frames
            self.steps = nn.Parameter(torch.arange(16.0), requires_grad=False)

        def forward(self, picture: Any) -> Any:
            early = self.early(picture)
            middle = self.middle(early)
            late = self.late(middle)
            mixed = self.up_middle(torch.cat([self.up(late), middle], 1))
            fine = self.up_early(torch.cat([self.up(mixed), early], 1))
            mid = self.on_middle(torch.cat([self.down_middle(fine), mixed], 1))
            coarse = self.on_late(torch.cat([self.down_late(mid), late], 1))
            boxes, kinds = [], []
            for level, box, kind in zip((fine, mid, coarse), self.boxes, self.kinds, strict=True):
                boxes.append(box(level).flatten(2))
                kinds.append(kind(level).flatten(2))
            spread = torch.cat(boxes, 2).unflatten(1, (4, 16)).softmax(2)
            sides = (spread * self.steps.view(1, 1, 16, 1)).sum(2) * 8 + 8
            return torch.cat([sides, torch.cat(kinds, 2).sigmoid()], 1)

    return Detector()


def _rrdb(*, blocks: int) -> Any:
    """Real-ESRGAN's generator: dense blocks of 64 channels growing by 32, then twice the size two times."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Dense(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(
                nn.Conv2d(64 + 32 * index, 32 if index < 4 else 64, 3, 1, 1) for index in range(5)
            )

        def forward(self, state: Any) -> Any:
            parts = [state]
            for layer in self.layers[:-1]:
                parts.append(functional.leaky_relu(layer(torch.cat(parts, 1)), 0.2))
            return state + 0.2 * self.layers[-1](torch.cat(parts, 1))

    class Block(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inside = nn.Sequential(Dense(), Dense(), Dense())

        def forward(self, state: Any) -> Any:
            return state + 0.2 * self.inside(state)

    class Larger(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 64, 3, 1, 1)
            self.body = nn.Sequential(*(Block() for _ in range(blocks)), nn.Conv2d(64, 64, 3, 1, 1))
            self.ups = nn.ModuleList(nn.Conv2d(64, 64, 3, 1, 1) for _ in range(3))
            self.last = nn.Conv2d(64, 3, 3, 1, 1)

        def forward(self, picture: Any) -> Any:
            state = self.first(picture)
            state = state + self.body(state)
            for up in self.ups[:2]:
                larger = functional.interpolate(state, scale_factor=2.0, mode="nearest")
                state = functional.leaky_relu(up(larger), 0.2)
            return self.last(functional.leaky_relu(self.ups[2](state), 0.2))

    return Larger()


def _name_classes(file: Path, side: int) -> None:
    import onnx

    model = onnx.load(str(file))
    onnx.helper.set_model_props(model, {"names": "{0: 'face'}", "imgsz": f"[{side}, {side}]"})
    onnx.save(model, str(file))


def main(report: Callable[[str], object] = print) -> None:
    """Build one and print its parameters and size as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=STAND_INS)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    if absent := missing():
        sys.exit(f"{', '.join(absent)} cannot be imported. Install with: pip install {' '.join(NEEDED)}")
    report(json.dumps(build(STAND_INS[options.name], options.folder / options.name)))


if __name__ == "__main__":
    main()
