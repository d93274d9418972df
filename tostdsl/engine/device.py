"""Where a run computes and how precisely."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from tostdsl import registry
from tostdsl.diagnostics import TostError
from tostdsl.plan.plan import Precision

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def choose(wanted: str) -> torch.device:
    """The device of `auto`, `cpu`, `cuda` or `mps`; `TostError` when it is not here."""
    here = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        return torch.device(next(name for name, present in here.items() if present))
    if not here.get(wanted, False):
        raise TostError.of("R301", device=wanted)
    return torch.device(wanted)


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[Any]:
    """The context of a forward pass."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=DTYPES[precision])


def scaler(device: torch.device, precision: Precision) -> torch.amp.GradScaler:
    """The loss scaler, which does something for fp16 only."""
    return torch.amp.GradScaler(device.type, enabled=precision == "fp16")


def overflowed(scaler: torch.amp.GradScaler, parameters: Sequence[torch.Tensor]) -> bool:
    """Whether gradients are no numbers for the loss scale's sake, which is lower after that.

    False where there is no scale, or where it cannot be blamed any more, being below 1.
    """
    if not scaler.is_enabled() or scaler.get_scale() < 1:
        return False
    slopes = [p.grad for p in parameters if p.grad is not None]
    if not slopes or bool(torch.stack([slope.isfinite().all() for slope in slopes]).all()):
        return False
    scaler.update(scaler.get_scale() * scaler.get_backoff_factor())
    return True


def settle(optimizer: torch.optim.Optimizer) -> None:
    """Give momentum a start of zeros, so that the first step may be one that the scaler skips.

    torch's fused SGD makes the buffers on its first step without writing to them when gradients
    overflow, and reads what happens to be there at the next. From zeros the first velocity is the
    gradient, as it is without buffers.
    """
    for group in optimizer.param_groups:
        if not (group.get("momentum") and group.get("fused")):
            continue
        for parameter in group["params"]:
            state = optimizer.state[parameter]
            if state.get("momentum_buffer") is None:
                state["momentum_buffer"] = torch.zeros_like(parameter)


def versions() -> dict[str, str | None]:
    """The packages that a run depends on, with their versions; None where one is not installed.

    Plug-ins are among them.
    """
    found: dict[str, str | None] = {}
    for package in ("tostdsl", "torch", "torchvision", "numpy", "safetensors", "pydantic", "lark"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found | registry.plugins()


def environment(device: torch.device) -> dict[str, Any]:
    """What the run ran on, for the run folder."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "versions": versions(),
        "device": device.type,
        "device_name": name or platform.machine(),
        "threads": torch.get_num_threads(),
    }
