"""The checks that the plan calls for are those that runs make."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engine.test_run import plan
from tostdsl.engine.run import RunOptions, run
from tostdsl.engine.verify.expected import checks_of
from tostdsl.plan.program import lower

HEAD = "model cifar_resnet(8)\ndata digits\ntrain for 6 epochs\n"
RECIPES = {
    "plain": "",
    "mask": "mask magnitude(sparsity=50%)\n",
    "together": "mask random(sparsity=50%)\nghost(activation=swish) until 50%\n"
    "skip until epoch 3\nskip(anneal=none) from 60% until 80%\ninit\nlabels(smoothing=0.1 -> 0)\n",
    "to_the_end": "ghost(width=2x, anneal=cosine) from epoch 2\nskip(span=block) from epoch 1\n",
    "recalibrated": "ghost(activation=swish, recalibrate=yes) until 50%\nskip(recalibrate=yes)\n",
    "step": "ghost(activation=mish, anneal=step(at=[50%])) until 90%\n",
    "exponential": "skip(anneal=exponential) until epoch 2\n",
    "kept": "ghost(activation=swish, anneal=none, keep=yes) from epoch 1\n"
    "skip(form=add, projection=conv, anneal=none, keep=yes) except first\n"
    "skip(span=block) until 9%\n",
    "lottery": "mask lottery(sparsity=50%, rate=30%, rewind=epoch 1)\nghost(activation=elu)\n",
    "lottery_stages": "mask lottery(sparsity=50%, rate=30%, stages=yes, epochs=2)\n"
    "skip(anneal=none, keep=yes)\nghost(activation=elu) until epoch 4\n"
    "ghost(width=2x) until step 9\n",
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_run_makes_the_checks_that_are_expected(name: str, tmp_path: Path) -> None:
    """Worked out from the plan's windows: the very names of the certificate, in its order."""
    made = plan(HEAD + RECIPES[name])
    result = run(made, RunOptions(out=tmp_path / "run", smoke=True, allow_ghosts=True))
    checks = json.loads((result.folder / "certificate.json").read_text("utf-8"))["checks"]
    program = lower(made, made.data.steps_per_epoch(1438)).rehearse()
    assert checks_of(program, 100) == [check["name"] for check in checks]
    assert result.certified


def test_a_whole_run_has_all_its_steps() -> None:
    """Without a rehearsal the steps are the training's, not those that cross boundaries."""
    made = plan(HEAD + RECIPES["together"])
    names = checks_of(lower(made, 22))
    assert "training ran its 132 steps" in names
    assert "ghost, skip#1 left without a trace at step 66 of training" in names
    assert "skip#2 left by a jump, as written, at step 106 of training" in names
