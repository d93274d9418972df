"""VGG, with a head for small images or the original's."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tostdsl.models.listing import Listing
from tostdsl.plan.bases import DataFacts, ModelSpec, ModuleFact
from tostdsl.plan.spec import arg
from tostdsl.registry import register

if TYPE_CHECKING:
    import torch

WIDTHS = (64, 128, 256, 512, 512)
"""Channels of the five stages."""
ORIGINAL_HEAD = 7
"""Modules of the original's head: three linear layers, activation and dropout between them."""


class _Vgg(ModelSpec):
    """The arguments and the making of the whole family."""

    # `vgg16` was torchvision's network without normalisation before it had these arguments
    revision = 2

    head: Literal["cifar", "imagenet"] = arg(
        "cifar",
        "how it ends: the mean over the pixels and one linear layer, or a fifth halving and three "
        "linear layers with dropout",
    )
    norm: Literal["batch", "none"] = arg("batch", "what follows each convolution")
    depth: ClassVar[int]
    convs: ClassVar[tuple[int, int, int, int, int]]

    def modules(self, facts: DataFacts) -> tuple[ModuleFact, ...] | None:
        out = Listing()
        out.other("features")
        place = 0
        for stage, count in enumerate(self.convs):
            if stage:
                out.other(f"features.{place}")
                place += 1
            for _ in range(count):
                out.conv(f"features.{place}")
                rest = 1 if self.norm == "none" else 2
                out.other(*(f"features.{place + i}" for i in range(1, rest + 1)))
                place += rest + 1
        if self.head == "cifar":
            out.other("avgpool", "flatten")
            out.linear("classifier")
            return tuple(out)
        out.other(f"features.{place}", "avgpool", "classifier")
        for i in range(ORIGINAL_HEAD):
            (out.other if i % 3 else out.linear)(f"classifier.{i}")
        return tuple(out)

    def build(self, facts: DataFacts) -> torch.nn.Module:
        from tostdsl.models.nets.vgg import Vgg
        from tostdsl.models.nets.zoo import fitted, maker

        normalised = self.norm == "batch"
        if self.head == "imagenet":
            original = maker(f"vgg{self.depth}{'_bn' * normalised}")
            return fitted(self.name, original, facts)
        stages = [[width] * count for width, count in zip(WIDTHS, self.convs, strict=True)]

        def make(facts: DataFacts) -> torch.nn.Module:
            return Vgg(stages, facts.channels, facts.classes, normalised)

        return fitted(self.name, make, facts)


@register("vgg11")
class Vgg11(_Vgg):
    """VGG-11: stages of 1, 1, 2, 2, 2 convolutions (Simonyan & Zisserman 2015), for small images.

    `head` and `norm` mean what they do for `vgg16`; 9.2 million convolution weights.
    """

    depth = 11
    convs = (1, 1, 2, 2, 2)


@register("vgg13")
class Vgg13(_Vgg):
    """VGG-13: stages of 2, 2, 2, 2, 2 convolutions (Simonyan & Zisserman 2015), for small images.

    `head` and `norm` mean what they do for `vgg16`; 9.4 million convolution weights.
    """

    depth = 13
    convs = (2, 2, 2, 2, 2)


@register("vgg16")
class Vgg16(_Vgg):
    """VGG-16: stages of 2, 2, 3, 3, 3 convolutions (Simonyan & Zisserman 2015), for small images.

    The network of the sparse-training literature (SynFlow, GraSP): 3x3 convolutions of 64, 128,
    256, 512 and 512 channels, each followed by batch normalisation, a halving between the stages,
    the mean over the pixels and one linear classifier; 14,761,664 convolution and linear weights
    for 100 classes. Weights start from Kaiming's normal distribution (fan-in). It takes images
    from 16 x 16 on. `head=imagenet` has the original's three linear layers with dropout instead,
    after torchvision, and with `norm=none` it is the original.
    """

    examples = ("vgg16", "vgg16(head=imagenet, norm=none)")
    depth = 16
    convs = (2, 2, 3, 3, 3)


@register("vgg19")
class Vgg19(_Vgg):
    """VGG-19: stages of 2, 2, 4, 4, 4 convolutions (Simonyan & Zisserman 2015), for small images.

    `head` and `norm` mean what they do for `vgg16`; 20 million convolution weights.
    """

    depth = 19
    convs = (2, 2, 4, 4, 4)
