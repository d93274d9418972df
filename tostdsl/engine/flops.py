"""How often one image's forward pass uses a layer's weights, which gives its multiply-adds."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from tostdsl.engine import nodes


def known_layers(model: nn.Module) -> dict[str, nn.Module]:
    """The convolutions and linear layers by name, in the network's order, each weight once."""
    found = {n: m for n, m in model.named_modules() if isinstance(m, nodes.LAYERS)}
    first = {id(module.weight): name for name, module in reversed(found.items())}
    return {name: module for name, module in found.items() if first[id(module.weight)] == name}


def uses(model: nn.Module, shape: Sequence[int]) -> dict[str, int]:
    """How often each weight of a layer is multiplied in the forward pass of one image.

    For a convolution the number of places of its output, padding included, for a linear layer the
    number of vectors it is given; so uses times weights are the layer's multiply-adds. `shape` is
    that of an image. Layers that are never called as modules (inside of `MultiheadAttention`) are
    left out.
    """
    copy = deepcopy(model).eval()
    names = {id(module.weight): name for name, module in known_layers(copy).items()}
    found: dict[str, int] = {}

    def count(name: str, module: Any, _inputs: Any, output: Tensor) -> None:
        found[name] = found.get(name, 0) + output.numel() // module.weight.shape[0]

    for module in copy.modules():
        if isinstance(module, nodes.LAYERS):
            module.register_forward_hook(partial(count, names[id(module.weight)]))
    device = next(copy.parameters()).device
    with torch.no_grad():
        copy(torch.zeros(1, *shape, device=device))
    return found
