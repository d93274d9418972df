"""What flows through a network, by running it once: its shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from tostdsl.diagnostics import TostError
from tostdsl.plan.bases import DataFacts

Shapes = tuple[tuple[int, ...], tuple[int, ...]]
"""Of a module's input and of its output, without the batch."""


def shapes(
    model: nn.Module,
    beside: Sequence[nn.Module],
    facts: DataFacts,
    device: torch.device,
    name: str,
) -> dict[str, Shapes]:
    """Shapes by one forward of zeros in evaluation mode, which changes no statistics."""
    found: dict[str, Shapes] = {}

    def watch(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def seen(_module: nn.Module, args: Any, output: Any) -> None:
            if args and isinstance(args[0], Tensor) and isinstance(output, Tensor):
                found.setdefault(path, (tuple(args[0].shape[1:]), tuple(output.shape[1:])))

        return seen

    handles = [module.register_forward_hook(watch(path)) for path, module in model.named_modules()]
    send_zeros(model, beside, facts, device, name, handles)
    return found


@torch.no_grad()
def send_zeros(
    model: nn.Module,
    beside: Sequence[nn.Module],
    facts: DataFacts,
    device: torch.device,
    name: str,
    handles: Sequence[RemovableHandle],
) -> Any:
    """What a network gives for zeros in evaluation mode; then the hooks are taken out again."""
    modes = {module: module.training for root in (model, *beside) for module in root.modules()}
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    images = torch.zeros((2, *facts.shape), dtype=dtype, device=device)
    devices = [device] if device.type == "cuda" else []
    try:
        for module in modes:
            module.training = False
        with torch.random.fork_rng(devices=devices):
            return model(images)
    except RuntimeError as error:
        reason = (str(error).splitlines() or [""])[0]
        shape = "x".join(map(str, facts.shape))
        raise TostError.of("T506", model=name, shape=shape, reason=reason) from error
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in modes.items():
            module.training = mode
