"""Initial weights drawn anew, each layer's from the seed and its name."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tostdsl.engine.hooks import Network
from tostdsl.techniques.rescale import grouped


@torch.no_grad()
def redraw(net: Network, names: Sequence[str], base: str) -> None:
    """Draw these layers' weights as `kaiming` or `orthogonal`, masks applied after."""
    for name in names:
        layer = net.module(name)
        weight = layer.get_parameter("weight")
        source = net.generator(f"{base} {name}")
        drawn = kaiming(weight, source) if base == "kaiming" else orthogonal(layer, weight, source)
        weight.copy_(drawn.to(weight.dtype))
        mask = net.masks.get(f"{name}.weight")
        if mask is not None:
            weight.masked_fill_(~mask, 0)
    net.report(f"drew the weights of {len(names)} layers anew, {base}")


def kaiming(weight: Tensor, source: torch.Generator) -> Tensor:
    """Normal with variance 2 / fan-in (He et al., ICCV 2015); CPU, float64."""
    fan_in = weight[0].numel()
    normal = torch.randn(weight.shape, dtype=torch.float64, generator=source)
    return normal.mul_(math.sqrt(2 / fan_in))


def orthogonal(layer: nn.Module, weight: Tensor, source: torch.Generator) -> Tensor:
    """A random orthogonal neurons x inputs matrix a group, at the kernel's centre; CPU, float64.

    Of a matrix that is not square the shorter side's vectors are orthonormal.
    """
    groups, neurons, inputs, _ = grouped(layer, weight).shape
    drawn = torch.zeros(weight.shape, dtype=torch.float64)
    centre = drawn
    for size in weight.shape[2:]:
        centre = centre.select(2, (size - 1) // 2)
    matrices = [_rotation(neurons, inputs, source) for _ in range(groups)]
    centre.copy_(torch.cat(matrices))
    return drawn


def _rotation(rows: int, columns: int, source: torch.Generator) -> Tensor:
    """Uniform over matrices with orthonormal rows, or columns where there are fewer of them."""
    size = (max(rows, columns), min(rows, columns))
    drawn = torch.randn(size, dtype=torch.float64, generator=source)
    q: Tensor
    q, r = torch.linalg.qr(drawn)
    q.mul_(r.diagonal().sign())  # without this the distribution is not uniform
    return q if rows >= columns else q.mT
