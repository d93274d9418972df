"""Soft activations and extra neurons."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.nets import NETS, Theatre, build, images, stage
from tostdsl.anneals import Constant
from tostdsl.diagnostics import TostError
from tostdsl.plan.spec import CheckSite
from tostdsl.techniques.ghost import GAP, Ghost
from tostdsl.techniques.soft import soft_activation
from tostdsl.units import Factor, Percent, Ramp


def factor(text: str) -> Factor:
    return Factor(Decimal(text))


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


# -- sharpening


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


# -- width


def wide_linear(*blocks: list[tuple[Tensor, ...]]) -> Tensor:
    return torch.cat([torch.cat(row, 1) for row in blocks])


def test_a_widened_perceptron_at_weight_1_is_one_built_by_hand() -> None:
    """Twice as wide with the same weights: equal outputs and gradients in float64."""
    model: Any = build("mlp")
    attached = Theatre(model).surgeon.enter(0, stage(Ghost(width=factor("2"))), None)
    g = attached.site.added
    wide: Any = nn.Sequential(
        nn.Flatten(), nn.Linear(192, 16), nn.ReLU(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 5)
    ).double()
    put = {
        "1.weight": [[model[1].weight], [g["1.ghosts"].weight]],
        "1.bias": [[model[1].bias], [g["1.ghosts"].bias]],
        "3.weight": [
            [model[3].weight, g["3.from_ghosts"].weight[:6]],
            [g["3.ghosts"].weight, g["3.from_ghosts"].weight[6:]],
        ],
        "3.bias": [[model[3].bias], [g["3.ghosts"].bias]],
        "5.weight": [[model[5].weight, g["5.from_ghosts"].weight]],
        "5.bias": [[model[5].bias]],
    }
    assemble(wide, put)
    compare(model, wide, ["1.weight", "3.weight", "5.weight", "5.bias"])


def test_a_widened_vgg_at_weight_1_is_one_built_by_hand() -> None:
    """Convolutions, normalisation, pooling and flattening, in training and evaluation."""
    model: Any = build("vgg")
    theatre = Theatre(model)
    attached = theatre.surgeon.enter(0, stage(Ghost(width=factor("1.5"))), None)
    g: Any = attached.site.added
    assert ["ghost: width 1.5x: 9 extra neurons in 3 of 4 layers; not widened: 12 "
            "(it gives the network's output)"] == theatre.lines  # fmt: skip
    wide: Any = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 9, 3, padding=1), nn.BatchNorm2d(9), nn.ReLU(), nn.AdaptiveAvgPool2d(2),
        nn.Flatten(), nn.Linear(36, 11), nn.ReLU(), nn.Dropout(0.0), nn.Linear(11, 5),
    ).double()  # fmt: skip
    put = {
        "0.weight": [[model[0].weight], [g["0.ghosts"].weight]],
        "0.bias": [[model[0].bias], [g["0.ghosts"].bias]],
        "1.weight": [[model[1].weight], [g["0.norm"].weight]],
        "1.bias": [[model[1].bias], [g["0.norm"].bias]],
        "1.running_mean": [[model[1].running_mean], [g["0.norm"].running_mean]],
        "1.running_var": [[model[1].running_var], [g["0.norm"].running_var]],
        "4.weight": [
            [model[4].weight, g["4.from_ghosts"].weight[:6]],
            [g["4.ghosts"].weight, g["4.from_ghosts"].weight[6:]],
        ],
        "4.bias": [[model[4].bias], [g["4.ghosts"].bias]],
        "5.weight": [[model[5].weight], [g["4.norm"].weight]],
        "5.bias": [[model[5].bias], [g["4.norm"].bias]],
        "5.running_mean": [[model[5].running_mean], [g["4.norm"].running_mean]],
        "5.running_var": [[model[5].running_var], [g["4.norm"].running_var]],
        "9.weight": [
            [model[9].weight, g["9.from_ghosts"].weight[:7]],
            [g["9.ghosts"].weight, g["9.from_ghosts"].weight[7:]],
        ],
        "9.bias": [[model[9].bias], [g["9.ghosts"].bias]],
        "12.weight": [[model[12].weight, g["12.from_ghosts"].weight]],
        "12.bias": [[model[12].bias]],
    }
    assemble(wide, put)
    for mode in (False, True):
        theatre.surgeon.train(mode)
        wide.train(mode)
        compare(model, wide, ["0.weight", "1.weight", "4.weight", "9.weight", "12.weight"])
    torch.testing.assert_close(wide[5].running_var[6:], g["4.norm"].running_var)


def assemble(wide: nn.Module, put: dict[str, list[list[Tensor]]]) -> None:
    state = {name: torch.cat([torch.cat(row, 1) if len(row) > 1 else row[0] for row in rows])
             for name, rows in put.items()}  # fmt: skip
    missing, unexpected = wide.load_state_dict(
        {name: tensor.detach().clone() for name, tensor in state.items()}, strict=False
    )
    assert [] == unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)


def compare(model: nn.Module, wide: nn.Module, names: list[str]) -> None:
    """Outputs and the gradients of the neurons both have."""
    outputs = []
    for net in (wide, model):
        net.zero_grad()
        out = net(images())
        out.square().sum().backward()
        outputs.append(out.detach())
    torch.testing.assert_close(*outputs, rtol=1e-11, atol=1e-12)
    for name in names:
        small, large = model.get_parameter(name).grad, wide.get_parameter(name).grad
        assert small is not None
        assert large is not None
        shared = large[tuple(slice(0, size) for size in small.shape)]
        torch.testing.assert_close(shared, small, rtol=1e-9, atol=1e-12)


def test_a_ghosts_output_is_scaled_by_the_weight() -> None:
    """Between 0 and 1 the network is the wide one with its ghosts' outputs times w."""
    model: Any = build("mlp")
    attached = Theatre(model).surgeon.enter(0, stage(Ghost(width=factor("2"))), None)
    attached.vector[0] = w = 0.25
    g: Any = attached.site.added
    x = images().flatten(1)
    h1, g1 = (
        model[1](x).relu(),
        functional.linear(x, g["1.ghosts"].weight, g["1.ghosts"].bias).relu(),
    )
    # `model[1]` above is hooked, so what it sent on is computed again by the whole network
    real, ghost = g["3.from_ghosts"].weight[:6], g["3.from_ghosts"].weight[6:]
    h2 = (functional.linear(h1, model[3].weight, model[3].bias) + w * g1 @ real.T).relu()
    g2 = (functional.linear(h1, g["3.ghosts"].weight, g["3.ghosts"].bias) + w * g1 @ ghost.T).relu()
    expected = functional.linear(h2, model[5].weight, model[5].bias)
    expected = expected + w * g2 @ g["5.from_ghosts"].weight.T
    torch.testing.assert_close(expected, model(images()))


@pytest.mark.parametrize("net", NETS)
def test_a_soft_activation_applies_to_ghosts_too(net: str) -> None:
    """With both stages, ghosts go through the network's blended activations."""
    model = build(net)
    surgeon = Theatre(model).surgeon
    surgeon.enter(0, stage(Ghost(width=factor("2"))), None)
    plain = model(images())
    calls = []
    act = next(m for m in model.modules() if isinstance(m, nn.ReLU))
    handle = act.register_forward_hook(lambda _m, _a, _o: calls.append(1))
    attached = surgeon.enter(1, stage(Ghost(activation="softplus")), None)
    assert not torch.allclose(plain, model(images()))
    attached.vector.zero_()
    assert torch.equal(plain, model(images()))
    handle.remove()


def test_ghosts_are_drawn_by_torchs_law_for_the_wide_layer() -> None:
    """Uniform within one over the square root of the wide layer's inputs, from the seed alone."""
    draws = []
    for noise in (0, 1):
        torch.manual_seed(noise)
        before = torch.get_rng_state()
        attached = Theatre(build("vgg")).surgeon.enter(0, stage(Ghost(width=factor("3"))), None)
        assert torch.equal(before, torch.get_rng_state())
        draws.append(attached.state_dict())
    assert all(torch.equal(draws[0][name], draws[1][name]) for name in draws[0])
    for name, fan_in in {"0.ghosts": 27, "4.ghosts": 108, "4.from_ghosts": 108}.items():
        weight = draws[0][f"module:{name}:weight"]
        bound = fan_in**-0.5
        assert bound * 0.95 < float(weight.abs().max()) <= bound
        assert float(weight.std()) == pytest.approx(bound / 3**0.5, rel=0.1)


def test_on_widens_only_the_selected_layers() -> None:
    """`on` selects the layers that get ghosts; the rest is left alone and not spoken of."""
    theatre = Theatre(build("vgg"))
    attached = theatre.surgeon.enter(0, stage(Ghost(width=factor("2")), on=("conv",)), None)
    assert ["0.ghosts", "0.norm", "4.from_ghosts", "4.ghosts", "4.norm", "9.from_ghosts"] == sorted(
        attached.site.added
    )
    assert ["ghost: width 2x: 10 extra neurons in 2 of 2 layers"] == theatre.lines


def deep_vgg() -> nn.Sequential:
    """Three convolutions in a row, pooling between, and two linear layers."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True),
        nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 5), nn.ReLU(), nn.Linear(5, 5),
    )  # fmt: skip


def wide_deep_vgg() -> nn.Sequential:
    """The same three times as wide."""
    return nn.Sequential(
        nn.Conv2d(3, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(),
        nn.Conv2d(12, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 18, 3, padding=1, bias=False), nn.BatchNorm2d(18), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(72, 15), nn.ReLU(), nn.Linear(15, 5),
    )  # fmt: skip


@pytest.mark.parametrize("mode", [True, False])
def test_many_hidden_layers_in_a_row_at_weight_1_are_one_network_built_by_hand(mode: bool) -> None:
    """Ghosts feed the next layers' ghosts all the way; at weight 0 the plain network."""
    torch.manual_seed(4)
    model: Any = deep_vgg().double()
    theatre = Theatre(model)
    attached = theatre.surgeon.enter(0, stage(Ghost(width=factor("3"))), None)
    g, wide = attached.site.added, wide_deep_vgg().double()
    assemble(wide, layout(model, g, ["0", "3", "7", "12", "14"], {"0": "1", "3": "4", "7": "8"}))
    theatre.surgeon.train(mode)
    wide.train(mode)
    compare(model, wide, ["0.weight", "1.weight", "3.weight", "7.weight", "12.weight", "14.bias"])
    attached.vector[0] = 0
    plain = deep_vgg().double()
    plain.load_state_dict(model.state_dict())
    plain.train(mode)
    assert torch.equal(plain(images()), model(images()))


def layout(
    model: nn.Module, g: Any, layers: list[str], norms: dict[str, str]
) -> dict[str, list[list[Tensor]]]:
    """Where the weights of a chain of layers and of their ghosts stand in the wide network."""
    put: dict[str, list[list[Tensor]]] = {}
    for index, name in enumerate(layers):
        layer: Any = model.get_submodule(name)
        real, size = [layer.weight], len(layer.weight)
        ghost = [g[f"{name}.ghosts"].weight] if f"{name}.ghosts" in g else []
        if index:
            real.append(g[f"{name}.from_ghosts"].weight[:size])
            ghost += [g[f"{name}.from_ghosts"].weight[size:]] if ghost else []
        put[f"{name}.weight"] = [real, ghost] if ghost else [real]
        if layer.bias is not None:
            biases = [layer.bias, *([g[f"{name}.ghosts"].bias] if ghost else [])]
            put[f"{name}.bias"] = [[bias] for bias in biases]
    for name, norm in norms.items():
        for key in ("weight", "bias", "running_mean", "running_var"):
            rows = [getattr(m, key) for m in (model.get_submodule(norm), g[f"{name}.norm"])]
            put[f"{norm}.{key}"] = [[row] for row in rows]
    return put


def mobile(k: int = 1, times: int = 1) -> nn.Sequential:
    """An inverted residual block without its sum: expand, depthwise of stride 2, project."""
    return nn.Sequential(
        nn.Conv2d(3, 6 * k, 1, bias=False), nn.BatchNorm2d(6 * k), nn.ReLU6(inplace=k == 1),
        nn.Conv2d(6 * k, 6 * k * times, 3, 2, 1, groups=6 * k, bias=False),
        nn.BatchNorm2d(6 * k * times), nn.ReLU6(inplace=k == 1),
        nn.Conv2d(6 * k * times, 4, 1, bias=False), nn.BatchNorm2d(4),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5),
    )  # fmt: skip


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("mode", [True, False])
def test_ghosts_pass_a_depthwise_convolution_with_channels_of_their_own(
    mode: bool, times: int
) -> None:
    """At weight 1 a mobile block is the twice as wide one, at weight 0 the plain one."""
    torch.manual_seed(4)
    model: Any = mobile(times=times).double()
    theatre = Theatre(model)
    wide_stage = stage(Ghost(width=factor("2")), exclude=("6",))
    attached = theatre.surgeon.enter(0, wide_stage, None)
    g, wide = attached.site.added, mobile(2, times).double()
    put = {
        "0.weight": [[model[0].weight], [g["0.ghosts"].weight]],
        "3.weight": [[model[3].weight], [g["3.ghosts"].weight]],
        "6.weight": [[model[6].weight, g["6.from_ghosts"].weight]],
        "7.weight": [[model[7].weight]],
        "7.bias": [[model[7].bias]],
        "7.running_mean": [[model[7].running_mean]],
        "7.running_var": [[model[7].running_var]],
        "10.weight": [[model[10].weight]],
        "10.bias": [[model[10].bias]],
    }
    for norm, own in (("1", "0.norm"), ("4", "3.norm")):
        for key in ("weight", "bias", "running_mean", "running_var"):
            put[f"{norm}.{key}"] = [[getattr(model[int(norm)], key)], [getattr(g[own], key)]]
    assemble(wide, put)
    theatre.surgeon.train(mode)
    wide.train(mode)
    compare(model, wide, ["0.weight", "3.weight", "4.weight", "6.weight"])
    assert theatre.lines[0].startswith("ghost: width 2x: 6 extra neurons in 1 of 2 layers")
    attached.vector[0] = 0
    plain = mobile(times=times).double()
    plain.load_state_dict(model.state_dict())
    plain.train(mode)
    assert torch.equal(plain(images()), model(images()))


def test_density_keeps_an_exact_random_share_through_training() -> None:
    """Of each ghost weight tensor the share is kept, the same from each seed, step after step."""
    draws = []
    for seed in (1, 1, 2):
        model = build("vgg")
        theatre = Theatre(model, seed=seed)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
        thin = stage(Ghost(width=factor("2"), density=Percent(Decimal("12.5"))))
        attached = theatre.surgeon.enter(0, thin, optimizer)
        names = [n for n, _ in attached.parameters if n.endswith("ghosts.weight")]
        assert 6 == len(names)
        parameters = dict(attached.parameters)
        first = {n: parameters[n] != 0 for n in names}
        for _ in range(3):
            optimizer.zero_grad()
            model(images()).square().mean().backward()
            optimizer.step()
            attached.hook.stepped()
            for name in names:
                mask, now = first[name], parameters[name] != 0
                assert int(0.125 * mask.numel() + 0.5) == int(mask.sum())
                assert torch.equal(mask, now)
        draws.append(first)
    assert all(torch.equal(draws[0][name], draws[1][name]) for name in names)
    assert not all(torch.equal(draws[0][name], draws[2][name]) for name in names)
    total = sum(mask.numel() for mask in draws[0].values())
    kept = sum(int(mask.sum()) for mask in draws[0].values())
    assert theatre.lines[0].endswith(f"; {kept:,} of {total:,} ghost weights kept")


def test_a_density_that_keeps_nothing_of_a_tensor_is_refused() -> None:
    """T530 names the ghost weight that would be empty."""
    thin = stage(Ghost(width=factor("2"), density=Percent(Decimal("0.1"))))
    with pytest.raises(TostError) as caught:
        Theatre(build("vgg")).surgeon.enter(0, thin, None)
    (mistake,) = caught.value.diagnostics
    assert "T530" == mistake.code
    assert "`0.ghosts`" in mistake.message


@pytest.mark.parametrize(("on", "width"), [(("last",), "2"), (("0",), "1.05")])
def test_width_that_adds_nothing_is_refused(on: tuple[str, ...], width: str) -> None:
    """No layer to widen, or no neuron to add, is an error with the reason."""
    with pytest.raises(TostError) as caught:
        Theatre(build("vgg")).surgeon.enter(0, stage(Ghost(width=factor(width)), on=on), None)
    (mistake,) = caught.value.diagnostics
    assert "T502" == mistake.code
    assert "no layer can be widened" in mistake.message


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


# -- the arguments


@pytest.mark.parametrize(
    ("ghost", "code", "fields"),
    [
        (Ghost(), "T504", ()),
        (Ghost(width=factor("1")), "T303", ("width",)),
        (Ghost(width=factor("0.5")), "T303", ("width",)),
        (Ghost(activation="mish", beta=2.0), "T504", ("beta",)),
        (Ghost(activation="swish", beta=0.0), "T303", ("beta",)),
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
