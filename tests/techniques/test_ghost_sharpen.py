"""Swish that sharpens into the network's own activation."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.nets import Theatre, images, stage
from tostdsl.diagnostics import TostError
from tostdsl.plan.spec import CheckSite
from tostdsl.techniques.ghost import GAP, Ghost
from tostdsl.units import Ramp


@pytest.mark.parametrize(("act", "ceiling"), [(nn.ReLU(), None), (nn.ReLU6(inplace=True), 6.0)])
def test_sharpened_swish_is_the_formula_and_at_weight_0_the_rectifier(
    act: nn.Module, ceiling: float | None
) -> None:
    """Swish at the cell's beta, cut off where the activation is; to the bit act at 0."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 40), act).double()
    sharpened = stage(Ghost(activation="swish", form="sharpen", beta=2.0))
    attached = Theatre(model).surgeon.enter(0, sharpened, None)
    x = 9 * images()
    y = model[1](x.flatten(1))
    for weight, beta in ((1.0, 2.0), (0.01, 19.0)):
        attached.vector[0], attached.vector[1] = weight, beta
        expected = (y / (1 + torch.exp(-beta * y))).clamp(max=ceiling or 1e9)
        torch.testing.assert_close(expected, model(x))
    attached.vector[0] = 0
    assert torch.equal(y.clamp(0, ceiling), model(x))


def test_the_jump_of_sharpening_is_as_large_as_said() -> None:
    """At most 0.2785 / beta, at 1.2785 / beta on both sides of 0."""
    x = torch.linspace(-3, 3, 600_001, dtype=torch.float64)
    for beta in (1.0, 20.0):
        gap = (x * torch.sigmoid(beta * x) - x.relu()).abs()
        assert GAP / beta == pytest.approx(float(gap.max()), rel=1e-6)
        assert 1.2785 / beta == pytest.approx(abs(float(x[gap.argmax()])), abs=1e-4)


def test_sharpening_leaves_other_activations_and_says_so() -> None:
    """What Swish does not sharpen into stays; a network of nothing else is refused."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 9), nn.ReLU(), nn.Linear(9, 9), nn.GELU())
    theatre = Theatre(model.double())
    theatre.surgeon.enter(0, stage(Ghost(activation="swish", form="sharpen")), None)
    assert ["ghost: swish that sharpens in 1 activations; as they are: 4, a gelu"] == theatre.lines
    only = stage(Ghost(activation="swish", form="sharpen"), on=("last",))
    with pytest.raises(TostError, match="which Swish sharpens into"):
        Theatre(model).surgeon.enter(0, only, None)


def test_a_plain_beta_stands_for_a_ramp_to_20() -> None:
    """`form=sharpen` shows its ramp in the plan, and a written one is the same plan."""
    plain = Ghost(activation="swish", form="sharpen", beta=2.0)
    assert Ramp(2.0, 20.0) == plain.beta
    assert plain == Ghost(activation="swish", form="sharpen", beta=Ramp(2.0, 20.0))
    (warning,) = plain.check(CheckSite())
    assert ("W025", "0.014") == (warning.code, warning.values["gap"])
