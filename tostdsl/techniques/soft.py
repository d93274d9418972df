"""Soft activations, and how they stand in for the network's own (`ghost(activation=…)`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tostdsl.diagnostics import TostError
from tostdsl.engine.hooks import Network
from tostdsl.units import Ramp

if TYPE_CHECKING:
    from torch import Tensor, nn

PSWISH_BETA = 2.0
"""What the reference code fixes it at; it learns nothing there."""
SHARPENED = {"relu": None, "relu6": 6.0}
"""Activations that Swish becomes as beta grows, and where they are cut off."""
SMOOTH = ("silu", "gelu", "mish", "elu", "celu", "softplus")
"""Activations of a network that may be the soft one already."""
SHOWN = 3
"""How many activations a message names."""


def blend(net: Network, name: str, cells: Mapping[str, Tensor], beta: float | Ramp) -> None:
    """Blend every activation with a soft one: w soft(x) + (1 - w) act(x).

    Those that compute the soft one already stay as they are; `TostError` T502 if all do.
    """
    names, same = _others(net, name, beta)
    soft = soft_activation(name, cells.get("beta", beta))
    weight = cells["weight"]

    def hook(_module: nn.Module, args: Any, output: Tensor) -> Tensor:
        softened = soft(args[0]).to(output.dtype)
        return output.lerp(softened, weight.to(output.dtype))

    for each in names:
        net.keep_inputs(each)
        net.after(each, hook)
    rest = f"; {name} already: {_few(same)}" if same else ""
    net.report(f"{name} in {len(names)} activations{rest}")


def sharpen(net: Network, cells: Mapping[str, Tensor]) -> None:
    """Put Swish in place of every rectifier while w is above 0; at 0 it is the rectifier."""
    import torch

    names = _activations(net)
    kinds = {name: net.activation(name) for name in names}
    served = [name for name in names if kinds[name] in SHARPENED]
    others = [f"{name}, a {kinds[name]}" for name in names if kinds[name] not in SHARPENED]
    if not served:
        reason = f"no activation is a relu or relu6, which Swish sharpens into ({_few(others)})"
        raise TostError.of("T502", stage="ghost", model=type(net.model).__name__, reason=reason)
    swish, weight = soft_activation("swish", cells["beta"]), cells["weight"]

    def hook_to(ceiling: float | None) -> Callable[[nn.Module, Any, Tensor], Tensor]:
        def hook(_module: nn.Module, args: Any, output: Tensor) -> Tensor:
            softened = swish(args[0])
            if ceiling is not None:
                softened = softened.clamp(max=ceiling)
            return torch.where(weight > 0, softened.to(output.dtype), output)

        return hook

    for each in served:
        net.keep_inputs(each)
        net.after(each, hook_to(SHARPENED[kinds[each]]))
    rest = f"; as they are: {_few(others)}" if others else ""
    net.report(f"swish that sharpens in {len(served)} activations{rest}")


def _others(net: Network, name: str, beta: float | Ramp) -> tuple[list[str], list[str]]:
    """The activations that are something else than the soft one, and those that are it."""
    import torch

    names = _activations(net)
    if isinstance(beta, Ramp):
        if beta.start != beta.stop:
            return names, []
        beta = beta.start
    soft, grid = soft_activation(name, beta), torch.linspace(-8, 8, 161, dtype=torch.float64)
    same = [
        each
        for each in names
        if net.activation(each) in SMOOTH
        and torch.allclose(soft(grid), net.activated(each, grid), rtol=0, atol=1e-9)
    ]
    others = [each for each in names if each not in same]
    if not others:
        which = "the chosen activations" if net.chosen else "its activations"
        kinds = " and ".join(dict.fromkeys(net.activation(each) for each in same))
        reason = f"{which} compute {name} already ({_few(same)}: {kinds})"
        raise TostError.of("T502", stage="ghost", model=type(net.model).__name__, reason=reason)
    return others, same


def _activations(net: Network) -> list[str]:
    names = list(net.activations())
    if not names:
        where = "that can be reached"
        if net.chosen:
            where = f"after the selected layers ({_few(list(net.targets))})"
        reason = f"it has no activation {where}"
        raise TostError.of("T502", stage="ghost", model=type(net.model).__name__, reason=reason)
    return names


def _few(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return "; ".join(names[:SHOWN]) + more


def soft_activation(name: str, beta: Tensor | float | Ramp) -> Callable[[Tensor], Tensor]:
    """A soft activation by name; `beta`, which only `swish` reads, may be a 0-d tensor."""
    from torch.nn import functional

    def lisht(x: Tensor) -> Tensor:
        return x * x.tanh()

    plain: dict[str, Callable[[Tensor], Tensor]] = {
        "mish": functional.mish,
        "gelu": functional.gelu,
        "elu": functional.elu,
        "softplus": functional.softplus,
        "lisht": lisht,
    }
    if name in plain:
        return plain[name]
    assert not isinstance(beta, Ramp)  # the engine gives a cell for each ramp
    steepness = PSWISH_BETA if name == "pswish" else beta
    if isinstance(steepness, float) and steepness == 1.0:
        return functional.silu

    def swish(x: Tensor) -> Tensor:
        # x * sigmoid(beta x), written so that one tensor less is kept for the backward pass
        return functional.silu(x * steepness) / steepness

    return swish
