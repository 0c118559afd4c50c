"""The built-in face network: a small anchor-free detector of stride 8 with a wide view, its targets and its loss."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

STRIDE = 8
UNIT_SIDE = 32.0  # the size output is ln(side / UNIT_SIDE)


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
    """uint8 pictures [n, h, w, 3] (sides multiples of 16) to heat [n, h/8, w/8] and shape [n, 3, h/8, w/8].

    Shape channels: x and y of the face centre from the cell's centre in cells, and ln(side / 32 px).
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(_conv(3, 12, stride=2), _conv(12, 24, stride=2), _conv(24, 24))
        self.fine = nn.Sequential(_conv(24, 48, stride=2), _Residual(48))
        self.wide = nn.Sequential(_conv(48, 72, stride=2), _Residual(72), _Residual(72, dilation=2))
        self.down = nn.Conv2d(72, 48, 1)
        self.merge = _conv(48, 48)
        self.head = nn.Conv2d(48, 4, 1)
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


def targets(truth: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Target planes float32 [5, size/8, size/8] from faces [n, 3] (x, y, side).

    Planes: heat, dx, dy, ln size, weight of the shape loss.
    """
    cells = size // STRIDE
    planes = np.zeros((5, cells, cells), np.float32)
    rows, columns = np.mgrid[0:cells, 0:cells].astype(np.float32)
    for x, y, side in truth.tolist():
        u, v = x / STRIDE - 0.5, y / STRIDE - 0.5
        column, row = min(max(round(u), 0), cells - 1), min(max(round(v), 0), cells - 1)
        sigma = max(0.6, 0.09 * side / STRIDE)
        heat = np.exp(-((columns - column) ** 2 + (rows - row) ** 2) / (2 * sigma**2))
        near = heat > np.maximum(planes[0], 0.5)
        near[row, column] = True
        planes[1][near], planes[2][near] = (u - columns)[near], (v - rows)[near]
        planes[3][near] = np.log(side / UNIT_SIDE)
        planes[4][near] = heat[near]
        planes[0] = np.maximum(planes[0], heat)
    return planes


def loss(answer: Tensor, planes: Tensor) -> Tensor:
    """CenterNet's focal loss on the heat (Zhou, Wang, Kraehenbuehl 2019, eq. 1) and smooth L1 on the shape."""
    score, heat = answer[:, 0], planes[:, 0]
    positive = (heat > 0.999).float()
    count = positive.sum().clamp(min=1.0)
    probability = torch.sigmoid(score)
    hit = -functional.logsigmoid(score) * (1 - probability) ** 2 * positive
    miss = -functional.logsigmoid(-score) * probability**2 * (1 - heat) ** 4 * (1 - positive)
    weight = planes[:, 4:5]
    shape = functional.smooth_l1_loss(answer[:, 1:], planes[:, 1:4], reduction="none", beta=0.2) * weight
    return (hit.sum() + miss.sum()) / count + 2.0 * shape.sum() / weight.sum().clamp(min=1.0)
