"""A site of small networks in float64, for the scores taken on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from tostdsl.masks.scored import Iterated
from tostdsl.masks.synflow import SynFlow
from tostdsl.plan.bases import DataFacts
from tostdsl.units import Percent

FACTS = DataFacts(3, 8, 8, 5, 64, 64)


@dataclass
class Bare:
    """A site over a network in float64, with fixed images."""

    model: nn.Module
    weights: Mapping[str, Tensor] = field(init=False)
    masks: Mapping[str, Tensor] = field(default_factory=dict)
    facts: DataFacts = FACTS
    seen: tuple[Tensor, Tensor] | None = None
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.weights = {n: p for n, p in self.model.named_parameters() if p.dim() > 1}

    def generator(self, purpose: str) -> torch.Generator:
        raise AssertionError(f"no score draws ({purpose})")

    def images(self, each: int) -> tuple[Tensor, Tensor]:
        assert self.seen is not None
        assert 2 == each
        return self.seen

    def tell(self, text: str) -> None:
        self.told.append(text)


def perceptron(bias: bool = True) -> nn.Module:
    torch.manual_seed(0)
    layers = [
        nn.Flatten(),
        nn.Linear(12, 7, bias=bias),
        nn.Tanh() if bias else nn.ReLU(),
        nn.Linear(7, 6, bias=bias),
        nn.Tanh() if bias else nn.ReLU(),
        nn.Linear(6, 5, bias=bias),
    ]
    return nn.Sequential(*layers).double()


def small_images() -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(1)
    images = torch.randn(10, 3, 2, 2, generator=source, dtype=torch.float64)
    return images, torch.arange(5).repeat_interleave(2)


def mean_loss(
    model: nn.Module, weights: dict[str, Tensor], data: Any, temperature: float = 1
) -> Tensor:
    logits = functional_call(model, weights, (data[0],)) / temperature
    return nn.functional.cross_entropy(logits, data[1])


def method(cls: type[Iterated], percent: str = "60", **rest: Any) -> Any:
    rest = rest if cls is SynFlow else {"per_class": 2, **rest}
    return cls(sparsity=Percent(Decimal(percent)), **rest)


def state(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}
