"""The network of the built-in embedder: from a head crop to an identity vector and tag scores."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE = 64
CHANNELS = (40, 80, 128)  # at strides 4, 8, 16
VECTOR = 96


class _Residual(nn.Module):  # type: ignore[misc]
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, inside: Tensor) -> Tensor:
        return functional.relu(inside + self.body(inside))


def _down(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, 2, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)
    )


class HeadNet(nn.Module):  # type: ignore[misc]
    """uint8 RGB heads [n, 64, 64, 3] to vectors of length 1 [n, VECTOR] and logits of `tags` [n, tags]."""

    def __init__(self, tags: int) -> None:
        super().__init__()
        fine, middle, coarse = CHANNELS
        self.stem = nn.Sequential(
            nn.Conv2d(3, fine, 6, 4, 1, bias=False), nn.BatchNorm2d(fine), nn.ReLU(inplace=True), _Residual(fine)
        )
        self.middle = nn.Sequential(_down(fine, middle), _Residual(middle), _Residual(middle))
        self.coarse = nn.Sequential(_down(middle, coarse), _Residual(coarse))
        # Positions in a head are meaningful, so there is no pooling over them.
        self.place = nn.Sequential(nn.Conv2d(coarse, 32, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(inplace=True))
        self.trunk = nn.Sequential(nn.Linear(32 * 16, 256), nn.ReLU(inplace=True))
        self.vector = nn.Linear(256, VECTOR)
        self.tags = nn.Linear(256, tags)
        self.colours = nn.Linear(256, 9)  # LAB of hair, eyes and skin: used for training only

    def features(self, heads: Tensor) -> Tensor:
        """Features [n, 256] of all outputs, of float planes [n, 3, 64, 64] round 0."""
        out: Tensor = self.trunk(self.place(self.coarse(self.middle(self.stem(heads)))).flatten(1))
        return out

    def forward(self, heads: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.features(planes(heads))
        return functional.normalize(self.vector(seen), dim=1), torch.sigmoid(self.tags(seen))


def planes(heads: Tensor) -> Tensor:
    """Bytes [n, h, w, 3] as float planes [n, 3, h, w] from -1 to 1."""
    return heads.permute(0, 3, 1, 2).float() / 127.5 - 1.0


def likeness_loss(vectors: Tensor, people: Tensor, *, temperature: float = 0.1) -> Tensor:
    """Supervised contrastive loss (Khosla et al. 2020, the sum outside the logarithm) of unit vectors [n, d]."""
    alike = vectors @ vectors.T / temperature
    alike = alike - 1e9 * torch.eye(len(vectors))
    same = (people[:, None] == people[None]).float() - torch.eye(len(vectors))
    logs = alike - torch.logsumexp(alike, dim=1, keepdim=True)
    return -((logs * same).sum(dim=1) / same.sum(dim=1).clamp(min=1)).mean()
