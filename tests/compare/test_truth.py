"""What verdicts say is what training does: states of real runs, step by step."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.compare.test_changes import made
from tests.engine.lives import kept, watched
from tostdsl.compare.changes import changes
from tostdsl.compare.comparison import Comparison
from tostdsl.compare.sides import Side
from tostdsl.compare.verdicts import Verdict, shared
from tostdsl.plan.plan import Plan

BASE = """
recipe base
model cifar_resnet(8)
data digits(batch=64, use=30%)
mask random(sparsity=90%)
optimizer sgd(lr=0.1, momentum=0.9)
schedule constant
train for 7 steps
seed 1
"""
GHOST = "ghost(width=2x, anneal=none)"
WHOLE = "position", "training", "masks", "rewind", "moments", "moments_plain", "seams", "validation"
"""What of a checkpoint's record is state; the rest tells of the run and of times."""


def judged(a: Plan, b: Plan) -> tuple[Verdict, ...]:
    """The verdicts on two plans: masks, checkpoints, runs."""
    return Comparison(Side("a", a), Side("b", b)).verdicts


@dataclass
class State:
    """What a checkpoint has: its tensors, and the rest."""

    tensors: dict[str, Tensor]
    record: dict[str, Any]


def states(plan: Plan, out: Path) -> list[State]:
    """All of a run's state after each of its steps, from 0 on."""
    run = watched(plan, out, smoke=False, fake_data=False)
    return [state(run / "ckpt" / name) for name in kept(run)]


def state(path: Path) -> State:
    record = json.loads((path / "state.json").read_text("utf-8"))
    return State(
        load_file(path / "state.safetensors"),
        {name: record[name] for name in WHOLE if record[name]}
        | {"checks": [check["name"] for check in record["proof"]["checks"]]},
    )


def equal(x: State, y: State) -> bool:
    return x.record == y.record and same(x.tensors, y.tensors)


def same(x: dict[str, Tensor], y: dict[str, Tensor]) -> bool:
    assert len(x) >= 10
    return x.keys() == y.keys() and all(torch.equal(value, y[name]) for name, value in x.items())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("schedule constant", "schedule multistep(at=[step 3])"),
        ("schedule constant", "schedule constant\nghost(width=2x) from step 2 until step 6"),
        ("schedule constant", "schedule constant\nskip from step 4"),
        ("schedule constant", "schedule constant\nlabels(smoothing=0.2) from step 5"),
        ("for 7 steps", "for 9 steps"),
        ("schedule constant", "schedule cosine"),
        ("random(sparsity=90%)", "random(sparsity=80%)"),
        ("sgd(lr=0.1", "sgd(lr=0.2"),
        ("base\n", "other\n"),
        (GHOST, f"{GHOST} until step 3\n{GHOST} from step 3 until step 6"),
        ("random(sparsity=90%)", "random(sparsity=90%, allow=collapse)"),
        ("skip(anneal=none) until step 3", "skip(anneal=none, recalibrate=yes) until step 3"),
    ],
    ids=lambda text: text.strip().splitlines()[-1],
)
def test_checkpoints_are_the_same_up_to_the_step_that_is_named(
    old: str, new: str, tmp_path: Path
) -> None:
    """To the bit up to it, and no longer after one more step."""
    first = f"{BASE}{GHOST} until step 6\n" if old == GHOST else BASE
    first += f"{old}\n" if old not in first else ""
    a, b = made(first), made(f"{BASE}{new}\n" if old == GHOST else first.replace(old, new))
    verdict = judged(a, b)[1]
    found = re.search(r"step (\d+)", verdict.why) if verdict.answer == "partly" else None
    x, y = states(a, tmp_path / "a"), states(b, tmp_path / "b")
    shared = min(len(x), len(y)) - 1
    last = {"yes": shared, "no": 0, "partly": int(found[1]) if found else -1}[verdict.answer]
    assert 0 <= last <= shared
    steps = range(1, shared + 1)
    assert [step <= last for step in steps] == [equal(x[step], y[step]) for step in steps]


SLOW = "lottery(sparsity=50%, rate=30%, rewind=step 2)"
CHANGING = [
    (SLOW, "lottery(sparsity=60%, rate=30%, rewind=step 2)"),
    (SLOW, "lottery(sparsity=50%, rate=40%, rewind=step 2)"),
    (SLOW, "lottery(sparsity=50%, rate=30%, rewind=step 4)"),
    (SLOW, "lottery(sparsity=50%, rate=30%, rewind=step 2, back=rate)"),
    (SLOW, "lottery(sparsity=50%, rate=30%, rewind=step 2, optimizer=rewind)"),
    (SLOW, "lottery(sparsity=50%, rate=30%, rewind=step 2, resume=rewind)"),
    (SLOW, "lottery(sparsity=50%, rate=30%, rewind=step 2, stages=yes)"),
    ("gradual(sparsity=90%, every=2 steps)", "gradual(sparsity=95%, every=2 steps)"),
    ("gradual(sparsity=90%, every=2 steps)", "gradual(sparsity=90%, every=3 steps)"),
    ("gradual(sparsity=90%, every=2 steps)", "gradual(sparsity=90%, initial=10%, every=2 steps)"),
    (
        "gradual(sparsity=90%, every=1 step) from step 3 until step 5",
        "gradual(sparsity=90%, every=1 step) from step 3 until step 6",
    ),
    ("dynamic(sparsity=80%, every=2 steps)", "dynamic(sparsity=80%, every=3 steps)"),
    ("dynamic(sparsity=80%, every=2 steps)", "dynamic(sparsity=80%, every=2 steps, grow=random)"),
    ("dynamic(sparsity=80%, every=2 steps)", "dynamic(sparsity=80%, every=2 steps, fraction=50%)"),
    ("dynamic(sparsity=80%, every=2 steps)", "dynamic(sparsity=90%, every=2 steps)"),
    (SLOW, "random(sparsity=50%)"),
]


@pytest.mark.parametrize(("old", "new"), CHANGING, ids=lambda text: text)
def test_masks_part_where_one_is_first_another(old: str, new: str, tmp_path: Path) -> None:
    """Rounds, moves and rewind points before that are of both; a state after it of one only."""
    text = BASE.replace("random(sparsity=90%)", old) + "skip until step 5\n"
    a, b = made(text), made(text.replace(old, new))
    held = Comparison(Side("a", a), Side("b", b))
    told = shared(held.changes, held.programs)
    x, y = states(a, tmp_path / "a"), states(b, tmp_path / "b")
    count = 0
    if told.last is not None:
        phases = held.programs[0].phases if held.programs[0] else ()
        before, phase = phases[: told.last.phase], phases[told.last.phase]
        count = sum(each.steps for each in before) + max(0, told.last.step - phase.begin)
    assert {0: "no"}.get(count, "partly") == told.answer
    steps = range(1, min(len(x), len(y)))
    assert [step <= count for step in steps] == [equal(x[step], y[step]) for step in steps]


def test_a_cosine_over_another_length_parts_after_its_first_step(tmp_path: Path) -> None:
    """The two begin at one rate; no other step is like the other's."""
    text = BASE.replace("schedule constant", "schedule cosine")
    a, b = made(text), made(text.replace("7 steps", "9 steps"))
    verdict = judged(a, b)[1]
    assert ("partly", True) == (verdict.answer, "up to step 1 of training" in verdict.why)
    x, y = states(a, tmp_path / "a"), states(b, tmp_path / "b")
    assert [True, False, False] == [equal(x[step], y[step]) for step in (1, 2, 3)]


def test_a_mask_that_moves_parts_where_it_moves_otherwise(tmp_path: Path) -> None:
    """Two lengths give a mask two times to move at, though nothing of the mask is changed."""
    text = BASE.replace("random(sparsity=90%)", "gradual(sparsity=90%, every=2 steps)")
    a, b = made(text), made(text.replace("7 steps", "9 steps"))
    verdict = judged(a, b)[1]
    found = re.search(r"step (\d+)", verdict.why)
    assert found is not None
    last = int(found[1])
    x, y = states(a, tmp_path / "a"), states(b, tmp_path / "b")
    assert 0 < last < 7
    assert [True, False] == [equal(x[step], y[step]) for step in (last, last + 1)]


@pytest.mark.parametrize(
    ("mask", "old", "new", "last", "name"),
    [
        ("lottery(sparsity=20%, rewind=50%)", "7 steps", "9 steps", 3, "round 1"),
        ("lottery(sparsity=20%, rewind=50%)", "6 steps", "7 steps", 2, "round 1"),
        ("random(sparsity=90%)", "8 steps", "10 steps", 8, "training"),
        ("random(sparsity=90%)", "9 steps", "10 steps", 8, "training"),
    ],
)
def test_what_happens_after_a_step_is_part_of_the_state(
    mask: str, old: str, new: str, last: int, name: str, tmp_path: Path
) -> None:
    """A lottery keeps its weights, or an epoch ends with its training, after that step, not later.

    An epoch has 8 steps here. The weights themselves are the same for longer.
    """
    text = BASE.replace("random(sparsity=90%)", mask).replace("batch=64", "batch=48")
    texts = [text.replace("7 steps", each) for each in (old, new)]
    a, b = map(made, texts)
    verdict = judged(a, b)[1]
    assert f"step {last}) of {name}" in verdict.why or f"step {last} of {name}" in verdict.why
    x, y = states(a, tmp_path / "a"), states(b, tmp_path / "b")
    found = [equal(one, other) for one, other in zip(x, y, strict=False)]
    assert [True] * (last + 1) == found[: last + 1]
    assert not any(found[last + 1 :])


MASKS = BASE.replace("train for 7 steps", "train for 2 steps")


@pytest.mark.parametrize(
    ("method", "old", "new"),
    [
        ("random(sparsity=90%)", "batch=64", "batch=32"),
        ("random(sparsity=90%)", "train for 2 steps", "train for 2 steps\nskip"),
        ("magnitude(sparsity=90%)", "batch=64", "batch=32"),
        ("magnitude(sparsity=90%)", "sgd(lr=0.1", "sgd(lr=0.2"),
        ("snip(sparsity=90%)", "batch=64", "batch=32, augment=[flip]"),
        ("snip(sparsity=90%)", "seed 1", "seed 2"),
        ("random(sparsity=90%)", "seed 1", "seed 2"),
        ("random(sparsity=90%)", "train for 2", "train for 3"),
    ],
)
def test_a_mask_said_to_be_the_same_is_the_same(
    method: str, old: str, new: str, tmp_path: Path
) -> None:
    """To the bit where the verdict is yes; and here another where it is not."""
    text = MASKS.replace("random(sparsity=90%)", method)
    assert old in text
    a, b = made(text), made(text.replace(old, new))
    answer = judged(a, b)[0].answer
    assert answer == ("partly" if old == "seed 1" else "yes")
    x, y = (
        load_file(
            watched(plan, tmp_path / name, smoke=False, fake_data=False) / "masks.safetensors"
        )
        for name, plan in (("a", a), ("b", b))
    )
    assert (answer == "yes") == same(x, y)


@pytest.mark.parametrize("field", ["name", "title"])
def test_labels_have_no_part_in_what_is_computed(field: str) -> None:
    """All verdicts are yes where only labels differ."""
    a = made(BASE)
    b = a.model_copy(update={field: "other"})
    assert changes(a, b)
    assert {"yes"} == {verdict.answer for verdict in judged(a, b)}
