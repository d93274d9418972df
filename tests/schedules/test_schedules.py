"""constant, multistep, cosine and linear, against torch's own schedulers."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from tostdsl.plan.bases import ScheduleSpec
from tostdsl.plan.spec import CheckSite
from tostdsl.schedules.falling import Cosine, Linear
from tostdsl.schedules.steady import Constant, MultiStep
from tostdsl.units import Clock, Duration, Moment

CLOCK = Clock(steps_per_epoch=10, total=60)
Scheduler = Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]


def epoch(value: float) -> Moment:
    return Moment("epoch", Decimal(str(value)))


def percent(value: float) -> Moment:
    return Moment("percent", Decimal(str(value)))


def step(value: int) -> Moment:
    return Moment("step", Decimal(value))


def steps(value: int) -> Duration:
    return Duration("steps", value)


def theirs(scheduler: Scheduler, count: int) -> list[float]:
    """Give the learning rates of torch's scheduler, of a base of 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    chosen = scheduler(optimizer)
    rates = []
    for _ in range(count):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        chosen.step()
    return rates


def ours(spec: ScheduleSpec, clock: Clock = CLOCK) -> list[float]:
    return [spec.scale(at, clock) for at in range(clock.total)]


@pytest.mark.parametrize(
    ("at", "milestones"),
    [
        ((epoch(2), epoch(4)), [20, 40]),
        ((percent(50), percent(75)), [30, 45]),
        ((step(7), percent(25), epoch(5.5)), [7, 15, 55]),
    ],
)
@pytest.mark.parametrize("factor", [0.1, 0.5])
def test_multistep(at: tuple[Moment, ...], milestones: list[int], factor: float) -> None:
    """Moments of any unit fall at the steps where torch's milestones do."""
    expected = theirs(lambda o: lr_scheduler.MultiStepLR(o, milestones, factor), CLOCK.total)
    assert expected == pytest.approx(ours(MultiStep(at=at, factor=factor)), rel=1e-12)


@pytest.mark.parametrize("floor", [0.0, 0.05])
def test_cosine(floor: float) -> None:
    """The fall is torch's cosine annealing over all steps."""
    expected = theirs(
        lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=CLOCK.total, eta_min=floor), CLOCK.total
    )
    assert expected == pytest.approx(ours(Cosine(floor=floor)), rel=1e-9)


@pytest.mark.parametrize("floor", [0.0, 0.3])
def test_linear(floor: float) -> None:
    """The fall is torch's linear one from 1 to the floor over all steps."""
    expected = theirs(
        lambda o: lr_scheduler.LinearLR(o, 1.0, floor, total_iters=CLOCK.total), CLOCK.total
    )
    assert expected == pytest.approx(ours(Linear(floor=floor)), rel=1e-9)


def test_constant() -> None:
    """Without a warm-up the factor is 1 throughout."""
    assert [1.0] * CLOCK.total == ours(Constant())


def warming(count: int) -> list[float]:
    return theirs(lambda o: lr_scheduler.LinearLR(o, 1 / count, 1.0, count - 1), CLOCK.total)


@pytest.mark.parametrize("warmup", [steps(5), Duration("epochs", 2)])
def test_warm_up(warmup: Duration) -> None:
    """The rise is torch's linear one from 1 / W, at the full rate on its last step."""
    rise = warming(CLOCK.steps(warmup))
    assert rise == pytest.approx(ours(Constant(warmup=warmup)), rel=1e-12)
    fall = theirs(lambda o: lr_scheduler.MultiStepLR(o, [10, 40], 0.2), CLOCK.total)
    both = [a * b for a, b in zip(rise, fall, strict=True)]
    got = ours(MultiStep(at=(epoch(1), epoch(4)), factor=0.2, warmup=warmup))
    assert both == pytest.approx(got, rel=1e-12)


@pytest.mark.parametrize(
    ("spec", "rest"),
    [
        (Cosine(floor=0.1, warmup=steps(12)), lambda o: lr_scheduler.CosineAnnealingLR(o, 48, 0.1)),
        (Linear(floor=0.1, warmup=steps(12)), lambda o: lr_scheduler.LinearLR(o, 1.0, 0.1, 48)),
    ],
)
def test_a_fall_starts_after_the_warm_up(spec: ScheduleSpec, rest: Scheduler) -> None:
    """A smooth fall takes the steps that the warm-up leaves."""
    expected = warming(12)[:12] + theirs(rest, 48)
    assert expected == pytest.approx(ours(spec), rel=1e-9)


lengths = st.none() | st.builds(Duration, st.sampled_from(["steps", "epochs"]), st.integers(0, 30))
moments = st.lists(
    st.builds(Moment, st.sampled_from(["epoch", "step", "percent"]), st.decimals(0, 100, places=1)),
    min_size=1,
    max_size=4,
).map(tuple)
schedules = st.one_of(
    st.builds(Constant, warmup=lengths),
    st.builds(Cosine, floor=st.floats(0, 1), warmup=lengths),
    st.builds(Linear, floor=st.floats(0, 1), warmup=lengths),
    st.builds(MultiStep, at=moments, factor=st.floats(0.01, 1), warmup=lengths),
)
clocks = st.builds(Clock, st.integers(1, 40), st.integers(1, 200))


@given(schedules, clocks, st.data())
def test_factors_are_shares(spec: ScheduleSpec, clock: Clock, data: Any) -> None:
    """At every step of every training the factor lies in [0, 1], also under a long warm-up."""
    at = data.draw(st.integers(0, clock.total))
    assert 0.0 <= spec.scale(at, clock) <= 1.0


@given(schedules)
def test_json_reads_back(spec: ScheduleSpec) -> None:
    """A spec's JSON reads back as the same spec."""
    assert spec == type(spec).model_validate_json(spec.model_dump_json())


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ((epoch(4), epoch(2)), "`epoch 2` comes after `epoch 4`"),
        ((epoch(4), epoch(4)), "`epoch 4` comes after `epoch 4`"),
        ((percent(50), epoch(1), percent(40)), "`40%` comes after `50%`"),
        ((epoch(2), percent(75), epoch(4)), None),
        ((percent(50), Moment("end")), None),
    ],
)
def test_moments_rise(at: tuple[Moment, ...], words: str | None) -> None:
    """Moments of one unit that do not rise are a problem; different units are not compared."""
    found = [str(problem.values["reason"]) for problem in MultiStep(at=at).check(CheckSite())]
    assert (words is not None) == bool(found)
    assert words is None or words in found[0]
