"""Temporary identity connections."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.nets import NETS, Theatre, build, images, stage
from tostdsl.anneals import Constant
from tostdsl.compile.compiler import compile_source
from tostdsl.diagnostics import TostError
from tostdsl.plan.spec import CheckSite
from tostdsl.source import Source
from tostdsl.techniques.skip import Skip
from tostdsl.units import START, Moment, Window


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


@pytest.mark.parametrize("second", FORMS)
@pytest.mark.parametrize("first", FORMS)
def test_two_skips_around_a_layer_join_one_after_the_other(first: Any, second: Any) -> None:
    """What entered later joins what the earlier gave; each leaves by itself, in any order."""
    conv = nn.Conv2d(3, 3, 1)
    model = nn.Sequential(conv, nn.ReLU()).double()
    x, surgeon = images(), Theatre(model).surgeon
    y = conv(x)
    attached = [surgeon.enter(i, stage(Skip(form=f)), None) for i, f in enumerate((first, second))]
    weights = []
    for each, weight in zip(attached, (0.8, 0.3), strict=True):
        each.vector[0] = weight
        weights.append(float(each.vector[0]))
    skips = [x if form == "add" else standard(x) for form in (first, second)]
    joined = FORMS[first](y, skips[0], weights[0])
    torch.testing.assert_close(FORMS[second](joined, skips[1], weights[1]).relu(), model(x))
    surgeon.leave(attached[0], None)
    torch.testing.assert_close(FORMS[second](y, skips[1], weights[1]).relu(), model(x))


def test_two_stages_of_skips_around_one_layer_are_no_conflict() -> None:
    """Unlike activations, which only one stage can replace."""
    head = "model resnet20\ndata cifar10\ntrain for 160 epochs\n"
    text = "skip until 25% on conv\nskip(span=block) until 50%\n"
    assert () == compile_source(Source("r.tost", head + text)).diagnostics


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
    without = "2 that no activation follows (layer2.0.shortcut.0, fc)"
    assert [f"skip: convex skips around 5 layers, none around {without}"] == theatre.lines


def test_three_of_the_layers_without_a_skip_are_named_and_the_rest_counted() -> None:
    """In a row of linear layers only the last before the activation gets a skip."""
    row = [nn.Linear(192, 8), *(nn.Linear(8, 8) for _ in range(4)), nn.ReLU(), nn.Linear(8, 5)]
    theatre = Theatre(nn.Sequential(nn.Flatten(), *row).double())
    theatre.surgeon.enter(0, stage(Skip()), None)
    without = "5 that no activation follows (1, 2, 3 and 2 more)"
    assert [f"skip: convex skips around 1 layers, none around {without}"] == theatre.lines


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
    kinds = [Skip(form=form) for form in FORMS]
    kinds += [Skip(span="block"), Skip(form="add", projection="conv")]
    for skip in kinds:
        model = build("residual", torch.float32)
        Theatre(model).surgeon.enter(0, stage(skip), None)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.bfloat16 == model(images(dtype=torch.float32)).dtype


# -- projections


def test_a_projection_is_the_published_one() -> None:
    """A dense 1x1 convolution without bias, filled with 1e-4, the layer's stride, its own norm."""
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(3, 5, 3, 2, 1), nn.BatchNorm2d(5)
    model = nn.Sequential(conv, norm, nn.ReLU()).double()
    x, y = images(), norm(conv(images()))
    attached = Theatre(model).surgeon.enter(0, stage(Skip(form="add", projection="conv")), None)
    project: Any = attached.site.added["0.projection"]
    assert ((1, 1), (2, 2), None) == (project.kernel_size, project.stride, project.bias)
    assert torch.equal(torch.full((5, 3, 1, 1), 1e-4, dtype=torch.float64), project.weight)
    attached.vector[0] = 0.6
    w = float(attached.vector[0])
    s = 1e-4 * x[:, :, ::2, ::2].sum(1, keepdim=True).expand(-1, 5, -1, -1)
    torch.testing.assert_close((y + w * standard(s)).relu(), model(x))
    assert ["0.projection.weight", "0.norm.weight", "0.norm.bias"] == [
        name for name, _ in attached.parameters
    ]


def test_a_kaiming_projection_has_the_variance_of_its_law() -> None:
    """Normal with variance 2 / fan-in, from the seed alone."""
    draws = []
    for seed in (1, 1, 2):
        model = nn.Sequential(nn.Conv2d(3, 500, 1), nn.Flatten(), nn.Linear(32000, 40), nn.ReLU())
        projected = stage(Skip(projection="conv", fill="kaiming"), on=("linear",))
        attached = Theatre(model, seed=seed).surgeon.enter(0, projected, None)
        draws.append(attached.site.added["2.projection"].get_parameter("weight"))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert (2 / 32000) ** 0.5 == pytest.approx(float(draws[0].detach().std()), rel=0.01)


def test_a_projection_around_a_linear_layer_is_a_linear_layer() -> None:
    """Features are projected and normalised, along the last axis of any number of axes."""
    model = nn.Sequential(nn.Flatten(2), nn.Linear(64, 6), nn.ReLU()).double()
    x = images()
    y = model[1](x.flatten(2))
    kaiming = Skip(form="normalised", projection="conv", fill="kaiming")
    attached = Theatre(model).surgeon.enter(0, stage(kaiming), None)
    s = x.flatten(2) @ attached.site.added["1.projection"].get_parameter("weight").T
    s = standard(s.reshape(-1, 6)).reshape(s.shape)
    torch.testing.assert_close((y + s).relu(), model(x))


def test_where_no_stride_leads_to_the_size_a_projection_is_pooled() -> None:
    """A convolution without padding loses its rim; the projection is pooled to what is left."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).double()
    x, y = images(), model[0](images())
    attached = Theatre(model).surgeon.enter(0, stage(Skip(form="add", projection="conv")), None)
    project: Any = attached.site.added["0.projection"]
    assert (1, 1) == project.stride
    s = functional.adaptive_avg_pool2d(functional.conv2d(x, project.weight), 6)
    torch.testing.assert_close((y + standard(s)).relu(), model(x), rtol=1e-6, atol=1e-8)


# -- blocks


def blocks(model: nn.Module, on: tuple[str, ...] = ()) -> list[str]:
    """Where skips around blocks start and end: the modules that are hooked."""
    Theatre(model).surgeon.enter(0, stage(Skip(span="block"), on=on), None)
    return [n for n, m in model.named_modules() if m._forward_pre_hooks or m._forward_hooks]


def test_a_block_of_a_residual_network_is_skipped_to_before_its_sum() -> None:
    """From the block's input past both layers, beside the network's own shortcut."""
    block: Any = build("residual").get_submodule("layer1.0")
    model = nn.Sequential(nn.Conv2d(3, 6, 1).double(), block)
    x = model[0](images())
    y = block.bn2(block.conv2(block.bn1(block.conv1(x)).relu()))
    attached = Theatre(model).surgeon.enter(0, stage(Skip(span="block")), None)
    attached.vector[0] = 0.6
    w = float(attached.vector[0])
    expected = (FORMS["convex"](y, standard(x), w) + x).relu()
    torch.testing.assert_close(expected, model(images()))


def test_the_blocks_of_a_network_are_its_residual_blocks_or_layers_in_twos() -> None:
    """Basic blocks whole, plain layers in twos, three where one would be left, none alone."""
    assert ["layer1.0.conv1", "layer1.0.bn2", "layer2.0.conv1", "layer2.0.bn2"] == (
        blocks(build("residual"))
    )
    assert ["1", "3"] == blocks(build("mlp"))
    layers = [nn.Linear(192, 8), nn.ReLU(), *(m for _ in range(4) for m in (nn.Linear(8, 8),
              nn.ReLU())), nn.Linear(8, 5)]  # fmt: skip
    model = nn.Sequential(nn.Flatten(), *layers).double()
    assert ["1", "3", "5", "9"] == blocks(model)
    with pytest.raises(TostError) as caught:
        blocks(build("vgg"))
    (mistake,) = caught.value.diagnostics
    assert "T502" == mistake.code
    assert "no two of its layers, an activation after each, make a block (0, 4, 9" in (
        mistake.message
    )


def test_on_selects_blocks_by_all_their_layers() -> None:
    """A block one of whose layers is not selected gets no skip."""
    assert ["layer2.0.conv1", "layer2.0.bn2"] == blocks(build("residual"), on=("layer2",))
    assert ["layer2.0.conv1", "layer2.0.bn2"] == (
        blocks(build("residual"), on=("layer2", "layer1.0.conv1"))
    )


# -- the arguments


@pytest.mark.parametrize(
    ("skip", "code", "field"),
    [
        (Skip(fill="kaiming"), "T504", "fill"),
        (Skip(fill="kaiming", projection="identity"), "T504", "fill"),
        (Skip(keep=True), "T504", "keep"),
        (Skip(keep=True, anneal=Constant()), "W026", "keep"),
    ],
)
def test_arguments_that_make_no_sense_are_problems(skip: Skip, code: str, field: str) -> None:
    """Each problem names its code and its field; staying is a warning."""
    (problem,) = skip.check(CheckSite())
    assert (code, (field,)) == (problem.code, problem.fields)


def test_what_stays_has_a_window_to_the_end() -> None:
    """`keep=yes` and an end contradict each other."""
    kept = Skip(keep=True, anneal=Constant())
    (problem,) = kept.check(CheckSite(window=Window(START, Moment("epoch", Decimal(4)))))
    assert "T504" == problem.code
    (warning,) = kept.check(CheckSite(window=Window()))
    assert "W026" == warning.code


def test_a_convex_skip_stronger_than_the_layer_is_a_problem() -> None:
    """Above 2 the layer's own share would be negative; the other forms have no such bound."""
    (problem,) = Skip(alpha=2.5).check(CheckSite())
    assert ("T303", ("alpha",)) == (problem.code, problem.fields)
    assert [] == list(Skip(form="normalised", alpha=2.5).check(CheckSite()))


@pytest.mark.parametrize("alpha", ["1e300", "101", "1e-300", "0"])
def test_a_skip_of_no_strength_or_one_beyond_numbers_is_a_problem(alpha: str) -> None:
    """It is told where it stands, before anything is trained."""
    head = "model cifar_resnet(8)\ndata digits\ntrain for 4 epochs\n"
    text = f"{head}skip(form=add, alpha={alpha}) until 50%\n"
    (mistake,) = compile_source(Source("r.tost", text)).errors
    assert "T303" == mistake.code
    assert "`alpha` must be at " in mistake.message
