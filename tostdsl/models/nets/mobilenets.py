"""torchvision's MobileNetV2 and V3, with the stem a data set wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from torch import nn

from tostdsl.models.nets.zoo import fitted, maker

if TYPE_CHECKING:
    from tostdsl.plan.bases import DataFacts

KEPT = 2
"""Halvings that the stem for small images leaves out."""


def mobilenet(name: str, stem: Literal["cifar", "imagenet"], facts: DataFacts) -> nn.Module:
    """Make the network of a name with fresh weights."""
    original = maker(name)

    def make(facts: DataFacts) -> nn.Module:
        net = original(facts)
        if stem == "cifar":
            _enlarge(net)
        return net

    return fitted(name, make, facts)


def _enlarge(net: nn.Module) -> None:
    """Give the first two convolutions of stride 2 a stride of 1, and their blocks what follows.

    A block that neither halves the image nor changes its channels adds its input.
    """
    strided: list[tuple[nn.Module, nn.Conv2d]] = []
    for stage in net.get_submodule("features").children():
        strided += [
            (stage, module)
            for module in stage.modules()
            if isinstance(module, nn.Conv2d) and module.stride == (2, 2)
        ]
    for stage, conv in strided[:KEPT]:
        conv.stride = (1, 1)
        if hasattr(stage, "use_res_connect"):
            block: Any = stage
            first = next(module for module in stage.modules() if isinstance(module, nn.Conv2d))
            block.use_res_connect = first.in_channels == block.out_channels
