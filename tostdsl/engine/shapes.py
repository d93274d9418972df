"""What flows through a network, by running it once: shapes, and what is normalised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from tostdsl.diagnostics import TostError
from tostdsl.engine.nodes import LAYERS, NORMS
from tostdsl.plan.bases import DataFacts

Shapes = tuple[tuple[int, ...], tuple[int, ...]]
"""Of a module's input and of its output, without the batch."""
_NO_SCALE = (nn.LocalResponseNorm,)
"""They are called normalisations, and pass the scale of their input on."""


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
    _pass(model, beside, facts, device, name, handles)
    return found


def normalised(
    model: nn.Module,
    beside: Sequence[nn.Module],
    facts: DataFacts,
    device: torch.device,
    name: str,
) -> frozenset[str]:
    """Convolutions and linear layers whose output a normalisation is given as it is.

    Found by one forward, as shapes are.
    """
    norms = [m for m in model.modules() if isinstance(m, NORMS) and not isinstance(m, _NO_SCALE)]
    if not norms:
        return frozenset()
    outputs: list[tuple[str, Any]] = []
    found: set[str] = set()

    def keep(path: str) -> Callable[[nn.Module, Any, Any], None]:
        return lambda _module, _args, output: outputs.append((path, output))

    def given(_module: nn.Module, args: Any) -> None:
        found.update(path for path, output in outputs if args and args[0] is output)

    layers = [(path, m) for path, m in model.named_modules() if isinstance(m, LAYERS)]
    handles = [module.register_forward_hook(keep(path)) for path, module in layers]
    handles += [module.register_forward_pre_hook(given) for module in norms]
    _pass(model, beside, facts, device, name, handles)
    return frozenset(found)


@torch.no_grad()
def _pass(
    model: nn.Module,
    beside: Sequence[nn.Module],
    facts: DataFacts,
    device: torch.device,
    name: str,
    handles: Sequence[RemovableHandle],
) -> None:
    """Send zeros through a network in evaluation mode, then take the hooks out again."""
    modes = {module: module.training for root in (model, *beside) for module in root.modules()}
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    images = torch.zeros((2, *facts.shape), dtype=dtype, device=device)
    devices = [device] if device.type == "cuda" else []
    try:
        for module in modes:
            module.training = False
        with torch.random.fork_rng(devices=devices):
            model(images)
    except RuntimeError as error:
        reason = (str(error).splitlines() or [""])[0]
        shape = "x".join(map(str, facts.shape))
        raise TostError.of("T506", model=name, shape=shape, reason=reason) from error
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in modes.items():
            module.training = mode
