# Written by `python -m tostdsl.build.stubs`, from what is registered.

from typing import Literal

from tostdsl.build.kinds import Anneal, Stage
from tostdsl.build.likes import FactorLike, PercentLike, RampLike

class Ghost(Stage):
    """Ghost neurons: soft activations, extra neurons, or both, at work for a part of training."""

    def __init__(
        self,
        *,
        activation: Literal[
            "swish",
            "pswish",
            "mish",
            "gelu",
            "elu",
            "softplus",
            "lisht",
        ]
        | None = None,
        width: FactorLike | None = None,
        beta: float | RampLike = 1.0,
        form: Literal["blend", "sharpen"] = "blend",
        density: PercentLike = "100%",
        anneal: Anneal | str = "exponential",
        keep: bool = False,
        recalibrate: bool = False,
    ) -> None: ...

class Init(Stage):
    """Rescales initial weights for the mask, by one of four laws."""

    def __init__(
        self,
        *,
        rescale: Literal["fanin_masked", "layer_density", "learned", "isometry"] = "fanin_masked",
        base: Literal["keep", "kaiming", "orthogonal"] = "keep",
        mode: Literal["fan_in", "fan_out", "average"] | None = None,
        behind_norm: Literal["relative", "full"] | None = None,
        iterations: int | None = None,
        lr: float | None = None,
        eta: float | None = None,
        gamma: float | None = None,
        normalise: bool | None = None,
        clip: float | None = None,
        floor: float | None = None,
        tolerance: float | None = None,
    ) -> None: ...

class Labels(Stage):
    """Label smoothing, and images mixed together with their labels."""

    def __init__(
        self,
        *,
        smoothing: float | RampLike | None = None,
        spread: Literal["others", "all"] = "others",
        mixup: float | None = None,
        cutmix: float | None = None,
    ) -> None: ...

class Skip(Stage):
    """Ghost skips: temporary connections around layers, or blocks, that an activation follows."""

    def __init__(
        self,
        *,
        form: Literal["convex", "normalised", "add"] = "convex",
        span: Literal["layer", "block"] = "layer",
        projection: Literal["auto", "identity", "conv"] = "auto",
        alpha: float = 1.0,
        fill: Literal["constant", "kaiming"] = "constant",
        anneal: Anneal | str = "linear",
        keep: bool = False,
        recalibrate: bool = False,
    ) -> None: ...
