"""Statistics estimated anew are torch's own, and nothing else changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from tests.engine import kits
from tests.engine.kits import equipment
from tests.engine.test_run import plan, rows
from tests.nets import stage
from tostdsl import registry
from tostdsl.compile.compiler import compile_source
from tostdsl.diagnostics import TostError
from tostdsl.engine import randomness
from tostdsl.engine.recalibrate import BATCHES, recalibrate, refuse_without_norms
from tostdsl.engine.run import RunOptions, run
from tostdsl.plan.bases import Removable, Technique
from tostdsl.source import Source
from tostdsl.techniques.skip import Skip

BASE = "model cifar_resnet(8)\ndata digits\nseed 3\ntrain for 2 epochs\nmask random(sparsity=50%)\n"


def net(momentum: float | None = 0.1, dropout: float = 0.0) -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 12), nn.BatchNorm1d(12, momentum=momentum), nn.ReLU(),
        nn.Dropout(dropout), nn.Linear(12, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 10),
    )  # fmt: skip


def expected(model: nn.Sequential, batches: list[Tensor]) -> dict[str, Tensor]:
    """Plain averages over batches of means and unbiased variances, in float64, by hand."""
    state = {name: tensor.double() for name, tensor in model.state_dict().items()}
    sums: dict[str, Tensor] = {}
    for batch in batches:
        h = batch.double().flatten(1)
        for linear, norm in (("1", "2"), ("5", "6")):
            h = h @ state[f"{linear}.weight"].T + state[f"{linear}.bias"]
            for key, value in (("running_mean", h.mean(0)), ("running_var", h.var(0))):
                sums[f"{norm}.{key}"] = sums.get(f"{norm}.{key}", 0) + value / len(batches)
            h = (h - h.mean(0)) / (h.var(0, unbiased=False) + 1e-5).sqrt()
            h = (h * state[f"{norm}.weight"] + state[f"{norm}.bias"]).clamp(min=0)
    return sums


def test_the_statistics_are_the_plain_average_over_the_batches() -> None:
    """Of 32 batches drawn for it alone, against float64 arithmetic written out."""
    model = net()
    kit = equipment(model)
    model(kit.feed.sample("other", 64).images)
    recalibrate(kit, "training", 9, "step 9")
    batches = [kit.feed.drawn("recalibrate training 9", index).images for index in range(BATCHES)]
    assert 32 == len(batches)
    assert 32 == len(batches[0])
    for name, value in expected(model, batches).items():
        found = model.state_dict()[name].double()
        torch.testing.assert_close(found, value, rtol=1e-5, atol=1e-6)
    assert kit.certificate.passed
    (check,) = kit.certificate.checks
    assert "2 normalisations over 32 batches of training images" == check.detail


@pytest.mark.parametrize("momentum", [0.1, None])
def test_momentum_is_back_and_the_count_is_of_the_batches(momentum: float | None) -> None:
    """With `momentum=None` the next batch counts as the 33rd."""
    model = net(momentum)
    norm: Any = model[2]
    kit = equipment(model)
    for _ in range(5):
        model(kit.feed.sample("other", 64).images)
    recalibrate(kit, "training", 9, "step 9")
    assert (momentum, 32) == (norm.momentum, int(norm.num_batches_tracked))
    mean = norm.running_mean.clone()
    batch = kit.feed.sample("next", 64).images
    inner: Any = model[1]
    own = inner(batch.flatten(1)).mean(0)
    model(batch)
    share = 1 / 33 if momentum is None else momentum
    torch.testing.assert_close(norm.running_mean, mean.lerp(own, share))


def test_nothing_else_changes() -> None:
    """Weights, other buffers, those beside the network and random states are as they were."""

    class Counting(nn.Module):
        seen: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            if self.training:
                self.seen += 1
            return x

    model = nn.Sequential(*net(dropout=0.5), Counting())
    kit = equipment(model)
    # of this form the skip has a normalisation of its own
    attached = kit.surgeon.enter(0, stage(Skip(form="normalised")), None)
    roots = nn.ModuleList(kit.surgeon.beside)
    beside = {name: tensor.clone() for name, tensor in roots.state_dict().items()}
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    draws = torch.get_rng_state()
    recalibrate(kit, "training", 9, "step 9")
    changed = {n for n, t in model.state_dict().items() if not torch.equal(t, before[n])}
    keys = ("running_mean", "running_var", "num_batches_tracked")
    assert {f"{norm}.{key}" for norm in (2, 6) for key in keys} == changed
    assert beside
    assert all(torch.equal(beside[name], t) for name, t in roots.state_dict().items())
    assert torch.equal(draws, torch.get_rng_state())
    assert model.training
    kit.surgeon.leave(attached, None)
    kit.certificate.shape(model, "after")
    assert kit.certificate.passed


def test_dropout_draws_by_the_seed() -> None:
    """Two estimates of one network are equal, whatever was drawn in between."""
    found = []
    for _ in range(2):
        model = net(dropout=0.5)
        torch.rand(3 + len(found))
        recalibrate(equipment(model), "training", 9, "step 9")
        found.append(model[6].running_mean)
    assert torch.equal(found[0], found[1])  # type: ignore[arg-type]


def test_a_normalisation_that_no_batch_reaches_keeps_its_statistics() -> None:
    """Reset and never fed, it would be worse than stale."""

    class Unused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.other = net(), nn.BatchNorm1d(3)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.net(x)
            return y

    model = Unused()
    model.other.running_mean = torch.tensor([1.0, 2.0, 3.0])
    recalibrate(equipment(model), "training", 9, "step 9")
    assert [1.0, 2.0, 3.0] == model.other.running_mean.tolist()


def test_a_weight_that_changes_fails_the_certificate() -> None:
    """A forward pass that writes to a weight is no estimate of statistics."""
    model = net()
    kit = equipment(model)
    model.register_forward_hook(lambda m, *_: m[1].weight.data.mul_(1.01))  # type: ignore[arg-type, func-returns-value]
    recalibrate(kit, "training", 9, "step 9")
    (failure,) = kit.certificate.failures
    assert "`1.weight` changed, too" == failure.detail


def test_a_run_recalibrates_at_the_stages_seam(tmp_path: Path) -> None:
    """The seam has three readings, the last with statistics that fit; the rest is certified."""
    text = BASE + "skip(form=add, anneal=none, recalibrate=yes) until epoch 1\n"
    result = run(plan(text), RunOptions(out=tmp_path / "run"))
    assert result.certified
    (seam,) = rows(result.folder, "seam")
    assert seam["recalibrated"]["loss"] < seam["after"]["loss"]

    def off(which: str) -> float:
        return max(norm["mean"] for norm in seam[which]["norms"].values())

    assert off("recalibrated") < off("after")


def test_training_goes_on_as_without_it(tmp_path: Path) -> None:
    """Weights end equal to the bit: only statistics differ, and batches are the same."""
    text = BASE + "skip{} until epoch 1\n"
    one = run(plan(text.format("(recalibrate=yes)")), RunOptions(out=tmp_path / "a"))
    other = run(plan(text.format("")), RunOptions(out=tmp_path / "b"))
    a, b = (load_file(r.folder / "model.safetensors") for r in (one, other))
    different = {name for name in a if not torch.equal(a[name], b[name])}
    assert different
    ends = ("running_mean", "running_var", "num_batches_tracked")
    assert all(name.endswith(ends) for name in different)


def test_networks_without_statistics_are_refused_when_they_are_built() -> None:
    """T531 names stage and model; a normalisation without running statistics is none."""
    made = plan(BASE + "skip(recalibrate=yes) until epoch 1\n")
    refuse_without_norms(made, net())
    for model in (nn.Linear(2, 2), nn.BatchNorm1d(3, track_running_stats=False)):
        with pytest.raises(TostError, match=r"T531.*`skip`.*`cifar_resnet`"):
            refuse_without_norms(made, model)
        refuse_without_norms(plan(BASE + "skip until epoch 1\n"), model)


def test_only_what_is_removed_recalibrates() -> None:
    """`init` and `labels` have no such argument; what stays has no seam."""

    def found(stage: str) -> list[tuple[str, str]]:
        source = Source("r.tost", BASE + stage)
        return [(d.code, d.message) for d in compile_source(source).diagnostics]

    assert [("T203", "`labels` has no argument `recalibrate`")] == found("labels(recalibrate=yes)")
    assert [("T203", "`init` has no argument `recalibrate`")] == found("init(recalibrate=yes)")
    both = dict(found("skip(anneal=none, keep=yes, recalibrate=yes)"))
    assert {"T504", "W026"} == set(both)
    assert "leaves no seam" in both["T504"]
    assert [] == found("ghost(width=2x, recalibrate=yes) until epoch 1")


def test_everything_that_is_removed_recalibrates() -> None:
    """Whatever a registered technique adds to the network, it has the argument; others have not."""
    for cls in registry.everything():
        if issubclass(cls, Technique):
            adds = cls().adds_to_network()
            assert adds == ("recalibrate" in cls.model_fields) == issubclass(cls, Removable)
            assert not adds or "recalibrate" == list(cls.model_fields)[-1]


def test_random_states_are_put_back_after_a_failure() -> None:
    """Also when what runs inside raises."""
    state = torch.get_rng_state()

    def draw() -> None:
        with randomness.kept(kits.CPU):
            raise KeyError(torch.rand(3))

    with pytest.raises(KeyError):
        draw()
    assert torch.equal(state, torch.get_rng_state())
