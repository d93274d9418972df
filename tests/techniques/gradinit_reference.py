"""GradInit written out tensor by tensor, and how a network's learned scales are read off."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

import torch
from torch import Tensor, nn

from tests.nets import FACTS, Theatre, drawn, stage
from tostdsl.techniques.init import Init


def masks_of(model: nn.Module, density: float = 0.5) -> dict[str, Tensor]:
    source = torch.Generator().manual_seed(5)
    return {
        name: torch.rand(weight.shape, generator=source) < density
        for name, weight in model.named_parameters()
        if weight.dim() > 1
    }


def small() -> nn.Sequential:
    """A convolution with normalisation and dropout, then a classifier."""
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(16, FACTS.classes),
    ).double()
    nn.init.zeros_(model[6].bias)
    return model


Scores = Callable[[dict[str, Tensor], Tensor], Tensor]


def small_scores(values: dict[str, Tensor], images: Tensor) -> Tensor:
    """What `small` computes in training, without its dropout."""
    x = torch.nn.functional.conv2d(images, values["0.weight"])
    mean = x.mean((0, 2, 3), keepdim=True)
    variance = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True)
    x = (x - mean) / (variance + 1e-5).sqrt()
    x = x * values["1.weight"].reshape(-1, 1, 1) + values["1.bias"].reshape(-1, 1, 1)
    x = torch.nn.functional.adaptive_avg_pool2d(x.clamp(min=0), 2).flatten(1)
    return x @ values["6.weight"].T + values["6.bias"]


def reference(
    masks: dict[str, Tensor],
    law: Init,
    net: nn.Module | None = None,
    scores: Scores = small_scores,
    unscaled: Collection[str] = (),
) -> dict[str, float]:
    """GradInit, weights rescaled in place, moments as Python floats, gradients masked.

    `unscaled` are parameters that are trained and have no scale.
    """
    assert law.iterations is not None
    assert law.eta is not None
    assert law.gamma is not None
    assert law.clip is not None
    assert law.floor is not None
    assert law.lr is not None
    given = (net or small()).named_parameters()
    tensors = {name: each for name, each in given if each.requires_grad}
    for name, mask in masks.items():
        tensors[name].data[~mask] = 0
    state = {
        name: {
            "alpha": 1.0,
            "norm": float(t.detach().norm()),
            "v": 0.0,
            "m": [0.0, 0.0],
            "n": [0, 0],
        }
        for name, t in tensors.items()
    }

    def run(values: dict[str, Tensor], images: Tensor, labels: Tensor) -> Tensor:
        rows = scores(values, images.double()).log_softmax(1)
        picked = rows.gather(1, labels[:, None])
        return -picked.mean()

    for iteration in range(law.iterations):
        a, b, c = (drawn("init gradinit", 3 * iteration + i) for i in range(3))
        images, labels = torch.cat([a.images, b.images]), torch.cat([a.labels, b.labels])
        loss = run(tensors, images, labels)
        found = torch.autograd.grad(loss, list(tensors.values()), create_graph=True)
        grads = {}
        for name, grad in zip(tensors, found, strict=True):
            grads[name] = grad * masks[name] if name in masks else grad
        norm = sum((g**2).sum() for g in grads.values()) ** 0.5
        constraint = float(norm.detach()) > law.gamma
        if constraint:
            aim = norm
        else:
            length = float(norm.detach()) if law.normalise else 1.0
            ahead = {n: t - law.eta / length * grads[n].detach() for n, t in tensors.items()}
            images, labels = torch.cat([a.images, c.images]), torch.cat([a.labels, c.labels])
            aim = run(ahead, images, labels) / law.eta
        slopes = torch.autograd.grad(aim, list(tensors.values()))
        for (name, tensor), slope in zip(tensors.items(), slopes, strict=True):
            here, now = state[name], float(tensor.detach().norm())
            if name in unscaled or here["norm"] == 0 or now == 0:
                continue
            d = float((slope * tensor.detach()).sum()) * here["norm"] / now
            d = max(min(d, law.clip), -law.clip)
            k = int(constraint)
            here["n"][k] += 1
            here["m"][k] = 0.9 * here["m"][k] + 0.1 * d
            here["v"] = 0.999 * here["v"] + 0.001 * d * d
            size = math.sqrt(here["v"] / (1 - 0.999 ** sum(here["n"]))) + 1e-8
            step = law.lr / (1 - 0.9 ** here["n"][k])
            least = 0.0 if "bias" in name else law.floor
            here["alpha"] = max(here["alpha"] - step * here["m"][k] / size, least)
            tensor.data.mul_(here["alpha"] * here["norm"] / now)
    return {name: float(each["alpha"]) for name, each in state.items()}


def learned(
    model: nn.Module, masks: dict[str, Tensor], law: Init, on: tuple[str, ...] = ()
) -> tuple[dict[str, float], Theatre]:
    """Scales read off the weights, by tensors that are not zero."""
    for name, mask in masks.items():
        model.get_parameter(name).data[~mask] = 0
    before = {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
    theatre = Theatre(model, masks)
    theatre.surgeon.leave(theatre.surgeon.enter(0, stage(law, on), None), None)
    after = dict(model.named_parameters())
    scales = {}
    for name, tensor in before.items():
        if tensor.any():
            scales[name] = float(after[name].detach().norm() / tensor.norm())
            torch.testing.assert_close(tensor * scales[name], after[name].detach())
    return scales, theatre
