"""The mask `magnitude`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from tostdsl.masks.allocate import (
    keep_largest,
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


@register("magnitude")
class Magnitude(MaskMethod):
    """Keeps the weights that are largest in absolute value, before training.

    With `over=global` all weights in scope are ranked together. Before training this compares the
    layers' initial scales, so wide layers, whose weights start small, are starved: on ResNet-18 a
    whole layer is lost between 90% and 94.4%, which is refused as layer collapse. With
    `over=layer` every layer keeps its own largest, each at the same density.

    The total is exact: density times the number of weights in scope, a half rounded up. Of equal
    weights the one earlier in the network is kept.

    Han et al., "Learning both weights and connections for efficient neural networks", 2015. At
    initialisation: Frankle et al., "Pruning neural networks at initialization: why are we missing
    the mark?", 2021.
    """

    examples = ("magnitude(sparsity=90%, over=layer)",)

    other_names = MappingProxyType(
        {
            **dict.fromkeys(("l1", "l1_unstructured", "weight_magnitude"), "magnitude"),
            "global_magnitude": "magnitude(over=global)",
            "layer_magnitude": "magnitude(over=layer)",
        }
    )
    other_arguments = MappingProxyType(
        {
            "global": "over=global",
            "local": "over=layer",
            "layerwise": "over=layer",
            "scope": "over",
        }
    )
    over: Literal["global", "layer"] = arg(
        "global", "what is ranked together: all weights, or each layer's own"
    )

    def check(self, site: CheckSite) -> Iterable[Problem]:
        yield from sparsity_problems(self.sparsity)

    def shared_out(
        self, shapes: Mapping[str, Sequence[int]], sparsity: Fraction
    ) -> dict[str, int] | None:
        if self.over == "global":
            return None
        total = self.kept(sum(map(prod, shapes.values())), sparsity)
        counts = share_out(uniform_shares(list(shapes.values()), sparsity), total)
        return dict(zip(shapes, counts, strict=True))

    def choose(self, site: MaskSite, sparsity: Fraction) -> dict[str, torch.Tensor]:
        scores = {name: weight.detach().abs() for name, weight in site.weights.items()}
        counts = self.shared_out({n: tuple(s.shape) for n, s in scores.items()}, sparsity)
        if counts is None:
            total = sum(score.numel() for score in scores.values())
            masks = keep_largest(scores, self.kept(total, sparsity))
        else:
            masks = {}
            for name, score in scores.items():
                masks |= keep_largest({name: score}, counts[name])
        refuse_collapse({name: int(mask.sum()) for name, mask in masks.items()}, sparsity)
        return masks
