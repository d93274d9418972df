"""Twenty steps of SGD against references that know nothing of hooks, in float64.

The references are written out from the formulas of the documentation: plain functions of a dict of
tensors, with batch normalisation, momentum, weight decay and masks of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.nets import Theatre, stage
from tostdsl.plan.bases import Technique
from tostdsl.techniques.ghost import Ghost
from tostdsl.techniques.skip import Skip
from tostdsl.units import Factor, Percent, Ramp

STEPS, LR, MOMENTUM, DECAY = 20, 0.05, 0.9, 5e-4
Tensors = dict[str, Tensor]


def network() -> nn.Sequential:
    """Two convolutions, the first of stride 2, and a classifier."""
    torch.manual_seed(11)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True),
        nn.Conv2d(4, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5),
    ).double()  # fmt: skip


def weight_at(step: int) -> float:
    """A linear anneal, in the precision of a cell."""
    return float(torch.tensor(1 - step / STEPS))


def beta_at(step: int) -> float:
    """From 1 to 20 along it."""
    return float(torch.tensor(20 - 19 * weight_at(step)))


def normal(x: Tensor) -> Tensor:
    """Zero mean, unit variance of each channel over the batch."""
    mean = x.mean((0, 2, 3), keepdim=True)
    var = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True)
    return (x - mean) / torch.sqrt(var + 1e-5)


def bn(x: Tensor, p: Tensors, name: str) -> Tensor:
    scale, shift = p[f"{name}.weight"], p[f"{name}.bias"]
    return normal(x) * scale[None, :, None, None] + shift[None, :, None, None]


def conv(x: Tensor, p: Tensors, name: str, stride: int = 1) -> Tensor:
    return functional.conv2d(x, p[f"{name}.weight"], p.get(f"{name}.bias"), stride, 1)


def end(h: Tensor, p: Tensors) -> Tensor:
    return h.mean((2, 3)) @ p["8.weight"].T + p["8.bias"]


def halved(x: Tensor) -> Tensor:
    """The mean of each 2x2 square."""
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2).mean((3, 5))


def filled(x: Tensor, channels: int) -> Tensor:
    zeros = torch.zeros(len(x), channels - x.shape[1], *x.shape[2:], dtype=x.dtype)
    return torch.cat([x, zeros], 1)


# -- the references: outputs of (images, parameters, weight, step)


def plain_with(act: Callable[[Tensor, float, float], Tensor]) -> Any:
    def forward(x: Tensor, p: Tensors, w: float, step: int) -> Tensor:
        h = act(bn(conv(x, p, "0", 2), p, "1"), w, beta_at(step))
        return end(act(bn(conv(h, p, "3"), p, "4"), w, beta_at(step)), p)

    return forward


def swish(x: Tensor, beta: float) -> Tensor:
    return x / (1 + torch.exp(-beta * x))


def relu(x: Tensor) -> Tensor:
    return x * (x > 0)


def mish(x: Tensor) -> Tensor:
    return x * torch.tanh(torch.log(1 + torch.exp(x)))


def wide(x: Tensor, p: Tensors, w: float, _step: int) -> Tensor:
    h1 = relu(bn(conv(x, p, "0", 2), p, "1"))
    g1 = relu(bn(conv(x, p, "0.ghosts", 2), p, "0.norm"))
    from_ghosts = functional.conv2d(g1, p["3.from_ghosts.weight"], None, 1, 1)
    h2 = relu(bn(conv(h1, p, "3") + w * from_ghosts[:, :6], p, "4"))
    g2 = relu(bn(conv(h1, p, "3.ghosts") + w * from_ghosts[:, 6:], p, "3.norm"))
    return end(h2, p) + w * (g2.mean((2, 3)) @ p["8.from_ghosts.weight"].T)


def joined(form: str, y: Tensor, s: Tensor, w: float, alpha: float) -> Tensor:
    if form == "convex":
        return (1 - alpha * w / 2) * y + alpha * w / 2 * s
    return y + alpha * w * s


def skipping(form: str, alpha: float = 1.0) -> Any:
    def forward(x: Tensor, p: Tensors, w: float, _step: int) -> Tensor:
        start = halved(x)
        s = filled(start if form == "add" else normal(start), 4)
        h = relu(joined(form, bn(conv(x, p, "0", 2), p, "1"), s, w, alpha))
        s = filled(h if form == "add" else normal(h), 6)
        return end(relu(joined(form, bn(conv(h, p, "3"), p, "4"), s, w, alpha)), p)

    return forward


def projected(form: str) -> Any:
    def forward(x: Tensor, p: Tensors, w: float, _step: int) -> Tensor:
        s = torch.einsum("oi,nihw->nohw", p["0.projection.weight"][:, :, 0, 0], x[:, :, ::2, ::2])
        h = relu(joined(form, bn(conv(x, p, "0", 2), p, "1"), bn(s, p, "0.norm"), w, 1))
        s = torch.einsum("oi,nihw->nohw", p["3.projection.weight"][:, :, 0, 0], h)
        return end(relu(joined(form, bn(conv(h, p, "3"), p, "4"), bn(s, p, "3.norm"), w, 1)), p)

    return forward


def around_both(form: str) -> Any:
    def forward(x: Tensor, p: Tensors, w: float, _step: int) -> Tensor:
        y = bn(conv(relu(bn(conv(x, p, "0", 2), p, "1")), p, "3"), p, "4")
        start = halved(x)
        s = filled(start if form == "add" else normal(start), 6)
        return end(relu(joined(form, y, s, w, 1)), p)

    return forward


TWO = Factor(Decimal(2))
CASES: dict[str, tuple[Technique, Any]] = {
    "blend mish": (
        Ghost(activation="mish"),
        plain_with(lambda x, w, _b: w * mish(x) + (1 - w) * relu(x)),
    ),
    "blend swish, beta moving": (
        Ghost(activation="swish", beta=Ramp(1, 20)),
        plain_with(lambda x, w, b: w * swish(x, b) + (1 - w) * relu(x)),
    ),
    "blend lisht": (
        Ghost(activation="lisht"),
        plain_with(lambda x, w, _b: w * x * torch.tanh(x) + (1 - w) * relu(x)),
    ),
    "sharpen": (
        Ghost(activation="swish", form="sharpen"),
        plain_with(lambda x, w, b: swish(x, b) if w > 0 else relu(x)),
    ),
    "width": (Ghost(width=TWO), wide),
    "thin width": (Ghost(width=TWO, density=Percent(Decimal(30))), wide),
    **{f"skip {f}": (Skip(form=f), skipping(f)) for f in ("convex", "normalised", "add")},  # type: ignore[arg-type]
    "skip at a tenth": (Skip(form="normalised", alpha=0.1), skipping("normalised", 0.1)),
    **{
        f"projected {f}": (Skip(form=f, projection="conv"), projected(f))  # type: ignore[arg-type]
        for f in ("convex", "normalised", "add")
    },
    "projected, kaiming": (
        Skip(form="add", projection="conv", fill="kaiming"),
        projected("add"),
    ),
    **{f"block {f}": (Skip(form=f, span="block"), around_both(f)) for f in ("convex", "add")},  # type: ignore[arg-type]
}


def data(step: int) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(step)
    images = torch.randn(8, 3, 8, 8, dtype=torch.float64, generator=draw)
    return images, torch.randint(5, (8,), generator=draw)


@pytest.mark.parametrize("case", CASES)
def test_twenty_steps_are_the_references(case: str) -> None:
    """Losses and all parameters agree to rounding, masks, momentum and weight decay included."""
    technique, reference = CASES[case]
    model = network()
    mask = torch.rand(6, 4, 3, 3, generator=torch.Generator().manual_seed(1)) < 0.4
    with torch.no_grad():
        model[3].weight *= mask
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM, weight_decay=DECAY)
    attached = Theatre(model).surgeon.enter(0, stage(technique), optimizer)
    named = {**dict(model.named_parameters()), **dict(attached.parameters)}
    p = {name: value.detach().clone().requires_grad_() for name, value in named.items()}
    masks = {"3.weight": mask}
    if isinstance(technique, Ghost) and technique.width is not None:
        masks |= {n: v != 0 for n, v in p.items() if "ghosts.weight" in n}
    speed = {name: torch.zeros_like(value) for name, value in p.items()}
    for step in range(STEPS):
        images, labels = data(step)
        attached.vector[0] = weight_at(step)
        attached.vector[1:] = beta_at(step)
        loss = functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            model[3].weight *= mask
        attached.hook.stepped()

        logits = reference(images, p, weight_at(step), step)
        own = -(logits.log_softmax(1)[torch.arange(8), labels]).mean()
        slopes = torch.autograd.grad(own, list(p.values()))
        with torch.no_grad():
            for (name, value), slope in zip(p.items(), slopes, strict=True):
                speed[name] = MOMENTUM * speed[name] + slope + DECAY * value
                value -= LR * speed[name]
                if name in masks:
                    value *= masks[name]
        torch.testing.assert_close(own, loss, rtol=1e-10, atol=1e-12)
    for name, value in p.items():
        torch.testing.assert_close(value, named[name], rtol=1e-8, atol=1e-11)
