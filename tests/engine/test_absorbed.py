"""Layers whose scale normalisations take out again, against networks that are scaled and run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.nets import FACTS, Residual, images, vgg
from tostdsl.engine.absorbed import normalised

Run = Callable[[Any, Tensor], Tensor]


class Made(nn.Module):
    """Layers by keyword, and a forward given as a function of (self, x)."""

    def __init__(self, run: Run, **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.run = run

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def conv(outputs: int = 4, inputs: int = 3, bias: bool = True, **more: Any) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias, **more)


def two(run: Run, norm: nn.Module, bias: bool = True) -> Made:
    """Two convolutions of the images, and what becomes of them before a normalisation."""
    return Made(run, a=conv(bias=bias), b=conv(bias=bias), n=norm)


def one(run: Run, norm: nn.Module, bias: bool = True) -> Made:
    """One convolution of the images."""
    return Made(run, a=conv(bias=bias), n=norm)


def shuffled(m: Any, x: Tensor) -> Tensor:
    n, _, h, w = (y := torch.cat([m.a(x), m.b(x)], 1)).shape
    return m.n(y.view(n, 2, 4, h, w).transpose(1, 2).contiguous().view(n, 8, h, w))  # type: ignore[no-any-return]


def last(m: Any, x: Tensor) -> Tensor:
    return m.n(m.a(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # type: ignore[no-any-return]


def pool(kind: Any, **settings: Any) -> nn.Module:
    return nn.Sequential(kind(3, 2, **settings), nn.BatchNorm2d(4))


BN = nn.BatchNorm2d
NETS: dict[str, Callable[[], nn.Module]] = {
    "residual": Residual,
    "vgg": vgg,
    "direct": lambda: nn.Sequential(conv(), BN(4)),
    "no normalisation": lambda: nn.Sequential(conv(), nn.ReLU()),
    "the output": lambda: nn.Sequential(conv(), BN(4), conv(2, 4)),
    "max pooling": lambda: nn.Sequential(conv(), pool(nn.MaxPool2d, padding=1)),
    "average pooling": lambda: nn.Sequential(conv(), pool(nn.AvgPool2d)),
    "padded average, bias": lambda: nn.Sequential(conv(), pool(nn.AvgPool2d, padding=1)),
    "padded average": lambda: nn.Sequential(conv(bias=False), pool(nn.AvgPool2d, padding=1)),
    "adaptive": lambda: nn.Sequential(conv(), nn.AdaptiveMaxPool2d(3), nn.Identity(), BN(4)),
    "dropout": lambda: nn.Sequential(conv(bias=False), nn.Dropout(0.5), nn.Dropout2d(0.2), BN(4)),
    "dropout, bias": lambda: nn.Sequential(conv(), nn.Dropout(0.5), BN(4)),
    "no dropout, bias": lambda: nn.Sequential(conv(), nn.Dropout(0.0), BN(4)),
    "flattened": lambda: nn.Sequential(conv(), nn.Flatten(), nn.BatchNorm1d(256)),
    "features": lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, 6), nn.BatchNorm1d(6)),
    "lines": lambda: Made(
        lambda m, x: m.n(m.a(x.flatten(2))), a=nn.Linear(64, 5, bias=False), n=nn.BatchNorm1d(3)
    ),
    "lines, bias": lambda: Made(
        lambda m, x: m.n(m.a(x.flatten(2))), a=nn.Linear(64, 5), n=nn.BatchNorm1d(3)
    ),
    "instance": lambda: nn.Sequential(conv(), nn.InstanceNorm2d(4)),
    "group": lambda: nn.Sequential(conv(bias=False), nn.GroupNorm(2, 4)),
    "group, bias": lambda: nn.Sequential(conv(), nn.GroupNorm(2, 4)),
    "layer": lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, 6, bias=False), nn.LayerNorm(6)),
    "layer, bias": lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, 6), nn.LayerNorm(6)),
    "response": lambda: nn.Sequential(conv(), nn.LocalResponseNorm(2)),
    "channels last": lambda: one(last, nn.LayerNorm(4), bias=False),
    "concatenated": lambda: two(lambda m, x: m.n(torch.cat([m.a(x), x, m.b(x)], 1)), BN(11)),
    "concatenated, groups of one layer": lambda: two(
        lambda m, x: m.n(torch.cat([m.a(x), m.b(x)], 1)), nn.GroupNorm(4, 8), bias=False
    ),
    "concatenated, groups of both": lambda: two(
        lambda m, x: m.n(torch.cat([m.a(x), m.b(x)], 1)), nn.GroupNorm(1, 8), bias=False
    ),
    "concatenated places": lambda: two(lambda m, x: m.n(torch.cat([m.a(x), m.b(x)], 2)), BN(4)),
    "shuffled": lambda: two(shuffled, BN(8)),
    "a part": lambda: two(lambda m, x: m.n(m.a(x)[:, 1:]) + m.n(m.b(x).narrow(1, 0, 3)), BN(3)),
    "summed": lambda: two(lambda m, x: m.n(m.a(x) + m.b(x)), BN(4), bias=False),
    "in place": lambda: one(lambda m, x: m.n(m.a(x).add_(x.mean())), BN(4), bias=False),
    "used twice": lambda: two(lambda m, x: (y := m.a(x)) + m.n(y) + m.n(m.b(x)), BN(4)),
    "normalised twice": lambda: one(lambda m, x: m.n(y := m.a(x)) * m.n(y.mT), BN(4)),
    "read": lambda: one(lambda m, x: m.n(y := m.a(x)) * y.size(1) * y.shape[2], BN(4)),
    "called twice": lambda: one(lambda m, x: m.n(m.a(x)) + m.n(m.a(x.flip(2))), BN(4)),
    "called twice, once bare": lambda: one(lambda m, x: m.n(m.a(x)) + m.a(x.flip(2)), BN(4)),
    "rectified": lambda: nn.Sequential(conv(bias=False), nn.ReLU(), BN(4)),
    "functional": lambda: one(
        lambda m, x: nn.functional.layer_norm(m.a(x), (8, 8), eps=1e-30), BN(4), bias=False
    ),
}
MISSED = {"in place": {"a"}, "normalised twice": {"a"}, "rectified": {"0"}}
"""What is scale-free, too, but past something that need not be."""


def scale_free(model: nn.Module) -> set[str]:
    """Layers whose weights can grow threefold while the network, in training, gives the same."""

    def run() -> Tensor:
        torch.manual_seed(0)
        return model(images(6))  # type: ignore[no-any-return]

    found = set()
    expected = run()
    for name, module in model.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            kept = module.weight.detach().clone()
            module.weight.data.mul_(3)
            if torch.allclose(expected, run(), rtol=1e-7, atol=1e-9):
                found.add(name)
            module.weight.data.copy_(kept)
    return found


def ready(net: str) -> nn.Module:
    """A network in float64 and training mode whose normalisations have no epsilon to speak of."""
    torch.manual_seed(3)
    model = NETS[net]().double().train()
    for module in model.modules():
        if hasattr(module, "eps"):
            module.eps = 1e-30
    return model


@pytest.mark.parametrize("net", NETS)
def test_found_are_the_layers_whose_scale_makes_no_difference(net: str) -> None:
    """The same as scaling one layer after the other and running the network tells.

    Of the rest nothing is claimed that is not so.
    """
    model = ready(net)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = normalised(model, (), FACTS, torch.device("cpu"), "net")
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
    assert scale_free(model) - MISSED.get(net, set()) == found
    assert scale_free(model) >= found
