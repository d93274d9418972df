"""The health of masks, layer by layer: what is kept, what is dead, what fits 2:4.

Everything is counted on the masks themselves and, where paths can be followed, on those of their
weights that lie on one (`masks.paths`). Nothing is trained and nothing is changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from tostdsl.masks.health import collapsed, layer_of
from tostdsl.masks.paths import paths

GROUP, MOST = 4, 2
"""2:4 sparsity: of four weights side by side along the input channels at most two are kept."""


@dataclass(frozen=True, slots=True)
class Channels:
    """One side of a layer: its channels (of a linear layer: features) by number from 0."""

    total: int
    empty: tuple[int, ...]
    """Those with no kept weight."""
    dead: tuple[int, ...]
    """Those with no kept weight on a path; where paths are not known, those that are empty."""

    def to_json(self) -> dict[str, Any]:
        """A plain form for programs."""
        return {"total": self.total, "empty": list(self.empty), "dead": list(self.dead)}


@dataclass(frozen=True, slots=True)
class LayerHealth:
    """One layer under its mask."""

    name: str
    shape: tuple[int, ...]
    """Of its weight: (out, in / groups, …)."""
    kept: int
    on_path: int | None
    """Kept weights on a path from the input to the outputs; None where paths are not known."""
    idle: int
    """Kept weights on no path even where nothing is masked; 0 where paths are not known."""
    zeros: int
    """Kept weights whose value is exactly 0."""
    inputs: Channels
    outputs: Channels
    fours: int
    """Groups of four along the input channels; 0 where those are not divisible by four."""
    conforming: int
    """How many of these groups keep at most two."""
    uses: int | None
    """How often one image's forward pass uses each weight; None where it is not known."""

    @property
    def total(self) -> int:
        """How many weights it has."""
        return prod(self.shape)

    @property
    def density(self) -> Fraction:
        """Share of its weights that are kept, exact."""
        return Fraction(self.kept, self.total)

    @property
    def alive(self) -> bool:
        """Whether it keeps a weight, on a path as far as that is known."""
        return bool(self.kept if self.on_path is None else self.on_path)

    def to_json(self) -> dict[str, Any]:
        """A plain form for programs."""
        return {
            "layer": self.name,
            "shape": list(self.shape),
            "total": self.total,
            "kept": self.kept,
            "density": float(self.density),
            "on_path": self.on_path,
            "idle_when_dense": self.idle,
            "live_zeros": self.zeros,
            "inputs": self.inputs.to_json(),
            "outputs": self.outputs.to_json(),
            "two_four": {"groups": self.fours, "conforming": self.conforming},
            "multiply_adds": {
                "dense": None if self.uses is None else self.uses * self.total,
                "ideal": None if self.uses is None else self.uses * self.kept,
            },
        }


@dataclass(frozen=True, slots=True)
class MaskReport:
    """All layers in scope under their masks, and what is counted over them."""

    layers: tuple[LayerHealth, ...]
    """Those in scope, in the network's order."""
    outside: Mapping[str, int]
    """Weights of each convolution and linear layer that is not in scope."""
    others: Mapping[str, int]
    """Entries of each parameter that is no weight of a convolution or linear layer: biases,
    normalisations, what attention projects its input with, embeddings."""
    parameters: int
    """Of the whole network, biases and normalisations too."""
    connected: bool | None
    """Whether a path leads from the input to the outputs; None where that is not known."""
    collapsed: bool
    """Whether nothing gets through; where paths are not known, whether a layer is empty."""
    dense: int
    """Multiply-adds of one image's forward pass in all layers whose uses are known."""
    uncounted: Mapping[str, int]
    """Weights of each convolution and linear layer whose uses are not known."""

    @property
    def total(self) -> int:
        """Weights in scope, of which sparsity is a share."""
        return sum(layer.total for layer in self.layers)

    @property
    def kept(self) -> int:
        """Weights in scope that are kept."""
        return sum(layer.kept for layer in self.layers)

    @property
    def sparsity(self) -> Fraction:
        """Share of the weights in scope that are pruned, exact."""
        return 1 - Fraction(self.kept, self.total)

    @property
    def on_path(self) -> int | None:
        """Kept weights on a path; None where that is not known."""
        if self.connected is None:
            return None
        return sum(layer.on_path or 0 for layer in self.layers)

    @property
    def effective(self) -> Fraction | None:
        """Effective sparsity: the share that is pruned or on no path; None where not known."""
        return None if self.on_path is None else 1 - Fraction(self.on_path, self.total)

    @property
    def empty(self) -> tuple[str, ...]:
        """Layers that keep no weight."""
        return tuple(layer.name for layer in self.layers if not layer.kept)

    @property
    def cut(self) -> tuple[str, ...]:
        """Layers that nothing gets through while the network goes around them."""
        if self.collapsed:
            return ()
        return tuple(layer.name for layer in self.layers if not layer.alive)

    @property
    def zeros(self) -> int:
        """Kept weights that are exactly 0."""
        return sum(layer.zeros for layer in self.layers)

    @property
    def fours(self) -> tuple[int, int]:
        """Groups of four that keep at most two, and all such groups."""
        layers = self.layers
        return sum(layer.conforming for layer in layers), sum(layer.fours for layer in layers)

    @property
    def ideal(self) -> int:
        """Multiply-adds of one image's forward pass if only kept weights were multiplied."""
        return self.dense - sum((la.uses or 0) * (la.total - la.kept) for la in self.layers)

    def dead(self, side: str) -> tuple[int, int]:
        """Dead channels on a side (`inputs` or `outputs`) of all layers in scope, and of how many.

        A channel counts at each layer that reads or writes it.
        """
        sides: list[Channels] = [getattr(layer, side) for layer in self.layers]
        return sum(len(each.dead) for each in sides), sum(each.total for each in sides)

    def to_json(self) -> dict[str, Any]:
        """A plain form for programs."""
        conforming, fours = self.fours
        pruned = self.total - self.kept
        return {
            "layers": [layer.to_json() for layer in self.layers],
            "outside_scope": dict(self.outside),
            "other_parameters": dict(self.others),
            "weights_in_scope": self.total,
            "kept": self.kept,
            "sparsity": float(self.sparsity),
            "parameters": self.parameters,
            "pruned_share_of_parameters": pruned / self.parameters,
            "connected": self.connected,
            "collapsed": self.collapsed,
            "on_path": self.on_path,
            "effective_sparsity": None if self.effective is None else float(self.effective),
            "empty_layers": list(self.empty),
            "cut_layers": list(self.cut),
            "live_zeros": self.zeros,
            "two_four": {"groups": fours, "conforming": conforming},
            "multiply_adds": {
                "dense": self.dense,
                "as_executed": self.dense,
                "ideal": self.ideal,
                "not_counted": list(self.uncounted),
            },
        }


def examine(
    model: nn.Module,
    masks: Mapping[str, Tensor],
    shape: Sequence[int],
    uses: Mapping[str, int],
    known: Mapping[str, nn.Module],
) -> MaskReport:
    """Look at masks (bool, True is kept, by parameter name) on a network.

    `shape` is an image's (channels, height, width). `known` are the network's convolutions and
    linear layers by name, and `uses` says of them how often one image's forward pass uses each of
    their weights, as far as that is known.
    """
    found, plain = paths(model, masks, shape), None
    if found is not None and any(bool((m & ~found.on_path[n]).any()) for n, m in masks.items()):
        plain = paths(model, {n: torch.ones_like(mask) for n, mask in masks.items()}, shape)
    values = dict(model.named_parameters(remove_duplicate=False))
    layers = []
    for name, mask in masks.items():
        layer = layer_of(name)
        groups = getattr(known.get(layer), "groups", 1)
        on_path = found.on_path[name] if found is not None else None
        idle = int((mask & ~plain.on_path[name]).sum()) if plain is not None else 0
        layers.append(_layer(layer, mask, on_path, idle, values[name], groups, uses.get(layer)))
    scope = {id(values[name]) for name in masks}
    outside: dict[str, int] = {}
    for name, module in known.items():
        if id(module.weight) not in scope and isinstance(module.weight, Tensor):
            outside[name] = module.weight.numel()
    sizes = {layer.name: layer.total for layer in layers} | outside
    weights = scope | {id(module.weight) for module in known.values()}
    return MaskReport(
        tuple(layers),
        outside,
        {n: p.numel() for n, p in model.named_parameters() if id(p) not in weights},
        sum(parameter.numel() for parameter in model.parameters()),
        None if found is None else found.connected,
        collapsed(masks, found),
        sum(uses[name] * size for name, size in sizes.items() if name in uses),
        {name: size for name, size in sizes.items() if name not in uses},
    )


def _layer(
    name: str,
    mask: Tensor,
    on_path: Tensor | None,
    idle: int,
    value: Tensor,
    groups: int,
    uses: int | None,
) -> LayerHealth:
    fours, conforming = two_four(mask)
    return LayerHealth(
        name,
        tuple(mask.shape),
        int(mask.sum()),
        None if on_path is None else int(on_path.sum()),
        idle,
        int(((value.detach() == 0) & mask).sum()),
        _channels(mask, on_path, groups, 0),
        _channels(mask, on_path, groups, 1),
        fours,
        conforming,
        uses,
    )


def _channels(mask: Tensor, on_path: Tensor | None, groups: int, side: int) -> Channels:
    """The channels of a layer, inputs for side 0 and outputs for 1."""
    empty = _unused(mask, groups, side)
    dead = empty if on_path is None else _unused(on_path, groups, side)
    return Channels(len(empty), _places(empty), _places(dead))


def _unused(kept: Tensor, groups: int, side: int) -> Tensor:
    """Which channels have no weight that is kept (bool)."""
    flat = kept.reshape(groups, kept.shape[0] // groups, kept.shape[1], -1).any(3)
    return ~(flat.any(2) if side else flat.any(1)).reshape(-1)


def _places(flags: Tensor) -> tuple[int, ...]:
    return tuple(flags.nonzero().reshape(-1).tolist())


def two_four(mask: Tensor) -> tuple[int, int]:
    """How many groups of four along the input channels a mask has, and how many fit 2:4.

    A group are four neighbours of one output at one place of the kernel, as hardware reads them.
    (0, 0) where the input channels are not divisible by four.
    """
    if mask.shape[1] % GROUP:
        return 0, 0
    kept = mask.reshape(mask.shape[0], mask.shape[1] // GROUP, GROUP, -1).sum(2)
    return kept.numel(), int((kept <= MOST).sum())
