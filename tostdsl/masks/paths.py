"""Which weights stand on a path from the network's input to its output.

Found by one pass of a copy in which nothing can cancel: every kept weight is positive, biases are
zero, normalisations and activations hand on what they get, maxima are means, attention looks
everywhere alike (`masks.passing`). Then a weight's derivative of the summed outputs is above
zero exactly where some path leads through it. This is the count behind "effective sparsity":
Vysogorets and Kempe, "Connectivity matters: neural network pruning through the lens of effective
sparsity", 2023.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from tostdsl.masks.passing import Passing, as_is, attend

_PASSED = (
    nn.modules.batchnorm._BatchNorm,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.LocalResponseNorm,
    nn.Dropout,
    *(
        getattr(nn, name)
        for name in nn.modules.activation.__all__
        if name != "MultiheadAttention" and not name.startswith("Softm")
    ),
)
"""Modules that decide nothing about whether a path exists."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Where paths lead through a masked network."""

    connected: bool
    """Whether any path leads from the image to the outputs."""
    outputs: tuple[int, int]
    """Of how many outputs some path comes in, and how many there are."""
    on_path: Mapping[str, Tensor]
    """For each weight in scope (bool, its shape) whether it is kept and on a path."""


def paths(model: nn.Module, masks: Mapping[str, Tensor], shape: Sequence[int]) -> Paths | None:
    """The paths through a network under masks; None where they cannot be followed.

    `masks` (bool, True is kept) by parameter name; `shape` is that of an image. Weights without
    a mask count as dense. Parameters that belong to no known layer (a position embedding, a
    layer's scale) keep their absolute values, and so count as inputs where they are added. A
    network in which none leads through even without masks computes something that this cannot
    follow.
    """
    found = _followed(model, masks, shape)
    if found is None or found.connected:
        return found
    dense = _followed(model, {n: torch.ones_like(mask) for n, mask in masks.items()}, shape)
    return found if dense is not None and dense.connected else None


def _followed(model: nn.Module, masks: Mapping[str, Tensor], shape: Sequence[int]) -> Paths | None:
    copy = deepcopy(model).to(torch.float64).eval()
    _pass_on(copy)
    positive = {name: _positive(mask) for name, mask in masks.items()}
    found: dict[str, nn.Parameter] = {}
    with torch.no_grad():
        for name, parameter in copy.named_parameters(remove_duplicate=False):
            last = name.rpartition(".")[2]
            if name in positive:
                parameter.copy_(positive[name])
                found[name] = parameter
            elif last.endswith("bias"):
                parameter.zero_()
            elif parameter.dim() > 1 and last.endswith("weight"):
                parameter.copy_(_positive(torch.ones_like(parameter, dtype=torch.bool)))
            else:
                parameter.abs_()
        for table in copy.buffers():  # such as the places that an attention's bias is made of
            if table.is_floating_point():
                table.abs_()
        for parameter in copy.parameters():
            parameter.requires_grad_(False)
        for parameter in found.values():
            parameter.requires_grad_()
    device = next(iter(found.values())).device
    try:
        image = torch.ones(1, *shape, dtype=torch.float64, device=device, requires_grad=True)
        with Passing():
            outputs = copy(image)
        total = outputs.sum()
        wanted = [image, *found.values()]
        seen, *slopes = torch.autograd.grad(total, wanted, materialize_grads=True)
    except (RuntimeError, AttributeError):  # a network of a kind that this trick does not serve
        return None
    if not bool(torch.isfinite(total)):
        return None
    on_path = {name: (s > 0) & masks[name] for name, s in zip(found, slopes, strict=True)}
    reached = int((outputs > 0).sum())
    return Paths(bool((seen > 0).any()), (reached, outputs.numel()), on_path)


def _positive(mask: Tensor) -> Tensor:
    """Every kept weight an equal part of its row, so that sums neither grow nor vanish."""
    rows = mask.flatten(1).sum(1).clamp(min=1).to(torch.float64)
    return mask.to(torch.float64) / rows.reshape(-1, *[1] * (mask.dim() - 1))


def _pass_on(model: nn.Module) -> None:
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, _PASSED):
                child.forward = as_is
            elif isinstance(child, nn.MaxPool2d):
                setattr(parent, name, _mean_of(child))
            elif isinstance(child, nn.MultiheadAttention):
                child.forward = partial(attend, child)  # type: ignore[method-assign]


def _mean_of(pool: nn.MaxPool2d) -> nn.Module:
    return nn.AvgPool2d(pool.kernel_size, pool.stride, pool.padding, pool.ceil_mode)
