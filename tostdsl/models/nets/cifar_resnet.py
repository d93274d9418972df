"""The residual network for small images (He et al. 2016, section 4.2)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class PadShortcut(nn.Module):
    """Every other pixel, with zeros for the channels that are new: N x C x H x W, no weights."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels = channels
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Give the smaller, deeper image."""
        kept = x[:, :, :: self.stride, :: self.stride]
        return functional.pad(kept, (0, 0, 0, 0, self.channels // 2, self.channels // 2))


class Block(nn.Module):
    """Two 3x3 convolutions around which the input is added; an activation module each."""

    def __init__(self, inside: int, outside: int, stride: int, projection: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.downsample: nn.Module | None = None
        if inside != outside:
            self.downsample = (
                nn.Sequential(
                    nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside)
                )
                if projection
                else PadShortcut(outside - inside, stride)
            )
        self.relu2 = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Give the block's output, smaller by its stride."""
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        shortcut = x if self.downsample is None else self.downsample(x)
        out: Tensor = self.relu2(y + shortcut)
        return out


def _stage(blocks: int, inside: int, outside: int, projection: bool) -> nn.Sequential:
    first = Block(inside, outside, 1 if inside == outside else 2, projection)
    return nn.Sequential(
        first, *(Block(outside, outside, 1, projection) for _ in range(blocks - 1))
    )


class CifarResNet(nn.Module):
    """Stem, three stages of `blocks` blocks, mean over the pixels, classifier."""

    def __init__(
        self,
        blocks: int,
        widths: tuple[int, int, int],
        channels: int,
        classes: int,
        projection: bool,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, widths[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _stage(blocks, widths[0], widths[0], projection)
        self.layer2 = _stage(blocks, widths[0], widths[1], projection)
        self.layer3 = _stage(blocks, widths[1], widths[2], projection)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(widths[2], classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Score the classes, N x classes."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.layer3(self.layer2(self.layer1(y)))
        scores: Tensor = self.fc(self.flatten(self.avgpool(y)))
        return scores
