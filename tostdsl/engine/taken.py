"""A state of one plan's run as one of another's: its place, its stages, its counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tostdsl.engine.record import Position, Record, Training
from tostdsl.engine.trace import head, traced
from tostdsl.engine.watch import due
from tostdsl.plan.parting import Shared, pairs
from tostdsl.plan.program import Phase, Program, Segment

OF_STAGES = "cells", "stage", "optimizer"
"""How the names of tensors begin that have a stage's place in the plan next."""


class Misfit(Exception):
    """Why a checkpoint is none of the other plan's; `later` where the plans have parted by then."""

    def __init__(self, reason: str, *, later: bool = False) -> None:
        super().__init__(reason)
        self.later = later


@dataclass(slots=True)
class Taken:
    """A state that both runs have, as the new one has it."""

    record: Record
    step: int | None
    """Steps of the phase that are done, as the phase counts; None before it begins."""
    stages: Mapping[int, int]
    """By their places in the old plan, the places of stages in the new one."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """Of a traced run, the rows of its trace."""

    def renamed(self, tensor: str) -> str:
        """The name that a tensor of the old checkpoint has in the new."""
        kind, _, rest = tensor.partition(":")
        return f"{kind}:{_placed(rest, self.stages)}" if kind in OF_STAGES else tensor

    def trace(self, rows: Sequence[dict[str, Any]], new: Program, every: int) -> None:
        """Take over the rows of a trace; `Misfit` where a step that the new run traces is missing.

        A phase's row tells how long it is, and so is the new one's; the last step of a segment that
        goes on in the new plan is left out.
        """
        place = self.record.position.phase
        by_name = {phase.name: phase for phase in new.phases[: place + 1]}
        here = new.phases[place]
        wanted = {
            step for segment in _segments(here, self.record.position)
            for step in traced(segment, every) if self.step is not None and step < self.step
        }  # fmt: skip
        for row in rows:
            if row["kind"] == "phase":
                self.rows.append(head(new.plan, by_name[row["phase"]], row["layers"]))
            elif row["phase"] != here.name or row["step"] in wanted:
                self.rows.append(row)
        there = {row["step"] for row in rows if row["phase"] == here.name and row["kind"] == "step"}
        if wanted - there:
            raise Misfit(f"step {min(wanted - there)} of {here.name} was not traced")


def taken(record: Record, old: Program, new: Program, shared: Shared, watch: int | None) -> Taken:
    """A state of `old` as one of `new`, which are the same as far as `shared` says.

    `watch` are the steps from one look at what must hold to the next. Raises `Misfit`.
    """
    position = record.position
    if position.done == 0:
        raise Misfit("no step has run by then")
    step = _step(old, position)
    if not shared.holds(position.phase, step) or position.phase >= len(new.phases):
        raise Misfit("the plans have parted by then", later=True)
    for index, phase in enumerate(old.phases[: position.phase]):
        if list(_borders(phase)) != list(_borders(new.phases[index])):
            raise Misfit(f"{phase.name} has other segments")
    if position.segment is not None:
        _refuse_other_borders(old.phases[position.phase], new.phases[position.phase], position)
    stages = pairs(old, new, position.phase, step)
    if stages is None:
        raise Misfit("stages that were at work have another name or order in the new plan")
    training = None if record.training is None else _training(record.training, stages)
    proof, phase = record.proof, new.phases[position.phase]
    if watch is not None and step is not None:
        # where a segment ends a look is due, and of a state that is kept there always was one
        often = sum(
            due(each, segment, watch)
            for segment in _segments(phase, position)
            for each in segment.steps
            if each < step
        )
        looks = {name: count for name, count in proof.looks.items() if name != phase.name}
        proof = proof.model_copy(update={"looks": looks | ({phase.name: often} if often else {})})
    changed = {"training": training, "proof": proof}
    result = Taken(record.model_copy(update=changed), step, stages)
    names = sorted(map(result.renamed, record.tensors))
    result.record = result.record.model_copy(update={"tensors": names})
    return result


def _segments(phase: Phase, position: Position) -> Sequence[Segment]:
    """Those that have begun."""
    return () if position.segment is None else phase.segments[: position.segment + 1]


def _step(program: Program, position: Position) -> int | None:
    """Steps of the phase that are done, as it counts; `Misfit` where there is no such place."""
    try:
        phase = program.phases[position.phase]
        if position.segment is None:
            return None
        segment = phase.segments[position.segment]
        return segment.steps[position.offset - 1] + 1 if position.offset else segment.start
    except IndexError:
        raise Misfit("its place is none of the plan") from None


def _borders(phase: Phase) -> Iterator[tuple[int, int, Sequence[int]]]:
    return ((each.start, each.stop, each.steps) for each in phase.segments)


def _refuse_other_borders(old: Phase, new: Phase, position: Position) -> None:
    """The steps that have run must be the same in both, segment by segment."""
    number = position.segment
    assert number is not None
    same = list(_borders(old))[:number] == list(_borders(new))[:number] and number < len(
        new.segments
    )
    if same:
        here, there = old.segments[number], new.segments[number]
        ran = [each.steps[: position.offset] for each in (here, there)]
        same = here.start == there.start and ran[0] == ran[1]
    if not same:
        raise Misfit(f"{new.name} has other segments up to there")


def _training(training: Training, stages: Mapping[int, int]) -> Training:
    return training.model_copy(
        update={
            "attached": [stages[index] for index in training.attached],
            "acted": [(step, stages[index]) for step, index in training.acted],
            "plain": {_placed(name, stages): held for name, held in training.plain.items()},
            "host": [_placed(name, stages) for name in training.host],
        }
    )


def _placed(name: str, stages: Mapping[int, int]) -> str:
    """A name that may begin with a stage's place in the plan."""
    place, colon, rest = name.partition(":")
    return f"{stages[int(place)]}{colon}{rest}" if place.isdigit() else name
