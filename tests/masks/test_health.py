"""Collapse and paths, against paths counted by hand."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.nets import FACTS, Residual
from tostdsl.diagnostics import TostError
from tostdsl.engine.scope import Scope
from tostdsl.masks.gradual import Gradual
from tostdsl.masks.health import refuse_collapse
from tostdsl.masks.lottery import Lottery
from tostdsl.masks.magnitude import Magnitude
from tostdsl.masks.paths import paths
from tostdsl.masks.random import Random
from tostdsl.masks.synflow import SynFlow
from tostdsl.plan.bases import DataFacts
from tostdsl.plan.masking import MaskMethod
from tostdsl.units import Percent


def ones(model: nn.Module) -> dict[str, Tensor]:
    return {
        name: torch.ones_like(parameter, dtype=torch.bool)
        for name, parameter in model.named_parameters()
        if parameter.dim() > 1
    }


def refused(
    method: MaskMethod, model: nn.Module, masks: Mapping[str, Tensor], **weights: Any
) -> tuple[str, ...]:
    held = {name: parameter for name, parameter in model.named_parameters() if name in masks}
    return refuse_collapse(method, Scope(model, held, {}, FACTS, 1), masks)


def magnitude(percent: str = "90", **rest: Any) -> Magnitude:
    return Magnitude(sparsity=Percent(Decimal(percent)), **rest)


@settings(deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0.1, 0.3, 0.6]))
def test_paths_of_a_perceptron(seed: int, density: float) -> None:
    """A weight is on a path when its input is reached and its output leads on, by sets."""
    source = torch.Generator().manual_seed(seed)
    layers = [nn.Linear(5, 6), nn.GELU(), nn.Linear(6, 4), nn.ReLU6(), nn.Linear(4, 3)]
    model = nn.Sequential(nn.Flatten(), *layers)
    masks = {n: torch.rand(m.shape, generator=source) < density for n, m in ones(model).items()}
    found = paths(model, masks, (5, 1, 1))
    assert found is not None
    matrices = [mask.numpy() for mask in masks.values()]
    reached = [np.ones(5, dtype=bool)]
    for matrix in matrices:
        reached.append((matrix & reached[-1]).any(1))
    leading = [np.ones(3, dtype=bool)]
    for matrix in reversed(matrices):
        leading.append((matrix & leading[-1][:, None]).any(0))
    leading.reverse()
    assert bool(reached[-1].any()) == found.connected
    for i, (name, matrix) in enumerate(zip(masks, matrices, strict=True)):
        wanted = matrix & reached[i][None] & leading[i + 1][:, None]
        assert wanted.tolist() == found.on_path[name].tolist()


class Attention(nn.Module):
    """One attention over four places with nothing around it, in one of torch's ways to write it."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.q, self.k = nn.Linear(3, 4), nn.Linear(3, 4)
        self.v, self.out = nn.Linear(3, 4), nn.Linear(4, 5)
        self.soft = nn.Softmax(dim=-1)
        self.way = way

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(2).transpose(1, 2)
        q, k, v = self.q(x), self.k(x), self.v(x)
        scores = q @ k.transpose(1, 2)
        if self.way == "cosine":
            unit = nn.functional.normalize
            scores = unit(q, dim=-1) @ unit(k, dim=-1).transpose(1, 2)
        hidden = scores + torch.full_like(scores, -torch.inf).triu(1)
        if self.way == "product":
            mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        elif self.way == "method":
            mixed = hidden.softmax(-1) @ v
        elif self.way == "module":
            mixed = self.soft(hidden) @ v
        else:
            mixed = torch.softmax(hidden, dim=-1) @ v
        return nn.functional.log_softmax(self.out(mixed.mean(1)), dim=1)


@pytest.mark.parametrize("way", ["product", "method", "module", "function", "cosine"])
@pytest.mark.parametrize("seed", range(4))
def test_paths_of_attention(way: str, seed: int) -> None:
    """Queries and keys lead on where their products meet and values get through, by hand."""
    source = torch.Generator().manual_seed(seed)
    model = Attention(way)
    masks = {n: torch.rand(m.shape, generator=source) < 0.4 for n, m in ones(model).items()}
    found = paths(model, masks, (3, 2, 2))
    assert found is not None
    q, k, v, out = (masks[f"{name}.weight"].numpy() for name in ("q", "k", "v", "out"))
    carried = v.any(1) & out.any(0)
    met = q.any(1) & k.any(1) & carried.any()
    assert bool(carried.any()) == found.connected
    for name, wanted in (
        ("q", q & met[:, None]),
        ("k", k & met[:, None]),
        ("v", v & carried[:, None]),
        ("out", out & carried[None]),
    ):
        assert wanted.tolist() == found.on_path[f"{name}.weight"].tolist(), name


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("inner", [6, 3])
def test_paths_through_multihead_attention(first: bool, inner: int) -> None:
    """What feeds only queries is on a path; what feeds values that lead nowhere is on none."""

    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ask, self.tell = nn.Linear(3, 6), nn.Linear(3, inner)
            self.mix = nn.MultiheadAttention(6, 2, batch_first=first, kdim=inner, vdim=inner)
            self.last = nn.Linear(6, 5)

        def forward(self, x: Tensor) -> Tensor:
            x = x.flatten(2).transpose(1, 2) if first else x.flatten(2).permute(2, 0, 1)
            told = self.tell(x)
            return self.last(self.mix(self.ask(x), told, told)[0].mean(1 if first else 0))

    model = Heads()
    scope = ("ask.weight", "tell.weight", "mix.out_proj.weight", "last.weight")
    masks = {name: mask for name, mask in ones(model).items() if name in scope}
    found = paths(model, masks, (3, 2, 2))
    assert found is not None
    assert found.connected
    assert all(bool(each.all()) for each in found.on_path.values())
    masks["mix.out_proj.weight"][:, 3:] = False  # the second head's values lead nowhere
    masks["last.weight"][:, 0] = False
    found = paths(model, masks, (3, 2, 2))
    assert found is not None
    assert bool(found.on_path["ask.weight"].all())
    assert [0] + [3] * 5 == found.on_path["mix.out_proj.weight"].sum(1).tolist()
    masks["tell.weight"].zero_()
    found = paths(model, masks, (3, 2, 2))
    assert found is not None
    assert not found.connected
    assert not any(bool(each.any()) for each in found.on_path.values())


def test_paths_through_an_encoder_layer_of_torch() -> None:
    """Its shortcut carries everything on; half of its hidden units lead nowhere."""
    model = nn.Sequential(
        nn.Flatten(2),
        nn.TransformerEncoderLayer(4, 2, 6, batch_first=True),
        nn.Flatten(),
        nn.Linear(12, 5),
    )
    names = [name for name in ones(model) if "in_proj" not in name]
    masks = {name: ones(model)[name] for name in names}
    masks["1.linear2.weight"][:, :3] = False
    found = paths(model, masks, (3, 2, 2))
    assert found is not None
    assert found.connected
    on = {name: int(each.sum()) for name, each in found.on_path.items()}
    assert {
        "1.self_attn.out_proj.weight": 16,
        "1.linear1.weight": 12,
        "1.linear2.weight": 12,
        "3.weight": 60,
    } == on


def test_what_is_added_to_the_image_does_not_connect_it() -> None:
    """A network that sees only its own position embedding has no path from the image."""

    class Embedded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(12, 4), nn.Linear(4, 5)
            self.place = nn.Parameter(torch.randn(1, 4))

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.first(x.flatten(1)) + self.place)

    model = Embedded()
    masks = {f"{name}.weight": ones(model)[f"{name}.weight"] for name in ("first", "last")}
    found = paths(model, masks, (3, 2, 2))
    assert found is not None
    assert found.connected
    masks["first.weight"].zero_()
    found = paths(model, masks, (3, 2, 2))
    assert found is not None
    assert not found.connected


def test_paths_of_a_residual_network() -> None:
    """What only a cut branch reaches is on no path; what goes round it is."""
    torch.manual_seed(0)
    model = Residual()
    masks = ones(model)
    masks["layer1.0.conv1.weight"].zero_()
    found = paths(model, masks, FACTS.shape)
    assert found is not None
    assert found.connected
    assert not bool(found.on_path["layer1.0.conv2.weight"].any())
    assert bool(found.on_path["stem.weight"].all())
    assert bool(found.on_path["layer2.0.conv1.weight"].all())


def test_paths_leave_the_network_alone() -> None:
    """Following paths changes no weight, no module and no mode of the network."""
    torch.manual_seed(0)
    model = Residual()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modules = [type(module) for module in model.modules()]
    paths(model, ones(model), FACTS.shape)
    assert modules == [type(module) for module in model.modules()]
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())


def told_highest(error: TostError) -> Fraction:
    """The sparsity that a T507 tells to write."""
    help = error.diagnostics[0].help
    assert help is not None
    return Fraction(help.split("sparsity=")[1].split("%")[0]) / 100


def test_an_empty_layer_on_the_only_path_is_a_collapse() -> None:
    """It is refused with its name, and the highest sparsity at which a path is left."""
    torch.manual_seed(0)
    model = Residual()
    masks = ones(model)
    masks["fc.weight"].zero_()
    with pytest.raises(TostError) as caught:
        refused(magnitude("99.99"), model, masks)
    (found,) = caught.value.diagnostics
    assert "T507" == found.code
    assert "leaves no weight in `fc`" in found.message
    assert "`allow=collapse`" in (found.help or "")
    scope = Scope(model, {n: p for n, p in model.named_parameters() if n in masks}, {}, FACTS, 1)
    percent = told_highest(caught.value)
    for share, wanted in ((percent, True), (percent + Fraction(1, 10_000), False)):
        seen = paths(model, magnitude().choose(scope, share), FACTS.shape)
        assert seen is not None
        assert wanted == seen.connected


LAWS = ("uniform", "uniform_plus", "er", "erk", "balanced", "smart_ratio")


@pytest.mark.parametrize(
    ("cls", "law"),
    [
        *((Random, law) for law in LAWS),
        *((Magnitude, law) for law in ("uniform", "er", "erk", "balanced")),
    ],
)
def test_a_named_sparsity_runs(cls: type[Any], law: Any) -> None:
    """Where paths are cut and no layer is empty, what the help names is lower, and holds."""
    torch.manual_seed(0)
    layers = [nn.Linear(12, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 10)]
    model = nn.Sequential(nn.Flatten(), *layers)
    held = {n: p for n, p in model.named_parameters() if p.dim() > 1}
    facts = DataFacts(3, 2, 2, 10, 64, 64)
    scope = Scope(model, held, {}, facts, 1)
    asked = next(
        Fraction(n, 1000)
        for n in range(999, 0, -1)
        if (method := tried(cls, law, Fraction(n, 1000), scope)) is not None
    )
    method = cls(sparsity=Percent(Decimal(str(float(asked * 100)))), distribution=law)
    with pytest.raises(TostError, match=r"T507.*cuts every path") as caught:
        refuse_collapse(method, scope, method.choose(scope, asked))
    help = caught.value.diagnostics[0].help or ""
    assert ("distribution=erk" in help) <= (law != "erk")
    highest = told_highest(caught.value)
    assert highest < asked
    again = cls(sparsity=Percent(Decimal(str(float(highest * 100)))), distribution=law)
    refuse_collapse(again, scope, again.choose(scope, highest))
    if "distribution=erk" in help:
        erk = cls(sparsity=method.sparsity, distribution="erk")
        refuse_collapse(erk, scope, erk.choose(scope, asked))


def tried(cls: type[Any], law: Any, sparsity: Fraction, scope: Scope) -> MaskMethod | None:
    """A method whose masks at a sparsity cut every path though no layer is empty, else None."""
    method: MaskMethod = cls(sparsity=Percent(Decimal(50)), distribution=law)
    try:
        masks = method.choose(scope, sparsity)
    except TostError:
        return None
    found = paths(scope.model, masks, scope.facts.shape)
    assert found is not None
    full = all(bool(mask.any()) for mask in masks.values())
    return method if full and not found.connected else None


def test_where_no_figure_can_be_known_none_is_named() -> None:
    """Masks that are searched for or move tell to lower the sparsity, not how far."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.Linear(4, 5))
    masks = ones(model)
    masks["1.weight"].zero_()
    percent = Percent(Decimal(90))
    moving = (Gradual(sparsity=percent), Gradual(sparsity=percent, distribution="erk"))
    for method in (*moving, SynFlow(sparsity=percent), Lottery(sparsity=percent)):
        with pytest.raises(TostError, match="T507") as caught:
            refused(method, model, masks)
        help = caught.value.diagnostics[0].help or ""
        assert help.startswith("lower `sparsity`, leave small layers dense with `except`")
        assert "%" not in help
        offered = getattr(method, "distribution", "erk") != "erk"
        assert offered == ("distribution=erk" in help)


def test_what_is_left_of_a_network_is_told() -> None:
    """Classes that nothing of the image reaches, and that most of what is kept leads nowhere."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.Linear(4, 5))
    masks = ones(model)
    masks["2.weight"][:, 1:] = False
    masks["2.weight"][2:] = False
    lines = refused(magnitude(), model, masks)
    assert "nothing of the image reaches 3 of 5 outputs" == lines[0]
    assert "576 of the 770 kept weights are on no path from the image to the outputs" == lines[1]
    assert () == refused(magnitude(), model, ones(model))


def test_a_cut_branch_is_told_and_not_refused() -> None:
    """A residual branch without weights is gone around: its layers are named, training goes on."""
    torch.manual_seed(0)
    model = Residual()
    masks = ones(model)
    masks["layer1.0.conv1.weight"].zero_()
    assert ("no weight is left in `layer1.0.conv1`",) == refused(magnitude(), model, masks)
    masks["stem.weight"].zero_()
    with pytest.raises(TostError, match=r"T507.*`stem`, `layer1.0.conv1`"):
        refused(magnitude(), model, masks)


def test_no_path_is_a_collapse_even_where_no_layer_is_empty() -> None:
    """Layers that keep weights, none of which meet, let nothing through."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.Linear(4, 5))
    masks = ones(model)
    masks["1.weight"][1:] = False
    masks["2.weight"][:, :1] = False
    with pytest.raises(TostError, match=r"T507.*cuts every path"):
        refused(magnitude(), model, masks)


def test_a_collapse_that_is_allowed_passes() -> None:
    """`allow=collapse` lets it pass and tells which layers are empty."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.Linear(4, 5))
    masks = ones(model)
    masks["1.weight"].zero_()
    allowed = refused(magnitude(allow="collapse"), model, masks)
    assert ("no weight is left in `1`",) == allowed


def test_permission_is_no_part_of_the_identity() -> None:
    """What is only let pass does not change the fingerprint, but stands in the plan's JSON."""
    from tests.plans import plan_of

    head = "model resnet20\ndata cifar10\ntrain for 2 epochs\nmask "
    plain = plan_of(head + "random(sparsity=90%)")
    allowed = plan_of(head + "random(sparsity=90%, allow=collapse)")
    assert plain is not None
    assert allowed is not None
    assert plain.fingerprint == allowed.fingerprint
    assert plain != allowed
    assert "collapse" in allowed.canonical


def test_random_names_the_highest_sparsity() -> None:
    """A random mask that empties a layer says up to where it would not."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 2), nn.Linear(2, 5))
    method = Random(sparsity=Percent(Decimal("97")))
    scope = Scope(model, {n: p for n, p in model.named_parameters() if p.dim() > 1}, {}, FACTS, 1)
    masks = method.choose(scope, Fraction(97, 100))
    with pytest.raises(TostError, match=r"T507.*leaves no weight in `2`") as caught:
        refuse_collapse(method, scope, masks)
    highest = told_highest(caught.value)
    assert Fraction(95, 100) < highest < Fraction(97, 100)
    refuse_collapse(method, scope, method.choose(scope, highest))
