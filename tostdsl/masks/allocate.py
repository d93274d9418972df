"""How many weights each layer keeps, and which: exact counts, the same on every machine.

Counts are computed with fractions, so they hit the wanted sparsity to the weight. Weights are
chosen by index, never by a threshold alone, so ties change no count; of equal scores the one that
stands earlier in the network (layer by layer, row by row) is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import floor, prod
from typing import TYPE_CHECKING

from tostdsl.diagnostics import TostError
from tostdsl.plan.bases import kept_total as kept_total
from tostdsl.plan.spec import Problem
from tostdsl.units import Percent

if TYPE_CHECKING:
    from torch import Tensor

Shape = Sequence[int]


def sparsity_problems(sparsity: Percent) -> Iterator[Problem]:
    """Yield the problem of a sparsity outside [0%, 100%), for a method's `check`."""
    if not 0 <= sparsity.fraction < 1:
        bound = "at least 0% and below 100%"
        values = {"name": "sparsity", "bound": bound, "found": f"`{sparsity}`"}
        yield Problem("T303", values, ("sparsity",))


def uniform_shares(shapes: Sequence[Shape], sparsity: Fraction) -> list[Fraction]:
    """Weights each layer keeps, not rounded, when all have one density."""
    return [(1 - sparsity) * prod(shape) for shape in shapes]


def erk_shares(shapes: Sequence[Shape], sparsity: Fraction) -> list[Fraction]:
    """Weights each layer keeps, not rounded, under the Erdős-Rényi-kernel rule.

    A layer's density is epsilon * sum(shape) / prod(shape), so it keeps epsilon * sum(shape)
    weights. A layer that would keep more than it has becomes dense and epsilon is solved again
    over the others, until none does.
    """
    sizes = [prod(shape) for shape in shapes]
    shares = [Fraction(size) for size in sizes]
    sparse = list(range(len(shapes)))
    left = (1 - sparsity) * sum(sizes)
    while sparse:
        epsilon = left / sum(sum(shapes[i]) for i in sparse)
        full = {i for i in sparse if epsilon * sum(shapes[i]) > sizes[i]}
        if not full:
            for i in sparse:
                shares[i] = epsilon * sum(shapes[i])
            break
        left -= sum(sizes[i] for i in full)
        sparse = [i for i in sparse if i not in full]
    return shares


def share_out(shares: Sequence[Fraction], total: int) -> list[int]:
    """Whole numbers that sum to `total`, which is the sum of the shares rounded.

    Each share is rounded down, and what is left goes to the largest remainders, of equal ones to
    the earlier layer.
    """
    counts = [floor(share) for share in shares]
    order = sorted(range(len(shares)), key=lambda i: counts[i] - shares[i])
    for i in order[: total - sum(counts)]:
        counts[i] += 1
    return counts


def refuse_collapse(kept: Mapping[str, int], sparsity: Fraction) -> None:
    """Raise where a layer (by its weight's name) keeps nothing: no signal passes it."""
    empty = [name.rpartition(".")[0] or name for name, count in kept.items() if count == 0]
    if empty:
        layers = ", ".join(f"`{name}`" for name in empty[:3])
        more = f" and {len(empty) - 3} more" if len(empty) > 3 else ""
        raise TostError.of("T507", layers=layers + more, sparsity=percent_text(sparsity))


def percent_text(share: Fraction) -> str:
    """Write a share in percent for messages; a lottery's exact ones have hundreds of digits."""
    return f"{float(share * 100):.6g}%"


def keep_largest(
    scores: Mapping[str, Tensor], kept: int, among: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Masks that keep the `kept` largest scores over all tensors together, exactly so many.

    `among` (bool, by the same names) says which may be kept at all. Chosen on the CPU, so that
    every device gives the same masks; returned on the scores' devices.
    """
    import torch

    for name, score in scores.items():
        if bool(torch.isnan(score).any()):
            raise TostError.of("R305", layer=name.rpartition(".")[0] or name)
    flat = torch.cat([score.detach().reshape(-1).cpu() for score in scores.values()])
    if among:
        eligible = torch.cat([among[name].reshape(-1).cpu() for name in scores])
        chosen = torch.zeros_like(eligible)
        chosen[eligible] = _largest(flat[eligible], kept)
    else:
        chosen = _largest(flat, kept)
    parts = torch.split(chosen, [score.numel() for score in scores.values()])
    return {
        name: part.reshape(score.shape).to(score.device, copy=True)
        for (name, score), part in zip(scores.items(), parts, strict=True)
    }


def _largest(scores: Tensor, kept: int) -> Tensor:
    """Which of a flat tensor's entries are its `kept` largest, of equal ones the first."""
    import numpy as np
    import torch

    if not 0 <= kept <= len(scores):
        raise ValueError(f"cannot keep {kept} of {len(scores)} scores")
    if kept == 0:
        return torch.zeros_like(scores, dtype=torch.bool)
    # only the value of the last one kept is needed: selecting it is linear in every order of
    # scores, where sorting eleven million takes seconds and torch's kthvalue can be quadratic
    values = scores.numpy() if scores.dtype != torch.bfloat16 else scores.float().numpy()
    last = float(np.partition(values, len(values) - kept)[len(values) - kept])
    chosen = scores > last
    ties = (scores == last).nonzero().reshape(-1)
    chosen[ties[: kept - int(chosen.sum())]] = True
    return chosen
