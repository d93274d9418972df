"""How many weights each layer keeps, and which: exact counts, the same on every machine.

Counts are computed with fractions, so they hit the wanted sparsity to the weight. Weights are
chosen by index, never by a threshold alone, so ties change no count; of equal scores the one that
stands earlier in the network (layer by layer, row by row) is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING, Any

from tostdsl.diagnostics import TostError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


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


def percent_below(share: Fraction) -> str:
    """The largest percent of two digits behind the point that is not above a share."""
    return f"{float(Fraction(floor(share * 10000), 100)):g}%"


def percent_text(share: Fraction) -> str:
    """Write a share in percent for messages, to two digits below 99.9%.

    A lottery's exact ones have hundreds of digits; that of whole weights is seldom a round one.
    """
    value = float(share * 100)
    return f"{round(value, 2):g}%" if value < 99.9 else f"{value:.6g}%"


def keep_largest(
    scores: Mapping[str, Tensor], kept: int, among: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Masks that keep the `kept` largest scores over all tensors together, exactly so many.

    `among` (bool, by the same names) says which may be kept at all. Chosen on the CPU, so that
    every device gives the same masks; returned on the scores' devices.
    """
    import numpy as np
    import torch

    # numpy's selection by a mask takes a fifth of the time of torch's
    flat, eligible = [], {}
    for name, score in scores.items():
        values = _array(score)
        if among:
            eligible[name] = among[name].detach().cpu().reshape(-1).numpy()
            values = values[eligible[name]]  # of a network pruned far that is a small part
        if len(values) and np.isnan(values.min()):
            raise TostError.of("R305", layer=name.rpartition(".")[0] or name)
        flat.append(values)
    chosen = np.split(_largest(np.concatenate(flat), kept), np.cumsum([len(v) for v in flat])[:-1])
    masks = {}
    for (name, score), part in zip(scores.items(), chosen, strict=True):
        mask = part
        if among:
            mask = np.zeros(score.numel(), dtype=bool)
            mask[eligible[name]] = part
        masks[name] = torch.tensor(mask).reshape(score.shape).to(score.device)
    return masks


def _array(score: Tensor) -> NDArray[Any]:
    """A tensor's values in order, as numpy has them; it has no bfloat16."""
    import torch

    flat = score.detach().reshape(-1).cpu()
    return (flat.float() if flat.dtype == torch.bfloat16 else flat).numpy()


def _largest(values: NDArray[Any], kept: int) -> NDArray[np.bool_]:
    """Which entries are the `kept` largest, of equal ones the first."""
    import numpy as np

    if not 0 <= kept <= len(values):
        raise ValueError(f"cannot keep {kept} of {len(values)} scores")
    if kept == 0:
        return np.zeros(len(values), dtype=bool)
    # only the value of the last one kept is needed: selecting it is linear in every order of
    # scores, where sorting eleven million takes seconds and torch's kthvalue can be quadratic
    last = np.partition(values, len(values) - kept)[len(values) - kept]
    chosen: NDArray[np.bool_] = values > last
    chosen[np.flatnonzero(values == last)[: kept - int(chosen.sum())]] = True
    return chosen


def highest_of(scores: Mapping[str, Tensor]) -> Fraction:
    """The highest sparsity at which ranking all scores together leaves no layer empty.

    Every layer's best must be kept, so everything that scores no less than the worst of these.
    """
    import torch

    worst = min(float(score.max()) for score in scores.values())
    needed = sum(int((torch.as_tensor(score) >= worst).sum()) for score in scores.values())
    return 1 - Fraction(needed, sum(score.numel() for score in scores.values()))
