"""A trace against the plan and its network: which steps, layers, stages, and what of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from tostdsl.engine import device as devices
from tostdsl.engine.nodes import LAYERS
from tostdsl.engine.trace import drawn, traced
from tostdsl.engine.verify.course import figure, near, scalars
from tostdsl.engine.verify.evidence import Evidence, Group
from tostdsl.engine.verify.parts import Parts
from tostdsl.engine.verify.records import MAX_JSON, Unfit, read, read_lines
from tostdsl.plan.plan import Plan, stage_names
from tostdsl.plan.program import Curves, Phase

FILE, PICTURE = "trace.jsonl", "trace.svg"
Row = Mapping[str, Any]


def trace(
    evidence: Evidence,
    model: nn.Module | None,
    parts: Parts | None,
    known: set[str],
    group: Group,
) -> None:
    """A trace is there if the run was traced, is of this plan, and holds what a trace holds."""
    if not _whole(evidence.environment.trace_every, known, group):
        return
    try:
        rows = read_lines(evidence.folder / FILE)
    except Unfit as why:
        group.check(FILE, False, str(why))
        return
    gap = next(_gaps(evidence, model, parts, rows), "")
    steps = sum(row.get("kind") == "step" for row in rows)
    group.check(FILE, not gap, gap or f"has {steps} steps of the plan's stages and layers")
    if not gap:
        _picture(evidence, rows, group)


def _whole(every: int | None, known: set[str], group: Group) -> bool:
    """Whether there is a trace to look at; both of its files are there exactly if it was asked."""
    here = [name for name in (FILE, PICTURE) if name in known]
    if every == 0:
        return group.check("environment.json", False, "does not tell whether the run was traced")
    if every is None:
        for name in here:
            group.check(name, False, "is there, though environment.json tells of no trace")
        return False
    if not here:
        words = f"tells of a trace every {every} steps, {FILE} and {PICTURE} are missing"
        return group.check("environment.json", False, words)
    if FILE not in known:
        return group.check(PICTURE, False, f"is there without {FILE}")
    return group.check(PICTURE, PICTURE in known, f"is {_there(PICTURE in known)} beside {FILE}")


def _there(present: bool) -> str:
    return "there" if present else "missing"


def _picture(evidence: Evidence, rows: list[Row], group: Group) -> None:
    """The picture is that of the rows, where this version is the one that drew it."""
    if evidence.environment.versions.get("tostdsl") != devices.versions()["tostdsl"]:
        group.notes.append(f"{PICTURE} was drawn by another version, and was not drawn again")
        return
    try:
        same = read(evidence.folder / PICTURE, MAX_JSON) == drawn(evidence.plan, rows).encode()
    except Unfit as why:
        group.check(PICTURE, False, str(why))
    except ArithmeticError as error:
        group.check(PICTURE, False, f"cannot be drawn of {FILE}: {error}")
    else:
        words = "is the picture" if same else "is not the picture"
        group.check(PICTURE, same, f"{words} of {FILE}")


def _gaps(
    evidence: Evidence, model: nn.Module | None, parts: Parts | None, rows: list[Row]
) -> Iterator[str]:
    phases = iter(evidence.program.phases)
    phase: Phase | None = None
    head: Row = {}
    due: Iterator[int] = iter(())
    for number, row in enumerate(rows, 1):
        if row.get("kind") == "phase":
            yield from _lacking(phase, due)
            phase, head = next(phases, None), row
            if phase is None or head != _head(evidence.plan, phase, head.get("layers")):
                yield f"has a phase in line {number} that is not the plan's"
                return
            if model is not None and head["layers"] != _layers(model):
                yield f"names other layers in line {number} than the network's"
            due = _due(phase, evidence.environment.trace_every or 1)
        elif row.get("kind") != "step" or phase is None:
            yield f"has a line {number} that is no step of a phase"
        else:
            step, wanted = row.get("step"), next(due, None)
            if type(step) is not int or step != wanted:
                place = f"{'nothing' if wanted is None else f'step {wanted}'} of {phase.name}"
                yield f"has step {step} in line {number}, where {place} is due"
                return
            why = next(_step(evidence.plan, phase, head, parts, row), "")
            if why:
                yield f"{why} in line {number}"
    yield from _lacking(phase, due)
    if next(phases, None) is not None:
        yield "lacks a phase of the plan"


def _due(phase: Phase, every: int) -> Iterator[int]:
    return (step for segment in phase.segments for step in traced(segment, every))


def _lacking(phase: Phase | None, due: Iterator[int]) -> Iterator[str]:
    if phase is not None:
        yield from (f"lacks step {step} of {phase.name}" for step in due)


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


def _step(plan: Plan, phase: Phase, head: Row, parts: Parts | None, row: Row) -> Iterator[str]:
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
    full = row.get("with")
    for measured in (full, *without.values()):
        if not _measured(measured, head["layers"], parts):
            yield "has not the figures of a trace"
    if isinstance(full, dict) and full.get("loss") is None:
        yield "has no loss, at which the run would have stopped,"


def _measured(found: Any, layers: list[str], parts: Parts | None) -> bool:
    if not isinstance(found, dict) or set(found) != {"loss", "gradients", "dead"}:
        return False
    gradients, dead = found["gradients"], found["dead"]
    if not isinstance(gradients, dict) or not isinstance(dead, dict):
        return False
    if parts is not None and set(dead) != set(parts.units):
        return False
    numbers = (found["loss"], *gradients.values())
    return (
        list(gradients) == layers
        and all(each is None or figure(each) for each in numbers)
        and all(figure(each, 1) for each in dead.values())
    )
