"""Closed-form rescalings of initial weights to a mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tostdsl.engine.hooks import Network


def grouped(layer: nn.Module, tensor: Tensor) -> Tensor:
    """A layer's weight (or mask) as groups x neurons x inputs x kernel positions."""
    layer_: Any = layer
    groups = int(getattr(layer_, "groups", 1))
    neurons, inputs = tensor.shape[0] // groups, tensor.shape[1]
    return tensor.reshape(groups, neurons, inputs, -1)


def fan_factors(layer: nn.Module, mask: Tensor, mode: str) -> Tensor:
    """Factors (CPU, float64, the mask's shape) by which kept weights grow, see `init`."""
    kept = grouped(layer, mask.cpu()).to(torch.float64)
    _, neurons, inputs, positions = kept.shape
    fan_in = kept.sum((2, 3), keepdim=True).expand_as(kept)
    fan_out = kept.sum((1, 3), keepdim=True).expand_as(kept)
    full_in, full_out = inputs * positions, neurons * positions
    full, left = {
        "fan_in": (full_in, fan_in),
        "fan_out": (full_out, fan_out),
        "average": (full_in + full_out, fan_in + fan_out),
    }[mode]
    return (full / left.clamp(min=1)).sqrt().reshape(mask.shape)


@torch.no_grad()
def by_fans(net: Network, names: Sequence[str], mode: str, relative: bool) -> None:
    """Rescale each kept weight of these layers, which all have a mask.

    With `relative` a layer whose scale normalisations take out again keeps the norm of its weights.
    """
    empty, behind = 0, net.normalised() & set(names) if relative else frozenset()
    for name in names:
        layer = net.module(name)
        weight, mask = layer.get_parameter("weight"), net.masks[f"{name}.weight"]
        factors = fan_factors(layer, mask, mode)
        if name in behind:
            kept = weight.cpu().to(torch.float64) * mask.cpu()
            grown = float((kept * factors).norm())
            factors *= float(kept.norm()) / grown if grown else 1.0
        weight.mul_(factors.to(weight)).masked_fill_(~mask, 0)
        empty += int((~mask.flatten(1).any(1)).sum())
    dead = f", {empty:,} of their neurons without inputs" if empty else ""
    same = f", {len(behind)} of them within their norm" if behind else ""
    net.report(f"rescaled {len(names)} layers for their masks{same}{dead}")


@torch.no_grad()
def by_density(net: Network, names: Sequence[str]) -> None:
    """Divide each of these layers, which all have a mask, by the root of its density."""
    densities = []
    for name in names:
        weight, mask = net.module(name).get_parameter("weight"), net.masks[f"{name}.weight"]
        kept = int(mask.sum())
        if kept:
            weight.div_((kept / mask.numel()) ** 0.5).masked_fill_(~mask, 0)
        densities.append(kept / mask.numel())
    span = f"{min(densities):.2%} to {max(densities):.2%}"
    net.report(f"rescaled {len(names)} layers for densities of {span}")
