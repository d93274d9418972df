"""Dead units: output channels of a layer that the network's own activation makes 0 everywhere.

Looked for at activations that are exactly 0 over a stretch of their inputs: ReLU, ReLU6 and
Hardswish, as modules and as functions. A unit counts by what enters its activation, whether a stage
has put a soft one in its place or not: before a seam and after it, with a stage and without, the
same is counted. In the plain network a unit that is dead over a batch gets no gradient from it;
through a soft activation it may get some.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from tostdsl.diagnostics import TostError
from tostdsl.engine import joints, nodes
from tostdsl.engine.calls import Call
from tostdsl.engine.structure import Structure
from tostdsl.engine.surgery import Surgeon

MODULES = (nn.ReLU, nn.ReLU6, nn.Hardswish)
CALLS = frozenset({"relu", "relu6", "hardswish"})
OFF = -3.0
"""Hardswish is 0 at and below this, and at 0."""


@dataclass(frozen=True, slots=True)
class Dead:
    """How many of a layer's units are dead."""

    dead: int
    units: int

    @property
    def share(self) -> float:
        """Dead units among all, in [0, 1]."""
        return self.dead / self.units


def total(counts: Mapping[str, Dead]) -> float | None:
    """Dead units among all of the network's; None where there are none to look at."""
    units = sum(each.units for each in counts.values())
    return sum(each.dead for each in counts.values()) / units if units else None


class Units:
    """The units of one network, found once.

    Units go by the convolution or linear layer that the activation follows, past a normalisation
    and a residual sum; an activation that follows none or several goes by its own name, with `#2`
    for its second call. Where the network cannot be traced all go by their activation modules, and
    activations called as functions are left out.
    """

    def __init__(self, surgeon: Surgeon) -> None:
        self._surgeon = surgeon
        model = surgeon.model
        self._modules = {n: m for n, m in model.named_modules() if isinstance(m, MODULES)}
        self._anchors = [m for m in model.modules() if isinstance(m, (*nodes.LAYERS, *nodes.NORMS))]
        self._linear = {n for n, m in model.named_modules() if isinstance(m, nn.Linear)}
        self._calls: Mapping[str, Call] = {}
        self._owners: dict[str, list[str]] = {}
        try:
            structure = surgeon.structure
            self._owners = _owners(structure)
            functions = surgeon.functions.calls
            self._calls = {n: call for n, call in functions.items() if call.kind in CALLS}
        except TostError:
            pass  # what cannot be traced can still be looked at through its modules

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        """Look at the one forward pass that runs inside; the network is left as it was."""
        seen = Watch(self._owners, self._linear)
        with ExitStack() as stack:
            for name, module in self._modules.items():
                handle = module.register_forward_hook(seen.hook(name, _kind(module)))
                stack.callback(handle.remove)
            for name, call in self._calls.items():
                hook = seen.hook(name, call.kind)
                call.put(hook)
                stack.callback(call.take, hook)
            # ghost neurons run through the network's own activations: what a module beside the
            # network puts out is theirs until a layer or normalisation of the network has run
            beside = self._surgeon.beside
            turns = [(each, True) for each in self._anchors] + [(each, False) for each in beside]
            for turning, own in turns if beside else ():
                stack.callback(turning.register_forward_hook(seen.turn(own)).remove)
            yield seen


class Watch:
    """What one forward pass showed."""

    def __init__(self, owners: Mapping[str, list[str]], linear: set[str]) -> None:
        self._owners = owners
        self._linear = linear
        self._own = True
        self._times: Counter[str] = Counter()
        self._dead: dict[str, Tensor] = {}
        """By layer, which of its units are dead (bool)."""

    def turn(self, own: bool) -> Callable[[nn.Module, Any, Any], None]:
        """A hook that says whose what comes next is: the network's or that of modules beside."""

        def hook(_module: nn.Module, _args: Any, _output: Any) -> None:
            self._own = own

        return hook

    def hook(self, name: str, kind: str) -> Callable[[nn.Module, Any, Any], Any]:
        """A hook after an activation of a kind, which gives its output on as it is."""

        def look(_module: nn.Module, args: Any, output: Tensor) -> Tensor:
            if self._own and output.dim() > 1 and output.numel():
                self._times[name] += 1
                self._take(name, self._times[name], _zero(kind, args[0].detach()))
            return output

        return look

    def _take(self, name: str, time: int, zero: Tensor) -> None:
        owners = self._owners.get(name, [])
        owner = owners[time - 1] if time <= len(owners) else ""
        features = owner in self._linear or (not owner and zero.dim() == 3)
        axis = zero.dim() - 1 if features else 1
        places = [each for each in range(zero.dim()) if each != axis]
        label = owner or (name if time == 1 else f"{name}#{time}")
        self._dead[label] = zero.all(dim=places)

    def read(self) -> dict[str, Dead]:
        """Dead units by layer, in the order in which the layers ran."""
        if not self._dead:
            return {}
        dead = torch.stack([each.sum() for each in self._dead.values()]).tolist()
        return {
            name: Dead(count, units.numel())
            for (name, units), count in zip(self._dead.items(), dead, strict=True)
        }


def _kind(module: nn.Module) -> str:
    return "hardswish" if isinstance(module, nn.Hardswish) else "relu"


def _zero(kind: str, x: Tensor) -> Tensor:
    """Where the activation of a kind is 0. What worked in place left its output, 0 there too."""
    return (x <= OFF) | (x == 0) if kind == "hardswish" else x <= 0


def _owners(structure: Structure) -> dict[str, list[str]]:
    """For each call of an activation, by its name and in order, the one layer it follows or ""."""
    layers: dict[fx.Node, list[str]] = {}
    for joint, (_, activation, _) in joints.find(structure):
        layers.setdefault(activation, []).append(joint.layer)
    names: dict[fx.Node, list[str]] = {}
    for node, call in structure.functions.places:
        names.setdefault(node, []).append(call.name)
    found: dict[str, list[str]] = {}
    for node in structure.graph.nodes:
        module = structure.module(node)
        own = [structure.name(node)] if isinstance(module, MODULES) else []
        behind = layers.get(node, [])
        for name in names.get(node, own):
            found.setdefault(name, []).append(behind[0] if len(behind) == 1 else "")
    return found
