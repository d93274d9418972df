"""What to write where masks collapse: a sparsity that was tried, another law, or less."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from tostdsl.diagnostics import TostError
from tostdsl.masks.allocate import percent_below
from tostdsl.masks.health import collapsed
from tostdsl.masks.paths import paths
from tostdsl.masks.shares import highest_where

if TYPE_CHECKING:
    from torch import Tensor

    from tostdsl.plan.masking import MaskMethod, MaskSite

OWN = "bring another mask"
"""What helps where nobody asked for a sparsity."""

Chooser = Callable[[Fraction], "Mapping[str, Tensor]"]


def remedy(method: MaskMethod, site: MaskSite, asked: Fraction | None = None) -> str:
    """What to write instead of masks that collapsed at the sparsity `asked` for.

    A figure is named only where the method's own masks were looked at there, and is below what was
    asked; another distribution only where the method has one and, if it can be looked at, it helps.
    """
    asked = method.target() if asked is None else asked
    if asked is None:
        return OWN
    chosen, ways = method.masks_at(site), "lower `sparsity`"
    highest = None if chosen is None else highest_connected(chosen, site, asked)
    if highest is not None:
        most = percent_below(highest)
        ways = f"write `sparsity={most}` at most, where a path is left from the image to a class"
    ways += ", leave small layers dense with `except`"
    if getattr(method, "distribution", "erk") != "erk":
        other = method.model_copy(update={"distribution": "erk"}).masks_at(site)
        if other is None or _alive(other, site, asked):
            ways += ", share it out by layer (`distribution=erk`)"
    return ways


def highest_connected(chosen: Chooser, site: MaskSite, below: Fraction) -> Fraction | None:
    """The highest sparsity below another, to a hundredth of a percent, whose masks do not collapse.

    Found by halving, so where a higher one happens to be connected again, that is not seen; None
    where none is found.
    """
    return highest_where(lambda sparsity: _alive(chosen, site, sparsity), below)


def _alive(chosen: Chooser, site: MaskSite, sparsity: Fraction) -> bool:
    try:
        masks = chosen(sparsity)
    except TostError:
        return False
    return not collapsed(masks, paths(site.model, masks, site.facts.shape))
