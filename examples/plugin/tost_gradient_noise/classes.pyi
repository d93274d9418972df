# Written by `python -m tostdsl.build.stubs tost_gradient_noise`, from what is registered.

from typing import Final

from tostdsl.build.kinds import Anneal, Stage

class GradientNoise(Stage):
    """Gaussian noise on gradients."""

    std: Final[float]
    anneal: Final[Anneal]
    def __init__(self, *, std: float = 0.01, anneal: Anneal | str = "linear") -> None: ...
