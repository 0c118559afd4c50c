"""The built-in face network: a small anchor-free detector of stride 8 with a wide view, its targets and its loss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

STRIDE = 8
UNIT_SIDE = 32.0  # the size outputs are ln(width / UNIT_SIDE) and ln(height / UNIT_SIDE)
CHANNELS = (16, 32, 48, 80)  # at strides 2, 4, 8, 16: multiples of 16, which suit the vector units of processors


def _conv(inside: int, outside: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, dilation, dilation, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Module):  # type: ignore[misc]
    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = _conv(channels, channels, dilation=dilation)
        self.second = _conv(channels, channels, dilation=dilation)

    def forward(self, inside: Tensor) -> Tensor:
        return inside + self.second(self.first(inside))


class FaceNet(nn.Module):  # type: ignore[misc]
    """uint8 pictures [n, h, w, 3] (sides multiples of 16) to heat [n, h/8, w/8] and shape [n, 4, h/8, w/8].

    Shape channels: x and y of the face centre from the cell's centre in cells, ln(width / 32 px), ln(height / 32 px).
    """

    def __init__(self) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth = CHANNELS
        self.stem = nn.Sequential(_conv(3, half, stride=2), _conv(half, quarter, stride=2), _conv(quarter, quarter))
        self.fine = nn.Sequential(_conv(quarter, eighth, stride=2), _Residual(eighth))
        self.wide = nn.Sequential(
            _conv(eighth, sixteenth, stride=2), _Residual(sixteenth), _Residual(sixteenth, dilation=2)
        )
        self.down = nn.Conv2d(sixteenth, eighth, 1)
        self.merge = _conv(eighth, eighth)
        self.head = nn.Conv2d(eighth, 5, 1)
        with torch.no_grad():
            self.head.bias[0] = -4.0  # faces are rare: start from a low score everywhere

    def logits(self, pictures: Tensor) -> Tensor:
        planes = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1.0
        fine = self.fine(self.stem(planes))
        wide = functional.interpolate(self.down(self.wide(fine)), scale_factor=2.0, mode="nearest")
        answer: Tensor = self.head(self.merge(fine + wide))
        return answer

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        answer = self.logits(pictures)
        return torch.sigmoid(answer[:, 0]), answer[:, 1:]


def restore(net: FaceNet, path: Path, pictures: Tensor) -> None:
    """Loads the weights of an ONNX file that `write_onnx` wrote, so that training can go on from a published model.

    Batch norm is folded into such a file's convolutions: each norm gets the statistics of `pictures` (canvases, uint8
    [n, h, w, 3]) and the scale and shift that undo them, so that outputs are preserved.
    """
    graph = onnx.load(str(path)).graph
    values = {entry.name: torch.from_numpy(onnx.numpy_helper.to_array(entry).copy()) for entry in graph.initializer}
    stored = [node.input for node in graph.node if node.op_type == "Conv"]
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    norms: dict[nn.Conv2d, nn.BatchNorm2d] = {
        block[0]: block[1]
        for block in net.modules()
        if isinstance(block, nn.Sequential) and len(block) > 1 and isinstance(block[1], nn.BatchNorm2d)
    }
    net.eval()
    with torch.no_grad():
        for module, (_, weight, bias) in zip(convolutions, stored, strict=True):
            module.weight.copy_(values[weight])
            if module not in norms:
                module.bias.copy_(values[bias])
                continue
            norm = norms[module]
            norm.running_mean.zero_(), norm.running_var.fill_(1 - norm.eps)
            norm.weight.fill_(1.0), norm.bias.copy_(values[bias])

        def settle(norm: nn.BatchNorm2d, inside: tuple[Tensor]) -> None:
            mean, variance = inside[0].mean((0, 2, 3)), inside[0].var((0, 2, 3))
            norm.running_mean.copy_(mean), norm.running_var.copy_(variance)
            norm.weight.copy_((variance + norm.eps).sqrt()), norm.bias.add_(mean)

        hooks = [norm.register_forward_pre_hook(settle) for norm in norms.values()]
        net.logits(pictures)
        for hook in hooks:
            hook.remove()


def start_from(net: FaceNet, path: Path, *, larger: float = 1.0) -> None:
    """Loads weights of an earlier training, also those of a narrower net, whose outputs are preserved.

    New channels start at random with zero weights in the next layer. A net with one side instead of width and height
    gives it for both; `larger` is how much larger boxes are meant to be from now on.
    """
    old: dict[str, Tensor] = torch.load(path, weights_only=True)
    if old["head.weight"].shape[0] == 4:
        old["head.weight"] = torch.cat([old["head.weight"], old["head.weight"][3:]])
        old["head.bias"] = torch.cat([old["head.bias"], old["head.bias"][3:]])
    old["head.bias"] = old["head.bias"].clone()
    old["head.bias"][3:] += float(np.log(larger))
    new = net.state_dict()
    with torch.no_grad():
        for name, values in new.items():
            narrow = old[name]
            if values.dim() == 4 and narrow.shape[1] < values.shape[1]:
                values[: narrow.shape[0], narrow.shape[1] :] = 0
            values[tuple(slice(0, length) for length in narrow.shape)] = narrow


def targets(truth: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Target planes float32 [6, size/8, size/8] from faces [n, 4] (x, y, width, height).

    Planes: heat, dx, dy, ln width, ln height, weight of the shape loss.
    """
    cells = size // STRIDE
    planes = np.zeros((6, cells, cells), np.float32)
    rows, columns = np.mgrid[0:cells, 0:cells].astype(np.float32)
    for x, y, width, height in truth.tolist():
        u, v = x / STRIDE - 0.5, y / STRIDE - 0.5
        column, row = min(max(round(u), 0), cells - 1), min(max(round(v), 0), cells - 1)
        sigma = max(0.6, 0.08 * np.sqrt(width * height) / STRIDE)
        heat = np.exp(-((columns - column) ** 2 + (rows - row) ** 2) / (2 * sigma**2))
        is_positive = heat > np.maximum(planes[0], 0.5)
        is_positive[row, column] = True
        planes[1][is_positive], planes[2][is_positive] = (u - columns)[is_positive], (v - rows)[is_positive]
        planes[3][is_positive], planes[4][is_positive] = np.log(width / UNIT_SIDE), np.log(height / UNIT_SIDE)
        planes[5][is_positive] = heat[is_positive]
        planes[0] = np.maximum(planes[0], heat)
    return planes


def _overlap_loss(predicted: Tensor, expected: Tensor) -> Tensor:
    """1 - generalised IoU (Rezatofighi et al. 2019) of boxes as shape planes [n, 4, h, w], one value per cell."""

    def corners(planes: Tensor) -> tuple[Tensor, Tensor]:
        half = torch.exp(planes[:, 2:].clamp(-3, 4)) * (UNIT_SIDE / STRIDE / 2)
        return planes[:, :2] - half, planes[:, :2] + half

    (low, high), (expected_low, expected_high) = corners(predicted), corners(expected)
    shared = (torch.minimum(high, expected_high) - torch.maximum(low, expected_low)).clamp(min=0).prod(1)
    union = (high - low).prod(1) + (expected_high - expected_low).prod(1) - shared
    hull = (torch.maximum(high, expected_high) - torch.minimum(low, expected_low)).prod(1)
    return 1 - shared / union + (hull - union) / hull


def loss(answer: Tensor, planes: Tensor) -> Tensor:
    """CenterNet's focal loss on the heat (Zhou, Wang, Kraehenbuehl 2019, eq. 1); smooth L1 and IoU on the shape."""
    score, heat = answer[:, 0], planes[:, 0]
    positive = (heat > 0.999).float()
    count = positive.sum().clamp(min=1.0)
    probability = torch.sigmoid(score)
    hit = -functional.logsigmoid(score) * (1 - probability) ** 2 * positive
    miss = -functional.logsigmoid(-score) * probability**2 * (1 - heat) ** 4 * (1 - positive)
    weight = planes[:, 5]
    shape = functional.smooth_l1_loss(answer[:, 1:], planes[:, 1:5], reduction="none", beta=0.1).sum(1)
    overlap_loss = _overlap_loss(answer[:, 1:], planes[:, 1:5])
    fit = ((shape + 1.5 * overlap_loss) * weight).sum() / weight.sum().clamp(min=1.0)
    return (hit.sum() + miss.sum()) / count + fit
