"""What of a network a run looks at: the units that may be dead, and the normalisations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tostdsl.engine import reference, shifts
from tostdsl.engine.dead import Units
from tostdsl.engine.recalibrate import BATCHES, REHEARSED
from tostdsl.engine.surgery import Surgeon
from tostdsl.engine.verify.evidence import Evidence, Group
from tostdsl.engine.verify.expected import leavings
from tostdsl.plan.plan import stage_names
from tostdsl.plan.program import Program


@dataclass(frozen=True, slots=True)
class Parts:
    """Names of parts of a plain network, as one forward pass in evaluation mode shows them."""

    units: frozenset[str]
    """The layers whose units may be dead (`engine.dead`)."""
    norms: frozenset[str]
    """The normalisations with running statistics that images reach (`engine.shifts`)."""
    calls: Mapping[str, int]
    """How many times a pass goes through each of them."""


@torch.no_grad()
def parts_of(evidence: Evidence, model: nn.Module) -> Parts | None:
    """The parts of a network, which is left as it was; None where it does not run."""
    plan, facts = evidence.plan, evidence.facts
    cpu = torch.device("cpu")
    surgeon = Surgeon(model, facts, cpu, plan.seed, {}, lambda _line: None, plan.model.name)
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with (
            Units(surgeon).watch() as units,
            shifts.watch(model) as moved,
            _counted(model) as calls,
        ):
            model(reference.images(facts.shape, plan.seed))
        return Parts(frozenset(units.read()), frozenset(moved()), calls)
    except RuntimeError:  # told where its outputs are compared
        return None
    finally:
        for module, mode in modes.items():
            module.training = mode


def batches(evidence: Evidence, model: nn.Module, parts: Parts, group: Group) -> None:
    """Normalisations have seen as many batches as the run has steps, where that can be told."""
    seen = seen_batches(evidence.program)
    if seen is None:
        return
    for name, norm in shifts.norms(model).items():
        told, wanted = int(norm.num_batches_tracked), seen * parts.calls[name]
        if told != wanted and parts.calls[name]:
            words = f"says {told} batches, the plan's steps make it {wanted}"
            group.check(f"`{name}.num_batches_tracked`", False, words)
            return


@contextmanager
def _counted(model: nn.Module) -> Iterator[Counter[str]]:
    """How many times the forward pass that runs inside goes through each normalisation."""
    calls: Counter[str] = Counter()

    def count(name: str) -> Callable[[nn.Module, Any], None]:
        return lambda _module, _args: calls.update([name])

    with ExitStack() as stack:
        for name, norm in shifts.norms(model).items():
            stack.callback(norm.register_forward_pre_hook(count(name)).remove)
        yield calls


def seen_batches(program: Program) -> int | None:
    """How many training batches statistics have seen when a run is over; None where rounds tell.

    From the start, or from the last `recalibrate=yes`, which counts its own anew.
    """
    if len(program.phases) > 1:
        return None
    (phase,) = program.phases
    stages = dict(zip(stage_names(program.plan), program.plan.stages, strict=True))
    again = [
        step
        for step, names in leavings(program, phase)
        if any(stages[name].technique.recalibrates() for name in names)
    ]
    since = max(again, default=0)
    steps = sum(step >= since for segment in phase.segments for step in segment.steps)
    return steps + ((REHEARSED if program.rehearsal else BATCHES) if again else 0)
