"""The 6n + 2 network for small images with three-convolution blocks in place of its own."""

from __future__ import annotations

from torch import Tensor, nn

EXPANSION = 4
"""Channels out of a block, in those of its 3x3 convolution."""


class Block(nn.Module):
    """Convolutions of 1x1, 3x3 and 1x1 pixels around which the input is added."""

    def __init__(self, inside: int, width: int, stride: int) -> None:
        super().__init__()
        outside = width * EXPANSION
        self.conv1 = nn.Conv2d(inside, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv3 = nn.Conv2d(width, outside, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outside)
        self.downsample: nn.Module | None = None
        if inside != outside:
            self.downsample = nn.Sequential(
                nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside)
            )
        self.relu3 = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Give the block's output, smaller by its stride."""
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.relu2(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        shortcut = x if self.downsample is None else self.downsample(x)
        out: Tensor = self.relu3(y + shortcut)
        return out


def _stage(blocks: int, inside: int, width: int, stride: int) -> nn.Sequential:
    rest = (Block(width * EXPANSION, width, 1) for _ in range(blocks - 1))
    return nn.Sequential(Block(inside, width, stride), *rest)


class CifarBottleneck(nn.Module):
    """Stem, three stages of `blocks` blocks, mean over the pixels, classifier."""

    def __init__(
        self, blocks: int, widths: tuple[int, int, int], channels: int, classes: int
    ) -> None:
        super().__init__()
        first, second, third = widths
        self.conv1 = nn.Conv2d(channels, first, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _stage(blocks, first, first, 1)
        self.layer2 = _stage(blocks, first * EXPANSION, second, 2)
        self.layer3 = _stage(blocks, second * EXPANSION, third, 2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(third * EXPANSION, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Score the classes, N x classes."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.layer3(self.layer2(self.layer1(y)))
        scores: Tensor = self.fc(self.flatten(self.avgpool(y)))
        return scores
