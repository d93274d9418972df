"""torchvision's other networks under their own names."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tostdsl import registry
from tostdsl.diagnostics import TostError
from tostdsl.models.nets.zoo import fit_channels, maker, on_paper, refuses
from tostdsl.models.torchvision_zoo import FAMILIES
from tostdsl.plan.bases import DataFacts, ModelSpec
from tostdsl.vision import torchvision

NATIVE = {
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    *("vgg11", "vgg13", "vgg16", "vgg19"),
    *("mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small"),
}
NAMES = sorted(name for names in FAMILIES.values() for name in names)
CIFAR = DataFacts(3, 32, 32, 10, 50_000, 10_000)


def spec(name: str) -> ModelSpec:
    cls = registry.get("model", name)
    assert issubclass(cls, ModelSpec)
    return cls()


def test_every_network_of_torchvision_has_its_name() -> None:
    """The table is the library's list without the networks defined here."""
    library = torchvision().models
    assert sorted(set(library.list_models(module=library)) - NATIVE) == NAMES


@pytest.mark.parametrize("name", ["mnasnet0_5", "squeezenet1_1", "swin_t", "regnet_x_400mf"])
def test_it_is_torchvision_s(name: str) -> None:
    """On three channels the weights are bit for bit those of torchvision's own network."""
    torch.manual_seed(2)
    theirs = torchvision().models.get_model(name, weights=None, num_classes=10)
    torch.manual_seed(2)
    ours = spec(name).build(CIFAR).state_dict()
    assert list(theirs.state_dict()) == list(ours)
    assert all(torch.equal(value, ours[key]) for key, value in theirs.state_dict().items())


@pytest.mark.parametrize("name", ["mnasnet0_5", "densenet121", "shufflenet_v2_x0_5"])
def test_it_takes_other_channels(name: str) -> None:
    """Images of one channel and of five are classified."""
    for channels in (1, 5):
        net = spec(name).build(DataFacts(channels, 32, 32, 4, 10, 10))
        assert (2, 4) == tuple(net(torch.rand(2, channels, 32, 32)).shape)


@pytest.mark.parametrize("channels", [1, 12])
def test_a_fitted_convolution_keeps_the_size_of_its_output(channels: int) -> None:
    """On white noise the variance of the first convolution's output does not change."""
    torch.manual_seed(0)
    old = nn.Sequential(nn.Conv2d(3, 256, 7, stride=2))
    with torch.no_grad():
        before = float(old(torch.randn(8, 3, 32, 32)).var())
        new = fit_channels(old, channels)
        after = float(new(torch.randn(8, channels, 32, 32)).var())
    assert before == pytest.approx(after, rel=0.05)


@pytest.mark.parametrize(
    ("name", "size", "reason", "proposed"),
    [
        ("alexnet", (32, 32), "Output size is too small", "64x64"),
        ("inception_v3", (32, 32), "Kernel size can't be greater", "96x96"),
        ("vgg11_bn", (28, 28), "Output size is too small", "32x32"),
        ("vit_b_16", (28, 28), "indivisible by patch size", "32x32"),
        ("vit_b_16", (32, 48), "Wrong image width", "64x64"),
        ("maxvit_t", (32, 32), "not divisible by partition size", "224x224"),
    ],
)
def test_images_it_cannot_take(
    name: str, size: tuple[int, int], reason: str, proposed: str
) -> None:
    """A network that cannot run on the data is refused with its own words and a size that fits."""
    with pytest.raises(TostError) as caught:
        spec(name).build(DataFacts(3, *size, 10, 10, 10))
    (diagnostic,) = caught.value.diagnostics
    assert "T506" == diagnostic.code
    assert f"`{name}` does not take images of {size[0]}x{size[1]}: it says " in diagnostic.message
    assert reason in diagnostic.message
    help_text = f"choose another network, or data with images of {proposed}"
    assert help_text == diagnostic.help


def test_modules_are_not_known_before_building() -> None:
    """The library's networks have no listing without torch."""
    assert spec("mnasnet1_0").modules(CIFAR) is None


def test_documentation_names_the_network_and_its_paper() -> None:
    """Each name's documentation says which network it is and where it comes from."""
    text = type(spec("mnasnet1_0")).__doc__
    assert text is not None
    assert text.startswith("torchvision's `mnasnet1_0`: MNASNet (Tan et al. 2019).")


def test_trying_draws_no_number() -> None:
    """A network is tried on paper without touching the generator its weights come from."""
    torch.manual_seed(4)
    before = torch.get_rng_state()
    for name in ("swin_t", "regnet_x_400mf"):
        assert refuses(maker(name), CIFAR) is None
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_every_network_gives_one_score_a_class(name: str, channels: int) -> None:
    """On images of 224x224 each gives one score a class, in training and out of it."""
    facts = DataFacts(channels, 224, 224, 7, 10, 10)
    net = on_paper(maker(name), facts)
    images = torch.empty(2, *facts.shape, device="meta")
    assert [(2, 7)] * 2 == [tuple(net.train(mode)(images).shape) for mode in (True, False)]
    assert refuses(maker(name), facts) is None
