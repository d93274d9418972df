"""Boundaries between segments: stages leave and enter, and what they leave is looked at.

Nothing structural happens anywhere else. The certificate gets a check of each moment at which
stages leave: the network computes the same without them, and neither it nor the optimizer holds
more than the plain architecture and what the stages that are still at work have put there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tostdsl.engine import groups
from tostdsl.engine.certificate import Jump
from tostdsl.engine.makeup import Shape, missing
from tostdsl.engine.seams import Opening
from tostdsl.plan.plan import stage_names
from tostdsl.plan.program import Segment

if TYPE_CHECKING:
    from tostdsl.engine.equipment import Equipment
    from tostdsl.engine.loop import Loop


def cross(loop: Loop, segment: Segment) -> None:
    """Take out what ends before a segment, let in what begins, and act what is of one moment."""
    kit, start = loop.kit, segment.start
    leave(loop, [i for i in loop.attached if i not in segment.attached], start, f"step {start}")
    stages, names = kit.plan.stages, stage_names(kit.plan)
    entering = [index for index in segment.attached if index not in loop.attached]
    state = _state(kit) if entering else []
    for index in entering:
        loop.attached[index] = kit.surgeon.enter(index, stages[index], loop.optimizer)
    if entering:
        same = all(map(torch.equal, state, _tensors(kit)))
        kit.certificate.entered(loop.phase.name, start, same)
    for index in segment.instants:  # last, so that they see the network that will train
        attached = kit.surgeon.enter(index, stages[index], loop.optimizer)
        kit.surgeon.leave(attached, loop.optimizer)
        loop.acted.append((start, index))
    if segment.instants:
        what = ", ".join(names[index] for index in segment.instants)
        _bare(loop, what, f"step {start} of {loop.phase.name}")
    if kit.masked is not None:
        kit.masked.apply()
    kit.surgeon.train(True)


def leave(loop: Loop, indices: list[int], step: int, at: str) -> None:
    """Detach stages, last in first out, and certify that nothing stays."""
    if not indices:
        return
    kit, stages, names = loop.kit, loop.kit.plan.stages, stage_names(loop.kit.plan)
    changing = [index for index in indices if stages[index].technique.adds_to_network()]
    what, where = ", ".join(names[index] for index in changing), f"{at} of {loop.phase.name}"
    weights = {names[index]: float(loop.attached[index].vector[0]) for index in changing}
    seam = Opening(kit, loop.phase.name, step, where) if changing else None
    before = _probe(kit) if changing else None
    for index in indices:
        curves = loop.curves[index]
        loop.attached[index].vector.copy_(torch.tensor(curves.at(curves.stop)))
    jumping = [names[i] for i in changing if float(loop.attached[i].vector[0]) != 0.0]
    for index in changing:
        loop.attached[index].vector[0] = 0.0
    at_zero = _probe(kit) if changing else None
    state = _state(kit)
    for index in reversed(indices):
        kit.surgeon.leave(loop.attached.pop(index), loop.optimizer)
    same = all(map(torch.equal, state, _tensors(kit)))
    _bare(loop, ", ".join(names[index] for index in indices), where)
    if seam is None or before is None or at_zero is None:
        return
    after = _probe(kit)
    jump = Jump.of(where, weights, before, after)
    kit.certificate.removal(what, where, at_zero, after, same, jump)
    if jumping:
        kit.certificate.by_jump(", ".join(jumping), where, jump)
    seam.close(weights, any(stages[index].technique.recalibrates() for index in changing))


def _bare(loop: Loop, what: str, where: str) -> None:
    """Certify that network and optimizer hold only what the stages still at work put there."""
    kit, parts = loop.kit, loop.kit.surgeon.parts
    gaps = Shape.of(kit.model, parts).gaps(kit.certificate.plain)
    if gone := missing(kit.model, parts):
        gaps.append(f"{gone} hooks of stages still at work are gone")
    added = [[p for _, p in each.parameters] for each in kit.surgeon.attached]
    gaps += groups.gaps(loop.optimizer, loop.trained, [each for each in added if each])
    beside = len(parts.hooks) + len(parts.inplace) + len(parts.forwards)
    kit.certificate.left(what, where, gaps, beside + len(kit.surgeon.beside))


def _tensors(kit: Equipment) -> Sequence[Tensor]:
    """The network's own parameters and buffers."""
    return [t.detach() for t in (*kit.model.parameters(), *kit.model.buffers())]


def _state(kit: Equipment) -> Sequence[Tensor]:
    return [tensor.clone() for tensor in _tensors(kit)]


@torch.no_grad()
def _probe(kit: Equipment) -> Tensor:
    """Outputs on a fixed batch in evaluation mode."""
    kit.surgeon.train(False)
    images, _ = next(iter(kit.feed.evaluation("train", 64)))
    outputs: Tensor = kit.model(images).float()
    kit.surgeon.train(True)
    return outputs
