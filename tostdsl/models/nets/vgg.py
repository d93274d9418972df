"""VGG for small images: convolutions, the mean over the pixels, one linear classifier."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class Vgg(nn.Module):
    """Stages of 3x3 convolutions with a halving between them, N x C x H x W to N x classes."""

    def __init__(
        self, stages: Sequence[Sequence[int]], channels: int, classes: int, norm: bool
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for stage in stages:
            if layers:
                layers.append(nn.MaxPool2d(2))
            for width in stage:
                layers.append(nn.Conv2d(channels, width, 3, padding=1, bias=not norm))
                if norm:
                    layers.append(nn.BatchNorm2d(width))
                layers.append(nn.ReLU(inplace=True))
                channels = width
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(channels, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Score the classes, N x classes."""
        scores: Tensor = self.classifier(self.flatten(self.avgpool(self.features(x))))
        return scores
