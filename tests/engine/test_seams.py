"""What a seam measures, that it tells, and that training does not notice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.engine.kits import Heard, equipment
from tests.engine.test_run import plan, rows
from tests.nets import stage
from tostdsl.cli.progress import summary_rows, verdicts
from tostdsl.engine import boundary, seams
from tostdsl.engine.run import RunOptions, run
from tostdsl.engine.seams import Opening, Reading, Seam
from tostdsl.engine.shifts import watch
from tostdsl.techniques.skip import Skip

BASE = "model cifar_resnet(8)\ndata digits\nseed 3\ntrain for 2 epochs\nmask random(sparsity=50%)\n"
JUMP = BASE + "skip(form=add, anneal=none) until epoch 1\n"
FADING = (
    BASE
    + "ghost(activation=swish, anneal=linear) until epoch 1\nskip until epoch 1\nghost(width=2x)\n"
)


def net() -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 10)
    )


def test_shifts_are_those_of_the_inputs_statistics() -> None:
    """Mean and deviation of a normalisation's input, in running deviations, over channels."""
    norm = nn.BatchNorm2d(3, dtype=torch.float64)
    norm.running_mean = torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64)
    norm.running_var = torch.tensor([4.0, 1.0, 0.25], dtype=torch.float64)
    x = torch.randn(5, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    model = nn.Sequential(norm).eval()
    with watch(model) as read:
        model(x)
    expected = (norm.running_var + norm.eps) ** 0.5
    mean = (x.mean((0, 2, 3)) - norm.running_mean) / expected
    wide = (x.var((0, 2, 3), unbiased=False) + norm.eps) ** 0.5 / expected - 1
    shift = read()["0"]
    assert pytest.approx(float((mean**2).mean() ** 0.5), rel=1e-12) == shift.mean
    assert pytest.approx(float((wide**2).mean() ** 0.5), rel=1e-12) == shift.deviation
    assert not norm._forward_pre_hooks


def test_a_reading_is_that_of_the_network_in_evaluation_mode() -> None:
    """Loss and accuracy of the fixed images against their labels, by torch in float64."""
    model = net()
    kit = equipment(model)
    model(kit.feed.sample("other", 64).images)  # running statistics that are not the fresh ones
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    draws = torch.get_rng_state()
    reading = seams.read(kit)
    batch = kit.feed.sample("seam", seams.IMAGES)
    assert 256 == len(batch.labels)
    assert model.training
    assert torch.equal(draws, torch.get_rng_state())
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
    w, b = (state[name].double() for name in ("1.weight", "1.bias"))
    h = batch.images.double().flatten(1) @ w.T + b
    h = (h - state["2.running_mean"]) / (state["2.running_var"] + 1e-5).sqrt()
    h = h.clamp(min=0)
    logits = h @ state["4.weight"].double().T + state["4.bias"]
    loss = -logits.log_softmax(1)[torch.arange(256), batch.labels].mean()
    assert pytest.approx(float(loss), rel=1e-5) == reading.loss
    assert (logits.argmax(1) == batch.labels).double().mean() == reading.accuracy
    assert {"1": int((h == 0).all(0).sum())} == {n: d.dead for n, d in reading.dead.items()}


def test_the_fixed_images_are_training_images_of_all_classes() -> None:
    """They are the same each time, not augmented, none held out, and no class is missing."""
    kit = equipment(net())
    one, other = kit.feed.sample("seam", 256), kit.feed.sample("seam", 256)
    assert torch.equal(one.images, other.images)
    assert set(range(10)) == set(one.labels.tolist())
    every = torch.cat([images for images, _ in kit.feed.evaluation("train")])
    for image in one.images[:20]:
        assert bool((every == image).flatten(1).all(1).any())


def reading(loss: float, accuracy: float) -> Reading:
    return Reading(loss, accuracy, {}, {})


@pytest.mark.parametrize(
    ("before", "after", "again", "costs"),
    [
        ((1.0, 0.9), (1.2, 0.9), None, False),
        ((1.0, 0.9), (1.21, 0.9), None, True),
        ((0.01, 0.9), (0.029, 0.9), None, False),
        ((1.0, 0.9), (0.5, 0.86), None, True),
        ((1.0, 0.9), (1.0, 0.875), None, False),
        ((1.0, 0.9), (9.0, 0.1), (1.0, 0.9), False),
        ((1.0, 0.9), (1.0, 0.9), (9.0, 0.9), True),
        ((341788320.0, 0.145), (867327488.0, 0.148), None, False),
        ((1.0, 0.9), (9.0, 0.9), None, True),
        ((1.0, 0.9), (9.0, 0.899), None, True),
        ((1.0, 0.9), (float("inf"), 0.9), None, True),
        ((1.0, 0.1), (float("nan"), 0.12), None, True),
        ((1.0, 0.9), (1.0, 0.9), (float("nan"), 0.9), True),
        ((float("nan"), 0.9), (float("nan"), 0.9), None, False),
        ((float("inf"), 0.9), (1.0, 0.9), None, False),
        ((float("nan"), 0.9), (float("nan"), 0.86), None, True),
    ],
)
def test_a_seam_costs_above_its_thresholds(
    before: tuple[float, float],
    after: tuple[float, float],
    again: tuple[float, float] | None,
    costs: bool,
) -> None:
    """More than a fifth of the loss and no accuracy gained, or 3 points of accuracy lost."""
    last = reading(*again) if again else None
    seam = Seam("training", 3, "step 3", {"skip": 0.1}, reading(*before), reading(*after), last)
    assert costs == seam.costs
    json.dumps(seam.to_json(), allow_nan=False)


def test_before_is_with_the_stage_and_after_is_without() -> None:
    """The two readings are those of the skipped and of the plain network."""
    log: list[Mapping[str, Any]] = []
    model = net()
    kit = equipment(model, log)
    plain = seams.read(kit)
    attached = kit.surgeon.enter(0, stage(Skip(form="add")), None)
    attached.vector[0] = 0.5
    skipped = seams.read(kit)
    seam = Opening(kit, "training", 7, "step 7 of training")
    kit.surgeon.leave(attached, None)
    seam.close({"skip": 0.5}, again=False)
    (row,) = (row for row in log if row["kind"] == "seam")
    assert skipped.to_json() == row["before"]
    assert plain.to_json() == row["after"]
    assert skipped.loss != plain.loss
    assert ({"skip": 0.5}, 7, None) == (row["left"], row["step"], row["recalibrated"])
    assert isinstance(kit.observer, Heard)
    assert kit.observer.lines[0].startswith("seam at step 7 of training: without skip  loss ")


def test_a_planted_jump_is_warned_of_everywhere(tmp_path: Path) -> None:
    """A skip that leaves at full weight costs: on the screen, in metrics, result and summary."""
    heard = Heard()
    result = run(plan(JUMP), RunOptions(out=tmp_path / "run"), heard)
    assert result.certified
    (seam,) = rows(result.folder, "seam")
    assert (22, {"skip": 1.0}, True) == (seam["step"], seam["left"], seam["costs"])
    assert seam["after"]["loss"] > 1.2 * seam["before"]["loss"]
    assert {"conv1", "layer3.0.conv2"} < set(seam["after"]["dead"])
    assert {"bn1", "layer3.0.bn2"} < set(seam["after"]["norms"])
    assert seam["after"]["norms"]["bn1"] == seam["before"]["norms"]["bn1"]
    assert seam["after"]["norms"]["layer1.0.bn1"] != seam["before"]["norms"]["layer1.0.bn1"]
    (warned,) = (row for row in rows(result.folder, "message") if row.get("code") == "R410")
    assert 1 == sum(line.startswith("seam at step 22 of training: ") for line in heard.lines)
    assert f"warning[R410]: {warned['text']}" in heard.lines
    assert ["R410"] == [each.code for each in verdicts(result)]
    assert "1, 1 of them costs" == dict(summary_rows(result))["seams"]
    figures = json.loads((result.folder / "result.json").read_text("utf-8"))
    assert (1, [warned["text"]]) == (figures["seams"], figures["costly_seams"])


def test_a_rehearsal_has_seams_and_judges_none(tmp_path: Path) -> None:
    """Its figures mean nothing, so there is no warning."""
    result = run(plan(JUMP), RunOptions(out=tmp_path / "run", smoke=True))
    assert 1 == len(rows(result.folder, "seam")) == result.seams
    assert [] == verdicts(result)
    assert "1, not judged" == dict(summary_rows(result))["seams"]


def test_stages_that_leave_together_share_a_seam(tmp_path: Path) -> None:
    """One row for two that end at once, one for what leaves at the end, none for labels."""
    text = FADING + "labels(smoothing=0.1) until epoch 1\n"
    heard = Heard()
    result = run(plan(text), RunOptions(out=tmp_path / "run", smoke=True), heard)
    first, last = rows(result.folder, "seam")
    assert {"ghost#1", "skip"} == set(first["left"])
    assert (44, ["ghost#2"]) == (last["step"], list(last["left"]))
    last_weight = 1 / 22  # of a linear fall over 22 steps, in its last one
    assert [pytest.approx(last_weight)] * 2 == list(first["left"].values())
    entered = [line for line in heard.lines if line.startswith(("ghost", "skip"))]
    assert entered[0].startswith("ghost#1: swish in ")
    assert entered[1].startswith("ghost#2: width 2x: ")
    assert entered[2].startswith("skip: convex skips ")


def test_seams_change_no_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights, statistics and figures of a run are equal with seams measured and without."""
    text = FADING.replace("2 epochs", "3 epochs")
    one = run(plan(text), RunOptions(out=tmp_path / "with"))

    class Nothing:
        def __init__(self, *_: Any) -> None:
            """Measure nothing."""

        def close(self, *_: Any, **__: Any) -> None:
            """Tell nothing."""

    monkeypatch.setattr(boundary, "Opening", Nothing)
    other = run(plan(text), RunOptions(out=tmp_path / "without"))
    assert (2, 0) == (one.seams, other.seams)
    assert_equal(one.folder, other.folder)
    assert one.loss == other.loss
    plain = [row["loss"] for row in rows(other.folder, "epoch")]
    assert plain == [row["loss"] for row in rows(one.folder, "epoch")]


def assert_equal(one: Path, other: Path) -> None:
    a, b = (load_file(folder / "model.safetensors") for folder in (one, other))
    assert a.keys() == b.keys()
    different = [name for name in a if not torch.equal(a[name], b[name])]
    assert [] == different
