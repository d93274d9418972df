"""MobileNet (Howard et al. 2017): depthwise convolutions, each followed by a 1x1 one."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class Separable(nn.Module):
    """A 3x3 convolution a channel and a 1x1 one over the channels, N x C x H x W."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, inside, 3, stride, 1, groups=inside, bias=False)
        self.bn1 = nn.BatchNorm2d(inside)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(inside, outside, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.relu2 = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Give the block's output, smaller by its stride."""
        y = self.relu1(self.bn1(self.conv1(x)))
        out: Tensor = self.relu2(self.bn2(self.conv2(y)))
        return out


class MobileNet(nn.Module):
    """Stem, blocks of (channels, stride), mean over the pixels, classifier."""

    def __init__(
        self,
        stem: tuple[int, int],
        blocks: Sequence[tuple[int, int]],
        channels: int,
        classes: int,
    ) -> None:
        super().__init__()
        width, stride = stem
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        layers = []
        for outside, stride in blocks:
            layers.append(Separable(width, outside, stride))
            width = outside
        self.layers = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(width, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Score the classes, N x classes."""
        y = self.layers(self.relu(self.bn1(self.conv1(x))))
        scores: Tensor = self.fc(self.flatten(self.avgpool(y)))
        return scores
