"""Initial weights rescaled for a mask."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tests.nets import Theatre, build, stage
from tostdsl.diagnostics import TostError
from tostdsl.techniques.init import Init


def masked(model: nn.Module, *layers: str) -> dict[str, torch.Tensor]:
    """Random masks, applied; the first neuron of each layer loses all its inputs."""
    generator = torch.Generator().manual_seed(5)
    masks = {}
    for name in layers:
        weight = model.get_parameter(f"{name}.weight")
        mask = torch.rand(weight.shape, generator=generator) < 0.3
        mask[0] = False
        masks[f"{name}.weight"] = mask
        weight.data.mul_(mask)
    return masks


def test_each_neuron_is_scaled_to_the_inputs_it_keeps() -> None:
    """Row by row in Python: sqrt(all inputs / kept inputs), zeros where there are none."""
    model: Any = build("vgg")
    masks = masked(model, "4", "9")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    theatre = Theatre(model, masks)
    theatre.surgeon.leave(theatre.surgeon.enter(0, stage(Init()), None), None)
    for name in ("4", "9"):
        rows = zip(model[int(name)].weight, before[f"{name}.weight"], masks[f"{name}.weight"],
                   strict=True)  # fmt: skip
        for now, then, mask in rows:
            kept = int(mask.sum())
            scale = (mask.numel() / kept) ** 0.5 if kept else 0.0
            torch.testing.assert_close(then * scale, now.detach())
            assert not now.detach()[~mask].any()
    untouched = [name for name in before if name not in ("4.weight", "9.weight")]
    assert all(torch.equal(before[name], model.state_dict()[name]) for name in untouched)
    assert ["init: rescaled 2 layers for their masks, 2 of their neurons without inputs"] == (
        theatre.lines
    )


def test_the_variance_of_a_neuron_comes_back() -> None:
    """Many masked inputs of unit variance give outputs of the variance they had unmasked."""
    model = nn.Sequential(nn.Linear(4000, 50, bias=False)).double()
    nn.init.normal_(model[0].weight, std=4000**-0.5)
    masks = {"0.weight": torch.rand(50, 4000) < 0.1}
    model[0].weight.data.mul_(masks["0.weight"])
    theatre = Theatre(model, masks)
    theatre.surgeon.enter(0, stage(Init()), None)
    x = torch.randn(500, 4000, dtype=torch.float64)
    assert float(model(x).detach().var()) == pytest.approx(1.0, rel=0.1)


def test_only_the_selected_layers_are_rescaled() -> None:
    """A masked layer outside the targets keeps its weights."""
    model: Any = build("vgg")
    masks = masked(model, "4", "9")
    before = model[9].weight.detach().clone()
    theatre = Theatre(model, masks)
    theatre.surgeon.enter(0, stage(Init(), on=("conv",)), None)
    assert torch.equal(before, model[9].weight)
    assert theatre.lines[0].startswith("init: rescaled 1 layers")


def test_without_a_mask_there_is_nothing_to_do() -> None:
    """T502, with what to write."""
    with pytest.raises(TostError) as caught:
        Theatre(build("vgg")).surgeon.enter(0, stage(Init()), None)
    (mistake,) = caught.value.diagnostics
    assert ("T502", "add a `mask`, or remove `init`") == (mistake.code, mistake.help)


def test_it_acts_at_a_moment() -> None:
    """The compiler sees a stage without a stretch that adds nothing to the network."""
    assert "instant" == Init.acts
    assert not Init().adds_to_network()
