"""What holds for all ghosts: their arguments, and mixed precision."""

from __future__ import annotations

from decimal import Decimal

import pytest
import torch

from tests.nets import Theatre, build, factor, images, stage
from tostdsl.anneals import Constant
from tostdsl.plan.spec import CheckSite
from tostdsl.techniques.ghost import STEEPNESS, Ghost
from tostdsl.techniques.soft import soft_activation
from tostdsl.units import Percent, Ramp


@pytest.mark.parametrize(
    "ghost",
    [
        Ghost(activation="softplus", width=factor("2")),
        Ghost(activation="swish", form="sharpen"),
        Ghost(width=factor("2"), density=Percent(Decimal(50))),
    ],
)
def test_a_network_in_bf16_autocast_takes_all_forms(ghost: Ghost) -> None:
    """Mixed precision changes no dtype on the way through ghosts."""
    model = build("residual", torch.float32)
    Theatre(model).surgeon.enter(0, stage(ghost), None)
    with torch.autocast("cpu", torch.bfloat16):
        out = model(images(dtype=torch.float32))
    assert torch.bfloat16 == out.dtype
    out.float().sum().backward()


@pytest.mark.parametrize(
    ("ghost", "code", "fields"),
    [
        (Ghost(), "T504", ()),
        (Ghost(width=factor("1")), "T303", ("width",)),
        (Ghost(width=factor("0.5")), "T303", ("width",)),
        (Ghost(activation="mish", beta=2.0), "T504", ("beta",)),
        (Ghost(width=factor("64.5")), "T303", ("width",)),
        (Ghost(width=factor("1000000")), "T303", ("width",)),
        (Ghost(activation="swish", beta=0.0), "T303", ("beta",)),
        (Ghost(activation="swish", beta=1e-300), "T303", ("beta",)),
        (Ghost(activation="swish", beta=1e300), "T303", ("beta",)),
        (Ghost(activation="swish", beta=Ramp(1, 1000)), "T303", ("beta",)),
        (Ghost(activation="swish", form="sharpen", beta=Ramp(1, 1000)), "T303", ("beta",)),
        (Ghost(activation="swish", beta=Ramp(1, -1)), "T303", ("beta",)),
        (Ghost(activation="mish", form="sharpen"), "T504", ("form",)),
        (Ghost(activation="swish", form="sharpen", beta=Ramp(20, 1)), "T504", ("beta",)),
        (Ghost(activation="swish", form="sharpen", beta=30.0), "T504", ("beta",)),
        (Ghost(width=factor("2"), density=Percent(Decimal(0))), "T303", ("density",)),
        (Ghost(width=factor("2"), density=Percent(Decimal(101))), "T303", ("density",)),
        (Ghost(activation="mish", density=Percent(Decimal(50))), "T504", ("density",)),
        (Ghost(activation="mish", keep=True), "T504", ("keep",)),
        (Ghost(activation="mish", keep=True, anneal=Constant()), "W026", ("keep",)),
    ],
)
def test_arguments_that_make_no_sense_are_problems(
    ghost: Ghost, code: str, fields: tuple[str, ...]
) -> None:
    """Each problem names its code and the fields it is in."""
    (problem,) = ghost.check(CheckSite())
    assert (code, fields) == (problem.code, problem.fields)


def test_claims_follow_what_is_asked_for() -> None:
    """Activation and width are claimed apart, so that two stages can share a window."""
    assert frozenset({"the activation function"}) == Ghost(activation="swish").claims()
    assert frozenset({"the width of layers"}) == Ghost(width=factor("2")).claims()
    assert [] == list(Ghost(activation="swish", beta=Ramp(1, 20)).check(CheckSite()))


@pytest.mark.parametrize(
    "ghost",
    [
        Ghost(width=factor("64")),
        Ghost(activation="swish", beta=0.01),
        Ghost(activation="swish", beta=Ramp(0.01, 100)),
    ],
)
def test_the_ends_of_the_ranges_are_in_them(ghost: Ghost) -> None:
    """A bound that is named may be written."""
    assert [] == list(ghost.check(CheckSite()))


@pytest.mark.parametrize("beta", STEEPNESS)
def test_swish_of_any_allowed_steepness_is_finite_in_half_precision(beta: float) -> None:
    """Value and gradient at what activations are fed, up to +-500."""
    x = torch.linspace(-500, 500, 1001, dtype=torch.float16, requires_grad=True)
    out = soft_activation("swish", beta)(x)
    out.float().sum().backward()
    assert x.grad is not None
    assert torch.isfinite(out).all()
    assert torch.isfinite(x.grad).all()
