"""A mask site made by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor, nn

from tostdsl.plan.bases import DataFacts


@dataclass
class Site:
    weights: Mapping[str, Tensor]
    masks: Mapping[str, Tensor] = field(default_factory=dict)
    seed: int = 1

    @property
    def model(self) -> nn.Module:
        raise AssertionError("no mask of these looks at the model")

    @property
    def facts(self) -> DataFacts:
        raise AssertionError("no mask of these looks at the data")

    def images(self, each: int) -> tuple[Tensor, Tensor]:
        raise AssertionError("no mask of these looks at images")

    def tell(self, text: str) -> None:
        raise AssertionError("no mask of these says anything")

    def record(self, name: str, content: Mapping[str, object]) -> None:
        raise AssertionError("no mask of these leaves a report")

    def generator(self, purpose: str) -> torch.Generator:
        digest = hashlib.sha256(f"{self.seed} {purpose}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


@pytest.fixture
def make_site() -> Callable[..., Site]:
    """Site of weights given as tensors, or as shapes filled with normal noise."""

    def make(weights: Mapping[str, Tensor | tuple[int, ...]], **rest: object) -> Site:
        noise = torch.Generator().manual_seed(7)
        made = {
            name: value if isinstance(value, Tensor) else torch.randn(value, generator=noise)
            for name, value in weights.items()
        }
        return Site(made, **rest)  # type: ignore[arg-type]

    return make
