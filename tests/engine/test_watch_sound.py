"""What must hold at every step: sound runs are left alone, and looked at when they should be."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine.watched import ADAM, HEAD, LAYER, SGD, STAGED, certificate, plan
from tostdsl.engine.keeper import Every
from tostdsl.engine.loop import Loop
from tostdsl.engine.masked import Masked
from tostdsl.engine.resume import resume
from tostdsl.engine.run import RunOptions, run
from tostdsl.engine.stops import StoppedRun
from tostdsl.masks.gradual import Gradual
from tostdsl.plan.masking import MaskSite, Update

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
def test_sound_runs_pass_every_look(
    mask: str, optimizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every mask and stages coming and going, all steps are looked at and none is refused."""
    late = not mask or "gradual" in mask or "stages=yes" in mask  # nothing is masked at the start
    stages = STAGES.replace("init(rescale=fanin_masked)\n", "") if late else STAGES
    text = HEAD + optimizer + mask + "\n" + stages
    asked = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: next(asked) / 1000)  # a clock of the test's
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
