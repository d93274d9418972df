"""Initial weights rescaled for a mask."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tests.nets import Theatre, build, stage
from tostdsl.compile.compiler import compile_source
from tostdsl.diagnostics import TostError
from tostdsl.engine.hooks import Batch
from tostdsl.engine.masked import Masked
from tostdsl.source import Source
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
    theatre.surgeon.leave(theatre.surgeon.enter(0, stage(Init(behind_norm="full")), None), None)
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


def test_behind_a_normalisation_a_layer_keeps_its_norm() -> None:
    """Neurons grow by sqrt(inputs / kept inputs) against one another; the network is the same.

    `4` has a normalisation behind it, `9`, the classifier, has none.
    """
    model: Any = build("vgg").double()
    masks = masked(model, "4", "9")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    images = torch.randn(16, 3, 16, 16, generator=torch.Generator().manual_seed(1)).double()
    hidden = nn.Sequential(*list(model)[:6])
    assert isinstance(model[5], nn.BatchNorm2d)
    model[5].eps = 1e-30
    expected = hidden(images)
    theatre = Theatre(model, masks)
    theatre.surgeon.leave(theatre.surgeon.enter(0, stage(Init()), None), None)
    torch.testing.assert_close(before["4.weight"].norm(), model[4].weight.detach().norm())
    scales = []
    for name in ("4", "9"):
        mask, now = masks[f"{name}.weight"].flatten(1), model[int(name)].weight.flatten(1)
        alive = mask.any(1)
        wanted = (mask.shape[1] / mask.sum(1)[alive]).sqrt()
        grown = now.norm(dim=1)[alive] / before[f"{name}.weight"].flatten(1).norm(dim=1)[alive]
        ratio = (grown / wanted).detach()
        torch.testing.assert_close(torch.full_like(ratio, float(ratio[0])), ratio)
        scales.append(float(ratio[0]))
    assert 1.0 == pytest.approx(scales[1], rel=1e-6)
    assert 1.0 > 1.5 * scales[0]
    torch.testing.assert_close(expected, hidden(images))
    said = "rescaled 2 layers for their masks, 1 of them within their norm"
    assert [f"init: {said}, 2 of their neurons without inputs"] == theatre.lines


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


@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "average"])
@pytest.mark.parametrize("groups", [1, 3])
def test_each_weight_is_scaled_to_the_fans_that_are_kept(mode: str, groups: int) -> None:
    """Weight by weight in Python, counting both fans within the group."""
    model = nn.Sequential(nn.Conv2d(6, 9, 3, groups=groups)).double()
    masks = masked(model, "0")
    mask = masks["0.weight"]
    mask[:, 1] = False
    model[0].weight.data.mul_(mask)
    before = model[0].weight.detach().clone()
    Theatre(model, masks).surgeon.enter(0, stage(Init(mode=mode)), None)
    rows, columns = 9 // groups, 6 // groups
    full = {"fan_in": columns * 9, "fan_out": rows * 9, "average": columns * 9 + rows * 9}[mode]
    for unit, kept, place in mask.nonzero().unique(dim=0)[:, [0, 1, 2]].tolist():
        own = mask[unit // rows * rows : (unit // rows + 1) * rows]
        ins, outs = int(mask[unit].sum()), int(own[:, kept].sum())
        left = {"fan_in": ins, "fan_out": outs, "average": ins + outs}[mode]
        expected = before[unit, kept, place] * (full / left) ** 0.5
        torch.testing.assert_close(expected, model[0].weight.detach()[unit, kept, place])
    assert not model[0].weight.detach()[~mask].any()


def test_a_layer_is_divided_by_the_root_of_its_density() -> None:
    """One factor for the whole layer; a layer without a mask stays."""
    model: Any = build("vgg")
    masks = masked(model, "4", "9")
    masks["9.weight"][:] = False
    model[9].weight.data.zero_()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    theatre = Theatre(model, masks)
    theatre.surgeon.enter(0, stage(Init(rescale="layer_density")), None)
    density = masks["4.weight"].double().mean()
    torch.testing.assert_close(before["4.weight"] / density.sqrt(), model[4].weight.detach())
    others = [name for name in before if name != "4.weight"]
    assert all(torch.equal(before[name], model.state_dict()[name]) for name in others)
    assert theatre.lines[0].startswith("init: rescaled 2 layers for densities of 0.00% to ")


def test_kaiming_draws_for_all_inputs_and_the_mask_comes_after() -> None:
    """Variance 2 / fan-in, masked weights zero, biases kept, another seed another draw."""
    model = nn.Sequential(nn.Linear(500, 300)).double()
    masks = masked(model, "0")
    bias = model[0].bias.detach().clone()
    law = stage(Init(rescale="learned", base="kaiming", iterations=1, lr=1e-300))
    draws = []
    for seed in (1, 1, 2):
        theatre = Theatre(nn.Sequential(nn.Flatten(), *model), {"1.weight": masks["0.weight"]})
        theatre.surgeon.seed = seed
        theatre.surgeon.draw = wide
        theatre.surgeon.enter(0, law, None)
        draws.append(model[0].weight.detach().clone())
    kept = draws[0][masks["0.weight"]]
    assert (2 / 500) ** 0.5 == pytest.approx(float(kept.std()), rel=0.02)
    assert not draws[0][~masks["0.weight"]].any()
    assert torch.equal(bias, model[0].bias.detach())
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def wide(purpose: str, index: int) -> Batch:
    del purpose, index
    labels = torch.arange(4)
    return Batch(torch.ones(4, 5, 10, 10), labels, labels)


def test_a_layers_draw_depends_on_its_name_only() -> None:
    """Selecting fewer layers leaves the others' draws as they were."""
    found = []
    for on in ((), ("9",)):
        model: Any = build("vgg")
        theatre = Theatre(model, masked(model, "4", "9"))
        theatre.surgeon.enter(0, stage(Init(base="kaiming"), on=on), None)
        found.append(model[9].weight.detach().clone())
    assert torch.equal(found[0], found[1])


@pytest.mark.parametrize(("inputs", "outputs", "groups"), [(4, 8, 1), (8, 4, 1), (4, 8, 2)])
def test_orthogonal_kernels_are_rotations_at_their_centre(
    inputs: int, outputs: int, groups: int
) -> None:
    """The shorter side's vectors are orthonormal in each group; off the centre all is zero."""
    model: Any = nn.Sequential(nn.Conv2d(inputs, outputs, 3, groups=groups)).double()
    theatre = Theatre(model, {"0.weight": torch.ones_like(model[0].weight, dtype=torch.bool)})
    theatre.surgeon.enter(0, stage(Init(rescale="layer_density", base="orthogonal")), None)
    weight = model[0].weight.detach()
    for matrix in weight[:, :, 1, 1].chunk(groups):
        gram = matrix @ matrix.T if len(matrix) <= matrix.shape[1] else matrix.T @ matrix
        torch.testing.assert_close(torch.eye(len(gram), dtype=torch.float64), gram)
    weight[:, :, 1, 1] = 0
    assert not weight.any()


@pytest.mark.parametrize(
    ("text", "owners"),
    [
        ("init(rescale=fanin_masked, eta=0.1)", "`rescale=learned` has"),
        ("init(rescale=learned, mode=fan_in)", "`rescale=fanin_masked` has"),
        ("init(rescale=layer_density, lr=0.1)", "`rescale=learned` and `rescale=isometry` have"),
        ("init(rescale=isometry, clip=1)", "`rescale=learned` has"),
        ("init(rescale=learned, tolerance=0)", "`rescale=isometry` has"),
    ],
)
def test_an_argument_of_another_law_is_an_error(text: str, owners: str) -> None:
    """Even at the value that would be its default; the message names argument and owners."""
    head = "model resnet20\ndata cifar10\ntrain for 9 epochs\nmask random(sparsity=90%)\n"
    (mistake,) = compile_source(Source("r.tost", head + text)).errors
    assert "T520" == mistake.code
    assert owners in mistake.message


def test_the_plan_says_which_defaults_the_law_has() -> None:
    """Left out or spelled out is the same plan; what the law has not stays empty."""
    assert Init(rescale="learned") == Init(rescale="learned", iterations=180, lr=0.01, eta=0.1)
    assert (180, 0.1, 1.0, True) == (
        Init(rescale="learned").iterations,
        Init(rescale="learned").eta,
        Init(rescale="learned").gamma,
        Init(rescale="learned").normalise,
    )
    assert (1000, 0.1, None) == (
        Init(rescale="isometry").iterations,
        Init(rescale="isometry").lr,
        Init(rescale="isometry").eta,
    )


def test_two_rescalings_at_one_moment_are_a_conflict() -> None:
    """Which comes first would not be said."""
    assert frozenset({"the initial weights"}) == Init().claims()


@pytest.mark.parametrize("law", [Init(), Init(mode="average"), Init(rescale="layer_density")])
def test_twenty_steps_from_rescaled_weights_are_those_written_out(law: Init) -> None:
    """Masked momentum SGD in float64 against dense algebra from hand-scaled weights, to 1e-12."""
    torch.manual_seed(0)
    model: Any = nn.Sequential(nn.Linear(12, 7, bias=False), nn.Tanh(), nn.Linear(7, 5, bias=False))
    model.double()
    owner = Masked(model, ["0.weight", "2.weight"])
    owner.set({name: torch.rand(weight.shape) < 0.4 for name, weight in owner.weights.items()})
    a, b = (factors(mask, law) * model[i].weight.detach() for i, mask in
            ((0, owner.masks["0.weight"]), (2, owner.masks["2.weight"])))  # fmt: skip
    Theatre(model, owner.masks).surgeon.enter(0, stage(law), None)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.005, momentum=0.9)
    owner.bind(optimizer)
    speeds = [torch.zeros_like(a), torch.zeros_like(b)]
    for _ in range(20):
        x, y = torch.randn(6, 12).double(), torch.randn(6, 5).double()
        optimizer.zero_grad()
        ((model(x) - y) ** 2).sum().backward()
        optimizer.step()

        h = torch.tanh(x @ a.T)
        error = 2 * (h @ b.T - y)
        slopes = ((error @ b * (1 - h**2)).T @ x, error.T @ h)
        for weight, slope, speed, mask in zip((a, b), slopes, speeds, owner.masks.values(),
                                              strict=True):  # fmt: skip
            speed.mul_(0.9).add_(slope * mask)
            weight -= 0.005 * speed
        torch.testing.assert_close(a, model[0].weight.detach(), atol=1e-12, rtol=1e-12)
        torch.testing.assert_close(b, model[2].weight.detach(), atol=1e-12, rtol=1e-12)


def factors(mask: torch.Tensor, law: Init) -> torch.Tensor:
    kept = mask.double()
    rows, columns = mask.shape
    if law.rescale == "layer_density":
        return torch.full_like(kept, float(kept.mean() ** -0.5))
    ins, outs = kept.sum(1, keepdim=True), kept.sum(0, keepdim=True)
    if law.mode == "fan_in":
        return (columns / ins.clamp(min=1)).sqrt().expand_as(kept)
    return ((columns + rows) / (ins + outs).clamp(min=1)).sqrt()


def test_a_tickets_weights_are_not_drawn_anew() -> None:
    """T504: a lottery's mask belongs to the weights it goes back to; other masks do not mind."""
    head = "model cifar_resnet(8)\ndata digits\ntrain for 4 epochs\n"
    init = "init(rescale=layer_density, base=kaiming)\n"
    lottery = "mask lottery(sparsity=60%, rate=40%)\n"
    found = compile_source(Source("r.tost", head + lottery + init)).errors
    assert ["T504"] == [d.code for d in found]
    random = "mask random(sparsity=60%)\n"
    assert () == compile_source(Source("r.tost", head + random + init)).errors
    assert () == compile_source(Source("r.tost", head + lottery + "init\n")).errors
