"""Random changes of training images.

They work on pixel values in [0, 1], before normalisation, so what comes in from outside an image
is black. Each is a function of the images and of random numbers it is given; nothing is drawn
here, and there is no loop over images.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING

from tostdsl.plan.bases import Augmentation
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register
from tostdsl.units import Percent

if TYPE_CHECKING:
    import torch


def _pick(draws: torch.Tensor, choices: int) -> torch.Tensor:
    """Whole numbers below `choices`, int64, from numbers in [0, 1)."""
    import torch

    return (draws * choices).to(torch.int64).clamp_(max=choices - 1)


@register("crop")
class Crop(Augmentation):
    """Shifts an image by up to `padding` pixels in each direction; what comes in is black.

    The same as a border of `padding` black pixels and a random crop of the old size:
    torchvision's `RandomCrop(size, padding)` before normalisation.
    """

    numbers = 2
    other_names = dict.fromkeys(("randomcrop", "random_crop"), "crop")
    other_arguments = MappingProxyType(
        {
            **dict.fromkeys(("", "size"), "leave it out: an image keeps its size"),
            "pad": "padding",
        }
    )
    padding: int = arg(4, "largest shift in each direction", unit="pixels", ge=1, le=1024)

    def apply(self, images: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
        import torch
        from torch.nn.functional import pad

        count, channels, height, width = images.shape
        top, left = _pick(draws, 2 * self.padding + 1).unbind(1)
        bordered = pad(images, (self.padding,) * 4).flatten(2)
        row = width + 2 * self.padding
        down = torch.arange(height, device=images.device)[:, None] * row
        across = torch.arange(width, device=images.device)
        corner = (top * row + left)[:, None, None]
        taken = (corner + down + across).reshape(count, 1, -1).expand(-1, channels, -1)
        return bordered.gather(2, taken).reshape(images.shape)


@register("flip")
class Flip(Augmentation):
    """Mirrors an image left to right, with the given probability."""

    other_names = dict.fromkeys(
        ("randomhorizontalflip", "random_flip", "horizontal_flip", "hflip", "mirror"), "flip"
    )
    other_arguments = MappingProxyType(dict.fromkeys(("", "p", "prob"), "probability"))
    probability: Percent = arg(Percent(Decimal(50)), "share of the images that are mirrored")

    def apply(self, images: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
        import torch

        mirrored = draws[:, 0] < float(self.probability)
        return torch.where(mirrored[:, None, None, None], images.flip(3), images)

    def check(self, site: CheckSite) -> Iterable[Problem]:
        if not 0 <= self.probability.value <= 100:
            reason = "a probability lies between 0% and 100%"
            yield Problem("T504", {"name": "probability", "reason": reason}, ("probability",))


@register("cutout")
class Cutout(Augmentation):
    """Blackens a square of `size` pixels; its centre is any pixel, so it may be cut by the edge.

    DeVries and Taylor, 2017 (arXiv 1708.04552), who blacken after normalisation, which makes
    the square the mean colour instead.
    """

    numbers = 2
    other_names = dict.fromkeys(("randomerasing", "random_erasing"), "cutout")
    other_arguments = MappingProxyType({"length": "size"})
    size: int = arg(8, "side of the square", unit="pixels", ge=1, le=1024)

    def apply(self, images: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
        import torch

        def covered(draw: torch.Tensor, length: int) -> torch.Tensor:
            first = _pick(draw, length)[:, None] - self.size // 2
            place = torch.arange(length, device=images.device)
            return (place >= first) & (place < first + self.size)

        rows = covered(draws[:, 0], images.shape[2])[:, None, :, None]
        columns = covered(draws[:, 1], images.shape[3])[:, None, None, :]
        return images.masked_fill(rows & columns, 0)
