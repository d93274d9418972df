# Written by `python -m tostdsl.build.stubs`, from what is registered.

from typing import Final, Literal

from tostdsl.build.kinds import Anneal, Stage
from tostdsl.build.likes import FactorLike, PercentLike, RampLike
from tostdsl.units import Factor, Percent, Ramp

class Ghost(Stage):
    """Ghost neurons: soft activations, extra neurons, or both, at work for a part of training."""

    activation: Final[Literal["swish", "pswish", "mish", "gelu", "elu", "softplus", "lisht"] | None]
    width: Final[Factor | None]
    beta: Final[float | Ramp]
    form: Final[Literal["blend", "sharpen"]]
    density: Final[Percent]
    anneal: Final[Anneal]
    keep: Final[bool]
    recalibrate: Final[bool]
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

    rescale: Final[Literal["fanin_masked", "layer_density", "learned", "isometry"]]
    base: Final[Literal["keep", "kaiming", "orthogonal"]]
    mode: Final[Literal["fan_in", "fan_out", "average"] | None]
    behind_norm: Final[Literal["relative", "full"] | None]
    iterations: Final[int | None]
    lr: Final[float | None]
    eta: Final[float | None]
    gamma: Final[float | None]
    normalise: Final[bool | None]
    clip: Final[float | None]
    floor: Final[float | None]
    tolerance: Final[float | None]
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

    smoothing: Final[float | Ramp | None]
    spread: Final[Literal["others", "all"]]
    mixup: Final[float | None]
    cutmix: Final[float | None]
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

    form: Final[Literal["convex", "normalised", "add"]]
    span: Final[Literal["layer", "block"]]
    projection: Final[Literal["auto", "identity", "conv"]]
    alpha: Final[float]
    fill: Final[Literal["constant", "kaiming"]]
    anneal: Final[Anneal]
    keep: Final[bool]
    recalibrate: Final[bool]
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
