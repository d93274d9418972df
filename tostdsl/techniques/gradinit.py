"""Learned scales of initial weights: GradInit on a masked network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from tostdsl.diagnostics import TostError
from tostdsl.engine.hooks import Batch, Network
from tostdsl.techniques import twice

SCALED = (
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear,
    nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm,
)  # fmt: skip
BETAS = 0.9, 0.999
EPS = 1e-8
REHEARSED = 3
"""Iterations in a rehearsal."""
TRIAL = 4
"""Images in a trial of second derivatives: enough for statistics of a channel with one place."""

Aim = Literal["objective", "constraint"]


@dataclass(frozen=True, slots=True)
class Settings:
    """The arguments of `init(rescale=learned)`."""

    iterations: int
    lr: float
    eta: float
    gamma: float
    normalise: bool
    clip: float
    floor: float


@dataclass(frozen=True, slots=True)
class Piece:
    """A trained tensor, with a scale that moves or stays at 1."""

    name: str
    parameter: nn.Parameter
    base: Tensor
    """Its values before, masked ones zero."""
    mask: Tensor | None
    """1 and 0 in its dtype."""
    floor: float
    free: bool
    """Whether its scale moves."""


class ScaleAdam:
    """Adam on scales (CPU, float64, one a tensor), see `init`; a scale of 0 is final."""

    def __init__(self, pieces: Sequence[Piece], settings: Settings) -> None:
        self.scales = torch.ones(len(pieces), dtype=torch.float64)
        self._settings = settings
        self._floors = torch.tensor([piece.floor for piece in pieces], dtype=torch.float64)
        self._free = torch.tensor([piece.free for piece in pieces])
        self._first = {aim: torch.zeros_like(self.scales) for aim in ("objective", "constraint")}
        self._second = torch.zeros_like(self.scales)
        self.steps = {"objective": 0, "constraint": 0}

    def step(self, slopes: Tensor, aim: Aim) -> None:
        """Move the scales against the slopes."""
        beta, beta2 = BETAS
        clip, lr = self._settings.clip, self._settings.lr
        slopes = slopes.clamp(-clip, clip)
        self.steps[aim] += 1
        first, second = self._first[aim], self._second
        first.mul_(beta).add_(slopes * (1 - beta))
        second.mul_(beta2).add_(slopes * slopes * (1 - beta2))
        size = (second / (1 - beta2 ** sum(self.steps.values()))).sqrt() + EPS
        moved = self.scales - lr / (1 - beta ** self.steps[aim]) * first / size
        moved = moved.maximum(self._floors)
        self.scales = torch.where(self._free & (self.scales > 0), moved, self.scales)


def learn(net: Network, selected: Sequence[str], settings: Settings) -> None:
    """Learn the scales and apply them; `selected` are the layers whose scales may move.

    Raises:
        TostError: R320 where the gradient is no number or zero; T523 where the network cannot be
            differentiated twice.

    """
    pieces = _pieces(net, set(selected) if net.chosen else None, settings.floor)
    adam = ScaleAdam(pieces, settings)
    iterations = min(settings.iterations, REHEARSED) if net.rehearsal else settings.iterations
    with _quiet(net):
        for iteration in range(iterations):
            batches = [net.batch("gradinit", 3 * iteration + place) for place in range(3)]
            step = partial(_iterate, net, pieces, adam, settings, batches)
            twice.or_refuse(net.model, _few(pieces, batches[0]), step)
    with torch.no_grad():
        for piece, value in zip(pieces, _scaled(pieces, adam.scales), strict=True):
            piece.parameter.copy_(value)
    _tell(net, pieces, adam)


def check(net: Network) -> None:
    """Differentiate twice with few images, long before any scale is learned.

    Whether the search itself gets to second derivatives depends on how large gradients are.

    Raises:
        TostError: T523 where the network cannot be differentiated twice.

    """
    pieces, batch = _pieces(net, None, 0.0), net.batch("gradinit", 0)
    images = _few(pieces, batch)

    def differentiate() -> None:
        values = [piece.base.requires_grad_() for piece in pieces]
        weights = dict(zip((piece.name for piece in pieces), values, strict=True))
        outputs: Tensor = functional_call(net.model, weights, (images,))
        loss = functional.cross_entropy(outputs, batch.labels[: len(images)])
        slopes = _grad(loss, values, create_graph=True)
        _grad(torch.stack([slope.square().sum() for slope in slopes]).sum(), values)

    with _quiet(net):
        twice.or_refuse(net.model, images, differentiate)


def _few(pieces: Sequence[Piece], batch: Batch) -> Tensor:
    return batch.images[:TRIAL].to(pieces[0].base.dtype)


def _tell(net: Network, pieces: Sequence[Piece], adam: ScaleAdam) -> None:
    values = adam.scales.tolist()
    moved = [(value, piece.name) for value, piece in zip(values, pieces, strict=True) if piece.free]
    (least, low), (most, high) = min(moved), max(moved)
    net.report(
        f"learned {len(moved)} scales, {least:.3g} ({low}) to {most:.3g} ({high}); "
        f"{adam.steps['constraint']} of {sum(adam.steps.values())} steps lessened the gradient"
    )


def _pieces(net: Network, selected: set[str] | None, floor: float) -> list[Piece]:
    own: set[int] = set()
    movable: set[int] = set()
    for owner, module in net.model.named_modules():
        if isinstance(module, SCALED):
            found = {id(parameter) for parameter in module.parameters(recurse=False)}
            own |= found
            movable |= found if selected is None or owner in selected else set()
    pieces: list[Piece] = []
    for name, parameter in net.model.named_parameters():
        if id(parameter) not in own and not parameter.requires_grad:
            continue
        base, mask = parameter.detach().clone(), net.masks.get(name)
        if mask is not None:
            base.masked_fill_(~mask, 0)
        free = id(parameter) in movable and bool(base.any())
        factor = None if mask is None else mask.to(base.dtype)
        least = 0.0 if "bias" in name.rpartition(".")[2] else floor
        pieces.append(Piece(name, parameter, base, factor, least, free))
    if not any(piece.free for piece in pieces):
        model = type(net.model).__name__
        raise TostError.of("T502", stage="init", model=model, reason="all its weights are zero")
    return pieces


def _iterate(
    net: Network,
    pieces: Sequence[Piece],
    adam: ScaleAdam,
    settings: Settings,
    batches: Sequence[Batch],
) -> None:
    """One step of the scales; `batches` are A, B and C of `init`'s documentation."""
    a, b, c = batches
    scales = adam.scales.clone().requires_grad_()
    now = _scaled(pieces, scales)
    loss = _loss(net, pieces, now, a, b)
    slopes = _grad(loss, now, create_graph=True)
    slopes = [g if p.mask is None else g * p.mask for p, g in zip(pieces, slopes, strict=True)]
    norm = torch.stack([g.square().sum() for g in slopes]).sum().sqrt()
    size = float(norm.detach())
    if not torch.isfinite(norm) or size == 0:
        raise TostError.of("R320", size=f"{size:g}")
    if size > settings.gamma:
        adam.step(_grad(norm, [scales])[0], "constraint")
        return
    reach = settings.eta / size if settings.normalise else settings.eta
    ahead = [w - reach * g.detach() for w, g in zip(now, slopes, strict=True)]
    del slopes, norm
    objective = _loss(net, pieces, ahead, a, c) / settings.eta
    adam.step(_grad(objective, [scales])[0], "objective")


def _scaled(pieces: Sequence[Piece], scales: Tensor) -> list[Tensor]:
    """The tensors times their scales, which reach the device in one copy."""
    there = scales.to(pieces[0].base).unbind()
    return [piece.base * scale.to(piece.base) for piece, scale in zip(pieces, there, strict=True)]


def _loss(
    net: Network, pieces: Sequence[Piece], values: Sequence[Tensor], a: Batch, b: Batch
) -> Tensor:
    images = torch.cat([a.images, b.images]).to(values[0].dtype)
    weights = {piece.name: value for piece, value in zip(pieces, values, strict=True)}
    outputs: Tensor = functional_call(net.model, weights, (images,))
    return functional.cross_entropy(outputs, torch.cat([a.labels, b.labels]))


def _grad(of: Tensor, by: Sequence[Tensor], create_graph: bool = False) -> list[Tensor]:
    return list(
        torch.autograd.grad(
            of, by, create_graph=create_graph, allow_unused=True, materialize_grads=True
        )
    )


@contextmanager
def _quiet(net: Network) -> Iterator[None]:
    """Batch statistics in every batch normalisation, all else as in evaluation, then as before.

    Attention takes the form that has second derivatives.
    """
    modules = [m for root in (net.model, *net.beside) for m in root.modules()]
    modes = [(module, module.training) for module in modules]
    norms = [module for module in modules if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    buffers = [buffer for norm in norms for buffer in norm.buffers(recurse=False)]
    kept = [buffer.clone() for buffer in buffers]
    try:
        for module in modules:
            module.training = isinstance(module, nn.modules.batchnorm._BatchNorm)
        with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        for module, mode in modes:
            module.training = mode
        with torch.no_grad():
            for buffer, value in zip(buffers, kept, strict=True):
                buffer.copy_(value)
