# Written by `python -m tostdsl.build.stubs`, from what is registered.

from typing import Final, Literal

from tostdsl.build.kinds import Mask
from tostdsl.build.likes import DurationLike, MomentLike, PatternLike, PercentLike
from tostdsl.units import Duration, Moment, Pattern, Percent

class Dynamic(Mask):
    """Moves the mask while the network trains: drops the smallest weights, grows as many others."""

    sparsity: Final[Percent]
    distribution: Final[Literal["uniform", "uniform_plus", "er", "erk", "balanced", "smart_ratio"]]
    grow: Final[Literal["gradient", "random"]]
    every: Final[Duration]
    fraction: Final[Percent]
    decay: Final[Literal["cosine", "linear", "constant"]]
    allow: Final[Literal["nothing", "collapse"]]
    def __init__(
        self,
        *,
        sparsity: PercentLike,
        distribution: Literal[
            "uniform",
            "uniform_plus",
            "er",
            "erk",
            "balanced",
            "smart_ratio",
        ] = "erk",
        grow: Literal["gradient", "random"] = "gradient",
        every: DurationLike = "100 steps",
        fraction: PercentLike = "30%",
        decay: Literal["cosine", "linear", "constant"] = "cosine",
        allow: Literal["nothing", "collapse"] = "nothing",
    ) -> None: ...

class File(Mask):
    """A mask of your own, from a file: found elsewhere, or exported by `tost mask export`."""

    path: Final[str]
    sha256: Final[str | None]
    carrier: Final[Literal["auto", "masks", "buffers", "parametrizations", "zeros", "list"]]
    ones: Final[Literal["kept", "pruned"]]
    outside: Final[Literal["refuse", "ignore"]]
    allow: Final[Literal["nothing", "collapse"]]
    def __init__(
        self,
        path: str,
        *,
        sha256: str | None = None,
        carrier: Literal["auto", "masks", "buffers", "parametrizations", "zeros", "list"] = "auto",
        ones: Literal["kept", "pruned"] = "kept",
        outside: Literal["refuse", "ignore"] = "refuse",
        allow: Literal["nothing", "collapse"] = "nothing",
    ) -> None: ...

class Gradual(Mask):
    """Prunes the smallest weights bit by bit while the network trains, until `sparsity`."""

    sparsity: Final[Percent]
    distribution: Final[
        Literal["global", "uniform", "uniform_plus", "er", "erk", "balanced", "smart_ratio"]
    ]
    initial: Final[Percent]
    every: Final[Duration]
    allow: Final[Literal["nothing", "collapse"]]
    def __init__(
        self,
        *,
        sparsity: PercentLike,
        distribution: Literal[
            "global",
            "uniform",
            "uniform_plus",
            "er",
            "erk",
            "balanced",
            "smart_ratio",
        ] = "global",
        initial: PercentLike = "0%",
        every: DurationLike = "1 epoch",
        allow: Literal["nothing", "collapse"] = "nothing",
    ) -> None: ...

class Grasp(Mask):
    """Keeps the weights whose removal would most weaken the flow of gradients, before training."""

    sparsity: Final[Percent]
    distribution: Final[
        Literal["global", "uniform", "uniform_plus", "er", "erk", "balanced", "smart_ratio"]
    ]
    iterations: Final[int]
    decay: Final[Literal["exponential", "linear"]]
    per_class: Final[int]
    temperature: Final[float]
    statistics: Final[Literal["running", "batch"]]
    allow: Final[Literal["nothing", "collapse"]]
    def __init__(
        self,
        *,
        sparsity: PercentLike,
        distribution: Literal[
            "global",
            "uniform",
            "uniform_plus",
            "er",
            "erk",
            "balanced",
            "smart_ratio",
        ] = "global",
        iterations: int = 1,
        decay: Literal["exponential", "linear"] = "exponential",
        per_class: int = 10,
        temperature: float = 200,
        statistics: Literal["running", "batch"] = "batch",
        allow: Literal["nothing", "collapse"] = "nothing",
    ) -> None: ...

class Lottery(Mask):
    """Finds a lottery ticket: train, prune the smallest weights, rewind, and again."""

    sparsity: Final[Percent]
    rate: Final[Percent]
    rewind: Final[Moment]
    epochs: Final[int | None]
    stages: Final[bool]
    back: Final[Literal["weights", "rate"]]
    resume: Final[Literal["start", "rewind"]]
    optimizer: Final[Literal["fresh", "rewind"]]
    allow: Final[Literal["nothing", "collapse"]]
    def __init__(
        self,
        *,
        sparsity: PercentLike,
        rate: PercentLike = "20%",
        rewind: MomentLike = "start",
        epochs: int | None = None,
        stages: bool = False,
        back: Literal["weights", "rate"] = "weights",
        resume: Literal["start", "rewind"] = "start",
        optimizer: Literal["fresh", "rewind"] = "fresh",
        allow: Literal["nothing", "collapse"] = "nothing",
    ) -> None: ...

class Magnitude(Mask):
    """Keeps the weights that are largest in absolute value, before training."""

    sparsity: Final[Percent]
    distribution: Final[
        Literal["global", "uniform", "uniform_plus", "er", "erk", "balanced", "smart_ratio"]
    ]
    allow: Final[Literal["nothing", "collapse"]]
    def __init__(
        self,
        *,
        sparsity: PercentLike,
        distribution: Literal[
            "global",
            "uniform",
            "uniform_plus",
            "er",
            "erk",
            "balanced",
            "smart_ratio",
        ] = "global",
        allow: Literal["nothing", "collapse"] = "nothing",
    ) -> None: ...

class Nm(Mask):
    """Keeps the N largest of every M consecutive weights, such as two of four."""

    pattern: Final[Pattern]
    transposable: Final[bool]
    allow: Final[Literal["nothing", "collapse"]]
    def __init__(
        self,
        pattern: PatternLike,
        *,
        transposable: bool = False,
        allow: Literal["nothing", "collapse"] = "nothing",
    ) -> None: ...

class Random(Mask):
    """Keeps weights drawn at random before training; looks at no weight and no data."""

    sparsity: Final[Percent]
    distribution: Final[Literal["uniform", "uniform_plus", "er", "erk", "balanced", "smart_ratio"]]
    allow: Final[Literal["nothing", "collapse"]]
    def __init__(
        self,
        *,
        sparsity: PercentLike,
        distribution: Literal[
            "uniform",
            "uniform_plus",
            "er",
            "erk",
            "balanced",
            "smart_ratio",
        ] = "uniform",
        allow: Literal["nothing", "collapse"] = "nothing",
    ) -> None: ...

class Shuffle(Mask):
    """Another mask with its entries mixed at random: the control that tells what it knows."""

    within: Final[Literal["layer", "network"]]
    allow: Final[Literal["nothing", "collapse"]]
    def __init__(
        self,
        of: Mask | str,
        *,
        within: Literal["layer", "network"] = "layer",
        allow: Literal["nothing", "collapse"] = "nothing",
    ) -> None: ...

class Snip(Mask):
    """Keeps the weights whose removal would change the loss most, before training."""

    sparsity: Final[Percent]
    distribution: Final[
        Literal["global", "uniform", "uniform_plus", "er", "erk", "balanced", "smart_ratio"]
    ]
    iterations: Final[int]
    decay: Final[Literal["exponential", "linear"]]
    per_class: Final[int]
    statistics: Final[Literal["running", "batch"]]
    regrow: Final[bool]
    allow: Final[Literal["nothing", "collapse"]]
    def __init__(
        self,
        *,
        sparsity: PercentLike,
        distribution: Literal[
            "global",
            "uniform",
            "uniform_plus",
            "er",
            "erk",
            "balanced",
            "smart_ratio",
        ] = "global",
        iterations: int = 1,
        decay: Literal["exponential", "linear"] = "exponential",
        per_class: int = 10,
        statistics: Literal["running", "batch"] = "running",
        regrow: bool = False,
        allow: Literal["nothing", "collapse"] = "nothing",
    ) -> None: ...

class Synflow(Mask):
    """Keeps the weights that carry most synaptic flow; looks at no data, and collapses no layer."""

    sparsity: Final[Percent]
    distribution: Final[
        Literal["global", "uniform", "uniform_plus", "er", "erk", "balanced", "smart_ratio"]
    ]
    iterations: Final[int]
    decay: Final[Literal["exponential", "linear"]]
    allow: Final[Literal["nothing", "collapse"]]
    def __init__(
        self,
        *,
        sparsity: PercentLike,
        distribution: Literal[
            "global",
            "uniform",
            "uniform_plus",
            "er",
            "erk",
            "balanced",
            "smart_ratio",
        ] = "global",
        iterations: int = 100,
        decay: Literal["exponential", "linear"] = "exponential",
        allow: Literal["nothing", "collapse"] = "nothing",
    ) -> None: ...

class Taylor(Mask):
    """Keeps the weights whose removal would change the loss of single batches most."""

    sparsity: Final[Percent]
    distribution: Final[
        Literal["global", "uniform", "uniform_plus", "er", "erk", "balanced", "smart_ratio"]
    ]
    iterations: Final[int]
    decay: Final[Literal["exponential", "linear"]]
    per_class: Final[int]
    statistics: Final[Literal["running", "batch"]]
    allow: Final[Literal["nothing", "collapse"]]
    def __init__(
        self,
        *,
        sparsity: PercentLike,
        distribution: Literal[
            "global",
            "uniform",
            "uniform_plus",
            "er",
            "erk",
            "balanced",
            "smart_ratio",
        ] = "global",
        iterations: int = 1,
        decay: Literal["exponential", "linear"] = "exponential",
        per_class: int = 10,
        statistics: Literal["running", "batch"] = "running",
        allow: Literal["nothing", "collapse"] = "nothing",
    ) -> None: ...

class Vnm(Mask):
    """Keeps four columns of every block of V outputs by M inputs, and two of the four in..."""

    pattern: Final[Pattern]
    allow: Final[Literal["nothing", "collapse"]]
    def __init__(
        self,
        pattern: PatternLike,
        *,
        allow: Literal["nothing", "collapse"] = "nothing",
    ) -> None: ...
