"""Softened labels."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.nets import Theatre, build, stage
from tostdsl.compile.compiler import compile_source
from tostdsl.diagnostics import TostError
from tostdsl.engine.hooks import Batch
from tostdsl.plan.program import Curves
from tostdsl.plan.spec import CheckSite
from tostdsl.source import Source
from tostdsl.techniques.labels import Labels, smooth
from tostdsl.units import Clock, Duration, Ramp

TRUE = torch.tensor([0, 4, 2])


def softened(labels: Labels, targets: Tensor = TRUE, **cells: float) -> Batch:
    surgeon = Theatre(build("mlp")).surgeon
    attached = surgeon.enter(0, stage(labels), None)
    for name, value in cells.items():
        attached.cells[name].fill_(value)
    batch = Batch(torch.zeros(3, 3, 8, 8), TRUE, targets)
    attached.hook.batch(batch)
    return batch


def test_others_share_what_the_true_class_loses() -> None:
    """1 - e on the true class and e / (C - 1) on each other, rows summing to 1."""
    batch = softened(Labels(smoothing=0.2))
    expected = torch.full((3, 5), 0.05)
    expected[range(3), TRUE] = 0.8
    torch.testing.assert_close(expected, batch.targets)
    assert torch.equal(TRUE, batch.labels)


@pytest.mark.parametrize("e", [0.0, 0.1, 0.9])
def test_all_is_pytorchs_own_smoothing(e: float) -> None:
    """The loss against the targets is torch's loss with `label_smoothing`."""
    logits = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    batch = softened(Labels(smoothing=e, spread="all"))
    expected = functional.cross_entropy(logits, TRUE, label_smoothing=e)
    torch.testing.assert_close(expected, functional.cross_entropy(logits, batch.targets))


def test_others_is_pytorchs_with_a_larger_smoothing() -> None:
    """The two forms agree where e of torch is e C / (C - 1)."""
    others = smooth(TRUE, 5, 0.1, others=True)
    torch.testing.assert_close(smooth(TRUE, 5, 0.1 * 5 / 4, others=False), others)


@pytest.mark.parametrize("spread", ["others", "all"])
def test_probabilities_are_mixed_as_labels_are(spread: Any) -> None:
    """Smoothing is linear: of a mixture it is the mixture of the smoothed labels."""
    one_hot = functional.one_hot(TRUE, 5).float()
    mixture = 0.3 * one_hot + 0.7 * one_hot.roll(1, 0)
    a = softened(Labels(smoothing=0.2, spread=spread)).targets
    b = softened(Labels(smoothing=0.2, spread=spread), TRUE.roll(1, 0)).targets
    expected = 0.3 * a + 0.7 * b
    torch.testing.assert_close(
        expected, softened(Labels(smoothing=0.2, spread=spread), mixture).targets
    )


def test_a_ramp_moves_with_its_cell() -> None:
    """The cell's value is the smoothing of the step."""
    labels = Labels(smoothing=Ramp(0.2, 0.0))
    torch.testing.assert_close(
        softened(Labels(smoothing=0.12)).targets, softened(labels, smoothing=0.12).targets
    )
    assert torch.equal(functional.one_hot(TRUE, 5).float(), softened(labels, smoothing=0.0).targets)


@pytest.mark.parametrize("smoothing", [1.0, -0.1, Ramp(0.1, 1.0)])
def test_a_smoothing_outside_its_bounds_is_a_problem(smoothing: Any) -> None:
    """At 1 the true class would be the least likely."""
    (problem,) = Labels(smoothing=smoothing).check(CheckSite())
    assert ("T303", ("smoothing",)) == (problem.code, problem.fields)


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
@pytest.mark.parametrize("spread", ["others", "all"])
def test_the_true_class_stays_the_likeliest(classes: int, spread: Any) -> None:
    """What is accepted gives it more than each other class, what is refused does not.

    Both are read off the targets themselves, at either side of every bound in hundredths.
    """
    true = torch.tensor([0])
    accepted = 0
    for hundredth in range(100):
        e = hundredth / 100
        row = smooth(true, classes, torch.tensor(e, dtype=torch.float64), spread == "others")[0]
        likeliest = bool(row[0] > row[1:].max() + 1e-9)
        sound = Labels(smoothing=e, spread=spread).bound(classes) is None
        assert likeliest == sound, (e, row)
        accepted += sound
    assert (accepted < 100) == (spread == "others")


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("labels(smoothing=0.5)", []),
        ("labels(smoothing=0.51)", ["W027"]),
        ("labels(smoothing=0.1 -> 0.6)", ["W027"]),
        ("labels(smoothing=0.95, spread=all)", ["W027"]),
        ("labels(smoothing=0.9)", ["T303"]),
        ("labels(smoothing=0 -> 0.95)", ["T303"]),
    ],
)
def test_much_smoothing_is_told_and_too_much_refused(text: str, codes: list[str]) -> None:
    """Where the recipe's data says how many classes there are, before anything runs."""
    head = "model resnet20\ndata cifar10\ntrain for 9 epochs\n"
    found = compile_source(Source("r.tost", head + text)).diagnostics
    assert codes == [each.code for each in found]
    unknown = head.replace("cifar10", 'imagefolder("images")')
    assert "T303" not in [d.code for d in compile_source(Source("r.tost", unknown + text)).errors]


@pytest.mark.parametrize("smoothing", [0.8, Ramp(0.1, 0.85)])
def test_classes_that_only_the_data_tells_are_checked_before_training(smoothing: Any) -> None:
    """The theatre has five classes, so that 0.8 is the bound."""
    surgeon = Theatre(build("mlp")).surgeon
    surgeon.prepare(stage(Labels(smoothing=0.79)))
    surgeon.prepare(stage(Labels(smoothing=0.8, spread="all")))
    with pytest.raises(TostError, match="of 5 classes the true one is the likeliest") as caught:
        surgeon.prepare(stage(Labels(smoothing=smoothing)))
    assert "T303" == caught.value.diagnostics[0].code


def test_labels_take_no_targets_and_claim_the_labels() -> None:
    """Two smoothings at once are a conflict; where in the network makes no sense."""
    assert not Labels.targeted
    assert frozenset({"the labels"}) == Labels().claims()
    assert [] == list(Labels().check(CheckSite()))


@pytest.mark.parametrize("spread", ["others", "all"])
def test_twenty_steps_with_a_ramp_are_those_written_out(spread: Any) -> None:
    """Momentum SGD in float64 against softened losses in plain sums agrees to 1e-12."""
    labels = Labels(smoothing=Ramp(0.3, 0.0), spread=spread)
    model, plain = build("mlp"), build("mlp")
    theatre = Theatre(model)
    plan = stage(labels)
    attached = theatre.surgeon.enter(0, plan, None)
    cell = torch.zeros((), dtype=torch.float64)  # the engine's is float32
    attached.hook.attach(attached.site, {"weight": torch.ones(()), "smoothing": cell})
    curves = Curves.of(plan, Clock.of(Duration("steps", 20), 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    speeds = [torch.zeros_like(p) for p in plain.parameters()]
    for step in range(20):
        source = torch.Generator().manual_seed(step)
        x = torch.randn(6, 3, 8, 8, dtype=torch.float64, generator=source)
        y = torch.randint(5, (6,), generator=source)
        cell.fill_(curves.at(step)[1])
        batch = Batch(x, y, functional.one_hot(y, 5).double(), step)
        attached.hook.batch(batch)
        optimizer.zero_grad()
        functional.cross_entropy(model(batch.images), batch.targets).backward()
        optimizer.step()

        e = 0.3 * (1 - step / 20)
        scores = plain(x).log_softmax(1)
        loss = torch.zeros((), dtype=torch.float64)
        for row, true in zip(scores, y.tolist(), strict=True):
            for place in range(5):
                q = e / 4 if spread == "others" else e / 5
                if place == true:
                    q = 1 - e if spread == "others" else 1 - e + e / 5
                loss = loss - q * row[place] / 6
        grads = torch.autograd.grad(loss, list(plain.parameters()))
        with torch.no_grad():
            for p, grad, speed in zip(plain.parameters(), grads, speeds, strict=True):
                speed.mul_(0.9).add_(grad)
                p -= 0.05 * speed
        for ours, theirs in zip(model.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(theirs, ours, atol=1e-12, rtol=1e-12)


def test_a_single_class_cannot_be_smoothed() -> None:
    """There is no other class to give anything to."""
    theatre = Theatre(build("mlp"))
    object.__setattr__(theatre.surgeon, "facts", type(theatre.surgeon.facts)(3, 8, 8, 1, 1, 1))
    with pytest.raises(TostError) as caught:
        theatre.surgeon.enter(0, stage(Labels()), None)
    assert "T502" == caught.value.diagnostics[0].code
