"""Whether a masked network can still learn: what is empty, cut off, or leads nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from tostdsl.diagnostics import Diagnostic, TostError, diagnose
from tostdsl.masks.allocate import percent_text
from tostdsl.plan.masking import MaskMethod, MaskSite

if TYPE_CHECKING:
    from torch import Tensor

    from tostdsl.masks.paths import Paths


MUCH = Fraction(1, 2)
"""Share of the kept weights that is worth a line when it leads nowhere."""


def refuse_collapse(
    method: MaskMethod,
    site: MaskSite,
    masks: Mapping[str, Tensor],
    asked: Fraction | None = None,
) -> tuple[str, ...]:
    """Raise T507 where no path leads through the network any more, unless the method lets it.

    `asked` is the sparsity that this prune was to reach, if not the method's target. Returns what
    is worth telling, a line each: layers that keep no weight and are gone around (a residual branch
    that is cut), outputs that nothing of the image reaches, kept weights that lead nowhere.
    """
    from tostdsl.masks.paths import paths

    found = None
    if method.allow != "collapse":
        found = paths(site.model, masks, site.facts.shape)
        if collapsed(masks, found):
            from tostdsl.masks.remedy import remedy

            raise TostError([collapse(masks, remedy(method, site, asked))])
    return tuple(_lines(masks, found))


def _lines(masks: Mapping[str, Tensor], found: Paths | None) -> Iterator[str]:
    empty = empty_layers(masks)
    if empty:
        yield f"no weight is left in {named(empty)}"
    if found is None:
        return
    reached, outputs = found.outputs
    if reached < outputs:
        yield f"nothing of the image reaches {outputs - reached} of {outputs} outputs"
    kept = sum(int(mask.sum()) for mask in masks.values())
    off = kept - sum(int(each.sum()) for each in found.on_path.values())
    if off > MUCH * kept:
        yield f"{off:,} of the {kept:,} kept weights are on no path from the image to the outputs"


def empty_layers(masks: Mapping[str, Tensor]) -> tuple[str, ...]:
    """The layers that keep no weight."""
    return tuple(layer_of(name) for name, mask in masks.items() if not bool(mask.any()))


def collapsed(masks: Mapping[str, Tensor], found: Paths | None) -> bool:
    """Whether no path leads through; where they cannot be followed, whether a layer is empty."""
    return bool(empty_layers(masks)) if found is None else not found.connected


def collapse(masks: Mapping[str, Tensor], remedy: str) -> Diagnostic:
    """T507 of masks that collapse, with what to write instead."""
    total = sum(mask.numel() for mask in masks.values())
    zeros = total - sum(int(mask.sum()) for mask in masks.values())
    share = percent_text(Fraction(zeros, total))
    return diagnose("T507", what=collapse_words(masks), sparsity=share, remedy=remedy)


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
