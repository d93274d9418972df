"""VGG for small images, and the original."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tostdsl import registry
from tostdsl.diagnostics import TostError
from tostdsl.models.vgg import Vgg11, Vgg13, Vgg16, Vgg19
from tostdsl.plan.bases import DataFacts, ModelSpec
from tostdsl.vision import torchvision

CIFAR = DataFacts(3, 32, 32, 100, 50_000, 10_000)
TINY = DataFacts(3, 64, 64, 200, 100_000, 10_000)


def test_prunable_weights_of_the_literature() -> None:
    """VGG-16 for 100 classes has the 14,761,664 weights, layer by layer, of SynFlow's results."""
    net = Vgg16().build(CIFAR)
    found = [m.weight.numel() for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    tabled = [1_728, 36_864, 73_728, 147_456, 294_912, 589_824, 589_824, 1_179_648]
    assert [*tabled, *[2_359_296] * 5, 51_200] == found
    assert 14_761_664 == sum(found)


@pytest.mark.parametrize(("spec", "depth"), [(Vgg11, 11), (Vgg13, 13), (Vgg16, 16), (Vgg19, 19)])
def test_the_number_in_the_name_counts_the_original_s_layers(
    spec: type[ModelSpec], depth: int
) -> None:
    """So many convolutions and three linear layers; with the small head one linear layer."""
    for head, less in (("imagenet", 0), ("cifar", 2)):
        facts = [fact.form for fact in spec.model_validate({"head": head}).modules(CIFAR) or ()]
        assert (depth - 3, 3 - less) == (facts.count("conv"), facts.count("linear"))


def reference(state: dict[str, Tensor], x: Tensor, halve_before: tuple[int, ...]) -> Tensor:
    """Compute the forward pass from the state alone; `halve_before` counts convolutions."""
    convs = [key for key, value in state.items() if value.dim() == 4]
    for number, key in enumerate(convs):
        if number in halve_before:
            n, c, h, w = x.shape
            x = x[:, :, : h // 2 * 2, : w // 2 * 2].reshape(n, c, h // 2, 2, w // 2, 2)
            x = x.amax((3, 5))
        bias = state.get(key.replace("weight", "bias"))
        x = functional.conv2d(x, state[key], bias, padding=1)
        stem, place, _ = key.rsplit(".", 2)
        norm = f"{stem}.{int(place) + 1}"
        if f"{norm}.weight" in state:
            shape = (1, -1, 1, 1)
            mean, var = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
            x = (x - mean.view(shape)) / (var.view(shape) + 1e-5).sqrt()
            x = x * state[f"{norm}.weight"].view(shape) + state[f"{norm}.bias"].view(shape)
        x = x.clamp(min=0)
    return x.mean((2, 3)) @ state["classifier.weight"].T + state["classifier.bias"]


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize(
    ("spec", "halvings"),
    [(Vgg11, (1, 2, 4, 6)), (Vgg16, (2, 4, 7, 10)), (Vgg19, (2, 4, 8, 12))],
)
def test_it_computes_what_its_page_says(
    spec: type[ModelSpec], halvings: tuple[int, ...], norm: Any
) -> None:
    """Convolution, normalisation, ReLU; four halvings; mean; classifier: the same in float64."""
    torch.manual_seed(0)
    net = spec.model_validate({"norm": norm}).build(CIFAR).double().eval()
    for name, buffer in net.named_buffers():
        if name.endswith(("mean", "var")):
            buffer.uniform_(0.5, 1.5)
    x = torch.randn(2, 3, 33, 32, dtype=torch.float64)
    torch.testing.assert_close(reference(net.state_dict(), x, halvings), net(x))


def test_images_of_other_sizes() -> None:
    """From 16x16 on each size and number of channels is classified; below it is refused."""
    for facts in (TINY, DataFacts(1, 28, 28, 10, 1, 1), DataFacts(2, 16, 16, 3, 1, 1)):
        net = Vgg11().build(facts)
        assert (2, facts.classes) == tuple(net(torch.rand(2, *facts.shape)).shape)
    with pytest.raises(TostError) as caught:
        Vgg11().build(DataFacts(1, 8, 8, 10, 1, 1))
    (found,) = caught.value.diagnostics
    help_text = "choose another network, or data with images of 16x16"
    assert ("T506", help_text) == (found.code, found.help)


@pytest.mark.parametrize(("norm", "theirs"), [("none", "vgg11"), ("batch", "vgg11_bn")])
def test_the_original_is_torchvision_s(norm: Any, theirs: str) -> None:
    """`head=imagenet` is bit for bit torchvision's network, with and without normalisation."""
    torch.manual_seed(5)
    ours = Vgg11(head="imagenet", norm=norm).build(CIFAR).state_dict()
    torch.manual_seed(5)
    given = torchvision().models.get_model(theirs, weights=None, num_classes=100).state_dict()
    assert list(given) == list(ours)
    assert all(torch.equal(given[key], ours[key]) for key in given)


def test_weights_start_from_kaiming_fan_in() -> None:
    """Standard deviations are sqrt(2 / fan-in), of the convolutions and of the classifier."""
    torch.manual_seed(0)
    net = Vgg16().build(CIFAR)
    conv, fc = net.get_submodule("features.7"), net.get_submodule("classifier")
    assert (2 / (9 * 64)) ** 0.5 == pytest.approx(float(conv.weight.detach().std()), rel=0.02)
    assert (2 / 512) ** 0.5 == pytest.approx(float(fc.weight.detach().std()), rel=0.02)
    assert not fc.bias.detach().any()


def test_a_plan_from_before_is_not_read_as_another_network() -> None:
    """`vgg16` was torchvision's once: a plan of its first revision is refused."""
    old = {"name": "vgg16", "revision": 1, "args": {}}
    with pytest.raises(ValueError, match="`vgg16` has revision 2 here, the plan wants 1"):
        registry.get("model", "vgg16").model_validate(old)
