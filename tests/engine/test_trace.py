"""`--trace gradients`: figures by plain autograd, with and without a stage, and no trace left."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.engine.kits import CPU, Heard, equipment
from tests.engine.test_run import plan, rows
from tests.engine.test_seams import assert_equal
from tests.nets import stage
from tostdsl.diagnostics import TostError
from tostdsl.engine.folder import RunFolder
from tostdsl.engine.hooks import Batch
from tostdsl.engine.loop import Loop
from tostdsl.engine.masked import Masked
from tostdsl.engine.run import RunOptions, run
from tostdsl.engine.surgery import Attached
from tostdsl.engine.trace import Tracer
from tostdsl.plan.program import Phase, Segment
from tostdsl.techniques.ghost import Ghost
from tostdsl.techniques.skip import Skip
from tostdsl.units import Clock

BASE = "model cifar_resnet(8)\ndata digits\nseed 3\ntrain for 2 epochs\nmask random(sparsity=50%)\n"
STAGED = (
    BASE
    + "ghost(activation=swish, anneal=linear) until epoch 1\nskip until 70%\nghost(width=2x)\n"
    + "labels\ninit\n"
)


def traced(folder: Path) -> list[Mapping[str, Any]]:
    return [json.loads(line) for line in (folder / "trace.jsonl").read_text("utf-8").splitlines()]


def net() -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10))


def at_one_step(
    model: nn.Sequential, out: Path, enter: Callable[[Any], dict[int, Attached]], masked: Masked
) -> tuple[Mapping[str, Any], Batch]:
    """The row of one step on a batch of digits."""
    kit = equipment(model, masked=masked)
    attached = enter(kit)
    made = plan("model cifar_resnet(8)\ndata digits\ntrain for 2 epochs\nskip\n")
    folder = RunFolder(out)
    tracer = Tracer(folder, made, 1, Heard())
    segment = Segment(0, 4, tuple((0, 4) for _ in attached), (), range(4))
    phase = Phase("train", 0, Clock(2, 4), (segment,))
    batch = kit.feed.sample("any", 48)
    batch.targets = functional.one_hot(batch.labels, 10) * 0.9 + 0.01
    batch.step = 2
    scaler = torch.amp.GradScaler(CPU.type, enabled=False)
    tracer.over(kit, phase, segment, attached, scaler)(batch)
    tracer.close()
    folder.close()
    return traced(out)[-1], batch


def by_hand(
    model: nn.Sequential, batch: Batch, masks: Mapping[str, Tensor], w: float
) -> tuple[float, dict[str, float], float]:
    """Loss, masked norms and dead share of two layers, the first one's ReLU blended with Swish."""
    p = {n: t.detach().double().requires_grad_() for n, t in model.named_parameters()}
    h = batch.images.double().flatten(1) @ p["1.weight"].T + p["1.bias"]
    act = (1 - w) * h.clamp(min=0) + w * h * torch.sigmoid(h)
    logits = act @ p["3.weight"].T + p["3.bias"]
    loss = -(batch.targets.double() * logits.log_softmax(1)).sum(1).mean()
    found = torch.autograd.grad(loss, [p["1.weight"], p["3.weight"]])
    norms = {
        name: float((grad * masks[f"{name}.weight"]).square().sum().sqrt())
        for name, grad in zip(("1", "3"), found, strict=True)
    }
    return loss.item(), norms, float((h <= 0).all(0).double().mean())


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_norms_and_dead_units_are_those_of_autograd(tmp_path: Path, weight: float) -> None:
    """With the stage at its weight and with it at 0, against float64 arithmetic written out."""
    model = net()
    with torch.no_grad():
        model[1].bias[:5] = -20.0  # type: ignore[index]
    masked = Masked(model, ["1.weight", "3.weight"])
    draw = torch.Generator().manual_seed(5)
    masked.set({n: torch.rand(w.shape, generator=draw) < 0.5 for n, w in masked.weights.items()})
    held: list[Attached] = []

    def enter(kit: Any) -> dict[int, Attached]:
        held.append(kit.surgeon.enter(0, stage(Ghost(activation="swish")), None))
        held[0].vector[0] = weight
        return {0: held[0]}

    row, batch = at_one_step(model, tmp_path / "run", enter, masked)
    assert ("step", 2) == (row["kind"], row["step"])
    assert {"skip": {"weight": weight}} == row["stages"]  # as the plan calls its one stage
    for measured, w in ((row["with"], weight), (row["without"]["skip"], 0.0)):
        loss, norms, share = by_hand(model, batch, masked.masks, w)
        assert pytest.approx(loss, rel=1e-5) == measured["loss"]
        assert pytest.approx(norms, rel=1e-4) == measured["gradients"]
        assert {"1": share} == measured["dead"]
    assert row["without"]["skip"]["dead"]["1"] >= 5 / 12
    assert row["with"]["dead"] == row["without"]["skip"]["dead"]
    assert weight == float(held[0].vector[0])


def test_a_layer_that_no_gradient_reaches_has_norm_0(tmp_path: Path) -> None:
    """A layer whose units are all dead, and one that the output does not depend on."""
    model = net()
    model.add_module("spare", nn.Identity())
    model[4].unused = nn.Linear(2, 2)  # type: ignore[assignment]
    with torch.no_grad():
        model[1].bias.fill_(-99.0)  # type: ignore[operator, union-attr]
    row, _ = at_one_step(model, tmp_path / "run", lambda kit: {}, Masked(model, []))
    assert {"1": 0.0, "3": 0.0, "spare.unused": 0.0} == row["with"]["gradients"]
    assert ({"1": 1.0}, {}) == (row["with"]["dead"], row["without"])


@pytest.mark.parametrize(
    "text",
    [
        STAGED,
        BASE.replace("cifar_resnet(8)", "shufflenet_v2_x0_5").replace("digits", "cifar10(batch=4)")
        + "ghost(activation=mish) until epoch 1\n",
        BASE.replace("cifar_resnet(8)", "mobilenet_v2").replace("digits", "cifar10(batch=4)")
        + "skip(projection=conv) until epoch 1\nlabels(mixup=0.2)\n",
    ],
    ids=["all", "relu", "dropout and mixup"],
)
def test_training_is_the_same_to_the_bit(tmp_path: Path, text: str) -> None:
    """Weights, statistics and figures are equal with and without a trace."""
    smoke = "cifar10" in text
    made = [
        run(plan(text), RunOptions(out=tmp_path / name, trace_every=every, smoke=smoke,
                                   fake_data=smoke))
        for name, every in (("with", 3), ("without", None))
    ]  # fmt: skip
    one, other = (result.folder for result in made)
    assert_equal(one, other)
    assert [r["loss"] for r in rows(one, "epoch")] == [r["loss"] for r in rows(other, "epoch")]
    assert rows(one, "seam") == rows(other, "seam")
    assert made[0].certified
    assert {"trace.jsonl", "trace.svg"} == {p.name for p in one.iterdir()} - {
        p.name for p in other.iterdir()
    }


def test_a_step_leaves_gradients_buffers_and_random_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right after a traced step's extra passes everything is as it was right before them."""
    plain = Tracer._take
    looked = []

    def everything(kit: Any, attached: Mapping[int, Attached]) -> list[Tensor]:
        roots = (kit.model, *kit.surgeon.beside)
        state = [t for root in roots for t in (*root.parameters(), *root.buffers())]
        grads = [p.grad for root in roots for p in root.parameters() if p.grad is not None]
        vectors = [each.vector for each in attached.values()]
        return [t.clone() for t in (*state, *grads, *vectors, torch.get_rng_state())]

    def take(self: Tracer, kit: Any, phase: Any, batch: Batch, attached: Any, scale: float) -> None:
        kept = everything(kit, attached), batch.images.clone()
        plain(self, kit, phase, batch, attached, scale)
        after = everything(kit, attached)
        assert len(kept[0]) == len(after)
        assert all(map(torch.equal, kept[0], after))
        assert torch.equal(kept[1], batch.images)
        looked.append(batch.step)

    monkeypatch.setattr(Tracer, "_take", take)
    text = STAGED.replace("cifar_resnet(8)", "mobilenet_v2").replace("digits", "cifar10(batch=4)")
    text = text.replace("ghost(width=2x)\n", "")
    run(plan(text), RunOptions(out=tmp_path / "run", smoke=True, fake_data=True, trace_every=1))
    assert len(looked) >= 4


def test_traced_steps_are_every_nth_and_the_segments_ends(tmp_path: Path) -> None:
    """22 steps an epoch, a window that ends at step 31, every 10th step."""
    result = run(plan(STAGED), RunOptions(out=tmp_path / "run", trace_every=10))
    first, *steps = traced(result.folder)
    windows = {"ghost#1": [0, 22], "ghost#2": [0, 44], "skip": [0, 31]}
    assert ("phase", 44, 22, windows) == tuple(
        first[key] for key in ("kind", "steps", "steps_per_epoch", "windows")
    )
    assert "layer2.0.downsample.0" in first["layers"]
    assert [0, 10, 20, 21, 22, 30, 31, 40, 43] == [row["step"] for row in steps]
    assert [{"ghost#1", "ghost#2", "skip"}] * 4 == [set(row["without"]) for row in steps[:4]]
    assert [{"ghost#2", "skip"}, {"ghost#2"}] == [set(steps[i]["without"]) for i in (5, 6)]
    assert "labels" in steps[-1]["stages"]
    assert {"ghost#1": {"weight": 1 - 10 / 22}}.items() <= {
        "ghost#1": {"weight": pytest.approx(steps[1]["stages"]["ghost#1"]["weight"])}
    }.items()
    assert first["layers"] == list(steps[0]["with"]["gradients"])
    # with the same seed the weights are the plain network's at the first step
    bare = run(plan(BASE + "init\nlabels\n"), RunOptions(out=tmp_path / "bare", trace_every=50))
    assert [0, 43] == [row["step"] for row in traced(bare.folder)[1:]]


def test_without_the_one_stage_is_the_plain_network(tmp_path: Path) -> None:
    """At the first step, what is measured without the skip is what a run without it measures."""
    one = run(plan(BASE + "skip until epoch 1\n"), RunOptions(out=tmp_path / "a", trace_every=50))
    other = run(plan(BASE), RunOptions(out=tmp_path / "b", trace_every=50))
    first, plain = traced(one.folder)[1], traced(other.folder)[1]
    assert plain["with"]["loss"] == pytest.approx(first["without"]["skip"]["loss"], rel=1e-6)
    assert plain["with"]["gradients"] == pytest.approx(
        first["without"]["skip"]["gradients"], rel=1e-4
    )
    assert plain["with"]["gradients"] != pytest.approx(first["with"]["gradients"], rel=1e-2)


def test_rounds_of_a_lottery_are_traced_too(tmp_path: Path) -> None:
    """Each phase has a line of its own before its steps, and the picture shows them in a row."""
    text = BASE.replace("random(sparsity=50%)", "lottery(sparsity=50%, rate=50%, stages=yes)")
    text += "skip until epoch 1\n"
    heard = Heard()
    result = run(plan(text), RunOptions(out=tmp_path / "run", smoke=True, trace_every=9), heard)
    kinds = [(row["kind"], row["phase"]) for row in traced(result.folder)]
    assert ("phase", "round 1") == kinds[0]
    assert ("phase", "training") in kinds
    tree = ET.parse(result.folder / "trace.svg")
    words = [each.text for each in tree.iter() if each.tag.endswith("text")]
    assert {"round 1", "training", "skip", "gradient norm: with skip / without"} <= set(words)
    assert any(line.startswith("trace: ") and "10 layers" in line for line in heard.lines)


def test_a_run_that_fails_leaves_its_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture shows what there was when the loss stopped being a number."""
    plain = Loop._occasion

    def diverge(self: Loop, event: str) -> None:
        self.meter.loss += float("nan")
        plain(self, event)

    monkeypatch.setattr(Loop, "_occasion", diverge)
    with pytest.raises(TostError, match="R302"):
        run(plan(BASE), RunOptions(out=tmp_path / "run", trace_every=10))
    assert "10" in {str(row.get("step")) for row in traced(tmp_path / "run")}
    assert (tmp_path / "run" / "trace.svg").is_file()


def test_what_is_no_number_is_null(tmp_path: Path) -> None:
    """Infinite gradients are written, and drawn, as nothing."""
    model = net()
    with torch.no_grad():
        model[3].weight.fill_(float("inf"))  # type: ignore[operator, union-attr]
    row, _ = at_one_step(model, tmp_path / "run", lambda kit: {}, Masked(model, []))
    assert (None, None) == (row["with"]["loss"], row["with"]["gradients"]["1"])
    ET.parse(tmp_path / "run" / "trace.svg")


def test_a_skip_beside_projections_is_traced_by_the_networks_layers(tmp_path: Path) -> None:
    """Layers of the stage itself are not among those measured."""
    model = net()

    def enter(kit: Any) -> dict[int, Attached]:
        return {0: kit.surgeon.enter(0, stage(Skip(form="add", projection="conv")), None)}

    row, _ = at_one_step(model, tmp_path / "run", enter, Masked(model, []))
    assert ["1", "3"] == list(row["with"]["gradients"])
    assert ["1"] == list(row["with"]["dead"])


def test_a_short_run_has_enough_looks(tmp_path: Path) -> None:
    """Of 44 steps every second one where nobody says how often: 20 looks at least."""
    run(plan(BASE), RunOptions(out=tmp_path / "run", trace_every=0))
    lines = (tmp_path / "run" / "trace.jsonl").read_text("utf-8").splitlines()
    steps = [json.loads(line)["step"] for line in lines[1:]]
    assert [*range(0, 44, 2), 43] == steps
