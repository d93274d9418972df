"""ResNet-18 to ResNet-152."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tostdsl.models.resnet import ResNet18, ResNet34, ResNet50, ResNet101, ResNet152
from tostdsl.plan.bases import DataFacts, ModelSpec
from tostdsl.vision import torchvision

CIFAR = DataFacts(3, 32, 32, 10, 50_000, 10_000)
DIGITS = DataFacts(1, 8, 8, 7, 1_437, 360)


def form(module: nn.Module) -> str:
    if isinstance(module, nn.Conv2d):
        return "conv"
    return "linear" if isinstance(module, nn.Linear) else "other"


def test_convolution_weights() -> None:
    """ResNet-18 with the small-image stem has the literature's 11,159,232 of them."""
    net = ResNet18().build(CIFAR)
    weights = sum(m.weight.numel() for m in net.modules() if isinstance(m, nn.Conv2d))
    assert 11_159_232 == weights


@pytest.mark.parametrize("spec", [ResNet18, ResNet34, ResNet50, ResNet101, ResNet152])
@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
def test_modules_are_those_of_the_network(spec: type[ModelSpec], stem: Any) -> None:
    """The listing without torch is the built network's, name by name, in order."""
    chosen = spec.model_validate({"stem": stem})
    with torch.device("meta"):
        net = chosen.build(CIFAR)
    built = [(name, form(m)) for name, m in net.named_modules() if name]
    assert built == [(fact.name, fact.form) for fact in chosen.modules(CIFAR) or ()]


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_the_original_is_torchvision_s(name: str) -> None:
    """`stem=imagenet` on three channels is bit for bit torchvision's own network."""
    spec = {"resnet18": ResNet18, "resnet50": ResNet50}[name](stem="imagenet")
    torch.manual_seed(5)
    ours = spec.build(CIFAR).state_dict()
    torch.manual_seed(5)
    theirs = torchvision().models.get_model(name, weights=None, num_classes=10).state_dict()
    assert list(theirs) == list(ours)
    assert all(torch.equal(theirs[key], ours[key]) for key in theirs)


@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
def test_other_images(stem: Any) -> None:
    """Small grey images are classified, with either stem, also while training."""
    net = ResNet18(stem=stem).build(DIGITS)
    assert (2, 7) == tuple(net(torch.rand(2, 1, 8, 8)).shape)


def test_the_small_stem_keeps_the_size() -> None:
    """`stem=cifar` hands the first block images of the size they came in, 64 channels."""
    net = ResNet18().build(CIFAR)
    seen: list[tuple[int, ...]] = []
    net.get_submodule("layer1").register_forward_pre_hook(
        lambda _, args: seen.append(tuple(args[0].shape))
    )
    net(torch.rand(2, 3, 32, 32))
    assert [(2, 64, 32, 32)] == seen


def test_a_stem_starts_from_kaiming_fan_out() -> None:
    """The stem's weights have the standard deviation sqrt(2 / (9 * 64))."""
    torch.manual_seed(0)
    stem = ResNet18().build(CIFAR).get_submodule("conv1")
    assert (2 / (9 * 64)) ** 0.5 == pytest.approx(float(stem.weight.detach().std()), rel=0.05)
