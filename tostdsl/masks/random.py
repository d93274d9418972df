"""The mask `random`."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING

from tostdsl.masks.shares import Distribution, counts, highest_alive
from tostdsl.plan.masking import MaskSite, Sparsifier, shapes_of
from tostdsl.plan.spec import arg
from tostdsl.registry import register

if TYPE_CHECKING:
    import torch


class Drawn(Sparsifier):
    """Base of masks that are drawn at random, each layer's count by a law of sizes."""

    distribution: Distribution = arg(
        "uniform", "how the kept weights are shared out among the layers"
    )

    def shared_out(
        self, shapes: Mapping[str, Sequence[int]], sparsity: Fraction | None
    ) -> dict[str, int]:
        assert sparsity is not None
        return counts(self.distribution, shapes, sparsity)

    def highest(self, site: MaskSite) -> Fraction | None:
        return highest_alive(self.distribution, shapes_of(site.weights))

    def masks_at(self, site: MaskSite) -> "Callable[[Fraction], dict[str, torch.Tensor]] | None":
        return lambda sparsity: self.choose(site, sparsity)

    def choose(self, site: MaskSite, sparsity: Fraction | None) -> "dict[str, torch.Tensor]":
        return drawn(site, self.shared_out(shapes_of(site.weights), sparsity))


@register("random")
class Random(Drawn):
    """Keeps weights drawn at random before training; looks at no weight and no data.

    `distribution` says how many each layer keeps:

    - `uniform`: every layer has the same density, 1 - sparsity;
    - `uniform_plus`: as `uniform`, with the first convolution dense and a classifier at a density
      of 20% at least; the others make up for both;
    - `er` (Erdős-Rényi): a layer's density is epsilon * (out + in) / (out * in), whatever its
      kernel;
    - `erk` (Erdős-Rényi-kernel): epsilon * sum(shape) / prod(shape), for a convolution epsilon *
      (out + in + height + width) / (out * in * height * width). Small layers stay denser than large
      ones, which helps at high sparsity;
    - `balanced`: every layer keeps the same number of weights;
    - `smart_ratio`: layer l of L, counted from the input, has a density proportional to
      (L - l + 1)^2 + (L - l + 1); a classifier has 30%.

    A layer that would keep more than it has becomes dense, and the others share out what it
    cannot take, so that the total is the wanted one. A classifier is a linear layer that stands
    last in scope.

    The total is exact: density times the number of weights in scope, a half rounded up. Each
    layer's count is rounded down and the rest goes to the largest remainders. Each layer draws
    from the seed and its own name, so other layers do not change what it keeps, and at a higher
    sparsity a layer keeps a part of what it keeps at a lower one.

    Erdős-Rényi: Mocanu et al., "Scalable training of artificial neural networks with adaptive
    sparse connectivity inspired by network science", 2018. The kernel form: Evci et al.,
    "Rigging the lottery: making all tickets winners", 2020. Uniform+: Liu et al., "The
    unreasonable effectiveness of random pruning", 2022. Balanced: Gadhikar et al., "Why random
    pruning is all we need to start sparse", 2023. Smart ratios: Su et al., "Sanity-checking
    pruning methods: random tickets can win the jackpot", 2020.
    """

    seeded = True
    examples = ("random(sparsity=95%, distribution=erk)",)

    other_names = MappingProxyType({"erk": "random(distribution=erk)", "uniform": "random"})
    other_arguments = MappingProxyType(
        {
            "erk": "distribution=erk",
            "er": "distribution=er",
            "uniform": "distribution=uniform",
            "balanced": "distribution=balanced",
        }
    )
    other_values = MappingProxyType({"distribution": {"uniform+": "uniform_plus"}})


def drawn(site: MaskSite, kept: Mapping[str, int]) -> "dict[str, torch.Tensor]":
    """Masks that keep so many weights of each layer, drawn by the seed and the layer's name."""
    import torch

    masks = {}
    for name, weight in site.weights.items():
        order = torch.randperm(weight.numel(), generator=site.generator(f"mask {name}"))
        mask = torch.zeros(weight.numel(), dtype=torch.bool)
        mask[order[: kept[name]]] = True
        masks[name] = mask.reshape(weight.shape).to(weight.device)
    return masks
