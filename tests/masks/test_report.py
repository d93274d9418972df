"""The health of masks: against counting by hand, against torch's own counter, planted defects."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from tests.nets import FACTS, NETS, Residual, build, mlp, vgg
from tostdsl import registry
from tostdsl.engine.flops import known_layers, uses
from tostdsl.masks.findings import findings
from tostdsl.masks.report import MaskReport, examine, two_four
from tostdsl.plan.bases import DataFacts


def dense(model: nn.Module) -> dict[str, Tensor]:
    """Masks that keep every weight of every layer."""
    return {
        f"{name}.weight": torch.ones_like(module.weight, dtype=torch.bool)
        for name, module in known_layers(model).items()
    }


def report(
    model: nn.Module, masks: dict[str, Tensor], shape: tuple[int, int, int] = FACTS.shape
) -> MaskReport:
    return examine(model, masks, shape, uses(model, shape), known_layers(model))


def codes(model: nn.Module, masks: dict[str, Tensor], allowed: bool = False) -> dict[str, str]:
    """What is found, the message by code."""
    found = list(findings(report(model, masks), masks, allowed))
    assert len(found) == len({d.code for d in found})
    return {d.code: d.message for d in found}


def drawn(*shape: int, density: float, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < density


# -- counting


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_channels_without_weights_by_hand(groups: int, seed: int) -> None:
    """A channel is empty where no kept weight of a (grouped) convolution reads or writes it."""
    model = nn.Sequential(nn.Conv2d(8, 4, (2, 3), groups=groups, bias=False))
    mask = drawn(4, 8 // groups, 2, 3, density=0.1, seed=seed)
    outputs, inputs = set(range(4)), set(range(8))
    for out, j, h, w in itertools.product(range(4), range(8 // groups), range(2), range(3)):
        if mask[out, j, h, w]:
            outputs.discard(out)
            inputs.discard(out // (4 // groups) * (8 // groups) + j)
    (layer,) = report(model, {"0.weight": mask}, (8, 5, 5)).layers
    assert (8, tuple(sorted(inputs))) == (layer.inputs.total, layer.inputs.empty)
    assert (4, tuple(sorted(outputs))) == (layer.outputs.total, layer.outputs.empty)


@pytest.mark.parametrize("density", [0.2, 0.5, 0.7])
@pytest.mark.parametrize("shape", [(3, 8, 2, 2), (5, 12), (4, 4, 1, 1), (2, 8, 3)])
def test_two_four_by_hand(shape: tuple[int, ...], density: float) -> None:
    """Each output and place of the kernel has groups of four neighbouring input channels."""
    mask = drawn(*shape, density=density)
    fitting, groups = 0, 0
    for out in range(shape[0]):
        for place in itertools.product(*map(range, shape[2:])):
            row = [bool(mask[(out, i, *place)]) for i in range(shape[1])]
            for start in range(0, shape[1], 4):
                groups += 1
                fitting += sum(row[start : start + 4]) <= 2
    assert (groups, fitting) == two_four(mask)


def test_two_four_needs_fours() -> None:
    """Input channels that are not divisible by four have no such groups."""
    assert (0, 0) == two_four(torch.ones(8, 6, 3, 3, dtype=torch.bool))


@pytest.mark.parametrize("name", NETS)
def test_multiply_adds_are_half_of_torchs_flops(name: str) -> None:
    """Dense multiply-adds of our networks are half of what torch's own counter counts."""
    model = build(name, torch.float32).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, *FACTS.shape))
    found = report(model, dense(model))
    assert counter.get_total_flops() == 2 * found.dense
    assert found.ideal == found.dense


@pytest.mark.parametrize("name", ["resnet20", "resnet18", "mobilenet_v2"])
def test_multiply_adds_of_registered_networks(name: str) -> None:
    """So are those of whole networks, grouped convolutions among them."""
    facts = DataFacts(3, 32, 32, 10, 64, 64)
    model = registry.get("model", name)().build(facts).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, *facts.shape))
    counted = uses(model, facts.shape)
    known = known_layers(model)
    assert list(known) == list(counted)
    total = sum(counted[layer] * module.weight.numel() for layer, module in known.items())
    assert counter.get_total_flops() == 2 * total


def test_ideal_multiply_adds_are_those_of_a_smaller_layer() -> None:
    """With half of the outputs pruned, they are what torch counts of a layer of half the size."""
    model = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1))
    mask = torch.ones(8, 3, 3, 3, dtype=torch.bool)
    mask[::2] = False
    small = nn.Conv2d(3, 4, 3, stride=2, padding=1)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        small(torch.zeros(1, 3, 9, 9))
    found = report(model, {"0.weight": mask}, (3, 9, 9))
    assert counter.get_total_flops() == 2 * found.ideal
    assert found.dense == 2 * found.ideal


def test_layers_outside_of_the_scope_and_the_denominators() -> None:
    """Sparsity is a share of the weights in scope; all parameters are told, too."""
    model = vgg()
    masks = {"0.weight": torch.zeros(4, 3, 3, 3, dtype=torch.bool)}
    masks["0.weight"][:, :, 1] = True
    found = report(model, masks)
    assert {"4": 216, "9": 168, "12": 35} == found.outside
    assert (108, 36, Fraction(2, 3)) == (found.total, found.kept, found.sparsity)
    content = found.to_json()
    parameters = sum(p.numel() for p in model.parameters())
    assert (parameters, 72 / parameters) == (
        content["parameters"],
        content["pruned_share_of_parameters"],
    )


# -- planted defects


@pytest.mark.parametrize("network", [Residual, vgg, mlp])
def test_a_dense_network_is_healthy(network: type[nn.Module]) -> None:
    """Nothing is found where nothing is pruned, and every weight is on a path."""
    model = network()
    found = report(model, dense(model))
    assert {} == codes(model, dense(model))
    assert (True, found.total) == (found.connected, found.on_path)
    assert found.effective == found.sparsity == 0


def test_a_dead_channel() -> None:
    """A channel that nothing writes is dead for the layer that reads it: 1 + 1, its weights too."""
    model = mlp()
    masks = dense(model)
    masks["1.weight"][3] = False
    found = report(model, masks)
    first, second, _ = found.layers
    assert (3,) == first.outputs.dead == second.inputs.dead
    assert () == second.inputs.empty
    assert found.on_path == found.kept - 6
    said = codes(model, masks)
    assert ["W052"] == list(said)
    assert said["W052"].startswith("1 of 206 input channels and 1 of 19 output channels are dead")
    assert said["W052"].endswith("6 kept weights lead nowhere")


def test_a_cut_branch() -> None:
    """An empty layer that the network goes around, and the one behind it, are named."""
    model = Residual()
    masks = dense(model)
    masks["layer1.0.conv1.weight"].zero_()
    said = codes(model, masks)
    assert {"W051", "W052"} == set(said)
    assert "`layer1.0.conv1`, `layer1.0.conv2`," in said["W051"]
    assert ("layer1.0.conv1", "layer1.0.conv2") == report(model, masks).cut
    assert ("layer1.0.conv1",) == report(model, masks).empty


def test_a_collapsed_layer() -> None:
    """An empty layer with no way around is an error, and a warning where it is allowed."""
    model = Residual()
    masks = dense(model)
    masks["fc.weight"].zero_()
    said = codes(model, masks)
    assert ["T507"] == list(said)
    assert "leaves no weight in `fc`" in said["T507"]
    assert ["W050"] == list(codes(model, masks, allowed=True))
    found = report(model, masks)
    assert (True, False, 0, 1) == (found.collapsed, found.connected, found.on_path, found.effective)


def test_a_disconnected_network() -> None:
    """Layers that keep weights, none of which meet, are a collapse as well."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.Linear(4, 5))
    masks = dense(model)
    masks["1.weight"][1:] = False
    masks["2.weight"][:, :1] = False
    assert "cuts every path" in codes(model, masks)["T507"]
    assert () == report(model, masks).empty


def test_a_live_zero() -> None:
    """Kept weights that are exactly 0 are counted where they are; pruned ones are not."""
    model = Residual()
    masks = dense(model)
    with torch.no_grad():
        model.fc.weight[0, :3] = 0
        model.stem.weight[0, 0, 0, 0] = 0
        model.stem.weight[1, 0, 0, 0] = -0.0
    masks["fc.weight"][0, 0] = False
    said = codes(model, masks)
    assert ["W053"] == list(said)
    assert "4 kept weights are exactly 0" in said["W053"]
    zeros = {layer.name: layer.zeros for layer in report(model, masks).layers if layer.zeros}
    assert {"stem": 2, "fc": 2} == zeros
    helps = {
        trained: next(findings(report(model, masks), masks, trained=trained)).help or ""
        for trained in (True, False)
    }
    assert "prune them" in helps[True]
    assert "prune" not in helps[False]
    assert "train as any other" in helps[False]


def test_what_the_network_does_not_use_is_told_apart() -> None:
    """On a feature map of one place a padded kernel uses its middle only, mask or none."""
    pool = nn.AdaptiveAvgPool2d(1)
    model = nn.Sequential(pool, nn.Conv2d(3, 4, 3, padding=1), nn.Flatten(), nn.Linear(4, 5))
    masks = dense(model)
    masks["3.weight"][:, 1] = False
    found = report(model, masks)
    assert (96, 0) == tuple(layer.idle for layer in found.layers)
    (said,) = findings(found, masks)
    assert said.message.endswith(
        "99 kept weights lead nowhere, 96 of these in the dense network, too"
    )
    assert "lower the sparsity" in (said.help or "")
    assert "without a mask, too, comes of the network" in (said.help or "")


def test_every_parameter_is_in_one_list() -> None:
    """In scope, in a layer outside of it, or no layer's weight: attention's projection is there."""
    model = nn.Sequential(
        nn.Flatten(2),
        nn.TransformerEncoderLayer(4, 2, 6, batch_first=True),
        nn.Flatten(),
        nn.Linear(12, 5),
    )
    masks = {"1.linear1.weight": torch.ones(6, 4, dtype=torch.bool)}
    found = report(model, masks, (3, 2, 2))
    assert {"1.self_attn.out_proj": 16, "1.linear2": 24, "3": 60} == dict(found.outside)
    assert 48 == found.others["1.self_attn.in_proj_weight"]
    listed = found.total + sum(found.outside.values()) + sum(found.others.values())
    assert listed == found.parameters == sum(p.numel() for p in model.parameters())
    assert "1.self_attn.out_proj" in found.uncounted


class Single(nn.Module):
    """Computes in float32 whatever it is given, so that paths cannot be followed."""

    def forward(self, x: Tensor) -> Tensor:
        return x.to(torch.float32)


def test_paths_that_cannot_be_followed() -> None:
    """What needs paths is not known, and an empty layer is taken for a collapse."""
    model = nn.Sequential(nn.Flatten(), Single(), nn.Linear(192, 4), nn.Linear(4, 5))
    masks = dense(model)
    masks["2.weight"][1] = False
    found = report(model, masks)
    assert (None, None, None, False) == (
        found.connected, found.on_path, found.effective, found.collapsed,
    )  # fmt: skip
    assert (1,) == found.layers[0].outputs.dead
    assert ["W052"] == list(codes(model, masks))
    masks["3.weight"].zero_()
    assert ["T507"] == list(codes(model, masks))


def test_looking_changes_nothing() -> None:
    """Neither weights, modes, hooks nor masks are touched."""
    model = Residual().train()
    masks = {name: drawn(*mask.shape, density=0.5) for name, mask in dense(model).items()}
    kept = {name: mask.clone() for name, mask in masks.items()}
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    report(model, masks)
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    assert all(torch.equal(kept[name], now) for name, now in masks.items())
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())
