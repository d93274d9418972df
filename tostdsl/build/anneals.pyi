# Written by `python -m tostdsl.build.stubs`, from what is registered.

from collections.abc import Sequence
from typing import Final

from tostdsl.build.kinds import Anneal
from tostdsl.build.likes import PercentLike
from tostdsl.units import Percent

class Cosine(Anneal):
    """Falls along half a cosine, flat at both ends: w = (1 + cos(pi p)) / 2."""

    def __init__(self) -> None: ...

class Exponential(Anneal):
    """Falls fast first, then slowly: w = (exp(-5 p) - exp(-5)) / (1 - exp(-5))."""

    def __init__(self) -> None: ...

class Linear(Anneal):
    """Falls in a straight line: w = 1 - p."""

    def __init__(self) -> None: ...

class None_(Anneal):
    """Stays at 1 until the window ends, then jumps to 0."""

    def __init__(self) -> None: ...

class Step(Anneal):
    """Falls in equal stairs at the given shares of the window, to 0 at the last."""

    at: Final[tuple[Percent, ...]]
    def __init__(self, at: Sequence[PercentLike]) -> None: ...
