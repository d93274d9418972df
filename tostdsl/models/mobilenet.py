"""MobileNet, the first of its name, with a stem for small images or the original."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from tostdsl.models.listing import Listing
from tostdsl.models.width import check_width, refuse
from tostdsl.plan.bases import DataFacts, ModelSpec, ModuleFact
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register
from tostdsl.units import Factor

if TYPE_CHECKING:
    import torch

STEM = 32
"""Channels of the first convolution at width 1x, the fewest there are."""
BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1),) * 5,
    *((1024, 2), (1024, 1)),
)
"""Channels out of each block at width 1x, and its stride."""


@register("mobilenet")
class MobileNet(ModelSpec):
    """MobileNet (v1): 13 blocks of a depthwise 3x3 and a 1x1 convolution (Howard et al. 2017).

    A 3x3 convolution of 32 channels, blocks of 64 to 1024 channels (times `width`), the mean over
    the pixels and a linear classifier; batch normalisation and ReLU after each convolution. With
    `stem=cifar` the first convolution has stride 1, so images of 32 x 32 end as 2 x 2;
    `stem=imagenet` is the original with stride 2, 4.23 million parameters for 1000 classes. The
    last block has stride 1, as its sizes in the paper's table want, though the table says 2.

    Of the 3,185,088 convolution weights 44,640 are depthwise, nine a channel. A mask that ranks the
    weights of all layers together (`magnitude(over=global)`) may leave such a layer none; give each
    layer its share (`over=layer`, `random(distribution=erk)`) or leave them out
    (`except "layers.*.conv1"`). It takes images of any size.
    """

    other_names = MappingProxyType({"mobilenet_v1": "mobilenet", "mobilenetv1": "mobilenet"})

    width: Factor = arg(Factor.from_json({"factor": 1}), "multiple of all numbers of channels")
    stem: Literal["cifar", "imagenet"] = arg(
        "cifar", "how it begins: a 3x3 convolution of stride 1 for small images, or of stride 2"
    )

    def check(self, site: CheckSite) -> Iterable[Problem]:
        yield from check_width(self.width, STEM)

    def modules(self, facts: DataFacts) -> tuple[ModuleFact, ...] | None:
        if any(True for _ in self.check(CheckSite())):
            return None
        out = Listing()
        out.conv("conv1")
        out.other("bn1", "relu", "layers")
        for block in range(len(BLOCKS)):
            out.other(f"layers.{block}")
            for i in (1, 2):
                out.conv(f"layers.{block}.conv{i}")
                out.other(f"layers.{block}.bn{i}", f"layers.{block}.relu{i}")
        out.other("avgpool", "flatten")
        out.linear("fc")
        return tuple(out)

    def build(self, facts: DataFacts) -> torch.nn.Module:
        from tostdsl.models.nets.mobilenet import MobileNet as Net

        refuse(self.check(CheckSite()))
        stem = int(self.width.value * STEM), 1 if self.stem == "cifar" else 2
        blocks = [(int(self.width.value * width), stride) for width, stride in BLOCKS]
        return Net(stem, blocks, facts.channels, facts.classes)
