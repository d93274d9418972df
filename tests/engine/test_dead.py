"""Dead units are found where they are, under the layer's name, and by the network's own units."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.nets import NETS, Residual, Theatre, build, images, stage
from tostdsl.engine.dead import Dead, Units, total
from tostdsl.techniques.ghost import Ghost
from tostdsl.techniques.skip import Skip
from tostdsl.units import Factor


def found(theatre: Theatre, batch: Tensor) -> dict[str, Dead]:
    with Units(theatre.surgeon).watch() as units:
        theatre.model(batch)
    return units.read()


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 5, 1)
        self.fc = nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.hardswish(self.b(functional.relu(self.a(x))))
        return self.fc(x.mean((2, 3)))


def test_a_unit_is_dead_where_its_bias_is_far_below() -> None:
    """Of a linear layer's four units the two that are driven down count, by the layer's name."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.ReLU(), nn.Linear(4, 5))
    with torch.no_grad():
        model[1].bias.copy_(torch.tensor([50.0, -1e4, 50.0, -1e4]))  # type: ignore[union-attr, operator]
    dead = found(Theatre(model), images(dtype=torch.float32))
    assert {"1": Dead(2, 4)} == dead
    assert 0.5 == dead["1"].share == total(dead)


def test_one_place_that_is_not_zero_keeps_a_channel_alive() -> None:
    """A channel counts only if all its places are 0 on all images."""
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(128, 5))
    with torch.no_grad():
        model[0].weight.zero_()  # type: ignore[union-attr, operator]
        model[0].weight[0, 0] = 1.0  # type: ignore[index]
        model[0].bias.zero_()  # type: ignore[union-attr, operator]
    batch = -torch.ones(4, 3, 8, 8)
    assert {"0": Dead(2, 2)} == found(Theatre(model), batch)
    batch[3, 0, 7, 7] = 0.5
    assert {"0": Dead(1, 2)} == found(Theatre(model), batch)


def test_functions_are_looked_at_as_modules_are() -> None:
    """Hardswish is exactly 0 below -3, ReLU below 0; the model's own code is back afterwards."""
    model = Functional()
    with torch.no_grad():
        model.a.bias[:] = torch.tensor([-99.0, 9.0, 9.0, 9.0])
        model.b.bias[:] = torch.tensor([-99.0, -99.0, 99.0, 99.0, 99.0])
    dead = found(Theatre(model), images(dtype=torch.float32))
    assert {"a": Dead(1, 4), "b": Dead(2, 5)} == dead
    assert "forward" not in vars(model)


def test_a_shared_activation_counts_for_each_layer_it_follows() -> None:
    """A residual block that uses one module twice has a count for either convolution."""
    model = Residual()
    with torch.no_grad():
        model.layer1[0].bn1.weight.zero_()  # type: ignore[union-attr, operator]
        model.layer1[0].bn1.bias.fill_(-1)  # type: ignore[union-attr, operator]
    dead = found(Theatre(model), images(dtype=torch.float32))
    assert ["stem", "layer1.0.conv1", "layer1.0.conv2", "layer2.0.conv1", "layer2.0.conv2"] == list(
        dead
    )
    assert Dead(6, 6) == dead["layer1.0.conv1"]


@pytest.mark.parametrize("name", NETS)
def test_ghosts_and_skips_units_are_not_the_networks(name: str) -> None:
    """At weight 0 the counts are those of the plain network, whatever stands beside it."""
    plain = found(Theatre(build(name)), images())
    theatre = Theatre(build(name))
    for index, technique in enumerate(
        [Ghost(width=Factor(Decimal(2))), Skip(form="add", projection="conv")]
    ):
        theatre.surgeon.enter(index, stage(technique), None).vector[0] = 0
    assert plain == found(theatre, images())
    assert plain


def test_a_network_that_cannot_be_traced_is_looked_at_by_its_modules() -> None:
    """Its units go by the activation's name, a second call with its number."""

    class Stubborn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.act = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 5, 1), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            x = self.act(self.a(x))
            return self.act(self.b(x)).mean((2, 3)) if x.sum() > -1 else x

    assert ["act", "act#2"] == list(found(Theatre(Stubborn()), images(dtype=torch.float32)))


def test_looking_leaves_no_hook() -> None:
    """Hooks are gone, also when the pass fails."""
    model = Residual()
    theatre = Theatre(model)
    with pytest.raises(RuntimeError):
        found(theatre, torch.zeros(1, 1, 1, 1))
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("kind", [nn.ReLU, nn.ReLU6, nn.Hardswish])
@pytest.mark.parametrize("activation", ["swish", "mish", "softplus"])
def test_a_soft_activation_does_not_hide_a_dead_unit(
    kind: type[nn.Module], inplace: bool, activation: Any
) -> None:
    """What is 0 behind the plain activation counts, the soft one in its place or not."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 7), kind(inplace), nn.Linear(7, 5))
    with torch.no_grad():
        bias = torch.tensor([50.0, -50.0, 0.0, -50.0, -2.9, 0.0, 0.0])
        model[1].bias.copy_(bias)  # type: ignore[union-attr, operator]
        model[1].weight[4] = 0  # type: ignore[index]
        model[1].weight[5] = 0  # type: ignore[index]
        behind = model[:3](images(dtype=torch.float32))
    count = int((behind == 0).all(0).sum())
    assert count == (3 if kind is nn.Hardswish else 4)
    theatre = Theatre(model)
    assert {"1": Dead(count, 7)} == found(theatre, images(dtype=torch.float32))
    theatre.surgeon.enter(0, stage(Ghost(activation=activation)), None)
    assert {"1": Dead(count, 7)} == found(theatre, images(dtype=torch.float32))


def test_without_such_an_activation_there_is_no_share() -> None:
    """Nothing is made up for a network of soft activations."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.GELU(), nn.Linear(4, 5))
    dead = found(Theatre(model), images(dtype=torch.float32))
    assert {} == dead
    assert total(dead) is None
