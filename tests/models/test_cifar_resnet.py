"""The residual networks for small images."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tostdsl.diagnostics import TostError
from tostdsl.models import cifar_resnet as family
from tostdsl.models.cifar_resnet import CifarResNetSpec, ResNet20, ResNet32, ResNet110
from tostdsl.plan.bases import DataFacts, ModelSpec
from tostdsl.plan.spec import CheckSite
from tostdsl.units import Factor

CIFAR = DataFacts(3, 32, 32, 10, 50_000, 10_000)
DIGITS = DataFacts(1, 8, 8, 10, 1_437, 360)


def width(value: float) -> Factor:
    return Factor.from_json({"factor": value})


def conv_weights(net: nn.Module) -> int:
    return sum(m.weight.numel() for m in net.modules() if isinstance(m, nn.Conv2d))


def form(module: nn.Module) -> str:
    if isinstance(module, nn.Conv2d):
        return "conv"
    return "linear" if isinstance(module, nn.Linear) else "other"


@pytest.mark.parametrize(
    ("spec", "weights"),
    [
        (ResNet32(), 463_792),
        (ResNet32(shortcut="pad"), 461_232),
        (ResNet32(width=width(2)), 1_854_304),
        (CifarResNetSpec(depth=32), 463_792),
    ],
)
def test_convolution_weights(spec: ModelSpec, weights: int) -> None:
    """ResNet-32 has the literature's 463,792 convolution weights, 1.854 M at double width."""
    assert weights == conv_weights(spec.build(CIFAR))


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        *(("ResNet20", 0.27), ("ResNet32", 0.46), ("ResNet44", 0.66)),
        *(("ResNet56", 0.85), ("ResNet110", 1.7)),
    ],
)
def test_parameters_of_the_original(name: str, millions: float) -> None:
    """With padded shortcuts the sizes are those of table 6 of He et al."""
    net = getattr(family, name)(shortcut="pad").build(CIFAR)
    assert millions == pytest.approx(sum(p.numel() for p in net.parameters()) / 1e6, rel=0.03)


@pytest.mark.parametrize("shortcut", ["projection", "pad"])
@pytest.mark.parametrize("depth", [8, 20, 44])
@pytest.mark.parametrize("facts", [CIFAR, DIGITS])
def test_modules_are_those_of_the_network(depth: int, shortcut: Any, facts: DataFacts) -> None:
    """The listing without torch is the built network's, name by name, in order."""
    spec = CifarResNetSpec(depth=depth, shortcut=shortcut)
    built = [(name, form(m)) for name, m in spec.build(facts).named_modules() if name]
    assert built == [(fact.name, fact.form) for fact in spec.modules(facts) or ()]


@pytest.mark.parametrize("size", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 33, 17), (5, 1, 1)])
@pytest.mark.parametrize("shortcut", ["projection", "pad"])
def test_any_image(size: tuple[int, int, int], shortcut: Any) -> None:
    """Images of any size and number of channels are classified."""
    net = CifarResNetSpec(depth=8, shortcut=shortcut).build(DataFacts(*size, 7, 10, 10))
    assert (2, 7) == tuple(net(torch.rand(2, *size)).shape)


def reference(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """Compute the forward pass of a network of one block a stage, from its state alone."""

    def conv(x: Tensor, conv: str, norm: str, stride: int = 1) -> Tensor:
        weight = state[f"{conv}.weight"]
        y = functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
        shape = (1, -1, 1, 1)
        mean, var = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
        scaled = (y - mean.view(shape)) / (var.view(shape) + 1e-5).sqrt()
        return scaled * state[f"{norm}.weight"].view(shape) + state[f"{norm}.bias"].view(shape)

    x = conv(x, "conv1", "bn1").clamp(min=0)
    for stage, stride in ((1, 1), (2, 2), (3, 2)):
        at = f"layer{stage}.0"
        y = conv(x, f"{at}.conv1", f"{at}.bn1", stride).clamp(min=0)
        y = conv(y, f"{at}.conv2", f"{at}.bn2")
        if f"{at}.downsample.0.weight" in state:
            x = conv(x, f"{at}.downsample.0", f"{at}.downsample.1", stride)
        elif stride == 2:
            small = x[:, :, ::2, ::2]
            x = torch.zeros_like(y)
            lead = (y.shape[1] - small.shape[1]) // 2
            x[:, lead : lead + small.shape[1]] = small
        x = (x + y).clamp(min=0)
    return x.mean((2, 3)) @ state["fc.weight"].T + state["fc.bias"]


@pytest.mark.parametrize("shortcut", ["projection", "pad"])
def test_it_computes_what_the_paper_says(shortcut: Any) -> None:
    """A network of one block a stage equals its formula in float64."""
    torch.manual_seed(0)
    net = CifarResNetSpec(depth=8, shortcut=shortcut).build(CIFAR).double().eval()
    for name, buffer in net.named_buffers():
        if name.endswith(("mean", "var")):
            buffer.uniform_(0.5, 1.5)
    x = torch.randn(2, 3, 9, 9, dtype=torch.float64)
    torch.testing.assert_close(reference(net.state_dict(), x), net(x))


def test_each_activation_has_its_own_module() -> None:
    """No activation module runs twice in a forward pass."""
    net = ResNet20().build(DIGITS)
    calls: dict[str, int] = {}
    for name, module in net.named_modules():
        if isinstance(module, nn.ReLU):
            calls[name] = 0

            def count(*_: object, name: str = name) -> None:
                calls[name] += 1

            module.register_forward_hook(count)
    net(torch.rand(2, 1, 8, 8))
    assert (19, {1}) == (len(calls), set(calls.values()))


@pytest.mark.parametrize("shortcut", ["projection", "pad"])
def test_it_can_be_traced(shortcut: Any) -> None:
    """Symbolic tracing gives a graph that computes the same."""
    net = CifarResNetSpec(depth=14, shortcut=shortcut).build(DIGITS).eval()
    x = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(net(x), torch.fx.symbolic_trace(net)(x), rtol=0, atol=0)


def test_weights_start_from_kaiming_fan_out() -> None:
    """A convolution's weights have the standard deviation sqrt(2 / (9 channels out))."""
    net = ResNet110().build(CIFAR)
    weights = torch.cat([net.get_submodule(f"layer2.{i}.conv2").weight.flatten() for i in range(9)])
    assert (2 / (9 * 32)) ** 0.5 == pytest.approx(float(weights.detach().std()), rel=0.02)


def test_building_depends_on_the_global_generator_alone() -> None:
    """The same state of torch's generator gives the same weights, another gives others."""
    torch.manual_seed(3)
    first = ResNet20().build(DIGITS).state_dict()
    other = ResNet20().build(DIGITS).state_dict()
    torch.manual_seed(3)
    again = ResNet20().build(DIGITS).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])


def test_depths_are_6n_plus_2() -> None:
    """Exactly the depths 8, 14, 20, ... pass, and the others name their two neighbours."""
    allowed = [6 * n + 2 for n in range(1, 10)]
    passed = [d for d in range(8, 62) if not list(CifarResNetSpec(depth=d).check(CheckSite()))]
    assert allowed == passed
    (problem,) = CifarResNetSpec(depth=33).check(CheckSite())
    assert ("T504", ("depth",)) == (problem.code, problem.fields)
    assert "write `depth=32` or `depth=38`" == problem.help


@pytest.mark.parametrize(
    ("value", "help_text"),
    [
        *((2, None), (0.5, None), (0.0625, None), (1.25, None)),
        *((0.3, "write `width=0.3125x`"), (0.01, "write `width=0.0625x`")),
        (0, "write `width=0.0625x`"),
    ],
)
def test_width_gives_whole_channels(value: float, help_text: str | None) -> None:
    """A width that does not make whole numbers of channels is refused, proposing a near one."""
    found = list(ResNet20(width=width(value)).check(CheckSite()))
    assert ([help_text] if help_text else []) == [problem.help for problem in found]


def test_a_wrong_one_is_not_built() -> None:
    """Building and listing a network that the check refuses gives its diagnostic and nothing."""
    spec = CifarResNetSpec(depth=33, width=width(0.3))
    assert spec.modules(CIFAR) is None
    with pytest.raises(TostError) as caught:
        spec.build(CIFAR)
    assert ["T504", "T504"] == [d.code for d in caught.value.diagnostics]


def test_json_reads_back() -> None:
    """A spec's JSON reads back as the same spec."""
    spec = CifarResNetSpec(depth=26, width=width(1.5), shortcut="pad")
    assert spec == CifarResNetSpec.model_validate(spec.model_dump(mode="json"))
