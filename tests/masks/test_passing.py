"""Paths through networks that call functions: signs, differences, normalisations, maxima."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tostdsl.masks.paths import paths

SHAPE = (1, 4, 4)
Between = Callable[[Tensor], Tensor]
BETWEEN: dict[str, Between] = {
    "negated": lambda x: torch.relu(-x),
    "shifted": lambda x: torch.relu(x - 3.0),
    "turned": lambda x: torch.relu(1 - x),
    "normalised": lambda x: functional.gelu(functional.layer_norm(x, x.shape[1:])),
}


class Net(nn.Module):
    """Two linear layers with something between them."""

    def __init__(self, between: Between) -> None:
        super().__init__()
        self.between = between
        self.a, self.b = nn.Linear(16, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        """From images to three outputs."""
        outputs: Tensor = self.b(self.between(self.a(x.flatten(1))))
        return outputs


@pytest.mark.parametrize("name", BETWEEN)
@pytest.mark.parametrize("density", [1.0, 0.5, 0.15])
def test_paths_are_those_of_the_masks(name: str, density: float) -> None:
    """What works unit by unit leaves the count to the masks alone."""
    draw = torch.Generator().manual_seed(3)
    masks = {
        "a.weight": torch.rand(8, 16, generator=draw) < density,
        "b.weight": torch.rand(3, 8, generator=draw) < density,
    }
    found = paths(Net(BETWEEN[name]), masks, SHAPE)
    assert found is not None
    assert found.connected
    fed, used = masks["a.weight"].any(1), masks["b.weight"].any(0)
    assert torch.equal(masks["a.weight"] & used[:, None], found.on_path["a.weight"])
    assert torch.equal(masks["b.weight"] & fed[None], found.on_path["b.weight"])


def test_a_mean_that_is_taken_off_leads_on() -> None:
    """Every unit has a part in every other's, so each is fed if one is."""
    model = Net(lambda x: torch.relu(x - x.mean(1, keepdim=True)))
    masks = {
        "a.weight": torch.zeros(8, 16, dtype=torch.bool),
        "b.weight": torch.ones(3, 8, dtype=torch.bool),
    }
    masks["a.weight"][2, 5] = True
    found = paths(model, masks, SHAPE)
    assert found is not None
    assert bool(found.on_path["b.weight"].all())
    assert torch.equal(masks["a.weight"], found.on_path["a.weight"])


def test_maxima_lead_on_everywhere() -> None:
    """A pooling called as a function does not choose one place."""
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(8, 3))

    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: Tensor) -> Tensor:
            """Convolved, pooled, told apart."""
            pooled = functional.max_pool2d(self.net[0](x), 2)
            outputs: Tensor = self.net[2](pooled.flatten(1))
            return outputs

    model = Pooled()
    names = ("net.0.weight", "net.2.weight")
    masks = {n: torch.ones_like(model.get_parameter(n), dtype=torch.bool) for n in names}
    found = paths(model, masks, SHAPE)
    assert found is not None
    assert all(bool(found.on_path[name].all()) for name in names)


def test_what_cannot_be_followed_is_not_called_cut() -> None:
    """A network whose dense form lets nothing through is not known, whatever its masks."""
    model = Net(lambda x: torch.relu(torch.sign(x) * x.detach()))
    masks = {n: torch.ones_like(model.get_parameter(n), dtype=torch.bool) for n in ("a.weight",)}
    assert paths(model, masks, SHAPE) is None
    assert paths(model, {"a.weight": ~masks["a.weight"]}, SHAPE) is None
