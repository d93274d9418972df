"""Mean and standard deviation of images, exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Channels = tuple[float, ...]
_BLOCK = 1 << 26
"""Bytes looked at in one go."""


def mean_std(images: NDArray[np.uint8]) -> tuple[Channels, Channels]:
    """Per-channel mean and (population) standard deviation of N x C x H x W bytes over 255.

    Sums are whole numbers, so nothing is lost before the last division. A channel of one colour
    gets a deviation of 1: dividing by it must not fail.
    """
    import numpy as np

    count, channels, height, width = images.shape
    step = max(1, _BLOCK // (channels * height * width))
    values = np.arange(256, dtype=np.uint64)
    seen = np.zeros((channels, 256), dtype=np.uint64)
    for start in range(0, count, step):
        block = images[start : start + step]
        for channel in range(channels):
            counts = np.bincount(block[:, channel].ravel(), minlength=256)
            seen[channel] += counts.astype(np.uint64)
    pixels = count * height * width
    means, deviations = [], []
    for histogram in seen:
        total, squares = int((histogram * values).sum()), int((histogram * values**2).sum())
        means.append(total / pixels / 255)
        # pixels * squares - total^2 in whole numbers: the usual difference loses digits in floats
        deviations.append((pixels * squares - total**2) ** 0.5 / pixels / 255 or 1.0)
    return tuple(means), tuple(deviations)
