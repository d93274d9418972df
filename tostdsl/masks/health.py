"""Whether a masked network can still learn: what is empty, cut off, or leads nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from tostdsl.diagnostics import TostError
from tostdsl.masks.allocate import percent_below, percent_text
from tostdsl.plan.masking import MaskMethod, MaskSite

if TYPE_CHECKING:
    from torch import Tensor


def refuse_collapse(
    method: MaskMethod, site: MaskSite, masks: Mapping[str, Tensor]
) -> tuple[str, ...]:
    """Raise T507 where no path leads through the network any more, unless the method lets it.

    Returns the layers that keep no weight and are gone around (a residual branch that is cut).
    Where paths cannot be followed, an empty layer is taken for a collapse.
    """
    from tostdsl.masks.paths import paths

    empty = tuple(layer_of(name) for name, mask in masks.items() if not bool(mask.any()))
    found = paths(site.model, masks, site.facts.shape)
    if found.connected if found is not None else not empty:
        return empty
    if method.allow == "collapse":
        return empty
    total = sum(mask.numel() for mask in masks.values())
    zeros = total - sum(int(mask.sum()) for mask in masks.values())
    highest, lower = method.highest(site), "lower `sparsity`"
    if highest is not None:
        lower = f"write `sparsity={percent_below(highest)}` at most, where no layer is empty"
    help = None
    if method.target() is None:
        help = "bring another mask, or go on all the same with `allow=collapse`"
    if empty:
        more = f" and {len(empty) - 3} more" if len(empty) > 3 else ""
        names = ", ".join(f"`{name}`" for name in empty[:3])
        what = f"leaves no weight in {names}{more}"
    else:
        what = "cuts every path from the input to the outputs"
    raise TostError.of(
        "T507", what=what, sparsity=percent_text(Fraction(zeros, total)), lower=lower, help=help
    )


def layer_of(weight: str) -> str:
    """The layer that a weight's parameter name belongs to."""
    return weight.rpartition(".")[0] or weight
