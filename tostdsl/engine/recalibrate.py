"""Batch normalisations' running statistics, estimated anew (`recalibrate=yes`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tostdsl.diagnostics import TostError, diagnose
from tostdsl.engine import device as devices
from tostdsl.engine import randomness
from tostdsl.engine.seeds import derive
from tostdsl.engine.shifts import norms

if TYPE_CHECKING:
    from tostdsl.engine.equipment import Equipment
    from tostdsl.plan.plan import Plan

BATCHES = 32
"""Training batches that statistics are averaged over, as large as the recipe's."""
REHEARSED = 2
"""So many in a rehearsal."""
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def refuse_without_norms(plan: Plan, model: nn.Module) -> None:
    """`TostError` T531 where a stage wants statistics of a network that keeps none.

    Known as soon as the network is built, and said then, not when the stage leaves.
    """
    for stage in plan.stages:
        if stage.technique.recalibrates() and not norms(model):
            mistake = diagnose("T531", name=stage.technique.name, model=plan.model.name)
            raise TostError([mistake], stage)


@torch.no_grad()
def recalibrate(kit: Equipment, phase: str, step: int, at: str) -> None:
    """Estimate the running statistics of the network's batch normalisations anew.

    They are reset, then `BATCHES` training batches, augmented as in training and drawn by (seed,
    phase, step), go through the network in training mode and in the run's precision, stages still
    at work included. Each running mean and variance becomes the plain average of the batches'
    means and unbiased variances: momentum is out of force meanwhile and back afterwards, and
    `num_batches_tracked` ends as the number of batches averaged, so that with `momentum=None` later
    batches carry on from there. A normalisation that no batch reached keeps what it had. Nothing
    else changes: all other buffers, those of modules beside the network, and random states are put
    back. The certificate has a check of that.
    """
    found = norms(kit.model)
    statistics = {f"{name}.{key}" for name in found for key in _STATISTICS}
    before = {name: (tensor, tensor.clone()) for name, tensor in _tensors(kit)}
    count = REHEARSED if kit.surgeon.rehearsal else BATCHES
    _estimate(kit, found, f"recalibrate {phase} {step}", count)
    buffers = {id(b) for m in (kit.model, *kit.surgeon.beside) for b in m.buffers()}
    for name, (tensor, value) in before.items():
        if name not in statistics and id(tensor) in buffers:
            tensor.copy_(value)
    changed = [name for name, (t, value) in before.items() if not torch.equal(t, value)]
    other = [name for name in changed if name not in statistics]
    detail = f"{len(found)} normalisations over {count} batches of training images"
    detail = f"`{other[0]}` changed, too" if other else detail
    what = f"statistics re-estimated and nothing else changed at {at}"
    kit.certificate.add(what, not other, detail)


def _tensors(kit: Equipment) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers of the network by name, then of the modules beside it."""
    for place, root in enumerate((kit.model, *kit.surgeon.beside)):
        for name, tensor in (*root.named_parameters(), *root.named_buffers()):
            yield (f"beside {place}: {name}" if place else name), tensor


def _estimate(kit: Equipment, found: dict[str, Any], purpose: str, count: int) -> None:
    before: dict[str, list[Tensor]] = {}
    momenta = {name: norm.momentum for name, norm in found.items()}
    kit.surgeon.train(True)
    for name, norm in found.items():
        before[name] = [norm._buffers[key].clone() for key in _STATISTICS]
        norm.reset_running_stats()
        norm.momentum = None
        norm.training = True
    try:
        with randomness.kept(kit.device):
            torch.manual_seed(derive(kit.plan.seed, purpose))  # dropout's
            for index in range(count):
                batch = kit.feed.drawn(purpose, index)
                with devices.autocast(kit.device, kit.plan.precision):
                    kit.model(batch.images)
    finally:
        for name, norm in found.items():
            norm.momentum = momenta[name]
            if not int(norm.num_batches_tracked):
                for key, value in zip(_STATISTICS, before[name], strict=True):
                    norm._buffers[key].copy_(value)
        kit.surgeon.train(True)
