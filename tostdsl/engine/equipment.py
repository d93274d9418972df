"""What the phases of a run work with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tostdsl.engine.certificate import Certificate
from tostdsl.engine.dead import Units
from tostdsl.engine.feed import Feed
from tostdsl.engine.masked import Masked
from tostdsl.engine.observer import Observer
from tostdsl.engine.surgery import Attached, Surgeon
from tostdsl.plan.plan import Plan

if TYPE_CHECKING:
    from tostdsl.engine.compiled import Compiler
    from tostdsl.engine.keeper import Keeper
    from tostdsl.engine.seams import Seam
    from tostdsl.engine.trace import Tracer
    from tostdsl.engine.watch import Watch


def numbers(model: nn.Module) -> tuple[str, ...]:
    """Names of the floating-point buffers that hold numbers; a constant may be infinite."""
    return tuple(
        name
        for name, buffer in model.named_buffers()
        if buffer.is_floating_point() and bool(buffer.isfinite().all())
    )


@dataclass
class Equipment:
    """What a phase works with."""

    plan: Plan
    model: nn.Module
    masked: Masked | None
    surgeon: Surgeon
    feed: Feed
    device: torch.device
    observer: Observer
    certificate: Certificate
    log: Callable[[Mapping[str, Any]], None]
    may_keep: bool = False
    """Whether stages may stay in the network, where the recipe says so."""
    kept: list[Attached] = field(default_factory=list)
    """Stages that stayed when training ended, in the order they entered."""
    unreal: str = ""
    """Why the figures mean nothing, in words; empty for a real run."""
    tracer: Tracer | None = None
    """Looks at gradients from time to time, where the run was asked to."""
    seams: list[Seam] = field(default_factory=list)
    """Where stages left the network, in order."""
    validation: float | None = None
    """Accuracy on the images held out, as last measured."""
    compiler: Compiler | None = None
    """Compiles training passes, where the run was asked to."""
    keeper: Keeper | None = None
    """Keeps the run's state from time to time, where it is kept at all."""
    watch: Watch | None = None
    """Looks at what must hold, where the run is watched."""

    bounded: tuple[str, ...] = ()
    """Buffers that held numbers when the network was made, and are to hold numbers (`numbers`)."""

    def statistics(self) -> list[Tensor]:
        """What those hold now, and what stages added holds besides its parameters."""
        buffers = dict(self.model.named_buffers())
        own = [buffers[name] for name in self.bounded]
        added = [each for attached in self.surgeon.attached for each in attached.buffers()]
        return [tensor.detach() for tensor in (*own, *added) if tensor.is_floating_point()]

    @cached_property
    def units(self) -> Units:
        """The units that may be dead."""
        return Units(self.surgeon)
