"""Out of memory in training: which batch would fit is tried, before it is told.

The run is over by then. What the probe computes is thrown away, and no checkpoint is written after
it, so that it may use the network as it stands.
"""

from __future__ import annotations

import time
import traceback
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from tostdsl.diagnostics import TostError
from tostdsl.engine import device as devices
from tostdsl.engine.hooks import Batch
from tostdsl.engine.room import moments_of

if TYPE_CHECKING:
    from tostdsl.engine.loop import Loop

SECONDS = 60.0
"""How long batches are tried."""


def is_full(error: BaseException) -> bool:
    """Whether memory ran out; on a CPU torch says it in words only."""
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)


def told(loop: Loop, error: Exception) -> TostError:
    """R303, with the batch that would fit where one is found."""
    traceback.clear_frames(error.__traceback__)  # they hold the tensors that filled it
    device, data = loop.kit.device, loop.kit.plan.data
    size = fitting(loop)
    if size is None:
        return TostError.of("R303", device=device, fits="", write="")
    write = f": `data {data.name}(batch={size})`"
    return TostError.of("R303", device=device, fits=f"; a batch of {size} fits", write=write)


def fitting(loop: Loop) -> int | None:
    """The largest of batch / 2, batch / 4, ... that a training step has memory for.

    None where none of them has, or memory is not the trouble, or the whole batch fits.
    """
    end = time.monotonic() + SECONDS
    size = loop.kit.feed.batch_size
    while size and time.monotonic() < end:
        _free(loop)
        try:
            _step(loop, size)
        except Exception as error:
            traceback.clear_frames(error.__traceback__)
            if not is_full(error):
                return None  # a batch of one may be too few for a normalisation
        else:
            return size if size < loop.kit.feed.batch_size else None
        finally:
            _free(loop)
        size //= 2
    return None


def _free(loop: Loop) -> None:
    loop.optimizer.zero_grad(set_to_none=True)
    if loop.kit.device.type == "cuda":
        torch.cuda.empty_cache()


def _step(loop: Loop, size: int) -> None:
    """Forward and backward over the first images of the batch at hand."""
    kit = loop.kit
    epoch, index = divmod(loop.step, loop.phase.clock.steps_per_epoch)
    whole = kit.feed.train_batch(epoch, index % kit.feed.steps_per_epoch)
    batch = Batch(whole.images[:size].clone(), whole.targets[:size], whole.labels[:size])
    batch.step = loop.step
    hooks = [attached.hook for attached in kit.surgeon.attached]
    for hook in hooks:
        hook.batch(batch)
    # moments are made by the first step, and weigh as much as what the steps after it hold
    missing = [p for p in loop.trained if p not in loop.optimizer.state]
    count = round(moments_of(kit.plan)) if missing else 0
    held = [torch.empty_like(parameter) for parameter in missing for _ in range(count)]
    with devices.autocast(kit.device, kit.plan.precision):
        outputs = kit.model(batch.images)
    loss = functional.cross_entropy(outputs.float(), batch.targets)
    for hook in hooks[::-1]:
        loss = hook.loss(loss)
    loss.backward()  # type: ignore[no-untyped-call]
    del held
