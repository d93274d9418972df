"""The technique does what its docstring says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from tost_gradient_noise import GradientNoise

from tostdsl.api import compile_source, run
from tostdsl.engine.run import RunOptions
from tostdsl.plugin import Batch
from tostdsl.source import Source

RECIPE = "model cifar_resnet(8)\ndata digits\nmask random(sparsity=90%)\ntrain for 2 epochs\n"


class Net:
    """As much of a network's view as the hook asks for."""

    targets = ("0", "2")

    def __init__(self) -> None:
        self.model = nn.Sequential(nn.Linear(100, 200), nn.ReLU(), nn.Linear(200, 300))

    def module(self, name: str) -> nn.Module:
        return self.model.get_submodule(name)

    def generator(self, purpose: str) -> torch.Generator:
        return torch.Generator().manual_seed(sum(map(ord, purpose)))

    def report(self, text: str) -> None:
        assert "2 layers" in text


def noise(std: float, weight: float, step: int) -> Iterator[torch.Tensor]:
    """What the hook adds to gradients of zero, layer by layer."""
    net: Any = Net()
    hook = GradientNoise(std=std).hook()
    hook.attach(net, {"weight": torch.tensor(weight)})
    nothing = torch.zeros(1)
    hook.batch(Batch(nothing, nothing, nothing, step))
    for parameter in net.model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    hook.grads()
    assert not net.module("0").bias.grad.any()
    return (net.module(name).weight.grad for name in net.targets)


def test_the_noise_has_the_standard_deviation_of_the_stage() -> None:
    """`std` times the weight, around 0; nothing at weight 0."""
    for found in noise(0.5, 0.2, step=3):
        assert 0.1 == pytest.approx(float(found.std()), rel=0.03)
        assert 0 == pytest.approx(float(found.mean()), abs=0.003)
    assert not any(found.any() for found in noise(0.5, 0.0, step=3))


def test_the_noise_depends_on_the_step_only() -> None:
    """The same step has the same noise, another has another; two layers have their own."""
    first, again, other = (list(noise(1, 1, step)) for step in (3, 3, 4))
    assert torch.equal(first[0], again[0])
    assert not torch.equal(first[0], other[0])
    assert not torch.equal(first[0].flatten()[:100], first[1].flatten()[:100])


def test_a_run_with_it_is_certified_and_differs(tmp_path: Path) -> None:
    """Nothing is left behind, and the network is another than without it."""
    results = []
    for name, stage in [("with", "gradient_noise(std=0.1) until epoch 1\n"), ("without", "")]:
        (plan,) = compile_source(Source("r.tost", RECIPE + stage)).plans
        results.append(run(plan, RunOptions(out=tmp_path / name, device="cpu", smoke=True)))
    assert [True, True] == [each.certified for each in results]
    bits = [(each.folder / "model.safetensors").read_bytes() for each in results]
    assert bits[0] != bits[1]
