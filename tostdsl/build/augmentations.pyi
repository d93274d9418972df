# Written by `python -m tostdsl.build.stubs`, from what is registered.

from typing import Final

from tostdsl.build.kinds import Augmentation
from tostdsl.build.likes import PercentLike
from tostdsl.units import Percent

class Crop(Augmentation):
    """Shifts an image by up to `padding` pixels in each direction; what comes in is black."""

    padding: Final[int]
    def __init__(self, *, padding: int = 4) -> None: ...

class Cutout(Augmentation):
    """Blackens a square of `size` pixels; its centre is any pixel, so it may be cut by the edge."""

    size: Final[int]
    def __init__(self, *, size: int = 8) -> None: ...

class Flip(Augmentation):
    """Mirrors an image left to right, with the given probability."""

    probability: Final[Percent]
    def __init__(self, *, probability: PercentLike = "50%") -> None: ...
