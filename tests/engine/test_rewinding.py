"""What a lottery goes back to, against rounds written out here."""

from __future__ import annotations

import json
import math
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import cross_entropy

from tests.plans import plan_of
from tostdsl.engine.feed import Feed
from tostdsl.engine.run import RunOptions, run
from tostdsl.engine.seeds import derive
from tostdsl.plan.bases import LoadOptions
from tostdsl.plan.plan import Plan
from tostdsl.plan.program import lower

STEPS, REWIND, LR = 12, 5, 0.1
WAYS = [
    way
    for way in product(("weights", "rate"), ("start", "rewind"), ("fresh", "rewind"))
    if way not in {("rate", "start", "rewind"), ("rate", "rewind", "rewind")}
]


def recipe(back: str, resume: str, optimizer: str) -> Plan:
    mask = f"lottery(sparsity=36%, rate=20%, rewind=step {REWIND}, back={back}, resume={resume}"
    found = plan_of(
        f"model cifar_resnet(8)\ndata digits(batch=64)\nmask {mask}, optimizer={optimizer})\n"
        f"optimizer sgd(lr={LR}, momentum=0.9)\nschedule cosine\ntrain for {STEPS} steps\nseed 3\n"
    )
    assert found is not None
    return found


class Hand:
    """Rounds of SGD with momentum, with nothing of the engine but its data and first weights."""

    def __init__(self, plan: Plan) -> None:
        images = plan.data.load(LoadOptions())
        self.feed = Feed(images, plan.data, "cpu", plan.seed)
        torch.manual_seed(derive(plan.seed, "init"))
        self.model = plan.model.build(images.facts)
        self.parameters = dict(self.model.named_parameters())
        self.masks = {
            n: torch.ones_like(p, dtype=torch.bool)
            for n, p in self.parameters.items()
            if p.dim() > 1
        }
        self.kept: Any = None

    def train(self, begin: int, momenta: dict[str, Tensor]) -> None:
        for step in range(begin, STEPS):
            if step == REWIND and self.kept is None:
                state = {n: t.clone() for n, t in self.model.state_dict().items()}
                self.kept = state, {n: m.clone() for n, m in momenta.items()}
            epoch, index = divmod(step, self.feed.steps_per_epoch)
            batch = self.feed.train_batch(epoch, index)
            self.model.zero_grad()
            cross_entropy(self.model(batch.images), batch.targets).backward()
            rate = LR * 0.5 * (1 + math.cos(math.pi * step / STEPS))
            with torch.no_grad():
                for name, p in self.parameters.items():
                    assert p.grad is not None
                    momenta[name] = 0.9 * momenta[name] + p.grad
                    p -= rate * momenta[name]
                    if name in self.masks:
                        p *= self.masks[name]

    def prune(self, density: float) -> None:
        flat = torch.cat(
            [
                self.parameters[n].detach().abs().masked_fill(~m, -1).reshape(-1)
                for n, m in self.masks.items()
            ]
        )
        chosen = torch.zeros(len(flat), dtype=torch.bool)
        best = flat.argsort(descending=True, stable=True)[: int(density * len(flat) + 0.5)]
        chosen[best] = True
        parts = chosen.split([m.numel() for m in self.masks.values()])
        shaped = zip(self.masks.items(), parts, strict=True)
        self.masks = {name: part.reshape(mask.shape) for (name, mask), part in shaped}

    def search(self, back: str, resume: str, optimizer: str) -> None:
        nothing = {name: torch.zeros_like(p) for name, p in self.parameters.items()}
        self.train(0, dict(nothing))
        for density in (0.8, 0.64):
            self.prune(density)
            if back == "weights":
                self.model.load_state_dict(self.kept[0])
            momenta = dict(self.kept[1]) if optimizer == "rewind" else dict(nothing)
            with torch.no_grad():
                for name, mask in self.masks.items():
                    self.parameters[name] *= mask
                    momenta[name] = momenta[name] * mask
            self.train(REWIND if resume == "rewind" else 0, momenta)


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_rounds_are_those_written_out(way: tuple[str, str, str], tmp_path: Path) -> None:
    """Masks are the same, weights and statistics agree, whatever goes back and from where."""
    plan = recipe(*way)
    result = run(plan, RunOptions(out=tmp_path / "run"))
    assert result.certified, result.failures
    hand = Hand(plan)
    hand.search(*way)
    masks = load_file(tmp_path / "run" / "masks.safetensors")
    assert all(torch.equal(hand.masks[name], mask.bool()) for name, mask in masks.items())
    state = load_file(tmp_path / "run" / "model.safetensors")
    for name, tensor in hand.model.state_dict().items():
        torch.testing.assert_close(state[name], tensor, rtol=1e-3, atol=1e-4, msg=name)


def test_the_ways_differ(tmp_path: Path) -> None:
    """Each way trains other weights: no argument is idle."""
    found = []
    for number, way in enumerate(WAYS):
        run(recipe(*way), RunOptions(out=tmp_path / str(number)))
        found.append(load_file(tmp_path / str(number) / "model.safetensors")["fc.weight"])
    for i, first in enumerate(found):
        assert not any(torch.equal(first, second) for second in found[:i])


def test_what_resumes_is_shorter() -> None:
    """Trainings after the first prune begin at the rewind point and have what is left of it."""
    program = lower(recipe("weights", "rewind", "fresh"), 22)
    assert [0, 5, 5] == [phase.begin for phase in program.phases]
    assert [12, 7, 7] == [phase.steps for phase in program.phases]
    assert [5, 11] == list(program.rehearse().phases[-1].segments[0].steps)


def test_stages_in_rounds_do_not_disturb_what_is_kept(tmp_path: Path) -> None:
    """With ghosts at work at the rewind point, only the network's own moments are kept."""
    text = (
        "model cifar_resnet(8)\ndata digits(batch=64)\ntrain for 6 steps\n"
        "mask lottery(sparsity=36%, rewind=step 3, resume=rewind, optimizer=rewind, stages=yes)\n"
        "optimizer sgd(lr=0.1, momentum=0.9)\nghost(width=2x) until step 5\n"
    )
    plan = plan_of(text)
    assert plan is not None
    result = run(plan, RunOptions(out=tmp_path / "run"))
    assert result.certified, result.failures
    checks = json.loads((tmp_path / "run" / "certificate.json").read_text())["checks"]
    names = [check["name"] for check in checks]
    assert 2 == sum(name.startswith("rewound to the bit after round") for name in names)
    assert 3 == sum(name.startswith("ghost left without a trace") for name in names)


def test_idle_ways_are_refused() -> None:
    """Going back to the start leaves nothing to go on from; kept weights no earlier moments."""
    head = "model cifar_resnet(8)\ndata digits\ntrain for 6 epochs\nmask lottery(sparsity=90%, "
    assert plan_of(head + "resume=rewind)") is None
    assert plan_of(head + "optimizer=rewind)") is None
    assert plan_of(head + "rewind=epoch 2, back=rate, optimizer=rewind)") is None
    assert plan_of(head + "rewind=epoch 2, back=rate, resume=rewind)") is not None
