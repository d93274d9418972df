"""A small network, the gradients of one batch, and masks for its weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

NAMES = ["0.weight", "2.weight"]
INPUTS = torch.randn(32, 6, generator=torch.Generator().manual_seed(1))
LABELS = torch.randint(0, 4, (32,), generator=torch.Generator().manual_seed(2))


def network(dtype: torch.dtype = torch.float32) -> nn.Sequential:
    noise = torch.Generator().manual_seed(3)
    model = nn.Sequential(nn.Linear(6, 10), nn.Tanh(), nn.Linear(10, 4))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=noise) / 2)
    return model.to(dtype)


def some_masks(seed: int = 4) -> dict[str, Tensor]:
    noise = torch.Generator().manual_seed(seed)
    shapes = {"0.weight": (10, 6), "2.weight": (4, 10)}
    return {name: torch.rand(shape, generator=noise) < 0.5 for name, shape in shapes.items()}


def backward(model: nn.Module) -> None:
    model.zero_grad()
    dtype = next(model.parameters()).dtype
    nn.functional.cross_entropy(model(INPUTS.to(dtype)), LABELS).backward()


def weights(model: nn.Module) -> dict[str, Tensor]:
    return dict(model.named_parameters())
