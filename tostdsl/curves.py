"""How a stage's weight falls: pure functions of the progress p in [0, 1] through its window.

Every curve has w(0) = 1 and w -> 0 as p -> 1, except `none`, which stays at 1 and so ends by a
jump. The laws are the project's own choice: neither the paper nor its code fixes one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

EXPONENTIAL_RATE = 5.0
"""k of the exponential curve; chosen so that the weight halves every 14 % of the window."""


def linear(p: float) -> float:
    """1 - p."""
    return 1.0 - p


def cosine(p: float) -> float:
    """(1 + cos(pi p)) / 2: flat at both ends."""
    return (1.0 + math.cos(math.pi * p)) / 2.0


def exponential(p: float) -> float:
    """(exp(-k p) - exp(-k)) / (1 - exp(-k)) with k = 5: fast first, exactly 0 at the end."""
    floor = math.exp(-EXPONENTIAL_RATE)
    return (math.exp(-EXPONENTIAL_RATE * p) - floor) / (1.0 - floor)


def stairs(p: float, at: Sequence[float]) -> float:
    """1 before the first point of `at`, falling by equal parts at each, 0 after the last."""
    return 1.0 - sum(p >= point for point in at) / len(at)


def constant(_p: float) -> float:
    """1 throughout."""
    return 1.0


def blend(w: float, start: float, stop: float) -> float:
    """A ramp's value where its stage's curve stands at w: `start` at 1, `stop` at 0."""
    return stop + (start - stop) * w
