"""The mask `random`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from tostdsl.masks.allocate import (
    erk_shares,
    refuse_collapse,
    share_out,
    sparsity_problems,
    uniform_shares,
)
from tostdsl.plan.bases import MaskMethod, MaskSite
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register

if TYPE_CHECKING:
    import torch


@register("random")
class Random(MaskMethod):
    """Keeps weights drawn at random before training; looks at no weight and no data.

    `distribution` says how many each layer keeps:

    - `uniform`: every layer has the same density, 1 - sparsity;
    - `erk` (Erdős-Rényi-kernel): a layer's density is epsilon * sum(shape) / prod(shape) of its
      weight, for a convolution epsilon * (out + in + height + width) / (out * in * height *
      width). Epsilon is solved so that the total is the wanted one; a layer that would get a
      density above 1 becomes dense and epsilon is solved again over the others. Small layers stay
      denser than large ones, which helps at high sparsity.

    The total is exact: density times the number of weights in scope, a half rounded up. Each
    layer's count is rounded down and the rest goes to the largest remainders. Each layer draws
    from the seed and its own name, so other layers do not change what it keeps, and at a higher
    sparsity a layer keeps a part of what it keeps at a lower one.

    Erdős-Rényi: Mocanu et al., "Scalable training of artificial neural networks with adaptive
    sparse connectivity inspired by network science", 2018. The kernel form: Evci et al.,
    "Rigging the lottery: making all tickets winners", 2020.
    """

    seeded = True
    examples = ("random(sparsity=95%, distribution=erk)",)

    other_names = MappingProxyType({"erk": "random(distribution=erk)", "uniform": "random"})
    other_arguments = MappingProxyType(
        {"erk": "distribution=erk", "uniform": "distribution=uniform"}
    )
    distribution: Literal["uniform", "erk"] = arg(
        "uniform", "how the kept weights are shared out among the layers"
    )

    def check(self, site: CheckSite) -> Iterable[Problem]:
        yield from sparsity_problems(self.sparsity)

    def shared_out(self, shapes: Mapping[str, Sequence[int]], sparsity: Fraction) -> dict[str, int]:
        share = uniform_shares if self.distribution == "uniform" else erk_shares
        total = self.kept(sum(map(prod, shapes.values())), sparsity)
        counts = share_out(share(list(shapes.values()), sparsity), total)
        return dict(zip(shapes, counts, strict=True))

    def choose(self, site: MaskSite, sparsity: Fraction) -> dict[str, torch.Tensor]:
        import torch

        shapes = {name: tuple(weight.shape) for name, weight in site.weights.items()}
        kept = self.shared_out(shapes, sparsity)
        refuse_collapse(kept, sparsity)
        masks = {}
        for name, weight in site.weights.items():
            order = torch.randperm(weight.numel(), generator=site.generator(f"mask {name}"))
            mask = torch.zeros(weight.numel(), dtype=torch.bool)
            mask[order[: kept[name]]] = True
            masks[name] = mask.reshape(weight.shape).to(weight.device)
        return masks
