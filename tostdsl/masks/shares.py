"""How the weights that are kept are shared out among the layers: a law each, exact.

A law gives every layer a number of weights, not rounded, whose sum is the density times all
weights. Computed with fractions, so it is the same on every machine. The layers come in the
network's order, each as the shape of its weight (out, in, height, width or out, in).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import ceil, prod
from typing import Literal

from tostdsl.diagnostics import TostError
from tostdsl.masks.allocate import percent_below, percent_text, share_out
from tostdsl.plan.masking import kept_total

Shape = Sequence[int]
Distribution = Literal["uniform", "uniform_plus", "er", "erk", "balanced", "smart_ratio"]
"""The laws by name; `masks.random` tells what each says."""

CLASSIFIER_FLOOR = Fraction(1, 5)
"""Density that `uniform_plus` leaves to the classifier at least."""
CLASSIFIER_SHARE = Fraction(3, 10)
"""Density that `smart_ratio` gives to the classifier."""


def shares(law: Distribution, shapes: Sequence[Shape], sparsity: Fraction) -> list[Fraction]:
    """Weights each layer keeps, not rounded, under a law.

    `TostError` T505 where the layers that the law keeps dense have more than all may keep.
    """
    found = _shares(law, shapes, sparsity)
    if found is None:
        raise _cannot(law, shapes, sparsity)
    return found


def _shares(
    law: Distribution, shapes: Sequence[Shape], sparsity: Fraction
) -> list[Fraction] | None:
    """As `shares`; None where that raises."""
    sizes = [prod(shape) for shape in shapes]
    total = (1 - sparsity) * sum(sizes)
    raw = _raw(law, shapes)
    held = _held(law, shapes, 1 - sparsity)
    free = [i for i in range(len(shapes)) if i not in held]
    left = total - sum(held.values())
    if left < 0 or (left and not free):
        return None
    rest = _fill([raw[i] for i in free], [sizes[i] for i in free], left)
    found = dict(zip(free, rest, strict=True)) | held
    return [found[i] for i in range(len(shapes))]


def counts(law: Distribution, shapes: Mapping[str, Shape], sparsity: Fraction) -> dict[str, int]:
    """Whole weights each layer keeps, by name; their sum is the density times all, rounded."""
    sized = list(shapes.values())
    whole = _whole(shares(law, sized, sparsity), sized, sparsity)
    return dict(zip(shapes, whole, strict=True))


def _whole(parts: Sequence[Fraction], shapes: Sequence[Shape], sparsity: Fraction) -> list[int]:
    return share_out(parts, kept_total(sum(map(prod, shapes)), sparsity))


def _raw(law: Distribution, shapes: Sequence[Shape]) -> list[Fraction]:
    """What the layers' shares are proportional to, as long as none is dense."""
    if law == "er":
        return [Fraction(prod(s) * (s[0] + s[1]), s[0] * s[1]) for s in shapes]
    if law == "erk":
        return [Fraction(sum(shape)) for shape in shapes]
    if law == "balanced":
        return [Fraction(1)] * len(shapes)
    if law == "smart_ratio":
        left = range(len(shapes), 0, -1)
        return [Fraction(prod(s) * (n * n + n)) for s, n in zip(shapes, left, strict=True)]
    return [Fraction(prod(shape)) for shape in shapes]


def _held(law: Distribution, shapes: Sequence[Shape], density: Fraction) -> dict[int, Fraction]:
    """Shares that a law sets apart from the others', by place."""
    held: dict[int, Fraction] = {}
    last = len(shapes) - 1
    classifier = last >= 0 and len(shapes[last]) == 2
    if law == "uniform_plus":
        first = next((i for i, shape in enumerate(shapes) if len(shape) > 2), None)
        if first is not None:
            held[first] = Fraction(prod(shapes[first]))
        if classifier and density < CLASSIFIER_FLOOR:
            held[last] = CLASSIFIER_FLOOR * prod(shapes[last])
    elif law == "smart_ratio" and classifier:
        held[last] = max(density, CLASSIFIER_SHARE) * prod(shapes[last])
    return held if len(held) < len(shapes) else {}


def _fill(raw: Sequence[Fraction], sizes: Sequence[int], total: Fraction) -> list[Fraction]:
    """Shares proportional to `raw` that sum to `total`, each capped at its layer's size.

    A layer that would keep more than it has is dense, and the factor is solved again over the
    others, until none does.
    """
    found = [Fraction(size) for size in sizes]
    sparse, left = list(range(len(sizes))), total
    while sparse:
        factor = left / sum(raw[i] for i in sparse)
        full = {i for i in sparse if factor * raw[i] > sizes[i]}
        if not full:
            for i in sparse:
                found[i] = factor * raw[i]
            break
        left -= sum(sizes[i] for i in full)
        sparse = [i for i in sparse if i not in full]
    return found


def _cannot(law: Distribution, shapes: Sequence[Shape], sparsity: Fraction) -> TostError:
    held = int(sum(_held(law, shapes, 1 - sparsity).values()))
    reason = f"`{law}` keeps {held:,} weights in layers that it leaves denser"
    most = highest_alive(law, {str(i): shape for i, shape in enumerate(shapes)})
    lower = "lower `sparsity`"
    if most is not None:
        lower = f"write `sparsity={percent_below(most)}` at most, where no layer is empty"
    help = f"{lower}, or take another law"
    return TostError.of("T505", wanted=percent_text(sparsity), reason=reason, help=help)


def highest_alive(law: Distribution, shapes: Mapping[str, Shape]) -> Fraction | None:
    """The highest sparsity, to a hundredth of a percent, at which every layer keeps a weight."""
    return highest_where(lambda sparsity: _alive(law, shapes, sparsity), Fraction(1))


def highest_where(holds: Callable[[Fraction], bool], below: Fraction) -> Fraction | None:
    """The highest sparsity below another, to a hundredth of a percent, at which something holds.

    Found by halving, so where it holds again higher up, that is not seen; None where none is found.
    """
    low, high = 0, ceil(below * 10_000)
    while high - low > 1:
        middle = (low + high) // 2
        if holds(Fraction(middle, 10_000)):
            low = middle
        else:
            high = middle
    return Fraction(low, 10_000) if low else None


def _alive(law: Distribution, shapes: Mapping[str, Shape], sparsity: Fraction) -> bool:
    sized = list(shapes.values())
    found = _shares(law, sized, sparsity)
    return found is not None and min(_whole(found, sized, sparsity), default=0) > 0
