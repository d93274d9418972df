"""torchvision's residual network with the stem and the classifier a data set wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from torch import nn

from tostdsl.vision import torchvision

if TYPE_CHECKING:
    from tostdsl.plan.bases import DataFacts


def resnet(
    bottleneck: bool,
    blocks: tuple[int, int, int, int],
    stem: Literal["cifar", "imagenet"],
    facts: DataFacts,
) -> nn.Module:
    """Make the network with fresh weights."""
    library = torchvision().models.resnet
    block = library.Bottleneck if bottleneck else library.BasicBlock
    net: nn.Module = library.ResNet(block, list(blocks), num_classes=facts.classes)
    if stem == "cifar":
        net.maxpool = nn.Identity()
        net.conv1 = nn.Conv2d(facts.channels, 64, 3, 1, 1, bias=False)
    elif facts.channels != 3:
        net.conv1 = nn.Conv2d(facts.channels, 64, 7, 2, 3, bias=False)
    else:
        return net
    nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
    return net
