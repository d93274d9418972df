"""Scores of networks with normalisation, against loops written out here in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from tests.nets import build
from tostdsl.masks import bench
from tostdsl.masks.grasp import Grasp
from tostdsl.masks.scored import Iterated
from tostdsl.masks.snip import Snip
from tostdsl.masks.synflow import SynFlow
from tostdsl.masks.taylor import Taylor
from tostdsl.plan.bases import DataFacts
from tostdsl.units import Percent

FACTS = DataFacts(3, 8, 8, 5, 64, 64)
Mode = Literal["running", "batch"]
Data = tuple[Tensor, Tensor]


@dataclass
class Site:
    """A site over a network in float64, with fixed images."""

    model: nn.Module
    seen: Data | None = None
    weights: Mapping[str, Tensor] = field(init=False)
    masks: Mapping[str, Tensor] = field(default_factory=dict)
    facts: DataFacts = FACTS

    def __post_init__(self) -> None:
        self.weights = {n: p for n, p in self.model.named_parameters() if p.dim() > 1}

    def images(self, each: int) -> Data:
        assert self.seen is not None
        return self.seen

    def tell(self, text: str) -> None:
        """Nobody listens."""


def data(each: int = 4) -> Data:
    """So many images of each of the five classes, one class after the other."""
    source = torch.Generator().manual_seed(1)
    images = torch.randn(5 * each, *FACTS.shape, generator=source, dtype=torch.float64)
    return images, torch.arange(5).repeat_interleave(each)


def normalise(model: nn.Module, mode: Mode) -> nn.Module:
    """In evaluation, normalisations with the images' own statistics where that is the mode."""
    model.eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.track_running_stats = mode == "running"
            if mode == "batch":
                module.running_mean = module.running_var = None
    return model


def loss(model: nn.Module, weights: Mapping[str, Tensor], part: Data, heat: float = 1) -> Tensor:
    logits = functional_call(model, dict(weights), (part[0],)) / heat
    return -logits.log_softmax(1)[torch.arange(len(logits)), part[1]].mean()


def slopes(model: nn.Module, weights: Mapping[str, Tensor], part: Data) -> dict[str, Tensor]:
    held = {name: weight.detach().clone().requires_grad_() for name, weight in weights.items()}
    found = torch.autograd.grad(loss(model, held, part), list(held.values()))
    return dict(zip(held, found, strict=True))


def snip(model: nn.Module, weights: Mapping[str, Tensor], seen: Data) -> dict[str, Tensor]:
    return {n: (weights[n] * g).abs() for n, g in slopes(model, weights, seen).items()}


def taylor(model: nn.Module, weights: Mapping[str, Tensor], seen: Data) -> dict[str, Tensor]:
    total = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    each = len(seen[1]) // 5
    for turn in range(each):
        batch = (seen[0][turn::each], seen[1][turn::each])
        assert list(range(5)) == batch[1].tolist()
        for name, slope in slopes(model, weights, batch).items():
            total[name] += (weights[name] * slope) ** 2
    return total


def grasp(model: nn.Module, weights: Mapping[str, Tensor], seen: Data) -> dict[str, Tensor]:
    """Each w (H g) by a central difference of the gradient along g, of both halves together."""

    def flow(at: Mapping[str, Tensor]) -> dict[str, Tensor]:
        held = {name: weight.detach().clone().requires_grad_() for name, weight in at.items()}
        halves = [(seen[0][i::2], seen[1][i::2]) for i in (0, 1)]
        whole = torch.stack([loss(model, held, half, 200) for half in halves]).sum()
        return dict(zip(held, torch.autograd.grad(whole, list(held.values())), strict=True))

    first = flow(weights)
    far = 1e-5 / max(float(slope.abs().max()) for slope in first.values())
    up, down = (
        flow({name: weight + sign * far * first[name] for name, weight in weights.items()})
        for sign in (1, -1)
    )
    return {name: weights[name] * (up[name] - down[name]) / (2 * far) for name in weights}


REFERENCES: dict[type[Iterated], Callable[..., dict[str, Tensor]]] = {
    Snip: snip,
    Taylor: taylor,
    Grasp: grasp,
}


def method(cls: type[Iterated], percent: str = "60", **rest: Any) -> Any:
    return cls(sparsity=Percent(Decimal(percent)), **rest)


def smooth(model: nn.Module) -> nn.Module:
    """The network with activations that bend without a corner, for differences."""
    for parent in model.modules():
        for name, child in parent.named_children():
            if isinstance(child, nn.ReLU):
                setattr(parent, name, nn.Softplus())
    return model


@pytest.mark.parametrize("mode", ["running", "batch"])
@pytest.mark.parametrize("cls", REFERENCES)
def test_scores_in_each_mode_of_normalisations(cls: type[Iterated], mode: Mode) -> None:
    """On a residual network with statistics of its own; the two modes score differently."""
    seen, other = data(), {"running": "batch", "batch": "running"}[mode]
    site = Site(smooth(build("residual")), seen)
    found = method(cls, statistics=mode).scores(site)
    model = normalise(smooth(build("residual")), mode)
    weights = {name: weight.detach() for name, weight in site.weights.items()}
    wanted = REFERENCES[cls](model, weights, seen)
    for name, score in found.items():
        torch.testing.assert_close(score, wanted[name], rtol=1e-5, atol=1e-9)
    turned = method(cls, statistics=other).scores(site)
    assert any(not torch.allclose(turned[name], score, rtol=1e-2) for name, score in found.items())


@pytest.mark.parametrize("regrow", [False, True])
@pytest.mark.parametrize("mode", ["running", "batch"])
def test_iterative_snip_and_force_are_their_loops(mode: Mode, regrow: bool) -> None:
    """The same weights as a loop keeps that is written out: d^(t/T), scored in the pruned network.

    Iterative SNIP scores what is left; FORCE all, by the original values.
    """
    seen, steps, density = data(), 7, 0.1
    site = Site(build("residual"), seen)
    spec = method(Snip, "90", statistics=mode, iterations=steps, regrow=regrow)
    found = spec.choose(site, Fraction(9, 10))
    model = normalise(build("residual"), mode)
    original = {name: weight.detach() for name, weight in site.weights.items()}
    flat = torch.cat([weight.reshape(-1) for weight in original.values()])
    kept = torch.ones(flat.numel(), dtype=torch.bool)
    returned = 0
    for t in range(1, steps + 1):
        parts = (flat * kept).split([weight.numel() for weight in original.values()])
        now = {n: p.view_as(original[n]) for n, p in zip(original, parts, strict=True)}
        slope = torch.cat([g.reshape(-1) for g in slopes(model, now, seen).values()])
        score = (flat * slope).abs()
        if not regrow:
            score[~kept] = -1
        count = int(density ** (t / steps) * len(flat) + 0.5)
        chosen = torch.zeros_like(kept)
        chosen[score.argsort(descending=True, stable=True)[:count]] = True
        returned += int((chosen & ~kept).sum())
        kept = chosen
    assert regrow == bool(returned)
    assert kept.tolist() == torch.cat([mask.reshape(-1) for mask in found.values()]).tolist()


@pytest.mark.parametrize("mode", ["running", "batch"])
@pytest.mark.parametrize("cls", [Snip, Taylor, Grasp])
def test_how_many_images_go_at_a_time_changes_nothing(
    cls: type[Iterated], mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks of three images or of all: where normalisations see the batch, it stays whole."""
    site = Site(build("residual"), data())
    scores = []
    for size in (3, 1000):
        monkeypatch.setattr(bench, "CHUNK", size)
        scores.append(method(cls, statistics=mode).scores(site))
    for name, score in scores[0].items():
        torch.testing.assert_close(score, scores[1][name], rtol=1e-9, atol=1e-14)


def test_many_images_do_not_go_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With running statistics a batch is cut into chunks, none of them too large or left out."""
    monkeypatch.setattr(bench, "CHUNK", 8)
    sizes: dict[str, list[int]] = {}
    for mode in ("running", "batch"):
        model = build("residual")
        seen = sizes.setdefault(mode, [])
        model.stem.forward = _watched(model.stem, seen)
        method(Snip, statistics=mode).scores(Site(model, data()))
    assert {"running": [8, 8, 4], "batch": [20]} == sizes


def _watched(conv: nn.Module, sizes: list[int]) -> Callable[[Tensor], Tensor]:
    weight = conv.weight

    def forward(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return nn.functional.conv2d(x, weight.detach(), padding=1)

    return forward


LAWS: dict[type[Iterated], str] = {Snip: "any", Taylor: "whole rows", Grasp: "within halves"}


def orders(law: str, each: int) -> Tensor:
    """A permutation of images that a score does not see."""
    source = torch.Generator().manual_seed(4)
    count = 5 * each
    if law == "any":
        return torch.randperm(count, generator=source)
    if law == "whole rows":  # a batch is the n-th image of every class: classes change places,
        turns = torch.randperm(each, generator=source)  # and batches, but no image its batch
        return torch.cat([label * each + turns for label in torch.randperm(5, generator=source)])
    order = torch.arange(count)  # every second image makes a half
    for half in (0, 1):
        places = order[half::2]
        order[half::2] = places[torch.randperm(len(places), generator=source)]
    return order.view(-1, 2).flip(1).reshape(-1)  # and the halves are exchanged


@pytest.mark.parametrize("cls", LAWS)
def test_orders_of_images_that_do_not_matter(cls: type[Iterated]) -> None:
    """SNIP sees none; Taylor sees which images are a batch, GraSP which are a half.

    Over a half its statistics are taken, so that no other order is without effect.
    """
    images, labels = data()
    order = orders(LAWS[cls], 4)
    assert order.sort().values.tolist() == list(range(20))
    assert not torch.equal(order, torch.arange(20))
    first = method(cls).scores(Site(build("residual"), (images, labels)))
    again = method(cls).scores(Site(build("residual"), (images[order], labels[order])))
    for name, score in first.items():
        torch.testing.assert_close(score, again[name], rtol=1e-8, atol=1e-14)
    if cls is not Snip:
        other = torch.randperm(20, generator=torch.Generator().manual_seed(8))
        mixed = method(cls).scores(Site(build("residual"), (images[other], labels[other])))
        assert any(not torch.allclose(mixed[name], score) for name, score in first.items())


def test_synflow_takes_statistics_by_their_size() -> None:
    """A running mean below zero flows like one above; scores are those of a network of sizes."""
    model = build("vgg")
    found = method(SynFlow).scores(Site(model))
    assert any(bool((m.running_mean < 0).any()) for m in model if isinstance(m, nn.BatchNorm2d))
    sizes = {name: value.abs() for name, value in model.state_dict().items()}
    plain = build("vgg").eval()
    plain.load_state_dict(sizes)
    ones = torch.ones(1, *FACTS.shape, dtype=torch.float64)
    weights = {name: weight for name, weight in plain.named_parameters() if weight.dim() > 1}
    slope = torch.autograd.grad(plain(ones).sum(), list(weights.values()))
    for (name, weight), part in zip(weights.items(), slope, strict=True):
        torch.testing.assert_close(found[name], (weight * part).abs().detach())
