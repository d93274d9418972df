"""A program drawn in text: phases with their cost, stages over time with their weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tostdsl.plan.plan import Plan, StagePlan
from tostdsl.plan.program import Curves, Phase, Program
from tostdsl.units import Duration

BLOCKS = " ▁▂▃▄▅▆▇█"


def phase_table(program: Program) -> list[tuple[str, str, str, str]]:
    """Rows of name, length, steps, what happens at the end (or before)."""
    rows = []
    for phase in program.phases:
        steps = f"{phase.steps:,} steps"
        rows.append((phase.name, f"{_epochs(phase)} epochs", steps, _mask_words(phase)))
    return rows


def _epochs(phase: Phase) -> str:
    return f"{phase.clock.total / phase.clock.steps_per_epoch:g}"


def _mask_words(phase: Phase) -> str:
    if phase.sparsity is None:
        return ""
    share = f"{float(phase.sparsity):.2%}"
    if phase.kind == "round":
        return f"then prune to {share} and rewind"
    return f"mask chosen first, {share}"


def timeline(program: Program, width: int = 88) -> list[str]:
    """Lines that draw the final training: a scale, the segments, a row a stage."""
    phase, plan = program.phases[-1], program.plan
    labels = stage_labels(plan)
    margin = max([8, *(len(label) for label in labels)]) + 2
    columns = max(20, width - margin)
    lines = [f"{'epoch':<{margin}}{_scale(phase, columns)}"]
    lines.append(f"{'segments':<{margin}}{_segments(phase, columns)}")
    for index, label in enumerate(labels):
        curves = Curves.of(plan.stages[index], phase.clock)
        lines.append(f"{label:<{margin}}{_row(curves, phase, columns)}".rstrip())
    lr = [plan.schedule.scale(_step(c, phase, columns), phase.clock) for c in range(columns)]
    top = max(lr) or 1.0
    drawn = "".join(BLOCKS[max(1, round(8 * factor / top))] for factor in lr)
    lines.append(f"{'lr':<{margin}}{drawn}")
    return lines


def stage_labels(plan: Plan) -> list[str]:
    """A short name for each stage: its technique and the arguments that are not defaults."""
    return [_called(stage, ("anneal",))[:32] for stage in plan.stages]


def described(stage: StagePlan) -> str:
    """A stage in words: its technique, the arguments that are not defaults, window and targets."""
    window = stage.window
    when = f"from {window.start} until {window.stop}"
    if window.instant:
        when = f"at {window.start}"
    elif isinstance(window.stop, Duration):
        when = f"from {window.start} for {window.stop}"
    return " ".join(filter(None, [_called(stage), when, str(stage.targets)]))


def _called(stage: StagePlan, hidden: Sequence[str] = ()) -> str:
    fields = type(stage.technique).model_fields
    given = [
        f"{name}={value}"
        for name, value in stage.technique.arguments().items()
        if name not in hidden and value is not None and value != fields[name].default
    ]
    inside = f"({', '.join(given)})" if given else ""
    return f"{stage.technique.name}{inside}"


def _step(column: int, phase: Phase, columns: int) -> int:
    return min(phase.clock.total - 1, column * phase.clock.total // columns)


def _scale(phase: Phase, columns: int) -> str:
    total = phase.clock.total / phase.clock.steps_per_epoch
    line = [" "] * columns
    marks: Iterable[int] = range(5)
    for mark in marks:
        text = f"{total * mark / 4:g}"
        at = min(columns - len(text), round(mark * columns / 4))
        line[at : at + len(text)] = text
    return "".join(line)


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
