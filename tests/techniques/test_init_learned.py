"""Learned scales, against GradInit written out tensor by tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.nets import FACTS, Theatre, build, drawn, stage
from tests.techniques.gradinit_reference import learned, masks_of, reference, small
from tostdsl.diagnostics import TostError
from tostdsl.techniques.ghost import Ghost
from tostdsl.techniques.gradinit import SCALED
from tostdsl.techniques.init import Init
from tostdsl.techniques.skip import Skip
from tostdsl.units import Factor

DOUBLE = Factor.from_json({"factor": 2})


@pytest.mark.parametrize(
    "law",
    [
        Init(rescale="learned", iterations=12, lr=0.05),
        Init(rescale="learned", iterations=12, lr=0.05, gamma=0.3),
        Init(rescale="learned", iterations=8, lr=0.3, gamma=0.3, clip=0.05, floor=0.4),
        Init(rescale="learned", iterations=8, lr=0.05, gamma=9.0, eta=0.4, normalise=False),
    ],
    ids=["published", "tight", "clipped", "plain step"],
)
def test_scales_are_those_of_gradinit(law: Init) -> None:
    """Every scale agrees with the independent loop to 1e-10 after several iterations."""
    expected = reference(masks_of(small()), law)
    found, _ = learned(small(), masks_of(small()), law)
    assert {"0.weight", "1.weight", "6.weight"} == found.keys()
    for name, scale in found.items():
        assert expected[name] == pytest.approx(scale, abs=1e-10)
    assert any(abs(scale - 1) > 0.01 for scale in found.values())


def test_the_reference_meets_both_aims() -> None:
    """Of the settings above, one has steps of both kinds, as the run's line says."""
    law = Init(rescale="learned", iterations=12, lr=0.05, gamma=0.3)
    _, theatre = learned(small(), masks_of(small()), law)
    (line,) = theatre.lines
    count = int(line.split("; ")[1].split(" of ")[0])
    assert 0 < count < 12
    assert line.startswith("init: learned 3 scales, ")


def test_what_is_masked_away_has_no_influence() -> None:
    """Other values under the mask, and other slopes there, give the same scales to the bit."""
    law = Init(rescale="learned", iterations=6)
    found = []
    for filling in (0.0, 7.0):
        model = small()
        masks = masks_of(model)
        for name, mask in masks.items():
            model.get_parameter(name).data[~mask] = 0
            model.get_parameter(name).data[~mask] = filling
        Theatre(model, masks).surgeon.enter(0, stage(law), None)
        found.append([parameter.detach().clone() for parameter in model.parameters()])
        assert all(not model.get_parameter(n).detach()[~mask].any() for n, mask in masks.items())
    assert all(map(torch.equal, *found))


def test_masked_slopes_are_left_out_of_the_norm_and_the_step() -> None:
    """With slopes of masked weights let in, as in the public code, scales would differ."""
    law = Init(rescale="learned", iterations=6)
    expected = reference(masks_of(small()), law)
    masks = masks_of(small())
    for name, mask in masks.items():
        masks[name] = torch.ones_like(mask)
    model = small()
    for name, mask in masks_of(small()).items():
        model.get_parameter(name).data[~mask] = 0
    leaky, _ = learned(model, masks, law)
    assert any(abs(leaky[name] - expected[name]) > 1e-4 for name in leaky)


@pytest.mark.parametrize("name", ["residual", "vgg"])
def test_running_statistics_modes_and_gradients_stay(name: str) -> None:
    """Buffers to the bit, also those of ghosts; every module's mode; no gradient is left."""
    model = build(name)
    theatre = Theatre(model, masks_of(model))
    surgeon = theatre.surgeon
    surgeon.train(True)
    for index, technique in enumerate((Ghost(width=DOUBLE), Skip(), Ghost(activation="swish"))):
        surgeon.enter(index, stage(technique), None)
    roots = [model, *surgeon.beside]
    assert len(roots) > 2
    buffers = [b for root in roots for b in root.buffers()]
    ghosts = [p for root in surgeon.beside for p in root.parameters()]
    kept = [t.detach().clone() for t in (*buffers, *ghosts)]
    surgeon.leave(surgeon.enter(9, stage(Init(rescale="learned", iterations=3)), None), None)
    assert all(map(torch.equal, kept, (*buffers, *ghosts)))
    assert all(module.training for root in roots for module in root.modules())
    assert all(parameter.grad is None for root in roots for parameter in root.parameters())


def test_ghosts_at_work_are_in_the_network_it_learns_from() -> None:
    """Scales with ghosts differ from those without."""
    found = []
    for ghosts in (False, True):
        model = build("vgg")
        theatre = Theatre(model, masks_of(model))
        if ghosts:
            theatre.surgeon.enter(0, stage(Ghost(width=DOUBLE)), None)
        theatre.surgeon.enter(1, stage(Init(rescale="learned", iterations=3)), None)
        found.append(model.get_parameter("0.weight").detach())
    assert not torch.allclose(*found)


def test_the_look_ahead_loss_falls() -> None:
    """On batches it has not seen, the loss a step ahead is lower with the scales than without."""
    plain, scaled = small(), small()
    learned(scaled, {}, Init(rescale="learned", gamma=100.0, lr=0.02, iterations=60))

    def ahead(net: nn.Module) -> float:
        net.eval()[1].train()
        tensors = dict(net.named_parameters())
        total = 0.0
        for index in range(20):
            batch = drawn("test", index)
            images = batch.images.double()
            loss = nn.functional.cross_entropy(net(images), batch.labels)
            grads = torch.autograd.grad(loss, list(tensors.values()))
            norm = torch.cat([grad.flatten() for grad in grads]).norm()
            moved = {
                n: t - 0.1 * g / norm for (n, t), g in zip(tensors.items(), grads, strict=True)
            }
            out = torch.func.functional_call(net, moved, (images,))
            total += float(nn.functional.cross_entropy(out, batch.labels).detach())
        return total / 20

    assert ahead(scaled) < ahead(plain) - 0.05


def test_only_selected_layers_are_scaled() -> None:
    """With `on` other tensors keep their values to the bit."""
    model = small()
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    masks = {"6.weight": torch.ones(FACTS.classes, 16, dtype=torch.bool)}
    scales, _ = learned(model, masks, Init(rescale="learned", iterations=3), on=("linear",))
    assert 1 != pytest.approx(scales["6.weight"])
    for name in ("0.weight", "1.weight", "1.bias"):
        assert torch.equal(before[name], model.get_parameter(name).detach())


def test_it_needs_no_mask() -> None:
    """On a dense network it is GradInit."""
    law = Init(rescale="learned", iterations=4)
    expected = reference({}, law)
    found, _ = learned(small(), {}, law)
    assert all(expected[name] == pytest.approx(found[name], abs=1e-10) for name in found)


def test_two_searches_give_the_same_scales() -> None:
    """Batches are drawn by purpose and index; dropout is off."""
    law = Init(rescale="learned", iterations=3)
    torch.manual_seed(1)
    first, _ = learned(small(), {}, law)
    torch.manual_seed(2)
    again, _ = learned(small(), {}, law)
    assert first == again


class Odd(torch.autograd.Function):
    """Differentiable once, as some compiled kernels are."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        raise NotImplementedError("derivative for odd is not implemented")


class Once(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return Odd.apply(x)  # type: ignore[no-any-return,no-untyped-call]


def dead() -> nn.Module:
    model = small()
    nn.init.constant_(model[6].bias, 1e6)
    model[6].weight.data.fill_(float("inf"))
    return model


@pytest.mark.parametrize(
    ("model", "code"),
    [
        (lambda: nn.Sequential(*small(), Once()), "T523"),
        (dead, "R320"),
        (lambda: nn.Sequential(nn.Flatten(), zero()), "T502"),
    ],
    ids=["one derivative", "no number", "all zero"],
)
def test_what_cannot_be_learned_from_is_refused(model: Callable[[], nn.Module], code: str) -> None:
    """Each by its own code, and the network keeps its weights."""
    net = model()
    before = [parameter.detach().clone() for parameter in net.parameters()]
    with pytest.raises(TostError) as caught:
        Theatre(net).surgeon.enter(0, stage(Init(rescale="learned", iterations=2)), None)
    assert code == caught.value.diagnostics[0].code
    assert all(map(torch.equal, before, net.parameters()))


def zero() -> nn.Linear:
    layer = nn.Linear(192, FACTS.classes).double()
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def test_attention_is_differentiated_twice() -> None:
    """A transformer's attention takes a form that has second derivatives."""

    class Attends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Conv2d(3, 8, 4, 4)
            self.block = nn.TransformerEncoderLayer(8, 2, 16, 0.1, batch_first=True)
            self.head = nn.Linear(8, FACTS.classes)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.block(self.embed(x).flatten(2).mT).mean(1))  # type: ignore[no-any-return]

    torch.manual_seed(0)
    model = Attends().double()
    scales, _ = learned(model, {}, Init(rescale="learned", iterations=2, gamma=1e-3))
    assert 1 != pytest.approx(scales["embed.weight"], abs=1e-6)


def test_every_convolution_linear_layer_and_normalisation_has_scales() -> None:
    """All their weights and biases, not convolutions' alone."""
    for kind in (nn.Conv2d, nn.Linear, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm):
        assert issubclass(kind, SCALED)


def test_a_rehearsal_cuts_it_short() -> None:
    """Three iterations, whatever the recipe says."""
    theatre = Theatre(small())
    theatre.surgeon.rehearsal = True
    theatre.surgeon.enter(0, stage(Init(rescale="learned")), None)
    assert "of 3 steps" in theatre.lines[0]
