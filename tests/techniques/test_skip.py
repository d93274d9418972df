"""Temporary identity connections."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.nets import NETS, Theatre, build, images, stage
from tostdsl.diagnostics import TostError
from tostdsl.plan.spec import CheckSite
from tostdsl.techniques.skip import Skip


def standard(x: Tensor) -> Tensor:
    """Zero mean and unit variance of each channel over the batch, as training normalises."""
    dims = [0, *range(2, x.dim())]
    return (x - x.mean(dims, keepdim=True)) / (
        x.var(dims, keepdim=True, unbiased=False) + 1e-5
    ).sqrt()


def brought(x: Tensor, channels: int, size: int) -> Tensor:
    """Average pooling by a whole factor, then channels cut or filled with zeros."""
    x = functional.avg_pool2d(x, x.shape[-1] // size)[:, :channels]
    zeros = torch.zeros(len(x), channels - x.shape[1], size, size, dtype=x.dtype)
    return torch.cat([x, zeros], 1)


FORMS: dict[str, Any] = {
    "convex": lambda y, s, w: (1 - w / 2) * y + w / 2 * s,
    "normalised": lambda y, s, w: y + w * s,
    "add": lambda y, s, w: y + w * s,
}


@pytest.mark.parametrize("alpha", [1.0, 0.1])
@pytest.mark.parametrize("form", FORMS)
def test_a_skip_around_a_convolution_is_its_formula(form: Any, alpha: float) -> None:
    """A strided convolution to more channels, against the formula in float64."""
    conv, norm = nn.Conv2d(3, 5, 3, 2, 1), nn.BatchNorm2d(5)
    model = nn.Sequential(conv, norm, nn.ReLU()).double()
    x = images()
    y = norm(conv(x))
    attached = Theatre(model).surgeon.enter(0, stage(Skip(form=form, alpha=alpha)), None)
    attached.vector[0] = 0.6
    w = float(attached.vector[0]) * alpha
    skip = brought(x, 5, 4)
    expected = FORMS[form](y, skip if form == "add" else standard(skip), w).relu()
    torch.testing.assert_close(expected, model(x))


def test_channels_are_cut_where_there_are_too_many() -> None:
    """A convolution to fewer channels keeps the first ones."""
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU()).double()
    x = images()
    y = model[0](x)
    Theatre(model).surgeon.enter(0, stage(Skip(form="add")), None)
    torch.testing.assert_close((y + x[:, :2]).relu(), model(x))


@pytest.mark.parametrize("outputs", [150, 250])
def test_features_are_cut_or_filled_around_a_linear_layer(outputs: int) -> None:
    """Linear layers keep the first features or get zeros after them."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, outputs), nn.ReLU()).double()
    x = images()
    y = model[1](x.flatten(1))
    Theatre(model).surgeon.enter(0, stage(Skip(form="normalised")), None)
    s = standard(x.flatten(1)[:, :outputs])
    s = torch.cat([s, torch.zeros(4, outputs - s.shape[1], dtype=s.dtype)], 1)
    torch.testing.assert_close((y + s).relu(), model(x))


def test_in_a_residual_block_the_skip_joins_before_the_sum() -> None:
    """The block's own shortcut is added to what the skip gave."""
    block: Any = build("residual").get_submodule("layer1.0")
    model = nn.Sequential(nn.Conv2d(3, 6, 1).double(), block)
    x = model[0](images())
    mid = block.bn1(block.conv1(x)).relu()
    y = block.bn2(block.conv2(mid))
    on = ("1.conv2",)
    attached = Theatre(model).surgeon.enter(0, stage(Skip(), on=on), None)
    w = float(attached.vector[0])
    expected = (FORMS["convex"](y, standard(mid), w) + x).relu()
    torch.testing.assert_close(expected, model(images()))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("net", NETS)
def test_at_weight_0_every_form_is_the_plain_network(net: str, form: Any) -> None:
    """Bitwise, in training and in evaluation."""
    model, plain = build(net), build(net)
    surgeon = Theatre(model).surgeon
    attached = surgeon.enter(0, stage(Skip(form=form)), None)
    attached.vector.zero_()
    for mode in (True, False):
        surgeon.train(mode)
        plain.train(mode)
        assert torch.equal(plain(images()), model(images()))


def test_evaluation_uses_the_skips_running_statistics() -> None:
    """A skip's normalisation learns the statistics of training batches."""
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU()).double()
    surgeon = Theatre(model).surgeon
    attached = surgeon.enter(0, stage(Skip(form="normalised")), None)
    x = images(16) * 3 + 1
    for _ in range(200):
        model(x)
    surgeon.train(False)
    (norm,) = attached.site.added.values()
    torch.testing.assert_close(x.mean((0, 2, 3)), norm.running_mean, rtol=1e-6, atol=1e-6)
    single = model(x[:1])
    torch.testing.assert_close(model(x)[:1], single)


def test_a_last_batch_of_one_image_can_be_trained_on() -> None:
    """Where there is one value a channel, its running statistics stand in for the batch's."""
    model = build("mlp")
    Theatre(model).surgeon.enter(0, stage(Skip()), None)
    model(images(4))
    assert torch.isfinite(model(images(1))).all()


def test_skips_add_no_parameters_and_report_where_they_are() -> None:
    """Nothing is trained; the log tells how many layers have one."""
    theatre = Theatre(build("residual"))
    attached = theatre.surgeon.enter(0, stage(Skip()), None)
    assert [] == attached.parameters
    assert ["skip: convex skips around 5 layers, none around 2 that no activation follows"] == (
        theatre.lines
    )


def test_the_shortcuts_of_a_network_get_no_skip() -> None:
    """A stage on nothing but a shortcut has nothing to do and is refused."""
    only = stage(Skip(), on=("*shortcut*",))
    with pytest.raises(TostError) as caught:
        Theatre(build("residual")).surgeon.enter(0, only, None)
    (mistake,) = caught.value.diagnostics
    assert "T502" == mistake.code
    assert "no activation follows the selected layers" in mistake.message


def test_a_network_in_bf16_autocast_takes_all_forms() -> None:
    """Mixed precision changes no dtype on the way past skips."""
    for form in FORMS:
        model = build("residual", torch.float32)
        Theatre(model).surgeon.enter(0, stage(Skip(form=form)), None)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.bfloat16 == model(images(dtype=torch.float32)).dtype


def test_a_convex_skip_stronger_than_the_layer_is_a_problem() -> None:
    """Above 2 the layer's own share would be negative; the other forms have no such bound."""
    (problem,) = Skip(alpha=2.5).check(CheckSite())
    assert ("T303", ("alpha",)) == (problem.code, problem.fields)
    assert [] == list(Skip(form="normalised", alpha=2.5).check(CheckSite()))
