"""The masks that their owner holds: names, layouts, counts, digests, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn

from tests.engine.perceptron import NAMES, backward, network, some_masks
from tostdsl.diagnostics import TostError
from tostdsl.engine.masked import Masked


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


def test_shared_weights_count_once() -> None:
    """A weight that two layers share is held once, under its first name in scope."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    both = Masked(model, ["1.weight", "0.weight"])
    assert (["0.weight"], 16) == (list(both.weights), both.counts().total)
    assert ["1.weight"] == list(Masked(model, ["1.weight"]).weights)
