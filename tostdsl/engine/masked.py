"""The one owner of masks: holds them, keeps masked weights at zero, counts and checks them.

Masks are tensors of their own, never read off a weight that happens to be zero.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from tostdsl.diagnostics import TostError
from tostdsl.engine.checksums import checksums


@dataclass(frozen=True, slots=True)
class Counts:
    """How many weights there are, and how many the mask sets to zero."""

    total: int
    zero: int
    layers: Mapping[str, Counts]
    """The same by weight name; empty in a layer's own counts."""

    @property
    def kept(self) -> int:
        """Weights that are not masked."""
        return self.total - self.zero

    @property
    def sparsity(self) -> Fraction:
        """Share of the weights that the mask sets to zero, exact."""
        return Fraction(self.zero, self.total) if self.total else Fraction(0)


class Masked:
    """The prunable weights of a network and their masks (bool, True is kept).

    Until the first `set` nothing is masked and `masks` is empty. The weights must be where they
    are trained (device, dtype, memory format) when masks are set: the copies they are multiplied
    by are laid out alike, which is what keeps `apply` one kernel launch.

    Weights are multiplied by their masks, so a masked weight is 0 or -0.0, both equal to 0. A
    weight that is infinite or not a number stays not a number (0 times infinity); `violations`
    reports it. `set` writes zeros instead of multiplying.
    """

    def __init__(self, model: nn.Module, names: Sequence[str]) -> None:
        """Over the parameters of `model` called `names`, kept in the network's order."""
        wanted = set(names)
        every = dict(model.named_parameters(remove_duplicate=False))
        if missing := sorted(wanted - set(every)):
            raise ValueError(f"no such parameters: {', '.join(missing)}")
        # a weight that two layers share is one weight, under its first name in scope
        first = {id(every[name]): name for name in reversed(every) if name in wanted}
        found = {name: every[name] for name in every if first.get(id(every[name])) == name}
        self._weights: dict[str, nn.Parameter] = found
        self._masks: dict[str, Tensor] = {}
        self._parameters: list[Tensor] = list(found.values())
        self._factors: list[Tensor] = []
        self._checksums: list[int] = []
        self._optimizer: Optimizer | None = None
        self._handles: list[RemovableHandle] = []
        self._after: Callable[[], None] | None = None
        self._keeping = False
        self._gradients: dict[str, Tensor] = {}

    @property
    def weights(self) -> Mapping[str, nn.Parameter]:
        """The weights in scope by name, in the network's order."""
        return MappingProxyType(self._weights)

    @property
    def masks(self) -> Mapping[str, Tensor]:
        """The masks in force by name, in the network's order; empty before the first."""
        return MappingProxyType(self._masks)

    @property
    def factors(self) -> Mapping[str, Tensor]:
        """What weights and gradients are multiplied by: the masks as numbers, by name."""
        return MappingProxyType(dict(zip(self._masks, self._factors, strict=True)))

    @property
    def checksums(self) -> list[int]:
        """A number for each mask, from when it was put in force (`engine.checksums`)."""
        return list(self._checksums)

    # -- changing

    @torch.no_grad()
    def set(self, masks: Mapping[str, Tensor]) -> None:
        """Put these masks in force: copied, applied at once, moments cleared.

        The bound optimizer's moments stay only where a weight was kept before and still is. Of a
        weight now masked they would be dead; of a weight that returns they hold what built up
        while it was masked, and would move it at once. Raises `TostError` and changes nothing if
        names, shapes or dtypes are not the scope's.
        """
        self._refuse_misfits(masks)
        before = self._masks
        self._store(masks)
        for name, weight in self._weights.items():
            mask = self._masks[name]
            weight.masked_fill_(~mask, 0)
            stay = mask & before[name] if before else mask
            self._clear_moments(weight, ~stay)

    def _store(self, masks: Mapping[str, Tensor]) -> None:
        self._masks = {
            name: masks[name].to(weight.device, copy=True) for name, weight in self._weights.items()
        }
        self._factors = [
            torch.empty_like(weight, requires_grad=False).copy_(self._masks[name])
            for name, weight in self._weights.items()
        ]
        self._checksums = checksums(list(self._masks.values())).tolist()

    def _refuse_misfits(self, masks: Mapping[str, Tensor]) -> None:
        wrong = [f"`{name}` has none" for name in self._weights if name not in masks]
        wrong += [f"`{name}` is not in scope" for name in masks if name not in self._weights]
        for name, weight in self._weights.items():
            mask = masks.get(name)
            if mask is None:
                continue
            if mask.dtype != torch.bool:
                wrong.append(f"the one of `{name}` holds {_dtype(mask)}, not bool")
            if mask.shape != weight.shape:
                wrong.append(
                    f"the one of `{name}` is {_shape(mask)}, the weight is {_shape(weight)}"
                )
        if wrong:
            raise TostError.of("T508", reason="; ".join(wrong))

    def _clear_moments(self, weight: nn.Parameter, where: Tensor) -> None:
        if self._optimizer is None:
            return
        # whatever an optimizer calls them, its per-weight buffers have the weight's shape
        for value in self._optimizer.state.get(weight, {}).values():
            if isinstance(value, Tensor) and value.shape == weight.shape:
                value.masked_fill_(where, 0)

    # -- at work

    def bind(self, optimizer: Optimizer, after: Callable[[], None] | None = None) -> None:
        """Mask gradients before and weights after every step of this optimizer, and of no other.

        A masked weight's gradient never reaches the optimizer, so that moments stay 0 there, too.
        Moments that it comes with are cleared where a weight is masked. `after` is called after
        each step, with the gradients that it used still there. A gradient that is infinite or not
        a number where masked becomes not a number (0 times infinity); a loss scaler has looked for
        those before.
        """
        self.unbind()
        self._optimizer = optimizer
        for name, mask in self._masks.items():
            self._clear_moments(self._weights[name], ~mask)
        self._after = after
        self._handles = [
            optimizer.register_step_pre_hook(self._stepping),
            optimizer.register_step_post_hook(self._stepped),
        ]

    def unbind(self) -> None:
        """Let go of the optimizer; nothing is applied any more until `bind`."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._optimizer = self._after = None

    def _stepping(self, _optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        if self._keeping:
            self._gradients = {name: grad.clone() for name, grad in self.gradients().items()}
        self.mask_gradients()

    def _stepped(self, _optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        self.apply()
        if self._after is not None:
            self._after()

    @contextmanager
    def keeping_gradients(self) -> Iterator[None]:
        """Keep what a step meanwhile masks of the gradients, for `gradients`."""
        self._keeping = True
        try:
            yield
        finally:
            self._keeping, self._gradients = False, {}

    def gradients(self) -> dict[str, Tensor]:
        """The weights' gradients by name, as computed, if they were kept; empty before the first.

        Zero for a weight that the loss does not depend on.
        """
        own = {n: weight.grad for n, weight in self._weights.items() if weight.grad is not None}
        found = self._gradients or own
        if not found:
            return {}
        return {
            name: found[name] if name in found else torch.zeros_like(weight)
            for name, weight in self._weights.items()
        }

    @torch.no_grad()
    def apply(self) -> None:
        """Set masked weights to zero: one multiplication over all layers."""
        if self._factors:
            torch._foreach_mul_(self._parameters, self._factors)

    @torch.no_grad()
    def mask_gradients(self) -> None:
        """Set masked weights' gradients to zero: one multiplication over all layers."""
        pairs = [
            (weight.grad, factor)
            for weight, factor in zip(self._parameters, self._factors, strict=False)
            if weight.grad is not None
        ]
        if pairs:
            torch._foreach_mul_([grad for grad, _ in pairs], [factor for _, factor in pairs])

    # -- looking

    @torch.no_grad()
    def violations(self) -> list[str]:
        """Names of weights with a masked entry that is not exactly 0 (or not a number)."""
        if not self._masks:
            return []
        broken = torch.stack(
            [
                ((self._weights[name] != 0) & ~mask).any().to(self._parameters[0].device)
                for name, mask in self._masks.items()
            ]
        )
        return [name for name, bad in zip(self._masks, broken.tolist(), strict=True) if bad]

    def counts(self) -> Counts:
        """Weights in scope and zeros by mask, in all and by layer."""
        layers = {
            name: Counts(weight.numel(), int((~self._masks[name]).sum()) if self._masks else 0, {})
            for name, weight in self._weights.items()
        }
        total = sum(layer.total for layer in layers.values())
        return Counts(total, sum(layer.zero for layer in layers.values()), layers)

    def digest(self) -> str:
        """64 hex digits over names, shapes and bits of the masks, the same on every device."""
        shapes = [[name, list(mask.shape)] for name, mask in self._masks.items()]
        content = hashlib.sha256(json.dumps(shapes).encode())
        for mask in self._masks.values():
            content.update(np.packbits(mask.cpu().contiguous().reshape(-1).numpy()).tobytes())
        return content.hexdigest()

    # -- keeping

    def state_dict(self) -> dict[str, Tensor]:
        """Copy the masks as bytes (uint8, 1 is kept); empty before the first `set`."""
        return {name: mask.to(torch.uint8) for name, mask in self._masks.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state_dict` gave (or bool tensors).

        Weights and moments are left as they are: they come from the same checkpoint, and
        `violations` tells whether they fit. Raises `TostError` and changes nothing if a mask
        holds anything but 0 and 1 or does not fit the scope.
        """
        if not state:
            self._masks, self._factors, self._checksums = {}, [], []
            return
        # a bool tensor read from a file may hold any byte
        raw = {n: m.view(torch.uint8) if m.dtype == torch.bool else m for n, m in state.items()}
        bad = [n for n, m in raw.items() if m.dtype == torch.uint8 and bool((m > 1).any())]
        if bad:
            names = ", ".join(f"`{name}`" for name in bad)
            raise TostError.of("T508", reason=f"other bytes than 0 and 1 in {names}")
        masks = {n: m.to(torch.bool) if m.dtype == torch.uint8 else m for n, m in raw.items()}
        self._refuse_misfits(masks)
        self._store(masks)


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a single number"
