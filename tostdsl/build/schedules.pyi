# Written by `python -m tostdsl.build.stubs`, from what is registered.

from collections.abc import Sequence
from typing import Final

from tostdsl.build.kinds import Schedule
from tostdsl.build.likes import DurationLike, MomentLike
from tostdsl.units import Duration, Moment

class Constant(Schedule):
    """The optimizer's learning rate throughout, after the warm-up if there is one."""

    warmup: Final[Duration | None]
    def __init__(self, *, warmup: DurationLike | None = None) -> None: ...

class Cosine(Schedule):
    """The learning rate falls along half a cosine (Loshchilov & Hutter 2017, one period)."""

    warmup: Final[Duration | None]
    floor: Final[float]
    def __init__(self, *, warmup: DurationLike | None = None, floor: float = 0.0) -> None: ...

class Linear(Schedule):
    """The learning rate falls in a straight line."""

    warmup: Final[Duration | None]
    floor: Final[float]
    def __init__(self, *, warmup: DurationLike | None = None, floor: float = 0.0) -> None: ...

class Multistep(Schedule):
    """The learning rate times `factor` at each moment of `at`."""

    warmup: Final[Duration | None]
    at: Final[tuple[Moment, ...]]
    factor: Final[float]
    def __init__(
        self,
        at: Sequence[MomentLike],
        *,
        warmup: DurationLike | None = None,
        factor: float = 0.1,
    ) -> None: ...
