# Written by `python -m tostdsl.build.stubs`, from what is registered.

from typing import Final

from tostdsl.build.kinds import Optimizer

class Adam(Optimizer):
    """Adam: steps scaled by running means of gradients and their squares (Kingma & Ba 2015)."""

    lr: Final[float]
    beta1: Final[float]
    beta2: Final[float]
    eps: Final[float]
    weight_decay: Final[float]
    def __init__(
        self,
        *,
        lr: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-08,
        weight_decay: float = 0.0,
    ) -> None: ...

class Adamw(Optimizer):
    """Adam with the weight decay decoupled from the gradient (Loshchilov & Hutter 2019)."""

    lr: Final[float]
    beta1: Final[float]
    beta2: Final[float]
    eps: Final[float]
    weight_decay: Final[float]
    def __init__(
        self,
        *,
        lr: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-08,
        weight_decay: float = 0.01,
    ) -> None: ...

class Sgd(Optimizer):
    """Stochastic gradient descent with momentum."""

    lr: Final[float]
    momentum: Final[float]
    weight_decay: Final[float]
    nesterov: Final[bool]
    def __init__(
        self,
        *,
        lr: float = 0.1,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None: ...
