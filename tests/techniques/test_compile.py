"""Compiled networks: one graph between boundaries, whatever the weights do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters
from torch.nn import functional

from tests.nets import FACTS, Theatre, build, images, stage
from tests.techniques.every import PUT_IN, marks


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.a(x), inplace=True)
        return functional.dropout(self.b(x).relu_(), 0.25, training=self.training)


class Called(nn.Module):
    """Activations called as functions, methods and in place, in a module inside a module."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.last = Inner(), nn.Linear(4 * 64, FACTS.classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.inner(x)).flatten(1))


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()


def graphs() -> int:
    assert 0 == len(counters["graph_break"])
    return counters["stats"]["unique_graphs"]


def steps(run: Any, model: nn.Module, attached: Any, weights: list[float]) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for weight in weights:
        if attached is not None:
            attached.vector[0] = weight
            attached.vector[1:] *= 1.5
        optimizer.zero_grad()
        run(images(dtype=torch.float32)).square().mean().backward()
        optimizer.step()


def net(name: str) -> nn.Module:
    torch.manual_seed(0)
    return Called() if name == "called" else build(name, torch.float32)


@pytest.mark.parametrize(
    ("name", "technique"),
    [
        pytest.param(name, technique, marks=marks(technique))
        for name in ("residual", "vgg", "mlp", "called")
        for technique in PUT_IN
        if name != "vgg" or "block" not in technique  # it has none
    ],
)
def test_weights_move_without_a_recompilation(name: str, technique: str) -> None:
    """One whole graph before, one while the stage is at work at any weight, one after."""
    model = net(name)
    surgeon = Theatre(model).surgeon
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    steps(compiled, model, None, [1.0] * 3)
    assert 1 == graphs()
    attached = surgeon.enter(0, stage(PUT_IN[technique]), None)
    torch._dynamo.reset()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    steps(compiled, model, attached, [1.0, 0.7, 0.3, 1e-3, 0.0])
    assert 2 == graphs()
    surgeon.leave(attached, None)
    torch._dynamo.reset()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    steps(compiled, model, None, [1.0] * 3)
    assert 3 == graphs()


@pytest.mark.parametrize("technique", [pytest.param(t, marks=marks(t)) for t in PUT_IN])
def test_a_compiled_network_computes_what_it_computes_uncompiled(technique: str) -> None:
    """Outputs and gradients with the stage at work are equal to the last bit."""
    found = []
    for run_compiled in (False, True):
        model = net("residual")
        attached = Theatre(model).surgeon.enter(0, stage(PUT_IN[technique]), None)
        attached.vector[0] = 0.4
        run = torch.compile(model, backend="eager", fullgraph=True) if run_compiled else model
        out = run(images(dtype=torch.float32))
        out.square().mean().backward()
        found.append([out.detach(), *(p.grad for p in model.parameters())])
    assert all(map(torch.equal, *found))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["residual", "called"])
@pytest.mark.parametrize("technique", ["swish", "width", "skip"])
def test_the_backward_pass_compiles_once_too(name: str, technique: str) -> None:
    """With autograd in the graph a moving weight costs no recompilation either."""
    model = net(name)
    surgeon = Theatre(model).surgeon
    attached = surgeon.enter(0, stage(PUT_IN[technique]), None)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    steps(compiled, model, attached, [1.0, 0.7, 0.3, 0.0])
    assert 1 == graphs()
