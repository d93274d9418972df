"""Whether there is room for a run's checkpoints, asked before its first step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tostdsl.diagnostics import TostError
from tostdsl.engine.checkpoint import Checkpoints
from tostdsl.engine.state import network_tensors
from tostdsl.plan.plan import Plan

SIDE = 64
"""Of the square that an optimizer is tried on."""
BESIDE = 1 << 16
"""Bytes of a checkpoint that are no tensors: its record and manifest, roughly."""


def moments_of(plan: Plan) -> float:
    """Bytes of the optimizer's state for each byte of what it trains; one step tells."""
    parameter = nn.Parameter(torch.zeros(SIDE, SIDE))
    optimizer = plan.optimizer.build([parameter])
    parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    held = [value for value in optimizer.state[parameter].values() if isinstance(value, Tensor)]
    return sum(each.nbytes for each in held if each.numel() > 1) / parameter.nbytes


def needed(plan: Plan, model: nn.Module, keep: int) -> int:
    """Bytes that a run's checkpoints take at most at one time.

    That is the network with its optimizer's state for each that is kept, the best and the one
    being written; masks, eight weights a byte, for each of those; once what a lottery goes back to.
    What stages add to the network for a while is not counted.
    """
    network = sum(tensor.nbytes for tensor in network_tensors(model).values())
    trained = sum(parameter.nbytes for parameter in model.parameters())
    moments = round(moments_of(plan) * trained)
    count = keep + 1 + int(bool(plan.data.validation.value))
    masks = rewind = 0
    if plan.mask is not None:
        masks = -(-sum(parameter.numel() for parameter in model.parameters()) // 8)
        rewind = network * plan.mask.method.goes_back()
        rewind += moments * plan.mask.method.keeps_moments()
    return count * (network + moments + masks + BESIDE) + rewind


def ask_for_room(checkpoints: Checkpoints, plan: Plan, model: nn.Module) -> None:
    """`TostError` R205 where what the checkpoints need cannot be written."""
    size = needed(plan, model, checkpoints.keep)
    try:
        checkpoints.disk.make(checkpoints.root)
        checkpoints.disk.reserve(checkpoints.root / ".tmp-room", size)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        more = f" ({size / (1 << 20):,.1f} MiB are needed)"
        raise TostError.of("R205", path=checkpoints.root, reason=reason + more) from None
