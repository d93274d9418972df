"""The residual networks of the ImageNet paper, with a stem for small images or the original."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tostdsl.models.listing import Listing
from tostdsl.plan.bases import DataFacts, ModelSpec, ModuleFact
from tostdsl.plan.spec import arg
from tostdsl.registry import register

if TYPE_CHECKING:
    import torch


class _ResNet(ModelSpec):
    """The argument and the making of the whole family."""

    stem: Literal["cifar", "imagenet"] = arg(
        "cifar",
        "how it begins: a 3x3 convolution for small images, or a 7x7 one of stride 2 and pooling",
    )
    bottleneck: ClassVar[bool]
    blocks: ClassVar[tuple[int, int, int, int]]

    def modules(self, facts: DataFacts) -> tuple[ModuleFact, ...] | None:
        out = Listing()
        out.conv("conv1")
        out.other("bn1", "relu", "maxpool")
        for stage, count in enumerate(self.blocks, 1):
            out.other(f"layer{stage}")
            for block in range(count):
                # a bottleneck widens already in the first stage
                joins = block == 0 and (stage > 1 or self.bottleneck)
                self._list_block(out, f"layer{stage}.{block}", joins)
        out.other("avgpool")
        out.linear("fc")
        return tuple(out)

    def _list_block(self, out: Listing, at: str, joins: bool) -> None:
        out.other(at)
        for i in range(1, 4 if self.bottleneck else 3):
            out.conv(f"{at}.conv{i}")
            out.other(f"{at}.bn{i}")
            if i == 1 and not self.bottleneck:
                out.other(f"{at}.relu")
        if self.bottleneck:
            out.other(f"{at}.relu")
        if joins:
            out.other(f"{at}.downsample")
            out.conv(f"{at}.downsample.0")
            out.other(f"{at}.downsample.1")

    def build(self, facts: DataFacts) -> torch.nn.Module:
        from tostdsl.models.nets.resnet import resnet

        return resnet(self.bottleneck, self.blocks, self.stem, facts)


@register("resnet18")
class ResNet18(_ResNet):
    """ResNet-18: stages of 2, 2, 2, 2 basic blocks with 64 to 512 channels (He et al. 2016).

    With `stem=cifar` it begins with one 3x3 convolution of stride 1 and no pooling, as in the
    sparse-training literature on small images: 11,159,232 convolution weights for images of three
    channels. `stem=imagenet` is the original, a 7x7 convolution of stride 2 and a 3x3 pooling.
    """

    bottleneck = False
    blocks = (2, 2, 2, 2)


@register("resnet34")
class ResNet34(_ResNet):
    """ResNet-34: stages of 3, 4, 6, 3 basic blocks with 64 to 512 channels (He et al. 2016).

    `stem=cifar` begins with one 3x3 convolution of stride 1 and no pooling, `stem=imagenet` with
    the original's 7x7 convolution of stride 2 and 3x3 pooling.
    """

    bottleneck = False
    blocks = (3, 4, 6, 3)


@register("resnet50")
class ResNet50(_ResNet):
    """ResNet-50: stages of 3, 4, 6, 3 bottleneck blocks, 256 to 2048 channels (He et al. 2016).

    The stride of a block is in its 3x3 convolution. `stem=cifar` begins with one 3x3 convolution
    of stride 1 and no pooling, `stem=imagenet` with the original's 7x7 convolution of stride 2
    and 3x3 pooling.
    """

    bottleneck = True
    blocks = (3, 4, 6, 3)


@register("resnet101")
class ResNet101(_ResNet):
    """ResNet-101: stages of 3, 4, 23, 3 bottleneck blocks, 256 to 2048 channels (He et al. 2016).

    The stride of a block is in its 3x3 convolution. `stem=cifar` begins with one 3x3 convolution
    of stride 1 and no pooling, `stem=imagenet` with the original's 7x7 convolution of stride 2
    and 3x3 pooling.
    """

    bottleneck = True
    blocks = (3, 4, 23, 3)


@register("resnet152")
class ResNet152(_ResNet):
    """ResNet-152: stages of 3, 8, 36, 3 bottleneck blocks, 256 to 2048 channels (He et al. 2016).

    The stride of a block is in its 3x3 convolution. `stem=cifar` begins with one 3x3 convolution
    of stride 1 and no pooling, `stem=imagenet` with the original's 7x7 convolution of stride 2
    and 3x3 pooling.
    """

    bottleneck = True
    blocks = (3, 8, 36, 3)
