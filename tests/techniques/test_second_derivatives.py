"""Networks that cannot be differentiated twice are refused early, and the module is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.nets import FACTS, Theatre, build, stage
from tostdsl.api import run
from tostdsl.compile.compiler import compile_source
from tostdsl.diagnostics import TostError
from tostdsl.engine.run import RunOptions
from tostdsl.source import Source
from tostdsl.techniques.ghost import Ghost
from tostdsl.techniques.init import Init
from tostdsl.techniques.skip import Skip


class Gated(nn.Module):
    """A gate without a second derivative, as a module inside a block and called as a function."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(192, 6), nn.Hardsigmoid())
        self.fine = nn.Sequential(nn.Sigmoid(), nn.Linear(6, 6), nn.ReLU(inplace=True))
        self.called = Called()
        self.head = nn.Linear(6, FACTS.classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.called(self.fine(self.inner(x.flatten(1)))))  # type: ignore[no-any-return]


class Called(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.hardsigmoid(x)


@pytest.mark.parametrize("early", [True, False], ids=["prepared", "while learning"])
def test_modules_without_a_second_derivative_are_named(early: bool) -> None:
    """The innermost ones with their classes, others not; nothing of the network has moved."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), Gated()).double()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    surgeon = Theatre(net).surgeon
    law = stage(Init(rescale="learned", gamma=1e9 if early else 1e-9))
    if not early:  # other stages' hooks do not run without what they remember
        surgeon.enter(0, stage(Skip(), on=("2.fine.1",)), None)
    act = (lambda: surgeon.prepare(law)) if early else (lambda: surgeon.enter(1, law, None))
    with pytest.raises(TostError) as caught:
        act()
    message = caught.value.diagnostics[0].message
    assert "T523" == caught.value.diagnostics[0].code
    assert "in `2.inner.1` (a Hardsigmoid) and `2.called` (a Called): derivative for " in message
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert all(module.training for module in net.modules())


def test_a_network_with_second_derivatives_is_prepared_untouched() -> None:
    """No refusal, and parameters, buffers, modes, hooks and gradients stay."""
    net = build("residual")
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    surgeon = Theatre(net).surgeon
    surgeon.prepare(stage(Init(rescale="learned")))
    surgeon.prepare(stage(Ghost(activation="elu")))
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in net.modules())


@pytest.mark.parametrize("mask", ["random(sparsity=50%)", "lottery(sparsity=50%, rate=50%)"])
def test_a_run_says_so_before_anything_is_trained(mask: str, tmp_path: Path) -> None:
    """Whatever the gradient's norm is at the start, and before the rounds of a lottery."""
    text = (
        f"model mobilenet_v3_small\ndata digits\ntrain for 2 epochs\nmask {mask}\n"
        "init(rescale=learned, gamma=1000)\n"
    )
    (plan,) = compile_source(Source("r.tost", text)).plans
    with pytest.raises(TostError) as caught:
        run(plan, RunOptions(out=tmp_path / "run", device="cpu", smoke=True))
    assert "T523" == caught.value.diagnostics[0].code
    assert "features.1.block.1.scale_activation" in caught.value.diagnostics[0].message
    metrics = tmp_path / "run" / "metrics.jsonl"
    assert not metrics.exists() or "loss" not in metrics.read_text("utf-8")
