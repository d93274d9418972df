"""A run resumed from each of its steps ends as without a stop.

Whole trainings of about 90 steps, which have an end of an epoch, of a round, of a window, and an
update of the mask in their midst; what is kept after each step is compared, not only the end.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.lives import kept, unequal, watched
from tests.plans import plan_of

STAGES = """\
ghost(width=2x) until step 20
ghost(activation=swish, form=sharpen, beta=1 -> 4) from step 3 until step 14
skip(form=normalised, anneal=cosine) from step 2 until step 17
labels(smoothing=0.2 -> 0, mixup=0.2, cutmix=1) until step 25
"""
HEAD = """\
model cifar_resnet(8)
data digits(batch=128, augment=[crop(padding=1), flip], validation=10%)
seed 5
"""
PLANS = {
    "lottery": (
        HEAD + STAGES + "optimizer sgd(lr=0.05, nesterov=yes)\nschedule cosine(warmup=5 steps)\n"
        "train for 30 steps\nmask lottery(sparsity=36%, rate=20%, rewind=step 6, resume=rewind, "
        "optimizer=rewind, stages=yes)\n",
        78,
    ),
    "moving": (
        HEAD + STAGES + "init(rescale=fanin_masked)\noptimizer adamw\n"
        "mask dynamic(sparsity=80%, grow=random, every=7 steps)\ntrain for 88 steps\n"
        "precision bf16\n",
        88,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANS)
def test_every_step(name: str, tmp_path: Path) -> None:
    """From whichever step it goes on, all of its state is the same at the end, traces too."""
    text, steps = PLANS[name]
    plan = plan_of(text)
    assert plan is not None
    run = watched(plan, tmp_path / "run", smoke=False, fake_data=False, trace_every=20)
    names = kept(run)
    assert steps + 1 == len(names)  # before the first, too
    assert [] == list(unequal(run, names, tmp_path / "again"))
