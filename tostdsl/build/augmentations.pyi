# Written by `python -m tostdsl.build.stubs`, from what is registered.

from tostdsl.build.kinds import Augmentation
from tostdsl.build.likes import PercentLike

class Crop(Augmentation):
    """Shifts an image by up to `padding` pixels in each direction; what comes in is black."""

    def __init__(self, *, padding: int = 4) -> None: ...

class Cutout(Augmentation):
    """Blackens a square of `size` pixels; its centre is any pixel, so it may be cut by the edge."""

    def __init__(self, *, size: int = 8) -> None: ...

class Flip(Augmentation):
    """Mirrors an image left to right, with the given probability."""

    def __init__(self, *, probability: PercentLike = "50%") -> None: ...
