"""Every technique on every kind of network: it works and leaves nothing, or says why it cannot."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.nets import FACTS, NETS, build, stage
from tests.techniques.every import EVERY, conflict, marks
from tostdsl import registry
from tostdsl.diagnostics import TostError
from tostdsl.engine.certificate import Certificate, Shape
from tostdsl.engine.hooks import Batch
from tostdsl.engine.masked import Masked
from tostdsl.engine.surgery import Surgeon
from tostdsl.models.nets.zoo import maker
from tostdsl.plan.bases import DataFacts, Technique
from tostdsl.vision import torchvision

FAST = ("vit", "mlp")
"""Networks that are small enough for every day."""
SMALL = DataFacts(channels=3, height=32, width=32, classes=5, train_size=64, test_size=64)


def vgg16_bn() -> nn.Module:
    """VGG-16 with a classifier for small images: the original's has 120 million weights."""
    net = maker("vgg16_bn")(SMALL)
    net.avgpool = nn.AdaptiveAvgPool2d(1)
    net.classifier = nn.Sequential(
        nn.Linear(512, 64), nn.ReLU(inplace=True), nn.Dropout(),
        nn.Linear(64, 64), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(64, SMALL.classes),
    )  # fmt: skip
    return net


def vit() -> nn.Module:
    """A vision transformer of two small layers."""
    net: nn.Module = torchvision().models.VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=64,
        num_classes=SMALL.classes,
    )  # fmt: skip
    return net


def perceptron() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(3072, 32), nn.ReLU(), nn.Linear(32, 24), nn.ReLU(),
        nn.Linear(24, SMALL.classes),
    )  # fmt: skip


def registered(name: str, **arguments: object) -> Callable[[], nn.Module]:
    return lambda: registry.get("model", name)(**arguments).build(SMALL)  # type: ignore[attr-defined]


LARGE: dict[str, Callable[[], nn.Module]] = {
    "resnet18": registered("resnet18"),
    "resnet32": registered("cifar_resnet", depth=32),
    "resnet50": registered("resnet50"),
    "vgg16_bn": vgg16_bn,
    "mobilenet_v2": lambda: maker("mobilenet_v2")(SMALL),
    "mobilenet_v3_small": lambda: maker("mobilenet_v3_small")(SMALL),
    "densenet121": lambda: maker("densenet121")(SMALL),
    "convnext_tiny": lambda: maker("convnext_tiny")(SMALL),
    "vit": vit,
    "mlp": perceptron,
}
SHARPENS = "no activation is a relu or relu6, which Swish sharpens into"
ALREADY = "its activations compute gelu already"
NO_BLOCK = "no two of its layers, an activation after each, make a block"
REFUSED: dict[tuple[str, str], tuple[str, ...]] = {
    ("sharpen", "convnext_tiny"): ("T502", SHARPENS, "features.1.0.block.4, a gelu"),
    ("sharpen", "vit"): ("T502", SHARPENS, "encoder.layers.encoder_layer_0.mlp.1, a gelu"),
    ("gelu", "convnext_tiny"): ("T502", ALREADY, "features.1.0.block.4"),
    ("gelu", "vit"): ("T502", ALREADY, "encoder.layers.encoder_layer_0.mlp.1"),
    ("learned", "mobilenet_v3_small"): (
        "T523", "`features.1.block.1.scale_activation` (a Hardsigmoid)", "and 7 more",
    ),
    **{
        (f"skip block{form}", net): ("T502", NO_BLOCK, layer)
        for form in ("", " conv")
        for net, layer in {
            "densenet121": "features.conv0",
            "convnext_tiny": "features.1.0.block.0",
            "vit": "conv_proj",
        }.items()
    },
}  # fmt: skip


def masked_of(model: nn.Module) -> Masked:
    """Random masks of half the weights of convolutions and linear layers."""
    names = [n for n, p in model.named_parameters() if p.dim() > 1 and n.endswith("weight")]
    masked = Masked(model, names)
    draw = torch.Generator().manual_seed(5)
    masked.set({n: torch.rand(w.shape, generator=draw) < 0.5 for n, w in masked.weights.items()})
    return masked


def work(model: nn.Module, facts: DataFacts, stages: list[Technique]) -> Certificate:
    """Attach, train three steps under masks, detach last in first out, certify."""
    certificate = Certificate(Shape.of(model))
    masked = masked_of(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    masked.bind(optimizer)
    draw = torch.Generator().manual_seed(6)
    shape = (4, facts.channels, facts.height, facts.width)
    dtype = next(model.parameters()).dtype
    labels = torch.arange(4) % facts.classes

    def drawn(_purpose: str, _index: int) -> Batch:
        return Batch(torch.randn(shape, generator=draw, dtype=dtype), labels, labels)

    surgeon = Surgeon(
        model, facts, torch.device("cpu"), 1, lambda: masked.masks, lambda _line: None, "net", drawn
    )
    for technique in stages:
        surgeon.prepare(stage(technique))
    attached = [surgeon.enter(i, stage(t), optimizer) for i, t in enumerate(stages)]
    for step in range(3):
        batch = drawn("training", step)
        for each in attached:
            each.hook.batch(batch)
        loss = functional.cross_entropy(model(batch.images), batch.targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for each in reversed(attached):
            each.hook.stepped()
        assert torch.isfinite(loss)
    for each in attached:
        each.vector[0] = 0
    surgeon.train(False)
    with torch.no_grad():
        pictures = drawn("evaluation", 0).images
        before = model(pictures)
        for each in reversed(attached):
            surgeon.leave(each, optimizer)
        certificate.removal("all", "the end", before, model(pictures))
    certificate.shape(model, "at the end")
    certificate.add("masked weights zero", not masked.violations(), "")
    assert 1 == len(optimizer.param_groups)
    assert set(optimizer.state) <= set(model.parameters())
    return certificate


@pytest.mark.parametrize(
    ("net", "technique"),
    [
        pytest.param(net, technique, marks=() if net in FAST else pytest.mark.slow)
        for net in LARGE
        for technique in EVERY
    ],
)
def test_a_technique_works_on_a_network_or_says_why_not(net: str, technique: str) -> None:
    """After three masked steps nothing is left; a refusal names a module and the reason."""
    torch.manual_seed(0)
    model = LARGE[net]()
    refusal = REFUSED.get((technique, net))
    if refusal is None:
        certificate = work(model, SMALL, [EVERY[technique]])
        assert [] == certificate.failures
        (removal, *_) = certificate.checks
        assert "equal to the bit" == removal.detail
        return
    plain = Shape.of(model)
    with pytest.raises(TostError) as caught:
        work(model, SMALL, [EVERY[technique]])
    (mistake,) = caught.value.diagnostics
    code, *said = refusal
    assert code == mistake.code
    for words in said:
        assert words in mistake.message
    assert plain == Shape.of(model)


@pytest.mark.parametrize(
    "pair",
    [
        pytest.param(pair, marks=marks(*pair))
        for pair in combinations(EVERY, 2)
        if not conflict(*pair)
    ],
    ids=" + ".join,
)
@pytest.mark.parametrize("net", NETS)
def test_techniques_work_in_pairs(net: str, pair: tuple[str, str]) -> None:
    """Both attached, trained and detached; the network is the plain one to the bit."""
    model = build(net)
    if net == "vgg" and any("block" in name for name in pair):
        with pytest.raises(TostError, match="make a block"):
            work(model, FACTS, [EVERY[name] for name in pair])
        return
    certificate = work(model, FACTS, [EVERY[name] for name in pair])
    assert [] == certificate.failures
    assert "equal to the bit" == certificate.checks[0].detail


@pytest.mark.parametrize("names", [list(EVERY), list(reversed(EVERY))], ids=["first", "last"])
@pytest.mark.parametrize("net", NETS)
def test_all_techniques_work_together(net: str, names: list[str]) -> None:
    """Everything at once, of what claims the same the first or the last, in that order."""
    chosen: list[str] = []
    for name in names:
        if not conflict(*chosen, name) and (net != "vgg" or "block" not in name):
            chosen.append(name)
    assert len(chosen) > 8
    assert [] == work(build(net), FACTS, [EVERY[name] for name in chosen]).failures
