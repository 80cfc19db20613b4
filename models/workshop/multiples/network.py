"""The network of the starter: a few convolutions with shortcuts over 96 x 96 pixels."""

from __future__ import annotations

import itertools

import torch
from torch import nn

SIDE_PX = 96
WIDTHS = (12, 24, 48, 96)
CLASSES = 2
_DROPPED = 0.2


class MultiplesNetwork(nn.Module):  # type: ignore[misc]
    """From (B, 3, 96, 96) in 0..1, three equal channels, bright on black, to (B, 2) logits: multi, single."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _convolution(1, WIDTHS[0], stride=2)
        self.stages = nn.Sequential(*(_Stage(narrow, wide) for narrow, wide in itertools.pairwise(WIDTHS)))
        self.drop = nn.Dropout(_DROPPED)
        self.head = nn.Linear(2 * WIDTHS[-1], CLASSES)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """See the class."""
        seen = self.stages(self.stem(pictures[:, :1]))
        # The mean tells how much there is of something, the largest that it is there at all.
        pooled = torch.cat([seen.mean(dim=(2, 3)), seen.amax(dim=(2, 3))], dim=1)
        logits: torch.Tensor = self.head(self.drop(pooled))
        return logits


class Scored(nn.Module):  # type: ignore[misc]
    """A network with the softmax that a pack's classification ends in."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, 2) scores that sum to 1."""
        return torch.softmax(self.network(pictures), dim=1)


class _Stage(nn.Module):  # type: ignore[misc]
    """Half the size, twice the channels, and one convolution with a shortcut."""

    def __init__(self, narrow: int, wide: int) -> None:
        super().__init__()
        self.down = _convolution(narrow, wide, stride=2)
        self.again = _convolution(wide, wide)

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        seen = self.down(seen)
        return seen + self.again(seen)


def _convolution(narrow: int, wide: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(narrow, wide, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(wide), nn.ReLU(inplace=True))
