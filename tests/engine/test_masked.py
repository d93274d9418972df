"""Training under masks, against loops that mask gradients and optimizers written out by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from tests.engine.perceptron import INPUTS, LABELS, NAMES, backward, network, some_masks, weights
from tostdsl.engine.masked import Masked

Optimizers = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
Array = NDArray[np.float64]

OPTIMIZERS: dict[str, Optimizers] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=1e-2),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-2),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=1e-2),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=1e-1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_masking_weights_is_masking_gradients(name: str, dtype: torch.dtype) -> None:
    """Re-masking after the step gives the very weights of a loop that masks gradients."""
    masks = some_masks()
    model, reference = network(dtype), network(dtype)
    masked = Masked(model, NAMES)
    optimizer = OPTIMIZERS[name](model.parameters())
    masked.bind(optimizer)
    masked.set(masks)
    other = OPTIMIZERS[name](reference.parameters())
    with torch.no_grad():
        for key, mask in masks.items():
            weights(reference)[key].mul_(mask)
    for _ in range(40):
        backward(model)
        optimizer.step()
        assert [] == masked.violations()
        backward(reference)
        for key, mask in masks.items():
            gradient = weights(reference)[key].grad
            assert gradient is not None
            gradient.mul_(mask)
        other.step()
    for key, expected in weights(reference).items():
        assert torch.equal(expected, weights(model)[key]), key


class ByHand:
    """One optimizer's update of one array, written out from its definition."""

    def __init__(self, name: str) -> None:
        self.name, self.step = name, 0
        self.m: Array | float = 0.0
        self.v: Array | float = 0.0

    def update(self, w: Array, g: Array) -> Array:
        self.step += 1
        if self.name in ("sgd", "momentum"):
            g = g + 1e-2 * w
        if self.name == "sgd":
            return w - 0.1 * g
        if self.name in ("momentum", "nesterov"):
            self.m = 0.9 * self.m + g
            return w - 0.1 * (g + 0.9 * self.m if self.name == "nesterov" else self.m)
        if self.name == "adam":
            g = g + 1e-2 * w
        else:
            w = w - 0.01 * 1e-1 * w
        self.m = 0.9 * self.m + 0.1 * g
        self.v = 0.999 * self.v + 0.001 * g**2
        mean, square = self.m / (1 - 0.9**self.step), self.v / (1 - 0.999**self.step)
        return np.asarray(w - 0.01 * mean / (np.sqrt(square) + 1e-8))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_against_optimizers_by_hand(name: str) -> None:
    """Training under masks follows numpy updates of masked gradients in float64."""
    masks = some_masks()
    model = network(torch.float64)
    masked = Masked(model, NAMES)
    optimizer = OPTIMIZERS[name](model.parameters())
    masked.bind(optimizer)
    masked.set(masks)
    keep = {key: np.ones(p.shape) for key, p in weights(model).items()}
    keep |= {key: mask.numpy().astype(float) for key, mask in masks.items()}
    arrays = {key: p.detach().numpy().copy() for key, p in weights(model).items()}
    hands = {key: ByHand(name) for key in arrays}
    x, labels = INPUTS.double().numpy(), np.eye(4)[LABELS.numpy()]
    for _ in range(25):
        backward(model)
        optimizer.step()
        hidden = np.tanh(x @ arrays["0.weight"].T + arrays["0.bias"])
        logits = hidden @ arrays["2.weight"].T + arrays["2.bias"]
        odds = np.exp(logits - logits.max(1, keepdims=True))
        error = (odds / odds.sum(1, keepdims=True) - labels) / len(x)
        inner = (error @ arrays["2.weight"]) * (1 - hidden**2)
        gradients = {"0.weight": inner.T @ x, "0.bias": inner.sum(0)}
        gradients |= {"2.weight": error.T @ hidden, "2.bias": error.sum(0)}
        for key, gradient in gradients.items():
            arrays[key] = hands[key].update(arrays[key], gradient * keep[key])
    for key, expected in arrays.items():
        np.testing.assert_allclose(weights(model)[key].detach().numpy(), expected, atol=1e-11)


@pytest.mark.parametrize("name", ["momentum", "nesterov", "adam", "adamw"])
def test_no_leak_through_stale_moments(name: str) -> None:
    """When a mask changes, no weight moves by what its moments held from before."""
    model = network()
    masked = Masked(model, NAMES)
    optimizer = OPTIMIZERS[name](model.parameters())
    masked.bind(optimizer)
    first, second = some_masks(4), some_masks(5)
    for masks in (first, second):
        for _ in range(5):
            backward(model)
            optimizer.step()
        before = {
            key: {k: v.clone() for k, v in optimizer.state[p].items() if v.shape == p.shape}
            for key, p in masked.weights.items()
        }
        old = dict(masked.masks) or {key: torch.ones_like(mask) for key, mask in masks.items()}
        masked.set(masks)
        assert [] == masked.violations()
        for key, parameter in masked.weights.items():
            stay = old[key] & masks[key]
            for kind, buffer in before[key].items():
                assert torch.equal(buffer * stay, optimizer.state[parameter][kind]), (key, kind)
    # with no gradient at all, only moments and decay move a weight: grown ones must stay put
    model.zero_grad()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for key, parameter in masked.weights.items():
        grown = second[key] & ~first[key]
        assert bool(grown.any())
        assert not bool(parameter[grown].any()), key


@pytest.mark.parametrize("options", [{"fused": True}, {"foreach": True}, {"foreach": False}])
def test_every_implementation_is_masked(options: dict[str, bool]) -> None:
    """The masks hold after steps of fused, foreach and single-tensor optimizers."""
    model = network()
    masked = Masked(model, NAMES)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1, **options)
    masked.bind(optimizer)
    masked.set(some_masks())
    for _ in range(3):
        backward(model)
        optimizer.step()
        assert [] == masked.violations()


def test_unbound_masks_nothing() -> None:
    """After `unbind`, or binding another optimizer, the first one's steps are not followed."""
    model = network()
    masked = Masked(model, NAMES)
    first, second = (torch.optim.SGD(model.parameters(), lr=0.1) for _ in range(2))
    masked.set(some_masks())
    masked.bind(first)
    masked.bind(second)
    backward(model)
    first.step()
    assert NAMES == masked.violations()
    second.step()
    assert [] == masked.violations()
    masked.unbind()
    backward(model)
    second.step()
    assert NAMES == masked.violations()
    assert (0, 0) == (len(first._optimizer_step_post_hooks), len(second._optimizer_step_post_hooks))


def test_nothing_is_masked_before_the_first() -> None:
    """Without masks, training, gradients, counts and checks are the dense ones."""
    model, dense = network(), network()
    masked = Masked(model, NAMES)
    for net in (model, dense):
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        if net is model:
            masked.bind(optimizer)
        backward(net)
        masked.mask_gradients()
        optimizer.step()
    assert all(torch.equal(weights(dense)[key], p) for key, p in weights(model).items())
    assert ({}, {}, [], 0) == (
        dict(masked.masks),
        masked.state_dict(),
        masked.violations(),
        masked.counts().zero,
    )


def test_gradients_are_masked_in_scope_only() -> None:
    """`mask_gradients` zeroes masked weights' gradients and no other; missing ones are skipped."""
    model = network()
    masked = Masked(model, ["0.weight"])
    masked.set({"0.weight": some_masks()["0.weight"]})
    masked.mask_gradients()
    backward(model)
    dense = {key: p.grad.clone() for key, p in weights(model).items() if p.grad is not None}
    masked.mask_gradients()
    dense["0.weight"] *= some_masks()["0.weight"]
    for key, expected in dense.items():
        actual = weights(model)[key].grad
        assert actual is not None
        assert torch.equal(expected, actual), key


def test_kept_zeros_are_not_masked() -> None:
    """A kept weight that is 0 is trained on: masks are never read off the weights."""
    model = network()
    with torch.no_grad():
        model[0].weight.zero_()
    masked = Masked(model, NAMES)
    masks = some_masks()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    masked.bind(optimizer)
    masked.set(masks)
    backward(model)
    optimizer.step()
    assert torch.equal(masks["0.weight"], weights(model)["0.weight"] != 0)


def test_empty_scope() -> None:
    """A scope of no weights is allowed and does nothing."""
    model = network()
    masked = Masked(model, [])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    masked.bind(optimizer)
    masked.set({})
    backward(model)
    masked.mask_gradients()
    optimizer.step()
    assert ([], 0, Fraction(0)) == (
        masked.violations(),
        masked.counts().total,
        masked.counts().sparsity,
    )
