"""The residual networks for small images, of depth 6n + 2."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal

from tostdsl.models.listing import Listing
from tostdsl.models.width import check_width, refuse
from tostdsl.plan.bases import DataFacts, ModelSpec, ModuleFact
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register
from tostdsl.units import Factor

if TYPE_CHECKING:
    import torch

STAGES = (16, 32, 64)
"""Channels of the three stages at width 1x."""
DEEPEST = 1202
"""The deepest of the family that He et al. trained."""


class _CifarResNet(ModelSpec):
    """The arguments and the making of the whole family."""

    width: Factor = arg(
        Factor.from_json({"factor": 1}), "multiple of the 16, 32 and 64 channels of its stages"
    )
    shortcut: Literal["projection", "pad"] = arg(
        "projection",
        "what joins stages of different size: a 1x1 convolution, or every other pixel with "
        "zeros for the new channels",
    )

    def layers(self) -> int:
        """Count the depth: convolutions on the way through, and the classifier."""
        raise NotImplementedError

    def check(self, site: CheckSite) -> Iterable[Problem]:
        yield from check_width(self.width, STAGES[0])

    def modules(self, facts: DataFacts) -> tuple[ModuleFact, ...] | None:
        if any(True for _ in self.check(CheckSite())):
            return None
        out = Listing()
        out.conv("conv1")
        out.other("bn1", "relu")
        for stage in range(1, len(STAGES) + 1):
            out.other(f"layer{stage}")
            for block in range((self.layers() - 2) // 6):
                self._list_block(out, f"layer{stage}.{block}", joins=stage > 1 and block == 0)
        out.other("avgpool", "flatten")
        out.linear("fc")
        return tuple(out)

    def _list_block(self, out: Listing, at: str, joins: bool) -> None:
        out.other(at)
        out.conv(f"{at}.conv1")
        out.other(f"{at}.bn1", f"{at}.relu1")
        out.conv(f"{at}.conv2")
        out.other(f"{at}.bn2")
        if joins:
            out.other(f"{at}.downsample")
            if self.shortcut == "projection":
                out.conv(f"{at}.downsample.0")
                out.other(f"{at}.downsample.1")
        out.other(f"{at}.relu2")

    def build(self, facts: DataFacts) -> torch.nn.Module:
        from tostdsl.models.nets.cifar_resnet import CifarResNet

        refuse(self.check(CheckSite()))
        stem, middle, last = (int(self.width.value * channels) for channels in STAGES)
        return CifarResNet(
            blocks=(self.layers() - 2) // 6,
            widths=(stem, middle, last),
            channels=facts.channels,
            classes=facts.classes,
            projection=self.shortcut == "projection",
        )


@register("cifar_resnet")
class CifarResNetSpec(_CifarResNet):
    """The residual network for small images of any depth 6n + 2 (He et al. 2016, section 4.2).

    A 3x3 convolution, three stages of n blocks of two 3x3 convolutions with 16, 32 and 64
    channels (times `width`), the second and third starting with stride 2, the mean over the
    pixels, and a linear classifier; normalisation after each convolution. It takes images of any
    size and number of channels. Convolutions start from Kaiming's normal distribution (fan-out).

    `shortcut=projection` joins the stages by 1x1 convolutions with normalisation, as the networks
    of the sparse-training literature do (ResNet-32: 463,792 convolution weights);
    `shortcut=pad` is the original without them (461,232). GraSP's "ResNet-32" has `width=2x`:
    1,854,304.
    """

    positional = "depth"
    depth: int = arg(
        20, "convolutions on the way through, and the classifier: 6n + 2", ge=8, le=DEEPEST
    )

    def layers(self) -> int:
        return self.depth

    def check(self, site: CheckSite) -> Iterable[Problem]:
        yield from super().check(site)
        if (self.depth - 2) % 6:
            below = self.depth - (self.depth - 2) % 6
            near = f"`depth={below}` or `depth={below + 6}`"
            reason = f"{self.depth} is not of the form 6n + 2"
            yield Problem("T504", {"name": "depth", "reason": reason}, ("depth",), f"write {near}")


class _Named(_CifarResNet):
    """One depth of the family under a name of its own."""

    depth: ClassVar[int]

    def layers(self) -> int:
        return self.depth


@register("resnet20")
class ResNet20(_Named):
    """`cifar_resnet(depth=20)`: three blocks a stage, 0.27 million weights (He et al. 2016)."""

    depth = 20


@register("resnet32")
class ResNet32(_Named):
    """`cifar_resnet(depth=32)`: five blocks a stage, 0.46 million weights (He et al. 2016)."""

    other_names = MappingProxyType({"wide_resnet32": "resnet32(width=2x)"})  # GraSP's

    depth = 32


@register("resnet44")
class ResNet44(_Named):
    """`cifar_resnet(depth=44)`: seven blocks a stage, 0.66 million weights (He et al. 2016)."""

    depth = 44


@register("resnet56")
class ResNet56(_Named):
    """`cifar_resnet(depth=56)`: nine blocks a stage, 0.85 million weights (He et al. 2016)."""

    depth = 56


@register("resnet110")
class ResNet110(_Named):
    """`cifar_resnet(depth=110)`: 18 blocks a stage, 1.7 million weights (He et al. 2016)."""

    depth = 110
