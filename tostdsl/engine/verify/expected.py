"""The checks that a certificate must hold, worked out from the plan alone.

Windows are resolved here again, not read off the program's segments: a stage that was left out of
a segment would be missing there, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from tostdsl.engine.certificate import ENTERED, MOVED, WATCHED
from tostdsl.plan.plan import Plan, StagePlan, stage_names
from tostdsl.plan.program import Curves, Phase, Program

SHAPE = ("same modules", "same state_dict", "no hooks left", "same parameter count")


def staying(program: Program) -> list[int]:
    """Places of the stages that the recipe leaves in the network, in the order they enter."""
    clock = program.phases[-1].clock
    found = [
        (clock.window(stage.window)[0], index)
        for index, stage in enumerate(program.plan.stages)
        if stage.technique.stays()
    ]
    return [index for _, index in sorted(found)]


def gone(program: Program) -> list[str]:
    """Names of the checks that fail where stages stay without leave."""
    stages = program.plan.stages
    return [f"{stages[i].technique.name} gone at the end of training" for i in staying(program)]


def checks_of(program: Program, watch: int | None = None) -> list[str]:
    """The names of all checks that a run of the program makes, in order.

    `watch` says how often the run was looked at while it trained, None for never.
    """
    masked = program.plan.mask is not None
    found: list[str] = []
    for phase in program.phases:
        found += _of_phase(program, phase, masked, watch is not None)
    if kept := gone(program):
        found += [*kept, *_shape("after what was left in is taken out")]
    if program.plan.mask is not None and program.plan.mask.method.counted:
        found.append("the mask has the planned sparsity")
    return found


def staged(plan: Plan, phase: Phase) -> bool:
    """Whether stages are at work in a phase: in the final training, and in rounds if asked for."""
    method = plan.mask.method if plan.mask is not None else None
    return phase.kind == "train" or (method is not None and method.stages_in_rounds())


def leavings(program: Program, phase: Phase) -> list[tuple[int, list[str]]]:
    """The steps before which stages that change the network leave it, and their names."""
    plan, names = program.plan, stage_names(program.plan)
    kept = staying(program) if phase.kind == "train" else []
    found: dict[int, list[tuple[int, int]]] = {}
    for index, stage in enumerate(plan.stages if staged(plan, phase) else ()):
        start, stop = phase.window(stage.window)
        if start < stop and index not in kept and stage.technique.adds_to_network():
            found.setdefault(stop, []).append((start, index))
    return [(stop, [names[i] for _, i in sorted(found[stop])]) for stop in sorted(found)]


def _of_phase(program: Program, phase: Phase, masked: bool, watched: bool) -> Iterator[str]:
    plan = program.plan
    final, at_work = phase.kind == "train", staged(plan, phase)
    kept = staying(program) if final else []
    if at_work:
        yield from _boundaries(plan, phase, kept)
    steps = phase.steps if program.rehearsal else phase.length
    yield f"{phase.name} ran its {steps} steps"
    yield f"{phase.name}: what acts at one moment acted then, once"
    if watched:
        yield f"{WATCHED}, in {phase.name}"
    if any(step < phase.clock.total for step in phase.updates):
        yield f"{MOVED}, in {phase.name}"
    yield f"stages at work in their windows and nowhere else, in {phase.name}"
    windows = [phase.window(stage.window) for stage in plan.stages]
    if at_work and any(start < stop for start, stop in windows):
        yield f"{ENTERED}, in {phase.name}"
    if masked:
        yield f"masked weights zero and masks as chosen at each segment's end, in {phase.name}"
    if not kept:
        yield from _shape(f"after {phase.name}")
    if not final:
        back = plan.mask is None or plan.mask.method.goes_back()
        yield f"{'rewound' if back else 'kept'} to the bit after {phase.name}"
    if masked:
        yield f"masked weights zero after {phase.name}"


def _shape(when: str) -> list[str]:
    return [f"{what} {when}" for what in SHAPE]


def _boundaries(plan: Plan, phase: Phase, kept: Sequence[int]) -> Iterator[str]:
    """The checks of each moment at which stages leave the network or act once."""
    total, names = phase.clock.total, stage_names(plan)
    leaving: dict[int, list[tuple[int, int]]] = {}
    acting: dict[int, list[int]] = {}
    for index, stage in enumerate(plan.stages):
        start, stop = phase.window(stage.window)
        if start == stop < total:
            acting.setdefault(start, []).append(index)
        elif start < stop and index not in kept:
            leaving.setdefault(stop, []).append((start, index))
    for moment in sorted({*leaving, *acting}):
        at = f"step {moment}" if moment < total else "the end"
        where = f"{at} of {phase.name}"
        indices = [index for _, index in sorted(leaving.get(moment, []))]
        yield from _leaving(plan, phase, indices, where)
        if here := acting.get(moment):
            yield _nothing_of([names[i] for i in here], f"step {moment} of {phase.name}")


def _nothing_of(names: Sequence[str], where: str) -> str:
    return f"nothing of {', '.join(names)} in the network or the optimizer at {where}"


def _leaving(plan: Plan, phase: Phase, indices: Sequence[int], where: str) -> Iterator[str]:
    names, stages = stage_names(plan), plan.stages
    if indices:
        yield _nothing_of([names[i] for i in indices], where)
    changing = [i for i in indices if stages[i].technique.adds_to_network()]
    if not changing:
        return
    yield f"{', '.join(names[i] for i in changing)} left without a trace at {where}"
    jumping = [names[i] for i in changing if _jumps(stages[i], phase)]
    if jumping:
        yield f"{', '.join(jumping)} left by a jump, as written, at {where}"
    if any(stages[i].technique.recalibrates() for i in changing):
        yield f"statistics re-estimated and nothing else changed at {where}"


def _jumps(stage: StagePlan, phase: Phase) -> bool:
    """Whether its weight, as the engine holds it, is not 0 when its window ends."""
    curves = Curves.of(stage, phase.clock)
    return float(torch.tensor(curves.at(curves.stop)[0], dtype=torch.float32)) != 0.0
