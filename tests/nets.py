"""Small networks of the usual kinds, and a surgeon over each, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import torch
from torch import Tensor, nn

from tostdsl.engine.hooks import Batch
from tostdsl.engine.seeds import generator
from tostdsl.engine.surgery import Surgeon
from tostdsl.plan.bases import DataFacts, Technique
from tostdsl.plan.plan import StagePlan, Targets
from tostdsl.units import Factor, Selector

FACTS = DataFacts(channels=3, height=8, width=8, classes=5, train_size=64, test_size=64)


def factor(text: str) -> Factor:
    """A factor as a recipe writes it, without its x."""
    return Factor(Decimal(text))


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += self.shortcut(x)
        return self.relu(out)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(6)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = nn.Sequential(Block(6, 6, 1))
        self.layer2 = nn.Sequential(Block(6, 8, 2))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, FACTS.classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer2(self.layer1(self.relu(self.bn(self.stem(x)))))
        x = self.pool(x)
        return self.fc(x.view(x.size(0), -1))


def vgg(dropout: float = 0.0) -> nn.Sequential:
    """Two convolutions with normalisation, then two linear layers past a flattening."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(24, 7),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(7, FACTS.classes),
    )


def mlp() -> nn.Sequential:
    """Two hidden layers."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(192, 8),
        nn.ReLU(),
        nn.Linear(8, 6),
        nn.ReLU(),
        nn.Linear(6, FACTS.classes),
    )


NETS = {"residual": Residual, "vgg": vgg, "mlp": mlp}


def build(name: str, dtype: torch.dtype = torch.float64) -> nn.Module:
    """A network with seeded weights and normalisations that are not the identity."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = NETS[name]().to(dtype)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.bias, -0.5, 0.5)
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.5, 1.5)
    return model


def images(count: int = 4, dtype: torch.dtype = torch.float64) -> Tensor:
    """Seeded images of the shape the networks take."""
    generator = torch.Generator().manual_seed(3)
    return torch.randn(count, *FACTS.shape, dtype=dtype, generator=generator)


def drawn(purpose: str, index: int) -> Batch:
    """Eight images of the shape the networks take, by purpose and index."""
    source = generator(0, purpose, index)
    labels = torch.randint(FACTS.classes, (8,), generator=source)
    return Batch(torch.randn(8, *FACTS.shape, generator=source), labels, labels)


@dataclass
class Theatre:
    """A surgeon over a network, with what it logged."""

    model: nn.Module
    masks: Mapping[str, Tensor] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    seed: int = 1

    def __post_init__(self) -> None:
        device = torch.device("cpu")
        self.surgeon = Surgeon(
            self.model, FACTS, device, self.seed, self.masks, self.lines.append, "net", drawn
        )


def stage(
    technique: Technique, on: tuple[str, ...] = (), exclude: tuple[str, ...] = ()
) -> StagePlan:
    """A stage over the whole training; targets are given as a recipe's words."""
    words = ("conv", "linear", "first", "last")

    def selectors(texts: tuple[str, ...]) -> tuple[Selector, ...]:
        return tuple(Selector("class" if t in words else "glob", t) for t in texts)

    return StagePlan(
        technique=technique, targets=Targets(on=selectors(on), exclude=selectors(exclude))
    )
