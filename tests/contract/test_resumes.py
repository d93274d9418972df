"""Whatever is registered resumes to the same bits: nothing is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.test_registered import bring_what_it_reads, examples, of_kind
from tests.engine.lives import kept, unequal, watched
from tests.plans import plan_of
from tostdsl.diagnostics import TostError
from tostdsl.engine.start import masked_of, network
from tostdsl.plan.bases import DataFacts
from tostdsl.plan.plan import Plan

MODELS = ("cifar_resnet(8)", "vgg(11)", "resnet18")
"""The first that serves is taken."""
FACTS = DataFacts(channels=3, height=32, width=32, classes=10, train_size=50_000, test_size=10_000)
LINES = {
    "mask": "mask {}",
    "optimizer": "optimizer {}\nmask random(sparsity=90%)",
    "schedule": "schedule {}",
    "anneal": "ghost(width=2x, anneal={0}) until epoch 9\nskip(anneal={0}) until epoch 9",
    "technique": "{}\nmask random(sparsity=90%)",
}
CASES = [
    pytest.param(kind, text, id=f"{kind}-{text}")
    for kind in LINES
    for cls in of_kind(kind)
    for text in examples(cls)
]
POINTS = 4
"""Steps that a run is resumed from: at its start, at its end, and between."""


def made(kind: str, text: str, model: str) -> Plan:
    head = f"model {model}\ndata cifar10(batch=32)\ntrain for 180 epochs\n"
    plan = plan_of(head + LINES[kind].format(text))
    assert plan is not None
    if plan.mask is None:
        return plan
    masked = masked_of(plan, network(plan, FACTS))
    assert masked is not None
    method = bring_what_it_reads(plan.mask.method, dict(masked.weights))
    return plan.model_copy(update={"mask": plan.mask.model_copy(update={"method": method})})


def run_on_the_first_that_serves(kind: str, text: str, out: Path) -> Path:
    """A rehearsal on random images, with the state of each of its steps."""
    for model in MODELS[:-1]:
        try:
            return watched(made(kind, text, model), out / model)
        except TostError as error:
            if not all(d.code.startswith("T5") for d in error.diagnostics):
                raise
    return watched(made(kind, text, MODELS[-1]), out / MODELS[-1])


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "text"), CASES)
def test_it_resumes(kind: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resumed from steps all over its training it ends as without a stop, in all of its state."""
    monkeypatch.chdir(tmp_path)
    run = run_on_the_first_that_serves(kind, text, tmp_path)
    names = kept(run)
    points = sorted({names[index * (len(names) - 1) // (POINTS - 1)] for index in range(POINTS)})
    assert len(points) > 1
    assert [] == list(unequal(run, points, tmp_path / "again"))
