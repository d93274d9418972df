"""Layers that nothing ranks: every weight scores 0, so that only the order would choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tostdsl.diagnostics import TostError

if TYPE_CHECKING:
    from torch import Tensor

    from tostdsl.plan.masking import MaskSite


def silent(scores: Mapping[str, Tensor]) -> tuple[str, ...]:
    """The weights, by name, of which every entry scores 0."""
    return tuple(name for name, score in scores.items() if not bool(score.any()))


def refuse_silence(
    method: str, site: MaskSite, found: Sequence[str], masks: Mapping[str, Tensor], why: str = ""
) -> None:
    """Raise T504 where masks prune weights that are `found` silent, in part or whole.

    `why` is what else than the weights can keep a score at 0, such as a gradient that does not
    arrive; empty where weights alone are looked at.
    """
    if all(bool(masks[name].all()) for name in found):
        return
    layers = [_layer(name) for name in found]
    every = site.model.named_parameters()
    zero = [_layer(name) for name, w in every if w.dim() > 1 and not bool(w.any())]
    more = f" and {len(layers) - 1} more" if len(layers) > 1 else ""
    dense = ", ".join(f'"{name}"' for name in layers[:3]) + (", …" if len(layers) > 3 else "")
    help = f"leave dense what scores 0: `except {dense}`"
    if zero and why:  # without that layer nothing else gets a gradient either
        help = f"start `{zero[0]}` from other weights, or take a mask that needs no gradient"
    if zero and set(layers) <= set(zero):
        why = "weights that are 0 before training"
    elif zero:
        why = f"those of `{zero[0]}` are all 0 before training, which lets no gradient through"
    reason = f"every weight of `{layers[0]}`{more} scores 0, so nothing ranks them: {why}"
    raise TostError.of("T504", name=method, reason=reason, help=help)


def _layer(weight: str) -> str:
    return weight.rpartition(".")[0] or weight
