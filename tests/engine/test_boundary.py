"""What stages leave behind is found at the very boundary, while others are still at work."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from tests.engine.test_loop import SMALL, plan
from tests.nets import FACTS, NETS, Theatre, build, stage
from tostdsl.engine import groups
from tostdsl.engine.makeup import Shape, missing
from tostdsl.engine.observer import Result
from tostdsl.engine.run import RunOptions, run
from tostdsl.engine.surgery import Surgeon
from tostdsl.techniques.ghost import Ghost
from tostdsl.techniques.skip import Skip, SkipHook

STAGED = SMALL + (
    "mask random(sparsity=50%)\nskip(form=add, projection=conv) until epoch 1\n"
    "ghost(activation=swish, width=2x)\ninit\nlabels(smoothing=0.1) until epoch 1\n"
)
LEFT = "nothing of labels, skip in the network or the optimizer at step 22 of training"


def trained(out: Path) -> Result:
    return run(plan(STAGED), RunOptions(out=out))


def failed(result: Result) -> dict[str, str]:
    checks = json.loads((result.folder / "certificate.json").read_text("utf-8"))["checks"]
    return {check["name"]: check["detail"] for check in checks if not check["passed"]}


def on_detach(
    monkeypatch: pytest.MonkeyPatch, do: Callable[[Any], Any], undo: Callable[[Any], Any]
) -> None:
    """Do something to the network when the skip leaves, and undo it when the ghost does."""
    plain = Surgeon.leave

    def leave(self: Surgeon, attached: Any, optimizer: Any) -> None:
        plain(self, attached, optimizer)
        kind = attached.stage.technique.name
        if kind in ("skip", "ghost"):
            (do if kind == "skip" else undo)(self)

    monkeypatch.setattr(Surgeon, "leave", leave)


def test_every_moment_of_leaving_has_its_check(tmp_path: Path) -> None:
    """Stages that leave together, those that act once, those that leave at the end."""
    result = trained(tmp_path / "run")
    checks = json.loads((result.folder / "certificate.json").read_text("utf-8"))["checks"]
    found = {each["name"]: each["detail"] for each in checks if "nothing of" in each["name"]}
    assert result.certified
    assert [
        "nothing of init in the network or the optimizer at step 0 of training",
        LEFT,
        "nothing of ghost in the network or the optimizer at the end of training",
    ] == list(found)
    assert found[LEFT].startswith("as before training, but for ")
    assert "as before training" == list(found.values())[-1]


def test_a_hook_that_goes_later_is_found_where_it_was_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end of training all is well again, and still the run is not certified."""
    handles = []
    on_detach(
        monkeypatch,
        lambda s: handles.append(s.model.fc.register_forward_pre_hook(lambda *_: None)),
        lambda s: [handle.remove() for handle in handles],
    )
    found = failed(trained(tmp_path / "run"))
    assert "1 left, the first a forward pre hook at `fc`" == found[LEFT]
    assert not any("after training" in name for name in found)


def test_a_hook_in_the_place_of_another_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taking out a ghost's hook and leaving one there keeps their number, and is told."""

    def swap(surgeon: Any) -> None:
        if not surgeon.attached:
            return  # the trial before the run, of one stage at a time
        ghost = surgeon.attached[0]
        ghost.site._handles.append(ghost.site._handles[0])
        ghost.site._handles[0].remove()
        surgeon.model.conv1.register_forward_hook(lambda *_: None)

    on_detach(monkeypatch, swap, lambda s: None)
    found = failed(trained(tmp_path / "run"))
    assert found[LEFT].startswith("1 left, the first a forward hook at `conv1`; 1 hooks of stages")


def test_one_of_the_networks_own_hooks_replaced_is_found() -> None:
    """The same number of hooks in the same place is not the same hooks."""
    model = nn.Linear(2, 2)
    handle = model.register_forward_hook(lambda *_: None)
    plain = Shape.of(model)
    handle.remove()
    model.register_forward_hook(lambda *_: None)
    now = Shape.of(model)
    assert (1, 1) == (len(plain.hooks), len(now.hooks))
    (gap,) = now.gaps(plain)
    assert "1 left, " in gap
    assert "1 of the network's own gone" in gap


def test_a_parameter_group_left_behind_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The optimizer must not train what left, nor remember it."""
    monkeypatch.setattr(groups, "take", lambda *_: None)
    detail = failed(trained(tmp_path / "run"))[LEFT]
    assert "parameters of what left in the optimizer" in detail
    assert "states of what left in the optimizer" in detail


def _empty(optimizer: Optimizer) -> None:
    optimizer.param_groups.append({**optimizer.param_groups[0], "params": []})


def _forget(optimizer: Optimizer) -> None:
    optimizer.param_groups[0]["params"].pop()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_empty, "1 empty parameter groups in the optimizer"),
        (_forget, "1 parameters are no longer trained"),
    ],
)
def test_an_optimizer_that_is_not_as_before_is_found(
    spoil: Callable[[Optimizer], None], said: str
) -> None:
    """An empty group is one too many; a parameter that is trained no more is missed."""
    layer = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    own = list(layer.parameters())
    assert [] == groups.gaps(optimizer, own, [])
    spoil(optimizer)
    assert [said] == groups.gaps(optimizer, own, [])


@torch.no_grad()
def _shift_statistics(net: Any) -> None:
    net.model.get_submodule("bn1").running_var.mul_(1.01)


@torch.no_grad()
def _revive(net: Any) -> None:
    name, mask = next(iter(net.masks.items()))
    net.model.get_parameter(name)[~mask] = 1.0


@pytest.mark.parametrize("change", [_shift_statistics, _revive])
def test_what_changes_when_a_stage_enters_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], None]
) -> None:
    """A statistic, or a weight that the masks would set right again right after."""
    plain = SkipHook.attach

    def attach(self: SkipHook, net: Any, cells: Any) -> None:
        plain(self, net, cells)
        change(net)

    monkeypatch.setattr(SkipHook, "attach", attach)
    name = "stages entered without changing a weight or a statistic, in training"
    assert {name: "not at step 0"} == failed(trained(tmp_path / "run"))


class Calls(nn.Module):
    """Two layers and rectifiers as a module that works in place and as functions."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(192, 6), nn.Linear(6, 6)
        self.act, self.fc = nn.ReLU(inplace=True), nn.Linear(6, FACTS.classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.a(x.flatten(1)))
        return self.fc(functional.relu(self.b(x)))


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("net", ["calls", *NETS])
def test_a_network_without_its_stages_parts_is_the_plain_one(
    net: str, order: tuple[int, ...]
) -> None:
    """Hooks, held flags and written-out steps of what is at work are known, whoever leaves first.

    And taken with all that is in it, it is not the plain one until the last has left.
    """
    model = Calls().double() if net == "calls" else build(net)
    plain, surgeon = Shape.of(model), Theatre(model).surgeon
    stages = (Ghost(activation="swish"), Ghost(activation="elu"), Skip())
    attached = [surgeon.enter(i, stage(each), None) for i, each in enumerate(stages)]
    for place in order:
        assert [] == Shape.of(model, surgeon.parts).gaps(plain)
        assert [] != Shape.of(model).gaps(plain)
        assert 0 == missing(model, surgeon.parts)
        surgeon.leave(attached[place], None)
    assert Shape.of(model) == plain


def test_the_jump_of_every_leaving_stage_is_in_the_certificate(tmp_path: Path) -> None:
    """With the weights of the last step: 1 in a window of one step, little after many."""
    text = SMALL + "skip(form=add) for 1 step\nskip(form=add) from step 1 until epoch 2\n"
    result = run(plan(text), RunOptions(out=tmp_path / "run"))
    jumps = json.loads((result.folder / "certificate.json").read_text("utf-8"))["jumps"]
    first, last = jumps
    assert ("step 1 of training", {"skip#1": 1.0}) == (first["at"], first["weights"])
    assert ("the end of training", ["skip#2"]) == (last["at"], list(last["weights"]))
    assert 0 < last["weights"]["skip#2"] < 0.05
    assert 0 < last["moved"] / last["largest"] < first["moved"] / first["largest"]
