"""MobileNet, of the first kind and of the later ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from tostdsl.diagnostics import TostError
from tostdsl.models.mobilenet import MobileNet
from tostdsl.models.mobilenets import MobilenetV2, MobilenetV3Large, MobilenetV3Small
from tostdsl.plan.bases import DataFacts, ModelSpec
from tostdsl.plan.spec import CheckSite
from tostdsl.units import Factor
from tostdsl.vision import torchvision

CIFAR = DataFacts(3, 32, 32, 10, 50_000, 10_000)
IMAGENET = DataFacts(3, 224, 224, 1000, 1, 1)
LATER = [MobilenetV2, MobilenetV3Large, MobilenetV3Small]


def width(value: float) -> Factor:
    return Factor.from_json({"factor": value})


@pytest.mark.parametrize(("value", "millions"), [(1, 4.2), (0.75, 2.6), (0.5, 1.3), (0.25, 0.5)])
def test_parameters_of_the_paper(value: float, millions: float) -> None:
    """With 1000 classes the sizes are those of the paper's table 6."""
    net = MobileNet(width=width(value)).build(IMAGENET)
    count = sum(p.numel() for p in net.parameters())
    assert millions == round(count / 1e6, 1)
    if value == 1:
        assert 4_231_976 == count  # Keras' trainable ones


def test_convolutions_by_kind() -> None:
    """13 depthwise and 13 pointwise convolutions behind the stem, so many weights of each."""
    net = MobileNet().build(CIFAR)
    convs = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    depthwise = [m.weight.numel() for m in convs if m.groups > 1]
    pointwise = [m.weight.numel() for m in convs if m.kernel_size == (1, 1)]
    assert (27, 13, 13) == (len(convs), len(depthwise), len(pointwise))
    assert (44_640, 3_185_088) == (sum(depthwise), sum(m.weight.numel() for m in convs))


@pytest.mark.parametrize(("stem", "last"), [("cifar", 2), ("imagenet", 1)])
def test_the_stem_decides_the_sizes(stem: Any, last: int) -> None:
    """Images of 32x32 end as 2x2 behind the small stem, as 1x1 behind the original."""
    net = MobileNet(stem=stem).build(CIFAR)
    seen: list[tuple[int, ...]] = []
    net.get_submodule("avgpool").register_forward_pre_hook(
        lambda _, args: seen.append(tuple(args[0].shape))
    )
    assert (2, 10) == tuple(net(torch.rand(2, 3, 32, 32)).shape)
    assert [(2, 1024, last, last)] == seen


def test_it_computes_what_the_paper_says() -> None:
    """Each convolution, its normalisation and ReLU, mean, classifier: the same in float64."""
    torch.manual_seed(0)
    net = MobileNet(width=width(0.25)).build(CIFAR).double().eval()
    state = net.state_dict()
    for name, buffer in net.named_buffers():
        if name.endswith(("mean", "var")):
            buffer.uniform_(0.5, 1.5)
    strides = iter([1, 1, 1, 2, 1, 1, 1, 2, 1, 1, 1, 2, 1, *[1] * 10, 2, 1, 1, 1])
    x = y = torch.randn(2, 3, 33, 32, dtype=torch.float64)
    for key in [key for key, value in state.items() if value.dim() == 4]:
        weight = state[key]
        groups = y.shape[1] // weight.shape[1]
        y = functional.conv2d(
            y, weight, stride=next(strides), padding=weight.shape[-1] // 2, groups=groups
        )
        norm = key.removesuffix(".weight").replace("conv", "bn")
        values = (state[f"{norm}.{each}"] for each in ("running_mean", "running_var"))
        y = functional.batch_norm(y, *values, state[f"{norm}.weight"], state[f"{norm}.bias"])
        y = y.clamp(min=0)
    assert next(strides, None) is None
    expected = y.mean((2, 3)) @ state["fc.weight"].T + state["fc.bias"]
    torch.testing.assert_close(expected, net(x))


def test_width_gives_whole_channels() -> None:
    """A width that does not make whole numbers of channels is refused, built or checked."""
    spec = MobileNet(width=width(0.3))
    assert ["write `width=0.3125x`"] == [problem.help for problem in spec.check(CheckSite())]
    assert spec.modules(CIFAR) is None
    with pytest.raises(TostError) as caught:
        spec.build(CIFAR)
    assert ["T504"] == [d.code for d in caught.value.diagnostics]


@pytest.mark.parametrize("spec", LATER)
def test_the_original_is_torchvision_s(spec: type[ModelSpec]) -> None:
    """Without an argument the later ones are bit for bit torchvision's."""
    torch.manual_seed(5)
    ours = spec().build(CIFAR)
    torch.manual_seed(5)
    theirs = torchvision().models.get_model(spec.name, weights=None, num_classes=10)
    assert list(theirs.state_dict()) == list(ours.state_dict())
    assert all(torch.equal(v, ours.state_dict()[k]) for k, v in theirs.state_dict().items())
    x = torch.rand(2, 3, 64, 64)
    assert torch.equal(theirs.eval()(x), ours.eval()(x))


def by_hand(name: str) -> nn.Module:
    """Torchvision's network with strides of 1 in the table it is built from."""
    module = getattr(torchvision().models, "mobilenet" + name.split("_")[1])
    if name == "mobilenet_v2":
        table = [[1, 16, 1, 1], [6, 24, 2, 1], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1]]
        table += [[6, 160, 3, 2], [6, 320, 1, 1]]
        net: nn.Module = module.MobileNetV2(num_classes=10, inverted_residual_setting=table)
    else:
        settings, last = module._mobilenet_v3_conf(name)
        next(setting for setting in settings if setting.stride == 2).stride = 1
        net = module.MobileNetV3(settings, last, num_classes=10)
    stem = net.get_submodule("features.0.0")
    assert isinstance(stem, nn.Conv2d)
    stem.stride = (1, 1)
    return net


@pytest.mark.parametrize("spec", LATER)
def test_the_small_stem_leaves_out_two_halvings(spec: type[ModelSpec]) -> None:
    """It computes what the library's network does whose table has a stride of 1 there."""
    net = spec.model_validate({"stem": "cifar"}).build(CIFAR).eval()
    expected = by_hand(spec.name).eval()
    expected.load_state_dict(net.state_dict())
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(expected(x), net(x))
    assert 4 == net.get_submodule("features")(x).shape[-1]


@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
@pytest.mark.parametrize("spec", LATER)
def test_other_channels(spec: type[ModelSpec], stem: Any) -> None:
    """Small grey images are classified, with either stem."""
    net = spec.model_validate({"stem": stem}).build(DataFacts(1, 28, 28, 4, 1, 1))
    assert (2, 4) == tuple(net(torch.rand(2, 1, 28, 28)).shape)
