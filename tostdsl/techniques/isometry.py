"""Approximate dynamical isometry: kept weights moved towards orthonormal neurons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tostdsl.engine.hooks import Network
from tostdsl.techniques.rescale import grouped

PATIENCE = 100
"""Steps without a gain after which a layer stops."""
REHEARSED = 3
"""Iterations in a rehearsal."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The arguments of `init(rescale=isometry)`."""

    iterations: int
    lr: float
    tolerance: float


def distance(matrices: Tensor) -> Tensor:
    """||W W^T - I|| over groups x neurons x inputs, one number."""
    size: Tensor = torch.linalg.vector_norm(_gap(matrices))
    return size


def _gap(matrices: Tensor) -> Tensor:
    eye = torch.eye(matrices.shape[1], dtype=matrices.dtype, device=matrices.device)
    return matrices @ matrices.mT - eye


@torch.no_grad()
def approach(net: Network, names: Sequence[str], settings: Settings) -> None:
    """Move the weights of these layers; the sum over layers falls, layer by layer.

    The layers' terms share no weight, so each layer on its own takes the steps it would take in
    the sum.
    """
    before = after = 0.0
    steps = 0
    iterations = min(settings.iterations, REHEARSED) if net.rehearsal else settings.iterations
    for name in names:
        layer = net.module(name)
        mask = net.masks.get(f"{name}.weight")
        first, last, took = _layer(layer, mask, settings, iterations)
        before, after, steps = before + first, after + last, steps + took
    mean = steps / len(names)
    net.report(
        f"distance from isometry {before:.4g} to {after:.4g} over {len(names)} layers, "
        f"{mean:.0f} steps each on average"
    )


def _layer(
    layer: nn.Module, mask: Tensor | None, settings: Settings, iterations: int
) -> tuple[float, float, int]:
    """A layer's distance before and after, and how many steps it took."""
    weight = layer.get_parameter("weight")
    shape = grouped(layer, weight).flatten(2)
    kept = torch.ones_like(shape) if mask is None else grouped(layer, mask).flatten(2).to(shape)
    now = shape * kept
    gap = _gap(now)
    size = torch.linalg.vector_norm(gap)
    best, start = now, float(size)
    least = mark = start
    marked = step = 0
    for step in range(1, iterations + 1):
        # the gradient of the norm; where the norm is 0 there is nothing to do
        slope = 2 * gap @ now / size.clamp(min=torch.finfo(now.dtype).tiny)
        now = (now - settings.lr * slope) * kept
        gap = _gap(now)
        size = torch.linalg.vector_norm(gap)
        reached = float(size)
        if reached < least:
            best, least = now, reached
        if least < mark * (1 - settings.tolerance):
            mark, marked = least, step
        elif step - marked >= PATIENCE:
            break
    weight.copy_(best.reshape(weight.shape))
    return start, least, step
