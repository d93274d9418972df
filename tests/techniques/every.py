"""Every kind of stage there is, once, for tests of what holds for all of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.nets import factor
from tostdsl.plan.bases import Technique
from tostdsl.techniques.ghost import Ghost
from tostdsl.techniques.init import Init
from tostdsl.techniques.labels import Labels
from tostdsl.techniques.skip import Skip
from tostdsl.units import Percent, Ramp

EVERY: dict[str, Technique] = {
    "swish": Ghost(activation="swish", beta=Ramp(1, 20)),
    "pswish": Ghost(activation="pswish"),
    "mish": Ghost(activation="mish"),
    "gelu": Ghost(activation="gelu"),
    "elu": Ghost(activation="elu"),
    "softplus": Ghost(activation="softplus"),
    "lisht": Ghost(activation="lisht"),
    "sharpen": Ghost(activation="swish", form="sharpen"),
    "width": Ghost(width=factor("1.5")),
    "thin width": Ghost(width=factor("1.5"), density=Percent(Decimal(20))),
    "skip": Skip(),
    "skip add": Skip(form="add"),
    "skip normalised": Skip(form="normalised", alpha=0.1),
    "skip conv": Skip(form="normalised", projection="conv"),
    "skip add conv": Skip(form="add", projection="conv"),
    "skip block": Skip(span="block"),
    "skip block conv": Skip(span="block", projection="conv", fill="kaiming"),
    "fanin": Init(),
    "density": Init(rescale="layer_density"),
    "learned": Init(rescale="learned", iterations=2),
    "isometry": Init(rescale="isometry", base="orthogonal", iterations=3),
    "labels": Labels(),
    "mixup": Labels(mixup=0.2),
    "cutmix": Labels(smoothing=Ramp(0.1, 0.0), cutmix=1.0),
}
USUAL = (
    "swish", "sharpen", "width", "thin width", "skip", "skip conv", "skip block",
    "skip block conv", "fanin", "labels",
)  # fmt: skip
"""One of each way to work; the rest of combinations takes too long for every day."""
PUT_IN = {name: each for name, each in EVERY.items() if each.adds_to_network()}
"""Those that put something into the network."""


def marks(*names: str) -> Any:
    """The marks of a test with these stages: slow where one is not a usual one."""
    return () if set(names) <= set(USUAL) else pytest.mark.slow


def conflict(*names: str) -> bool:
    """Whether stages claim the same, which no recipe has over one stretch (T404)."""
    claims = [claim for name in names for claim in EVERY[name].claims()]
    return len(claims) > len(set(claims))
