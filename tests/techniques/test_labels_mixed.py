"""Images mixed with their labels, against torchvision and against arithmetic written out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.nets import FACTS, Theatre, build, stage
from tostdsl.compile.compiler import compile_source
from tostdsl.engine import loop
from tostdsl.engine.hooks import Batch
from tostdsl.engine.run import RunOptions, run
from tostdsl.engine.seeds import derive
from tostdsl.source import Source
from tostdsl.techniques.labels import Labels, LabelsHook
from tostdsl.vision import transforms

LABELS = torch.tensor([0, 4, 2, 2, 1, 3])


def batch_at(step: int) -> Batch:
    source = torch.Generator().manual_seed(1000 + step)
    images = torch.randn(6, *FACTS.shape, generator=source)
    return Batch(images, LABELS, LABELS, step)


def mixed(labels: Labels, step: int, seed: int = 1) -> Batch:
    theatre = Theatre(build("mlp"), seed=seed)
    attached = theatre.surgeon.enter(0, stage(labels), None)
    batch = batch_at(step)
    attached.hook.batch(batch)
    return batch


def one_hot() -> Tensor:
    return functional.one_hot(LABELS, FACTS.classes).float()


@pytest.mark.parametrize("step", range(4))
def test_mixup_is_torchvisions_at_the_steps_seed(step: int) -> None:
    """Its own transform under the same global seed gives the same images and labels."""
    found, batch = mixed(Labels(mixup=0.4), step), batch_at(step)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(1, "labels", f"mix {step}"))
        expected = transforms().MixUp(alpha=0.4, num_classes=5)(batch.images, LABELS)
    assert torch.equal(expected[0], found.images)
    assert torch.equal(expected[1], found.targets)


@pytest.mark.parametrize("step", range(4))
def test_mixup_is_a_mixture_with_the_neighbour(step: int) -> None:
    """Images and labels are r a + (1 - r) b for one r in (0, 1), read off the labels."""
    found, batch = mixed(Labels(mixup=1.0), step), batch_at(step)
    r = float(found.targets[0, 0])
    assert 0 < r < 1
    before = [5, 0, 1, 2, 3, 4]
    for place, other in enumerate(before):
        expected = r * batch.images[place] + (1 - r) * batch.images[other]
        torch.testing.assert_close(expected, found.images[place])
        label = r * one_hot()[place] + (1 - r) * one_hot()[other]
        torch.testing.assert_close(label, found.targets[place])
    assert torch.equal(LABELS, found.labels)


@pytest.mark.parametrize("step", range(8))
def test_cutmix_pastes_one_box_of_the_neighbour(step: int) -> None:
    """Every pixel is the image's or its neighbour's; the box's share is the label's."""
    found, batch = mixed(Labels(cutmix=1.0), step), batch_at(step)
    kept = (found.images == batch.images).all(1)
    pasted = (found.images == batch.images.roll(1, 0)).all(1)
    assert bool((kept ^ pasted).all())
    assert bool((pasted == pasted[0]).all())
    rows, columns = pasted[0].any(1), pasted[0].any(0)
    assert bool((pasted[0] == rows[:, None] & columns[None, :]).all())
    share = 1 - float(pasted[0].float().mean())
    expected = share * one_hot() + (1 - share) * one_hot().roll(1, 0)
    torch.testing.assert_close(expected, found.targets)


@pytest.mark.parametrize("step", range(4))
def test_cutmix_draws_a_share_then_a_centre(step: int) -> None:
    """The box from the draws written out: a share of Beta, a column, a row, clipped halves."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(1, "labels", f"mix {step}"))
        share = float(torch.distributions.Beta(torch.tensor([1.0]), torch.tensor([1.0])).sample())
        x, y = int(torch.randint(8, (1,))), int(torch.randint(8, (1,)))
    half = int(0.5 * math.sqrt(1 - share) * 8)
    expected = batch_at(step).images.clone()
    for row in range(max(0, y - half), min(8, y + half)):
        for column in range(max(0, x - half), min(8, x + half)):
            expected[:, :, row, column] = batch_at(step).images.roll(1, 0)[:, :, row, column]
    assert torch.equal(expected, mixed(Labels(cutmix=1.0), step).images)


def test_with_both_each_batch_has_one_of_the_two() -> None:
    """About half of many batches are pasted, the others blended, none both."""
    boxes = 0
    labels = Labels(mixup=1.0, cutmix=1.0)
    for step in range(200):
        found, batch = mixed(labels, step), batch_at(step)
        own = (found.images == batch.images) | (found.images == batch.images.roll(1, 0))
        boxes += int(own.all())
        if not own.all():
            r = float(found.targets[0, 0])
            expected = r * batch.images + (1 - r) * batch.images.roll(1, 0)
            torch.testing.assert_close(expected, found.images)
    assert 70 < boxes < 130


def test_draws_depend_on_seed_and_step_only() -> None:
    """Not on the global generator, which is left alone, nor on earlier batches."""
    labels = Labels(mixup=0.5, cutmix=0.5)
    torch.manual_seed(0)
    first = mixed(labels, 7)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    theatre = Theatre(build("mlp"))
    hook = theatre.surgeon.enter(0, stage(labels), None).hook
    for step in (3, 7):
        again = batch_at(step)
        hook.batch(again)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.targets, again.targets)
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(first.targets, mixed(labels, 8).targets)
    assert not torch.equal(first.targets, mixed(labels, 7, seed=2).targets)


def test_mixed_labels_are_smoothed_on_top() -> None:
    """The smoothing of a mixture: the same draws, each class's share softened."""
    plain = mixed(Labels(mixup=0.5), 3).targets
    found = mixed(Labels(mixup=0.5, smoothing=0.2), 3).targets
    torch.testing.assert_close(0.8 * plain + 0.2 * (1 - plain) / 4, found)


def test_mixing_alone_smooths_nothing() -> None:
    """`smoothing` is 0.1 alone and 0 beside a mixing, and the plan says so."""
    assert (0.1, 0.0, 0.0) == (
        Labels().smoothing,
        Labels(mixup=0.2).smoothing,
        Labels(cutmix=1.0).smoothing,
    )
    assert Labels() == Labels(smoothing=0.1)
    targets = mixed(Labels(mixup=0.2), 0).targets
    assert bool(((targets > 0).sum(1) <= 2).all())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("labels(mixup=0.2, spread=all)", "T522"),
        ("labels(mixup=0)", "T303"),
        ("labels(cutmix=-1)", "T303"),
        ("labels(mixup=0.2)\nlabels(cutmix=1)", "T404"),
    ],
)
def test_what_makes_no_sense_is_an_error(text: str, code: str) -> None:
    """A spread of nothing, an alpha of 0, and two mixings at once."""
    head = "model resnet20\ndata cifar10\ntrain for 9 epochs\n"
    (mistake,) = compile_source(Source("r.tost", head + text)).errors
    assert code == mistake.code


def test_a_spread_beside_a_smoothing_is_used() -> None:
    """Also where the smoothing is a swept 0."""
    head = "model resnet20\ndata cifar10\ntrain for 9 epochs\n"
    text = "param e = 0.1\nsweep e over [0, 0.1]\nlabels(smoothing=$e, mixup=0.2, spread=all)\n"
    assert [] == list(compile_source(Source("r.tost", head + text)).errors)


def runs(tmp_path: Path, stage_text: str) -> Any:
    text = "model cifar_resnet(8)\ndata digits(batch=64)\ntrain for 2 epochs\nseed 3\n" + stage_text
    (plan,) = compile_source(Source("r.tost", text)).plans
    return run(plan, RunOptions(out=tmp_path))


def test_a_run_mixes_training_and_measures_true_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the engine: every training batch is mixed at its own step, evaluation sees labels."""
    seen: list[Tensor] = []
    steps: list[int] = []
    plain, mix = functional.cross_entropy, LabelsHook.batch

    def watched(scores: Tensor, targets: Tensor) -> Tensor:
        seen.append(targets)
        return plain(scores, targets)

    def noted(self: LabelsHook, batch: Batch) -> None:
        steps.append(batch.step)
        mix(self, batch)

    monkeypatch.setattr(loop.functional, "cross_entropy", watched)
    monkeypatch.setattr(LabelsHook, "batch", noted)
    result = runs(tmp_path / "run", "labels(smoothing=0.1, mixup=0.2, cutmix=1)\n")
    count = len(steps)
    assert list(range(2 * (1437 // 64))) == steps
    assert all(targets.is_floating_point() for targets in seen[:count])
    assert all(targets.dtype == torch.int64 for targets in seen[count:])
    assert len(seen) > count
    assert result.certified


def test_two_runs_mix_alike(tmp_path: Path) -> None:
    """Equal weights to the bit."""
    a = runs(tmp_path / "a", "labels(mixup=0.2, cutmix=1)\n")
    b = runs(tmp_path / "b", "labels(mixup=0.2, cutmix=1)\n")
    name = "model.safetensors"
    assert (a.folder / name).read_bytes() == (b.folder / name).read_bytes()
