"""Ghost neurons beside a network's hidden layers (`ghost(width=…)`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import prod, sqrt
from typing import TYPE_CHECKING, Any

from tostdsl.diagnostics import TostError
from tostdsl.engine.hooks import Network
from tostdsl.engine.places import Hidden, Unwidened
from tostdsl.units import Factor

if TYPE_CHECKING:
    from torch import Tensor, nn

SHOWN = 3
"""How many layers a report names for each reason."""


@dataclass(frozen=True, slots=True)
class _Ghosts:
    """The ghosts of one hidden layer, and how many inputs they are to its consumer."""

    hidden: Hidden
    count: int
    features: int


class Widening:
    """Ghosts beside the hidden layers of a network: `factor` - 1 times as many as neurons.

    Of each of their weight tensors the share `density` is kept. `weight` (0-d) scales what ghosts
    put out. `TostError` T502 if no layer can be widened, T530 if a tensor would have no weight.
    """

    def __init__(self, net: Network, factor: Factor, density: Fraction, weight: Tensor) -> None:
        self._net = net
        self._density = density
        self._weights: list[Tensor] = []
        self._kept: list[Tensor] = []
        ghosts, kept = _plan(net, factor)
        fed_by = {each.hidden.consumer: each for each in ghosts.values()}
        # what ghosts of one layer send to the next, from the call of the one to the call of the
        # other
        sent: dict[str, Tensor] = {}
        for name in dict.fromkeys((*ghosts, *fed_by)):
            self._place(name, ghosts.get(name), fed_by.get(name), weight, sent)
        net.report(_report(factor, ghosts, kept) + self._sparsity())

    def thin(self) -> None:
        """Set the ghost weights that `density` takes away to zero."""
        import torch

        if self._kept:
            with torch.no_grad():
                torch._foreach_mul_(self._weights, self._kept)

    def _sparsity(self) -> str:
        if not self._kept:
            return ""
        self.thin()
        kept = sum(int(mask.sum()) for mask in self._kept)
        return f"; {kept:,} of {sum(mask.numel() for mask in self._kept):,} ghost weights kept"

    def _place(
        self,
        name: str,
        own: _Ghosts | None,
        feeding: _Ghosts | None,
        weight: Tensor,
        sent: dict[str, Tensor],
    ) -> None:
        """Hook one layer: ghosts that feed it go to its output, its own ghosts are computed."""
        layer: Any = self._net.module(name)
        neurons, axis = _outputs(layer), -1 if layer.weight.dim() == 2 else 1
        count = own.count if own is not None else 0
        wide = 1 + (feeding.features if feeding else 0) / _inputs(layer)
        bound = 1 / sqrt(_fan_in(layer) * wide)
        from_ghosts: Any = None
        follow: Callable[[Tensor], Tensor] | None = None
        from_neurons: Any = None
        if feeding is not None:
            from_ghosts = self._like(layer, f"{name}.from_ghosts", feeding.features,
                                     neurons + count, bound, bias=False)  # fmt: skip
        if own is not None:
            from_neurons = self._like(layer, f"{name}.ghosts", _inputs(layer), count, bound,
                                      bias=layer.bias is not None)  # fmt: skip
            follow = self._chain(own)

        def hook(_module: nn.Module, args: Any, output: Tensor) -> Tensor:
            extra = from_ghosts(sent.pop(name)) if from_ghosts is not None else None
            if own is not None and follow is not None:
                ghosts = from_neurons(args[0])
                if extra is not None:
                    ghosts = _plus(ghosts, extra.narrow(axis, neurons, count), weight)
                sent[own.hidden.consumer] = follow(ghosts)
            if extra is not None:
                output = _plus(output, extra.narrow(axis, 0, neurons), weight)
            return output

        self._net.after(name, hook)

    def _chain(self, ghosts: _Ghosts) -> Callable[[Tensor], Tensor]:
        """What ghosts run through from their layer to its consumer."""
        hidden, count = ghosts.hidden, ghosts.count
        steps = [self._norm_like(hidden.norm, count, hidden.producer), hidden.through]
        for relay in hidden.relays:
            layer: Any = self._net.module(relay.layer)
            bound, made = 1 / sqrt(_fan_in(layer)), count * (layer.out_channels // layer.groups)
            steps += [
                self._like(layer, f"{relay.layer}.ghosts", count, made, bound,
                           bias=layer.bias is not None, groups=count),
                self._norm_like(relay.norm, made, relay.layer),
                relay.through,
            ]  # fmt: skip
            count = made
        run = [step for step in steps if step is not None]

        def follow(tensor: Tensor) -> Tensor:
            for step in run:
                tensor = step(tensor)
            return tensor

        return follow

    def _like(
        self,
        layer: Any,
        name: str,
        inputs: int,
        outputs: int,
        bound: float,
        bias: bool,
        groups: int = 1,
    ) -> nn.Module:
        """A layer of the same kind with other numbers of inputs and outputs, weights its own."""
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
            made = blank(type(layer), inputs, outputs, groups=groups, **settings, **plain)
        generator = self._net.generator(f"width {name}")
        with torch.no_grad():
            for parameter in made.parameters():
                parameter.uniform_(-bound, bound, generator=generator)
        self._net.add(name, made)
        if self._density < 1:
            self._thinned(name, made.get_parameter("weight"))
        return made

    def _thinned(self, name: str, weight: Tensor) -> None:
        import torch

        total = weight.numel()
        keep = int(self._density * total + Fraction(1, 2))
        if not keep:
            share = f"{float(self._density):.2%}"
            raise TostError.of("T530", density=share, weight=name, total=f"{total:,}")
        order = torch.randperm(total, generator=self._net.generator(f"density {name}"))
        mask = torch.zeros(total)
        mask[order[:keep]] = 1
        self._weights.append(weight)
        factor = torch.empty_like(weight, requires_grad=False)
        self._kept.append(factor.copy_(mask.reshape(weight.shape)))

    def _norm_like(self, name: str | None, count: int, layer: str) -> nn.Module | None:
        """A fresh normalisation for the ghosts, like the one their layer has."""
        if name is None:
            return None
        norm: Any = self._net.module(name)
        made = type(norm)(
            count,
            eps=norm.eps,
            momentum=norm.momentum,
            affine=norm.affine,
            track_running_stats=norm.track_running_stats,
            dtype=self._net.module(layer).get_parameter("weight").dtype,
        )
        return self._net.add(f"{layer}.norm", made)


def _plan(net: Network, factor: Factor) -> tuple[dict[str, _Ghosts], list[Unwidened]]:
    """The layers to widen, and the selected ones that are not."""
    hidden, unwidened = net.hidden()
    targets = set(net.targets)
    share = Decimal(factor.value) - 1
    ghosts: dict[str, _Ghosts] = {}
    kept: list[Unwidened] = []
    for each in hidden:
        if each.producer not in targets:
            continue
        neurons = _outputs(net.module(each.producer))
        count = int((share * neurons).quantize(Decimal(1), ROUND_HALF_UP))
        if count:
            features = count * _inputs(net.module(each.consumer)) // neurons
            ghosts[each.producer] = _Ghosts(each, count, features)
        else:
            kept.append(Unwidened(each.producer, f"{factor} adds no neuron to it"))
    passed = {relay.layer for each in ghosts.values() for relay in each.hidden.relays}
    kept += [each for each in unwidened if each.layer in targets - passed]
    if not ghosts:
        reason = "no layer can be widened: " + _grouped(kept)
        raise TostError.of("T502", stage="ghost", model=type(net.model).__name__, reason=reason)
    return ghosts, kept


def _plus(tensor: Tensor, other: Tensor, weight: Tensor) -> Tensor:
    dtype = tensor.dtype
    return tensor.addcmul(other.to(dtype), weight.to(dtype))


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
