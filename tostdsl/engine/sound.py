"""Whether a checkpoint's record says what the program shows, looked at before it is gone on from.

A manifest proves that a record is as it was written. What the plan and the place in the program
tell on their own is not believed from it: which phase and step it is, who is at work, what was kept
to go back to, with which settings the optimizer trains.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.optim import Optimizer

from tostdsl.engine import device as devices
from tostdsl.engine.certificate import acted, ran
from tostdsl.engine.record import Record, Training
from tostdsl.engine.start import network
from tostdsl.engine.state import plain_settings
from tostdsl.plan.bases import DataFacts
from tostdsl.plan.marker import METRICS
from tostdsl.plan.program import Program

MOVED = "lr"
"""The setting of an optimizer that every step sets anew."""
KERNELS = "foreach", "fused"
"""Settings that go with the device, which may have been another."""


def unsound(record: Record, program: Program, facts: DataFacts) -> str:
    """What of a record is not as the program has it, in words; empty where nothing is.

    `facts` are those that the network is built for.
    """
    if METRICS not in record.files:
        return f"its files lack {METRICS}"
    return (
        _place(record, program)
        or _blobs(record, program)
        or _proof(record, program)
        or (_training(record.training, record, program, facts) if record.training else "")
    )


# -- where it is


def _place(record: Record, program: Program) -> str:
    """The phase, segment and step, and the counts that follow from them."""
    position, training, phases = record.position, record.training, program.phases
    if position.phase >= len(phases):
        return f"its phase, {position.phase}, is none of the plan's {len(phases)}"
    phase = phases[position.phase]
    before = sum(each.steps for each in phases[: position.phase])
    if position.segment is None or training is None:
        if position.segment is not None or training is not None:
            return f"only one of segment and training is there in {phase.name}"
        if position.offset:
            return f"its offset is {position.offset} before {phase.name} begins"
        return _count("done", position.done, before)
    if position.segment >= len(phase.segments):
        return f"its segment, {position.segment}, is none of {phase.name}"
    segment = phase.segments[position.segment]
    if not 0 < position.offset <= len(segment.steps):
        where = f"segment {position.segment} of {phase.name}"
        return f"its offset, {position.offset}, is none after a step of {where}"
    done = sum(len(each.steps) for each in phase.segments[: position.segment]) + position.offset
    return (
        _count("done", position.done, before + done)
        or _count("training.done", training.done, done)
        or _count("training.step", training.step, segment.steps[position.offset - 1])
    )


def _count(name: str, said: int, found: int) -> str:
    return "" if said == found else f"its {name} is {said}, by its place it is {found}"


# -- what was kept by then


def _blobs(record: Record, program: Program) -> str:
    """Masks, what a lottery goes back to and its moments are there from when they are kept on."""
    mask, position = program.plan.mask, record.position
    phase = program.phases[position.phase]
    masks = any(each.prunes for each in program.phases[: position.phase])
    masks = masks or (phase.kind == "train" and phase.prunes and record.training is not None)
    rewind = _rewound(record, program)
    moments = rewind and mask is not None and mask.method.keeps_moments()
    for name, value, due in (
        ("masks", record.masks, masks),
        ("rewind", record.rewind, rewind),
        ("moments_plain", record.moments_plain, moments),
    ):
        if (value is not None) != due:
            return f"its {name} {'is not there' if due else 'is there though none is kept'}"
    if record.moments is not None and not moments:
        return "its moments is there though none is kept"
    return ""


def _rewound(record: Record, program: Program) -> bool:
    """Whether the step that a lottery goes back to is past."""
    for index, phase in enumerate(program.phases[: record.position.phase + 1]):
        if index < record.position.phase:
            done = phase.clock.total
        else:
            done = record.training.step + 1 if record.training is not None else -1
        if any("keep_rewind" in what and at <= done for at, what in phase.events.items()):
            return True
    return False


def _proof(record: Record, program: Program) -> str:
    """Each phase that has ended was taken down as such."""
    names = {check.name for check in record.proof.checks}
    for phase in program.phases[: record.position.phase]:
        planned = phase.steps if program.rehearsal else phase.length
        for name in (ran(phase.name, planned), acted(phase.name)):
            if name not in names:
                return f"its proof.checks lack `{name}`"
    return ""


# -- a phase at work


def _training(training: Training, record: Record, program: Program, facts: DataFacts) -> str:
    phase, position = program.phases[record.position.phase], record.position
    assert position.segment is not None
    begun = phase.segments[: position.segment + 1]
    if sorted(training.attached) != sorted(begun[-1].attached):
        return "its training.attached are not the stages at work in its segment"
    if training.acted != [(each.start, index) for each in begun for index in each.instants]:
        return "its training.acted are not the stages that act up to there"
    return (
        _scaler(training.scaler, program)
        or _held(training, record)
        or _optimizer(training, record, program, facts)
    )


def _scaler(said: dict[str, Any], program: Program) -> str:
    """A positive, finite scale where there is one, grown and lowered as a new one is."""
    new = devices.scaler(torch.device("cpu"), program.plan.precision).state_dict()
    if said.keys() != new.keys():
        return "its training.scaler is not that of the plan's precision"
    for name, value in said.items():
        if name == "scale":
            sound = _number(value) and value > 0
        elif name == "_growth_tracker":
            sound = type(value) is int and value >= 0
        else:
            sound = _same(value, new[name])
        if not sound:
            return f"its training.scaler has no sound `{name}`: {value!r}"
    return ""


def _held(training: Training, record: Record) -> str:
    """Whoever has tensors of the optimizer's is among those whose state it keeps."""
    tensors = [name.removeprefix("optimizer:") for name in record.tensors if _of(name)]
    for tensor in tensors:
        parts = tensor.split(":")
        owners = (":".join(parts[:end]) for end in range(1, len(parts)))
        if training.plain.keys().isdisjoint(owners):
            return f"its training.plain lacks the parameter of `{tensor}`"
    if lost := sorted(set(training.host) - set(tensors)):
        return f"its training.host names `{lost[0]}`, which is no tensor of the optimizer"
    return ""


def _of(name: str, owner: str = "") -> bool:
    return name.startswith(f"optimizer:{owner}")


def _optimizer(training: Training, record: Record, program: Program, facts: DataFacts) -> str:
    """The settings are those of the plan's optimizer, made anew, but for the learning rate."""
    new = program.plan.optimizer.build(network(program.plan, facts).parameters())
    fresh = [plain_settings(group) for group in new.param_groups]
    if len(training.groups) < len(fresh):
        return "its training.groups are fewer than the optimizer's parameter groups"
    for index, group in enumerate(training.groups):
        planned = fresh[index] if index < len(fresh) else fresh[0]  # as `groups.put` makes them
        for name, value in group.items():
            if name in planned and not _setting(name, value, planned[name], known=_torchs(new)):
                return f"its training.groups.{index}.{name} is {value!r}, the plan's is another"
    events = [each for phase in program.phases for each in phase.events.items()]
    at_work = any(_of(name, "own:") for name in record.tensors)
    stepped = any(at > 0 and "keep_rewind" in what for at, what in events)
    lost = record.moments_plain is not None and record.moments is None
    if lost and _torchs(new) and at_work and stepped and not training.scaler:  # it may skip steps
        return "its moments is not there"
    return ""


def _torchs(optimizer: Optimizer) -> bool:
    """Whether it is torch's own: those write to no setting; another may count in one."""
    return type(optimizer).__module__.startswith("torch.optim.")


def _setting(name: str, value: Any, planned: Any, *, known: bool) -> bool:
    if name == MOVED:
        return _number(value) and value >= 0
    if name in KERNELS:
        return value is None or type(value) is bool
    return _same(value, planned) if known else type(value) is type(planned)


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _same(value: Any, planned: Any) -> bool:
    """Equal, and of one type, also within lists."""
    if isinstance(planned, list) and isinstance(value, list):
        return len(value) == len(planned) and all(map(_same, value, planned))
    return type(value) is type(planned) and bool(value == planned)
