"""What must hold at every step: planted faults are caught."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.engine.watched import ADAM, HEAD, LAYER, SGD, STAGED, certificate, plan
from tostdsl.diagnostics import TostError
from tostdsl.engine import loop as loops
from tostdsl.engine.checkpoint import Checkpoints
from tostdsl.engine.keeper import Every
from tostdsl.engine.loop import Loop
from tostdsl.engine.masked import Masked
from tostdsl.engine.resume import resume
from tostdsl.engine.run import RunOptions, run

FAULTY = 11

Fault = Callable[[Loop], None]


def _masked_entry(loop: Loop, name: str = LAYER) -> tuple[torch.nn.Parameter, Tensor]:
    """A weight, and where alone it is masked first."""
    assert loop.kit.masked is not None
    mask = loop.kit.masked.masks[name]
    where = torch.zeros_like(mask).view(-1)
    where[int((~mask).view(-1).nonzero()[0])] = True
    return loop.kit.masked.weights[name], where.view(mask.shape)


def _revive(loop: Loop) -> None:
    weight, where = _masked_entry(loop)
    weight.data[where] = 1e-20


def _plant_moment(loop: Loop) -> None:
    weight, where = _masked_entry(loop)
    loop.optimizer.state[weight]["momentum_buffer"][where] = -1.0


def _plant_moment_of_adam(loop: Loop) -> None:
    weight, where = _masked_entry(loop)
    loop.optimizer.state[weight]["exp_avg_sq"][where] = 0.5


def _move_scalar(loop: Loop) -> None:
    loop.attached[1].vector[1] += 2**-20


def _zero_weight_of_ghost(loop: Loop) -> None:
    loop.attached[0].vector.zero_()


def _flip_mask(loop: Loop) -> None:
    """Two bits of a mask change places: as many are kept as before."""
    assert loop.kit.masked is not None
    flat = loop.kit.masked.masks[LAYER].view(-1)
    kept, gone = int(flat.nonzero()[0]), int((~flat).nonzero()[0])
    flat[kept], flat[gone] = False, True


def _change_factor(loop: Loop) -> None:
    """The mask stays, but a kept weight would be zeroed from here on."""
    assert loop.kit.masked is not None
    factor = loop.kit.masked.factors[LAYER].view(-1)
    factor[int(factor.nonzero()[0])] = 0.0


def _lose_weight(loop: Loop) -> None:
    weight, where = _masked_entry(loop)
    weight.data[where] = float("nan")


FAULTS: dict[str, tuple[Fault, str, str, str]] = {
    "weight": (_revive, SGD, "R310", LAYER),
    "moment": (_plant_moment, SGD, "R312", "`momentum_buffer` of `layer1.0.conv1.weight`"),
    "second moment": (_plant_moment_of_adam, ADAM, "R312", "`exp_avg_sq` of `layer1.0"),
    "ramp": (_move_scalar, SGD, "R313", "`smoothing` of `labels`"),
    "stage": (_zero_weight_of_ghost, SGD, "R313", "`weight` of `ghost`"),
    "mask": (_flip_mask, SGD, "R314", LAYER),
    "factor": (_change_factor, SGD, "R314", LAYER),
    "not a number": (_lose_weight, SGD, "R309", ""),
}


def _plant(patch: pytest.MonkeyPatch, fault: Fault, last: int = FAULTY, name: str = "") -> None:
    """Do it right after the optimizer's step, from step 11 on."""
    advance = Loop._advance

    def faulty(self: Loop) -> None:
        advance(self)
        if FAULTY <= self.step <= last and name in self.phase.name:
            with torch.no_grad():
                fault(self)

    patch.setattr(Loop, "_advance", faulty)


def _fails(text: str, out: Path, **options: Any) -> str:
    """The run's one message."""
    with pytest.raises(TostError) as raised:
        run(plan(text), RunOptions(out, **options))
    (found,) = raised.value.diagnostics
    return f"{found.code}: {found.message}"


@pytest.mark.parametrize("kind", FAULTS)
def test_each_fault_is_caught_in_its_step(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking after every step names invariant, layer, step and phase; the certificate has it."""
    fault, optimizer, code, names = FAULTS[kind]
    _plant(monkeypatch, fault)
    said = _fails(STAGED.replace(SGD, optimizer), tmp_path / "run", watch=1)
    assert (code, names) == (said[:4], names if names in said else said)
    assert f"step {FAULTY} of training" in said
    proof = certificate(tmp_path / "run")
    assert proof["passed"] is False
    assert [said[6:]] == [check["detail"] for check in proof["checks"] if not check["passed"]]


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_that_stays_is_caught_at_the_next_look(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking every 8 steps finds what goes on from step 11 after step 15."""
    fault, optimizer, code, _ = FAULTS[kind]
    _plant(monkeypatch, fault, last=10**6)
    said = _fails(STAGED.replace(SGD, optimizer), tmp_path / "run", watch=8)
    if kind == "not a number":  # by then the loss is none either
        code = said[:4] if said[:4] in ("R302", "R309") else code
    assert code == said[:4]
    assert kind == "not a number" or "step 15 of training" in said


def test_a_gradient_that_was_used_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook that writes to gradients after they were masked."""
    planted = []
    advance = Loop._advance

    def faulty(self: Loop) -> None:
        weight, where = _masked_entry(self, "fc.weight")
        handle = None
        if self.step == FAULTY and not planted:
            planted.append(self.step)

            def write(*_: Any) -> None:
                assert weight.grad is not None
                weight.grad[where] = 1.0

            handle = self.optimizer.register_step_pre_hook(write)
        advance(self)
        if handle is not None:
            handle.remove()

    monkeypatch.setattr(Loop, "_advance", faulty)
    said = _fails(STAGED, tmp_path / "run", watch=1)
    wanted = "R311: gradients of masked weights of `fc.weight` reached the optimizer at step 11"
    assert said.startswith(wanted)


def test_a_loss_that_is_no_number_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the first thing looked at: all else comes of it."""
    count = [0]

    def loss(*given: Any) -> Tensor:
        count[0] += 1
        found = functional.cross_entropy(*given)
        return found * float("nan") if count[0] == FAULTY + 1 else found

    class Functional:
        cross_entropy = staticmethod(loss)

    monkeypatch.setattr(loops, "functional", Functional)
    monkeypatch.setattr(loops, "GLIMPSE_SECONDS", 1e6)
    said = _fails(STAGED, tmp_path / "run", watch=1)
    assert said == "R302: the loss is nan at step 11 of training"
    failed = [check for check in certificate(tmp_path / "run")["checks"] if not check["passed"]]
    assert ["the loss is a number, in training"] == [check["name"] for check in failed]


def test_masks_are_watched_in_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the round."""
    _plant(monkeypatch, _revive, name="round 2")
    text = HEAD + SGD + "mask lottery(sparsity=60%, rate=30%)\n"
    said = _fails(text, tmp_path / "run", watch=1)
    wanted = f"R310: masked weights of `{LAYER}` are not zero after step 11 of round 2"
    assert wanted == said


def test_nothing_is_kept_of_a_state_that_does_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint between two looks is looked at itself; the last sound one stays."""
    _plant(monkeypatch, _plant_moment)
    said = _fails(STAGED, tmp_path / "run", checkpoint=Every(4, "steps"))
    assert said.startswith("R312")
    assert said.endswith("after step 11 of training")
    snapshot, skipped = Checkpoints(tmp_path / "run").newest()
    assert snapshot is not None
    assert (8, []) == (snapshot.record.position.done, list(skipped))
    monkeypatch.undo()
    assert resume(tmp_path / "run").certified


def test_a_run_whose_masks_are_never_applied_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first look, were it the default's: the one at the first segment's end."""
    monkeypatch.setattr(Masked, "apply", lambda _self: None)
    monkeypatch.setattr(Masked, "mask_gradients", lambda _self: None)
    said = _fails(STAGED, tmp_path / "run")
    assert said.startswith("R311")
    assert said.endswith("at step 19 of training")
