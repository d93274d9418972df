"""The ToST paper's ResNet-104."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tostdsl.models.cifar_resnet import CifarResNetSpec
from tostdsl.models.resnet104 import ResNet104
from tostdsl.plan.bases import DataFacts

CIFAR = DataFacts(3, 32, 32, 10, 50_000, 10_000)


def test_its_numbers_are_those_of_the_public_code() -> None:
    """51 blocks of three convolutions, 155 weight layers and 1,585,072 convolution weights."""
    net = ResNet104().build(CIFAR)
    names = {name for name, m in net.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    blocks = {name.rpartition(".")[0] for name in names if name.endswith(".conv3")}
    shortcuts = {name for name in names if "downsample" in name}
    assert (51, 3, 155) == (len(blocks), len(shortcuts), len(names - shortcuts))
    assert all({f"{block}.conv{i}" for i in (1, 2, 3)} <= names for block in blocks)
    weights = sum(m.weight.numel() for m in net.modules() if isinstance(m, nn.Conv2d))
    assert 1_585_072 == weights


def test_the_104_layers_of_the_name_are_another_network() -> None:
    """`cifar_resnet(104)` has the 104 weight layers."""
    facts = CifarResNetSpec(depth=104, shortcut="pad").modules(CIFAR) or ()
    assert 104 == sum(fact.form != "other" for fact in facts)


def reference(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """Compute the forward pass from the state alone."""

    def conv(x: Tensor, conv: str, norm: str, stride: int = 1) -> Tensor:
        weight = state[f"{conv}.weight"]
        y = functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
        shape = (1, -1, 1, 1)
        mean, var = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
        scaled = (y - mean.view(shape)) / (var.view(shape) + 1e-5).sqrt()
        return scaled * state[f"{norm}.weight"].view(shape) + state[f"{norm}.bias"].view(shape)

    x = conv(x, "conv1", "bn1").clamp(min=0)
    for stage in (1, 2, 3):
        for block in range(17):
            at, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = conv(x, f"{at}.conv1", f"{at}.bn1").clamp(min=0)
            y = conv(y, f"{at}.conv2", f"{at}.bn2", stride).clamp(min=0)
            y = conv(y, f"{at}.conv3", f"{at}.bn3")
            if block == 0:
                x = conv(x, f"{at}.downsample.0", f"{at}.downsample.1", stride)
            x = (x + y).clamp(min=0)
    return x.mean((2, 3)) @ state["fc.weight"].T + state["fc.bias"]


def test_it_computes_what_its_page_says() -> None:
    """The network equals its formula in float64."""
    torch.manual_seed(0)
    net = ResNet104().build(CIFAR).double().eval()
    for name, buffer in net.named_buffers():
        if name.endswith("var"):
            buffer.uniform_(4, 6)  # 51 blocks in a row would grow out of hand
    x = torch.randn(2, 3, 9, 9, dtype=torch.float64)
    torch.testing.assert_close(reference(net.state_dict(), x), net(x))


def test_each_activation_has_its_own_module() -> None:
    """No activation module runs twice in a forward pass; the public code has one a block."""
    net = ResNet104().build(DataFacts(1, 8, 8, 7, 1, 1))
    calls = dict.fromkeys((n for n, m in net.named_modules() if isinstance(m, nn.ReLU)), 0)
    for name in calls:

        def count(*_: object, name: str = name) -> None:
            calls[name] += 1

        net.get_submodule(name).register_forward_hook(count)
    assert (2, 7) == tuple(net(torch.rand(2, 1, 8, 8)).shape)
    assert (1 + 3 * 51, {1}) == (len(calls), set(calls.values()))
