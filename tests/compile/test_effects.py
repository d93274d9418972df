"""Stages without effect, stages that never leave, and drops of the learning rate."""

from __future__ import annotations

import pytest

from tostdsl import registry
from tostdsl.compile.compiler import compile_source
from tostdsl.plan.bases import ScheduleSpec
from tostdsl.source import Source
from tostdsl.units import Clock, Duration

BASE = "model resnet20\ndata cifar10\ntrain for 160 epochs\n"
MASK = "mask random(sparsity=90%)\n"


def codes(text: str) -> list[str]:
    return [d.code for d in compile_source(Source("r.tost", text)).diagnostics]


@pytest.mark.parametrize(
    ("mask", "stage", "expected"),
    [
        ("", "init", ["T521"]),
        ("mask random(sparsity=0%)\n", "init", ["T521"]),
        ("mask random(sparsity=90%) on conv\n", "init on linear", ["T521"]),
        ("mask random(sparsity=90%) on conv\n", "init on conv", []),
        ("mask random(sparsity=90%) except first\n", "init on first", ["T521"]),
        ("mask random(sparsity=90%)\n", "init on first", []),
        ("mask radnom(sparsity=90%)\n", "init", ["T201"]),
        ("mask random(sparsity=+90%)\n", "init", ["T144"]),
        ("", "labels", []),
    ],
)
def test_init_needs_weights_that_a_mask_prunes(mask: str, stage: str, expected: list[str]) -> None:
    """It is said where there are none, but not where the mask itself could not be read."""
    assert expected == codes(BASE + mask + stage + "\n")


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("init(rescale=fanin_masked)", True),
        ("init(rescale=layer_density)", True),
        ("init(rescale=learned)", False),
        ("ghost(width=2x)", False),
        ("skip", False),
        ("labels", False),
    ],
)
def test_who_needs_a_mask_says_so(text: str, needed: bool) -> None:
    """Laws that rescale by what a mask leaves do nothing without one; the others do."""
    assert (["T521"] if needed else []) == codes(BASE + text + "\n")


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("ghost(width=2x, anneal=none) until epoch 40", ["W002"]),
        ("ghost(width=2x, anneal=none)", ["T432"]),
        ("ghost(width=2x, anneal=none) until epoch 160", ["T432"]),
        ("ghost(width=2x, anneal=none) until step 62400", ["T432"]),
        ("ghost(width=2x, anneal=none) until step 62399", ["W002"]),
        ("skip(anneal=none) from 50% for 80 epochs", ["T432"]),
        ("ghost(width=2x)", []),
    ],
)
def test_what_is_added_is_to_leave_before_training_ends(stage: str, expected: list[str]) -> None:
    """At full weight at the end it is an error, earlier a warning, fading it is neither."""
    assert expected == codes(BASE + stage + "\n")


@pytest.mark.parametrize("data", ["cifar10", 'imagefolder("images")'])
@pytest.mark.parametrize(
    ("at", "stage", "expected"),
    [
        ("epoch 30", "ghost(width=2x) until epoch 40", ["W021"]),
        ("epoch 40", "ghost(width=2x) until epoch 40", []),
        ("epoch 30", "ghost(width=2x) from epoch 30 until epoch 40", []),
        ("epoch 30, epoch 90", "skip from epoch 20 until 75%", ["W021"]),
        ("epoch 30", "labels until epoch 40", []),
    ],
)
def test_a_drop_inside_a_window_is_noted(
    data: str, at: str, stage: str, expected: list[str]
) -> None:
    """Strictly inside, once a stage, and only for what is added to the network."""
    text = BASE.replace("cifar10", data) + f"schedule multistep(at=[{at}])\n{stage}\n"
    assert expected == codes(text)
    found = compile_source(Source("r.tost", text)).diagnostics
    assert all("note" == d.severity for d in found)


@pytest.mark.parametrize("name", registry.names("schedule"))
def test_the_drops_a_schedule_tells_are_its_drops(name: str) -> None:
    """The factor falls at once at each of them, by more than a smooth one falls in a step."""
    cls = registry.get("schedule", name)
    given = {"at": "[epoch 3, epoch 7]"} if "at" in cls.model_fields else {}
    arguments = ", ".join(f"{key}={value}" for key, value in given.items())
    text = f"model resnet20\ndata cifar10\ntrain for 10 epochs\nschedule {name}({arguments})\n"
    (plan,) = compile_source(Source("r.tost", text)).plans
    schedule = plan.schedule
    assert isinstance(schedule, ScheduleSpec)
    clock = Clock.of(Duration("epochs", 10), 100)
    falls = {
        step
        for step in range(1, clock.total)
        if schedule.scale(step, clock) < 0.9 * schedule.scale(step - 1, clock)
        and schedule.scale(step - 1, clock) > 0.05
    }
    assert {clock.step(moment) for moment in schedule.drops()} == falls if given else not falls


@pytest.mark.parametrize(
    ("data", "stage", "warned"),
    [
        ("cifar10", "skip for 1 step", True),
        ("cifar10", "skip for 4 steps", True),
        ("cifar10", "skip for 5 steps", False),
        ("cifar10", "skip from 20% for 2 steps", True),
        ("cifar10", "skip(anneal=exponential) for 2 steps", False),
        ("cifar10", "labels(smoothing=0.1 -> 0) for 1 step", False),
        ("cifar10(batch=25000)", "skip for 2 epochs", True),
        ("cifar10(batch=25000)", "skip for 3 epochs", False),
        ('imagefolder("images")', "skip for 4 steps", True),
        ('imagefolder("images")', "skip from step 7 until step 10", True),
        ('imagefolder("images")', "skip from step 7 until step 17", False),
        ('imagefolder("images")', "skip from epoch 2 for 1 step", True),
        ('imagefolder("images")', "skip for 1 epoch", False),
    ],
)
def test_a_window_too_short_to_fade_over_is_warned_of(data: str, stage: str, warned: bool) -> None:
    """1/n is the last weight of `linear` over n steps: 1/4 is high, 1/5 is not."""
    text = f"model resnet20\ndata {data}\ntrain for 160 epochs\n{stage}\n"
    assert (["W002"] if warned else []) == codes(text)
