"""Soft activations that are blended with the network's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.nets import NETS, Theatre, build, factor, images, stage
from tostdsl.diagnostics import TostError
from tostdsl.techniques.ghost import Ghost
from tostdsl.techniques.soft import soft_activation
from tostdsl.units import Ramp

X = torch.linspace(-6, 6, 101, dtype=torch.float64)
CLOSED_FORMS: dict[str, Any] = {
    "swish": lambda x: x / (1 + torch.exp(-x)),
    "pswish": lambda x: x / (1 + torch.exp(-2 * x)),
    "mish": lambda x: x * torch.tanh(torch.log1p(torch.exp(x))),
    "gelu": lambda x: x * (1 + torch.erf(x / 2**0.5)) / 2,
    "elu": lambda x: torch.where(x > 0, x, torch.exp(x) - 1),
    "softplus": lambda x: torch.log1p(torch.exp(x)),
    "lisht": lambda x: x * torch.tanh(x),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_soft_activations_are_their_closed_forms(name: str) -> None:
    """Each is its formula in float64."""
    torch.testing.assert_close(CLOSED_FORMS[name](X), soft_activation(name, 1.0)(X))


@pytest.mark.parametrize("beta", [0.5, 3.0, torch.tensor(3.0)])
def test_beta_steepens_swish(beta: float | Tensor) -> None:
    """Swish is x sigmoid(beta x), for a number and for a cell."""
    torch.testing.assert_close(
        X * torch.sigmoid(float(beta) * X), soft_activation("swish", beta)(X)
    )


def test_a_large_beta_is_nearly_relu() -> None:
    """The ramp of beta ends at the plain activation."""
    assert float((soft_activation("swish", 1000.0)(X) - X.relu()).abs().max()) < 1e-3


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_activations_are_blended_by_weight(weight: float) -> None:
    """A perceptron with every activation w soft + (1 - w) relu, written out."""
    model: Any = build("mlp")
    theatre = Theatre(model)
    attached = theatre.surgeon.enter(0, stage(Ghost(activation="mish")), None)
    attached.vector[0] = weight
    w = float(attached.vector[0])

    def blend(x: Tensor) -> Tensor:
        return w * CLOSED_FORMS["mish"](x) + (1 - w) * x.relu()

    x = images()
    expected = (
        model[5].weight
        @ blend(
            blend(x.flatten(1) @ model[1].weight.T + model[1].bias) @ model[3].weight.T
            + model[3].bias
        ).T
    )
    torch.testing.assert_close(expected.T + model[5].bias, model(x))
    assert ["ghost: mish in 2 activations"] == theatre.lines


@pytest.mark.parametrize("net", NETS)
def test_an_activation_that_works_in_place_is_blended_on_its_input(net: str) -> None:
    """In-place activations give what out-of-place ones give, gradients included."""
    results = []
    for inplace in (True, False):
        model = build(net)
        for module in model.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = inplace
        Theatre(model).surgeon.enter(0, stage(Ghost(activation="swish")), None)
        out = model(images())
        out.square().sum().backward()
        results.append([out.detach(), *(p.grad for p in model.parameters())])
    for a, b in zip(*results, strict=True):
        assert torch.equal(a, b)


def test_beta_moves_with_its_cell() -> None:
    """A ramp's cell is what the activation computes with."""
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU()).double()
    surgeon = Theatre(model).surgeon
    attached = surgeon.enter(0, stage(Ghost(activation="swish", beta=Ramp(1, 20))), None)
    x = torch.randn(3, 4, dtype=torch.float64)
    for beta in (1.0, 7.5):
        attached.cells["beta"].fill_(beta)
        y = model[0](x)
        torch.testing.assert_close(y * torch.sigmoid(beta * y), model(x))


def test_on_blends_only_after_the_selected_layers() -> None:
    """The activation behind another layer stays as it is."""
    model: Any = build("mlp")
    Theatre(model).surgeon.enter(0, stage(Ghost(activation="elu"), on=("3",)), None)
    x = torch.full((1, 6), -1.0, dtype=torch.float64)
    assert torch.equal(torch.zeros_like(x), model[2](x))
    torch.testing.assert_close(functional.elu(x), model[4](x))


def test_a_module_that_also_follows_other_layers_is_told() -> None:
    """A shared activation is blended wherever it is used, and the log says so."""
    theatre = Theatre(build("residual"))
    theatre.surgeon.enter(0, stage(Ghost(activation="elu"), on=("layer1.0.conv1",)), None)
    assert [
        "ghost: layer1.0.relu also follows layer1.0.conv2, which it changes too",
        "ghost: elu in 1 activations",
    ] == theatre.lines


class Functional(nn.Module):
    """Activations as functions, methods and in place, one module among them."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(192, 8), nn.Linear(8, 8), nn.Linear(8, 5)
        self.act = nn.Hardswish()

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.a(x.flatten(1)), inplace=True)
        x = torch.relu(self.b(x)).relu_()
        return functional.relu6(self.act(self.c(x)))


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_activations_called_as_functions_are_blended(weight: float) -> None:
    """Functions, tensor methods and in-place forms are blended like modules."""
    torch.manual_seed(0)
    model = Functional().double()
    theatre = Theatre(model)
    attached = theatre.surgeon.enter(0, stage(Ghost(activation="mish")), None)
    attached.vector[0] = weight
    w = float(attached.vector[0])

    def soft(x: Tensor, act: Any) -> Tensor:
        return w * CLOSED_FORMS["mish"](x) + (1 - w) * act(x)

    x = images()
    h = soft(model.a(x.flatten(1)), torch.relu)
    h = soft(soft(model.b(h), torch.relu), torch.relu)
    h = soft(soft(model.c(h), functional.hardswish), functional.relu6)
    torch.testing.assert_close(h, model(x))
    assert ["ghost: mish in 5 activations"] == theatre.lines
    theatre.surgeon.leave(attached, None)
    assert "forward" not in vars(model)


def test_on_blends_the_functions_after_the_selected_layers() -> None:
    """Calls of functions are told apart by the layers they follow."""
    torch.manual_seed(0)
    model = Functional().double()
    Theatre(model).surgeon.enter(0, stage(Ghost(activation="elu"), on=("b",)), None)
    x = images()
    h = model.b(model.a(x.flatten(1)).relu())
    h = model.c(functional.elu(h).relu())
    torch.testing.assert_close(functional.relu6(functional.hardswish(h)), model(x))


def test_ghosts_pass_the_blended_functions_too() -> None:
    """Between a widened layer and the next, ghosts meet the function as it is blended."""
    torch.manual_seed(0)
    model = Functional().double()
    surgeon = Theatre(model).surgeon
    wide = surgeon.enter(0, stage(Ghost(width=factor("2")), on=("a",)), None)
    surgeon.enter(1, stage(Ghost(activation="softplus"), on=("a",)), None)
    g: Any = wide.site.added
    x = images().flatten(1)
    h, ghosts = (functional.softplus(f(x)) for f in (model.a.forward, g["a.ghosts"]))
    h = (model.b.forward(h) + functional.linear(ghosts, g["b.from_ghosts"].weight)).relu()
    torch.testing.assert_close(functional.relu6(functional.hardswish(model.c(h))), model(images()))


def test_a_network_without_an_activation_is_refused() -> None:
    """T502 names the layers that none follows."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 5)).double()
    for on, said in ((), "that can be reached"), (("last",), "after the selected layers (1)"):
        with pytest.raises(TostError) as caught:
            Theatre(model).surgeon.enter(0, stage(Ghost(activation="elu"), on=on), None)
        assert "T502" == caught.value.diagnostics[0].code
        assert said in caught.value.diagnostics[0].message


class SmoothFunctions(nn.Module):
    """A SiLU and a GELU called as functions."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(192, 8), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.silu(self.a(x.flatten(1)), inplace=True)
        return functional.gelu(self.b(x), approximate="tanh")


@pytest.mark.parametrize(
    ("name", "beta", "act"),
    [
        ("swish", 1.0, nn.SiLU(inplace=True)),
        ("swish", Ramp(1, 1), nn.SiLU()),
        ("gelu", 1.0, nn.GELU()),
        ("mish", 1.0, nn.Mish()),
        ("elu", 1.0, nn.ELU()),
        ("elu", 1.0, nn.CELU()),
        ("softplus", 1.0, nn.Softplus()),
    ],
)
def test_a_network_of_that_activation_already_is_refused(
    name: Any, beta: float | Ramp, act: nn.Module
) -> None:
    """A ghost that would change nothing is no ghost: T502 says why."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 5), act).double()
    with pytest.raises(TostError) as caught:
        Theatre(model).surgeon.enter(0, stage(Ghost(activation=name, beta=beta)), None)
    (mistake,) = caught.value.diagnostics
    assert "T502" == mistake.code
    assert f"its activations compute {name} already (2: " in mistake.message


@pytest.mark.parametrize(
    ("name", "beta", "act"),
    [
        ("swish", 2.0, nn.SiLU()),
        ("swish", Ramp(1, 20), nn.SiLU()),
        ("pswish", 1.0, nn.SiLU()),
        ("gelu", 1.0, nn.GELU(approximate="tanh")),
        ("elu", 1.0, nn.ELU(alpha=0.9)),
        ("softplus", 1.0, nn.Softplus(beta=2)),
    ],
)
def test_another_setting_is_another_activation(
    name: Any, beta: float | Ramp, act: nn.Module
) -> None:
    """The same name with another setting is blended, and moves the outputs."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 5), act).double()
    x = images()
    plain = model(x)
    theatre = Theatre(model)
    attached = theatre.surgeon.enter(0, stage(Ghost(activation=name, beta=beta)), None)
    if "beta" in attached.cells:
        attached.cells["beta"].fill_(7.0)
    assert [f"ghost: {name} in 1 activations"] == theatre.lines
    assert not torch.allclose(plain, model(x))


def test_what_is_that_activation_already_stays_and_is_named() -> None:
    """Modules and functions: only the others are blended."""
    torch.manual_seed(0)
    model = SmoothFunctions().double()
    theatre = Theatre(model)
    theatre.surgeon.enter(0, stage(Ghost(activation="swish")), None)
    x = images()
    expected = functional.silu(model.b(functional.silu(model.a(x.flatten(1)))))
    torch.testing.assert_close(expected, model(x))
    assert ["ghost: swish in 1 activations; swish already: silu()"] == theatre.lines
