"""Ghost neurons beside a network's hidden layers (`ghost(width=…)`)."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from math import prod, sqrt
from typing import TYPE_CHECKING, Any

from tostdsl.diagnostics import TostError
from tostdsl.engine.hooks import Hidden, Network, Unwidened
from tostdsl.frozen import frozen
from tostdsl.units import Factor

if TYPE_CHECKING:
    from torch import Tensor, nn

SHOWN = 3
"""How many layers a report names for each reason."""


@frozen
class _Ghosts:
    """The ghosts of one hidden layer, and how many inputs they are to its consumer."""

    hidden: Hidden
    count: int
    features: int


def widen(net: Network, factor: Factor, share: Decimal, weight: Tensor) -> None:
    """Put `share` times as many ghosts beside each hidden layer as it has neurons.

    `weight` (0-d) scales what ghosts put out. `TostError` T502 if no layer can be widened.
    """
    hidden, unwidened = net.hidden()
    targets = set(net.targets)
    kept = [each for each in unwidened if each.layer in targets]
    ghosts: dict[str, _Ghosts] = {}
    for each in hidden:
        if each.producer not in targets:
            continue
        neurons = _outputs(net.module(each.producer))
        count = int((share * neurons).quantize(Decimal(1), ROUND_HALF_UP))
        if count:
            places = _inputs(net.module(each.consumer)) // neurons
            ghosts[each.producer] = _Ghosts(each, count, count * places)
        else:
            kept.append(Unwidened(each.producer, f"{factor} adds no neuron to it"))
    if not ghosts:
        reason = "no layer can be widened: " + _grouped(kept)
        raise TostError.of("T502", stage="ghost", model=type(net.model).__name__, reason=reason)
    fed_by = {each.hidden.consumer: each for each in ghosts.values()}
    # what ghosts of one layer send to the next, from the call of the one to the call of the other
    sent: dict[str, Tensor] = {}
    for name in dict.fromkeys((*ghosts, *fed_by)):
        _place(net, name, ghosts.get(name), fed_by.get(name), weight, sent)
    net.report(_report(factor, ghosts, kept))


def _place(
    net: Network,
    name: str,
    own: _Ghosts | None,
    feeding: _Ghosts | None,
    weight: Tensor,
    sent: dict[str, Tensor],
) -> None:
    """Hook one layer: ghosts that feed it are added to its output, its own ghosts computed."""
    layer: Any = net.module(name)
    neurons, axis = _outputs(layer), -1 if layer.weight.dim() == 2 else 1
    count = own.count if own is not None else 0
    bound = 1 / sqrt(_fan_in(layer) * (1 + (feeding.features if feeding else 0) / _inputs(layer)))
    from_ghosts = from_neurons = norm = None
    if feeding is not None:
        from_ghosts = _like(net, layer, f"{name}.from_ghosts", feeding.features,
                            neurons + count, bound, bias=False)  # fmt: skip
    if own is not None:
        from_neurons = _like(net, layer, f"{name}.ghosts", _inputs(layer), count, bound,
                             bias=layer.bias is not None)  # fmt: skip
        norm = _norm_like(net, own, f"{name}.norm")

    def hook(_module: nn.Module, args: Any, output: Tensor) -> Tensor:
        extra = from_ghosts(sent.pop(name)) if from_ghosts is not None else None
        if own is not None and from_neurons is not None:
            ghosts = from_neurons(args[0])
            if extra is not None:
                ghosts = _plus(ghosts, extra.narrow(axis, neurons, count), weight)
            if norm is not None:
                ghosts = norm(ghosts)
            sent[own.hidden.consumer] = own.hidden.through(ghosts)
        if extra is not None:
            output = _plus(output, extra.narrow(axis, 0, neurons), weight)
        return output

    net.after(name, hook)


def _plus(tensor: Tensor, other: Tensor, weight: Tensor) -> Tensor:
    dtype = tensor.dtype
    return tensor.addcmul(other.to(dtype), weight.to(dtype))


def _like(
    net: Network, layer: Any, name: str, inputs: int, outputs: int, bound: float, bias: bool
) -> nn.Module:
    """A layer of the same kind with other numbers of inputs and outputs and weights of its own."""
    import torch
    from torch import nn

    plain = {"bias": bias, "dtype": layer.weight.dtype}
    blank: Any = nn.utils.skip_init  # draws nothing from the global generator
    made: nn.Module
    if isinstance(layer, nn.Linear):
        made = blank(nn.Linear, inputs, outputs, **plain)
    else:
        places = ("kernel_size", "stride", "padding", "dilation", "padding_mode")
        settings = {place: getattr(layer, place) for place in places}
        made = blank(type(layer), inputs, outputs, **settings, **plain)
    generator = net.generator(f"width {name}")
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.uniform_(-bound, bound, generator=generator)
    return net.add(name, made)


def _norm_like(net: Network, ghosts: _Ghosts, name: str) -> nn.Module | None:
    """A fresh normalisation for the ghosts, like the one their layer has."""
    if ghosts.hidden.norm is None:
        return None
    norm: Any = net.module(ghosts.hidden.norm)
    layer: Any = net.module(ghosts.hidden.producer)
    made = type(norm)(
        ghosts.count,
        eps=norm.eps,
        momentum=norm.momentum,
        affine=norm.affine,
        track_running_stats=norm.track_running_stats,
        dtype=layer.weight.dtype,
    )
    return net.add(name, made)


def _outputs(layer: Any) -> int:
    return int(layer.weight.shape[0])


def _inputs(layer: Any) -> int:
    return int(layer.weight.shape[1])


def _fan_in(layer: Any) -> int:
    return prod(layer.weight.shape[1:])


def _report(factor: Factor, ghosts: dict[str, _Ghosts], kept: list[Unwidened]) -> str:
    neurons = sum(each.count for each in ghosts.values())
    text = (
        f"width {factor}: {neurons:,} extra neurons in {len(ghosts)} of "
        f"{len(ghosts) + len(kept)} layers"
    )
    return f"{text}; not widened: {_grouped(kept)}" if kept else text


def _grouped(kept: list[Unwidened]) -> str:
    """Layers by the reason they are not widened, leaving out whose use is at fault."""
    groups: dict[str, list[str]] = {}
    for each in kept:
        groups.setdefault(each.reason.split(" (")[0], []).append(each.layer)
    parts = []
    for reason, names in groups.items():
        shown = ", ".join(names[:SHOWN])
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        parts.append(f"{shown}{more} ({reason})")
    return ", ".join(parts) or "it has no hidden layer"
