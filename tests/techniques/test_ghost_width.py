"""Extra neurons beside those of hidden layers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.nets import NETS, Theatre, build, factor, images, stage
from tostdsl.diagnostics import TostError
from tostdsl.techniques.ghost import Ghost
from tostdsl.units import Percent


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
