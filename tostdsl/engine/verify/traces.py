"""trace.jsonl against the plan and its network: which steps, layers, stages, and what of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from tostdsl.engine.nodes import LAYERS
from tostdsl.engine.verify.course import figure, near, scalars
from tostdsl.engine.verify.evidence import Evidence, Group
from tostdsl.engine.verify.records import Unfit, read_lines
from tostdsl.plan.plan import Plan, stage_names
from tostdsl.plan.program import Curves, Phase

FILE, PICTURE = "trace.jsonl", "trace.svg"
Row = Mapping[str, Any]


def trace(evidence: Evidence, model: nn.Module | None, known: set[str], group: Group) -> None:
    """A trace, where the run wrote one, is of this plan and holds what a trace holds."""
    if FILE not in known:
        if PICTURE in known:
            group.check(PICTURE, False, f"is there without {FILE}")
        return
    try:
        rows = read_lines(evidence.folder / FILE)
    except Unfit as why:
        group.check(FILE, False, str(why))
        return
    gap = next(_gaps(evidence, model, rows), "")
    steps = sum(row.get("kind") == "step" for row in rows)
    group.check(FILE, not gap, gap or f"has {steps} steps of the plan's stages and layers")
    drawn = PICTURE in known or not steps
    group.check(PICTURE, drawn, "is there" if drawn else f"is missing beside {FILE}")


def _gaps(evidence: Evidence, model: nn.Module | None, rows: list[Row]) -> Iterator[str]:
    phases = iter(evidence.program.phases)
    phase: Phase | None = None
    head: Row = {}
    last = -1
    for number, row in enumerate(rows, 1):
        if row.get("kind") == "phase":
            phase, head, last = next(phases, None), row, -1
            if phase is None or head != _head(evidence.plan, phase, head.get("layers")):
                yield f"has a phase in line {number} that is not the plan's"
                return
            if model is not None and head["layers"] != _layers(model):
                yield f"names other layers in line {number} than the network's"
        elif row.get("kind") != "step" or phase is None:
            yield f"has a line {number} that is no step of a phase"
        elif type(row.get("step")) is not int or not last < row["step"] < phase.clock.total:
            yield f"has a step in line {number} that is none of {phase.name}, or out of order"
        else:
            last = row["step"]
            why = next(_step(evidence.plan, phase, head, row), "")
            if why:
                yield f"{why} in line {number}"
    if next(phases, None) is not None:
        yield "lacks a phase of the plan"


def _head(plan: Plan, phase: Phase, layers: Any) -> Row:
    names, windows = stage_names(plan), {}
    at_work = {i for segment in phase.segments for i in segment.attached}
    for index in sorted(at_work):
        if plan.stages[index].technique.adds_to_network():
            curves = Curves.of(plan.stages[index], phase.clock)
            windows[names[index]] = [curves.start, curves.stop]
    return {
        "kind": "phase",
        "phase": phase.name,
        "steps": phase.clock.total,
        "steps_per_epoch": phase.clock.steps_per_epoch,
        "layers": layers,
        "windows": windows,
    }


def _layers(model: nn.Module) -> list[str]:
    return [n for n, m in model.named_modules() if isinstance(m, LAYERS) and m.weight.requires_grad]


def _step(plan: Plan, phase: Phase, head: Row, row: Row) -> Iterator[str]:
    if row.get("phase") != phase.name:
        yield f"is of a phase other than {phase.name}"
    wanted, told = scalars(plan, phase, row["step"]), row.get("stages")
    if not isinstance(told, dict) or set(told) != set(wanted):
        yield f"names other stages than those at work at step {row['step']}"
        return
    for name, cells in wanted.items():
        own = told[name]
        if not isinstance(own, dict) or set(own) != set(cells):
            yield f"has other values of {name} than its weight and ramps"
        elif not all(near(own[cell], value) for cell, value in cells.items()):
            yield f"has {name} at other values than the plan's"
    adding = [
        name
        for name, stage in zip(stage_names(plan), plan.stages, strict=True)
        if name in wanted and stage.technique.adds_to_network()
    ]
    without = row.get("without")
    if not isinstance(without, dict) or set(without) != set(adding):
        yield "measures without other stages than those that add to the network"
        return
    for measured in (row.get("with"), *without.values()):
        if not _measured(measured, head["layers"]):
            yield "has not the figures of a trace"


def _measured(found: Any, layers: list[str]) -> bool:
    if not isinstance(found, dict) or set(found) != {"loss", "gradients", "dead"}:
        return False
    gradients, dead = found["gradients"], found["dead"]
    if not isinstance(gradients, dict) or not isinstance(dead, dict):
        return False
    numbers = (found["loss"], *gradients.values())
    return (
        list(gradients) == layers
        and all(each is None or figure(each) for each in numbers)
        and all(figure(each, 1) for each in dead.values())
    )
