"""Random images in place of real ones, to rehearse a recipe without its data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tostdsl.data.stats import mean_std
from tostdsl.plan.bases import DataFacts, DataSet, Images, Split

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNKNOWN = DataFacts(3, 64, 64, 10, 1000, 200)
"""Stands for sets that only loading tells about."""


def fake_for(spec: DataSet, limit: int | None, seed: int) -> Images:
    """Random images with the shape, classes and sizes of a recipe's data set.

    A set that is not known without loading is taken for 1000 training and 200 test images of
    3 x 64 x 64 (or of its argument `size`) in 10 classes.
    """
    facts = spec.facts()
    if facts is None:
        size = spec.arguments().get("size")
        side = size if isinstance(size, int) else UNKNOWN.height
        facts = DataFacts(3, side, side, UNKNOWN.classes, UNKNOWN.train_size, UNKNOWN.test_size)
    return fake_images(facts, limit, seed, name=spec.name)


def fake_images(
    facts: DataFacts | None, limit: int | None, seed: int, *, name: str = "the data set"
) -> Images:
    """Random images, at most `limit` a split.

    Each class has a brightness of its own in each channel, so that there is something to learn.
    """
    import numpy as np

    known = facts or UNKNOWN
    random = np.random.default_rng([abs(seed), 0])
    spread = np.linspace(0, 127, known.classes).astype(np.uint8)
    tones = np.stack([random.permutation(spread) for _ in range(known.channels)], axis=1)
    sizes = [
        size if limit is None else min(size, max(1, limit))
        for size in (known.train_size, known.test_size)
    ]
    train, test = (
        _split(known, size, tones, np.random.default_rng([abs(seed), part]))
        for part, size in enumerate(sizes, 1)
    )
    mean, std = mean_std(train.images)
    shown = DataFacts(*known.shape, known.classes, *sizes)
    return Images(shown, train, test, mean, std, f"random images in place of {name}")


def _split(
    facts: DataFacts, size: int, tones: NDArray[np.uint8], random: np.random.Generator
) -> Split:
    import numpy as np

    labels = np.arange(size, dtype=np.int64) % facts.classes
    images = random.integers(0, 128, size=(size, *facts.shape), dtype=np.uint8)
    images += tones[labels][:, :, None, None]
    return Split(images, labels)
