"""Whether a masked network can still learn: what is empty, cut off, or leads nowhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from tostdsl.diagnostics import Diagnostic, TostError, diagnose
from tostdsl.masks.allocate import percent_below, percent_text
from tostdsl.plan.masking import MaskMethod, MaskSite

if TYPE_CHECKING:
    from torch import Tensor

    from tostdsl.masks.paths import Paths


OWN = "bring another mask, or go on all the same with `allow=collapse`"
"""What helps where nobody asked for a sparsity."""


def refuse_collapse(
    method: MaskMethod, site: MaskSite, masks: Mapping[str, Tensor]
) -> tuple[str, ...]:
    """Raise T507 where no path leads through the network any more, unless the method lets it.

    Returns the layers that keep no weight and are gone around (a residual branch that is cut).
    """
    from tostdsl.masks.paths import paths

    if method.allow != "collapse":
        found = paths(site.model, masks, site.facts.shape)
        if collapsed(masks, found):
            help = OWN if method.target() is None else None
            raise TostError([collapse(masks, method.highest(site), help)])
    return empty_layers(masks)


def empty_layers(masks: Mapping[str, Tensor]) -> tuple[str, ...]:
    """The layers that keep no weight."""
    return tuple(layer_of(name) for name, mask in masks.items() if not bool(mask.any()))


def collapsed(masks: Mapping[str, Tensor], found: Paths | None) -> bool:
    """Whether no path leads through; where they cannot be followed, whether a layer is empty."""
    return bool(empty_layers(masks)) if found is None else not found.connected


def collapse(
    masks: Mapping[str, Tensor], highest: Fraction | None, help: str | None = None
) -> Diagnostic:
    """T507 of masks that collapse; `highest` is the sparsity at which no layer is empty."""
    lower = "lower `sparsity`"
    if highest is not None:
        lower = f"write `sparsity={percent_below(highest)}` at most, where no layer is empty"
    total = sum(mask.numel() for mask in masks.values())
    zeros = total - sum(int(mask.sum()) for mask in masks.values())
    share = percent_text(Fraction(zeros, total))
    return diagnose("T507", what=collapse_words(masks), sparsity=share, lower=lower, help=help)


def collapse_words(masks: Mapping[str, Tensor]) -> str:
    """What masks that collapse do to the network."""
    empty = empty_layers(masks)
    return f"leaves no weight in {named(empty)}" if empty else (
        "cuts every path from the input to the outputs"
    )  # fmt: skip


def named(layers: Sequence[str], most: int = 3) -> str:
    """Layers for a message, not more than a few."""
    more = f" and {len(layers) - most} more" if len(layers) > most else ""
    return ", ".join(f"`{name}`" for name in layers[:most]) + more


def layer_of(weight: str) -> str:
    """The layer that a weight's parameter name belongs to."""
    return weight.rpartition(".")[0] or weight
