"""Places in a network where a technique can put something, as `structure` finds them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Relay:
    """A depthwise convolution between a hidden layer and the layer that it feeds.

    `norm` and `through` are what follows it, as in `Hidden`.
    """

    layer: str
    norm: str | None
    through: Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Hidden:
    """A layer whose output feeds exactly one following layer.

    `producer` and `consumer` are names of convolutions or linear layers with one group; `norm` is
    the normalisation right after the producer, if there is one. `through` runs everything between
    (past the norm) and the consumer, or the first of the `relays`, on a tensor with any number of
    channels: the network's own activation, pooling, dropout and reshaping modules and functions.
    """

    producer: str
    norm: str | None
    consumer: str
    through: Callable[[Tensor], Tensor]
    relays: tuple[Relay, ...] = ()


@dataclass(frozen=True, slots=True)
class Unwidened:
    """A layer that cannot be widened, and why, in words."""

    layer: str
    reason: str


@dataclass(frozen=True, slots=True)
class Joint:
    """A convolution or linear layer and the last module before the activation that follows it.

    A skip around `layer` starts at its input and is added to the output of `end` (the
    normalisation after it, or the layer itself), which is where a residual sum adds, too.
    """

    layer: str
    end: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """A block of two or more layers: from the first one's input to before its last activation.

    Each layer's output goes, past a normalisation, an activation and dropout, to nothing but the
    next one. A stretch that ends in a residual sum is a whole residual branch; where there is no
    such sum, layers are taken in twos, and pooling and reshaping are borders. `end` is the last
    module before the sum or the last activation.
    """

    layers: tuple[str, ...]
    end: str
