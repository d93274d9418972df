"""The owner of masks, against loops that mask gradients and optimizers written out by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tostdsl.diagnostics import TostError
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


def test_names_come_in_the_network_order() -> None:
    """Weights, masks and state stand in the network's order, however they were given."""
    masked = Masked(network(), NAMES[::-1])
    masked.set(dict(reversed(some_masks().items())))
    for found in (masked.weights, masked.masks, masked.state_dict(), masked.counts().layers):
        assert NAMES == list(found)
    with pytest.raises(ValueError, match="no such parameters: nope"):
        Masked(network(), ["nope"])


def test_masks_are_copies() -> None:
    """Changing a mask that was given, or handed out as state, changes none in force."""
    masked = Masked(network(), NAMES)
    masks = some_masks()
    masked.set(masks)
    before = masked.digest()
    masks["0.weight"].logical_not_()
    masked.state_dict()["0.weight"].zero_()
    assert before == masked.digest()


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


def test_violations() -> None:
    """Masked entries other than 0 are named; -0.0 is 0; not a number is not."""
    model = network()
    masked = Masked(model, NAMES)
    masks = {key: torch.zeros_like(mask) for key, mask in some_masks().items()}
    masked.set(masks)
    cases = [(-0.0, []), (1e-38, ["2.weight"]), (float("nan"), ["2.weight"])]
    for value, expected in cases:
        with torch.no_grad():
            model[2].weight[1, 1] = value
        assert expected == masked.violations()
    with torch.no_grad():
        model[2].weight[1, 1] = float("inf")
    masked.apply()
    assert ["2.weight"] == masked.violations()
    masked.set(masks)
    assert [] == masked.violations()


def test_counts() -> None:
    """Counts are the masks', in all and by layer, and the sparsity is an exact fraction."""
    masked = Masked(network(), NAMES)
    masks = some_masks()
    masked.set(masks)
    counts = masked.counts()
    zeros = [int(mask.numel() - mask.sum()) for mask in masks.values()]
    assert (100, sum(zeros)) == (counts.total, counts.zero)
    assert [(60, zeros[0]), (40, zeros[1])] == [(c.total, c.zero) for c in counts.layers.values()]
    assert Fraction(sum(zeros), 100) == counts.sparsity
    assert 100 - sum(zeros) == counts.kept


def convolution() -> nn.Conv2d:
    return nn.Conv2d(4, 8, 3)


def test_channels_last() -> None:
    """Masks follow a network in channels-last layout, and the digest does not see the layout."""
    plain, last = convolution(), convolution().to(memory_format=torch.channels_last)
    mask = torch.rand(8, 4, 3, 3, generator=torch.Generator().manual_seed(6)) < 0.3
    digests = set()
    for model in (plain, last):
        masked = Masked(model, ["weight"])
        masked.set({"weight": mask.to(memory_format=torch.channels_last)})
        assert model.weight.stride() == masked._factors[0].stride()
        with torch.no_grad():
            model.weight.fill_(1)
        masked.apply()
        assert torch.equal(mask.float(), model.weight.detach())
        digests.add(masked.digest())
    assert 1 == len(digests)


def test_digest_sees_names_shapes_and_bits() -> None:
    """The digest is pinned, and changes with a bit, a shape or a name."""
    model = nn.Module()
    for name, shape in {"a": (2, 6), "b": (3, 4), "c": (2, 6)}.items():
        model.register_parameter(name, nn.Parameter(torch.zeros(shape)))
    digests = []
    for name, shape in {"a": (2, 6), "b": (3, 4), "c": (2, 6)}.items():
        for bit in (False, True):
            mask = torch.ones(shape, dtype=torch.bool)
            mask[1, 1] = bit
            masked = Masked(model, [name])
            masked.set({name: mask})
            digests.append(masked.digest())
    assert 6 == len(set(digests))
    # printf '[["a", [2, 6]]]\xff\xf0' | sha256sum
    assert "85a17271621056ccea95f5efbd6d34611caf05624e84c191e4cd038a360fe94d" == digests[1]


def test_state_round_trip() -> None:
    """State read back gives the same masks and leaves weights and moments alone."""
    model = network()
    masked = Masked(model, NAMES)
    masked.set(some_masks())
    state = masked.state_dict()
    assert {torch.uint8} == {mask.dtype for mask in state.values()}
    other = network()
    fresh = Masked(other, NAMES)
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1, momentum=0.9)
    fresh.bind(optimizer)
    backward(other)
    optimizer.step()
    before = [p.detach().clone() for p in other.parameters()]
    moments = [optimizer.state[p]["momentum_buffer"].clone() for p in other.parameters()]
    for given in (state, {key: mask.bool() for key, mask in state.items()}):
        fresh.load_state_dict(given)
        assert masked.digest() == fresh.digest()
    for index, parameter in enumerate(other.parameters()):
        assert torch.equal(before[index], parameter)
        assert torch.equal(moments[index], optimizer.state[parameter]["momentum_buffer"])
    assert NAMES == fresh.violations()
    fresh.load_state_dict({})
    assert {} == dict(fresh.masks)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m.pop("2.weight"), "`2.weight` has none"),
        (lambda m: m.update(x=m["2.weight"]), "`x` is not in scope"),
        (lambda m: m.update({"2.weight": m["2.weight"].T}), "is 10x4, the weight is 4x10"),
        (lambda m: m.update({"2.weight": m["2.weight"].float()}), "holds float32, not bool"),
    ],
)
def test_masks_that_do_not_fit(change: Callable[[dict[str, Tensor]], object], reason: str) -> None:
    """Other names, shapes or types are refused with the layer, and nothing changes."""
    model = network()
    masked = Masked(model, NAMES)
    masked.set(some_masks())
    before = masked.digest(), model[0].weight.detach().clone()
    masks = some_masks(5)
    change(masks)
    for take in (masked.set, masked.load_state_dict):
        with pytest.raises(TostError, match="T508") as caught:
            take(masks)
        assert reason in str(caught.value)
    assert before[0] == masked.digest()
    assert torch.equal(before[1], model[0].weight)


@pytest.mark.parametrize("as_bool", [False, True])
def test_bytes_other_than_0_and_1_are_refused(as_bool: bool) -> None:
    """A mask file's byte 7 is refused, also where it hides in a bool tensor."""
    masked = Masked(network(), NAMES)
    masked.set(some_masks())
    state = masked.state_dict()
    state["0.weight"][0, 0] = 7
    if as_bool:
        state = {key: mask.view(torch.bool) for key, mask in state.items()}
    with pytest.raises(TostError, match=r"T508.*other bytes than 0 and 1 in `0.weight`"):
        masked.load_state_dict(state)


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


def test_shared_weights_count_once() -> None:
    """A weight that two layers share is held once, under its first name in scope."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    both = Masked(model, ["1.weight", "0.weight"])
    assert (["0.weight"], 16) == (list(both.weights), both.counts().total)
    assert ["1.weight"] == list(Masked(model, ["1.weight"]).weights)
