"""Kept weights moved towards isometry."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.nets import Theatre, build, stage
from tostdsl.techniques.init import Init
from tostdsl.techniques.isometry import distance


def masked(model: nn.Module, density: float = 0.5) -> dict[str, Tensor]:
    source = torch.Generator().manual_seed(5)
    masks = {}
    for name, weight in model.named_parameters():
        if weight.dim() > 1:
            masks[name] = torch.rand(weight.shape, generator=source) < density
            weight.data.mul_(masks[name])
    return masks


@pytest.mark.parametrize("steps", [1, 5])
def test_steps_are_plain_gradient_descent_on_the_sum_of_norms(steps: int) -> None:
    """Autograd over the sum of all layers, kernels as (positions x inputs) x neurons, as SGD."""
    model: Any = build("vgg")
    masks = masked(model)
    weights = {n: p.detach().clone().requires_grad_() for n, p in model.named_parameters()
               if n in masks}  # fmt: skip
    optimizer = torch.optim.SGD(list(weights.values()), lr=0.01)
    for _ in range(steps):
        terms = []
        for name, weight in weights.items():
            w = weight * masks[name]
            w = w.permute(2, 3, 1, 0).reshape(-1, len(weight)) if w.dim() == 4 else w.T
            terms.append((w.T @ w - torch.eye(w.shape[1], dtype=w.dtype)).norm())
        optimizer.zero_grad()
        torch.stack(terms).sum().backward()
        optimizer.step()
        for name, weight in weights.items():
            weight.data.mul_(masks[name])
    law = Init(rescale="isometry", iterations=steps, lr=0.01)
    theatre = Theatre(model, masks)
    theatre.surgeon.enter(0, stage(law), None)
    for name, weight in weights.items():
        torch.testing.assert_close(weight.detach(), model.get_parameter(name).detach())
    assert f"over {len(weights)} layers, {steps} steps each" in theatre.lines[0]


def test_a_layer_with_room_gets_near_isometry() -> None:
    """Half of the weights are enough for 30 orthonormal neurons of 100 inputs."""
    model: Any = nn.Sequential(nn.Linear(100, 30)).double()
    masks = masked(model)
    before = float(distance(model[0].weight.detach()[None]))
    Theatre(model, masks).surgeon.enter(0, stage(Init(rescale="isometry")), None)
    after = float(distance(model[0].weight.detach()[None]))
    assert before > 4
    assert after < 0.2
    assert not model[0].weight.detach()[~masks["0.weight"]].any()
    values = torch.linalg.svdvals(model[0].weight.detach())
    assert 0.9 < values.min() < values.max() < 1.1


def test_groups_are_matrices_of_their_own() -> None:
    """Each depthwise kernel comes to length one."""
    model: Any = nn.Sequential(nn.Conv2d(6, 6, 3, groups=6)).double()
    Theatre(model).surgeon.enter(0, stage(Init(rescale="isometry", lr=0.01)), None)
    lengths = model[0].weight.detach().flatten(1).norm(dim=1)
    torch.testing.assert_close(torch.ones(6, dtype=torch.float64), lengths, atol=0.01, rtol=0)


def test_it_stops_when_nothing_is_gained() -> None:
    """Far before a limit that it would never reach, and keeps the best it met."""
    model: Any = nn.Sequential(nn.Linear(20, 10)).double()
    theatre = Theatre(model)
    theatre.surgeon.enter(0, stage(Init(rescale="isometry", iterations=10**6)), None)
    steps = int(theatre.lines[0].split("layers, ")[1].split()[0])
    assert 100 < steps < 1000
    found = float(theatre.lines[0].split(" to ")[1].split()[0])
    assert found == pytest.approx(float(distance(model[0].weight.detach()[None])), rel=1e-3)


def test_a_step_that_harms_is_not_kept() -> None:
    """With a step far too long the weights stay as they were, to the bit."""
    model: Any = nn.Sequential(nn.Linear(20, 10)).double()
    nn.init.orthogonal_(model[0].weight)
    before = model[0].weight.detach().clone()
    law = Init(rescale="isometry", lr=1e6, iterations=5)
    Theatre(model).surgeon.enter(0, stage(law), None)
    assert torch.equal(before, model[0].weight.detach())


def test_after_delta_orthogonal_kernels_only_centres_move() -> None:
    """As the documentation warns: zeros around the centre get no slope."""
    model: Any = nn.Sequential(nn.Conv2d(8, 8, 3, bias=False)).double()
    masks = {"0.weight": torch.rand(8, 8, 3, 3) < 0.5}
    law = Init(rescale="isometry", base="orthogonal", iterations=20)
    Theatre(model, masks).surgeon.enter(0, stage(law), None)
    weight = model[0].weight.detach().clone()
    assert weight[:, :, 1, 1].any()
    weight[:, :, 1, 1] = 0
    assert not weight.any()


def test_a_rehearsal_cuts_it_short() -> None:
    """Three steps, whatever the recipe says."""
    theatre = Theatre(build("mlp"))
    theatre.surgeon.rehearsal = True
    theatre.surgeon.enter(0, stage(Init(rescale="isometry")), None)
    assert "3 steps each" in theatre.lines[0]
