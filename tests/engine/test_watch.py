"""What must hold at every step: planted faults are caught, sound runs are left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.plans import plan_of
from tostdsl.diagnostics import TostError
from tostdsl.engine import loop as loops
from tostdsl.engine.checkpoint import Checkpoints
from tostdsl.engine.checksums import checksums
from tostdsl.engine.keeper import Every
from tostdsl.engine.loop import Loop
from tostdsl.engine.masked import Masked
from tostdsl.engine.resume import resume
from tostdsl.engine.run import RunOptions, run
from tostdsl.engine.stops import StoppedRun
from tostdsl.masks.gradual import Gradual
from tostdsl.plan.masking import MaskSite, Update
from tostdsl.plan.plan import Plan

HEAD = """model cifar_resnet(8)
data digits(batch=64)
schedule constant
train for 24 steps
seed 3
"""
SGD = "optimizer sgd(lr=0.1, momentum=0.9, weight_decay=1e-3)\n"
ADAM = "optimizer adam(weight_decay=1e-3)\n"
RANDOM = "mask random(sparsity=70%)\n"
STAGED = HEAD + SGD + RANDOM + "ghost(width=2x) until step 20\nlabels(smoothing=0.2 -> 0)\n"
LAYER = "layer1.0.conv1.weight"
FAULTY = 11

Fault = Callable[[Loop], None]


def plan(text: str) -> Plan:
    found = plan_of(text)
    assert found is not None
    return found


def certificate(folder: Path) -> Any:
    return json.loads((folder / "certificate.json").read_text("utf-8"))


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


MASKS = [
    "mask random(sparsity=70%)",
    "mask magnitude(sparsity=70%)",
    "mask snip(sparsity=70%)",
    "mask synflow(sparsity=70%)",
    "mask grasp(sparsity=50%)",
    "mask lottery(sparsity=60%, rate=40%, rewind=step 3)",
    "mask lottery(sparsity=60%, rate=40%, stages=yes)",
    "mask dynamic(sparsity=70%, every=5 steps)",
    "mask dynamic(sparsity=70%, every=5 steps, grow=random)",
    "mask gradual(sparsity=80%, every=4 steps) from step 2 until step 18",
    "mask nm(pattern=2:4)",
    "",
]
STAGES = """ghost(width=2x) until step 16
ghost(activation=swish) from step 2 until step 12
skip(recalibrate=yes) until step 18
labels(smoothing=0.2 -> 0)
init(rescale=fanin_masked)
"""


@pytest.mark.parametrize(
    ("mask", "optimizer"), [*((mask, SGD) for mask in MASKS), *((m, ADAM) for m in MASKS[::3])]
)
def test_sound_runs_pass_every_look(mask: str, optimizer: str, tmp_path: Path) -> None:
    """With every mask and stages coming and going, all steps are looked at and none is refused."""
    late = not mask or "gradual" in mask or "stages=yes" in mask  # nothing is masked at the start
    stages = STAGES.replace("init(rescale=fanin_masked)\n", "") if late else STAGES
    text = HEAD + optimizer + mask + "\n" + stages
    result = run(plan(text), RunOptions(tmp_path / "run", watch=1))
    assert result.certified, result.failures
    assert result.watching is not None
    checks = {check["name"]: check for check in certificate(tmp_path / "run")["checks"]}
    watched = [c["detail"] for name, c in checks.items() if "sound at every look" in name]
    steps = [c["name"] for c in checks.values() if " ran its " in c["name"]]
    assert [f"{name.split(' its ')[1].split()[0]} looks" for name in steps] == watched
    assert 0 < result.watching.seconds < result.seconds
    assert result.watching.share == result.watching.seconds / result.seconds


def test_looks_are_at_intervals_and_at_the_ends_of_segments(tmp_path: Path) -> None:
    """24 steps in segments to 20 and 24, every 8: after steps 7, 15, 19 and 23."""
    result = run(plan(STAGED), RunOptions(tmp_path / "run", watch=8))
    assert result.watching is not None
    assert 4 == result.watching.looks
    told = json.loads((tmp_path / "run" / "result.json").read_text())["watching"]
    assert (8, 4) == (told["every"], told["looks"])


def test_steps_that_a_loss_scaler_leaves_out_are_sound(tmp_path: Path) -> None:
    """Gradients that overflow are not used, and so no fault."""
    text = STAGED + "precision fp16\n"
    skipped = []
    update = torch.amp.GradScaler.update

    def told(self: torch.amp.GradScaler, *given: Any) -> None:
        before = self.get_scale()
        update(self, *given)
        skipped.append(self.get_scale() < before)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.amp.GradScaler, "update", told)
        patch.setattr(
            "tostdsl.engine.device.scaler",
            lambda *_: torch.amp.GradScaler("cpu", init_scale=2.0**40),
        )
        result = run(plan(text), RunOptions(tmp_path / "run", watch=1))
    assert result.certified, result.failures
    assert any(skipped)


def test_a_run_that_goes_on_is_watched_as_before(tmp_path: Path) -> None:
    """The interval is the run's, and so is the certificate's count of looks."""
    whole, out = tmp_path / "whole", tmp_path / "run"
    every = Every(5, "steps")
    run(plan(STAGED), RunOptions(whole, watch=1, checkpoint=every))
    advance = Loop._advance

    def stopping(self: Loop) -> None:
        advance(self)
        if self.step == 12:
            assert self.kit.keeper is not None
            self.kit.keeper.stops.asked = "SIGTERM"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loop, "_advance", stopping)
        with pytest.raises(StoppedRun):
            run(plan(STAGED), RunOptions(out, watch=1, checkpoint=every))
    assert 1 == json.loads((out / "environment.json").read_text())["options"]["watch"]
    result = resume(out)
    assert result.watching is not None
    assert (1, 24) == (result.watching.every, result.watching.looks)
    assert certificate(whole) == certificate(out)


def test_a_mask_that_moves_after_a_step_sees_whole_gradients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of masked weights, too, though the optimizer has stepped without them."""
    seen: list[bool] = []
    plain = Gradual.update

    def update(self: Gradual, site: MaskSite, given: Update) -> Any:
        seen.extend(bool(site.gradients[n][~m].any()) for n, m in site.masks.items() if n == LAYER)
        return plain(self, site, given)

    monkeypatch.setattr(Gradual, "update", update)
    text = HEAD + SGD + "mask gradual(sparsity=80%, every=6 steps) from step 2 until step 20\n"
    assert run(plan(text), RunOptions(tmp_path / "run")).certified
    assert len(seen) > 2
    assert all(seen[1:])  # before the first there is nothing masked


def test_masking_gradients_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights of whole runs are those of one whose gradients reach the optimizer unmasked."""
    from safetensors.torch import load_file

    for optimizer in (SGD, ADAM, "optimizer adamw\n", "optimizer sgd(lr=0.1, nesterov=yes)\n"):
        text = STAGED.replace(SGD, optimizer)
        kind = optimizer.split()[1].split("(")[0] + str(len(optimizer))
        run(plan(text), RunOptions(tmp_path / kind))
        with monkeypatch.context() as patch:
            patch.setattr(Masked, "mask_gradients", lambda _self: None)
            run(plan(text), RunOptions(tmp_path / f"{kind}-plain", watch=None))
        first = load_file(tmp_path / kind / "model.safetensors")
        second = load_file(tmp_path / f"{kind}-plain" / "model.safetensors")
        assert [] == [name for name in first if not torch.equal(first[name], second[name])]


@pytest.mark.parametrize("size", [1, 7, 8, 9, 64, 1000])
def test_a_checksum_sees_every_bit_and_every_exchange(size: int) -> None:
    """Of masks of any size; what lies behind the layout in memory is not seen."""
    mask = torch.rand(size, generator=torch.Generator().manual_seed(size)) < 0.5
    (own,) = checksums([mask]).tolist()
    for place in range(size):
        other = mask.clone()
        other[place] = ~other[place]
        assert own != checksums([other]).item()
        other[(place + 1) % size] = ~other[(place + 1) % size]
        assert size == 1 or own != checksums([other]).item()


def test_a_checksum_is_the_same_in_any_layout() -> None:
    """Channels last or first, alone or among larger ones."""
    mask = torch.rand(4, 6, 3, 3, generator=torch.Generator().manual_seed(1)) < 0.5
    other = mask.contiguous(memory_format=torch.channels_last)
    large = torch.ones(5000, dtype=torch.bool)
    assert checksums([mask]).item() == checksums([large, other])[1].item()
    assert 0 == checksums([]).numel()


def test_a_run_whose_masks_are_never_applied_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first look, were it the default's: the one at the first segment's end."""
    monkeypatch.setattr(Masked, "apply", lambda _self: None)
    monkeypatch.setattr(Masked, "mask_gradients", lambda _self: None)
    said = _fails(STAGED, tmp_path / "run")
    assert said.startswith("R311")
    assert said.endswith("at step 19 of training")
