"""Collapse and paths, against paths counted by hand."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.nets import FACTS, Residual
from tostdsl.diagnostics import TostError
from tostdsl.engine.scope import Scope
from tostdsl.masks.health import refuse_collapse
from tostdsl.masks.magnitude import Magnitude
from tostdsl.masks.paths import paths
from tostdsl.masks.random import Random
from tostdsl.plan.masking import MaskMethod
from tostdsl.units import Percent


def ones(model: nn.Module) -> dict[str, Tensor]:
    return {
        name: torch.ones_like(parameter, dtype=torch.bool)
        for name, parameter in model.named_parameters()
        if parameter.dim() > 1
    }


def refused(
    method: MaskMethod, model: nn.Module, masks: Mapping[str, Tensor], **weights: Any
) -> tuple[str, ...]:
    held = {name: parameter for name, parameter in model.named_parameters() if name in masks}
    return refuse_collapse(method, Scope(model, held, {}, FACTS, 1), masks)


def magnitude(percent: str = "90", **rest: Any) -> Magnitude:
    return Magnitude(sparsity=Percent(Decimal(percent)), **rest)


@settings(deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0.1, 0.3, 0.6]))
def test_paths_of_a_perceptron(seed: int, density: float) -> None:
    """A weight is on a path when its input is reached and its output leads on, by sets."""
    source = torch.Generator().manual_seed(seed)
    layers = [nn.Linear(5, 6), nn.GELU(), nn.Linear(6, 4), nn.ReLU6(), nn.Linear(4, 3)]
    model = nn.Sequential(nn.Flatten(), *layers)
    masks = {n: torch.rand(m.shape, generator=source) < density for n, m in ones(model).items()}
    found = paths(model, masks, (5, 1, 1))
    assert found is not None
    matrices = [mask.numpy() for mask in masks.values()]
    reached = [np.ones(5, dtype=bool)]
    for matrix in matrices:
        reached.append((matrix & reached[-1]).any(1))
    leading = [np.ones(3, dtype=bool)]
    for matrix in reversed(matrices):
        leading.append((matrix & leading[-1][:, None]).any(0))
    leading.reverse()
    assert bool(reached[-1].any()) == found.connected
    for i, (name, matrix) in enumerate(zip(masks, matrices, strict=True)):
        wanted = matrix & reached[i][None] & leading[i + 1][:, None]
        assert wanted.tolist() == found.on_path[name].tolist()


def test_paths_of_a_residual_network() -> None:
    """What only a cut branch reaches is on no path; what goes round it is."""
    torch.manual_seed(0)
    model = Residual()
    masks = ones(model)
    masks["layer1.0.conv1.weight"].zero_()
    found = paths(model, masks, FACTS.shape)
    assert found is not None
    assert found.connected
    assert not bool(found.on_path["layer1.0.conv2.weight"].any())
    assert bool(found.on_path["stem.weight"].all())
    assert bool(found.on_path["layer2.0.conv1.weight"].all())


def test_paths_leave_the_network_alone() -> None:
    """Following paths changes no weight, no module and no mode of the network."""
    torch.manual_seed(0)
    model = Residual()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modules = [type(module) for module in model.modules()]
    paths(model, ones(model), FACTS.shape)
    assert modules == [type(module) for module in model.modules()]
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_an_empty_layer_on_the_only_path_is_a_collapse() -> None:
    """It is refused with its name, the sparsity, and the highest at which no layer is empty."""
    torch.manual_seed(0)
    model = Residual()
    masks = ones(model)
    masks["fc.weight"].zero_()
    with pytest.raises(TostError) as caught:
        refused(magnitude(), model, masks)
    (found,) = caught.value.diagnostics
    assert "T507" == found.code
    assert "leaves no weight in `fc`" in found.message
    assert found.help is not None
    assert "`allow=collapse`" in found.help
    percent = Fraction(found.help.split("sparsity=")[1].split("%")[0]) / 100
    scope = Scope(model, {n: p for n, p in model.named_parameters() if n in masks}, {}, FACTS, 1)
    kept = magnitude().choose(scope, percent)
    assert all(bool(mask.any()) for mask in kept.values())
    further = magnitude().choose(scope, percent + Fraction(1, 1000))
    assert not all(bool(mask.any()) for mask in further.values())


def test_a_cut_branch_is_told_and_not_refused() -> None:
    """A residual branch without weights is gone around: its layers are named, training goes on."""
    torch.manual_seed(0)
    model = Residual()
    masks = ones(model)
    masks["layer1.0.conv1.weight"].zero_()
    assert ("layer1.0.conv1",) == refused(magnitude(), model, masks)
    masks["stem.weight"].zero_()
    with pytest.raises(TostError, match=r"T507.*`stem`, `layer1.0.conv1`"):
        refused(magnitude(), model, masks)


def test_no_path_is_a_collapse_even_where_no_layer_is_empty() -> None:
    """Layers that keep weights, none of which meet, let nothing through."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.Linear(4, 5))
    masks = ones(model)
    masks["1.weight"][1:] = False
    masks["2.weight"][:, :1] = False
    with pytest.raises(TostError, match=r"T507.*cuts every path"):
        refused(magnitude(), model, masks)


def test_a_collapse_that_is_allowed_passes() -> None:
    """`allow=collapse` lets it pass and tells which layers are empty."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.Linear(4, 5))
    masks = ones(model)
    masks["1.weight"].zero_()
    assert ("1",) == refused(magnitude(allow="collapse"), model, masks)


def test_permission_is_no_part_of_the_identity() -> None:
    """What is only let pass does not change the fingerprint, but stands in the plan's JSON."""
    from tests.plans import plan_of

    head = "model resnet20\ndata cifar10\ntrain for 2 epochs\nmask "
    plain = plan_of(head + "random(sparsity=90%)")
    allowed = plan_of(head + "random(sparsity=90%, allow=collapse)")
    assert plain is not None
    assert allowed is not None
    assert plain.fingerprint == allowed.fingerprint
    assert plain != allowed
    assert "collapse" in allowed.canonical


def test_random_names_the_highest_sparsity() -> None:
    """A random mask that empties a layer says up to where it would not."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 2), nn.Linear(2, 5))
    method = Random(sparsity=Percent(Decimal("97")))
    scope = Scope(model, {n: p for n, p in model.named_parameters() if p.dim() > 1}, {}, FACTS, 1)
    masks = method.choose(scope, Fraction(97, 100))
    with pytest.raises(TostError, match=r"T507.*leaves no weight in `2`") as caught:
        refuse_collapse(method, scope, masks)
    # of 394 weights 20 must be kept for the second layer's half of one to be rounded up
    assert "sparsity=95.05%" in (caught.value.diagnostics[0].help or "")
