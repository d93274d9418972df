"""The network that the ToST paper calls ResNet-104, as its public code builds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tostdsl.models.listing import Listing
from tostdsl.plan.bases import DataFacts, ModelSpec, ModuleFact
from tostdsl.registry import register

if TYPE_CHECKING:
    import torch

STAGES = (16, 32, 64)
"""Channels of the 3x3 convolutions of the three stages; a block gives four times as many."""
BLOCKS = 17
"""Blocks a stage: (104 - 2) / 6."""


@register("resnet104")
class ResNet104(ModelSpec):
    """The "ResNet-104" of the ToST paper (Jaiswal et al. 2022): 155 weight layers, not 104.

    Its public code takes the depth 104 = 6n + 2 for a network of n = 17 blocks a stage, as for
    `cifar_resnet(104)`, but from depth 54 on makes each block a bottleneck of three convolutions
    instead of two. So there are 51 blocks of 1x1, 3x3 and 1x1 convolutions, and with the stem and
    the classifier 155 weight layers; the 16, 32 and 64 channels of the 3x3 convolutions become 64,
    128 and 256 behind each block. 1,585,072 convolution weights, those of the three 1x1
    convolutions that join the stages among them. Names of weights and the distribution that they
    start from (Kaiming's normal one, fan-out) are those of the code. It takes images of any size.
    """

    def modules(self, facts: DataFacts) -> tuple[ModuleFact, ...] | None:
        out = Listing()
        out.conv("conv1")
        out.other("bn1", "relu")
        for stage in range(1, len(STAGES) + 1):
            out.other(f"layer{stage}")
            for block in range(BLOCKS):
                at = f"layer{stage}.{block}"
                out.other(at)
                for i in (1, 2):
                    out.conv(f"{at}.conv{i}")
                    out.other(f"{at}.bn{i}", f"{at}.relu{i}")
                out.conv(f"{at}.conv3")
                out.other(f"{at}.bn3")
                if block == 0:
                    out.other(f"{at}.downsample")
                    out.conv(f"{at}.downsample.0")
                    out.other(f"{at}.downsample.1")
                out.other(f"{at}.relu3")
        out.other("avgpool", "flatten")
        out.linear("fc")
        return tuple(out)

    def build(self, facts: DataFacts) -> torch.nn.Module:
        from tostdsl.models.nets.cifar_bottleneck import CifarBottleneck

        return CifarBottleneck(BLOCKS, STAGES, facts.channels, facts.classes)
