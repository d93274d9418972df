"""Smaller parts of a split for rehearsals, the same on every machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tostdsl.plan.bases import Split

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def balanced(labels: NDArray[np.int64], limit: int | None) -> NDArray[np.int64]:
    """Indices, rising, of at most `limit` images: the first of each class, then the second, ...

    Classes that run out leave their share to the others. Always at least one image.
    """
    import numpy as np

    count = len(labels)
    if limit is None or limit >= count:
        return np.arange(count)
    by_class = np.argsort(labels, kind="stable")
    ordered = labels[by_class]
    rank = np.arange(count) - np.searchsorted(ordered, ordered, side="left")
    chosen: NDArray[np.int64] = by_class[np.lexsort((ordered, rank))[: max(1, limit)]]
    return np.sort(chosen)


def slice_of(split: Split, limit: int | None) -> Split:
    """At most `limit` images of a split, balanced over its classes."""
    if limit is None or limit >= len(split.labels):
        return split
    kept = balanced(split.labels, limit)
    return Split(split.images[kept], split.labels[kept])
