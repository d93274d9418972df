"""The rows of a run's course against the plan: which steps, at which rate, at which weights.

All of it follows from the plan's windows, anneals and schedule, which are resolved here again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

from tostdsl.engine.hooks import Hook
from tostdsl.engine.verify.evidence import Evidence, Group
from tostdsl.engine.verify.expected import staged
from tostdsl.plan.plan import Plan, stage_names
from tostdsl.plan.program import Curves, Phase

NEAR = 1e-6
"""How far a weight may be off: the run holds it in float32."""
Row = Mapping[str, Any]


def scalars(plan: Plan, phase: Phase, step: int) -> dict[str, dict[str, float]]:
    """The weight and the ramps of each stage at work at a step, by the stage's name."""
    if not staged(plan, phase):
        return {}
    found = {}
    for name, stage in zip(stage_names(plan), plan.stages, strict=True):
        curves = Curves.of(stage, phase.clock)
        if curves.start <= step < curves.stop:
            found[name] = dict(zip(curves.names, curves.at(step), strict=True))
    return found


def near(told: Any, wanted: float) -> bool:
    """Whether a row's value is the plan's, but for rounding."""
    return type(told) in (int, float) and abs(told - wanted) <= NEAR * max(1.0, abs(wanted))


def figure(value: Any, most: float = math.inf) -> bool:
    """Whether a value is a finite number from 0 to `most`."""
    return number(value) and 0 <= value <= most


def course(evidence: Evidence, group: Group) -> None:
    """The epochs' rows of metrics.jsonl."""
    program = evidence.program
    epochs = [row for row in evidence.rows if row.get("kind") == "epoch"]
    wanted = [(phase, step) for phase in program.phases for step in _ends(phase)]
    gap = next(_epoch_gaps(evidence, epochs, wanted), "")
    words = f"has {len(epochs)} epochs, their rates and weights as the plan has them"
    group.check("metrics.jsonl", not gap, gap or words)


def _ends(phase: Phase) -> Iterator[int]:
    """The last steps of the epochs that ran."""
    ran = (step for segment in phase.segments for step in segment.steps)
    return (step for step in ran if "epoch" in phase.occasions(step + 1))


def _epoch_gaps(
    evidence: Evidence, rows: Iterable[Row], wanted: Iterable[tuple[Phase, int]]
) -> Iterator[str]:
    plan = evidence.plan
    validated = plan.data.validation.value > 0
    for row, place in zip_longest(rows, wanted):
        if row is None or place is None:
            yield f"has {'fewer' if row is None else 'more'} epochs than the plan"
            return
        phase, step = place
        where = f"epoch {step // phase.clock.steps_per_epoch} of {phase.name}"
        told = row.get("phase"), row.get("epoch"), row.get("step")
        if told != (phase.name, step // phase.clock.steps_per_epoch, step):
            yield f"has a row of {told[0]}, epoch {told[1]}, step {told[2]} in the place of {where}"
        rate = plan.optimizer.lr * plan.schedule.scale(step, phase.clock)
        if not near(row.get("lr"), rate) or not math.isclose(row["lr"], rate, rel_tol=1e-9):
            yield f"tells a learning rate of {row.get('lr')} in {where}, the plan's is {rate:.6g}"
        yield from _weight_gaps(plan, phase, step, row.get("weights"), where)
        least = -math.inf if _changed(plan, phase) else 0.0
        shares = [row.get("accuracy"), *([row.get("validation_accuracy")] if validated else [])]
        sound = all(figure(each, 1) for each in shares) and figure(row.get("images_per_second"))
        sound = sound and number(row.get("loss")) and row["loss"] >= least
        sound = sound and (not validated or figure(row.get("validation_loss")))
        if not sound or (not validated and "validation_loss" in row):
            yield f"has not the figures of a run in {where}"


def _changed(plan: Plan, phase: Phase) -> bool:
    """Whether a stage may change the loss: a cross-entropy is not below 0."""
    if not staged(plan, phase):
        return False
    hooks = (stage.technique.hook() for stage in plan.stages)
    return any(type(hook).loss is not Hook.loss for hook in hooks)


def _weight_gaps(plan: Plan, phase: Phase, step: int, told: Any, where: str) -> Iterator[str]:
    wanted = {}
    for name, cells in scalars(plan, phase, step).items():
        stage = plan.stages[stage_names(plan).index(name)]
        for cell, value in cells.items():
            if cell != "weight":
                wanted[f"{name}.{cell}"] = value
            elif Curves.of(stage, phase.clock).anneal is not None:
                wanted[name] = value
    if not isinstance(told, dict) or set(told) != set(wanted):
        listed = ", ".join(wanted) or "nothing"
        yield f"tells other weights in {where} than those of {listed}"
        return
    for name, value in wanted.items():
        if not near(told[name], value):
            yield f"tells {name} at {told[name]} in {where}, the plan has it at {value:.6g}"


def number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return type(value) in (int, float) and math.isfinite(value)
