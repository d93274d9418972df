"""How far batch normalisations' inputs lie from the statistics that they were given to expect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

BATCH_NORM = nn.modules.batchnorm._BatchNorm


def norms(model: nn.Module) -> dict[str, Any]:
    """The batch normalisations that keep running statistics, by name."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, BATCH_NORM)
        and module.running_mean is not None
        and module.num_batches_tracked is not None
    }


@dataclass(frozen=True, slots=True)
class Shift:
    """One normalisation's input against its running statistics, over channels."""

    mean: float
    """Root mean square of (mean - running mean) / s, with s = sqrt(running variance + eps)."""
    deviation: float
    """Root mean square of sqrt(variance + eps) / s - 1."""


@contextmanager
def watch(model: nn.Module) -> Iterator[Callable[[], dict[str, Shift]]]:
    """Look at the forward pass that runs inside; gives a function that reads the shifts.

    The variance is the biased one over batch and places. Of a normalisation that is called more
    than once the last call counts.
    """
    seen: dict[str, Tensor] = {}

    def look(name: str) -> Callable[[nn.Module, Any], None]:
        def hook(norm: Any, args: Any) -> None:
            x = args[0].detach()
            wide = torch.promote_types(torch.float32, x.dtype)
            rows = x.to(wide).transpose(0, 1).reshape(x.shape[1], -1)
            expected = (norm.running_var.to(wide) + norm.eps).sqrt()
            off = (rows.mean(1) - norm.running_mean.to(wide)) / expected
            wider = (rows.var(1, correction=0) + norm.eps).sqrt() / expected - 1
            seen[name] = torch.stack([off, wider]).square().mean(1).sqrt()

        return hook

    with ExitStack() as stack:
        for name, norm in norms(model).items():
            stack.callback(norm.register_forward_pre_hook(look(name)).remove)
        yield lambda: {name: Shift(*pair.tolist()) for name, pair in seen.items()}
