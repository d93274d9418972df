"""MobileNetV2 and MobileNetV3, torchvision's, with the original stem or one for small images."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tostdsl.models.listing import Listing
from tostdsl.plan.bases import DataFacts, ModelSpec, ModuleFact
from tostdsl.plan.spec import arg
from tostdsl.registry import register

if TYPE_CHECKING:
    import torch


class _MobileNet(ModelSpec):
    """The argument and the making of both editions."""

    stem: Literal["cifar", "imagenet"] = arg(
        "imagenet",
        "how it begins: the original, or for small images with the first two of its five halvings "
        "left out",
    )
    blocks: ClassVar[tuple[tuple[bool, bool], ...]]
    """For each block, whether it widens first, and whether it squeezes and excites."""

    def modules(self, facts: DataFacts) -> tuple[ModuleFact, ...] | None:
        out = Listing()
        out.other("features")
        self._unit(out, "features.0")
        for number, block in enumerate(self.blocks, 1):
            self._block(out, f"features.{number}", *block)
        self._unit(out, f"features.{len(self.blocks) + 1}")
        self._head(out)
        return tuple(out)

    def _block(self, out: Listing, at: str, widens: bool, squeezes: bool) -> None:
        raise NotImplementedError

    def _head(self, out: Listing) -> None:
        raise NotImplementedError

    @staticmethod
    def _unit(out: Listing, at: str, *, activated: bool = True) -> None:
        """A convolution, its normalisation and its activation."""
        out.other(at)
        out.conv(f"{at}.0")
        out.other(f"{at}.1")
        if activated:
            out.other(f"{at}.2")

    def build(self, facts: DataFacts) -> torch.nn.Module:
        from tostdsl.models.nets.mobilenets import mobilenet

        return mobilenet(self.name, self.stem, facts)


@register("mobilenet_v2")
class MobilenetV2(_MobileNet):
    """MobileNetV2: 17 inverted residual blocks with 16 to 320 channels (Sandler et al. 2018).

    torchvision's network with random weights. With `stem=cifar`, for images of about 32 x 32, the
    first convolution and the first block of 24 channels have stride 1, so that images are halved
    three times, not five; the weights are the same in number: 2.19 million in convolutions.
    Where images do not have three channels the first convolution is drawn anew, with the variance
    that keeps the size of its output.
    """

    examples = ("mobilenet_v2(stem=cifar)",)
    blocks = ((False, False), *((True, False),) * 16)

    def _block(self, out: Listing, at: str, widens: bool, squeezes: bool) -> None:
        out.other(at, f"{at}.conv")
        for i in range(1 + widens):
            self._unit(out, f"{at}.conv.{i}")
        out.conv(f"{at}.conv.{1 + widens}")
        out.other(f"{at}.conv.{2 + widens}")

    def _head(self, out: Listing) -> None:
        out.other("classifier", "classifier.0")
        out.linear("classifier.1")


class _MobileNetV3(_MobileNet):
    """Both sizes."""

    def _block(self, out: Listing, at: str, widens: bool, squeezes: bool) -> None:
        out.other(at, f"{at}.block")
        for i in range(1 + widens):
            self._unit(out, f"{at}.block.{i}")
        place = f"{at}.block.{1 + widens}"
        if squeezes:
            out.other(place, f"{place}.avgpool")
            out.conv(f"{place}.fc1")
            out.conv(f"{place}.fc2")
            out.other(f"{place}.activation", f"{place}.scale_activation")
            place = f"{at}.block.{2 + widens}"
        self._unit(out, place, activated=False)

    def _head(self, out: Listing) -> None:
        out.other("avgpool", "classifier")
        out.linear("classifier.0")
        out.other("classifier.1", "classifier.2")
        out.linear("classifier.3")


@register("mobilenet_v3_large")
class MobilenetV3Large(_MobileNetV3):
    """MobileNetV3-Large: 15 inverted residual blocks with 16 to 160 channels (Howard et al. 2019).

    torchvision's network with random weights. With `stem=cifar`, for images of about 32 x 32, the
    first convolution and the first block of 24 channels have stride 1, so that images are halved
    three times, not five. Squeeze-and-excitation is made of 1x1 convolutions, which a mask counts
    among the convolutions. Where images do not have three channels the first convolution is drawn
    anew, with the variance that keeps the size of its output.
    """

    examples = ("mobilenet_v3_large(stem=cifar)",)
    blocks = (
        (False, False),
        *((True, False),) * 2,
        *((True, True),) * 3,
        *((True, False),) * 4,
        *((True, True),) * 5,
    )


@register("mobilenet_v3_small")
class MobilenetV3Small(_MobileNetV3):
    """MobileNetV3-Small: 11 inverted residual blocks with 16 to 96 channels (Howard et al. 2019).

    torchvision's network with random weights. With `stem=cifar`, for images of about 32 x 32, the
    first convolution and the first block have stride 1, so that images are halved three times, not
    five; that block then adds its input to its output, as blocks that keep size and channels do.
    Squeeze-and-excitation is made of 1x1 convolutions, which a mask counts among the convolutions.
    Where images do not have three channels the first convolution is drawn anew, with the variance
    that keeps the size of its output.
    """

    examples = ("mobilenet_v3_small(stem=cifar)",)
    blocks = ((False, True), *((True, False),) * 2, *((True, True),) * 8)
