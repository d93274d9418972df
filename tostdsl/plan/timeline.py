"""A program drawn in text: phases with their cost, stages over time with their weights."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from tostdsl.plan.bases import Technique
from tostdsl.plan.masking import MaskMethod
from tostdsl.plan.plan import Plan, StagePlan, stage_names
from tostdsl.plan.program import Curves, Phase, Program
from tostdsl.plan.spec import Spec
from tostdsl.units import Duration, number_text

BLOCKS = " ▁▂▃▄▅▆▇█"
MAX_LABEL = 32
"""Characters of the name of a stage."""


def phase_table(program: Program) -> list[tuple[str, str, str, str]]:
    """Rows of name, length, steps, what happens at the end (or before)."""
    rows = []
    for phase in program.phases:
        steps = f"{phase.steps:,} steps"
        rows.append((phase.name, f"{_epochs(phase)} epochs", steps, _mask_words(phase)))
    return rows


def _epochs(phase: Phase) -> str:
    return f"{phase.length / phase.clock.steps_per_epoch:g}"


def _mask_words(phase: Phase) -> str:
    if not phase.prunes:
        return ""
    if phase.sparsity is None:
        return "mask chosen first"
    if phase.updates:
        return f"mask starts at {float(phase.sparsity):.2%}, then moves {len(phase.updates)} times"
    share = f"{float(phase.sparsity):.2%}"
    if phase.kind == "round":
        return f"then prune to {share} and rewind"
    return f"mask chosen first, {share}"


def margin_of(plan: Plan) -> int:
    """The columns before a timeline."""
    return max([8, *map(len, stage_labels(plan))]) + 2


def timeline(
    program: Program, width: int = 88, margin: int | None = None, share: float = 1.0
) -> list[str]:
    """Lines that draw the final training: a scale, the segments, a row a stage.

    To stand over another one it has that one's `margin`, and takes a `share` of the columns.
    """
    phase, plan = program.phases[-1], program.plan
    labels = stage_labels(plan)
    margin = margin_of(plan) if margin is None else margin
    columns = max(20, round((width - margin) * share))
    lines = [f"{'epoch':<{margin}}{_scale(phase, columns)}"]
    lines.append(f"{'segments':<{margin}}{_segments(phase, columns)}")
    for index, label in enumerate(labels):
        curves = Curves.of(plan.stages[index], phase.clock)
        lines.append(f"{label:<{margin}}{_row(curves, phase, columns)}".rstrip())
    if plan.mask is not None and plan.mask.method.first() != plan.mask.method.target():
        lines.append(f"{'mask':<{margin}}{_kept(plan.mask.method, phase, columns)}")
    lr = [plan.schedule.scale(_step(c, phase, columns), phase.clock) for c in range(columns)]
    top = max(lr) or 1.0
    drawn = "".join(BLOCKS[max(1, round(8 * factor / top))] for factor in lr)
    lines.append(f"{'lr':<{margin}}{drawn}")
    return lines


def _kept(method: MaskMethod, phase: Phase, columns: int) -> str:
    """The share of weights that a moving mask keeps, over time."""
    drawn, now = "", method.first()
    updates = sorted(phase.updates.values(), key=lambda update: update.step)
    for column in range(columns):
        while updates and updates[0].step <= _step(column, phase, columns):
            now = method.sparsity_at(updates.pop(0).progress)
        drawn += BLOCKS[max(1, round(8 * float(1 - now)))] if now is not None else "?"
    return drawn


def stage_labels(plan: Plan) -> list[str]:
    """A short name for each stage: its name in the plan and what makes it what it is."""
    named = zip(stage_names(plan), plan.stages, strict=True)
    return [_label(name, stage.technique) for name, stage in named]


def _label(name: str, technique: Technique) -> str:
    """As a recipe would write it, whole arguments up to the room there is."""
    words = _words(technique, ("anneal",))
    shown = list(words)
    while True:
        inside = ", ".join(shown if len(shown) == len(words) else [*shown, "…"])
        label = f"{name}({inside})" if words else name
        if len(label) <= MAX_LABEL or not shown:
            return label
        shown.pop()


def described(stage: StagePlan) -> str:
    """A stage in words: its technique, the arguments that make it what it is, window, targets."""
    window = stage.window
    when = f"from {window.start} until {window.stop}"
    if window.instant:
        when = f"at {window.start}"
    elif isinstance(window.stop, Duration):
        when = f"from {window.start} for {window.stop}"
    words = ", ".join(_words(stage.technique))
    called = f"{stage.technique.name}({words})" if words else stage.technique.name
    return " ".join(filter(None, [called, when, str(stage.targets)]))


def _words(technique: Technique, hidden: tuple[str, ...] = ()) -> list[str]:
    telling = _telling(technique).items()
    return [f"{name}={_value(value)}" for name, value in telling if name not in hidden]


def _telling(technique: Technique) -> dict[str, Any]:
    """The arguments without which it would be another one."""
    cls = type(technique)
    kept = {
        name: value
        for name, value in technique.arguments().items()
        if value is not None and value != cls.model_fields[name].default
    }
    for name in tuple(kept):
        rest = {key: value for key, value in kept.items() if key != name}
        with suppress(ValidationError):
            if cls(**rest) == technique:
                kept = rest
    return kept


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number_text(value)
    return value.name if isinstance(value, Spec) else str(value)


def _step(column: int, phase: Phase, columns: int) -> int:
    return min(phase.clock.total - 1, column * phase.clock.total // columns)


def _scale(phase: Phase, columns: int) -> str:
    """The epochs of the quarters, without those that would touch another; the ends come first."""
    total = phase.clock.total / phase.clock.steps_per_epoch
    line = " " * columns
    for mark in (0, 4, 2, 1, 3):
        text = f"{total * mark / 4:g}"
        at = min(columns - len(text), round(mark * columns / 4))
        if not line[max(0, at - 1) : at + len(text) + 1].strip():
            line = line[:at] + text + line[at + len(text) :]
    return line


def _segments(phase: Phase, columns: int) -> str:
    line = ["─"] * columns
    for segment in phase.segments:
        line[min(columns - 1, segment.start * columns // phase.clock.total)] = "├"
    line[-1] = "┤"
    return "".join(line)


def _row(curves: Curves, phase: Phase, columns: int) -> str:
    if curves.start == curves.stop:
        at = min(columns - 1, curves.start * columns // phase.clock.total)
        return " " * at + "◆"
    total = phase.clock.total
    cells = [" "] * columns
    for column in range(curves.start * columns // total, columns):
        first = column * total // columns
        last = max(first, (column + 1) * total // columns - 1)
        if first >= curves.stop:
            break
        if last >= curves.start:
            weight = curves.at(max(first, curves.start))[0]
            cells[column] = BLOCKS[max(1, min(8, round(8 * weight)))]
    return "".join(cells)
